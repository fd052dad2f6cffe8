//! Who gives a command, for records: what the environment says, which is a claim, not a proof.

use super::output::variable;

/// A name longer than this is cut.
const LENGTH: usize = 100;

/// The user of this command: the account that started a workflow, the one behind `sudo`, the one
/// logged in, else the number of the process's user.
pub(super) fn actor() -> String {
    let named = ["GITHUB_ACTOR", "SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .filter_map(variable)
        .map(|name| plain(&name))
        .find(|name| !name.is_empty());
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn plain(name: &str) -> String {
    let visible = name
        .trim()
        .chars()
        .filter(|character| !character.is_control());
    visible.take(LENGTH).collect()
}
