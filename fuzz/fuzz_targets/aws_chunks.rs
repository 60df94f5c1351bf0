//! A body that is signed again chunk by chunk keeps its length and its data, and comes out the same however it is split; what is no
//! such body is refused, however it is split.
#![no_main]
use http::Request;
use http::request::Parts;
use libfuzzer_sys::fuzz_target;
use outwall_broker::aws::{Chunks, Keys, Signature};

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, body) = input;
    let trailer = piece & 1 == 1;
    let whole = signed(trailer, &[body]);
    let pieces: Vec<&[u8]> = body.chunks(usize::from(piece) + 1).collect();
    let split = signed(trailer, &pieces);
    assert_eq!(whole, split);
    if let Some(out) = whole {
        assert_eq!(out.len(), body.len());
        let mut both = out.iter().zip(body);
        assert!(both.all(|(after, before)| is_of_signature(*after, *before) || after.eq_ignore_ascii_case(before)));
    }
});

fn signed(trailer: bool, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut chunks = chunks(trailer);
    let mut out = Vec::new();
    for piece in pieces {
        chunks.push(piece, &mut out).ok()?;
    }
    chunks.finish().ok()?;
    Some(out)
}

fn chunks(trailer: bool) -> Chunks {
    let mut parts = head(trailer);
    let signature = Signature::read(&parts).expect("well-formed").expect("signed");
    let payload = signature.payload(&parts).expect("stated");
    let keys = Keys::parse(b"AKIAREAL:secret").expect("two parts");
    let now = "2013-05-24T00:00:00Z".parse().expect("a time");
    let chunks = signature.resign(&mut parts, "s3.amazonaws.com", &payload, &keys, now);
    chunks.expect("signed again").expect("in chunks")
}

fn head(trailer: bool) -> Parts {
    let kind = if trailer { "-TRAILER" } else { "" };
    let signature = "0".repeat(64);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIA/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={signature}"
    );
    let request = Request::put("/bucket/key")
        .header("authorization", authorization)
        .header("x-amz-date", "20130524T000000Z")
        .header(
            "x-amz-content-sha256",
            format!("STREAMING-AWS4-HMAC-SHA256-PAYLOAD{kind}"),
        );
    request.body(()).expect("a request").into_parts().0
}

/// What may differ: a digit of a signature, by another. The name of the trailer's may differ in case.
fn is_of_signature(after: u8, before: u8) -> bool {
    after.is_ascii_hexdigit() && before.is_ascii_hexdigit()
}
