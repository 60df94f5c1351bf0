//! Doors for the fuzz targets to parsers that are nobody else's business. Not compiled but for them (`--cfg fuzzing`).

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use outwall_audit::Body;
use outwall_policy::{Action, Reason, Scheme, Target};

use crate::{action, excerpt, target};

/// A request without a body.
pub type Bodiless = Request<Empty<Bytes>>;

/// What is recorded of a body that comes in pieces, where at most so much is and it says that it is in this coding.
pub fn written_of(pieces: &[&[u8]], most: usize, coding: Option<&str>) -> Option<Body> {
    excerpt::written_of(pieces, most, coding)
}

/// The target and the length of the first head that an explicit proxy is sent; nothing while it is not complete.
pub fn first_head(bytes: &[u8]) -> Result<Option<(Target, usize)>, Reason> {
    target::first_head(bytes, 64)
}

/// What a request on a connection for `target` asks for, and the authority that it would be sent with.
pub fn request(
    request: Bodiless,
    scheme: Scheme,
    target: Target,
) -> Result<(Action<Bodiless>, String), Reason> {
    let expected = action::Expected::new(scheme, target);
    let authority = expected.authority_for(action::spelled_host(&request)).to_string();
    Ok((action::read(request, &expected)?, authority))
}
