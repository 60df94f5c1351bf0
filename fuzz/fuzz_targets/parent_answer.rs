//! The answer of a parent proxy is complete at one length and no earlier, says what its first line does, and nothing of it can
//! steer a terminal or a record.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_proxy::parent_answer::{LONGEST, ParentAnswer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(answer)) = ParentAnswer::parse(bytes) else {
        return;
    };
    assert!(answer.length <= bytes.len().min(LONGEST));
    assert!((100..=999).contains(&answer.status));
    assert!(answer.reason.len() <= 80 && answer.reason.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let head = &bytes[..answer.length];
    assert!(head.ends_with(b"\n"));
    assert_eq!(
        ParentAnswer::parse(head),
        Ok(Some(answer.clone())),
        "what follows the head is no part of it"
    );
    for end in 0..answer.length {
        let earlier = ParentAnswer::parse(&bytes[..end]);
        assert!(
            matches!(earlier, Ok(None)),
            "complete at {end} already: {earlier:?}"
        );
    }
    // A second reader: the status is what stands after the first space.
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| !line.is_empty() && *line != b"\r");
    let status = line.and_then(|line| line.split(|byte| *byte == b' ').nth(1));
    let status = status.and_then(|digits| std::str::from_utf8(digits).ok());
    let status = status.and_then(|digits| digits.trim_end_matches('\r').parse::<u16>().ok());
    assert_eq!(status, Some(answer.status));
});
