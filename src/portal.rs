//! The status page: its files, the data it shows beside the state file, and how it is served.
//!
//! [`data`] is what the page knows of the past, folded decision by decision (pure); [`day`] are the
//! days in it and [`work`] their evaluations; [`store`] keeps the file; [`activity`] reads what was
//! applied and taken back, [`standing`] which overrides are in force and how the safeguards stand;
//! [`http`] says what a request is answered with (pure). The page itself stands in `portal/` and is
//! compiled in. Nothing is decided here, and nothing here is read by what decides.

pub mod activity;
pub mod data;
pub mod day;
pub mod http;
pub mod standing;
pub mod store;
pub mod work;

pub use data::Data;

/// The data of the page, relative to the workspace.
pub const FILE: &str = "state/portal_data.json";

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Its name, relative to the directory that is published.
    pub file: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// The page, which needs nothing else but the two files of `state/`.
pub const PAGES: [Page; 4] = [
    Page {
        file: "portal/index.html",
        text: include_str!("../portal/index.html"),
    },
    Page {
        file: "portal/portal.css",
        text: include_str!("../portal/portal.css"),
    },
    Page {
        file: "portal/portal.js",
        text: include_str!("../portal/portal.js"),
    },
    Page {
        file: "portal/icon.svg",
        text: include_str!("../portal/icon.svg"),
    },
];
