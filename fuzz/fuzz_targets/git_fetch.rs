//! The body of a fetch is written anew the same however it is split; written again it does not change; it asks for nothing that is not
//! offered; and the arguments of an archive are options that are known.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::git::{ArchiveRequest, FetchCommand, FetchReader, ProtocolVersion};

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    match choice % 3 {
        0 => fetch(ProtocolVersion::V0, bytes, usize::from(choice / 3)),
        1 => fetch(ProtocolVersion::V2, bytes, usize::from(choice / 3)),
        _ => archive(bytes),
    }
});

fn fetch(version: ProtocolVersion, bytes: &[u8], cuts: usize) {
    let whole = sent_on(version, bytes, usize::MAX);
    assert_eq!(
        whole,
        sent_on(version, bytes, cuts + 1),
        "a split changes nothing"
    );
    let Some((asked, sent)) = whole else {
        return;
    };
    assert_eq!(
        sent_on(version, &sent, usize::MAX),
        Some((asked, sent.clone())),
        "it is written already"
    );
    let text = std::str::from_utf8(&sent).expect("lines are text");
    assert!(!text.chars().any(|one| one.is_control() && one != '\n'));
    for line in text.split('\n') {
        // Without its length.
        let line = line.get(4..).unwrap_or_default();
        for gone in [
            "packfile-uris",
            "server-option",
            "session-id",
            "command=bundle-uri",
        ] {
            assert!(!line.starts_with(gone), "{line}");
        }
    }
}

fn sent_on(version: ProtocolVersion, bytes: &[u8], at_once: usize) -> Option<(FetchCommand, Vec<u8>)> {
    let (mut reader, mut sent) = (FetchReader::new(version), Vec::new());
    for piece in bytes.chunks(at_once.min(bytes.len().max(1))) {
        sent.extend(reader.feed(piece).ok()?);
    }
    reader.end().ok().map(|asked| (asked, sent))
}

fn archive(bytes: &[u8]) {
    let Ok(request) = ArchiveRequest::read(bytes) else {
        return;
    };
    let sent = request.serialise();
    assert_eq!(ArchiveRequest::read(&sent).as_ref(), Ok(&request));
    let text = std::str::from_utf8(&sent).expect("arguments are text");
    let arguments = text
        .split('\n')
        .filter_map(|line| line.get(4..)?.strip_prefix("argument "));
    for argument in arguments.take_while(|argument| *argument != "--") {
        for gone in ["--o", "-o", "--e", "--r", "--add", "--u"] {
            assert!(!argument.starts_with(gone), "{argument}");
        }
    }
}
