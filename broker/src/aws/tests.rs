#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use http::Request;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::Timestamp;

use super::vectors::{VECTORS, Vector};
use super::*;

const PLACEHOLDER: &str = "AKIAPLACEHOLDER22222";
const NOUGHT: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const HOST: &str = "example.amazonaws.com";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn keys(token: Option<&str>) -> Keys {
    let token = token.map(|token| format!(":{token}")).unwrap_or_default();
    Keys::parse(format!("AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY{token}").as_bytes()).unwrap()
}

fn head(method: &str, url: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.body(()).unwrap().into_parts().0
}

fn resign(parts: &mut Parts, body: &[u8], keys: &Keys, now: &str) -> Result<Option<Chunks>, ResignError> {
    let signature = Signature::read(parts).unwrap().unwrap();
    assert_eq!(signature.key_id(), PLACEHOLDER);
    let payload = match signature.payload(parts)? {
        Payload::Unstated => Payload::Stated(PayloadHash::of(body)),
        stated => stated,
    };
    signature.resign(parts, HOST, &payload, keys, at(now))
}

/// As a client signs it that has a placeholder: another key, no token, and a signature that is worth nothing.
fn with_placeholder(authorization: &str) -> String {
    let (rest, _signature) = authorization.split_once("Signature=").unwrap();
    rest.replace("AKIDEXAMPLE", PLACEHOLDER)
        .replace(";x-amz-security-token", "")
        + "Signature="
        + NOUGHT
}

#[test]
fn the_vectors_of_aws_come_out_when_their_requests_are_signed_again() {
    for Vector {
        name,
        method,
        url,
        headers,
        body,
        authorization,
        token,
        ..
    } in VECTORS
    {
        let mut parts = head(method, url, headers);
        parts
            .headers
            .insert(AUTHORIZATION, with_placeholder(authorization).parse().unwrap());
        resign(&mut parts, body.as_bytes(), &keys(*token), "2015-08-30T12:36:00Z").unwrap();
        assert_eq!(parts.headers[AUTHORIZATION], *authorization, "{name}");
        assert!(parts.headers[AUTHORIZATION].is_sensitive());
        let sent = parts
            .headers
            .get("x-amz-security-token")
            .map(|value| value.to_str().unwrap());
        assert_eq!(sent, *token, "{name}");
    }
}

#[test]
fn the_vectors_of_aws_come_out_when_their_presigned_urls_are_signed_again() {
    for Vector {
        name,
        method,
        presigned,
        presigned_headers,
        body,
        token,
        ..
    } in VECTORS
    {
        let (rest, signature) = presigned.rsplit_once("&X-Amz-Signature=").unwrap();
        let kept = rest
            .split('&')
            .filter(|parameter| !parameter.starts_with("X-Amz-Security-Token="));
        let came = kept
            .collect::<Vec<_>>()
            .join("&")
            .replace("AKIDEXAMPLE", PLACEHOLDER);
        let mut parts = head(
            method,
            &format!("{came}&X-Amz-Signature={NOUGHT}"),
            presigned_headers,
        );
        resign(&mut parts, body.as_bytes(), &keys(*token), "2015-08-30T12:40:00Z").unwrap();
        let url = parts.uri.to_string();
        assert!(url.ends_with(signature), "{name}: {url}");
        assert!(
            !url.contains(PLACEHOLDER) && url.contains("=AKIDEXAMPLE%2F"),
            "{name}: {url}"
        );
        assert_eq!(url.contains("X-Amz-Security-Token="), token.is_some(), "{name}");
    }
}

/// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html#example-signature-calculations-streaming>.
fn chunked() -> (Parts, Vec<u8>, Vec<u8>) {
    let signed = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={PLACEHOLDER}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={NOUGHT}"
    );
    let parts = head(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &[
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("authorization", &authorization),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
        ],
    );
    let body = |signatures: [&str; 3]| {
        let mut body = Vec::new();
        for (size, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
            body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
            body.extend(std::iter::repeat_n(b'a', size));
            body.extend_from_slice(b"\r\n");
        }
        body
    };
    let signed = body([
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]);
    (parts, body([NOUGHT; 3]), signed)
}

fn chunks() -> (Parts, Chunks) {
    let (mut parts, ..) = chunked();
    let keys = Keys::parse(b"AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").unwrap();
    let signature = Signature::read(&parts).unwrap().unwrap();
    let payload = signature.payload(&parts).unwrap();
    let chunks = signature.resign(
        &mut parts,
        "s3.amazonaws.com",
        &payload,
        &keys,
        at("2013-05-24T00:00:00Z"),
    );
    (parts, chunks.unwrap().unwrap())
}

#[test]
fn a_body_in_chunks_is_signed_as_aws_has_it_however_it_comes_in_pieces() {
    let (_, came, expected) = chunked();
    for piece in [1, 7, 100, 65_000, came.len()] {
        let (parts, mut chunks) = chunks();
        assert!(
            parts.headers[AUTHORIZATION]
                .to_str()
                .unwrap()
                .ends_with("Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
        );
        let mut out = Vec::new();
        for piece in came.chunks(piece) {
            chunks.push(piece, &mut out).unwrap();
        }
        chunks.finish().unwrap();
        assert_eq!(out.len(), came.len());
        assert!(out == expected, "in pieces of {piece}");
    }
}

#[test]
fn a_body_that_is_not_in_chunks_is_cut() {
    let line = |size: &str| format!("{size};chunk-signature={NOUGHT}\r\n");
    for (wrong, why) in [
        ("hello\r\n".to_owned(), ChunkError::Form),
        (format!("1;chunk-signature={NOUGHT}\nx"), ChunkError::Form),
        (line("g"), ChunkError::Form),
        (line("+1"), ChunkError::Form),
        (line("100000001"), ChunkError::Form),
        (line("1") + "xyz", ChunkError::Form),
        (line("100001"), ChunkError::TooLarge),
        (line("0") + "x\r\n", ChunkError::Form),
        (line("0") + "\r\nmore", ChunkError::End),
        ("x".repeat(2000), ChunkError::Form),
    ] {
        let (_, mut chunks) = chunks();
        assert_eq!(
            chunks.push(wrong.as_bytes(), &mut Vec::new()),
            Err(why),
            "{wrong:.40}"
        );
    }
    let (_, mut chunks) = chunks();
    chunks.push(line("1").as_bytes(), &mut Vec::new()).unwrap();
    assert_eq!(chunks.finish(), Err(ChunkError::End));
}

fn simple(service: &str, headers: &[(&str, &str)]) -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={PLACEHOLDER}/20150830/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature={NOUGHT}"
    );
    let mut all = vec![
        ("authorization", authorization.as_str()),
        ("x-amz-date", "20150830T123600Z"),
    ];
    all.extend(headers);
    head("POST", "/", &all)
}

#[test]
fn what_is_known_of_a_body_is_told() {
    let of = |headers: &[(&str, &str)]| {
        let parts = simple("s3", headers);
        Signature::read(&parts).unwrap().unwrap().payload(&parts)
    };
    let stated = |value: &str| of(&[("x-amz-content-sha256", value)]);
    assert_eq!(of(&[]), Ok(Payload::Unstated));
    for value in [NOUGHT, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
        assert!(matches!(stated(value), Ok(Payload::Stated(_))), "{value}");
    }
    for value in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    ] {
        assert!(matches!(stated(value), Ok(Payload::Chunks(_))), "{value}");
    }
    assert_eq!(
        stated("STREAMING-AWS4-HMAC-SHA256-EVENTS"),
        Err(PayloadError::Events)
    );
    assert_eq!(
        stated("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
        Err(PayloadError::Asymmetric)
    );
    assert_eq!(stated("anything"), Err(PayloadError::Stated));
    assert_eq!(
        of(&[("x-amz-content-sha256", NOUGHT), ("x-amz-content-sha256", NOUGHT)]),
        Err(PayloadError::Stated)
    );
}

#[test]
fn what_the_service_would_refuse_is_refused_with_the_reason() {
    let asked = |host: &str, service: &str, now: &str, headers: &[(&str, &str)]| {
        let mut parts = simple(service, headers);
        let signature = Signature::read(&parts).unwrap().unwrap();
        let payload = Payload::Stated(PayloadHash::of(b""));
        let before = parts.headers[AUTHORIZATION].clone();
        let signed = signature
            .resign(&mut parts, host, &payload, &keys(None), at(now))
            .map(|_| ());
        if signed.is_err() {
            assert_eq!(
                parts.headers[AUTHORIZATION], before,
                "no real key stands in a request that is refused"
            );
        }
        signed
    };
    let now = "2015-08-30T12:36:00Z";
    assert_eq!(asked("sts.us-east-1.amazonaws.com", "sts", now, &[]), Ok(()));
    assert!(matches!(
        asked("sts.eu-west-1.amazonaws.com", "sts", now, &[]),
        Err(ResignError::Endpoint(EndpointError::Region { .. }))
    ));
    assert!(matches!(
        asked("s3.us-east-1.amazonaws.com", "sts", now, &[]),
        Err(ResignError::Endpoint(EndpointError::Service(_)))
    ));
    assert_eq!(
        asked("sts.amazonaws.com", "sts", "2015-08-30T12:52:00Z", &[]),
        Err(MomentError::Skew.into())
    );
    assert_eq!(
        asked(
            "sts.amazonaws.com",
            "sts",
            now,
            &[("x-amz-date", "20150830T123600Z")]
        ),
        Err(MomentError::None.into())
    );
    let mut parts = simple("sts", &[]);
    let signature = Signature::read(&parts).unwrap().unwrap();
    assert_eq!(
        signature
            .resign(
                &mut parts,
                "sts.amazonaws.com",
                &Payload::Unstated,
                &keys(None),
                at(now)
            )
            .err(),
        Some(ResignError::Unhashed)
    );
    parts.headers.remove("x-amz-date");
    parts
        .headers
        .insert("date", "Sun, 30 Aug 2015 12:36:00 GMT".parse().unwrap());
    let missing = signature.resign(
        &mut parts,
        "sts.amazonaws.com",
        &Payload::Stated(PayloadHash::of(b"")),
        &keys(None),
        at(now),
    );
    assert_eq!(missing.err(), Some(ResignError::Header("x-amz-date".into())));
}

#[test]
fn a_signature_in_both_places_is_read_in_neither() {
    let mut parts = simple("s3", &[]);
    parts.uri = VECTORS[0].presigned.parse().unwrap();
    assert_eq!(Signature::read(&parts), Err(AuthorizationError::Element));
    let bare = head("GET", "/?a=b", &[]);
    assert_eq!(Signature::read(&bare), Ok(None));
}

#[test]
fn what_a_proxy_changes_is_not_signed_again_and_no_secret_is_in_debug() {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={PLACEHOLDER}/20150830/us-east-1/sts/aws4_request, SignedHeaders=accept-encoding;host;x-amz-date;x-amz-security-token, Signature={NOUGHT}"
    );
    let mut parts = head(
        "POST",
        "/",
        &[
            ("authorization", &authorization),
            ("x-amz-date", "20150830T123600Z"),
            ("x-amz-security-token", "of the sandbox"),
        ],
    );
    resign(&mut parts, b"", &keys(None), "2015-08-30T12:36:00Z").unwrap();
    let sent = parts.headers[AUTHORIZATION].to_str().unwrap();
    assert!(sent.contains("SignedHeaders=host;x-amz-date, "), "{sent}");
    assert!(!parts.headers.contains_key("x-amz-security-token"));
    let (_, chunks) = chunks();
    assert_eq!(
        format!("{:?} {chunks:?}", keys(Some("token"))),
        "Keys([redacted]) Chunks([redacted])"
    );
}
