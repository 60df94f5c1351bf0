//! `policy check`: what would be decided on a URL, by the very same path as on the wire.

use std::net::SocketAddr;

use thiserror::Error;

use crate::decision::{Action, ConnectionDecision, Opening, RequestDecision};
use crate::denial::Denial;
use crate::environment::Treatment;
use crate::method::{Method, MethodError};
use crate::path::{PathError, RequestPath};
use crate::permit::{ConnectionPermit, RuleName};
use crate::policy::{Policy, UnknownEnvironment};
use crate::sandbox::{Sandbox, SandboxId};
use crate::target::{Scheme, Target, TargetError};

/// What would be decided.
#[derive(Clone, Debug)]
pub enum Checked {
    /// It would be sent.
    Allow {
        /// Which line of the policy allows it.
        rule: RuleName,
        /// What is done with the connection.
        treatment: Treatment,
    },
    /// It would be refused.
    Deny(Denial),
}

/// Why nothing can be decided.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckError {
    /// No such environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// Not a method.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// Neither http, https nor tcp.
    #[error("`{0}` is not an http://, https:// or tcp:// URL")]
    Scheme(String),
    /// User name or password in the URL.
    #[error("the URL has a user name or password, which is no part of a target")]
    UserInfo,
    /// Host or port.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The path.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// A URL in the parts that decisions are made on.
struct Parts {
    /// None for `tcp://`.
    scheme: Option<Scheme>,
    target: Target,
    path: RequestPath,
}

impl Policy {
    /// What would be decided on a request with this method to this URL, from a sandbox of this environment (none: the
    /// default one). A URL without scheme is taken for https; `tcp://host:port` asks about the connection alone.
    ///
    /// 1. [`decide_connection`](Self::decide_connection), for a connection of which nothing is read.
    /// 2. [`admit`](Self::admit), where the address is known without resolving: a literal, or a static address.
    /// 3. [`decide_request`](Self::decide_request), if the connection is intercepted.
    ///
    /// What a name resolves to is not asked: that is for the wire.
    pub fn check(&self, environment: Option<&str>, method: &str, url: &str) -> Result<Checked, CheckError> {
        let environment = self.environment(environment)?.name().clone();
        let sandbox = Sandbox::new(SandboxId::from_random([0; 4]), environment);
        let method = Method::parse(method)?;
        let parts = Parts::parse(url)?;
        let (permit, is_read) = match self.decide_connection(&sandbox, &parts.target, Opening::Unread) {
            ConnectionDecision::Deny(denial) => return Ok(Checked::Deny(denial)),
            ConnectionDecision::Tunnel(permit) | ConnectionDecision::Stream(permit) => (permit, false),
            ConnectionDecision::Intercept(permit) | ConnectionDecision::Forward(permit) => (permit, true),
        };
        if let Some(denial) = self
            .known_address(&permit)
            .and_then(|known| self.admit(&permit, known).err())
        {
            return Ok(Checked::Deny(denial));
        }
        match parts.scheme {
            Some(scheme) if is_read => Ok(self.check_request(&permit, scheme, method, parts)),
            Some(_) | None => Ok(Checked::allow(&permit, permit.rule().clone())),
        }
    }

    fn check_request(&self, via: &ConnectionPermit, scheme: Scheme, method: Method, parts: Parts) -> Checked {
        let action = Action::new(scheme, parts.target, method, parts.path, ());
        match self.decide_request(via, action) {
            RequestDecision::Deny(denial, ()) => Checked::Deny(denial),
            RequestDecision::Allow(permitted) => Checked::allow(via, permitted.permit().rule().clone()),
            RequestDecision::Understand(_) => Checked::allow(via, via.rule().clone()), // not without a session
        }
    }

    fn known_address(&self, permit: &ConnectionPermit) -> Option<SocketAddr> {
        let target = permit.target();
        let literal = target.literal().map(|ip| SocketAddr::new(ip, target.port));
        self.static_address(target).or(literal)
    }
}

impl Checked {
    fn allow(permit: &ConnectionPermit, rule: RuleName) -> Self {
        Self::Allow {
            rule,
            treatment: permit.treatment(),
        }
    }
}

impl Parts {
    fn parse(url: &str) -> Result<Self, CheckError> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (parse_scheme(scheme)?, rest),
            None => (Some(Scheme::Https), url),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(CheckError::UserInfo);
        }
        let target = match scheme {
            Some(scheme) => Target::parse_with_default(authority, scheme.default_port())?,
            None => Target::parse(authority)?,
        };
        let path = tail.split(['?', '#']).next().unwrap_or_default();
        let path = RequestPath::parse(if path.is_empty() { "/" } else { path })?;
        Ok(Self { scheme, target, path })
    }
}

fn parse_scheme(scheme: &str) -> Result<Option<Scheme>, CheckError> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Ok(Some(Scheme::Https)),
        "http" | "ws" => Ok(Some(Scheme::Http)),
        "tcp" => Ok(None),
        _ => Err(CheckError::Scheme(scheme.to_owned())),
    }
}
