//! What the table of labels says of a request. Pure: the request, the vocabularies and the time decide.
//!
//! The steps stand in the order in which they may deny: is the request whole, is it asked from where it
//! may be, does a rule deny, is an embargo on, does a rule allow and hold what it needs, does the evidence
//! resolve, may a copy leave. Nothing further is asked once one of them denied.

use serde_json::{Map, Value};

use super::evidence::{self, Piece};
use super::vocabulary::{
    Action, Asked, Label, Labels, Need, Role, Rule, RuleEffect, Sees, Supplied, Template,
};
use crate::ids::ReasonCode;
use crate::request::envelope::Circumstances;
use crate::request::{Effect, Obligation, Point, Request, Step, Verdict, codes};
use crate::time::Timestamp;

/// Who is nobody, whatever the role.
const ANONYMOUS: [&str; 2] = ["anonymous", "user:anonymous"];

/// Words that name another version tomorrow.
const UNSTABLE: [&str; 8] = [
    "latest", "current", "head", "newest", "main", "master", "now", "today",
];

/// What can be asked for where evidence does not carry a claim.
const WITHOUT_THE_CLAIM: &str = "Answer without the claims that this evidence would carry.";

/// A request whose words are all known.
struct Whole<'l, 'r> {
    request: &'r Request,
    principal: &'r str,
    role: &'l Role,
    action: &'l Action,
    cites: bool,
    label: &'l Label,
    evidence: Vec<Piece<'r>>,
    receipts: Vec<&'r str>,
}

/// A denial on its way to a verdict.
struct Denial {
    codes: Vec<ReasonCode>,
    reasons: Vec<String>,
    alternatives: Vec<String>,
}

impl Denial {
    fn new(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self {
            codes: vec![code],
            reasons: vec![reason.into()],
            alternatives: Vec::new(),
        }
    }

    fn abstaining(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self {
            alternatives: vec![WITHOUT_THE_CLAIM.to_owned()],
            ..Self::new(code, reason)
        }
    }
}

/// What is allowed, and by what.
struct Allowed<'l> {
    code: ReasonCode,
    templates: Vec<&'l Template>,
}

impl Labels {
    /// What this layer says; `None` for a request without a `resource`.
    pub fn judge(&self, request: &Request, around: &Circumstances) -> Option<Verdict> {
        if !request.has("resource") {
            return None;
        }
        let mut steps = Vec::new();
        let verdict = match self.whole(request) {
            Err(denial) => {
                let role = request.text(&["user", "role"]);
                let role = role.and_then(|role| self.role(role));
                let label = request.text(&["resource", "policy_label"]);
                let label = label.and_then(|label| self.label(label));
                self.deny(request, role, label, denial)
            }
            Ok(whole) => {
                if around.explain {
                    steps = self.steps(&whole);
                }
                match self.allowed(&whole, around.at) {
                    Ok(allowed) => self.allow(&whole, &allowed),
                    Err(denial) => self.deny(request, Some(whole.role), Some(whole.label), denial),
                }
            }
        };
        Some(Verdict { steps, ..verdict })
    }

    /// The request with its words known, or everything that is wrong with them.
    fn whole<'l, 'r>(&'l self, request: &'r Request) -> Result<Whole<'l, 'r>, Denial> {
        let mut wrong = Wrong::default();
        for (part, known) in [
            ("user", &self.fields.user),
            ("resource", &self.fields.resource),
            ("context", &self.fields.context),
        ] {
            wrong.fields(request, part, known);
        }
        let principal = wrong.there(request, &["user", "principal"], codes::PRINCIPAL_MISSING);
        let word = wrong.there(request, &["user", "role"], codes::ROLE_MISSING);
        let role = wrong.known(word, |word| self.role(word), codes::ROLE_UNKNOWN);
        let is_nobody = principal.is_some_and(|principal| ANONYMOUS.contains(&principal));
        if is_nobody && role.is_some_and(|role| role.sees == Sees::Explicit) {
            wrong.add(
                codes::PRINCIPAL_MISSING,
                "nobody has this role without a name",
            );
        }
        let word = wrong.there(request, &["action"], codes::ACTION_MISSING);
        let action = wrong.known(word, |word| self.action(word), codes::ACTION_UNKNOWN);
        let path = ["resource", "type"];
        let word = wrong.there(request, &path, codes::RESOURCE_TYPE_MISSING);
        let kind = wrong.known(
            word,
            |word| self.resource_type(word),
            codes::RESOURCE_TYPE_UNKNOWN,
        );
        let word = wrong.there(request, &["resource", "policy_label"], codes::LABEL_MISSING);
        let label = wrong.known(word, |word| self.label(word), codes::LABEL_UNKNOWN);
        if let Some(kind) = kind {
            wrong.identity(request, &kind.identity);
        }
        let evidence = evidence::all(self, request)
            .map_err(|(code, reason)| wrong.add(code, reason))
            .unwrap_or_default();
        match (principal, role, action, kind, label) {
            (Some(principal), Some(role), Some(action), Some(kind), Some(label))
                if wrong.codes.is_empty() =>
            {
                let of_resource = request.text(&["resource", "receipt"]);
                let receipts = evidence.iter().filter_map(|piece| piece.receipt);
                Ok(Whole {
                    request,
                    principal,
                    role,
                    action,
                    cites: kind.cites,
                    label,
                    receipts: of_resource.into_iter().chain(receipts).collect(),
                    evidence,
                })
            }
            _ => Err(wrong.denial()),
        }
    }

    fn allowed<'l>(&'l self, whole: &Whole<'l, '_>, at: Timestamp) -> Result<Allowed<'l>, Denial> {
        surface(whole)?;
        not_denied(whole.label, &whole.role.name, &whole.action.name)?;
        let resource = Embargo::of(whole.request);
        if resource.until.is_some() {
            resource.over(at)?;
        }
        let mut allowed = self.by_rule(whole, at)?;
        self.evidence(whole, at, &mut allowed)?;
        leaves(whole, &allowed)?;
        Ok(allowed)
    }

    /// The rule that allows it, with all that it needs; else an exception.
    fn by_rule<'l>(&'l self, whole: &Whole<'l, '_>, at: Timestamp) -> Result<Allowed<'l>, Denial> {
        let Some(rule) = allowing(whole.label, &whole.role.name, &whole.action.name) else {
            return self.by_exception(whole, at);
        };
        for need in &rule.needs {
            match need {
                Need::Rights => self.rights(whole.request)?,
                Need::EmbargoOver => Embargo::of(whole.request).over(at)?,
            }
        }
        Ok(Allowed {
            code: codes::ALLOW_MATCHED_RULE,
            templates: rule.obligations.iter().collect(),
        })
    }

    fn by_exception<'l>(
        &'l self,
        whole: &Whole<'l, '_>,
        at: Timestamp,
    ) -> Result<Allowed<'l>, Denial> {
        let fits = self.exceptions.iter().find(|exception| {
            exception.label == whole.label.name
                && exception.actions.contains(&whole.action.name)
                && exception
                    .principals
                    .iter()
                    .any(|one| one == whole.principal)
                && whole.role.sees == Sees::Explicit
                && at < exception.until.next_day()
        });
        let Some(exception) = fits else {
            let reason = format!(
                "no rule of `{}` allows `{}` to `{}`",
                whole.label.name, whole.action.name, whole.role.name
            );
            return Err(Denial::new(codes::DEFAULT_DENY, reason));
        };
        // An exception is no way around the rights of others.
        if whole.action.leaves {
            self.rights(whole.request)?;
        }
        Ok(Allowed {
            code: codes::ALLOW_EXCEPTION,
            templates: exception.obligations.iter().collect(),
        })
    }

    /// License, rights and attribution are there, known, and permit that a copy is handed on.
    fn rights(&self, request: &Request) -> Result<(), Denial> {
        let missing = |what: &str| Err(Denial::new(codes::RIGHTS_MISSING, what));
        let forbids = |what: &str| Err(Denial::new(codes::RIGHTS_FORBID, what));
        let Some(license) = request.text(&["resource", "license"]) else {
            return missing("`resource.license` is missing");
        };
        let Some(right) = request.text(&["resource", "rights"]) else {
            return missing("`resource.rights` is missing");
        };
        let attribution = request.text(&["resource", "attribution"]);
        if attribution.is_none_or(|text| text.trim().is_empty()) {
            return missing("`resource.attribution` is missing");
        }
        let Some(license) = self.rubrics.license(license) else {
            return missing("the licensing rubric has no row for `resource.license`");
        };
        let Some(right) = self.rubrics.right(right) else {
            return missing("the licensing rubric has no row for `resource.rights`");
        };
        match (license.hand_on, right.hand_on) {
            (true, true) => Ok(()),
            (false, _) => forbids("the license forbids that a copy is handed on"),
            (true, false) => forbids("the rights forbid that a copy is handed on"),
        }
    }

    /// Evidence resolves and may be read by whoever asks; what that obliges to is added.
    fn evidence<'l>(
        &'l self,
        whole: &Whole<'l, '_>,
        at: Timestamp,
        allowed: &mut Allowed<'l>,
    ) -> Result<(), Denial> {
        let needed = match whole.action.evidence {
            Asked::Given => false,
            Asked::Cited => whole.cites,
            Asked::Always => true,
        };
        if needed && whole.evidence.is_empty() {
            let reason = "no evidence is named";
            return Err(Denial::abstaining(codes::ABSTAIN_EVIDENCE_MISSING, reason));
        }
        for piece in &whole.evidence {
            if !piece.resolved {
                let reason = "a piece of evidence does not resolve";
                return Err(Denial::abstaining(
                    codes::ABSTAIN_EVIDENCE_UNRESOLVED,
                    reason,
                ));
            }
        }
        for piece in &whole.evidence {
            let Some(rule) = self.readable(whole, piece, at) else {
                let reason = "a piece of evidence may not be read by whoever asks";
                return Err(Denial::abstaining(
                    codes::ABSTAIN_EVIDENCE_RESTRICTED,
                    reason,
                ));
            };
            allowed.templates.extend(&rule.obligations);
        }
        Ok(())
    }

    /// The rule that lets whoever asks do the same with a piece of evidence.
    fn readable<'l>(
        &'l self,
        whole: &Whole<'l, '_>,
        piece: &Piece<'_>,
        at: Timestamp,
    ) -> Option<&'l Rule> {
        let label = self.label(piece.label?)?;
        // What leaves with an export is a citation, not the evidence: it has to be readable.
        let action = if whole.action.leaves || whole.action.name == "promote" {
            "read"
        } else {
            &whole.action.name
        };
        not_denied(label, &whole.role.name, action).ok()?;
        let rule = allowing(label, &whole.role.name, action)?;
        let embargo = Embargo {
            until: piece.embargo_until,
            reviewed: piece.embargo_reviewed,
        };
        let asks = rule.needs.contains(&Need::EmbargoOver) || embargo.until.is_some();
        if asks {
            embargo.over(at).ok()?;
        }
        (!rule.needs.contains(&Need::Rights)).then_some(rule)
    }

    fn allow(&self, whole: &Whole<'_, '_>, allowed: &Allowed<'_>) -> Verdict {
        let mut templates: Vec<Template> = Vec::new();
        for template in &allowed.templates {
            add(&mut templates, (*template).clone());
        }
        if !whole.receipts.is_empty() && !whole.evidence.is_empty() {
            add(&mut templates, self.template("provenance_link"));
        }
        Verdict {
            label: Some(whole.label.name.clone()),
            obligations: self.complete(templates, whole.request, &whole.receipts, None),
            ..Verdict::allow(allowed.code.clone())
        }
    }

    fn deny(
        &self,
        request: &Request,
        role: Option<&Role>,
        label: Option<&Label>,
        denial: Denial,
    ) -> Verdict {
        let mut templates = label.map_or_else(Vec::new, |label| label.denied.clone());
        match role.map(|role| role.sees) {
            Some(Sees::Explicit) => add(&mut templates, self.template("remediation_hint")),
            Some(Sees::Generic) | None => add(&mut templates, self.template("policy_safe_error")),
        }
        let mut alternatives = denial.alternatives;
        alternatives.extend(
            label
                .into_iter()
                .flat_map(|label| label.alternatives.clone()),
        );
        let code = denial.codes.first();
        Verdict {
            effect: Effect::Deny,
            label: label.map(|label| label.name.clone()),
            obligations: self.complete(templates, request, &[], code),
            codes: denial.codes,
            reasons: denial.reasons,
            alternatives,
            steps: Vec::new(),
        }
    }

    /// The obligations in the order of the vocabulary, with what the request supplies.
    fn complete(
        &self,
        mut templates: Vec<Template>,
        request: &Request,
        receipts: &[&str],
        code: Option<&ReasonCode>,
    ) -> Vec<Obligation> {
        templates.sort_by_key(|template| template.order);
        let complete = |template: Template| {
            let known = self.obligations.get(template.order);
            let from = known.map_or(&[][..], |known| known.from.as_slice());
            from.iter()
                .fold(template.obligation, |obligation, (name, from)| {
                    match self.supplied(*from, request, receipts, code) {
                        Some(value) => obligation.with(name, value),
                        None => obligation,
                    }
                })
        };
        templates.into_iter().map(complete).collect()
    }

    fn supplied(
        &self,
        from: Supplied,
        request: &Request,
        receipts: &[&str],
        code: Option<&ReasonCode>,
    ) -> Option<Value> {
        match from {
            Supplied::EmbargoDate => {
                let date = request.text(&["resource", "embargo_until"])?;
                let date = Timestamp::read(date)?.time.date();
                Some(Value::String(date))
            }
            Supplied::Hint => {
                let hint = self.reason(code?.as_str())?.hint.clone()?;
                Some(Value::String(hint))
            }
            Supplied::Receipts if receipts.is_empty() => None,
            Supplied::Receipts => Some(receipts.iter().copied().map(Value::from).collect()),
        }
    }

    /// What each rule of the label says, for `--explain`.
    fn steps(&self, whole: &Whole<'_, '_>) -> Vec<Step> {
        let step = |line: u64, rule: &str, said: &str| Step {
            layer: "labels",
            file: self.file.clone(),
            line: Some(line),
            rule: rule.to_owned(),
            said: said.to_owned(),
        };
        let names = |rule: &Rule| rule.names(&whole.role.name, &whole.action.name);
        let of_rule = |rule: &Rule| {
            let said = match (names(rule), rule.effect) {
                (false, _) => "did not match",
                (true, RuleEffect::Allow) if rule.needs.is_empty() => "allow",
                (true, RuleEffect::Allow) => "allow, where what it needs is there",
                (true, RuleEffect::Deny) => "deny",
            };
            step(rule.line, &rule.id, said)
        };
        let mut steps = vec![step(whole.label.line, &whole.label.name, "is the label")];
        steps.extend(whole.label.rules.iter().map(of_rule));
        steps
    }
}

/// Only governed points may ask, each for what the vocabulary lets it ask for.
fn surface(whole: &Whole<'_, '_>) -> Result<(), Denial> {
    // The request as the sources write it names no point; the governed API is where it comes in.
    let point = whole.request.point().unwrap_or(Point::GovernedApi);
    if whole.action.points.contains(&point) {
        return Ok(());
    }
    let reason = format!(
        "`{}` is not asked for from `{}`",
        whole.action.name,
        point.as_str()
    );
    Err(Denial::new(codes::SURFACE_NOT_GOVERNED, reason))
}

/// A rule that denies beats every rule that allows.
fn not_denied(label: &Label, role: &str, action: &str) -> Result<(), Denial> {
    let denies = label
        .rules
        .iter()
        .find(|rule| rule.effect == RuleEffect::Deny && rule.names(role, action));
    let Some(rule) = denies else { return Ok(()) };
    let code = rule.code.clone().unwrap_or(codes::DEFAULT_DENY);
    Err(Denial::new(
        code,
        format!("the rule `{}` denies it", rule.id),
    ))
}

fn allowing<'l>(label: &'l Label, role: &str, action: &str) -> Option<&'l Rule> {
    let mut rules = label.rules.iter();
    rules.find(|rule| rule.effect == RuleEffect::Allow && rule.names(role, action))
}

/// A copy leaves only where nothing that is to be kept would leave with it (row S2-086).
fn leaves(whole: &Whole<'_, '_>, allowed: &Allowed<'_>) -> Result<(), Denial> {
    let forbids = |template: &&Template| {
        let kind = template.obligation.kind.as_str();
        matches!(kind, "suppress_export" | "force_generalization")
    };
    if whole.action.leaves && allowed.templates.iter().any(forbids) {
        let reason = "an obligation forbids that a copy leaves";
        return Err(Denial::new(codes::EXPORT_SUPPRESSED, reason));
    }
    Ok(())
}

/// Adds an obligation unless one of its type is there; the lists of two become one.
fn add(templates: &mut Vec<Template>, more: Template) {
    let kind = &more.obligation.kind;
    let Some(there) = templates
        .iter_mut()
        .find(|one| one.obligation.kind == *kind)
    else {
        templates.push(more);
        return;
    };
    for (name, value) in more.obligation.parameters {
        join(&mut there.obligation.parameters, &name, value);
    }
}

/// Of two parameters the stricter: all fields of both lists, and of two numbers the larger.
fn join(parameters: &mut Map<String, Value>, name: &str, more: Value) {
    match (parameters.get_mut(name), more) {
        (Some(Value::Array(list)), Value::Array(more)) => {
            for one in more {
                if !list.contains(&one) {
                    list.push(one);
                }
            }
        }
        (Some(Value::Number(number)), Value::Number(more)) => {
            if more.as_f64() > number.as_f64() {
                *number = more;
            }
        }
        (Some(_), _) => {}
        (None, more) => {
            parameters.insert(name.to_owned(), more);
        }
    }
}

/// The embargo of a resource or a piece of evidence.
struct Embargo<'r> {
    until: Option<&'r Value>,
    reviewed: bool,
}

impl<'r> Embargo<'r> {
    fn of(request: &'r Request) -> Self {
        let reviewed = request.get(&["resource", "embargo_reviewed"]);
        Self {
            until: request.get(&["resource", "embargo_until"]),
            reviewed: reviewed == Some(&Value::Bool(true)),
        }
    }

    /// Over from 00:00 UTC of the day after its date, and only where a review has released it.
    fn over(&self, at: Timestamp) -> Result<(), Denial> {
        let date = self.until.and_then(Value::as_str).and_then(Timestamp::read);
        let Some(date) = date.filter(|date| date.date_only || !date.naive) else {
            let reason = "the date of the embargo is missing or no date";
            return Err(Denial::new(codes::EMBARGO_UNREADABLE, reason));
        };
        if at < date.time.next_day() {
            let reason = format!(
                "the embargo lasts until {} is over, in UTC",
                date.time.date()
            );
            return Err(Denial::new(codes::EMBARGO_ACTIVE, reason));
        }
        if !self.reviewed {
            let reason = "no review has released it";
            return Err(Denial::new(codes::EMBARGO_UNREVIEWED, reason));
        }
        Ok(())
    }
}

/// Everything that is wrong with the words of a request.
#[derive(Default)]
struct Wrong {
    codes: Vec<ReasonCode>,
    reasons: Vec<String>,
}

impl Wrong {
    fn add(&mut self, code: ReasonCode, reason: impl Into<String>) {
        if !self.codes.contains(&code) {
            self.codes.push(code);
        }
        self.reasons.push(reason.into());
    }

    /// A part is an object whose members are all listed.
    fn fields(&mut self, request: &Request, part: &str, known: &[String]) {
        let Some(value) = request.get(&[part]) else {
            return;
        };
        let Some(members) = value.as_object() else {
            self.add(codes::REQUEST_SHAPE, format!("`{part}` is no object"));
            return;
        };
        for key in members.keys().filter(|key| !known.contains(key)) {
            let reason = format!("`{part}.{}` is no field", crate::diagnostic::shown(key));
            self.add(codes::FIELD_UNKNOWN, reason);
        }
    }

    fn there<'r>(
        &mut self,
        request: &'r Request,
        path: &[&str],
        code: ReasonCode,
    ) -> Option<&'r str> {
        let text = request.text(path);
        if text.is_none() {
            self.add(code, format!("`{}` is missing, or no text", path.join(".")));
        }
        text
    }

    fn known<'l, T>(
        &mut self,
        word: Option<&str>,
        find: impl Fn(&str) -> Option<&'l T>,
        code: ReasonCode,
    ) -> Option<&'l T> {
        let word = word?;
        let found = find(word);
        if found.is_none() {
            let reason = format!(
                "`{}` is no word of the vocabulary",
                crate::diagnostic::shown(word)
            );
            self.add(code, reason);
        }
        found
    }

    /// One of the fields that identify it is there, and every one that is there is stable.
    fn identity(&mut self, request: &Request, fields: &[String]) {
        let mut is_there = false;
        for field in fields {
            let path = ["resource", field.as_str()];
            if request.get(&path).is_none() {
                continue;
            }
            is_there = true;
            if !request.text(&path).is_some_and(|id| is_stable(field, id)) {
                let reason = format!("`resource.{field}` is no identity that stays");
                self.add(codes::IDENTITY_UNSTABLE, reason);
            }
        }
        if !is_there {
            let reason = format!("none of {} is there", fields.join(", "));
            self.add(codes::IDENTITY_MISSING, reason);
        }
    }

    fn denial(self) -> Denial {
        Denial {
            codes: self.codes,
            reasons: self.reasons,
            alternatives: Vec::new(),
        }
    }
}

/// True for a name of one version: a hash for `spec_hash`, else letters, digits and `.`, `_`, `-`, `:`,
/// `/`, `@`, of which no part is a word for whatever comes next.
pub(super) fn is_stable(field: &str, id: &str) -> bool {
    if field == "spec_hash" {
        let digits = id.strip_prefix("sha256:").unwrap_or(id);
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        return digits.len() == 64 && digits.bytes().all(lower);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte);
    let separators = ['.', '_', '-', ':', '/', '@'];
    id.len() <= 200
        && id.bytes().all(plain)
        && id.bytes().any(|byte| byte.is_ascii_digit())
        && !id
            .split(separators)
            .any(|part| UNSTABLE.contains(&part.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests;
