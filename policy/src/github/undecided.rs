//! A request to GitHub for a session, which has to be understood before it is decided on.

use std::sync::Arc;

use super::action::Actions;
use super::decide::{Ground, TokenUse};
use super::host::GithubService;
use super::session::SessionGrant;
use crate::denial::Denial;
use crate::environment::Environment;
use crate::method::Method;
use crate::path::RequestPath;
use crate::permit::Permitted;
use crate::reason::Reason;
use crate::target::Target;

/// A request to GitHub for a session. It becomes one that may be sent when what it would do was understood, and is allowed.
#[derive(Debug)]
pub struct Undecided<R> {
    pub(crate) permitted: Permitted<R>,
    pub(crate) grant: Arc<SessionGrant>,
    pub(crate) service: GithubService,
    pub(crate) ground: Ground,
    pub(crate) denial: Denial,
}

/// What a request to GitHub asks, before it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedAtGithub {
    /// Which host.
    pub target: Target,
    /// By which method.
    pub method: Method,
    /// Its path, in normal form.
    pub path: RequestPath,
}

/// What a request does at GitHub, and with which token. Comes with its permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubUse {
    pub(crate) grant: Arc<SessionGrant>,
    pub(crate) actions: Actions,
    pub(crate) token: TokenUse,
    pub(crate) details: Vec<String>,
    /// Some where it goes to where GitHub led.
    pub(crate) led_from: Option<Target>,
}

impl<R> Undecided<R> {
    /// What its session may do.
    pub fn grant(&self) -> &Arc<SessionGrant> {
        &self.grant
    }

    /// Which service of GitHub it is for.
    pub fn service(&self) -> GithubService {
        self.service
    }

    /// Whether the environment allows the host, too.
    pub fn ground(&self) -> Ground {
        self.ground
    }

    /// What it carries, and the rest of it.
    pub fn take(self) -> (Undecided<()>, R) {
        let (permit, carried) = self.permitted.into_parts();
        let rest = Undecided {
            permitted: Permitted::from_parts(permit, ()),
            grant: self.grant,
            service: self.service,
            ground: self.ground,
            denial: self.denial,
        };
        (rest, carried)
    }

    /// What is asked. It is not decided on, so that there is no permit to be had.
    pub fn asked(&self) -> AskedAtGithub {
        let permit = self.permitted.permit();
        AskedAtGithub {
            target: permit.target().clone(),
            method: permit.method().clone(),
            path: permit.path().clone(),
        }
    }

    /// May all of it be done? A record of it names the details besides.
    pub fn decide(self, actions: Actions, details: Vec<String>) -> Result<Permitted<R>, Denial> {
        let (grant, denial) = (self.grant, self.denial);
        match grant.decide(&actions, self.ground) {
            Ok(token) => Ok(self.permitted.for_github(GithubUse {
                grant,
                actions,
                token,
                details,
                led_from: None,
            })),
            Err(mut refusal) => {
                refusal.details = details;
                Err(denial.because(Reason::Github(refusal)))
            }
        }
    }

    /// The denial for another reason.
    pub fn denial(&self, reason: Reason) -> Denial {
        self.denial.clone().because(reason)
    }
}

impl GithubUse {
    /// What its session may do.
    pub fn grant(&self) -> &SessionGrant {
        &self.grant
    }

    /// What the request does.
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// What else a record of it names. Nothing secret, and nothing of what was written.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// The host of GitHub that led a request to where this one goes; none where it is that request.
    pub fn led_from(&self) -> Option<&Target> {
        self.led_from.as_ref()
    }

    /// With which token.
    pub fn token(&self) -> TokenUse {
        self.token
    }

    /// Whether what a policy grants now allows the same, with the same token.
    pub(crate) fn is_still_allowed(&self, now: &SessionGrant, ground: Ground) -> bool {
        now.credential() == self.grant.credential() && now.decide(&self.actions, ground) == Ok(self.token)
    }
}

/// What a denial says beside its reason.
pub(crate) fn unreasoned(environment: &Environment) -> Denial {
    Denial::of(
        environment,
        Reason::MalformedRequest { what: String::new() },
        None,
    )
}
