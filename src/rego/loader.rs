//! Which files of a workspace are Rego, and their bytes. What they mean is not looked at here.

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::tree::{self, Standing};
use crate::fs::{Opened, Workspace};

/// Modules and their data, in directories, where nothing else is said.
pub const SOURCES: &str = "policy/rego";

/// Bundles as archives.
pub const BUNDLES: &str = "policy/bundles";

/// Tests of the rules.
pub const TESTS: &str = "policy/tests";

/// The largest file that is read.
const LIMIT: u64 = 8 * 1024 * 1024;

/// More than this at once is refused.
const MOST: usize = 5000;

/// The files of one bundle of a workspace, sorted by path: the archive itself, or the modules and the
/// data below a directory. Tests are among them.
pub fn documents(workspace: &Workspace, bundle: &str) -> Checked<Vec<(String, Vec<u8>)>> {
    let bundle = bundle.trim_end_matches('/');
    let is_wanted = |path: &str| path == bundle || is_source(path);
    let found = tree::walk(workspace, bundle, &is_wanted)
        .map_err(|why| Box::new(unlisted(bundle, &why)))?;
    if found.len() > MOST {
        let why = format!("more than {MOST} files");
        return Err(Box::new(unlisted(bundle, &why)));
    }
    found
        .into_iter()
        .map(|below| read(workspace, below))
        .collect()
}

/// Every bundle of a workspace: [`SOURCES`] where there is any module below it, and the archives in
/// [`BUNDLES`].
pub fn bundles(workspace: &Workspace) -> Checked<Vec<String>> {
    let mut bundles = Vec::new();
    if !workspace.lacks(SOURCES) {
        let found = tree::walk(workspace, SOURCES, &is_module)
            .map_err(|why| Box::new(unlisted(SOURCES, &why)))?;
        if !found.is_empty() {
            bundles.push(SOURCES.to_owned());
        }
    }
    if !workspace.lacks(BUNDLES) {
        let archives = workspace.list(BUNDLES)?.into_iter();
        let archives = archives.filter(|name| is_bundle(name));
        bundles.extend(archives.map(|name| format!("{BUNDLES}/{name}")));
    }
    Ok(bundles)
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

pub(super) fn is_bundle(path: &str) -> bool {
    path.ends_with(".tar.gz")
}

/// True for the path of a module.
pub(super) fn is_module(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "rego")
}

/// True for the path of a module of tests, by the convention of Open Policy Agent.
#[cfg(feature = "rego")]
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("_test.rego")
}
