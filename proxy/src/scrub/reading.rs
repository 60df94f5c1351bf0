//! Whether a response can be read, and its head where it will be sent on decoded.

use http::HeaderMap;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, SEC_WEBSOCKET_EXTENSIONS,
};
use thiserror::Error;

use crate::coding::{Codings, Unreadable};

/// Why a response cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsearchable {
    /// Its coding is none that was asked for, or it is not in that coding.
    #[error("{0}; identity, gzip, br or zstd was asked for")]
    Coding(#[from] Unreadable),
    /// It is in another coding, on top of or instead of `Content-Encoding`.
    #[error("its `{0}` says that it is coded in a way that was not asked for")]
    Field(&'static str),
    /// Something of it would not be a field any more.
    #[error("its WebSocket has extensions, and none was asked for")]
    Extensions,
}

/// How the body of a response with this head can be read; none: as it is.
pub(crate) fn codings_of(headers: &HeaderMap) -> Result<Option<Codings>, Unsearchable> {
    for (name, harmless) in OTHER_CODINGS {
        let mut named = headers
            .get_all(name)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        if named.any(|named| !named.trim_ascii().eq_ignore_ascii_case(harmless.as_bytes())) {
            return Err(Unsearchable::Field(name));
        }
    }
    Ok(Codings::of(headers)?)
}

/// The fields of a head that [`codings_of`] reads.
pub(crate) fn codings_said(headers: &HeaderMap) -> HeaderMap {
    let names = OTHER_CODINGS.iter().map(|(name, _)| *name);
    let mut said = HeaderMap::new();
    for name in names.chain([CONTENT_ENCODING.as_str()]) {
        let values = headers.get_all(name).iter();
        said.extend(values.map(|value| (HeaderName::from_static(name), value.clone())));
    }
    said
}

/// Makes a head that of the body decoded. What is said of the coded bytes is said no more; a tag becomes weak, since it is another
/// representation (RFC 9110 section 8.8.1).
pub(super) fn as_decoded(headers: &mut HeaderMap) {
    for name in [&CONTENT_ENCODING, &CONTENT_LENGTH] {
        headers.remove(name);
    }
    for name in &OF_CODED_BYTES {
        headers.remove(name);
    }
    let weak = headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
        .map(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).expect("it was a field value"));
    if let Some(weak) = weak {
        headers.insert(ETAG, weak);
    }
}

/// Parts were not asked for and cannot be.
pub(super) fn without_ranges(headers: &mut HeaderMap) {
    headers.remove(ACCEPT_RANGES);
}

/// Holds a socket to what it was asked for.
pub(super) fn has_no_extensions(headers: &HeaderMap) -> Result<(), Unsearchable> {
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(Unsearchable::Extensions);
    }
    Ok(())
}

/// Fields that say of a body, or of the messages in it, that they are coded, and the one value that says that they are not.
const OTHER_CODINGS: [(&str, &str); 4] = [
    ("transfer-encoding", "chunked"),
    ("im", "identity"),
    ("grpc-encoding", "identity"),
    ("connect-content-encoding", "identity"),
];
/// RFC 1864, RFC 3230, RFC 9530.
static OF_CODED_BYTES: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_its_twin_is_not() {
        let refused = [
            ("content-encoding", "compress"),
            ("content-encoding", "gzip, dcb"),
            ("transfer-encoding", "gzip, chunked"),
            ("im", "vcdiff"),
            ("grpc-encoding", "gzip"),
            ("connect-content-encoding", "zstd"),
        ];
        for line in refused {
            assert!(codings_of(&head(&[line])).is_err(), "{line:?}");
        }
        assert_eq!(
            codings_said(&head(&refused)),
            head(&refused),
            "and they are all that is read"
        );
        let read = [
            ("content-encoding", "identity"),
            ("transfer-encoding", "Chunked"),
            ("grpc-encoding", "identity"),
        ];
        assert!(codings_of(&head(&read)).is_ok_and(|codings| codings.is_none()));
        let coded = codings_of(&head(&[("content-encoding", "gzip, br")]));
        assert!(coded.is_ok_and(|codings| codings.is_some()));
        assert!(has_no_extensions(&head(&[("sec-websocket-extensions", "permessage-deflate")])).is_err());
        assert!(has_no_extensions(&head(&[("sec-websocket-protocol", "chat")])).is_ok());
    }

    #[test]
    fn a_decoded_body_has_a_head_of_its_own() {
        let mut headers = head(&[
            ("content-encoding", "gzip"),
            ("content-length", "70"),
            ("content-type", "text/plain"),
            ("digest", "md5=x"),
            ("content-md5", "x"),
            ("etag", "\"a\""),
            ("vary", "accept-encoding"),
        ]);
        as_decoded(&mut headers);
        let decoded = [
            ("content-type", "text/plain"),
            ("etag", "W/\"a\""),
            ("vary", "accept-encoding"),
        ];
        assert_eq!(headers, head(&decoded));
        as_decoded(&mut headers);
        assert_eq!(headers, head(&decoded), "weak as it is");
    }
}
