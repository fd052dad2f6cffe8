//! From the files of the vocabularies to [`Labels`], with every problem and its place in one go.

mod rules;
mod words;

use super::rubric::{self, Rubrics};
use super::shape::{RawLabels, RawObligation, RawObligations, RawReason, RawReasons};
use super::vocabulary::{Labels, ObligationType, Reason};
use super::{
    FILES, LABELS, LICENSING, OBLIGATIONS, REASON_CODES, SENSITIVITY, kind_of, sources_of,
};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::ids::ReasonCode;
use crate::policy::source::Spot;
use crate::policy::source::collect::{self, Field};
use crate::policy::source::problems::Problems;
use crate::request::codes;
use words::{name, unique};

/// What findings call a file that is built in.
const BUILT_IN: &str = "(built in)";

/// A document with the name that findings give it.
#[derive(Clone, Copy)]
struct Document<'d> {
    file: &'d str,
    bytes: &'d [u8],
}

impl Labels {
    /// Makes the layer of documents, a name and bytes each; what is not among them is built in.
    pub fn compile(documents: &[(String, Vec<u8>)]) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        for (file, _) in documents {
            if kind_of(file).is_none() {
                problems.push(no_vocabulary(file));
            }
        }
        let of = |wanted: &str| document(documents, wanted);
        let (reasons, found) = reasons(of(REASON_CODES));
        problems.extend(found);
        let (obligations, found) = obligations(of(OBLIGATIONS));
        problems.extend(found);
        let mut rubrics = Rubrics::default();
        for kind in [LICENSING, SENSITIVITY] {
            let document = of(kind);
            problems.extend(rubric::read(document.file, document.bytes, &mut rubrics));
        }
        let document = of(LABELS);
        let mut labels = Self {
            file: document.file.to_owned(),
            roles: Vec::new(),
            actions: Vec::new(),
            types: Vec::new(),
            fields: super::vocabulary::Fields::default(),
            table: Vec::new(),
            exceptions: Vec::new(),
            obligations,
            reasons,
            rubrics,
            sources: sources_of(documents),
        };
        // What is wrong with the words is no fault of a table that nobody here wrote.
        let is_ours = document.file == BUILT_IN;
        if !is_ours || problems.is_empty() {
            problems.extend(table(document, &mut labels));
        }
        if problems.is_empty() {
            problems.extend(labels.check_rubrics(of(SENSITIVITY).file));
        }
        if problems.is_empty() {
            Ok(labels)
        } else {
            Err(problems)
        }
    }

    /// The layer that counts where a workspace has no such files.
    pub fn built_in() -> Result<Self, Vec<Diagnostic>> {
        Self::compile(&[])
    }

    /// The labels that the sensitivity rubric names have to be there.
    fn check_rubrics(&self, file: &str) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for handling in self.rubrics.handlings() {
            for label in &handling.labels {
                if self.label(label).is_none() {
                    let known = self.table.iter().map(|label| label.name.as_str());
                    let place = Place::line(file, handling.line);
                    let message = "a row names a label that the vocabulary does not have";
                    problems.push(
                        Diagnostic::new(Code::ValueUnknown, place, message)
                            .found(format!("`{label}`"))
                            .expected(format!("one of {}", known.collect::<Vec<_>>().join(", ")))
                            .help("correct the row, or add the label to the vocabulary"),
                    );
                }
            }
        }
        problems
    }
}

fn document<'d>(documents: &'d [(String, Vec<u8>)], wanted: &str) -> Document<'d> {
    let given = documents
        .iter()
        .find(|(file, _)| kind_of(file) == Some(wanted));
    if let Some((file, bytes)) = given {
        return Document { file, bytes };
    }
    let built_in = FILES.into_iter().find(|(file, _)| *file == wanted);
    let text = built_in.map_or("", |(_, text)| text);
    Document {
        file: BUILT_IN,
        bytes: text.as_bytes(),
    }
}

fn no_vocabulary(file: &str) -> Diagnostic {
    let known = FILES.map(|(file, _)| file).join(", ");
    Diagnostic::new(
        Code::DocumentUnknown,
        Place::file(file),
        "this file is no vocabulary and no rubric",
    )
    .found("a file of another name")
    .expected(format!("one of {known}"))
    .help("rename it, or move it elsewhere")
}

/// Reads a shape. `None` where there is none; why is among the problems.
fn shape<'d, T: for<'de> serde::Deserialize<'de>>(
    document: Document<'d>,
) -> (Field<T>, Problems<'d>) {
    collect::document(document.file, document.bytes)
        .unwrap_or_else(|found| (Field::default(), Problems::new(document.file, found)))
}

fn reasons(document: Document<'_>) -> (Vec<Reason>, Vec<Diagnostic>) {
    let (raw, mut problems) = shape::<RawReasons>(document);
    let mut reasons: Vec<Reason> = Vec::new();
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        let list = problems.required(&document.reason_codes, "reason_codes", raw.spot);
        let mut seen = Vec::new();
        for one in list.into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            if let Some(reason) = reason(fields, one.spot, &mut problems)
                && unique(reason.code.as_str(), &mut seen, &fields.code, &mut problems)
            {
                reasons.push(reason);
            }
        }
    }
    let all = with_built_in(reasons);
    (all, problems.in_order())
}

fn reason(raw: &RawReason, here: Spot, problems: &mut Problems<'_>) -> Option<Reason> {
    let text = problems.line(&raw.code, "code", here);
    let code = text.and_then(|text| {
        let code = ReasonCode::parse(text);
        if code.is_none() {
            let message = "this is no reason code";
            problems.refuse(&raw.code, Code::ValueUnknown, message, |finding| {
                finding
                    .found(format!("`{text}`"))
                    .expected("at most 64 upper-case letters, digits and `_`")
                    .help("write it in that form")
            });
        }
        code
    });
    let meaning = problems.line(&raw.meaning, "meaning", here);
    let hint = raw
        .hint
        .is_there()
        .then(|| problems.line(&raw.hint, "hint", here));
    Some(Reason {
        code: code?,
        meaning: meaning?.to_owned(),
        hint: hint.flatten().map(str::to_owned),
    })
}

/// What a workspace says of codes stands before what is built in, which is always known.
fn with_built_in(mut reasons: Vec<Reason>) -> Vec<Reason> {
    for (code, meaning) in codes::DOCUMENTED {
        let is_there = reasons.iter().any(|reason| reason.code.as_str() == *code);
        if let Some(code) = ReasonCode::parse(code).filter(|_| !is_there) {
            reasons.push(Reason {
                code,
                meaning: (*meaning).to_owned(),
                hint: None,
            });
        }
    }
    reasons
}

fn obligations(document: Document<'_>) -> (Vec<ObligationType>, Vec<Diagnostic>) {
    let (raw, mut problems) = shape::<RawObligations>(document);
    let mut types: Vec<ObligationType> = Vec::new();
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        let list = problems.required(&document.obligations, "obligations", raw.spot);
        let mut seen = Vec::new();
        for one in list.into_iter().flatten() {
            let Some(fields) = one.get() else { continue };
            if let Some(kind) = obligation(fields, one.spot, &mut problems)
                && unique(&kind.kind, &mut seen, &fields.kind, &mut problems)
            {
                types.push(kind);
            }
        }
        // The program gives these itself, whatever the table says.
        for needed in ["policy_safe_error", "remediation_hint", "provenance_link"] {
            if problems.is_empty() && !types.iter().any(|one| one.kind == needed) {
                let message = "the vocabulary lacks an obligation that the program itself gives";
                problems.add(
                    raw.spot,
                    "$.obligations",
                    Code::KeyMissing,
                    message,
                    |one| {
                        one.found(format!("no `{needed}`"))
                            .expected("all of policy_safe_error, remediation_hint, provenance_link")
                            .help(format!("add `- type: {needed}` with its meaning"))
                    },
                );
            }
        }
    }
    (types, problems.in_order())
}

fn obligation(
    raw: &RawObligation,
    here: Spot,
    problems: &mut Problems<'_>,
) -> Option<ObligationType> {
    let kind = name(&raw.kind, "type", here, problems);
    let meaning = problems.line(&raw.meaning, "meaning", here);
    let parameters = raw.parameters.get().into_iter().flat_map(|all| &all.0);
    let from = raw.from.get().into_iter().flat_map(|all| &all.0);
    Some(ObligationType {
        kind: kind?.to_owned(),
        meaning: meaning?.to_owned(),
        parameters: parameters
            .filter_map(|(key, kind)| Some((key.clone(), *kind.get()?)))
            .collect(),
        from: from
            .filter_map(|(key, supplied)| Some((key.clone(), *supplied.get()?)))
            .collect(),
    })
}

fn table(document: Document<'_>, labels: &mut Labels) -> Vec<Diagnostic> {
    let (raw, mut problems) = shape::<RawLabels>(document);
    if let Some(document) = raw.get() {
        problems.schema(&document.schema, raw.spot);
        words::read(document, raw.spot, labels, &mut problems);
        rules::read(document, raw.spot, labels, &mut problems);
    }
    problems.in_order()
}

#[cfg(test)]
mod tests;
