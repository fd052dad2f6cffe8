//! P-5, Multi-Tenancy: is nothing outside of the workspace read or written, and is a tenant that asks
//! `decide` or exports its entries only ever that of its verified token?
//!
//! There is no database here; where the environment asks for one, the policy is blocked and not passed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::p1::STORED;
use super::{Ground, Test};
use crate::authorization::tenant::{self, Refusal, Tenant};
use crate::authorization::{self, Unusable};
use crate::diagnostic::{Checked, Code};
use crate::fs::read::EntryKind;
use crate::fs::tree::{self, Standing};
use crate::fs::{Workspace, write};
use crate::time::Timestamp;

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
        "requires_tenant_jwt",
        "a token is accepted only with HS256, the right secret, a time that is not over, and a tenant",
    ),
    (
        "rls_filters_rows",
        "a tenant sees its own rows, and those of others only with the claim `tenant_override`",
    ),
    (
        "tenants",
        "a secret for tokens (JWT_SECRET) goes with policy/requests.yaml requiring a tenant; no database is asked for (POSTGRES_DSN)",
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
    tests.extend(tokens(ground.at));
    tests.push(tenants(ground));
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

/// The code that `decide` and `audit export` verify tokens by, asked with good and bad ones.
fn tokens(at: Timestamp) -> Vec<Test> {
    const SECRET: &[u8] = b"a probe of P-5, and no secret of anybody";
    let later = at.unix_seconds() + 3600;
    let verified = |claims: Value, secret: &[u8]| {
        tenant::sign(&claims, secret).and_then(|token| tenant::verify(&token, SECRET, at))
    };
    let own = json!({"tenant_id": "a", "exp": later});
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let unsigned = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(own.to_string()));
    let refused = [
        tenant::verify(&unsigned, SECRET, at) == Err(Refusal::Algorithm),
        verified(own.clone(), b"another probe of P-5, and no secret") == Err(Refusal::Signature),
        verified(json!({"tenant_id": "a", "exp": later - 7200}), SECRET) == Err(Refusal::Expired),
        verified(json!({"exp": later}), SECRET) == Err(Refusal::NoTenant),
    ];
    let every = json!({"tenant_id": "a", "exp": later, "tenant_override": true});
    let (own, every) = (verified(own, SECRET), verified(every, SECRET));
    let sees = |tenant: &Tenant| [Some("a"), Some("b"), None].map(|row| tenant.may_see(row));
    let seen = (own.as_ref().map(sees), every.as_ref().map(sees));
    let fault = "this is a fault of the program: serve one tenant only, and report it";
    vec![
        if refused.iter().all(|refused| *refused) && own.is_ok() {
            Test::pass(
                "requires_tenant_jwt",
                "four forged or incomplete tokens refused, a good one accepted",
            )
        } else {
            Test::fail(
                "requires_tenant_jwt",
                "tokens are not told apart",
                format!("{refused:?}"),
            )
            .remedy(fault)
        },
        if seen == (Ok([true, false, false]), Ok([true, true, false])) {
            Test::pass(
                "rls_filters_rows",
                "a tenant sees its own rows, and others by its claim only",
            )
        } else {
            Test::fail(
                "rls_filters_rows",
                "rows are not kept apart",
                format!("{seen:?}"),
            )
            .remedy(fault)
        },
    ]
}

fn tenants(ground: &Ground<'_>) -> Test {
    const NAME: &str = "tenants";
    const DATABASE: &str = "POSTGRES_DSN";
    let asked = ground.tenant_variables;
    if asked.contains(&DATABASE) {
        return Test::blocked(
            NAME,
            "there is no database here",
            format!("{DATABASE} asks for one"),
        )
        .remedy(
            "unset the variable: rows are those of the journals, and `audit export` filters them",
        );
    }
    match (authorization::needs_tenant(ground.workspace), asked) {
        (Err(Unusable(problems)), _) => match problems.first() {
            Some(problem) => Test::found(NAME, "policy/requests.yaml can't be used", problem),
            None => Test::blocked(NAME, "policy/requests.yaml can't be used", ""),
        },
        (Ok(true), _) => Test::pass(NAME, "`decide` and `audit export` need a tenant's token"),
        (Ok(false), []) => Test::pass(NAME, "this workspace is one tenant"),
        (Ok(false), [name, ..]) => Test::blocked(
            NAME,
            "a tenant is not required",
            format!("{name} is set, and requests without a tenant are answered"),
        )
        .remedy("write `tenant: {required: true}` in policy/requests.yaml, or unset the variable"),
    }
}
