//! Why a credential cannot be used at this moment.

use std::sync::Arc;

use jiff::Timestamp;
use outwall_policy::brokered::CredentialName;
use thiserror::Error;

use crate::source::SourceError;

/// Why a credential cannot be used at this moment. The chain of sources says more.
#[derive(Clone, Debug, Error)]
pub enum Unavailable {
    /// The policy has none of that name any more.
    #[error("there is no credential `{name}`")]
    Unknown {
        /// The name.
        name: CredentialName,
    },
    /// It was never there, it was taken back, or it could not be fetched again for too long.
    #[error("the secret of the credential `{name}` cannot be fetched")]
    NotFetched {
        /// Whose.
        name: CredentialName,
        /// Why not.
        #[source]
        why: Arc<SourceError>,
    },
    /// It has expired, and there is no newer one.
    #[error("the secret of the credential `{name}` expired at {at}, and there is no newer one")]
    Expired {
        /// Whose.
        name: CredentialName,
        /// When.
        at: Timestamp,
        /// Why there is no newer one; none: it is being fetched.
        #[source]
        why: Option<Arc<SourceError>>,
    },
    /// It is being fetched.
    #[error("the secret of the credential `{name}` is being fetched")]
    Pending {
        /// Whose.
        name: CredentialName,
    },
}

impl Unavailable {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => "ask again: the policy has just been replaced".to_owned(),
            Self::NotFetched { why, .. } | Self::Expired { why: Some(why), .. } => why.remedy(),
            Self::Expired { why: None, .. } | Self::Pending { .. } => "ask again in a moment".to_owned(),
        }
    }
}
