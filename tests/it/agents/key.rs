//! The key of a case, and how a sandbox comes to use it. The one place that knows.

use outwall_tests::credentials::Seeded;

use super::catalogue::Case;

/// A key that opens the stand-in, and nothing anywhere.
pub(super) struct Key(String);

/// How an agent comes by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The person's.
    Own,
}

impl Key {
    /// As the service makes them.
    pub(super) fn of(case: &Case) -> Self {
        let prefix = if case.host == "api.anthropic.com" {
            "sk-ant-api03-"
        } else {
            "sk-proj-"
        };
        let random = Seeded::new(std::process::id().into()).text(LETTERS, 80);
        Self(format!("{prefix}{}", String::from_utf8_lossy(&random)))
    }

    pub(super) fn real(&self) -> &str {
        &self.0
    }
}

impl Access {
    /// More options for `outwall run`.
    pub(super) fn options(self, case: &Case, key: &Key) -> Vec<String> {
        match self {
            Self::Own => vec!["--env".to_owned(), format!("{}={}", case.variable, key.real())],
        }
    }
}

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
