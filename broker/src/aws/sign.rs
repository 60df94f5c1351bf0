//! Keys of a day, and signatures made with them.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::authorization::ALGORITHM;
use super::keys::Keys;
use super::moment::Moment;
use super::payload::{hash, hex};
use super::scope::{END, Scope};

/// The key of a day, region and service:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#derive-signing-key>.
pub(super) struct SigningKey(Key);

impl SigningKey {
    pub(super) fn derive(keys: &Keys, scope: &Scope) -> Self {
        let steps = [scope.day(), scope.region(), scope.service(), END];
        let seed = Key::new(HMAC_SHA256, &keys.seed());
        Self(steps.iter().fold(seed, |key, step| {
            Key::new(HMAC_SHA256, sign(&key, step.as_bytes()).as_ref())
        }))
    }

    /// The signature of a string to sign: 64 hexadecimal digits.
    pub(super) fn sign(&self, text: &str) -> String {
        hex(sign(&self.0, text.as_bytes()).as_ref())
    }
}

/// What is signed of a canonical request.
pub(super) fn string_to_sign(moment: &Moment, scope: &Scope, canonical: &str) -> String {
    format!(
        "{ALGORITHM}\n{}\n{scope}\n{}",
        moment.as_str(),
        hash(canonical.as_bytes())
    )
}
