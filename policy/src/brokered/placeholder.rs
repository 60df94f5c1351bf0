//! What a sandbox sees instead of a secret.

/// `placeholder = { env = "NAME", prefix = "sk-ant-api03-", length = 108 }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The variables of the sandbox that hold it. The first one only, where `env` names one.
    pub variables: Vec<String>,
    /// How a secret of that service begins, since its clients look at that.
    pub prefix: String,
    /// Of the random part after it: how many characters. At least [`Alphabet::least`], so that it occurs nowhere by chance.
    pub random: usize,
    /// Of which characters the random part is.
    pub alphabet: Alphabet,
    /// Further variables that its clients need beside it, and what they hold: `TWINE_USERNAME=__token__`. Nothing secret.
    pub companions: Vec<(String, String)>,
}

/// Of which characters the random part of a placeholder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// `A-Z`, `a-z`, `0-9`.
    #[default]
    Alphanumeric,
    /// `A-Z`, `2-7` (RFC 4648 section 6): an access key id of AWS.
    Base32,
}

impl Alphabet {
    /// Its characters.
    pub fn characters(self) -> &'static [u8] {
        match self {
            Self::Alphanumeric => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Self::Base32 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        }
    }

    /// How many characters a random part has at least. An access key id of AWS has room for 16, which is 80 bits.
    pub fn least(self) -> usize {
        match self {
            Self::Alphanumeric => 20,
            Self::Base32 => 16,
        }
    }
}
