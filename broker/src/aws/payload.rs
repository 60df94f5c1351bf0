//! What a signature says of the body.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use thiserror::Error;

use super::scope::Scope;

/// So much of a body is held to be hashed, in bytes, where a client does not state its hash: every service but storage.
pub const LARGEST_BODY: usize = 8 << 20;

/// What is known of a body before it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The client states its hash, which the service compares, or that it does not sign the body.
    Stated(PayloadHash),
    /// It is signed chunk by chunk, as it comes.
    Chunks(PayloadHash),
    /// Nothing: it has to be held and hashed, with [`PayloadHash::of`].
    Unstated,
}

/// The last line of a canonical request: a hash, or a word in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadHash(String);

/// Why a body cannot be signed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// Two fields, or neither a hash nor a word that is known.
    #[error("`X-Amz-Content-Sha256` is neither one hash nor a word that is known here")]
    Stated,
    /// Signed in a way of its own, message by message.
    #[error(
        "streams of events that are signed one by one are not signed again; use the WebSocket or the bidirectional API with a credential of its own"
    )]
    Events,
    /// `STREAMING-AWS4-ECDSA-…`.
    #[error(
        "the body is signed with SigV4A (several regions at once), which is not made again here; use an endpoint of one region"
    )]
    Asymmetric,
    /// More than is held.
    #[error("the body is longer than {} MiB and the client does not state its hash; send it in parts, or to storage", LARGEST_BODY >> 20)]
    TooLong,
}

impl Payload {
    /// Of a request that is signed in a header.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, PayloadError> {
        let mut stated = headers.get_all(CONTENT_SHA256).iter();
        match (stated.next(), stated.next()) {
            (None, _) => Ok(Self::Unstated),
            (Some(_), Some(_)) => Err(PayloadError::Stated),
            (Some(stated), None) => Self::stated(stated.to_str().map_err(|_| PayloadError::Stated)?),
        }
    }

    /// Of a presigned URL: storage does not sign bodies unless it is said.
    pub(super) fn of_presigned(
        stated: Option<&str>,
        headers: &HeaderMap,
        scope: &Scope,
    ) -> Result<Self, PayloadError> {
        match (stated, Self::of(headers)?) {
            (Some(stated), _) => Self::stated(stated),
            (None, Self::Unstated) if scope.is_storage() => Self::stated(UNSIGNED),
            (None, payload) => Ok(payload),
        }
    }

    fn stated(text: &str) -> Result<Self, PayloadError> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = || PayloadHash(text.to_owned());
        match text {
            _ if is_hash => Ok(Self::Stated(hash())),
            UNSIGNED | "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::Stated(hash())),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Ok(Self::Chunks(hash()))
            }
            "STREAMING-AWS4-HMAC-SHA256-EVENTS" => Err(PayloadError::Events),
            _ if text.starts_with("STREAMING-AWS4-ECDSA") => Err(PayloadError::Asymmetric),
            _ => Err(PayloadError::Stated),
        }
    }
}

impl PayloadHash {
    /// Of a whole body.
    pub fn of(body: &[u8]) -> Self {
        Self(hash(body))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        })
}

pub(super) const CONTENT_SHA256: &str = "x-amz-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
