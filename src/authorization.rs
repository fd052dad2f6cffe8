//! May this be done? All layers of policies of a workspace, asked one behind the other, and the one
//! answer that they make together.
//!
//! [`Policies`] are loaded and compiled once; [`Policies::decide`] is then a pure function of a request
//! and its [`Circumstances`], for this program's `decide` as for one that embeds the library. What a
//! layer says is its own business; here is only which layers there are, what stands before all of them
//! (kill switch, tampering, tenant, level), and that nothing is allowed unless a layer allows it.

pub mod journal;
mod level;
mod load;
mod settings;
pub mod tenant;

pub use level::{InForce, in_force};
pub use load::{Unusable, load, needs_tenant, vocabulary};
pub use settings::FILE as SETTINGS;

use crate::ids::{Digest, ReasonCode};
use crate::labels::{self, Labels};
use crate::rego;
use crate::request::envelope::Circumstances;
use crate::request::input::Refused;
use crate::request::{Effect, Envelope, Request, Step, Verdict, codes};
use crate::security;
use crate::spending::{self, Book};
use settings::Settings;
use tenant::Tenant;

/// The members of a request that mean something to every set of policies.
const MEMBERS: &[&str] = &[
    "id",
    "point",
    "action",
    "tenant_id",
    "user",
    "agent",
    "resource",
    "data",
    "context",
    "intent",
];

/// What is known of whoever asks, beside the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The verified tenant.
    pub tenant: Option<&'a Tenant>,
    /// What agents have spent so far; a payment is denied where nobody knows that.
    pub spent: Option<&'a Book>,
}

/// The policies of a workspace, compiled. They can be shared between threads.
///
/// ```
/// use policy_orchestrator::authorization::{Known, Policies};
/// use policy_orchestrator::policy::Level;
/// use policy_orchestrator::request::{Request, envelope::Circumstances};
/// use policy_orchestrator::time::Timestamp;
///
/// let policies = Policies::none();
/// let request = Request::parse(br#"{"action":"read","user":{"role":"public"}}"#).unwrap();
/// let around = Circumstances::undisturbed(Timestamp::EPOCH, Some(Level::GREEN));
/// let envelope = policies.decide(&request, Known::default(), &around);
/// assert!(!envelope.is_allowed());
/// assert_eq!(envelope.reason_codes[0].as_str(), "NO_POLICY_APPLIES");
/// ```
#[derive(Debug)]
pub struct Policies {
    settings: Settings,
    layers: Layers,
    /// The members of a request that mean something here, sorted.
    members: Vec<String>,
    sources: Vec<(String, Digest)>,
    digest: Digest,
}

/// The layers that a workspace has, in the order in which they are asked.
#[derive(Debug, Default)]
struct Layers {
    labels: Option<Labels>,
    security: security::Compiled,
    rego: Vec<rego::Compiled>,
    spending: spending::Policies,
}

impl Layers {
    fn members(&self) -> impl Iterator<Item = &str> {
        let labels = self.labels.iter().flat_map(|_| labels::MEMBERS);
        let security = self.security.members().iter().map(String::as_str);
        let rego = self.rego.iter().flat_map(rego::Compiled::members);
        labels.chain(security).chain(rego)
    }

    fn sources(&self) -> impl Iterator<Item = &(String, Digest)> {
        let labels = self.labels.iter().flat_map(Labels::sources);
        let rego = self.rego.iter().flat_map(rego::Compiled::sources);
        let policies = labels.chain(self.security.sources()).chain(rego);
        policies.chain(self.spending.sources())
    }

    /// What all that are concerned say together; `None` where none is.
    fn judge(
        &self,
        request: &Request,
        spent: Option<&Book>,
        around: &Circumstances,
    ) -> Option<Verdict> {
        let labels = self.labels.as_ref();
        let verdicts = [
            labels.and_then(|labels| labels.judge(request, around)),
            self.security.judge(request, around),
            self.spending.judge(request, around, spent),
        ];
        let rego = self.rego.iter();
        let of_rego = rego.filter_map(|bundle| bundle.judge(request, around));
        let verdicts = verdicts.into_iter().flatten().chain(of_rego);
        verdicts.reduce(Verdict::and)
    }
}

impl Policies {
    /// No policies at all: everything is denied.
    pub fn none() -> Self {
        Self::new(Settings::default(), Layers::default(), Vec::new())
    }

    fn new(settings: Settings, layers: Layers, mut sources: Vec<(String, Digest)>) -> Self {
        sources.extend(layers.sources().cloned());
        sources.sort_by(|one, other| one.0.cmp(&other.0));
        let mut text = String::new();
        for (file, sha256) in &sources {
            text.push_str(&format!("{sha256}  {file}\n"));
        }
        let members = MEMBERS.iter().copied().chain(layers.members());
        let mut members: Vec<String> = members.map(str::to_owned).collect();
        members.sort();
        members.dedup();
        Self {
            settings,
            layers,
            members,
            digest: Digest::of(text.as_bytes()),
            sources,
        }
    }

    /// The files that they were made from, each with its digest, by their paths.
    pub fn sources(&self) -> &[(String, Digest)] {
        &self.sources
    }

    /// The digest of all of them: of lines of digest, two blanks and path, as `sha256sum` writes them.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Decides on a request. Pure and total: whatever is wrong is a denial with its code.
    ///
    /// The kill switch comes first; then the tenant, the level in force, and every layer that the
    /// request concerns. A denial of any of them is the answer.
    pub fn decide(&self, request: &Request, known: Known<'_>, around: &Circumstances) -> Envelope {
        let verdict = self.verdict(request, known, around);
        Envelope::new(request.id(), verdict, Some(self.digest), around)
    }

    fn verdict(&self, request: &Request, known: Known<'_>, around: &Circumstances) -> Verdict {
        if around.stopped {
            return of_program(codes::KILL_SWITCH_ACTIVE, "kill switch", "on", around)
                .because("kill_switch_activated");
        }
        if let Some(member) = self.unknown_member(request) {
            return Verdict::deny(codes::REQUEST_FIELD_UNKNOWN)
                .because(format!("nothing here knows the member `{member}`"));
        }
        let before = [
            tenant::judge(request, known.tenant, self.settings.tenant_required, around),
            self.settings.level.judge(request, around),
        ];
        let layers = self.layers.judge(request, known.spent, around);
        let concerned = layers.or_else(|| {
            let verdict = Verdict::deny(codes::NO_POLICY_APPLIES);
            Some(verdict.because("no policy speaks about such a request"))
        });
        let mut all = before.into_iter().flatten().chain(concerned);
        let first = all
            .next()
            .unwrap_or_else(|| Verdict::deny(codes::DEFAULT_DENY));
        all.fold(first, Verdict::and)
    }

    fn unknown_member<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let mut keys = request.members().keys().map(String::as_str);
        keys.find(|key| {
            self.members
                .binary_search_by(|one| one.as_str().cmp(key))
                .is_err()
        })
    }
}

/// The answer to what is no request, or where the policies can't be used.
pub fn refuse(refused: &Refused, around: &Circumstances) -> Envelope {
    let verdict = Verdict::deny(refused.code.clone()).because(&*refused.message);
    Envelope::new(None, verdict, None, around)
}

/// A denial that the program itself gives.
fn of_program(
    code: ReasonCode,
    rule: &str,
    said: impl Into<String>,
    around: &Circumstances,
) -> Verdict {
    let mut verdict = Verdict::new(Effect::Deny, code);
    if around.explain {
        verdict.steps.push(Step {
            layer: "program",
            file: "[built in]".to_owned(),
            line: None,
            rule: rule.to_owned(),
            said: said.into(),
        });
    }
    verdict
}

#[cfg(test)]
mod tests;
