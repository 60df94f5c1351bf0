//! A server's report is read the same however it is split, and as a plain reading of its lines reads it; and a refusal of ours, whatever
//! it says, is read as one of each ref, and has nothing that a terminal obeys.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::Refusal;
use outwall_git_proxy::git::{
    OutcomeReader, PushCommands, PushOutcome, PushReader, PushRefusal, RefOutcome, ReportForm, write_line,
};

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let capabilities = ["report-status", "report-status-v2 side-band-64k", ""][usize::from(choice % 3)];
    let commands = commands(capabilities);
    let whole = read(&commands, bytes, usize::MAX);
    assert_eq!(
        whole,
        read(&commands, bytes, usize::from(choice / 3 % 16) + 1),
        "a split changes nothing"
    );
    let named: Vec<&str> = whole.refs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["refs/heads/x", "refs/heads/main"]);
    if capabilities == "report-status" {
        plainly(bytes, &whole);
    }
    refused(&commands, &String::from_utf8_lossy(bytes));
});

fn commands(capabilities: &str) -> PushCommands {
    let (mut body, id) = (Vec::new(), "a".repeat(40));
    write_line(
        &mut body,
        format!("{id} {} refs/heads/x\0{capabilities}", "b".repeat(40)).as_bytes(),
    );
    write_line(
        &mut body,
        format!("{id} {} refs/heads/main", "c".repeat(40)).as_bytes(),
    );
    body.extend_from_slice(b"0000");
    PushReader::default()
        .feed(&body)
        .expect("a push")
        .expect("all of it")
}

fn read(commands: &PushCommands, answer: &[u8], at_once: usize) -> PushOutcome {
    let mut reader = OutcomeReader::new(commands);
    for piece in answer.chunks(at_once.min(answer.len().max(1))) {
        reader.feed(piece);
    }
    reader.end()
}

/// The last word on each ref, by lengths that are as git writes them.
fn plainly(mut bytes: &[u8], outcome: &PushOutcome) {
    let mut said = [0, 0];
    while let Some(digits) = bytes
        .get(..4)
        .filter(|digits| digits.iter().all(|digit| b"0123456789abcdef".contains(digit)))
    {
        let length = usize::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits");
        if length == 3 || length > 65_520 || length.max(4) > bytes.len() {
            break;
        }
        let line = bytes[4..length.max(4)]
            .strip_suffix(b"\n")
            .unwrap_or(&bytes[4..length.max(4)]);
        for (at, name) in ["refs/heads/x", "refs/heads/main"].iter().enumerate() {
            let rejected = format!("ng {name}");
            if line == format!("ok {name}").as_bytes() {
                said[at] = 1;
            } else if line == rejected.as_bytes() || line.starts_with(format!("{rejected} ").as_bytes()) {
                said[at] = 2;
            }
        }
        bytes = &bytes[length.max(4)..];
    }
    let read = outcome.refs.iter().map(|(_, outcome)| match outcome {
        RefOutcome::Unknown => 0,
        RefOutcome::Updated => 1,
        RefOutcome::Rejected(_) => 2,
    });
    assert_eq!(read.collect::<Vec<_>>(), said);
}

fn refused(commands: &PushCommands, message: &str) {
    let refusal = Refusal {
        code: "code",
        message: message.to_owned(),
        remedy: message.to_owned(),
    };
    let form = ReportForm::of(&commands.capabilities);
    let answer = PushRefusal::of_all(commands, &refusal).answer(form);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        !text
            .chars()
            .any(|one| one.is_control() && !"\n\u{1}\u{2}".contains(one)),
        "{text}"
    );
    if form == ReportForm::None {
        assert_eq!(answer.status, 403, "200 would mean that all went well");
    } else {
        let outcome = read(commands, &answer.body, usize::MAX);
        assert!(
            outcome
                .refs
                .iter()
                .all(|(_, outcome)| matches!(outcome, RefOutcome::Rejected(_)))
        );
    }
}
