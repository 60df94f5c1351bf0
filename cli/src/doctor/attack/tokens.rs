//! What clients of the shared proxy show: one credential of each kind that counts, and of each that must not.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use outwall_broker::scoped::{Audience, Issuer, Request, Revoke, Scope, Subject};
use outwall_policy::EnvironmentName;

use super::policy::{NARROW, TRUSTED, TUNNEL};
use crate::failure::{Explain, Failure};
use crate::state_directory::private_directory;

/// Issues them in the stage's state, by the names under which the list has them.
pub(super) fn issue(place: &Path, environment: &str) -> Result<BTreeMap<&'static str, String>, Failure> {
    let now = Timestamp::now();
    let state = place.join("state");
    private_directory(&state).explain("cannot make a directory for the attacks' state")?;
    let ours = Desk::at(&state.join("credentials"))?;
    let good = ours.issue(environment, Audience::Proxy, now)?;
    let revoked = ours.issue(environment, Audience::Proxy, now)?;
    ours.revoke(&revoked, now)?;
    let wide = ours.issue(environment, Audience::Proxy, now)?;
    let [none, hmac] = unsigned(&good);
    Ok(BTreeMap::from([
        ("trusted", ours.issue(TRUSTED, Audience::Proxy, now)?),
        ("tunnel", ours.issue(TUNNEL, Audience::Proxy, now)?),
        ("narrow", ours.issue(NARROW, Audience::Proxy, now)?),
        (
            "expired",
            ours.issue(environment, Audience::Proxy, now - LIFE - LIFE)?,
        ),
        ("early", ours.issue(environment, Audience::Proxy, now + LIFE)?),
        ("git", ours.issue(environment, Audience::Git, now)?),
        (
            "elsewhere",
            Desk::at(&place.join("elsewhere"))?.issue(environment, Audience::Proxy, now)?,
        ),
        ("changed", changed(&good, &wide)),
        ("cut", good[..good.len() - 1].to_owned()),
        ("garbage", "a.b.c".to_owned()),
        ("none", none),
        ("hmac", hmac),
        ("revoked", revoked),
        ("good", good),
        ("wide", wide),
    ]))
}

struct Desk(Issuer);

impl Desk {
    fn at(directory: &Path) -> Result<Self, Failure> {
        private_directory(directory).explain("cannot make a directory for the attacks' credentials")?;
        Ok(Self(Issuer::new(directory)))
    }

    fn issue(&self, environment: &str, audience: Audience, at: Timestamp) -> Result<String, Failure> {
        let environment: EnvironmentName = environment.parse().explain("an environment has no name")?;
        let request = Request {
            audience,
            subject: Subject::New,
            environment,
            scope: Scope::default(),
            life: LIFE,
        };
        let fresh = self.0.issue(&request, at).explain("cannot issue a credential")?;
        Ok(fresh.token.expose().to_owned())
    }

    fn revoke(&self, token: &str, at: Timestamp) -> Result<(), Failure> {
        let what = Revoke::Token(token.to_owned().into());
        self.0
            .revoke(&what, at)
            .explain("cannot revoke a credential")
            .map(drop)
    }
}

/// What another credential says, under the signature of this one.
fn changed(token: &str, other: &str) -> String {
    let payload = |token: &str| token.split('.').nth(1).map(str::to_owned).unwrap_or_default();
    token.replacen(&payload(token), &payload(other), 1)
}

/// The same payload with a header that asks for no signature, and with one that asks for a key which everybody has.
fn unsigned(token: &str) -> [String; 2] {
    let payload = token.split('.').nth(1).unwrap_or_default();
    // `{"alg":"none","typ":"JWT"}` and `{"alg":"HS256","typ":"JWT"}`
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let signed = format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{payload}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[]);
    let tag = hmac::sign(&key, signed.as_bytes());
    [
        none,
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())),
    ]
}

/// How long each is valid.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    #[test]
    fn each_is_another_and_what_is_forged_is_of_the_good_one() {
        let place = tempfile::tempdir().unwrap();
        let tokens = issue(place.path(), "web").unwrap();
        let mut all: Vec<_> = tokens.values().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), tokens.len());
        let mut names = outwall_attacks::TOKENS.to_vec();
        names.sort_unstable();
        assert_eq!(tokens.keys().copied().collect::<Vec<_>>(), names);
        let payload = |name| tokens[name].split('.').nth(1).unwrap();
        assert_eq!(payload("none"), payload("good"));
        assert_eq!(payload("hmac"), payload("good"));
        assert_eq!(payload("changed"), payload("wide"));
    }
}
