//! What an action may be called, run, get and change: from the shape to a [`Declared`], with every
//! problem at its place. A command is a list of words, never a line for a shell.

use std::ops::RangeInclusive;

use super::{Declared, TIMEOUT};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::responses::{Action, Section};
use crate::policy::source::collect::{Field, List};
use crate::response::actions;
use crate::response::pattern::Pattern;
use crate::signals::number;

/// A response has one line in its log, which has to hold the results of all actions.
const MOST: usize = 50;

/// How many bytes the texts of all actions may have: what the document beside a policy has at most.
/// The records repeat them, and aliases make much of little.
const ROOM: usize = 64 * 1024;

/// How long an action may be given, in seconds: up to a day.
const TIMES: RangeInclusive<u64> = 1..=86_400;

/// How long an action may be left out, in seconds: up to thirty days.
const COOLDOWNS: RangeInclusive<u64> = 0..=30 * 86_400;

/// The actions of a section. One that is wrong is left out, and a problem says so.
pub(super) fn actions(section: &Section, problems: &mut Vec<Diagnostic>) -> Vec<Declared> {
    let mut check = Check { section, problems };
    check.amount();
    let actions = section.actions();
    actions
        .filter_map(|(_, action)| check.action(action))
        .collect()
}

struct Check<'s, 'p> {
    section: &'s Section,
    problems: &'p mut Vec<Diagnostic>,
}

/// What is wrong with a value, what was expected, and what to do.
struct Wrong {
    message: &'static str,
    expected: String,
    help: &'static str,
}

fn wrong(message: &'static str, expected: impl Into<String>, help: &'static str) -> Wrong {
    Wrong {
        message,
        expected: expected.into(),
        help,
    }
}

impl Check<'_, '_> {
    fn amount(&mut self) {
        let Some(list) = self.section.shape.get().map(|shape| &shape.actions) else {
            return;
        };
        let count = list.get().map_or(0, Vec::len);
        if count > MOST {
            let wrong = wrong(
                "there are too many actions",
                format!("at most {MOST}"),
                "remove those that nobody needs, or let one program do the work of several",
            );
            self.refuse(list, wrong, &count.to_string());
        }
        let size: usize = self.section.actions().map(|(_, action)| size(action)).sum();
        if size > ROOM {
            let wrong = wrong(
                "the actions say more than the records have room for",
                format!("at most {ROOM} bytes in all of them"),
                "put long scripts into files, and name the files",
            );
            self.refuse(list, wrong, &format!("{size} bytes"));
        }
    }

    fn action(&mut self, raw: &Action) -> Option<Declared> {
        let name = self.name(&raw.name);
        let argv = self.argv(&raw.argv);
        let directory = self.directory(&raw.directory);
        let environment = self.each(&raw.environment, variable);
        let timeout_seconds = self.seconds(
            &raw.timeout_seconds,
            TIMEOUT,
            TIMES,
            "the time is out of range",
        );
        let changes = self.each(&raw.changes, pattern);
        let creates = self.each(&raw.creates, pattern);
        let cooldown_seconds = self.seconds(
            &raw.cooldown_seconds,
            0,
            COOLDOWNS,
            "the cooldown is out of range",
        );
        let reversible = self.reversible(raw);
        let level = raw.level.get().and_then(|name| self.section.level(name));
        Some(Declared {
            name: name?,
            level: level?.clone(),
            argv: argv?,
            directory: directory?,
            environment,
            timeout_seconds: timeout_seconds?,
            changes,
            creates,
            reversible,
            cooldown_seconds: cooldown_seconds?,
        })
    }

    fn refuse<T>(&mut self, field: &Field<T>, wrong: Wrong, found: &str) {
        let finding = self.section.finding(field, Code::ValueRange, wrong.message);
        let finding = finding.found(found).expected(wrong.expected);
        self.problems.push(finding.help(wrong.help));
    }

    fn name(&mut self, field: &Field<String>) -> Option<String> {
        let name = field.get()?;
        if is_name(name) && actions::Action::named(name).is_none() {
            return Some(name.clone());
        }
        let wrong = wrong(
            "this can't be an action's name",
            "1 to 64 of a-z, 0-9 and `_`, beginning with a letter, and no native action's name",
            "choose such a name",
        );
        self.refuse(field, wrong, &format!("`{name}`"));
        None
    }

    fn argv(&mut self, field: &List<String>) -> Option<Vec<String>> {
        let words: Vec<&str> = texts(field).map(|(_, word)| word).collect();
        let begins = words.first().is_some_and(|program| !program.is_empty());
        if field.get().is_some() && (!begins || words.iter().any(|word| word.contains('\0'))) {
            let wrong = wrong(
                "this is no command",
                "a program and its arguments, without NUL",
                "write the program and each of its arguments as an item of the list",
            );
            self.refuse(field, wrong, &format!("{words:?}"));
            return None;
        }
        Some(words.into_iter().map(str::to_owned).collect())
    }

    fn directory(&mut self, field: &Field<String>) -> Option<String> {
        let directory = field.get().map_or("", String::as_str);
        if !directory.is_empty() && Pattern::parse(&format!("{directory}/x")).is_err() {
            let wrong = wrong(
                "the action can't run there",
                "a directory inside the workspace, without `.`, `..`, `*`, `state` or `.git`",
                "name such a directory, or remove the key: then it runs in the workspace itself",
            );
            self.refuse(field, wrong, &format!("`{directory}`"));
            return None;
        }
        Some(directory.to_owned())
    }

    fn seconds(
        &mut self,
        field: &Field<f64>,
        usual: u64,
        range: RangeInclusive<u64>,
        message: &'static str,
    ) -> Option<u64> {
        let Some(written) = field.get() else {
            return Some(usual);
        };
        let seconds = number::whole(*written).filter(|seconds| range.contains(seconds));
        if seconds.is_none() {
            let (least, most) = (range.start(), range.end());
            let expected = format!("{least} to {most} whole seconds");
            let wrong = wrong(message, expected, "choose a time in that range");
            self.refuse(field, wrong, &written.to_string());
        }
        seconds
    }

    /// The items of a list as what they are to be.
    fn each<T>(&mut self, list: &List<String>, read: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let mut items = Vec::new();
        for (field, text) in texts(list) {
            match read(text) {
                Ok(item) => items.push(item),
                Err(wrong) => self.refuse(field, wrong, &format!("`{text}`")),
            }
        }
        items
    }

    fn reversible(&mut self, raw: &Action) -> bool {
        let reversible = raw.reversible.get() == Some(&true);
        let names_files = |list: &List<String>| match list.get() {
            Some(files) => !files.is_empty(),
            // One that is wrong was told of already.
            None => list.is_there(),
        };
        if reversible && !names_files(&raw.changes) && !names_files(&raw.creates) {
            let wrong = wrong(
                "an action that can be taken back has to name the files that it changes",
                "at least one file or pattern under `changes` or `creates`",
                "list under `changes` what an undo has to put back, or remove `reversible`",
            );
            self.refuse(&raw.reversible, wrong, "none");
        }
        reversible
    }
}

/// The texts of a list, each with its place.
fn texts(list: &List<String>) -> impl Iterator<Item = (&Field<String>, &str)> {
    let fields = list.get().into_iter().flatten();
    fields.filter_map(|field| field.get().map(|text| (field, text.as_str())))
}

fn size(action: &Action) -> usize {
    let lists = [
        &action.argv,
        &action.environment,
        &action.changes,
        &action.creates,
    ];
    let words = lists.into_iter().flat_map(texts).map(|(_, text)| text);
    let single = [&action.name, &action.directory];
    let single = single.into_iter().filter_map(Field::get);
    words.chain(single.map(String::as_str)).map(str::len).sum()
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    begins && name.len() <= 64 && name.bytes().all(plain)
}

fn variable(name: &str) -> Result<String, Wrong> {
    let keys = [
        "POLICY_AUDIT_SECRET",
        "POLICY_AUDIT_OLD_SECRET",
        "SCALPEL_AUDIT_SECRET",
    ];
    if keys.iter().any(|key| name.starts_with(key)) {
        return Err(wrong(
            "no action may have the key of the record",
            "another variable",
            "remove it: whoever has that key can write a record",
        ));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty() && name.len() <= 256 && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err(wrong(
        "this can't be a variable's name",
        "letters, digits and `_`",
        "write the variable's name alone, without its value",
    ))
}

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    let help = "name the files that the action itself changes or makes, and no others";
    Pattern::parse(text)
        .map_err(|expected| wrong("this names no files of the workspace", expected, help))
}
