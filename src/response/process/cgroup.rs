//! A control group (version 2) of its own for an action: what is in it ends at one word, however
//! fast it forks. Where none can be made, everything works without; that is decided in `running`.
//!
//! This program makes it and removes it; the supervisor enters it for the moment in which it starts
//! the action, and leaves it again, since children begin where their parent is.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// What the names of our groups begin with; the number of the process that made it follows.
const PREFIX: &str = "policy-orchestrator.";

/// Makes one below the group of this process. `None` where there is no such file system, where we
/// may not, or where the kernel (before 5.14) can't end a group at once.
pub(super) fn make() -> Option<PathBuf> {
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    let groups = std::fs::read("/proc/self/cgroup").ok()?;
    let above = own_directory(&mounts, &groups)?;
    remove_old(&above);
    let id = uuid::Uuid::new_v4();
    let group = above.join(format!("{PREFIX}{}.{id}", std::process::id()));
    std::fs::create_dir(&group).ok()?;
    if group.join("cgroup.kill").exists() {
        return Some(group);
    }
    remove(&group);
    None
}

/// Moves this process into the group.
pub(super) fn enter(group: &Path) -> io::Result<()> {
    write(&group.join("cgroup.procs"), "0")
}

/// Moves this process back to where the group was made.
pub(super) fn leave(group: &Path) -> io::Result<()> {
    enter(group.parent().unwrap_or(group))
}

/// Sends SIGKILL to everything in it, atomically.
pub(super) fn kill(group: &Path) {
    let _ = write(&group.join("cgroup.kill"), "1");
}

/// True while something in it lives.
pub(super) fn is_populated(group: &Path) -> bool {
    let events = std::fs::read_to_string(group.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

/// Removes the group and those that the action made in it. The system refuses where anything lives.
pub(super) fn remove(group: &Path) {
    let mut found = vec![group.to_owned()];
    let mut next = 0;
    while let Some(group) = found.get(next) {
        let inside = std::fs::read_dir(group).into_iter().flatten().flatten();
        let inside = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
        found.extend(inside);
        next += 1;
    }
    for group in found.iter().rev() {
        let _ = std::fs::remove_dir(group);
    }
}

/// Removes empty groups of processes that are gone: both they and their supervisors were killed.
fn remove_old(above: &Path) {
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split('.').next());
        if let Some(owner) = owner.filter(|owner| owner.parse::<u32>().is_ok())
            && !Path::new("/proc").join(owner).exists()
        {
            remove(&entry.path());
        }
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all(text.as_bytes())
}

/// The directory of this process's group, from its `mountinfo` and `cgroup` files.
fn own_directory(mounts: &[u8], groups: &[u8]) -> Option<PathBuf> {
    let lines = |text| <[u8]>::split(text, |byte: &u8| *byte == b'\n');
    let own = lines(groups).find_map(|line| line.strip_prefix(b"0::"))?;
    let own = path(own.to_vec());
    lines(mounts).find_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let root = path(unescaped(words.nth(3)?));
        let mount = path(unescaped(words.next()?));
        // Behind optional fields and a dash.
        words.find(|word| *word == b"-")?;
        let below = own.strip_prefix(root).ok()?;
        let outside = below.components().any(|part| part.as_os_str() == "..");
        (words.next()? == b"cgroup2" && !outside).then(|| mount.join(below))
    })
}

fn path(bytes: Vec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(bytes).into()
}

/// Blanks and the like stand in mountinfo as a backslash and three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..3)
            .and_then(|three| std::str::from_utf8(three).ok());
        let code = digits.and_then(|three| u8::from_str_radix(three, 8).ok());
        match code.filter(|_| *first == b'\\') {
            Some(code) => {
                out.push(code);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &[u8] = b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_group_is_found_beside_those_of_version_1() {
        let groups = b"8:pids:/\n4:memory:/other\n0::/user.slice/session 1.scope\n";
        assert_eq!(
            own_directory(HYBRID, groups).unwrap(),
            Path::new("/sys/fs/cgroup/unified/user.slice/session 1.scope")
        );
        assert_eq!(own_directory(HYBRID, b"8:pids:/\n"), None);
        assert_eq!(own_directory(b"", groups), None);
    }

    #[test]
    fn a_mount_that_shows_a_part_shows_that_part() {
        let mounts = b"41 31 0:38 /docker/abc /sys/fs/c\\040group rw - cgroup2 cgroup rw\n";
        assert_eq!(
            own_directory(mounts, b"0::/docker/abc/run\n").unwrap(),
            Path::new("/sys/fs/c group/run")
        );
        assert_eq!(own_directory(mounts, b"0::/elsewhere\n"), None);
        assert_eq!(own_directory(mounts, b"0::/docker/abc/../x\n"), None);
    }
}
