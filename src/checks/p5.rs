//! P-5, Multi-Tenancy: a workspace is one tenant. Is nothing outside of it read or written?
//!
//! No command takes requests of several tenants, so there are no claims to check here; where the
//! environment asks for them, the policy is blocked and not passed.

use super::p1::STORED;
use super::{Ground, Test};
use crate::diagnostic::{Checked, Code};
use crate::fs::read::EntryKind;
use crate::fs::tree::{self, Standing};
use crate::fs::{Workspace, write};

/// What is tested.
pub const TESTS: &[(&str, &str)] = &[
    (
        "reads_stay_inside",
        "a link in a workspace that leads to another one is not read through",
    ),
    (
        "writes_stay_inside",
        "a directory that is a link is not written through",
    ),
    (
        "no_links_out",
        "no link below policy/, state/, reports/, logs/, exports/, federation/ or forensics/ leads out of this workspace",
    ),
    (
        "tenants",
        "nothing asks for several tenants in one workspace (JWT_SECRET, POSTGRES_DSN)",
    ),
];

/// What else holds data of the tenant.
const DATA: [&str; 4] = ["policy", "exports", "federation", "forensics"];

pub(super) fn tests(ground: &Ground<'_>) -> Vec<Test> {
    let mut tests = match probes() {
        Ok(tests) => tests,
        Err(why) => vec![
            Test::blocked("reads_stay_inside", "no temporary directory", why)
                .remedy("set TMPDIR to a directory that this user may write"),
        ],
    };
    tests.push(no_links_out(ground.workspace));
    tests.push(tenants(ground.tenant_variables));
    tests
}

/// Two workspaces of two tenants, the first with links to the second, and the code that every
/// command reads and writes by.
fn probes() -> Result<Vec<Test>, String> {
    let told = |error: std::io::Error| crate::fs::read::plain(&error);
    let base = tempfile::tempdir().map_err(told)?;
    let [mine, theirs] = ["mine", "theirs"].map(|name| base.path().join(name));
    for directory in [&mine, &theirs, &theirs.join("state")] {
        std::fs::create_dir(directory).map_err(told)?;
    }
    let said = |finding: Box<crate::diagnostic::Diagnostic>| finding.to_string();
    let other = Workspace::open(&theirs).map_err(said)?;
    write::replace(&other, "private.json", b"theirs").map_err(|error| told(error.source))?;
    let link = std::os::unix::fs::symlink;
    link("../theirs/private.json", mine.join("signal.json")).map_err(told)?;
    link("../theirs/state", mine.join("state")).map_err(told)?;
    let workspace = Workspace::open(&mine).map_err(said)?;
    let read = workspace.open_input("signal.json").map(drop);
    let made = write::make_directory(&workspace, "state").map_err(Into::into);
    let written = made.and_then(|()| {
        let refused = write::refuse_links(&workspace, "state/mark.json");
        refused.map_err(Into::into)
    });
    Ok(vec![
        refused("reads_stay_inside", &read, Code::LinkOutside),
        refused("writes_stay_inside", &written, Code::LinkRefused),
    ])
}

fn refused(name: &'static str, tried: &Checked<()>, code: Code) -> Test {
    match tried {
        Err(finding) if finding.code == code => {
            Test::pass(name, format!("refused: {}", finding.message))
        }
        Err(finding) => Test::found(name, "refused for another reason", finding),
        Ok(()) => Test::fail(name, "another tenant's files can be reached", "a link was followed")
            .remedy("this is a fault of the program: keep workspaces of tenants on different machines, and report it"),
    }
}

fn no_links_out(workspace: &Workspace) -> Test {
    const NAME: &str = "no_links_out";
    let Ok(root) = workspace.root().canonicalize() else {
        return Test::blocked(NAME, "the workspace can't be resolved", "");
    };
    let mut links = 0;
    for directory in STORED.into_iter().chain(DATA) {
        let below = match tree::walk(workspace, directory, &|_| true) {
            Ok(below) => below,
            Err(why) => return Test::blocked(NAME, "directories can't be read", why),
        };
        for file in below {
            if !matches!(file.standing, Standing::Link(_)) {
                continue;
            }
            links += 1;
            let target = workspace.path(&file.path).canonicalize();
            if target.is_ok_and(|target| target.starts_with(&root)) {
                continue;
            }
            return Test::fail(
                NAME,
                "a link leads out of the workspace",
                format!(
                    "{} is a link that leads elsewhere, or to nothing",
                    file.path
                ),
            )
            .about(file.path)
            .remedy("put the file itself there");
        }
    }
    let others = others_in(workspace);
    Test::pass(NAME, format!("{links} links, all of them inside{others}"))
}

/// Says where another workspace lies within this one: its data are not this tenant's.
fn others_in(workspace: &Workspace) -> String {
    let entries = workspace.entries(".").unwrap_or_default();
    let directories = entries
        .into_iter()
        .filter(|(_, kind)| *kind == EntryKind::Directory);
    let is_workspace = |(name, _): &(String, EntryKind)| {
        workspace
            .path(&format!("{name}/state/policy_state.json"))
            .exists()
    };
    let count = directories.filter(is_workspace).count();
    match count {
        0 => String::new(),
        count => format!("; {count} other workspaces lie within this one, and are not looked at"),
    }
}

fn tenants(asked: &[&'static str]) -> Test {
    const NAME: &str = "tenants";
    if asked.is_empty() {
        return Test::pass(
            NAME,
            "this workspace is one tenant; no command takes a tenant's token",
        );
    }
    Test::blocked(
        NAME,
        "tenant tokens are not supported",
        format!("{} asks for several tenants", asked.join(" and ")),
    )
    .remedy("keep one workspace for each tenant, and unset the variable")
}
