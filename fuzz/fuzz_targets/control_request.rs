//! What parses as a request to a running gate says the same when it is written again, and asks for nothing beyond its bounds, which
//! are where the documentation has them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_control::{Answer, Request};

fuzz_target!(|line: &str| {
    if let Some(answer) = Answer::parse(line) {
        assert_eq!(Answer::parse(&answer.to_line()), Some(answer));
    }
    let Ok(request) = Request::parse(line) else { return };
    let written = request.to_line();
    assert!(!written.contains('\n'), "a request is one line");
    assert_eq!(Request::parse(&written).expect("it was read before"), request);
    if let Request::Allow(allow) = request {
        assert!(allow.span.is_none_or(|span| is_a_span(span.as_secs())));
        for seconds in [0, 1, LONGEST, LONGEST + 1, u64::MAX] {
            let mut line: serde_json::Value = serde_json::from_str(&written).expect("a request is JSON");
            line["seconds"] = seconds.into();
            assert_eq!(
                Request::parse(&line.to_string()).is_ok(),
                is_a_span(seconds),
                "{line}"
            );
        }
        assert!(!allow.hosts.to_string().starts_with("*:") && allow.hosts.to_string() != "*");
    }
});

const LONGEST: u64 = Request::LONGEST_SPAN.as_secs();

fn is_a_span(seconds: u64) -> bool {
    (1..=LONGEST).contains(&seconds)
}
