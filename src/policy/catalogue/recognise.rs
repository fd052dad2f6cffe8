//! Which kind a document is of, by what stands in it, and by its path where that says it.

use super::shown::Shown;
use super::{
    API_VERSION, Kind, agent, compliance, development, meta_block, module, rego, regulation,
    scalpel, system,
};
use crate::diagnostic::{Checked, Code, Diagnostic, Place, suggestion};
use crate::policy::document;
use crate::policy::source::{self, Node};

/// A document whose kind is known.
#[derive(Debug)]
pub struct Found<'d> {
    /// Its kind.
    pub kind: Kind,
    /// Its name in findings.
    pub(super) file: &'d str,
    /// The text, without a byte-order mark.
    pub(super) text: &'d str,
    /// What stands behind the front matter.
    pub(super) body: &'d str,
    /// Its values; `None` for a document that is no YAML, or JSON that another checks.
    pub(super) tree: Option<Node>,
}

impl Found<'_> {
    /// Its values; `None` for a document that is no YAML, or JSON that another checks.
    pub fn tree(&self) -> Option<&Node> {
        self.tree.as_ref()
    }

    /// What a document says whose meaning is another's business.
    pub(super) fn as_it_stands(&self) -> Shown {
        let in_yaml = || read(self.file, self.text).map(|root| Shown::from(&root));
        serde_json::from_str(self.text)
            .or_else(|_| in_yaml())
            .unwrap_or(Shown::Nothing)
    }
}

/// The keys that stand alone at the top of a document, each with its kind.
const SECTIONS: [(&str, Kind); 6] = [
    (system::KEY, Kind::SystemPolicies),
    (agent::KEY, Kind::AgentPolicies),
    (compliance::KEY, Kind::CompliancePolicies),
    (regulation::LGPD, Kind::LgpdCompliance),
    (regulation::FINANCIAL, Kind::FinancialCompliance),
    (development::KEY, Kind::PolicyDevelopment),
];

/// Documents that a path makes what they are.
const PATHS: [(&str, Kind); 7] = [
    ("policy/policy.yaml", Kind::OrchestrationPolicy),
    (document::SMALL_FORM, Kind::Thresholds),
    ("policy/policy.yml", Kind::OrchestrationPolicy),
    ("policy/policy.json", Kind::OrchestrationPolicy),
    ("policy/responses.json", Kind::Responses),
    ("policy/alerts.json", Kind::Alerts),
    (scalpel::FILE, Kind::EditingPolicy),
];

/// The directory of spend policies.
const SPEND: &str = "policy/spend/";

/// Says which kind a document is of. `file` is its path as the user wrote it.
pub fn recognise<'d>(file: &'d str, bytes: &'d [u8]) -> Checked<Found<'d>> {
    let text = source::text(file, bytes)?;
    let found = |kind, tree| Found {
        kind,
        file,
        text,
        body: "",
        tree,
    };
    if text.trim().is_empty() {
        return Err(unknown(Place::file(file), "the file is empty", "nothing"));
    }
    if is_go(file, text) {
        let finding = unknown(
            Place::line(file, 1).column(1),
            "a policy that is a program in Go is not read",
            "Go",
        );
        return Err(finding);
    }
    if rego::is_meant(text) {
        return Ok(found(Kind::Rego, None));
    }
    if meta_block::is_meant(text) {
        let tree = meta_block::parse(file, text)?;
        return Ok(found(Kind::MetaBlock, Some(tree)));
    }
    if let Some(front) = FrontMatter::of(file, text) {
        return front.recognised(file, text);
    }
    match by_path(file) {
        Some(Kind::EditingPolicy) => {
            return Ok(found(Kind::EditingPolicy, Some(read(file, text)?)));
        }
        // Which of its two forms the document has, its bytes say to whoever decides by it; the path
        // says it of what is neither.
        Some(kind @ (Kind::Thresholds | Kind::OrchestrationPolicy)) => {
            let is_large = text.contains("apiVersion");
            let kind = if document::is_small_form(bytes) {
                Kind::Thresholds
            } else if is_large {
                Kind::OrchestrationPolicy
            } else {
                kind
            };
            return Ok(found(kind, None));
        }
        // Whoever uses it finds more exactly what is wrong with it.
        Some(kind) => return Ok(found(kind, None)),
        None => {}
    }
    let root = read(file, text)?;
    let kind = by_keys(file, &root)?;
    let is_ours = matches!(
        kind,
        Kind::Thresholds | Kind::Responses | Kind::Alerts | Kind::SpendPolicy
    );
    Ok(found(kind, (!is_ours).then_some(root)))
}

/// The tree of a text. One without a value is nothing.
fn read(file: &str, text: &str) -> Checked<Node> {
    Ok(source::parse_text(file, text)?.unwrap_or_else(Node::nothing))
}

fn by_path(file: &str) -> Option<Kind> {
    let starts = |at: usize| at == 0 || file.get(..at).is_some_and(|before| before.ends_with('/'));
    if file.rfind(SPEND).is_some_and(starts) {
        return Some(Kind::SpendPolicy);
    }
    let known = PATHS.iter().find(|(path, _)| {
        let before = file.strip_suffix(path);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    });
    known.map(|(_, kind)| *kind)
}

fn is_go(file: &str, text: &str) -> bool {
    let is_code = |line: &str| {
        line.starts_with("func ") || line.starts_with("import (") || line.starts_with("import \"")
    };
    let ends = std::path::Path::new(file).extension();
    ends.is_some_and(|end| end == "go") || rego::is_meant(text) && text.lines().any(is_code)
}

fn by_keys(file: &str, root: &Node) -> Checked<Kind> {
    let has = |key: &str| root.get(key).is_some();
    let mut sections = SECTIONS.iter().filter(|(key, _)| has(key));
    if let Some((first, kind)) = sections.next() {
        return match sections.next() {
            None => Ok(*kind),
            Some((second, _)) => Err(two_kinds(file, root, first, second)),
        };
    }
    if has("kind") {
        return declared(file, root);
    }
    let is_threshold = |key: &str| key.starts_with("red_") || key.starts_with("yellow_");
    let of_policy = has("schema");
    match () {
        () if root
            .entries()
            .iter()
            .any(|member| is_threshold(&member.key)) =>
        {
            Ok(Kind::Thresholds)
        }
        () if of_policy && (has("actions") || has("builtin")) => Ok(Kind::Responses),
        () if of_policy
            && ["hook", "webhook", "limits", "level_changes"]
                .into_iter()
                .any(has) =>
        {
            Ok(Kind::Alerts)
        }
        () if has("caps") && has("msig") => Ok(Kind::SpendPolicy),
        () if has("enforcement") && (has("limits") || has("protected")) => Ok(Kind::EditingPolicy),
        () => Err(no_kind(file, root)),
    }
}

/// A document that says its kind itself.
fn declared(file: &str, root: &Node) -> Checked<Kind> {
    let Some(node) = root.get("kind") else {
        return Err(no_kind(file, root));
    };
    let known = [
        Kind::OrchestrationPolicy,
        Kind::SecurityPolicy,
        Kind::SpendPolicy,
    ];
    let written = node.as_text().unwrap_or_default();
    if let Some(kind) = known.iter().find(|kind| kind.as_str() == written) {
        return Ok(*kind);
    }
    let names: Vec<&str> = known.iter().map(|kind| kind.as_str()).collect();
    let finding = Diagnostic::new(
        Code::DocumentUnknown,
        node.spot.place(file, "$.kind"),
        "the document says that it is of a kind that is not known here",
    );
    Err(Box::new(
        finding
            .found(node.in_words())
            .expected(format!(
                "{}, with `apiVersion: {API_VERSION}`",
                names.join(" or ")
            ))
            .help(suggestion(written, names).unwrap_or_else(|| HELP.to_owned())),
    ))
}

const HELP: &str = "docs/documents.md says what each kind looks like";

fn two_kinds(file: &str, root: &Node, first: &str, second: &str) -> Box<Diagnostic> {
    let entry = root.entries().iter().find(|member| member.key == second);
    let place = entry.map_or(root.spot, |entry| entry.spot).place(file, "$");
    Box::new(
        Diagnostic::new(
            Code::DocumentUnknown,
            place,
            "the file is a document of two kinds",
        )
        .found(format!("`{first}` and `{second}`"))
        .expected("one kind of document in a file")
        .help("put each of the two into a file of its own"),
    )
}

fn no_kind(file: &str, root: &Node) -> Box<Diagnostic> {
    let place = root.spot.place(file, "$");
    let keys: Vec<&str> = root
        .entries()
        .iter()
        .map(|member| member.key.as_str())
        .collect();
    let found = match keys.as_slice() {
        [] => root.in_words(),
        keys => format!("the keys {}", keys.join(", ")),
    };
    let mut finding = unknown(
        place,
        "this is no document of a kind that is known here",
        &found,
    );
    let sections = SECTIONS.map(|(section, _)| section);
    if let Some(help) = keys.iter().find_map(|key| suggestion(key, sections)) {
        finding.help = Some(help);
    }
    finding
}

/// The finding that lists every kind.
fn unknown(place: Place, message: &str, found: &str) -> Box<Diagnostic> {
    let kinds = Kind::DOCUMENTED.iter().map(|(_, word, ..)| *word);
    Box::new(
        Diagnostic::new(Code::DocumentUnknown, place, message)
            .found(found)
            .expected(format!("one of {}", kinds.collect::<Vec<_>>().join(", ")))
            .help(HELP),
    )
}

/// YAML between two lines `---` at the beginning of a text.
struct FrontMatter<'t> {
    /// With the first line, so that lines are counted right.
    yaml: &'t str,
    /// What stands behind it; `None` where it never ends.
    body: Option<&'t str>,
}

impl<'t> FrontMatter<'t> {
    /// Finds it. A file whose name says that it is YAML has none: there `---` parts documents.
    fn of(file: &str, text: &'t str) -> Option<Self> {
        let end = std::path::Path::new(file).extension();
        let is_yaml = end.is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        let mut lines = text.split_inclusive('\n');
        let first = lines.next()?;
        if is_yaml || first.trim_end() != "---" {
            return None;
        }
        let mut at = first.len();
        for line in lines {
            if line.trim_end() == "---" {
                let (yaml, rest) = text.split_at_checked(at)?;
                let body = rest.get(line.len()..);
                return Some(Self { yaml, body });
            }
            at += line.len();
        }
        Some(Self {
            yaml: text,
            body: None,
        })
    }

    fn recognised(self, file: &'t str, text: &'t str) -> Checked<Found<'t>> {
        let Some(body) = self.body else {
            return self.without_end(file, text);
        };
        let root = read(file, self.yaml)?;
        if root.get(module::KEY).is_none() {
            let mut finding = no_kind(file, &root);
            let keys: Vec<&str> = root
                .entries()
                .iter()
                .map(|member| member.key.as_str())
                .collect();
            let near = keys.iter().find_map(|key| suggestion(key, [module::KEY]));
            let help = || format!("front matter of a module names its `{}`", module::KEY);
            finding.help = Some(near.unwrap_or_else(help));
            return Err(finding);
        }
        Ok(Found {
            kind: Kind::Module,
            file,
            text,
            body,
            tree: Some(root),
        })
    }

    /// A text that begins with `---` and goes on as YAML to its end, or front matter that was never
    /// closed: a line of Markdown shows it.
    fn without_end(self, file: &'t str, text: &'t str) -> Checked<Found<'t>> {
        let root = read(file, self.yaml);
        let is_module = |root: &Node| root.get(module::KEY).is_some();
        match root {
            Ok(root) if !is_module(&root) => {
                let kind = by_keys(file, &root)?;
                Ok(Found {
                    kind,
                    file,
                    text,
                    body: "",
                    tree: Some(root),
                })
            }
            _ => Err(Box::new(
                Diagnostic::new(
                    Code::YamlSyntax,
                    Place::line(file, 1).column(1),
                    "the front matter never ends",
                )
                .found("`---` on the first line and on no other")
                .expected("a second line `---` between the keys and the text")
                .help("add a line `---` behind the last key"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(file: &str, text: &str) -> Option<Kind> {
        recognise(file, text.as_bytes())
            .ok()
            .map(|found| found.kind)
    }

    #[test]
    fn a_document_is_what_stands_in_it() {
        for (file, text, expected) in [
            ("a", "system_policies: {}", Kind::SystemPolicies),
            ("a.json", "{\"agent_policies\": {}}", Kind::AgentPolicies),
            (
                "a",
                "---\ncompliance_policies: {}\n",
                Kind::CompliancePolicies,
            ),
            ("a.yaml", "---\nlgpd_compliance: {}\n", Kind::LgpdCompliance),
            ("a", "kind: SecurityPolicy", Kind::SecurityPolicy),
            ("a", "kind: OrchestrationPolicy", Kind::OrchestrationPolicy),
            ("a.md", "---\nmodule_id: x\n---\n# X\n", Kind::Module),
            (
                "a.md",
                "\u{feff}---\r\nmodule_id: x\r\n---\r\n# X\r\n",
                Kind::Module,
            ),
            (
                "a",
                "version: '1'\nenforcement: {}\nprotected: {}\n",
                Kind::EditingPolicy,
            ),
            (
                "/x/.scalpel/policy.yaml",
                "version: '1'\n",
                Kind::EditingPolicy,
            ),
            ("a", "# x\npackage a.b\n", Kind::Rego),
            ("a", "{\"red_integrity\": 90}", Kind::Thresholds),
            (
                "x/policy/policy_thresholds.json",
                "not json",
                Kind::Thresholds,
            ),
            ("a", "{\"schema\": 1, \"actions\": []}", Kind::Responses),
            ("a", "{\"schema\": 1, \"limits\": {}}", Kind::Alerts),
            ("policy/alerts.json", "{}", Kind::Alerts),
            ("x/policy/spend/a.yaml", "{}", Kind::SpendPolicy),
            ("a", "{\"caps\": {}, \"msig\": {}}", Kind::SpendPolicy),
            ("a", "kind: SpendPolicy", Kind::SpendPolicy),
            (
                "policy/policy.yaml",
                "a: 1\na: 2\n",
                Kind::OrchestrationPolicy,
            ),
        ] {
            assert_eq!(kind(file, text), Some(expected), "{file}: {text}");
        }
    }

    #[test]
    fn what_is_none_lists_every_kind() {
        for text in [
            "",
            "hello",
            "[1]",
            "a: 1",
            "kind: Pod",
            "---\na: 1\n---\ntext\n",
            "system_policies: {}\nagent_policies: {}\n",
        ] {
            let finding = recognise("a.txt", text.as_bytes()).unwrap_err();
            assert_eq!(finding.code, Code::DocumentUnknown, "{text}");
            assert!(finding.help.is_some());
        }
        let finding = recognise("a.txt", b"a: 1").unwrap_err();
        for (_, word, ..) in Kind::DOCUMENTED {
            assert!(
                finding.expected.as_deref().unwrap().contains(word),
                "{word}"
            );
        }
    }

    #[test]
    fn a_path_counts_from_a_directory_on() {
        assert_eq!(by_path("xpolicy/alerts.json"), None);
        assert_eq!(by_path("policy/alerts.json"), Some(Kind::Alerts));
    }

    #[test]
    fn go_is_refused_and_not_taken_for_rego() {
        assert_eq!(kind("a.go", "package main\n"), None);
        assert_eq!(kind("a", "package main\n\nimport \"fmt\"\n"), None);
    }
}
