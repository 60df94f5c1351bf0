//! The value of a credential, read out of its field.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::names;
use crate::aws::Authorization;

/// What stands at a place. Wiped when dropped, and redacted.
pub(super) enum Shown {
    /// These bytes, without the scheme before them.
    Opaque(Zeroizing<Vec<u8>>),
    /// `Basic` (RFC 7617), decoded.
    Pair {
        user: Zeroizing<Vec<u8>>,
        password: Zeroizing<Vec<u8>>,
    },
    /// A signature with the key of that id; the whole field is beside it.
    Signed {
        key_id: Zeroizing<Vec<u8>>,
        field: Zeroizing<Vec<u8>>,
    },
}

impl Shown {
    /// Bytes as they are. None for nothing but blanks.
    pub(super) fn opaque(value: Zeroizing<Vec<u8>>) -> Option<Self> {
        (!names::trim(&value).is_empty()).then_some(Self::Opaque(value))
    }

    /// The value of a header field. A scheme in front says how to read the rest, and alone it is nothing: what clients send whose
    /// variable is empty.
    pub(super) fn field(value: &[u8]) -> Option<Self> {
        let value = names::trim(value);
        let end = value
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t'))
            .unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        let rest = names::trim(rest);
        if rest.is_empty() && ALONE.iter().any(|alone| scheme.eq_ignore_ascii_case(alone)) {
            return None;
        }
        if rest.is_empty() || !scheme.iter().all(|byte| is_token_byte(*byte)) {
            return Self::opaque(copy(value));
        }
        if scheme.eq_ignore_ascii_case(b"basic") {
            return Self::pair(rest);
        }
        if let Some(key_id) = Authorization::parse(value)
            .ok()
            .map(|signed| copy(signed.key_id().as_bytes()))
        {
            let field = copy(value);
            return Some(Self::Signed { key_id, field });
        }
        Self::opaque(copy(rest))
    }

    /// `Basic`. What cannot be decoded stays as it is, and so is nobody's but foreign; `:` alone is nothing.
    fn pair(encoded: &[u8]) -> Option<Self> {
        let decoded = [STANDARD, URL_SAFE]
            .iter()
            .find_map(|engine| engine.decode(encoded).ok());
        let Some(decoded) = decoded.map(Zeroizing::new) else {
            return Self::opaque(copy(encoded));
        };
        let colon = decoded.iter().position(|byte| *byte == b':');
        let (user, password) = match colon {
            Some(colon) => (&decoded[..colon], &decoded[colon + 1..]),
            None => (&decoded[..], &decoded[decoded.len()..]),
        };
        let (user, password) = (copy(user), copy(password));
        (!(user.is_empty() && password.is_empty())).then_some(Self::Pair { user, password })
    }

    /// The access key id before the first `/` of a scope (`X-Amz-Credential`), else the bytes.
    pub(super) fn parameter(value: Zeroizing<Vec<u8>>, name: &str) -> Option<Self> {
        if !name.eq_ignore_ascii_case("x-amz-credential") {
            return Self::opaque(value);
        }
        let slash = value.iter().position(|byte| *byte == b'/').unwrap_or(value.len());
        let key_id = copy(&value[..slash]);
        (!names::trim(&value).is_empty()).then_some(Self::Signed { key_id, field: value })
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        let (first, second) = match self {
            Self::Opaque(value) => (value, None),
            Self::Pair { user, password } => (user, Some(password)),
            Self::Signed { key_id, field } => (key_id, Some(field)),
        };
        std::iter::once(first).chain(second).map(|value| value.as_slice())
    }

    /// The one value by which a credential is told from others.
    pub(super) fn told(&self) -> &[u8] {
        match self {
            Self::Opaque(value) => value,
            Self::Pair { user, password } if AFTER_A_TOKEN.contains(&password.as_slice()) => user,
            Self::Pair { password, .. } => password,
            Self::Signed { key_id, .. } => key_id,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn copy(value: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(value.to_vec())
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Schemes that carry nothing when they stand alone.
const ALONE: [&[u8]; 3] = [b"bearer", b"basic", b"token"];
/// What stands for the password where the user is the token: `https://TOKEN@github.com`, `https://TOKEN:x-oauth-basic@…`.
const AFTER_A_TOKEN: [&[u8]; 2] = [b"", b"x-oauth-basic"];
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
