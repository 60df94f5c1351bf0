//! Who may do what: the tokens that this GitHub knows, how requests carry them, and what they open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;

/// A user's token, or one of an installation of an App.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: String,
    pub(super) bearer: Bearer,
}

/// Whose a token is, and what it opens.
#[derive(Clone, Debug)]
pub(super) enum Bearer {
    /// A classic token of a user: all that the user may, within these OAuth scopes.
    User { login: String, scopes: Vec<String> },
    /// A fine-grained token of a user, for every repository: what it may is told nobody. It may not change workflows.
    FineGrained { login: String },
    /// A token that was minted for an installation.
    Installation {
        /// Database ids.
        repositories: BTreeSet<u64>,
        /// As `contents: write`.
        permissions: BTreeMap<String, String>,
    },
}

/// Where an App is installed: what may be minted for it.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    pub(super) app: String,
    /// In DER, as X.509 has it.
    pub(super) public_key: Vec<u8>,
    pub(super) repositories: BTreeSet<u64>,
    pub(super) permissions: BTreeMap<String, String>,
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// It shows nothing.
    Nobody,
    /// It shows something that is no token of ours.
    Stranger,
    /// It shows a token that is known.
    Known(Bearer),
}

/// What is wanted of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Read,
    Write,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    known: Vec<Token>,
    pub(super) installations: BTreeMap<u64, Installation>,
}

impl Tokens {
    pub(super) fn accept(&mut self, secret: &str, bearer: Bearer) {
        let secret = secret.to_owned();
        self.known.push(Token { secret, bearer });
    }

    pub(super) fn revoke(&mut self, secret: &str) {
        self.known.retain(|token| token.secret != secret);
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        self.known.iter().map(|token| token.secret.clone()).collect()
    }

    /// Whoever sends these header fields.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(shown) = headers.get(AUTHORIZATION) else {
            return Caller::Nobody;
        };
        let known = shown.to_str().ok().and_then(secret_of).and_then(|secret| {
            let of = |token: &&Token| token.secret == secret;
            self.known.iter().find(of)
        });
        known.map_or(Caller::Stranger, |token| Caller::Known(token.bearer.clone()))
    }
}

impl Installation {
    /// Whether these header fields carry a JWT that the App signed.
    pub(super) fn signed(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(jwt) = shown.and_then(secret_of) else {
            return false;
        };
        let claims = signed_claims(&jwt, &self.public_key).unwrap_or_default();
        let issuer = match &claims["iss"] {
            Value::String(app) => app.clone(),
            app => app.to_string(),
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        issuer == self.app && claims["exp"].as_u64().is_some_and(|end| end > now)
    }
}

/// The claims of a JWT (RFC 7519) that this key signed with RS256.
fn signed_claims(jwt: &str, public_key: &[u8]) -> Option<Value> {
    let (signed, signature) = jwt.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
    key.verify(signed.as_bytes(), &signature).ok()?;
    let (header, claims) = signed.split_once('.')?;
    let part = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    part(header)
        .filter(|header| header["alg"] == "RS256")
        .and_then(|_| part(claims))
}

/// `Basic` (whatever the user), `token` or `Bearer`.
fn secret_of(shown: &str) -> Option<String> {
    let (scheme, rest) = shown.split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" => Some(rest.to_owned()),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (user, password) = decoded.split_once(':')?;
            // GitHub takes a token as the user's name, too.
            let secret = if matches!(password, "" | "x-oauth-basic") {
                user
            } else {
                password
            };
            Some(secret.to_owned())
        }
        _ => None,
    }
}

impl Caller {
    /// The login of whoever it is.
    pub(super) fn login(&self) -> Option<String> {
        match self {
            Self::Nobody | Self::Stranger => None,
            Self::Known(Bearer::User { login, .. } | Bearer::FineGrained { login }) => Some(login.clone()),
            Self::Known(Bearer::Installation { .. }) => Some("outwall-app[bot]".to_owned()),
        }
    }

    /// Whether it may change workflows: by the `workflow` scope or the `workflows` permission.
    pub(super) fn may_change_workflows(&self) -> bool {
        match self {
            Self::Nobody | Self::Stranger | Self::Known(Bearer::FineGrained { .. }) => false,
            Self::Known(Bearer::User { scopes, .. }) => scopes.iter().any(|scope| scope == "workflow"),
            Self::Known(Bearer::Installation { permissions, .. }) => {
                permissions.get("workflows").is_some_and(|level| level == "write")
            }
        }
    }

    /// Whether it may do this with the `permission` of a repository.
    pub(super) fn may(&self, wanted: Wanted, permission: &str, repository: u64, private: bool) -> bool {
        let reads_public = wanted == Wanted::Read && !private;
        match self {
            Self::Nobody => reads_public,
            Self::Stranger => false,
            Self::Known(Bearer::FineGrained { .. }) => true,
            Self::Known(Bearer::User { scopes, .. }) => {
                let whole = scopes.iter().any(|scope| scope == "repo");
                whole || reads_public || (!private && scopes.iter().any(|scope| scope == "public_repo"))
            }
            Self::Known(Bearer::Installation {
                repositories,
                permissions,
                ..
            }) => {
                let level = permissions.get(permission).map(String::as_str);
                let enough = match wanted {
                    Wanted::Read => level.is_some() || permission == "metadata",
                    Wanted::Write => matches!(level, Some("write" | "admin")),
                };
                reads_public || (repositories.contains(&repository) && enough)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().expect("a header's value"));
        headers
    }

    #[test]
    fn a_token_is_known_in_every_scheme_and_no_other_is() {
        let mut tokens = Tokens::default();
        let scopes = vec!["repo".to_owned()];
        let login = "mona".to_owned();
        tokens.accept("ghp_right", Bearer::User { login, scopes });
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for shown in [
            "token ghp_right".to_owned(),
            "Bearer ghp_right".to_owned(),
            basic("x-access-token:ghp_right"),
            basic("ghp_right:x-oauth-basic"),
        ] {
            assert!(
                matches!(tokens.caller(&headers(&shown)), Caller::Known(_)),
                "{shown}"
            );
        }
        for shown in [
            "token ghp_wrong".to_owned(),
            "Bearer".to_owned(),
            basic("mona:ghp_wrong"),
        ] {
            assert!(
                matches!(tokens.caller(&headers(&shown)), Caller::Stranger),
                "{shown}"
            );
        }
        assert!(matches!(tokens.caller(&HeaderMap::new()), Caller::Nobody));
    }
}
