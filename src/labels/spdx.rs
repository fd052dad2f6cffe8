//! The identifiers of the SPDX license list, as a text: a table of pointers would cost every start of
//! the program, and only exports and promotions ask for one.
//!
//! `spdx.txt` holds the ids of the list's version 3.29.0, sorted; a test holds it against the crate `spdx`.

const IDS: &str = include_str!("spdx.txt");

/// True for an identifier of the list, in its own spelling.
pub fn is_known(id: &str) -> bool {
    IDS.lines().any(|known| known == id)
}

/// The identifier that is nearly this one.
pub fn nearest(id: &str) -> Option<&'static str> {
    crate::diagnostic::nearest(id, IDS.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_list() {
        let mut ids: Vec<&str> = spdx_list::identifiers::LICENSES
            .iter()
            .map(|license| license.name)
            .filter(|name| *name != "NOASSERTION")
            .collect();
        ids.sort_unstable();
        assert_eq!(IDS.lines().collect::<Vec<_>>(), ids);
    }

    #[test]
    fn an_id_is_known_in_its_own_spelling() {
        assert!(is_known("CC-BY-4.0") && is_known("ODbL-1.0"));
        for id in [
            "",
            "cc-by-4.0",
            "CC-BY",
            "NOASSERTION",
            "NONE",
            "CC-BY-4.0\n",
        ] {
            assert!(!is_known(id), "{id:?}");
        }
        assert_eq!(nearest("CC-BY-40"), Some("CC-BY-4.0"));
    }
}
