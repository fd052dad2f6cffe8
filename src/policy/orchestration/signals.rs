//! The signals of a policy document: the built-in ones by name, others with file, place and type.

use super::shape::{self, Direction, Format};
use super::{Draft, Ladder};
use crate::diagnostic::{Code, suggestion};
use crate::ids::SignalName;
use crate::policy::Level;
use crate::policy::outline::Part;
use crate::policy::rules::{Floor, SignalRule};
use crate::policy::source::Spot;
use crate::policy::source::collect::Field;
use crate::signals::declared::{Declared, Kind, Source};
use crate::signals::{Readings, Word};

/// A signal that triggers may look at.
pub(super) struct Known {
    pub(super) rule: SignalRule,
    pub(super) sort: Sort,
    pub(super) direction: Option<Direction>,
}

/// What a signal's value is, the built-in ones included.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sort {
    /// The trust guard's lock.
    Flag,
    /// The forecast.
    Risk,
    /// As a document can declare it.
    Of(Kind),
}

impl Sort {
    pub(super) fn built_in(name: &SignalName) -> Self {
        match name.as_str() {
            "trust" => Self::Flag,
            "forecast" => Self::Risk,
            "responses" => Self::Of(Kind::Count),
            _ => Self::Of(Kind::Percent),
        }
    }

    /// The least and the most that a number of it can be.
    pub(super) fn range(&self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Of(Kind::Percent) => (Some(0.0), Some(100.0)),
            Self::Of(Kind::Number { min, max, .. }) => (*min, *max),
            _ => (Some(0.0), None),
        }
    }

    /// The word that a document uses for it.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Self::Flag => "a lock",
            Self::Risk => "a risk",
            Self::Of(Kind::Percent) => "a percentage",
            Self::Of(Kind::Number { .. }) => "a number",
            Self::Of(Kind::Boolean) => "true or false",
            Self::Of(Kind::Choice(_)) => "a choice",
            Self::Of(Kind::Count | Kind::CountInWindow(_)) => "a count",
            Self::Of(Kind::Age) => "an age",
        }
    }
}

/// How many signals a document may have.
const MOST: usize = 100;

/// Keys that only a signal beyond the built-in ones can have.
const OF_FILES: &str = "a built-in signal brings its own file and type";

impl Draft<'_> {
    pub(super) fn signals(
        &mut self,
        spec: &shape::Spec,
        here: Spot,
        ladder: Ladder<'_>,
    ) -> Vec<Known> {
        let mut known: Vec<Known> = Vec::new();
        let Some(list) = self.required(&spec.signals, "signals", here) else {
            return known;
        };
        if list.is_empty() || list.len() > MOST {
            self.refuse(
                &spec.signals,
                Code::ValueRange,
                "this is no usable list of signals",
                |finding| {
                    finding
                        .found(format!("{} signals", list.len()))
                        .expected(format!("1 to {MOST}"))
                        .help("list those that count; without one nothing could ever be unhealthy")
                },
            );
        }
        for field in list.iter().take(MOST) {
            let Some(signal) = field.get() else { continue };
            let Some(found) = self.signal(signal, field.spot, ladder) else {
                continue;
            };
            if known.iter().any(|other| other.rule.name == found.rule.name) {
                self.refuse(
                    &signal.name,
                    Code::NameDuplicate,
                    "this signal is listed twice",
                    |finding| {
                        finding
                            .found(format!("`{}`", found.rule.name))
                            .expected("every signal once")
                            .help("remove one of the two, or give it another name")
                    },
                );
                continue;
            }
            self.mark_signal(&found.rule.name, field, signal);
            known.push(found);
        }
        known
    }

    fn mark_signal(
        &mut self,
        name: &SignalName,
        field: &Field<shape::Signal>,
        signal: &shape::Signal,
    ) {
        self.mark(Part::Signal(name.clone()), field);
        let keys = [
            ("max_age", &signal.max_age),
            ("on_missing", &signal.on_missing),
            ("on_stale", &signal.on_stale),
        ];
        for (key, value) in keys {
            self.mark(Part::SignalKey(name.clone(), key), value);
        }
    }

    fn signal(&mut self, signal: &shape::Signal, here: Spot, ladder: Ladder<'_>) -> Option<Known> {
        let name = self.required(&signal.name, "name", here)?;
        let Some(name) = SignalName::parse(name) else {
            self.refuse(
                &signal.name,
                Code::ValueUnknown,
                "this is no name of a signal",
                |finding| {
                    finding
                        .found(format!("`{name}`"))
                        .expected("lower-case letters, digits and `_`, at most 64")
                        .help("choose such a name")
                },
            );
            return None;
        };
        self.prose(&signal.description);
        let is_built_in = Readings::BUILT_IN.contains(&name);
        let declared = if is_built_in {
            self.refuse_file_keys(signal);
            None
        } else {
            Some(self.declared(&name, signal, here)?)
        };
        let sort = declared.as_ref().map_or_else(
            || Sort::built_in(&name),
            |declared| Sort::Of(declared.kind.clone()),
        );
        let direction = match name.as_str() {
            "integrity" | "consensus" | "reputation" => Some(Direction::HigherIsBetter),
            "responses" => Some(Direction::LowerIsBetter),
            _ => self.direction(signal, &sort),
        };
        let usual = SignalRule::usual(name, declared);
        let rule = SignalRule {
            max_age: self.duration(&signal.max_age),
            on_missing: self
                .floor(&signal.on_missing, ladder)
                .unwrap_or(usual.on_missing),
            on_stale: self
                .floor(&signal.on_stale, ladder)
                .unwrap_or(usual.on_stale),
            on_invalid: self
                .on_invalid(&signal.on_invalid, is_built_in, ladder)
                .unwrap_or(usual.on_invalid),
            name: usual.name,
            declared: usual.declared,
        };
        if signal.on_stale.is_there() && signal.max_age.is_absent() {
            self.refuse(
                &signal.on_stale,
                Code::PolicyContradiction,
                "nothing ever makes this signal stale",
                |finding| {
                    finding
                        .found("`on_stale` without `max_age`")
                        .expected("both, or neither")
                        .help("add `max_age: 26h`, say")
                },
            );
        }
        Some(Known {
            rule,
            sort,
            direction,
        })
    }

    fn refuse_file_keys(&mut self, signal: &shape::Signal) {
        let keys: [There<'_>; 11] = [
            there("file", &signal.file),
            there("format", &signal.format),
            there("pointer", &signal.pointer),
            there("column", &signal.column),
            there("type", &signal.kind),
            there("unit", &signal.unit),
            there("min", &signal.min),
            there("max", &signal.max),
            there("values", &signal.values),
            there("window", &signal.window),
            there("time", &signal.time),
        ];
        for (key, _, spot, path) in keys.into_iter().filter(|(_, there, ..)| *there) {
            self.refuse_key(key, spot, path, OF_FILES);
        }
        if signal.direction.is_there() {
            let Field { spot, path, .. } = &signal.direction;
            self.refuse_key("direction", *spot, path, OF_FILES);
        }
    }

    fn refuse_key(&mut self, key: &str, spot: Spot, path: &str, why: &str) {
        let message = format!("the key `{key}` means nothing here");
        self.problems
            .add(spot, path, Code::KeyUnknown, message, |finding| {
                finding
                    .found(format!("`{key}`"))
                    .expected(why)
                    .help("remove the key")
            });
    }

    fn declared(
        &mut self,
        name: &SignalName,
        signal: &shape::Signal,
        here: Spot,
    ) -> Option<Declared> {
        let file = self.required(&signal.file, "file", here).cloned();
        let kind = self.required(&signal.kind, "type", here).copied();
        let file = self.file_name(&signal.file, file?)?;
        let kind = kind?;
        let format = self.format(signal, &file, kind);
        self.refuse_foreign_keys(signal, kind);
        let value = self.kind(signal, kind, here)?;
        let (source, time) = self.source(signal, &value, format, here)?;
        Some(Declared {
            name: name.clone(),
            file,
            source,
            kind: value,
            time,
        })
    }

    fn file_name(&mut self, field: &Field<String>, file: String) -> Option<String> {
        let inside = !file.is_empty()
            && !file.starts_with('/')
            && !file.contains(['\\', '\0'])
            && file
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..");
        if !inside || file.len() > 300 || file.chars().any(char::is_control) {
            self.refuse(
                field,
                Code::ValueRange,
                "this file can't be read",
                |finding| {
                    finding
                        .found(format!("`{file}`"))
                        .expected("a path inside the workspace, `/` between its parts")
                        .help("write it relative to the workspace, without `..`")
                },
            );
            return None;
        }
        if is_our_own(&file) {
            self.refuse(
                field,
                Code::ValueRange,
                "a signal can't be what this program itself writes: a decision would follow from those before it",
                |finding| {
                    finding
                        .found(format!("`{file}`"))
                        .expected("a file that others write")
                        .help(if file.ends_with("/trust_lock_state.json") {
                            "list the built-in signal `trust`, which reads it"
                        } else {
                            "let whoever measures it write a file elsewhere, under `exports/` say"
                        })
                },
            );
            return None;
        }
        Some(file)
    }

    /// The form of the file, where the document or the extension tells.
    fn format(&mut self, signal: &shape::Signal, file: &str, kind: shape::Kind) -> Option<Format> {
        if signal.format.is_there() {
            return signal.format.get().copied();
        }
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Format::Json),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "csv" => Some(Format::Csv),
            // The age of a file as a whole needs no form.
            _ if kind == shape::Kind::Age && signal.time.is_absent() => None,
            _ => {
                self.refuse(
                    &signal.file,
                    Code::ValueUnknown,
                    "nobody knows the form of this file",
                    |finding| {
                        finding
                            .found(format!("the extension `{extension}`"))
                            .expected("json, jsonl, ndjson or csv")
                            .help("add `format: json`, say")
                    },
                );
                None
            }
        }
    }

    fn refuse_foreign_keys(&mut self, signal: &shape::Signal, kind: shape::Kind) {
        use shape::Kind as Of;
        let keys: [(There<'_>, bool, &str); 5] = [
            (
                there("unit", &signal.unit),
                kind == Of::Number,
                "only a number has a unit",
            ),
            (
                there("min", &signal.min),
                kind == Of::Number,
                "only a number has a range of its own",
            ),
            (
                there("max", &signal.max),
                kind == Of::Number,
                "only a number has a range of its own",
            ),
            (
                there("values", &signal.values),
                kind == Of::Choice,
                "only a choice has words",
            ),
            (
                there("window", &signal.window),
                kind == Of::Count,
                "only a count has a window",
            ),
        ];
        for ((key, is_there, spot, path), fits, why) in keys {
            if is_there && !fits {
                self.refuse_key(key, spot, path, why);
            }
        }
    }

    fn kind(&mut self, signal: &shape::Signal, kind: shape::Kind, here: Spot) -> Option<Kind> {
        match kind {
            shape::Kind::Percent => Some(Kind::Percent),
            shape::Kind::Boolean => Some(Kind::Boolean),
            shape::Kind::Age => Some(Kind::Age),
            shape::Kind::Number => self.number(signal),
            shape::Kind::Choice => self.choice(signal, here),
            shape::Kind::Count if signal.window.is_absent() => Some(Kind::Count),
            shape::Kind::Count => self.duration(&signal.window).map(Kind::CountInWindow),
        }
    }

    fn number(&mut self, signal: &shape::Signal) -> Option<Kind> {
        let unit = if signal.unit.is_there() {
            self.text(&signal.unit)?
        } else {
            String::new()
        };
        let (min, max) = (signal.min.get().copied(), signal.max.get().copied());
        if let (Some(min), Some(max)) = (min, max)
            && min >= max
        {
            self.refuse(
                &signal.max,
                Code::PolicyContradiction,
                "no number lies in this range",
                |finding| {
                    finding
                        .found(format!("min {min} and max {max}"))
                        .expected("min below max")
                        .help("exchange the two")
                },
            );
            return None;
        }
        Some(Kind::Number { unit, min, max })
    }

    fn choice(&mut self, signal: &shape::Signal, here: Spot) -> Option<Kind> {
        let fields = self.required(&signal.values, "values", here)?;
        let mut words: Vec<Word> = Vec::new();
        let mut is_whole = true;
        for field in fields {
            let Some(text) = field.get() else {
                is_whole = false;
                continue;
            };
            let word = Word::parse(text).filter(|word| !words.contains(word));
            if let Some(word) = word {
                words.push(word);
                continue;
            }
            is_whole = false;
            self.refuse(
                field,
                Code::ValueUnknown,
                "this is no word of a choice",
                |finding| {
                    finding
                        .found(format!("`{text}`"))
                        .expected("1 to 32 letters, digits, `_`, `-` or `.`, every word once")
                        .help("write the words as the file has them")
                },
            );
        }
        if is_whole && words.len() < 2 {
            self.refuse(
                &signal.values,
                Code::ValueRange,
                "this is no choice",
                |finding| {
                    finding
                        .found(format!("{} words", words.len()))
                        .expected("at least two")
                        .help("list every word that the file can say")
                },
            );
            return None;
        }
        is_whole.then_some(Kind::Choice(words))
    }

    /// Where the value stands, and where its time does.
    fn source(
        &mut self,
        signal: &shape::Signal,
        kind: &Kind,
        format: Option<Format>,
        here: Spot,
    ) -> Option<(Source, Option<String>)> {
        let time = signal.time.get().cloned();
        if matches!(kind, Kind::CountInWindow(_)) {
            self.no_place(signal, "a count in a window counts entries");
            let time = self.required(&signal.time, "time", here)?.clone();
            if format != Some(Format::Jsonl) {
                self.refuse(
                    &signal.window,
                    Code::PolicyContradiction,
                    "only the lines of a JSONL file can be counted in a window",
                    |finding| {
                        finding
                            .found("a file of another form")
                            .expected("format jsonl")
                            .help("name a JSONL file, or remove `window`")
                    },
                );
                return None;
            }
            self.check_pointer(&signal.time, &time)?;
            return Some((Source::File, Some(time)));
        }
        if *kind == Kind::Age {
            self.no_place(
                signal,
                "an age is taken from `time`, or from the file itself",
            );
            let Some(time) = time else {
                return Some((Source::File, None));
            };
            let source = self.at(format?, &signal.time, time)?;
            return Some((source, None));
        }
        let (key, field, other_key, other) = match format? {
            Format::Csv => ("column", &signal.column, "pointer", &signal.pointer),
            Format::Json | Format::Jsonl => ("pointer", &signal.pointer, "column", &signal.column),
        };
        if other.is_there() {
            self.refuse_key(
                other_key,
                other.spot,
                &other.path,
                "a pointer leads into JSON, a column into CSV",
            );
        }
        let place = self.required(field, key, here)?.clone();
        if let (Some(time), false) = (&time, format == Some(Format::Csv)) {
            self.check_pointer(&signal.time, time)?;
        }
        Some((self.at(format?, field, place)?, time))
    }

    fn no_place(&mut self, signal: &shape::Signal, why: &str) {
        for (key, field) in [("pointer", &signal.pointer), ("column", &signal.column)] {
            if field.is_there() {
                self.refuse_key(key, field.spot, &field.path, why);
            }
        }
    }

    fn at(&mut self, format: Format, field: &Field<String>, place: String) -> Option<Source> {
        match format {
            Format::Csv => Some(Source::Csv(place)),
            Format::Json => {
                self.check_pointer(field, &place)?;
                Some(Source::Json(place))
            }
            Format::Jsonl => {
                self.check_pointer(field, &place)?;
                Some(Source::Jsonl(place))
            }
        }
    }

    /// A JSON pointer is empty or begins with `/`, and `~` stands for itself as `~0` (RFC 6901).
    fn check_pointer(&mut self, field: &Field<String>, pointer: &str) -> Option<()> {
        let escaped = pointer
            .split('~')
            .skip(1)
            .all(|rest| rest.starts_with(['0', '1']));
        if escaped && (pointer.is_empty() || pointer.starts_with('/')) {
            return Some(());
        }
        self.refuse(field, Code::ValueRange, "this is no JSON pointer", |finding| {
            finding
                .found(format!("`{pointer}`"))
                .expected("`/` before every key (RFC 6901): /total/percent, with `~1` for a `/` in a key")
                .help(if pointer.starts_with('/') {
                    "write a `~` within a key as `~0`".to_owned()
                } else {
                    format!("write `/{}`", pointer.trim_start_matches("$.").replace('.', "/"))
                })
        });
        None
    }

    fn direction(&mut self, signal: &shape::Signal, sort: &Sort) -> Option<Direction> {
        let direction = signal.direction.get().copied()?;
        let has_order = !matches!(
            sort,
            Sort::Flag | Sort::Risk | Sort::Of(Kind::Boolean | Kind::Choice(_))
        );
        if !has_order {
            let Field { spot, path, .. } = &signal.direction;
            self.refuse_key(
                "direction",
                *spot,
                path,
                "only what can be compared has a better side",
            );
            return None;
        }
        Some(direction)
    }

    fn floor(&mut self, field: &Field<String>, ladder: Ladder<'_>) -> Option<Floor> {
        let name = field.get()?;
        if name == "assume_healthy" {
            return Some(Floor::AssumeHealthy);
        }
        if ladder.find(name).is_none() {
            self.refuse(field, Code::ValueUnknown, "this is no level", |finding| {
                let mut names = ladder.names();
                names.push("assume_healthy");
                finding
                    .found(format!("`{name}`"))
                    .expected(format!("one of {}", names.join(", ")))
                    .help(
                        suggestion(name, names.iter().copied())
                            .unwrap_or_else(|| "write one of these".to_owned()),
                    )
            });
            return None;
        }
        let level = self.level(field, ladder)?;
        if level == Level::GREEN {
            return Some(Floor::AssumeHealthy);
        }
        Some(Floor::Demands(level))
    }

    fn on_invalid(
        &mut self,
        field: &Field<String>,
        is_built_in: bool,
        ladder: Ladder<'_>,
    ) -> Option<Level> {
        let level = self.level(field, ladder)?;
        if level == Level::GREEN || is_built_in && level != Level::RED {
            self.refuse(
                field,
                Code::ValueRange,
                "what can't be read is never healthy",
                |finding| {
                    let least = if is_built_in {
                        "RED"
                    } else {
                        "YELLOW or graver"
                    };
                    finding
                        .found(format!("`{level}`"))
                        .expected(least)
                        .help("remove the key: RED is demanded without it")
                },
            );
            return None;
        }
        Some(level)
    }
}

/// True for a file of the record, and for what is made of decisions. A file system may not tell
/// `State` from `state`, so neither does this.
fn is_our_own(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    lower.split('/').next() == Some("state")
        || lower.starts_with("reports/policy_")
        || lower == "logs/policy_orchestration_alerts.jsonl"
        || lower == "audit_summary.md"
}

/// A key, whether it is there, where, and its path.
type There<'f> = (&'f str, bool, Spot, &'f str);

fn there<'f, T>(key: &'f str, field: &'f Field<T>) -> There<'f> {
    (key, field.is_there(), field.spot, &field.path)
}
