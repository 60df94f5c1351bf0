//! Questions to a server of Vault, and what it answers to those that it refuses.

use std::fmt::Write as _;

use serde::Deserialize;
use zeroize::Zeroizing;

use outwall_policy::brokered::ServiceUrl;

use super::super::{Answer, Question, Services, Shown};
use super::VaultError;

pub(super) struct Server<'a> {
    pub(super) services: &'a dyn Services,
    pub(super) url: ServiceUrl,
    pub(super) namespace: Option<String>,
}

/// What Vault answers with every status of 400 and above; `RustyVault` has one of them.
#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    error: Option<String>,
}

impl Server<'_> {
    pub(super) async fn ask(
        &self,
        method: &'static str,
        path: &str,
        token: Option<&str>,
        body: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Answer, VaultError> {
        let plain = |text: &str| Zeroizing::new(text.to_owned());
        let mut headers = vec![
            ("x-vault-request", plain("true")),
            ("accept", plain("application/json")),
        ];
        if let Some(token) = token {
            headers.push(("x-vault-token", plain(token)));
        }
        if let Some(namespace) = &self.namespace {
            headers.push(("x-vault-namespace", plain(namespace)));
        }
        if body.is_some() {
            headers.push(("content-type", plain("application/json")));
        }
        let question = Question {
            method,
            service: self.url.clone(),
            path: path.to_owned(),
            headers,
            body: body.unwrap_or_default(),
        };
        let answer = self.services.ask(question).await?;
        match answer.status {
            300..400 => Err(VaultError::Redirected {
                to: Shown::of(
                    answer.location.as_deref().unwrap_or_default().as_bytes(),
                    &[token.unwrap_or_default().as_bytes()],
                ),
            }),
            status @ (472 | 473 | 503) => Err(VaultError::Sealed { status }),
            _ => Ok(answer),
        }
    }
}

/// What it said was wrong.
pub(super) fn errors(answer: &Answer, secrets: &[&[u8]]) -> Shown {
    let read = serde_json::from_slice::<ErrorAnswer>(&answer.body);
    let said: Vec<String> = read.map_or_else(
        |_| Vec::new(),
        |read| read.errors.into_iter().chain(read.error).collect(),
    );
    Shown::of(said.join("; ").as_bytes(), secrets)
}

/// A status that says nothing about what was asked.
pub(super) fn unexpected(answer: &Answer, secrets: &[&[u8]]) -> VaultError {
    VaultError::Status {
        status: answer.status,
        said: errors(answer, secrets),
    }
}

/// A path as it goes into a request: all but slashes and what RFC 3986 calls unreserved is percent-encoded.
pub(super) fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
