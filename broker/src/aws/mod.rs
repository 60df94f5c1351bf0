//! AWS Signature Version 4, made again with the real key.
//!
//! The clients of a sandbox sign with a placeholder: an access key id of the right shape, and a secret that is none. [`Signature`] is
//! what they signed, read strictly; [`Signature::resign`] signs what is about to leave, for the same day, region and service, and
//! over the same headers. The signature that came is not checked, for nothing hangs on it: what is signed is what is sent, whatever
//! the client signed.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! # In order
//!
//! 1. [`Signature::read`] the head; its [`key_id`](Signature::key_id) says whose it is.
//! 2. [`Signature::payload`] says what is known of the body: stated by the client, signed chunk by chunk, or to be hashed, for which
//!    it is held ([`LARGEST_BODY`]).
//! 3. Change what is to be changed in the head. Then [`Signature::resign`] it, and nothing after that.
//! 4. Where chunks are signed, the body passes through the [`Chunks`] that it gave back.

mod authorization;
mod canonical;
mod chunks;
mod endpoint;
mod keys;
mod moment;
mod payload;
mod presigned;
mod resign;
mod scope;
mod sign;
mod signed_headers;

pub use authorization::{Authorization, AuthorizationError};
pub use chunks::{ChunkError, Chunks, LARGEST_CHUNK};
pub use endpoint::EndpointError;
pub use keys::{Keys, KeysError};
pub use moment::MomentError;
pub use payload::{LARGEST_BODY, Payload, PayloadError, PayloadHash};
pub use presigned::Presigned;
pub use resign::{ResignError, Signature};
pub use scope::{Scope, ScopeError};
pub use signed_headers::{SignedHeaders, SignedHeadersError};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
