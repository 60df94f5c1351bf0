//! By which hash a repository names its objects.

use std::fmt;

use outwall_policy::github::ObjectId;

/// By which hash a repository names its objects (`object-format`, gitprotocol-capabilities(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectFormat {
    /// SHA-1, which is meant where nothing is said.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ObjectFormat {
    /// The format of this word.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }

    /// How git calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// How many hexadecimal digits its ids have.
    pub fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }

    /// The id that is written so, if it is one of this format.
    pub(crate) fn id(self, text: &[u8]) -> Option<ObjectId> {
        let id: ObjectId = std::str::from_utf8(text).ok()?.parse().ok()?;
        (id.digits() == self.digits()).then_some(id)
    }
}

impl fmt::Display for ObjectFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
