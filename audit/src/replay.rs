//! Recorded traffic, decided on once more by another policy: what would change. Nothing is sent and nothing is resolved.
//!
//! It decides nothing itself: [`decide`] puts what is recorded to the very functions of `policy` that a gate asks, in the gate's order,
//! and says [`Answer::Unknown`] where the answer turns on something that no record has. Start at [`Replay`].
//!
//! Not asked again, because no record says what it would take: how fast and how much at once (`limits`), how many names below one
//! wildcard, what a body holds (`dlp`), sizes of heads, credentials that a sandbox brings along, whether the token of a session is fit for
//! its rules, and what went wrong on the way.

use std::collections::{BTreeMap, BTreeSet};

use outwall_policy::{
    Action, ConnectionDecision, ConnectionPermit, Denial, EnvironmentName, Opening, Policy, Reason,
    RequestDecision, RequestPath, RequestPermit, Sandbox, SandboxId, Scheme, SizedPart, Target, Treatment,
};

use crate::traffic::{Fate, Passage, RequestWish, Wish};

mod at_github;

/// What a policy says to something recorded.
#[derive(Debug)]
pub enum Answer {
    /// It passes.
    Allow,
    /// It is refused.
    Deny(Denial),
    /// That turns on what is not recorded.
    Unknown(Unknown),
    /// Nobody would ask: GitHub led there for a request that would be refused.
    NotAsked,
}

/// What is not recorded, and would have to be to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unknown {
    /// A part of the path is masked, and rules ask about it.
    MaskedPath,
    /// Where the name leads now: no address is recorded, or one that the policy does not lead to.
    Address,
    /// Whether a request in the clear came as to a proxy.
    Opening,
    /// Whether what was relayed unread can be read.
    Unread,
    /// A credential was put in that the policy does not put in here.
    Credential,
    /// What a session does at its GitHub, or all of it.
    Github,
    /// Whether a push moves a ref forward.
    Forward,
    /// It was refused by what is not asked again.
    Elsewhere,
}

impl Unknown {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::MaskedPath => "masked-path",
            Self::Address => "address",
            Self::Opening => "opening",
            Self::Unread => "unread",
            Self::Credential => "credential",
            Self::Github => "github",
            Self::Forward => "forward",
            Self::Elsewhere => "not-asked-again",
        }
    }

    /// The same as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::MaskedPath => "a part of the path is masked in the log, and rules ask about paths here",
            Self::Address => {
                "the log has no address for it that this policy would dial, and replay resolves no names"
            }
            Self::Opening => {
                "whether the request in the clear came as to a proxy or by redirect is not recorded"
            }
            Self::Unread => {
                "it was relayed unread, and this policy would read it: whether the client bears that is not known"
            }
            Self::Credential => "a credential was put into the request that this policy does not put in here",
            Self::Github => {
                "what the session would have done at its GitHub is not recorded, or not all of it"
            }
            Self::Forward => {
                "whether the push moves the ref forward is not recorded: a gate looks only where `force_push = false`"
            }
            Self::Elsewhere => "it was refused by a check that replay does not make",
        }
    }
}

/// What a policy says to something recorded, from a sandbox of this environment.
///
/// 1. The connection, as [`Policy::decide_connection`] says.
/// 2. The address that was dialled, as [`Policy::admit`] says, where it is known.
/// 3. The request, as [`Policy::decide_request`] says, and its size as far as it is recorded.
pub fn decide(policy: &Policy, environment: &EnvironmentName, passage: &Passage) -> Answer {
    let sandbox = sandbox(environment, passage);
    if let Some((led_from, done)) = at_github::led(passage) {
        return at_github::decide_led(policy, &sandbox, (led_from, passage), done);
    }
    let via = match connect(policy, &sandbox, passage) {
        Ok(via) => via,
        Err(answer) => return answer,
    };
    let answer = match &passage.what {
        Wish::Connection => Answer::Allow,
        Wish::Tunnel | Wish::Stream => unread(&passage.what, via.treatment()),
        Wish::Request(request) => decide_request(policy, &via, request, passage),
    };
    match answer {
        Answer::Allow => admit(policy, &via, passage),
        other => other,
    }
}

fn sandbox(environment: &EnvironmentName, passage: &Passage) -> Sandbox {
    let sandbox = Sandbox::new(passage.sandbox, environment.clone());
    match &passage.session {
        Some(at) => sandbox.working_at(at.clone()),
        None => sandbox,
    }
}

fn connect(policy: &Policy, sandbox: &Sandbox, passage: &Passage) -> Result<ConnectionPermit, Answer> {
    let decided = |opening| match policy.decide_connection(sandbox, &passage.target, opening) {
        ConnectionDecision::Deny(denial) => Err(Answer::Deny(denial)),
        ConnectionDecision::Tunnel(permit)
        | ConnectionDecision::Stream(permit)
        | ConnectionDecision::Intercept(permit)
        | ConnectionDecision::Forward(permit) => Ok(permit),
    };
    let via = decided(Opening::Unread)?;
    let clear = passage
        .request()
        .is_some_and(|request| request.scheme == Scheme::Http);
    match via.treatment() {
        Treatment::Tunnel | Treatment::Stream if clear => Err(Answer::Unknown(Unknown::Opening)),
        _ => Ok(via),
    }
}

/// What is relayed unread may be anything; what is to be read may not.
fn unread(was: &Wish, treatment: Treatment) -> Answer {
    match (was, treatment) {
        (Wish::Tunnel, Treatment::Tunnel | Treatment::Stream) | (Wish::Stream, Treatment::Stream) => {
            Answer::Allow
        }
        _ => Answer::Unknown(Unknown::Unread),
    }
}

fn decide_request(
    policy: &Policy,
    via: &ConnectionPermit,
    request: &RequestWish,
    passage: &Passage,
) -> Answer {
    match via.treatment() {
        Treatment::Tunnel | Treatment::Stream => return Answer::Allow, // its requests are not read
        Treatment::Intercept | Treatment::Forward => {}
    }
    let asked = |path| ask(policy, via, (request, path), passage);
    let decided = match request.path.whole() {
        Some(path) => asked(path),
        None => match alike(policy, via, request) {
            Some(path) => asked(path),
            None => return Answer::Unknown(Unknown::MaskedPath),
        },
    };
    match decided {
        Ok(permit) => within(&permit, passage),
        Err(answer) => answer,
    }
}

fn ask(
    policy: &Policy,
    via: &ConnectionPermit,
    (request, path): (&RequestWish, RequestPath),
    passage: &Passage,
) -> Result<RequestPermit, Answer> {
    let action = Action {
        scheme: request.scheme,
        target: via.target().clone(),
        method: request.method.clone(),
        acts_as: request.acts_as.clone(),
        writing: request.writing,
        path,
        carried: (),
    };
    match policy.decide_request(via, action) {
        RequestDecision::Allow(permitted) => Ok(permitted.into_parts().0),
        RequestDecision::Deny(denial, ()) => Err(Answer::Deny(denial)),
        RequestDecision::Understand(undecided) => at_github::decide(undecided, passage),
    }
}

/// A path on which the policy decides as on every one that the request may have had; none where there is no such path.
///
/// Each glob that is asked about either matches none of them, or matches whatever stands for the unknown parts, be it one segment or,
/// for an origin that decodes `%2F`, several.
fn alike(policy: &Policy, via: &ConnectionPermit, request: &RequestWish) -> Option<RequestPath> {
    let methods = std::iter::once(&request.method).chain(&request.acts_as);
    let globs: BTreeSet<String> = methods
        .flat_map(|method| policy.paths_asked_about(via, method))
        .filter(|glob| request.path.may_match(glob))
        .collect();
    let mut fills = (0..=globs.len()).map(|n| format!("masked{n}")); // one more than globs could have
    let fill = fills.find(|fill| globs.iter().all(|glob| !glob.contains(fill)))?;
    let several = [
        fill.clone(),
        format!("{fill}/{fill}"),
        format!("{fill}/{fill}/{fill}"),
    ];
    let paths: Vec<RequestPath> = several
        .iter()
        .filter_map(|fill| request.path.filled(fill))
        .collect();
    let certain = globs
        .iter()
        .all(|glob| paths.iter().all(|path| outwall_policy::glob_matches(glob, path)));
    certain.then(|| request.path.filled(&fill)).flatten()
}

/// Of the sizes, that of the body is recorded; and which credential was put in.
fn within(permit: &RequestPermit, passage: &Passage) -> Answer {
    let most = permit.sizes().of(SizedPart::Body);
    if let Some(most) = most.filter(|most| passage.bytes_up.is_some_and(|sent| sent > most.most())) {
        return Answer::Deny(Denial::too_large(
            permit.connection().environment(),
            passage.target.clone(),
            most,
        ));
    }
    let Some(used) = passage.credential.as_ref().filter(|_| permit.github().is_none()) else {
        return Answer::Allow; // a session's is the one that its GitHub is configured with
    };
    let put_in = permit.brokerage().is_some_and(|brokerage| {
        let mut usable = brokerage.usable();
        usable.any(|credential| credential.name().as_str() == used)
    });
    if put_in {
        Answer::Allow
    } else {
        Answer::Unknown(Unknown::Credential)
    }
}

fn admit(policy: &Policy, via: &ConnectionPermit, passage: &Passage) -> Answer {
    if policy.parent_for(via.target()).is_some() || via.host_port().is_some() {
        return Answer::Allow; // nothing is dialled but what the file names
    }
    let known = passage.address.or_else(|| policy.static_address(via.target()));
    let Some(address) = known else {
        // What was not dialled failed before, or was refused by name: there is nothing to admit.
        return match &passage.outcome {
            Fate::Refused { reason } if reason == "address-refused" => Answer::Unknown(Unknown::Address),
            Fate::Passed { .. } | Fate::Refused { .. } => Answer::Allow,
        };
    };
    match policy.admit(via, address) {
        Ok(_) => Answer::Allow,
        Err(denial) if matches!(denial.reason(), Reason::AddressMismatch { .. }) => {
            Answer::Unknown(Unknown::Address)
        }
        Err(denial) => Answer::Deny(denial),
    }
}

/// Adds up what would change.
#[derive(Debug, Default)]
pub struct Replay {
    /// What passed and would pass.
    pub still_allowed: u64,
    /// What was refused and would be refused.
    pub still_refused: u64,
    /// What passed, and nobody would ask for: GitHub led there for a request that would be refused.
    pub not_asked: u64,
    /// What passed and would be refused.
    pub newly_refused: Changes,
    /// What was refused and would pass.
    pub newly_allowed: Changes,
    /// What nobody can say.
    pub undecidable: Changes,
}

/// Changes of one kind, by what they are about.
pub type Changes = BTreeMap<About, Seen>;

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// Where it was to go.
    pub target: Target,
    /// Method and path; none where the connection itself is decided on, for a gate reads nothing of it then.
    pub request: Option<(String, String)>,
    /// What it does at the GitHub that its session works at, as the log has it.
    pub does: Vec<String>,
    /// Code of the reason.
    pub reason: String,
}

/// How often, and what is said about it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How many times.
    pub times: u64,
    /// Of which sandboxes, the first few.
    pub sandboxes: BTreeSet<SandboxId>,
    /// Of which environments.
    pub environments: BTreeSet<EnvironmentName>,
    /// The reason as a sentence.
    pub message: String,
    /// What an operator changes.
    pub remedy: Option<String>,
    /// The line of the policy that refuses, where one does.
    pub rule: Option<String>,
}

impl Replay {
    /// Adds a passage, from a sandbox of this environment.
    pub fn add(&mut self, policy: &Policy, environment: &EnvironmentName, passage: &Passage) {
        let answer = decide(policy, environment, passage);
        match (answer, &passage.outcome) {
            (Answer::Allow, Fate::Passed { .. }) => self.still_allowed += passage.times,
            (Answer::Deny(_), Fate::Refused { .. }) => self.still_refused += passage.times,
            (Answer::Deny(denial), Fate::Passed { .. }) => {
                let about = About::refused(passage, &denial);
                let said = || {
                    Seen::of(
                        denial.to_string(),
                        denial.remedy(),
                        denial.rule().map(ToString::to_string),
                    )
                };
                note(&mut self.newly_refused, about, environment, passage, said);
            }
            (Answer::Allow, Fate::Refused { reason }) if is_policys(reason) => {
                let about = About::of(passage, reason);
                let said = || Seen::of("it was refused and would pass".into(), None, None);
                note(&mut self.newly_allowed, about, environment, passage, said);
            }
            (Answer::Allow, Fate::Refused { .. }) => self.undecided(Unknown::Elsewhere, environment, passage),
            (Answer::NotAsked, _) => self.not_asked += passage.times,
            (Answer::Unknown(why), _) => self.undecided(why, environment, passage),
        }
    }

    fn undecided(&mut self, why: Unknown, environment: &EnvironmentName, passage: &Passage) {
        let about = About::of(passage, why.code());
        let said = || Seen::of(why.sentence().into(), None, None);
        note(&mut self.undecidable, about, environment, passage, said);
    }
}

fn note(
    changes: &mut Changes,
    about: About,
    environment: &EnvironmentName,
    passage: &Passage,
    said: impl FnOnce() -> Seen,
) {
    let seen = changes.entry(about).or_insert_with(said);
    seen.times += passage.times;
    if seen.sandboxes.len() < MOST_SANDBOXES {
        seen.sandboxes.insert(passage.sandbox);
    }
    if !seen.environments.contains(environment) {
        seen.environments.insert(environment.clone());
    }
}

impl About {
    fn of(passage: &Passage, reason: &str) -> Self {
        let request = passage
            .request()
            .map(|request| (request.method.to_string(), request.path.to_string()));
        Self {
            target: passage.target.clone(),
            request,
            does: at_github::does(passage),
            reason: reason.to_owned(),
        }
    }

    /// Where the connection is refused, no request is read.
    fn refused(passage: &Passage, denial: &Denial) -> Self {
        let mut about = Self::of(passage, denial.code());
        if is_of_the_connection(denial.reason()) {
            about.request = None;
            about.does.clear();
        }
        about
    }
}

impl Seen {
    fn of(message: String, remedy: Option<String>, rule: Option<String>) -> Self {
        Self {
            times: 0,
            sandboxes: BTreeSet::new(),
            environments: BTreeSet::new(),
            message,
            remedy,
            rule,
        }
    }
}

/// Of what [`Policy::decide_connection`] refuses with.
fn is_of_the_connection(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownEnvironment
            | Reason::NetworkNone { .. }
            | Reason::HostNotAllowed { .. }
            | Reason::PortNotAllowed { .. }
            | Reason::LiteralNotAllowed { .. }
            | Reason::HostPortNotAllowed { .. }
            | Reason::ParentProxy { .. }
            | Reason::Blocklisted { .. }
    )
}

/// Whether the policy alone refused it, so that another policy may allow it.
pub(crate) fn is_policys(reason: &str) -> bool {
    OF_THE_POLICY.contains(&reason)
}

const OF_THE_POLICY: [&str; 19] = [
    "unknown-environment",
    "network-none",
    "host-not-allowed",
    "blocklisted",
    "port-not-allowed",
    "literal-not-allowed",
    "host-port-not-allowed",
    "address-refused",
    "rule-refused",
    "trusted-write-refused",
    "stream-only",
    "parent-proxy",
    "body-too-large",
    "withdrawn",
    "github-ref-refused",
    "github-repository-refused",
    "github-workflow-refused",
    "github-pull-request-refused",
    "github-operation-refused",
];

/// Enough to ask about.
const MOST_SANDBOXES: usize = 8;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
