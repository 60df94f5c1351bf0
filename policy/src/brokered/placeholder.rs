//! What a sandbox sees instead of a secret.

/// `placeholder = { env = "NAME", prefix = "sk-ant-api03-", length = 108 }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The variables of the sandbox that hold it. The first one only, where `env` names one.
    pub variables: Vec<String>,
    /// How a secret of that service begins, since its clients look at that.
    pub prefix: String,
    /// Of the random part after it: so many of `A-Z`, `a-z`, `0-9`. At least 20, so that it occurs nowhere by chance.
    pub random: usize,
}
