//! Why a request is refused for the credentials in it, or for the one that it was to get.

use std::fmt;

use super::{CredentialName, CredentialPlace};
use crate::sandbox::EnvironmentName;
use crate::target::Target;

/// Why a request is refused for the credentials in it, or for the one that it was to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerRefusal {
    /// It carries a credential that the broker did not issue, to a host where only those are used.
    Foreign {
        /// Where it was to go.
        target: Target,
        /// Where in it the credential stands.
        place: CredentialPlace,
        /// What is used there instead.
        instead: Instead,
    },
    /// What may hold a credential cannot be read.
    Unreadable {
        /// Where it was to go.
        target: Target,
        /// What is wrong.
        what: String,
    },
    /// It carries a placeholder to a host that its credential is not for.
    Elsewhere {
        /// Where it was to go.
        target: Target,
        /// Whose placeholder it is.
        credential: CredentialName,
    },
    /// It carries a placeholder to the right host, and the credential may not be used for such a request.
    NotFor {
        /// Where it was to go.
        target: Target,
        /// Whose placeholder it is.
        credential: CredentialName,
        /// Why not.
        why: NotFor,
    },
    /// It is signed with a placeholder, and cannot be signed again.
    Unsignable {
        /// Where it was to go.
        target: Target,
        /// Whose placeholder it is.
        credential: CredentialName,
        /// What is wrong with it.
        what: String,
    },
    /// The secret that it was to get cannot be had.
    Unavailable {
        /// Where it was to go.
        target: Target,
        /// Whose.
        credential: CredentialName,
        /// Why: never with anything of the secret in it.
        why: String,
    },
}

/// What a client uses at a host where a credential that the broker did not issue is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing of ours is for there.
    Nothing,
    /// The placeholder of this credential.
    Placeholder(CredentialName),
    /// The scoped credential of the session at a GitHub.
    OfTheSession,
}

/// Why a credential may not be used for a request at its own host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotFor {
    /// It is not for that method or path.
    Request,
    /// It is not for that environment.
    Environment,
    /// The request is in the clear.
    Clear,
    /// Nobody knows whose sandbox it is.
    Anonymous,
}

impl BrokerRefusal {
    /// The stable code, in kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "foreign-credential",
            Self::Unreadable { .. } => "unreadable-credential",
            Self::Elsewhere { .. } => "placeholder-elsewhere",
            Self::NotFor { .. } => "credential-not-for-request",
            Self::Unsignable { .. } => "request-not-signed",
            Self::Unavailable { .. } => "credential-unavailable",
        }
    }

    /// What security people should know of it.
    pub fn finding(&self) -> String {
        match self {
            Self::Foreign { place, .. } => format!("{self} (in {place})"),
            Self::Unreadable { .. }
            | Self::Elsewhere { .. }
            | Self::NotFor { .. }
            | Self::Unsignable { .. }
            | Self::Unavailable { .. } => self.to_string(),
        }
    }

    /// Where the request was to go.
    pub fn target(&self) -> &Target {
        match self {
            Self::Foreign { target, .. }
            | Self::Unreadable { target, .. }
            | Self::Elsewhere { target, .. }
            | Self::NotFor { target, .. }
            | Self::Unsignable { target, .. }
            | Self::Unavailable { target, .. } => target,
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self, environment: &EnvironmentName) -> String {
        match self {
            Self::Foreign {
                place,
                instead: Instead::OfTheSession,
                ..
            } => format!(
                "it is in {place}: let the client use what it was given for this session: git has it without being told, and gh in \
                 GH_TOKEN (GH_ENTERPRISE_TOKEN)"
            ),
            Self::Foreign {
                target,
                place,
                instead,
            } => {
                let brokered = match instead {
                    Instead::Placeholder(name) => format!(
                        "let the client use the placeholder of \"{name}\", or none: the gate puts the credential in"
                    ),
                    Instead::Nothing | Instead::OfTheSession => {
                        "name the credential in the policy, [[credentials]], and the gate puts it in".to_owned()
                    }
                };
                format!(
                    "it is in {place}: {brokered}; or, for one that the sandbox may have itself: [environments.{environment}] \
                     foreign_credentials = {{ \"{}\" = \"allow\" }}",
                    target.host
                )
            }
            Self::Unreadable { target, .. } => format!(
                "send it without a coding and shorter; or [environments.{environment}] foreign_credentials = {{ \"{}\" = \"allow\" }}",
                target.host
            ),
            Self::Elsewhere { target, credential } => format!(
                "if the secret itself may go there, add \"{}\" to `hosts` of the credential \"{credential}\"",
                target.host
            ),
            Self::NotFor { credential, why, .. } => match why {
                NotFor::Request => format!("widen `methods` or `paths` of the credential \"{credential}\""),
                NotFor::Environment => {
                    format!("add \"{environment}\" to `environments` of the credential \"{credential}\"")
                }
                NotFor::Clear => "use https".to_owned(),
                NotFor::Anonymous => {
                    format!(
                        "show a credential of your own: `outwall credential issue --environment {environment}`"
                    )
                }
            },
            Self::Unsignable { .. } => {
                "let the client sign with AWS Signature Version 4, for the region of the host, with the clock set".to_owned()
            }
            Self::Unavailable { credential, .. } => {
                format!("`outwall credential check {credential}` says what is wrong with its source")
            }
        }
    }
}

impl fmt::Display for BrokerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.target().host;
        match self {
            // The place is in the remedy. Clients look into an error for the names of headers: told of `x-api-key`, Claude Code says
            // that the key is invalid, and nothing of what it was told.
            Self::Foreign { .. } => write!(
                f,
                "the request has a credential that Outwall did not issue, and {host} is reached with those alone"
            ),
            Self::Unreadable { what, .. } => {
                write!(
                    f,
                    "whether the request to {host} carries a credential cannot be read: {what}"
                )
            }
            Self::Elsewhere { credential, .. } => {
                write!(
                    f,
                    "the request carries the placeholder of \"{credential}\", which is not for {host}"
                )
            }
            Self::NotFor { credential, why, .. } => write!(
                f,
                "the credential \"{credential}\" is for {host}, but not {}",
                match why {
                    NotFor::Request => "for this method and path",
                    NotFor::Environment => "for this environment",
                    NotFor::Clear => "in the clear",
                    NotFor::Anonymous => "for a client without an identity of its own",
                }
            ),
            Self::Unsignable { credential, what, .. } => write!(
                f,
                "the request to {host} cannot be signed with \"{credential}\": {what}"
            ),
            Self::Unavailable { credential, why, .. } => {
                write!(
                    f,
                    "the credential \"{credential}\" for {host} cannot be had: {why}"
                )
            }
        }
    }
}
