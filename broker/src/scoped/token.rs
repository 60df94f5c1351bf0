//! The token: three parts of base64url with dots between (RFC 7515, compact form). Made by a [`SigningKey`], read by a [`KeyRing`].
//!
//! A reader does this, in this order, and stops at the first that fails:
//!
//! 1. It is no longer than [`LONGEST_TOKEN`], and has three parts.
//! 2. The first is, byte for byte, the header that we write with one of our keys. So the algorithm and the type are not read: there
//!    is one of each.
//! 3. The third is the signature of the other two by that key.
//! 4. The second is the payload as we write it, of this installation.
//! 5. Its times are in order, and no further apart than [`LONGEST_LIFE`].
//! 6. It is for this door, not early (but for [`CLOCK_SKEW`]) and not late.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use super::claims::{Audience, Claims};
use super::keys::{KeyRing, PublicKey, SigningKey};
use super::{CLOCK_SKEW, LONGEST_LIFE};

/// A token as text: whoever has it is the sandbox. Wiped when dropped, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ScopedToken(Zeroizing<String>);

/// Why a token says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotValid {
    /// Not a token that was issued here.
    #[error("it was not issued here")]
    NotOurs,
    /// For another door.
    #[error("it is for another use")]
    OtherDoor,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYet,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
}

/// No token is longer, in bytes. One for a proxy has about 350; 64 repositories of usual names fit.
pub const LONGEST_TOKEN: usize = 8 * 1024;

impl ScopedToken {
    /// What to hand to whoever is to be the sandbox, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text: to find it again without keeping it.
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        bytes
    }

    pub(crate) fn of(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// Whatever it is worth.
impl From<String> for ScopedToken {
    fn from(text: String) -> Self {
        Self::of(text)
    }
}

impl fmt::Debug for ScopedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopedToken(…)")
    }
}

impl SigningKey {
    /// The token that says `claims`.
    pub(crate) fn sign(&self, claims: &Claims, installation: &str) -> ScopedToken {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.write(installation));
        let mut token = format!("{}.{payload}", self.public().header());
        let signature = self.sign_bytes(token.as_bytes());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        ScopedToken::of(token)
    }
}

impl KeyRing {
    /// What a token says at this door and this moment. Whether it was revoked is not asked here.
    pub fn verify(&self, token: &str, audience: Audience, now: Timestamp) -> Result<Claims, NotValid> {
        let (claims, _key) = self.read_token(token, now).ok_or(NotValid::NotOurs)?;
        if claims.audience != audience {
            return Err(NotValid::OtherDoor);
        }
        claims.check_time(now)?;
        Ok(claims)
    }

    /// What a token says, if it was issued here, whenever and for whatever door.
    pub(crate) fn read_token(&self, token: &str, now: Timestamp) -> Option<(Claims, &PublicKey)> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let key = self.accepted(now).find(|key| key.header() == header)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ED25519, key.bytes())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims = Claims::read(&payload, self.installation())?;
        claims.is_in_order().then_some((claims, key))
    }
}

impl Claims {
    /// Valid for some time, and not for too long.
    fn is_in_order(&self) -> bool {
        self.issued_at <= self.not_before
            && self.not_before < self.expires_at
            && self.expires_at.duration_since(self.issued_at) <= LONGEST_LIFE
    }

    /// A clock that is ahead of ours is forgiven a little; nothing is valid after its end.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), NotValid> {
        if now >= self.expires_at {
            return Err(NotValid::Expired);
        }
        if self.not_before.duration_since(now) > CLOCK_SKEW {
            return Err(NotValid::NotYet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
