//! What can be done here, whichever interface asks for it.

pub(super) mod commits;
pub(super) mod gists;
pub(super) mod issues;
pub(super) mod pulls;
pub(super) mod refs;

use super::disk::GitRefused;

/// Why something is not done; the text is GitHub's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl Refused {
    pub(super) fn because(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<GitRefused> for Refused {
    fn from(GitRefused(text): GitRefused) -> Self {
        Self(text)
    }
}
