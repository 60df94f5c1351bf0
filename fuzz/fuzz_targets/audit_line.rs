//! Of a file of the log that `verify` accepts, each line is an event that says its own place, and any one changed byte is refused. What is
//! no log is never accepted as records, and reading it does not panic.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_audit::{Event, verify_bytes};

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first_chunk::<2>() else {
        return;
    };
    let report = verify_bytes(bytes);
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(event) = Event::parse(line) {
            assert_eq!(event.line, line, "an event keeps its line");
        }
    }
    if report.problem.is_some() || report.records == 0 {
        return;
    }
    let text = str::from_utf8(&bytes[..whole]).expect("a record is JSON");
    assert_eq!(text.lines().count() as u64, report.records);
    for (seq, line) in (1..).zip(text.lines()) {
        let value: serde_json::Value = serde_json::from_str(line).expect("a record is JSON");
        assert_eq!(value["seq"], seq);
        assert!(line.ends_with(&format!(
            "\"hash\":\"{}\"}}",
            value["hash"].as_str().expect("a hash")
        )));
    }
    let mut changed = bytes[..whole].to_vec();
    let place = usize::from(u16::from_le_bytes(*choice)) % whole;
    changed[place] ^= 1;
    let after = verify_bytes(&changed);
    assert!(
        after.problem.is_some() || after.torn_bytes > 0,
        "byte {place} was changed unnoticed"
    );
});
