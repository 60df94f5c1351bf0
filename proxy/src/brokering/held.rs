//! A body that is held until all of it is there, because it must be read before anything of it may leave.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;

use crate::arriving::Arriving;
use crate::http_error::HttpError;

/// A body, as far as it was waited for.
pub(crate) enum Read {
    /// All of it.
    Whole(Bytes, Option<HeaderMap>),
    /// It is longer than is held.
    TooLong,
}

/// Waits for all of a body of at most `most` bytes. Its patience is that of the request.
pub(crate) async fn hold(mut body: Arriving, most: usize) -> Result<Read, HttpError> {
    let (mut bytes, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) if bytes.len() + data.len() > most => return Ok(Read::TooLong),
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Read::Whole(bytes.freeze(), trailers))
}
