//! What can be wrong with the credential that a client shows to say who it is, or that it shows none.

use std::fmt;

use crate::sandbox::EnvironmentName;

/// Why who asks cannot be said, or not any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialFault {
    /// None was shown, and clients without one are refused.
    Missing,
    /// It cannot be read, or was not issued here. What exactly is wrong with it is told to nobody who may be guessing.
    NotOurs,
    /// It was issued here, for another door than this one.
    OtherDoor,
    /// It was issued here, and is not valid yet.
    NotYetValid,
    /// It was issued here, and its time is over.
    Expired,
    /// It was issued here, and has been revoked.
    Revoked,
    /// The connection began with another one, or with none.
    Changed,
    /// Something is wrong on our side: the keys or the list of revoked credentials cannot be read.
    Unavailable,
    /// The same peer has shown too many that are wrong.
    TooManyAttempts,
}

impl CredentialFault {
    /// The stable code, in kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "credential-required",
            Self::NotOurs | Self::OtherDoor | Self::NotYetValid => "credential-refused",
            Self::Expired => "credential-expired",
            Self::Revoked => "credential-revoked",
            Self::Changed => "credential-changed",
            Self::Unavailable => "credentials-unavailable",
            Self::TooManyAttempts => "too-many-attempts",
        }
    }

    /// What to do about it, in the environment if that is known.
    pub fn remedy(self, environment: Option<&EnvironmentName>) -> Option<String> {
        let environment = environment.map_or("ENVIRONMENT", EnvironmentName::as_str);
        let issue = format!("`outwall credential issue --environment {environment}`");
        match self {
            Self::Missing => Some(format!(
                "{issue} prints a credential and the proxy address to use it with; or, to serve whoever can connect, \
                 [proxy] anonymous_environment = \"{environment}\""
            )),
            Self::NotOurs | Self::OtherDoor | Self::Expired | Self::Revoked => {
                Some(format!("{issue} prints another one"))
            }
            Self::NotYetValid => {
                Some("compare the clocks of this machine and of the one that issued it".to_owned())
            }
            Self::Changed => Some("open another connection for another credential".to_owned()),
            Self::Unavailable => {
                Some("the log of the gate says what is wrong with its state directory".to_owned())
            }
            Self::TooManyAttempts => Some("wait a few seconds".to_owned()),
        }
    }
}

/// The middle of a sentence: "… was refused: `{fault}`".
impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "clients have to show a credential, and this one showed none",
            Self::NotOurs => "the credential is none that was issued here",
            Self::OtherDoor => "the credential is for another use",
            Self::NotYetValid => "the credential is not valid yet",
            Self::Expired => "the credential has expired",
            Self::Revoked => "the credential has been revoked",
            Self::Changed => "the connection was opened with another credential",
            Self::Unavailable => "credentials cannot be verified at the moment",
            Self::TooManyAttempts => "too many wrong credentials were shown",
        })
    }
}
