//! What parses as a request to a running gate says the same when it is written again, and asks for nothing beyond its bounds.
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
        assert!(
            allow
                .span
                .is_none_or(|span| !span.is_zero() && span <= Request::LONGEST_SPAN)
        );
        assert!(!allow.hosts.to_string().starts_with("*:") && allow.hosts.to_string() != "*");
    }
});
