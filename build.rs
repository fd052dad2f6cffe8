//! Tells the program which commit it was built from: `init` pins that commit in the workflow that
//! it writes. Outside a git checkout (a package from a registry) there is none, and the workflow
//! says that one has to be set.

#![expect(clippy::disallowed_methods, reason = "a build script runs at the edge")]

use std::process::Command;

fn main() {
    for file in [".git/HEAD", ".git/packed-refs", ".git/refs/heads"] {
        if std::path::Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    link_unwinder_statically();
    // Only this project's own repository: a package unpacked inside another one has no commit.
    let own = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty());
    let commit = git(&["rev-parse", "--verify", "HEAD"])
        .filter(|_| own && std::path::Path::new(".git").exists());
    println!(
        "cargo:rustc-env=POLICY_ORCHESTRATOR_COMMIT={}",
        commit.unwrap_or_default()
    );
}

/// Links the unwinder statically on Linux with glibc. Rust's standard library asks for
/// `libgcc_s.so`, of which a program that aborts on panic uses next to nothing; loading it is a
/// tenth of the cost of a run. A linker script of that name, found first, names the static archives
/// instead. Where the C compiler has none, nothing changes.
fn link_unwinder_statically() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "linux"
        || variable("CARGO_CFG_TARGET_ENV") != "gnu"
        || variable("HOST") != variable("TARGET")
    {
        return;
    }
    let archive = Command::new("cc")
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    let found = archive.is_ok_and(|output| {
        std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute()
    });
    let directory = variable("OUT_DIR");
    let script = std::path::Path::new(&directory).join("libgcc_s.so");
    if found && std::fs::write(script, "GROUP ( libgcc_eh.a libgcc.a )\n").is_ok() {
        println!("cargo:rustc-link-search=native={directory}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8(output.stdout)
        .ok()
        .map(|text| text.trim().to_owned())
}
