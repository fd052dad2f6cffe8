//! Roles, actions, types and fields of the vocabulary, and the forms that its words have.

use crate::diagnostic::Code;
use crate::ids::SignalName;
use crate::labels::shape::{Asked, RawAction, RawFields, RawLabels, RawRole, RawType, Sees, Words};
use crate::labels::vocabulary::{Action, Fields, Labels, ResourceType, Role};
use crate::policy::source::Spot;
use crate::policy::source::collect::Field;
use crate::policy::source::problems::Problems;
use crate::request::Point;

/// Reads roles, actions, types and fields.
pub(super) fn read(raw: &RawLabels, here: Spot, labels: &mut Labels, problems: &mut Problems<'_>) {
    let mut seen = Vec::new();
    for one in problems
        .required(&raw.roles, "roles", here)
        .into_iter()
        .flatten()
    {
        let Some(fields) = one.get() else { continue };
        let role = role(fields, one.spot, problems);
        labels
            .roles
            .extend(role.filter(|role| unique(&role.name, &mut seen, &fields.name, problems)));
    }
    let mut seen = Vec::new();
    for one in problems
        .required(&raw.actions, "actions", here)
        .into_iter()
        .flatten()
    {
        let Some(fields) = one.get() else { continue };
        let action = action(fields, one.spot, problems);
        labels
            .actions
            .extend(action.filter(|one| unique(&one.name, &mut seen, &fields.name, problems)));
    }
    if let Some(fields) = problems.required(&raw.fields, "fields", here) {
        labels.fields = all_fields(fields, raw.fields.spot, problems);
    }
    let mut seen = Vec::new();
    let types = problems.required(&raw.resource_types, "resource_types", here);
    for one in types.into_iter().flatten() {
        let Some(fields) = one.get() else { continue };
        let kind = resource_type(fields, one.spot, &labels.fields, problems);
        labels
            .types
            .extend(kind.filter(|one| unique(&one.name, &mut seen, &fields.name, problems)));
    }
}

fn role(raw: &RawRole, here: Spot, problems: &mut Problems<'_>) -> Option<Role> {
    let word = name(&raw.name, "name", here, problems);
    let meaning = problems.line(&raw.meaning, "meaning", here);
    let sees = problems.required(&raw.sees, "sees", here).copied();
    Some(Role {
        name: word?.to_owned(),
        meaning: meaning?.to_owned(),
        sees: sees.unwrap_or(Sees::Generic),
    })
}

fn action(raw: &RawAction, here: Spot, problems: &mut Problems<'_>) -> Option<Action> {
    let word = name(&raw.name, "name", here, problems);
    let meaning = problems.line(&raw.meaning, "meaning", here);
    let known = Point::WORDS.map(|(word, _)| word);
    let listed = problems.required(&raw.points, "points", here).is_some();
    let points = among(&raw.points, &known, "there is no such point", problems);
    let evidence = problems.required(&raw.evidence, "evidence", here).copied();
    if listed && points.iter().any(|point| *point == "user_interface") {
        let message = "a user interface decides nothing, so it is no point to ask from";
        problems.refuse(&raw.points, Code::ValueUnknown, message, |finding| {
            finding
                .found("`user_interface`")
                .expected("points behind the interface")
                .help("remove it: an interface asks through the governed API")
        });
    }
    Some(Action {
        name: word?.to_owned(),
        meaning: meaning?.to_owned(),
        points: points
            .into_iter()
            .filter_map(|word| Point::parse(&word))
            .collect(),
        evidence: evidence.unwrap_or(Asked::Always),
        leaves: raw.leaves.get().copied().unwrap_or(false),
    })
}

fn all_fields(raw: &RawFields, here: Spot, problems: &mut Problems<'_>) -> Fields {
    let mut read = |field: &Words, key: &str| -> Vec<String> {
        problems.required(field, key, here);
        let mut seen = Vec::new();
        for one in field.get().into_iter().flatten() {
            let word = problems.line(one, key, here);
            if let Some(word) = word {
                unique(word, &mut seen, one, problems);
            }
        }
        seen
    };
    Fields {
        user: read(&raw.user, "user"),
        resource: read(&raw.resource, "resource"),
        context: read(&raw.context, "context"),
        evidence: read(&raw.evidence, "evidence"),
    }
}

fn resource_type(
    raw: &RawType,
    here: Spot,
    fields: &Fields,
    problems: &mut Problems<'_>,
) -> Option<ResourceType> {
    let word = name(&raw.name, "name", here, problems);
    let meaning = problems.line(&raw.meaning, "meaning", here);
    problems.required(&raw.identity, "identity", here);
    let known: Vec<&str> = fields.resource.iter().map(String::as_str).collect();
    let message = "this is no field of `fields.resource`";
    let identity = among(&raw.identity, &known, message, problems);
    if raw.identity.get().is_some_and(Vec::is_empty) {
        let message = "a type needs a field that identifies it";
        problems.refuse(&raw.identity, Code::ValueUnknown, message, |finding| {
            finding
                .found("none")
                .expected("at least one")
                .help("name `dataset_version_id` or `spec_hash`, say")
        });
    }
    Some(ResourceType {
        name: word?.to_owned(),
        meaning: meaning?.to_owned(),
        identity,
        cites: raw.cites.get().copied().unwrap_or(true),
    })
}

/// The words of a list, each of which has to be known.
pub(super) fn among(
    list: &Words,
    known: &[&str],
    message: &str,
    problems: &mut Problems<'_>,
) -> Vec<String> {
    let mut words = Vec::new();
    for one in list.get().into_iter().flatten() {
        let Some(word) = one.get() else { continue };
        if known.contains(&word.as_str()) {
            unique(word, &mut words, one, problems);
        } else {
            let given = (word.as_str(), known);
            let help = "name one of them, or add it to the vocabulary first";
            problems.unknown(one, Code::ValueUnknown, message, given, help);
        }
    }
    words
}

/// Adds a word that is not there yet. False, and a problem, where it is.
pub(super) fn unique<T>(
    word: &str,
    seen: &mut Vec<String>,
    field: &Field<T>,
    problems: &mut Problems<'_>,
) -> bool {
    if seen.iter().any(|other| other == word) {
        let message = "this name stands there twice";
        problems.refuse(field, Code::NameDuplicate, message, |finding| {
            finding
                .found(format!("`{word}` twice"))
                .expected("every name once")
                .help("remove or rename one of the two")
        });
        return false;
    }
    seen.push(word.to_owned());
    true
}

/// A word: lower-case letters, digits and `_`.
pub(super) fn name<'f>(
    field: &'f Field<String>,
    key: &str,
    here: Spot,
    problems: &mut Problems<'_>,
) -> Option<&'f str> {
    let text = problems.required(field, key, here)?;
    let fits = SignalName::parse(text).is_some();
    if !fits {
        let message = format!("`{key}` can't be used");
        problems.refuse(field, Code::ValueUnknown, message, |finding| {
            finding
                .found(format!("`{text}`"))
                .expected("at most 64 lower-case letters, digits and `_`")
                .help("write it in that form")
        });
    }
    fits.then_some(text.as_str())
}
