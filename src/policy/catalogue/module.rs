//! A module document: Markdown with YAML front matter that says what a module is, what it promises,
//! and what agents may do with it.

use super::maturity::{self, Boxes, Maturity, RUNGS};
use super::reader::Reader;
use super::shown::Shown;
use crate::diagnostic::{Code, Diagnostic};
use crate::policy::source::Node;
use crate::signals::json;
use crate::time::Timestamp;

/// The key that makes front matter that of a module.
pub(super) const KEY: &str = "module_id";

const TEXTS: [&str; 12] = [
    "title",
    "module_id",
    "type",
    "category",
    "lifecycle",
    "state",
    "seat",
    "phase_availability",
    "priority",
    "last_updated",
    "version",
    "maintainer",
];

const LISTS: [&str; 3] = ["dependencies", "integrations", "api_contracts"];

/// What of a module document is more than a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it asks for before it is promoted: the step, and the evidence.
    pub gates: Vec<(String, Vec<String>)>,
    /// What agents can do with it.
    pub capabilities: Capabilities,
    /// What they may and may not do.
    pub boundaries: Boundaries,
    /// How mature it is by its boxes.
    pub maturity: Maturity,
}

/// What agents can do with a module; what is not said is not allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent flags, as the document has them"
)]
pub struct Capabilities {
    /// Read it.
    pub can_read: bool,
    /// Change it.
    pub can_write: bool,
    /// Propose changes.
    pub can_propose_changes: bool,
    /// Only with an approval.
    pub requires_approval: bool,
}

/// What agents may and may not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boundaries {
    /// Operations that they may do.
    pub allowed: Vec<String>,
    /// Operations that they may not do, whatever allows them.
    pub forbidden: Vec<String>,
    /// What has to be told to a person.
    pub escalation: Vec<String>,
}

/// Reads the front matter, and the text behind it.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node, body: &str) -> Option<Module> {
    let mut known: Vec<&str> = TEXTS.iter().chain(&LISTS).copied().collect();
    known.extend([
        "agent_accessible",
        "user_configurable",
        "promotion_gates",
        "observability",
        "security",
        "agent_capabilities",
        "agent_boundaries",
    ]);
    let root = reader.map(root, &known)?;
    let (title, id) = (
        reader.needed_text(root, "title"),
        reader.needed_text(root, KEY),
    );
    for key in TEXTS.iter().skip(2) {
        reader.text(root.get(key));
    }
    for key in LISTS {
        reader.list(root.get(key));
    }
    for key in ["agent_accessible", "user_configurable"] {
        reader.flag(root.get(key));
    }
    date(reader, root.get("last_updated"));
    observability(reader, root.get("observability"));
    security(reader, root.get("security"));
    let maturity = Maturity::read(body);
    contradictions(reader, root, &maturity);
    Some(Module {
        id,
        title,
        gates: gates(reader, root.get("promotion_gates")),
        capabilities: capabilities(reader, root.get("agent_capabilities")),
        boundaries: boundaries(reader, root.get("agent_boundaries")),
        maturity,
    })
}

fn date(reader: &mut Reader<'_>, node: Option<&Node>) {
    if let Some(node) = node
        && let Some(text) = node.as_text()
        && Timestamp::read(text).is_none()
    {
        reader.find(node, |place| json::time_unreadable(place, text));
    }
}

fn observability(reader: &mut Reader<'_>, node: Option<&Node>) {
    let known = ["metrics", "alerts", "dashboards"];
    let Some(map) = node.and_then(|node| reader.map(node, &known)) else {
        return;
    };
    for key in known {
        reader.texts(map.get(key));
    }
}

fn gates(reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<(String, Vec<String>)> {
    let known = [
        "to_minimal",
        "to_intermediate_i1",
        "to_intermediate_i2",
        "to_intermediate_i3",
        "to_complete",
    ];
    let map = node.and_then(|node| reader.map(node, &known));
    let members = map.map(Node::entries).unwrap_or_default().iter();
    members
        .map(|member| (member.key.clone(), reader.texts(Some(&member.value))))
        .collect()
}

fn capabilities(reader: &mut Reader<'_>, node: Option<&Node>) -> Capabilities {
    let known = [
        "can_read",
        "can_write",
        "can_propose_changes",
        "requires_approval",
    ];
    let Some(map) = node.and_then(|node| reader.map(node, &known)) else {
        return Capabilities::default();
    };
    let mut flag = |key| reader.flag(map.get(key)).unwrap_or_default();
    Capabilities {
        can_read: flag("can_read"),
        can_write: flag("can_write"),
        can_propose_changes: flag("can_propose_changes"),
        requires_approval: flag("requires_approval"),
    }
}

fn boundaries(reader: &mut Reader<'_>, node: Option<&Node>) -> Boundaries {
    let known = [
        "allowed_operations",
        "forbidden_operations",
        "escalation_triggers",
    ];
    let Some(map) = node.and_then(|node| reader.map(node, &known)) else {
        return Boundaries::default();
    };
    Boundaries {
        allowed: reader.texts(map.get("allowed_operations")),
        forbidden: reader.texts(map.get("forbidden_operations")),
        escalation: reader.texts(map.get("escalation_triggers")),
    }
}

/// What this program keeps whatever a document declares (row C-11), and why a flag that is off is
/// less.
const FLOOR: [(&str, &str); 3] = [
    (
        "authentication_required",
        "an apply without a person at it needs an approver on record",
    ),
    (
        "audit_logging",
        "every decision, apply, undo and change of a safeguard is a line of a journal",
    ),
    ("rate_limiting", "applies are limited in every 24 hours"),
];

/// Words for checking less than all input.
const WEAK_VALIDATION: [&str; 4] = ["none", "off", "minimal", "basic"];

fn security(reader: &mut Reader<'_>, node: Option<&Node>) {
    let flags = [
        "authentication_required",
        "encryption_at_rest",
        "encryption_in_transit",
        "audit_logging",
        "rate_limiting",
    ];
    let texts = [
        "authorization_level",
        "data_classification",
        "input_validation",
    ];
    let known: Vec<&str> = flags.iter().chain(&texts).copied().collect();
    let Some(map) = node.and_then(|node| reader.map(node, &known)) else {
        return;
    };
    for key in flags {
        let Some(node) = map.get(key) else { continue };
        let floor = FLOOR.iter().find(|(name, _)| *name == key);
        if let (Some(false), Some((_, why))) = (reader.flag(Some(node)), floor) {
            below(reader, node, key, "`true`", why);
        }
    }
    for key in texts {
        let Some(node) = map.get(key) else { continue };
        let text = reader.text(Some(node)).unwrap_or_default();
        if key == "input_validation" && WEAK_VALIDATION.contains(&text.to_lowercase().as_str()) {
            below(
                reader,
                node,
                key,
                "`strict`",
                "whatever is read here is checked whole",
            );
        }
    }
}

fn below(reader: &mut Reader<'_>, node: &Node, key: &str, expected: &str, why: &str) {
    reader.find(node, |place| {
        let message = format!("`{key}` declares less than holds here whatever is declared: {why}");
        Diagnostic::new(Code::BelowFloor, place, message)
            .found(node.in_words())
            .expected(expected)
            .help("let the document say what holds")
    });
}

/// A declared state above the computed one, and production before the first rung is done.
fn contradictions(reader: &mut Reader<'_>, root: &Node, maturity: &Maturity) {
    if !maturity.is_known() {
        return;
    }
    let state = root.get("state");
    let declared = state.and_then(|node| Some((node, node.as_text()?)));
    if let Some((node, text)) = declared
        && maturity::rank(text).is_some_and(|rank| rank >= maturity.done())
    {
        differs(
            reader,
            node,
            &format!("the module is declared `{text}`, and its boxes say less"),
            maturity,
        );
    }
    let lifecycle = root.get("lifecycle");
    let produces = |node: &&Node| node.as_text().is_some_and(|text| text.starts_with("prod"));
    if let (Some(node), 0) = (lifecycle.filter(produces), maturity.done()) {
        differs(
            reader,
            node,
            "the module is declared to be in production, and its lowest rung is not done",
            maturity,
        );
    }
}

fn differs(reader: &mut Reader<'_>, node: &Node, message: &str, maturity: &Maturity) {
    reader.find(node, |place| {
        Diagnostic::new(Code::MaturityDiffers, place, message)
            .found(standing(maturity))
            .expected("every box ticked up to the rung that is declared")
            .help("tick what is done, or declare what the boxes say")
    });
}

fn standing(maturity: &Maturity) -> String {
    let (done, next) = (maturity.computed(), RUNGS.get(maturity.done()));
    let open = maturity
        .rungs
        .get(maturity.done())
        .copied()
        .unwrap_or_default();
    let next = next.map_or_else(String::new, |next| {
        format!(", {} of {} boxes of {next} open", open.open(), open.all)
    });
    format!("{}{next}", done.unwrap_or("below minimal"))
}

/// The computed maturity beside the declared one.
pub(super) fn derived(root: &Node, module: &Module) -> Shown {
    let maturity = &module.maturity;
    let declared = |key: &str| root.get(key).map_or(Shown::Nothing, Shown::from);
    let boxes = |boxes: Boxes| {
        Shown::map([
            ("ticked", Shown::count(boxes.ticked)),
            ("of", Shown::count(boxes.all)),
        ])
    };
    let rungs = RUNGS.iter().zip(maturity.rungs);
    let computed = if maturity.is_known() {
        Shown::text(standing(maturity))
    } else {
        Shown::text("not known: no rung has a box in the text")
    };
    Shown::map([
        ("declared_lifecycle", declared("lifecycle")),
        ("declared_state", declared("state")),
        (
            "said_in_the_text",
            maturity.said.as_ref().map_or(Shown::Nothing, Shown::text),
        ),
        ("computed", computed),
        (
            "boxes",
            Shown::Map(
                rungs
                    .map(|(rung, all)| ((*rung).to_owned(), boxes(all)))
                    .collect(),
            ),
        ),
        ("other_boxes", boxes(maturity.others)),
    ])
}
