//! What a policy document leaves out for a while: waivers, and how long a level stays.

use super::shape;
use super::{Draft, items, one_of};
use crate::diagnostic::{Code, suggestion};
use crate::ids::ReasonCode;
use crate::policy::Trigger;
use crate::policy::freeze::{self, Calendar, Mode, Window};
use crate::policy::outline::Part;
use crate::policy::rules::{Hysteresis, Waiver};
use crate::policy::source::collect::{Field, List};
use crate::time::{ReadTime, Timestamp};

/// How many waivers a document may have.
const MOST: usize = 100;

/// The longest time from the grant of a waiver to its end: a year, and a leap year.
const LONGEST: chrono::TimeDelta = chrono::TimeDelta::days(366);

const NO_END: &str =
    "a waiver without an end would be a change of the policy: make that change instead";
const NO_GRANT: &str = "write the day on which it was granted, or remove the key";

impl Draft<'_> {
    pub(super) fn waivers(
        &mut self,
        list: &List<shape::Waiver>,
        spec: &shape::Spec,
        triggers: &[Trigger],
    ) -> Vec<Waiver> {
        let fields = list.get().map(Vec::as_slice).unwrap_or_default();
        if fields.len() > MOST {
            self.refuse(
                list,
                Code::ValueRange,
                "there are too many waivers",
                |finding| {
                    finding
                        .found(format!("{} waivers", fields.len()))
                        .expected(format!("at most {MOST}"))
                        .help("remove those that have expired, or the triggers themselves")
                },
            );
        }
        let mut waivers: Vec<Waiver> = Vec::new();
        for field in fields.iter().take(MOST) {
            let Some(waiver) = field.get() else { continue };
            let trigger = self.waived(waiver, field, spec, triggers);
            let reason = self.required_text(&waiver.reason, "reason", field.spot);
            let by = self.required_text(&waiver.by, "by", field.spot);
            let ticket = self.required_text(&waiver.ticket, "ticket", field.spot);
            let expires = self.expiry(waiver, field);
            let (Some(trigger), Some(reason), Some(by), Some(ticket), Some(expires)) =
                (trigger, reason, by, ticket, expires)
            else {
                continue;
            };
            if waivers.iter().any(|other| other.trigger == trigger) {
                self.refuse(
                    &waiver.trigger,
                    Code::NameDuplicate,
                    "this trigger is waived twice",
                    |finding| {
                        finding
                            .found(format!("`{trigger}`"))
                            .expected("one waiver for a trigger")
                            .help("remove one of the two")
                    },
                );
                continue;
            }
            self.mark(Part::Waiver(trigger.clone()), field);
            self.mark(Part::Expiry(trigger.clone()), &waiver.expires);
            waivers.push(Waiver {
                trigger,
                reason,
                by,
                ticket,
                expires,
            });
        }
        waivers
    }

    fn waived(
        &mut self,
        waiver: &shape::Waiver,
        field: &Field<shape::Waiver>,
        spec: &shape::Spec,
        triggers: &[Trigger],
    ) -> Option<ReasonCode> {
        let text = self.required(&waiver.trigger, "trigger", field.spot)?;
        let known = triggers
            .iter()
            .find(|trigger| trigger.code.as_str() == text);
        // A trigger that is wrong itself was told of already.
        let stands_there = items(&spec.triggers)
            .filter_map(|trigger| trigger.code.get())
            .any(|code| code == text);
        if known.is_none() && !stands_there {
            self.refuse(&waiver.trigger, Code::ValueUnknown, "this waiver names no trigger", |finding| {
                let codes: Vec<&str> = triggers.iter().map(|trigger| trigger.code.as_str()).collect();
                finding
                    .found(format!("`{text}`"))
                    .expected(one_of(&codes, "the code of a trigger"))
                    .help(suggestion(text, codes.iter().copied()).unwrap_or_else(|| {
                        "remove the waiver; what a missing or unreadable signal demands is said at the signal".to_owned()
                    }))
            });
        }
        known.map(|trigger| trigger.code.clone())
    }

    /// The last moment at which a waiver counts, which is none too long after it was granted.
    fn expiry(
        &mut self,
        waiver: &shape::Waiver,
        field: &Field<shape::Waiver>,
    ) -> Option<Timestamp> {
        let granted = self.moment(&waiver.granted, "this is no time of a waiver", NO_GRANT);
        self.required(&waiver.expires, "expires", field.spot)?;
        let read = self.moment(&waiver.expires, "this is no end of a waiver", NO_END)?;
        let expires = if read.date_only {
            read.time.plus_seconds(86_399)
        } else {
            read.time
        };
        let Some(granted) = granted else {
            return Some(expires);
        };
        let message = if expires < granted.time {
            "this waiver ends before it was granted"
        } else if read.time.since(granted.time) > LONGEST {
            "this waiver has no end in sight"
        } else {
            return Some(expires);
        };
        self.refuse(
            &waiver.expires,
            Code::PolicyContradiction,
            message,
            |finding| {
                finding
                    .found(format!(
                        "granted {} and ending {}",
                        granted.time.human(),
                        expires.human()
                    ))
                    .expected(format!(
                        "an end at most {} days after the grant",
                        LONGEST.num_days()
                    ))
                    .help("choose an earlier end; what is waived for longer is a change of the policy: make that change instead")
            },
        );
        None
    }

    /// A time with its offset, or a day.
    fn moment(&mut self, field: &Field<String>, message: &str, help: &str) -> Option<ReadTime> {
        let text = field.get()?;
        let read = Timestamp::read(text).filter(|read| read.date_only || !read.naive);
        if read.is_none() {
            self.refuse(field, Code::ValueType, message, |finding| {
                finding
                    .found(format!("`{text}`"))
                    .expected("a time with its offset, 2026-12-31T18:00:00Z, or a day, 2026-12-31")
                    .help(help)
            });
        }
        read
    }

    pub(super) fn windows(&mut self, list: &List<shape::Window>) -> Calendar {
        let fields = list.get().map(Vec::as_slice).unwrap_or_default();
        if fields.len() > MOST {
            self.refuse(
                list,
                Code::ValueRange,
                "there are too many freeze windows",
                |finding| {
                    finding
                        .found(format!("{} windows", fields.len()))
                        .expected(format!("at most {MOST}"))
                        .help("write those that recur as one")
                },
            );
        }
        let mut windows: Vec<Window> = Vec::new();
        for field in fields.iter().take(MOST) {
            let Some(raw) = field.get() else { continue };
            let Some(window) = self.window(raw, field) else {
                continue;
            };
            if windows.iter().any(|other| other.name() == window.name()) {
                self.refuse(
                    &raw.name,
                    Code::NameDuplicate,
                    "two freeze windows have this name",
                    |finding| {
                        finding
                            .found(format!("`{}`", window.name()))
                            .expected("every name once: a blocked apply names the window")
                            .help("rename one of the two")
                    },
                );
                continue;
            }
            self.mark(Part::Window(window.name().to_owned()), field);
            windows.push(window);
        }
        Calendar::new(windows)
    }

    fn window(&mut self, raw: &shape::Window, field: &Field<shape::Window>) -> Option<Window> {
        let name = self.required(&raw.name, "name", field.spot);
        let reason = self.required(&raw.reason, "reason", field.spot);
        let cron = self.required(&raw.cron, "cron", field.spot);
        let duration = self.required(&raw.duration, "duration", field.spot);
        let zone = raw.timezone.get().map_or("UTC", String::as_str);
        let mode = match raw.mode.get() {
            Some(shape::Mode::Allow) => Mode::Allow,
            Some(shape::Mode::Deny) | None => Mode::Deny,
        };
        // What is missing was told of; something right stands in for it, so that all else is
        // looked at.
        let or = |text: Option<&String>, stand_in: &str| {
            text.map_or_else(|| stand_in.to_owned(), String::clone)
        };
        let parsed = Window::parse(
            &or(name, "name"),
            mode,
            &or(cron, "0 0 * * *"),
            &or(duration, "1h"),
            zone,
            &or(reason, "reason"),
        );
        let problems = match parsed {
            Ok(window) => {
                let is_whole = [name, reason, cron, duration].iter().all(Option::is_some);
                return is_whole.then_some(window);
            }
            Err(problems) => problems,
        };
        for problem in problems {
            let field = match problem.field {
                freeze::Field::Name => &raw.name,
                freeze::Field::Cron => &raw.cron,
                freeze::Field::Duration => &raw.duration,
                freeze::Field::Timezone => &raw.timezone,
                // The mode is a word of the shape.
                freeze::Field::Reason | freeze::Field::Mode => &raw.reason,
            };
            self.refuse(field, Code::ValueRange, problem.message, |finding| {
                finding
                    .found(problem.found)
                    .expected(problem.expected)
                    .help(problem.help)
            });
        }
        None
    }

    pub(super) fn hysteresis(&mut self, field: &Field<shape::Hysteresis>) -> Option<Hysteresis> {
        let found = field.get()?;
        match (found.evaluations.get(), found.time.get()) {
            (Some(number), None) => {
                let count = self.problems.whole(&found.evaluations, *number, 2, 1_000)?;
                u32::try_from(count).ok().map(Hysteresis::Evaluations)
            }
            (None, Some(_)) => self.duration(&found.time).map(Hysteresis::Time),
            (None, None) if found.evaluations.is_there() || found.time.is_there() => None,
            (both, _) => {
                let count = if both.is_some() { "both" } else { "neither" };
                self.refuse(
                    field,
                    Code::PolicyContradiction,
                    "when a level falls is not said",
                    |finding| {
                        finding
                            .found(count)
                            .expected("one of evaluations and time")
                            .help("add `evaluations: 3`, say, or remove `hysteresis`")
                    },
                );
                None
            }
        }
    }
}
