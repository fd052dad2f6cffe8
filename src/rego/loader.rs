//! Which files of a workspace are Rego, and their bytes. What they mean is not looked at here.

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::tree::{self, Standing};
use crate::fs::{Opened, Workspace};

/// Modules and their data, in directories.
pub const SOURCES: &str = "policy/rego";

/// Bundles as archives.
pub const BUNDLES: &str = "policy/bundles";

/// Tests of the rules.
pub const TESTS: &str = "policy/tests";

/// The largest file that is read.
const LIMIT: u64 = 8 * 1024 * 1024;

/// More than this at once is refused.
const MOST: usize = 5000;

/// The files of a workspace that make up its Rego, sorted by path: modules and data below
/// [`SOURCES`], bundles below [`BUNDLES`], tests below [`TESTS`].
pub fn documents(workspace: &Workspace) -> Checked<Vec<(String, Vec<u8>)>> {
    let mut documents = Vec::new();
    for (root, is_wanted) in [
        (SOURCES, is_source as fn(&str) -> bool),
        (BUNDLES, is_bundle),
        (TESTS, is_test),
    ] {
        if workspace.lacks(root) {
            continue;
        }
        let found = tree::walk(workspace, root, &is_wanted)
            .map_err(|why| Box::new(unlisted(root, &why)))?;
        for below in found {
            documents.push(read(workspace, below)?);
            if documents.len() > MOST {
                return Err(Box::new(unlisted(root, &format!("more than {MOST} files"))));
            }
        }
    }
    documents.sort();
    Ok(documents)
}

fn read(workspace: &Workspace, below: tree::Below) -> Checked<(String, Vec<u8>)> {
    let found = match below.standing {
        Standing::File { .. } => {
            if let Opened::File(file) = workspace.open_plain(&below.path)? {
                return Ok((below.path, file.read_whole(LIMIT)?));
            }
            "nothing any more".to_owned()
        }
        Standing::Link(target) => format!("a link to {target}"),
        Standing::Unreadable(why) => why,
        Standing::Other(what) => what.to_owned(),
        Standing::Directory => "a directory".to_owned(),
        Standing::Nothing => "nothing".to_owned(),
    };
    Err(Box::new(
        Diagnostic::new(
            Code::FileNotRegular,
            Place::file(&below.path),
            "a file of the Rego policies is no regular file",
        )
        .found(found)
        .expected("a regular file: all that decides has to stand in the workspace itself")
        .help("put the file itself there"),
    ))
}

fn unlisted(root: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        Code::FileUnreadable,
        Place::file(root),
        "the Rego policies can't be listed",
    )
    .found(why)
    .expected("a directory of modules and data")
    .help("remove what doesn't belong there")
}

/// True for modules and for the data that belongs to them.
pub(super) fn is_source(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_module(path) || matches!(name, "data.json" | "data.yaml" | "data.yml")
}

fn is_bundle(path: &str) -> bool {
    path.ends_with(".tar.gz")
}

/// True for the path of a module.
pub(super) fn is_module(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "rego")
}

/// True for the path of a module of tests, by the convention of Open Policy Agent.
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("_test.rego")
}
