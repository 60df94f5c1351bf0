//! AWS Signature Version 4, made again with the real key: the sandbox signs with a placeholder, the gate with what it stands for.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod authorization;
mod scope;
mod signed_headers;

pub use authorization::{Authorization, AuthorizationError};
pub use scope::{Scope, ScopeError};
pub use signed_headers::{SignedHeaders, SignedHeadersError};
