//! A document of the small form as one of the large: the text, and the proof that it decides alike.
//! What is written and removed, and when, is said in [`super::init`].

use serde_json::Value as Json;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::policy::document::{self, FILES, SMALL_FORM, TEMPLATE};
use crate::policy::{Condition, Policy, Thresholds, Trigger};

/// The template with the numbers, the name and the description of a policy of the small form.
///
/// Fails where the large form can't say the same: the text is read and held against the policy
/// before anybody writes it.
pub(super) fn converted(policy: &Policy) -> Checked<String> {
    let text = filled_in(policy)?;
    let parsed = document::parse(FILES[0], text.as_bytes()).map_err(|problems| {
        let why: Vec<String> = problems
            .iter()
            .map(|problem| {
                let found = problem.found.as_deref().unwrap_or_default();
                format!("{} ({found})", problem.message)
            })
            .collect();
        refused(why.join("; "))
    })?;
    if parsed.identity().name != policy.identity().name
        || parsed.identity().version != policy.identity().version
    {
        return Err(refused(
            "a name or version with blanks at its ends".to_owned(),
        ));
    }
    let is_alike =
        parsed.signals() == policy.signals() && parsed.triggers() == can_fire(policy.triggers());
    if !is_alike {
        return Err(refused(
            "its lines would not be exactly the same".to_owned(),
        ));
    }
    Ok(text)
}

fn refused(why: String) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::ValueRange,
            Place::file(SMALL_FORM),
            "the large form can't say the same as this document, so nothing was changed",
        )
        .found(why)
        .expected("what both forms can say")
        .help("change the value here, or write policy/policy.yaml by hand and remove this file"),
    )
}

/// The triggers without those that no value fires: the large form refuses to draw such a line.
fn can_fire(triggers: &[Trigger]) -> Vec<Trigger> {
    let fires = |trigger: &&Trigger| !is_never(&trigger.condition);
    triggers.iter().filter(fires).cloned().collect()
}

/// True for a line that no percentage is below.
fn is_never(condition: &Condition) -> bool {
    match condition {
        Condition::Below(line) => line.as_number().is_some_and(|line| line <= 0.0),
        _ => false,
    }
}

fn filled_in(policy: &Policy) -> Checked<String> {
    let identity = policy.identity();
    let mut text = TEMPLATE
        .replacen(
            "`policy-orchestrator policy init` and decides exactly as the built-in reference policy does.",
            "`policy-orchestrator policy init --convert` and decides as policy/policy_thresholds.json did.",
            1,
        )
        .replacen(
            "  name: reference\n",
            &format!("  name: {}\n", quoted(&identity.name)),
            1,
        )
        .replacen(
            "  version: \"1\"\n",
            &format!("  version: {}\n", quoted(&identity.version)),
            1,
        )
        .replacen(
            "The reference policy, as a document to start from",
            &description(policy)?,
            1,
        );
    for (code, key, line) in lines(policy.thresholds()) {
        let Some(line) = line else { continue };
        text = with_line(&text, code, key, &line);
    }
    for trigger in policy.triggers() {
        if is_never(&trigger.condition) {
            text = without_trigger(&text, trigger.code.as_str());
        }
    }
    Ok(text)
}

type Line = (&'static str, &'static str, Option<String>);

fn lines(thresholds: &Thresholds) -> [Line; 7] {
    let Thresholds {
        red_integrity,
        red_consensus,
        red_responses,
        yellow_integrity,
        yellow_consensus,
        yellow_reputation,
        yellow_responses,
    } = *thresholds;
    let percent =
        |percent: Option<crate::signals::Percent>| percent.map(|percent| percent.get().to_string());
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    [
        ("INTEGRITY_BELOW_RED", "below", percent(red_integrity)),
        ("CONSENSUS_BELOW_RED", "below", percent(red_consensus)),
        ("RESPONSES_AT_RED", "at_least", count(red_responses)),
        ("INTEGRITY_BELOW_YELLOW", "below", percent(yellow_integrity)),
        ("CONSENSUS_BELOW_YELLOW", "below", percent(yellow_consensus)),
        (
            "REPUTATION_BELOW_YELLOW",
            "below",
            percent(yellow_reputation),
        ),
        ("RESPONSES_AT_YELLOW", "at_least", count(yellow_responses)),
    ]
}

/// What the document says of itself. The small form asks nothing of it, the large one that it is a
/// text.
fn description(policy: &Policy) -> Checked<String> {
    let bytes = policy.document();
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Json = serde_json::from_slice(bare).unwrap_or_default();
    match document.get("description") {
        Some(Json::String(text)) if !text.trim().is_empty() => Ok(quoted(text)),
        None | Some(Json::Null | Json::String(_)) => {
            Ok("Taken over from policy_thresholds.json".to_owned())
        }
        Some(_) => Err(refused("a `description` that is no text".to_owned())),
    }
}

/// The text with another number behind the first `key` that follows `code`.
fn with_line(text: &str, code: &str, key: &str, line: &str) -> String {
    let key = format!("      {key}: ");
    let place = text
        .find(&format!("    - code: {code}\n"))
        .and_then(|code| Some(code + text.get(code..)?.find(&key)? + key.len()));
    let Some((before, behind)) = place.and_then(|place| text.split_at_checked(place)) else {
        return text.to_owned();
    };
    let rest = behind.find('\n').and_then(|end| behind.get(end..));
    format!("{before}{line}{}", rest.unwrap_or_default())
}

/// The text without the four lines of a trigger.
fn without_trigger(text: &str, code: &str) -> String {
    /// The code, the signal, the level, the condition.
    const LINES: usize = 4;
    let begin = format!("    - code: {code}\n");
    let Some((before, behind)) = text.split_once(&begin) else {
        return text.to_owned();
    };
    let rest: String = behind.split_inclusive('\n').skip(LINES - 1).collect();
    format!("{before}{rest}")
}

/// Text as JSON writes it, which YAML reads alike, with an escape for each character that YAML
/// takes for a line's end or for none.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\u{7f}'..='\u{9f}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => safe.push(other),
        }
    }
    safe
}
