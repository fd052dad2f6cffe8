//! What stands in for Vault where there is none: files that show what would have been kept.
//!
//! They prove nothing, so nothing passes on them. The directory is one that everybody may write
//! beside (`/tmp`), so it has to be this user's own, and no link is followed.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use serde_json::json;

use super::kv::taken;
use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::named::{Readers, create};
use crate::fs::read::{open_named, plain};

/// Where the simulation keeps its files, unless `POLICY_SIMULATED_VAULT` names another directory.
pub const DIRECTORY: &str = "/tmp/simulated_vault";

/// No record is larger, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Keeps a record. Its place.
pub(super) fn keep(directory: &Path, id: &str, signed: &str, approver: &str) -> Checked<String> {
    own(directory)?;
    let records = directory.join("signatures");
    own(&records)?;
    let file = records.join(id);
    let place = file.display().to_string();
    let record = json!({"signed": signed, "approver": approver, "simulated": true});
    let bytes = crate::fs::pretty(&record);
    if std::fs::symlink_metadata(&file).is_ok() {
        let there = open_named(&file)?.read_whole(LIMIT)?;
        return if there == bytes {
            Ok(place)
        } else {
            Err(taken(&place))
        };
    }
    create(&file, &bytes, Readers::Owner)?;
    Ok(place)
}

/// Makes the directory, and fails where what stands there is not this user's own.
fn own(directory: &Path) -> Checked<()> {
    let mut builder = std::fs::DirBuilder::new();
    if let Err(error) = builder.mode(0o700).create(directory)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(foreign(directory, &plain(&error)));
    }
    let status =
        std::fs::symlink_metadata(directory).map_err(|error| foreign(directory, &plain(&error)))?;
    let user = rustix::process::geteuid().as_raw();
    match () {
        () if !status.is_dir() => Err(foreign(directory, "something that is no directory")),
        () if status.uid() != user => Err(foreign(directory, "a directory of somebody else")),
        () if status.mode() & 0o022 != 0 => {
            Err(foreign(directory, "a directory that others may write"))
        }
        () => Ok(()),
    }
}

fn foreign(directory: &Path, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::VaultUnavailable,
            Place::file(directory.display().to_string()),
            "the simulated Vault can't be written",
        )
        .found(found)
        .expected("a directory of this user that nobody else may write, or nothing")
        .help("move it away, or name another directory in POLICY_SIMULATED_VAULT"),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_record_is_kept_once_for_its_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("vault");
        let place = keep(&directory, "T-1", "signature", "bob").unwrap();
        assert_eq!(
            place,
            directory.join("signatures/T-1").display().to_string()
        );
        let status = std::fs::metadata(&place).unwrap();
        assert_eq!(status.permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&place).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = json!({"signed": "signature", "approver": "bob", "simulated": true});
        assert_eq!(record, expected);
        keep(&directory, "T-1", "signature", "bob").unwrap();
        let finding = keep(&directory, "T-1", "signature", "eve").unwrap_err();
        assert_eq!(finding.code, Code::VaultRefused);
    }

    #[test]
    fn what_somebody_else_may_have_put_there_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let open = base.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        for directory in [link, open] {
            let finding = keep(&directory, "T-1", "s", "bob").unwrap_err();
            assert_eq!(finding.code, Code::VaultUnavailable);
        }
        assert_eq!(std::fs::read_dir(real).unwrap().count(), 0);
    }
}
