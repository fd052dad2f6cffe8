//! What stands in for all of it in a build without the feature `rego`: any module is refused, so that
//! no workspace with Rego is taken for one without.

use std::convert::Infallible;

use super::settings::{Settings, Vocabulary};
use super::tested::Tested;
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::Digest;
use crate::request::envelope::Circumstances;
use crate::request::{Request, Verdict};

/// There is none.
#[derive(Debug)]
pub struct Compiled(Infallible);

/// Refuses whatever there is.
pub fn compile(
    documents: &[(String, Vec<u8>)],
    _settings: &Settings,
    _vocabulary: &Vocabulary,
) -> Result<Compiled, Vec<Diagnostic>> {
    Err(vec![missing(documents)])
}

/// Refuses whatever tests there are.
pub fn test(
    documents: &[(String, Vec<u8>)],
    _settings: &Settings,
    _has_coverage: bool,
) -> Result<Tested, Vec<Diagnostic>> {
    Err(vec![missing(documents)])
}

fn missing(documents: &[(String, Vec<u8>)]) -> Diagnostic {
    let file = documents.first().map_or(super::SOURCES, |(file, _)| file);
    Diagnostic::new(
        Code::FeatureMissing,
        Place::file(file),
        "this build can't evaluate Rego",
    )
    .found("policies in Rego, in a program built without the feature `rego`")
    .expected("a program built with it: until then every request that they concern is denied")
    .help("build the program with `cargo build --release --features rego`")
}

impl Compiled {
    /// There is none that could be asked.
    pub fn judge(&self, _request: &Request, _around: &Circumstances) -> Option<Verdict> {
        match self.0 {}
    }

    /// There is none that was made of files.
    pub fn sources(&self) -> &[(String, Digest)] {
        match self.0 {}
    }

    /// There is none that reads a member.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        match self.0 {}
        #[expect(unreachable_code, reason = "only its type is needed")]
        std::iter::empty()
    }
}
