//! Credentials that a client brings of its own.

/// `foreign_credentials`: what is done with a credential at a host that has one here, or a preset, when the broker did not issue it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForeignCredentials {
    /// The request is refused: with a key of the attacker's own, an allowed API is a way out.
    #[default]
    Deny,
    /// It is taken out, and the request sent without.
    Strip,
    /// It is sent: somebody logged in from within a kept home.
    Allow,
}

impl ForeignCredentials {
    /// As written: `deny`, `strip`, `allow`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Strip => "strip",
            Self::Allow => "allow",
        }
    }
}
