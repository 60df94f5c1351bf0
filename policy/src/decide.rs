//! Deciding on connections and requests; on addresses it is `admit`. Every function here lists its checks in their order, because the order is what a reader relies on.

use std::sync::Arc;

use crate::brokered::Brokerage;
use crate::client_certificate::ClientCertificate;
use crate::credential_fault::CredentialFault;
use crate::decision::{Action, ConnectionDecision, Opening, RequestDecision};
use crate::denial::Denial;
use crate::environment::{Environment, Treatment};
use crate::github::{self, Actions, GithubUse, Ground, Undecided};
use crate::host::Host;
use crate::method::Method;
use crate::permit::{ConnectionPermit, Permitted, RequestPermit, RuleName};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rules::Ruling;
use crate::sandbox::{Identity, Sandbox};
use crate::sizes::SizeLimits;
use crate::target::{Scheme, Target};
use crate::trusted_writes::{self, TrustedWrite};

impl Policy {
    /// May this sandbox open this connection, and what is done with it?
    ///
    /// 1. The sandbox's environment is in the policy, and the policy gives it to clients without identity if it has none.
    /// 2. The target is not the parent proxy, which leads everywhere.
    /// 3. It is a service of the GitHub that the sandbox's session works at, over TLS; or
    ///    an entry names the host at this port, the level covers it, or somebody granted it; or the environment learns, and nothing
    ///    but the want of such a line refuses it.
    /// 4. The opening fits the entry: plain TCP is not for HTTP requests.
    ///
    /// A host that is refused is refused before anything is resolved.
    pub fn decide_connection(
        &self,
        sandbox: &Sandbox,
        target: &Target,
        opening: Opening,
    ) -> ConnectionDecision {
        match self.grant(sandbox, target, opening) {
            Err(denial) => ConnectionDecision::Deny(denial),
            Ok((rule, treatment)) => {
                let permit = ConnectionPermit::new(sandbox.clone(), target.clone(), rule, treatment);
                match treatment {
                    Treatment::Intercept => ConnectionDecision::Intercept(permit),
                    Treatment::Forward => ConnectionDecision::Forward(permit),
                    Treatment::Tunnel => ConnectionDecision::Tunnel(permit),
                    Treatment::Stream => ConnectionDecision::Stream(permit),
                }
            }
        }
    }

    /// May this request be sent over this connection? Consumes the action; it comes back inside the permit, or beside the denial.
    ///
    /// 1. The policy grants the connection, as it was granted.
    /// 2. The request is for the connection's host and port, and in the clear only where the connection is.
    /// 3. If a rule names the host, the first rule that matches allows it; for a path with several readings, in all.
    /// 4. Else, if the Trusted list grants the host and the environment does not have `trusted_writes`, it reads, or is one
    ///    of the exceptions of [`trusted_writes`].
    ///
    /// A request that a header asks to take as one with another method must be allowed as both.
    ///
    /// How large it may be comes with the permit, and what the broker has to do with it. What is for the GitHub that the sandbox's
    /// session works at is not decided on by this alone: it has to be understood.
    pub fn decide_request<R>(&self, via: &ConnectionPermit, action: Action<R>) -> RequestDecision<R> {
        match self.rule_for(via, &action) {
            Ok((rule, sizes)) => {
                let shown = self.client_certificate(via, action.scheme);
                let brokerage = self.brokerage(via, &action);
                let permitted = Permitted::new(via.clone(), action, rule, sizes, (shown, brokerage));
                self.undecided(via, permitted)
            }
            Err(denial) => RequestDecision::Deny(denial, action.carried),
        }
    }

    fn undecided<R>(&self, via: &ConnectionPermit, permitted: Permitted<R>) -> RequestDecision<R> {
        let (sandbox, target) = (via.sandbox(), via.target());
        let found = self.githubs.service(sandbox, target);
        match (found, self.environment_of(sandbox)) {
            (Some((github, at, service)), Ok(environment)) => RequestDecision::Understand(Undecided {
                permitted,
                grant: Arc::new(github.grant(at)),
                service,
                ground: self.ground(environment, sandbox, target),
                denial: github::unreasoned(environment),
            }),
            (Some(_), Err(denial)) => RequestDecision::Deny(denial, permitted.into_parts().1),
            (None, _) => RequestDecision::Allow(permitted),
        }
    }

    /// Whether the environment itself allows the host.
    fn ground(&self, environment: &Environment, sandbox: &Sandbox, target: &Target) -> Ground {
        if environment.grant(target).is_ok() || self.granted(sandbox, target).is_some() {
            Ground::Environment
        } else {
            Ground::Session
        }
    }

    /// May a request that was allowed at GitHub be sent on to where GitHub led it: a signed URL, a store of LFS?
    ///
    /// 1. It was allowed at GitHub, for a session, with the session's token or without.
    /// 2. It goes to a host by name, over TLS, which no blocklist names and which is not the parent proxy.
    ///
    /// The URL is GitHub's word, never the sandbox's; the address that it leads to is classified like every other.
    pub fn decide_led(&self, from: &RequestPermit, action: Action<()>) -> Result<RequestPermit, Denial> {
        let sandbox = from.sandbox();
        let environment = self.environment_of(sandbox)?;
        let used = from.github().ok_or_else(|| {
            let target = action.target.clone();
            Denial::of(environment, Reason::Withdrawn { target }, None)
        })?;
        if action.scheme != Scheme::Https {
            let target = action.target;
            return Err(Denial::of(
                environment,
                Reason::PlainConnectionNotAllowed { target },
                None,
            ));
        }
        self.grant_storage(environment, sandbox, &action.target)?;
        let rule = RuleName::GithubStorage(used.grant().at().host.clone());
        let via = ConnectionPermit::new(
            sandbox.clone(),
            action.target.clone(),
            rule.clone(),
            Treatment::Intercept,
        );
        let sizes = environment.sizes.of(&action.target, &action.method);
        let permitted = Permitted::new(via, action, rule, sizes, (None, None));
        let led = GithubUse {
            led_from: Some(used.led_from().unwrap_or(from.target()).clone()),
            ..(**used).clone()
        };
        Ok(permitted.for_github(led).into_parts().0)
    }

    /// Would what a sandbox's session does be allowed at this host of its GitHub? For who asks about what was recorded: no permit comes
    /// of it.
    pub fn would_let_do(&self, sandbox: &Sandbox, at: &Target, actions: &Actions) -> Result<(), Denial> {
        let environment = self.environment_of(sandbox)?;
        let Some((github, session, _)) = self.githubs.service(sandbox, at) else {
            let target = at.clone();
            return Err(Denial::of(environment, Reason::Withdrawn { target }, None));
        };
        let ground = self.ground(environment, sandbox, at);
        let decided = github.grant(session).decide(actions, ground);
        let denial = |refusal| Denial::of(environment, Reason::Github(refusal), None);
        decided.map(drop).map_err(denial)
    }

    /// Would its GitHub lead it to this host? For who asks about what was recorded, too.
    pub fn would_lead_to(&self, sandbox: &Sandbox, to: &Target) -> Result<(), Denial> {
        self.grant_storage(self.environment_of(sandbox)?, sandbox, to)
    }

    fn grant_storage(
        &self,
        environment: &Environment,
        sandbox: &Sandbox,
        target: &Target,
    ) -> Result<(), Denial> {
        not_blocked(environment, target, &target.host)?;
        let of_session = sandbox
            .repository
            .as_ref()
            .and_then(|at| self.githubs.at(&at.host));
        let is_parent = self
            .origins
            .parent_proxy()
            .is_some_and(|parent| parent.is(target));
        if of_session.is_none() || is_parent || target.literal().is_some() {
            let target = target.clone();
            return Err(Denial::of(environment, Reason::Withdrawn { target }, None));
        }
        Ok(())
    }

    /// True while the policy grants what was granted, with the same treatment. Asked again of every policy that is loaded.
    pub fn still_grants(&self, permit: &ConnectionPermit) -> bool {
        self.still_granted(permit).is_ok()
    }

    /// True while the policy would allow the request again. Asked of every policy that is loaded, for a request that goes on: a
    /// WebSocket.
    pub fn still_permits(&self, permit: &RequestPermit) -> bool {
        let action = Action {
            scheme: permit.scheme(),
            target: permit.target().clone(),
            method: permit.method().clone(),
            acts_as: permit.acts_as.clone(),
            writing: permit.writing,
            path: permit.path().clone(),
            carried: (),
        };
        self.rule_for(permit.connection(), &action).is_ok() && self.still_understood(permit)
    }

    /// What was allowed at GitHub is allowed by the rules that are in force, with the same token.
    fn still_understood(&self, permit: &RequestPermit) -> bool {
        let sandbox = permit.sandbox();
        let Some(used) = permit.github() else {
            return true;
        };
        let Some((at, environment)) = sandbox.repository.as_ref().zip(self.environment_of(sandbox).ok())
        else {
            return false;
        };
        let led = matches!(permit.connection().rule(), RuleName::GithubStorage(_));
        let ground = self.ground(environment, sandbox, permit.target());
        let now = self.githubs.at(&at.host).map(|github| github.grant(at));
        now.is_some_and(|now| led || used.is_still_allowed(&now, ground))
    }

    pub(crate) fn environment_of(&self, sandbox: &Sandbox) -> Result<&Environment, Denial> {
        let name = &sandbox.environment;
        let may_be_used = match sandbox.identity {
            Identity::Own => true,
            Identity::Anonymous => self.anonymous_environment.as_ref() == Some(name),
        };
        if !may_be_used {
            return Err(Denial::new(name, Reason::Credential(CredentialFault::Missing)));
        }
        let found = self.environments.get(name);
        found.ok_or_else(|| Denial::new(name, Reason::UnknownEnvironment))
    }

    fn grant(
        &self,
        sandbox: &Sandbox,
        target: &Target,
        opening: Opening,
    ) -> Result<(RuleName, Treatment), Denial> {
        let environment = self.environment_of(sandbox)?;
        not_blocked(environment, target, &target.host)?;
        if self
            .origins
            .parent_proxy()
            .is_some_and(|parent| parent.is(target))
        {
            let target = target.clone();
            return Err(Denial::of(environment, Reason::ParentProxy { target }, None));
        }
        if let Some((github, _, _)) = self.githubs.service(sandbox, target) {
            return grant_github(
                environment,
                target,
                opening,
                RuleName::Github(github.host().clone()),
            );
        }
        let (rule, treatment) = match environment.grant(target) {
            Ok(granted) => granted,
            Err(reason @ Reason::HostPortNotAllowed { .. }) => {
                return Err(Denial::of(environment, reason, None));
            }
            Err(reason) => self
                .granted(sandbox, target)
                .or_else(|| self.learned(sandbox, &reason))
                .ok_or_else(|| Denial::of(environment, reason, None))?,
        };
        match (opening, treatment) {
            (Opening::Unread, treatment) => Ok((rule, treatment)),
            // A pinned certificate is no reason not to read what is in the clear.
            (Opening::Http, Treatment::Intercept | Treatment::Forward | Treatment::Tunnel) => {
                Ok((rule, Treatment::Forward))
            }
            (Opening::Http, Treatment::Stream) => {
                let reason = Reason::StreamOnly {
                    target: target.clone(),
                };
                Err(Denial::of(environment, reason, Some(rule)))
            }
        }
    }

    pub(crate) fn still_granted(&self, permit: &ConnectionPermit) -> Result<RuleName, Denial> {
        if let rule @ RuleName::GithubStorage(_) = permit.rule() {
            let environment = self.environment_of(permit.sandbox())?;
            self.grant_storage(environment, permit.sandbox(), permit.target())?;
            return Ok(rule.clone());
        }
        let opening = match permit.treatment() {
            Treatment::Forward => Opening::Http,
            Treatment::Intercept | Treatment::Tunnel | Treatment::Stream => Opening::Unread,
        };
        let (rule, treatment) = self.grant(permit.sandbox(), permit.target(), opening)?;
        if treatment == permit.treatment() {
            return Ok(rule);
        }
        let reason = Reason::Withdrawn {
            target: permit.target().clone(),
        };
        Err(Denial::of(
            self.environment_of(permit.sandbox())?,
            reason,
            Some(rule),
        ))
    }

    fn client_certificate(&self, via: &ConnectionPermit, scheme: Scheme) -> Option<Arc<ClientCertificate>> {
        let all = self.origins.client_certificates();
        let shown =
            |certificate: &&Arc<ClientCertificate>| certificate.is_for(via.sandbox(), scheme, via.target());
        all.iter().find(shown).cloned()
    }

    fn brokerage<R>(&self, via: &ConnectionPermit, action: &Action<R>) -> Option<Arc<Brokerage>> {
        let environment = self.environment_of(via.sandbox()).ok()?;
        self.brokered.for_request(environment, via, action)
    }

    fn rule_for<R>(
        &self,
        via: &ConnectionPermit,
        action: &Action<R>,
    ) -> Result<(RuleName, SizeLimits), Denial> {
        let environment = self.environment_of(via.sandbox())?;
        let granted_by = self.whose_grant(via.sandbox(), via.target(), self.still_granted(via)?);
        let target = via.target();
        let deny = |reason| Err(Denial::of(environment, reason, None));
        if action.target != *target {
            let named = action.target.to_string();
            return deny(Reason::Fronting {
                target: target.clone(),
                named,
                place: "the request",
            });
        }
        match (via.treatment(), action.scheme) {
            (Treatment::Intercept, _) | (Treatment::Forward, Scheme::Http) => {}
            (Treatment::Forward, Scheme::Https) => {
                let what = "an https request came over a connection in the clear".to_owned();
                return deny(Reason::MalformedRequest { what });
            }
            (Treatment::Tunnel | Treatment::Stream, _) => {
                return deny(Reason::StreamOnly {
                    target: target.clone(),
                });
            }
        }
        let mut sizes = environment.sizes.of(target, &action.method);
        if let Some(other) = &action.acts_as {
            environment.rule_on(action, other, granted_by.clone())?;
            sizes = sizes.and(environment.sizes.of(target, other));
        }
        Ok((environment.rule_on(action, &action.method, granted_by)?, sizes))
    }
}

impl Policy {
    /// What the Trusted list grants for reading, somebody may have granted as a whole.
    fn whose_grant(&self, sandbox: &Sandbox, target: &Target, granted_by: RuleName) -> RuleName {
        if !matches!(granted_by, RuleName::Trusted { .. }) {
            return granted_by;
        }
        self.granted(sandbox, target)
            .map_or(granted_by, |(grant, _)| grant)
    }
}

impl Environment {
    /// Which line allows a request, taken as one with this method, over a connection that `granted_by` allows.
    fn rule_on<R>(
        &self,
        action: &Action<R>,
        method: &Method,
        granted_by: RuleName,
    ) -> Result<RuleName, Denial> {
        match self.rules.decide(&action.target, method, &action.path) {
            Ruling::Allow(rule) => Ok(rule),
            Ruling::Deny(rule, read_as) => {
                let reason = Reason::RuleRefused {
                    target: action.target.clone(),
                    method: method.clone(),
                    path: action.path.to_string(),
                    read_as,
                };
                Err(Denial::of(self, reason, rule))
            }
            Ruling::NotNamed if self.is_for_reading(&granted_by) => {
                self.reading_rule(action, method, granted_by)
            }
            Ruling::NotNamed => Ok(granted_by),
        }
    }

    /// What the Trusted list grants is for reading, unless the environment says otherwise.
    fn is_for_reading(&self, granted_by: &RuleName) -> bool {
        matches!(granted_by, RuleName::Trusted { .. }) && !self.trusted_writes
    }

    fn reading_rule<R>(
        &self,
        action: &Action<R>,
        method: &Method,
        granted_by: RuleName,
    ) -> Result<RuleName, Denial> {
        match trusted_writes::decide(action, method) {
            Ruling::NotNamed => Ok(granted_by),
            Ruling::Allow(rule) => Ok(rule),
            Ruling::Deny(rule, read_as) => {
                let reason = Reason::TrustedWriteRefused {
                    target: action.target.clone(),
                    write: Box::new(TrustedWrite::new(action, method, read_as)),
                };
                Err(Denial::of(self, reason, Some(rule.unwrap_or(granted_by))))
            }
        }
    }
}

/// GitHub is reached over TLS, and its requests are read.
fn grant_github(
    environment: &Environment,
    target: &Target,
    opening: Opening,
    rule: RuleName,
) -> Result<(RuleName, Treatment), Denial> {
    if opening == Opening::Http || target.port != Scheme::Https.default_port() {
        let target = target.clone();
        return Err(Denial::of(
            environment,
            Reason::PlainConnectionNotAllowed { target },
            Some(rule),
        ));
    }
    Ok((rule, Treatment::Intercept))
}

/// What a blocklist names is refused, whatever allows it.
pub(crate) fn not_blocked(environment: &Environment, target: &Target, host: &Host) -> Result<(), Denial> {
    let Some(blocked) = environment.blocked(host) else {
        return Ok(());
    };
    let reason = Reason::Blocklisted {
        target: target.clone(),
        blocked: Box::new(blocked),
    };
    Err(Denial::of(environment, reason, None))
}

#[cfg(test)]
mod tests;
