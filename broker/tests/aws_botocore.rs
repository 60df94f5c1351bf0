//! A second opinion on signatures: botocore signs the same requests with a placeholder and with real keys, and the gate has to come
//! from the first to the second. Ignored: it needs Python with botocore (`pip install botocore`).
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::process::Command;

use http::Request;
use http::request::Parts;
use jiff::Timestamp;
use outwall_broker::aws::{Keys, LARGEST_BODY, Payload, PayloadHash, Signature};
use serde::Deserialize;

/// One request, as a sandbox signs it and as it should leave.
#[derive(Debug, Deserialize)]
struct Case {
    method: String,
    host: String,
    /// In hexadecimal digits.
    body: String,
    keys: String,
    came: Signed,
    expected: Signed,
}

#[derive(Debug, Deserialize)]
struct Signed {
    url: String,
    headers: Vec<(String, String)>,
}

#[test]
#[ignore = "needs Python with botocore"]
fn requests_that_botocore_signs_with_a_placeholder_leave_as_it_signs_them_with_the_real_key() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sign_with_botocore.py");
    let Ok(output) = Command::new("python3").args([script, "1", CASES]).output() else {
        return eprintln!("SKIPPED: botocore's second opinion: there is no python3");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("No module named 'botocore'") {
        return eprintln!(
            "SKIPPED: botocore's second opinion: it is not installed. hint: pip install botocore"
        );
    }
    assert!(output.status.success(), "{told}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let cases: Vec<Case> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(cases.len().to_string(), CASES);
    for case in &cases {
        check(case);
    }
}

const CASES: &str = "600";

fn check(case: &Case) {
    let mut parts = head(&case.method, &case.came);
    let signature = Signature::read(&parts).unwrap().unwrap();
    assert_eq!(signature.key_id(), "AKIAPLACEHOLDER22222");
    let body = bytes(&case.body);
    assert!(body.len() <= LARGEST_BODY);
    let payload = match signature.payload(&parts).unwrap() {
        Payload::Unstated => Payload::Stated(PayloadHash::of(&body)),
        stated => stated,
    };
    let keys = Keys::parse(case.keys.as_bytes()).unwrap();
    let chunks = signature.resign(&mut parts, &case.host, &payload, &keys, Timestamp::now());
    assert!(chunks.unwrap().is_none());
    let expected = head(&case.method, &case.expected);
    for name in ["authorization", "x-amz-security-token", "x-amz-date"] {
        assert_eq!(
            parts.headers.get(name),
            expected.headers.get(name),
            "{name} of {case:#?}"
        );
    }
    assert_eq!(parameters(&parts), parameters(&expected), "{case:#?}");
}

fn head(method: &str, signed: &Signed) -> Parts {
    let mut request = Request::builder().method(method).uri(&signed.url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

/// In one order: the place of a parameter is nobody's business.
fn parameters(parts: &Parts) -> Vec<&str> {
    let mut parameters: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').collect();
    parameters.sort_unstable();
    parameters
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
