//! The large form of a policy document: `policy/policy.yaml`, `kind: OrchestrationPolicy`.
//!
//! From the shape to a [`Policy`], with every problem of the document at once. The parts are
//! checked beside this file: signals, triggers, and what is left out for a while. What is merely
//! unwise is not refused here; `policy check` points at it.

mod conditions;
mod exceptions;
mod looking_back;
mod shape;
mod signals;
mod triggers;
mod values;

pub(super) use values::of_signal;

use super::catalogue::API_VERSION;
use super::outline::{Outline, Part};
use super::responses::{self, Section};
use super::source::collect::{self, Field, List};
use super::source::problems::Problems;
use super::source::{self, Lines, Spot};
use super::{Identity, Level, Parts, Policy};
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::Digest;

/// What `kind` says.
pub(super) const KIND: &str = "OrchestrationPolicy";

/// The longest name, version, reason: they stand in state files and messages.
const TEXT_LENGTH: usize = 100;

/// The longest description.
const PROSE_LENGTH: usize = 1_000;

/// Parses and checks a document. `file` is named in the findings.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<(Policy, Outline), Vec<Diagnostic>> {
    let text = source::text(file, bytes).map_err(|error| vec![*error])?;
    let root = match source::parse_text(file, text) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(vec![empty(file)]),
        Err(error) => return Err(vec![*error]),
    };
    let mut problems = Vec::new();
    let document: Field<shape::Document> = collect::read(file, &root, &mut problems);
    let mut draft = Draft {
        file,
        lines: Lines::of(text),
        problems: Problems::new(file, problems),
        outline: Outline::of(file),
    };
    let parts = document
        .get()
        .and_then(|document| draft.parts(document, root.spot, bytes));
    match parts {
        Some(parts) if draft.problems.is_empty() => Ok((Policy::from_parts(parts), draft.outline)),
        _ => Err(draft.problems.in_order()),
    }
}

fn empty(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::KeyMissing,
        Spot::START.place(file, "$"),
        "the policy document is empty",
    )
    .found("nothing")
    .expected("a document of the kind OrchestrationPolicy")
    .help("write one with `policy-orchestrator policy init`, or remove the file to use the reference policy")
}

/// A document on its way to a policy, with everything that is wrong so far.
struct Draft<'a> {
    file: &'a str,
    lines: Lines<'a>,
    problems: Problems<'a>,
    outline: Outline,
}

impl Draft<'_> {
    fn parts(&mut self, document: &shape::Document, here: Spot, bytes: &[u8]) -> Option<Parts> {
        self.problems
            .constant(&document.api_version, "apiVersion", API_VERSION, here);
        self.problems.constant(&document.kind, "kind", KIND, here);
        let identity = self.identity(&document.metadata, here, bytes);
        let spec = self.required(&document.spec, "spec", here)?;
        let spot = document.spec.spot;
        let between = self.levels(&spec.levels);
        let ladder = Ladder(&between);
        let rules = self.signals(spec, spot, ladder);
        let triggers = self.triggers(spec, spot, ladder, &rules);
        let waivers = self.waivers(&spec.waivers, spec, &triggers);
        self.mark_lists(document, spec);
        Some(Parts {
            identity,
            document: bytes.to_vec(),
            signals: rules.into_iter().map(|known| known.rule).collect(),
            hysteresis: self.hysteresis(&spec.hysteresis),
            freeze: self.windows(&spec.freeze),
            responses: self.responses(&spec.responses, ladder),
            between,
            triggers,
            waivers,
        })
    }

    fn mark_lists(&mut self, document: &shape::Document, spec: &shape::Spec) {
        self.mark(Part::Metadata, &document.metadata);
        if let Some(metadata) = document.metadata.get() {
            self.mark(Part::MetadataKey("description"), &metadata.description);
            self.mark(Part::MetadataKey("owner"), &metadata.owner);
        }
        self.mark(Part::Signals, &spec.signals);
        self.mark(Part::Triggers, &spec.triggers);
        self.mark(Part::Hysteresis, &spec.hysteresis);
        for level in spec.levels.get().into_iter().flatten() {
            if let Some(name) = level.get() {
                self.mark(Part::Level(name.clone()), level);
            }
        }
    }

    /// Notes where a part stands, where it does.
    fn mark<T>(&mut self, part: Part, field: &Field<T>) {
        if field.is_there() {
            self.outline.mark(part, field.spot, &field.path);
        }
    }

    fn identity(
        &mut self,
        metadata: &Field<shape::Metadata>,
        here: Spot,
        bytes: &[u8],
    ) -> Identity {
        let nothing = shape::Metadata::default();
        let found = self
            .required(metadata, "metadata", here)
            .unwrap_or(&nothing);
        self.prose(&found.description);
        self.text(&found.owner);
        let (name, version) = if metadata.get().is_some() {
            (
                self.required_text(&found.name, "name", metadata.spot),
                self.required_text(&found.version, "version", metadata.spot),
            )
        } else {
            (None, None)
        };
        Identity {
            name: name.unwrap_or_default(),
            version: version.unwrap_or_default(),
            sha256: Digest::of(bytes),
        }
    }

    fn levels(&mut self, names: &List<String>) -> Vec<Level> {
        let mut taken: Vec<&str> = Vec::new();
        for field in names.get().into_iter().flatten() {
            let Some(name) = field.get() else { continue };
            if Level::built_in(name).is_some() || taken.contains(&name.as_str()) {
                self.refuse(
                    field,
                    Code::NameDuplicate,
                    "this level is there already",
                    |finding| {
                        finding
                            .found(format!("`{name}`"))
                            .expected(
                                "a name that is neither GREEN, YELLOW, RED nor in the list before",
                            )
                            .help("remove it: GREEN, YELLOW and RED are always there")
                    },
                );
            } else if Level::parse(name).is_none() {
                self.refuse(
                    field,
                    Code::ValueUnknown,
                    "this is no name of a level",
                    |finding| {
                        finding
                            .found(format!("`{name}`"))
                            .expected("upper-case letters, digits and `_`, at most 32")
                            .help(level_name(name))
                    },
                );
            } else if taken.len() == Level::MOST_BETWEEN {
                self.refuse(
                    field,
                    Code::ValueRange,
                    "there are too many levels",
                    |finding| {
                        finding
                            .found(format!("more than {}", Level::MOST_BETWEEN))
                            .expected(format!(
                                "at most {} between YELLOW and RED",
                                Level::MOST_BETWEEN
                            ))
                            .help("remove those that nobody acts on")
                    },
                );
            } else {
                taken.push(name);
            }
        }
        Level::between(&taken).unwrap_or_default()
    }

    fn responses(
        &mut self,
        field: &Field<responses::Shape>,
        ladder: Ladder<'_>,
    ) -> Option<Section> {
        field.get()?;
        let section = Section::new(self.file, field.clone(), ladder.levels());
        self.problems.extend(section.problems());
        Some(section)
    }

    /// Writes down a problem with the value of a field.
    fn refuse<T>(
        &mut self,
        field: &Field<T>,
        code: Code,
        message: impl Into<String>,
        say: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.problems.refuse(field, code, message, say);
    }

    /// The value of a field that has to be there. `here` is where its object stands.
    fn required<'f, T>(&mut self, field: &'f Field<T>, key: &str, here: Spot) -> Option<&'f T> {
        self.problems.required(field, key, here)
    }

    fn required_text(&mut self, field: &Field<String>, key: &str, here: Spot) -> Option<String> {
        self.required(field, key, here)?;
        self.text(field)
    }

    /// A text that may stand in a state file and a message.
    fn text(&mut self, field: &Field<String>) -> Option<String> {
        let text = field.get()?.trim();
        let length = text.chars().count();
        if length == 0 || length > TEXT_LENGTH || text.chars().any(char::is_control) {
            self.refuse(
                field,
                Code::ValueRange,
                "this text can't be used",
                |finding| {
                    finding
                        .found(format!("{length} characters"))
                        .expected(format!(
                            "1 to {TEXT_LENGTH} printable characters on one line"
                        ))
                        .help(if length == 0 {
                            "write a text"
                        } else {
                            "shorten it, on one line"
                        })
                },
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// A description: nobody but the readers of the document sees it.
    fn prose(&mut self, field: &Field<String>) {
        let Some(text) = field.get() else { return };
        let length = text.trim().chars().count();
        if length == 0 || length > PROSE_LENGTH {
            self.refuse(
                field,
                Code::ValueRange,
                "this text can't be used",
                |finding| {
                    finding
                        .found(format!("{length} characters"))
                        .expected(format!("1 to {PROSE_LENGTH} characters"))
                        .help(if length == 0 {
                            "remove the key, or say it"
                        } else {
                            "shorten it"
                        })
                },
            );
        }
    }

    fn level(&mut self, field: &Field<String>, ladder: Ladder<'_>) -> Option<Level> {
        let name = field.get()?;
        let level = ladder.find(name);
        if level.is_none() {
            self.problems.unknown(
                field,
                Code::ValueUnknown,
                "this level is not declared",
                (name, &ladder.names()),
                "write one of these, or declare the level under `levels`",
            );
        }
        level
    }

    fn duration(&mut self, field: &Field<String>) -> Option<chrono::TimeDelta> {
        let text = field.get()?;
        let duration = super::duration::parse(text);
        if duration.is_none() {
            self.refuse(field, Code::ValueType, "this is no duration", |finding| {
                finding
                    .found(format!("`{text}`"))
                    .expected(super::duration::EXPECTED)
                    .help("write the number and its unit without a blank")
            });
        }
        duration
    }
}

/// What to call a level that can't be called `name`.
fn level_name(name: &str) -> String {
    let upper = name.to_uppercase().replace(['-', ' '], "_");
    match Level::parse(&upper) {
        Some(_) if upper != name => format!("write `{upper}`"),
        _ => "choose another name, ORANGE say".to_owned(),
    }
}

/// The items of a list that are of the right shape.
fn items<T>(list: &List<T>) -> impl Iterator<Item = &T> {
    list.get().into_iter().flatten().filter_map(Field::get)
}

/// What is expected where one of some names belongs; `otherwise` where there is none.
fn one_of(names: &[&str], otherwise: &str) -> String {
    /// More names than this are no help on one line.
    const SHOWN: usize = 12;
    match names {
        [] => otherwise.to_owned(),
        [name] => format!("`{name}`"),
        _ if names.len() > SHOWN => {
            let shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
            format!(
                "one of {} and {} more",
                shown.join(", "),
                names.len() - SHOWN
            )
        }
        _ => format!("one of {}", names.join(", ")),
    }
}

/// The levels of a document: the three, and those between.
#[derive(Clone, Copy)]
struct Ladder<'a>(&'a [Level]);

impl<'a> Ladder<'a> {
    fn find(self, name: &str) -> Option<Level> {
        let declared = self.0.iter().find(|level| level.name() == name);
        declared.cloned().or_else(|| Level::built_in(name))
    }

    fn names(self) -> Vec<&'a str> {
        let between = self.0.iter().map(Level::name);
        ["GREEN", "YELLOW"]
            .into_iter()
            .chain(between)
            .chain(["RED"])
            .collect()
    }

    /// All of them, lowest first.
    fn levels(self) -> Vec<Level> {
        let between = self.0.iter().cloned();
        [Level::GREEN, Level::YELLOW]
            .into_iter()
            .chain(between)
            .chain([Level::RED])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema's copy for editors, beside the documents.
    const SCHEMA_FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/policy/schema/orchestration-policy.v1.schema.json"
    );

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "scripts/regenerate writes the copy through this test"
    )]
    fn the_schema_is_the_one_that_the_types_give() {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let schema = settings
            .into_generator()
            .into_root_schema_for::<shape::Document>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("POLICY_REGENERATE").is_some() {
            std::fs::write(SCHEMA_FILE, &text).unwrap();
        }
        let committed = std::fs::read_to_string(SCHEMA_FILE).unwrap();
        assert!(committed == text, "run scripts/regenerate");
    }
}
