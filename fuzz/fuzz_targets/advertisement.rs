//! What a server offers is rewritten the same however it is split; rewritten again it does not change; what leads round the gate is gone,
//! and no ref is lost or added.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::git::{Advertisement, Packet, PktLines, Service};

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let service = if choice & 1 == 0 {
        Service::ReceivePack
    } else {
        Service::UploadPack
    };
    let whole = rewrite(service, bytes, usize::MAX);
    assert_eq!(
        whole,
        rewrite(service, bytes, usize::from(choice / 2 % 32) + 1),
        "a split changes nothing"
    );
    let Some(sent) = whole else {
        return;
    };
    assert_eq!(
        rewrite(service, &sent, usize::MAX).as_ref(),
        Some(&sent),
        "it is rewritten already"
    );
    let (before, after) = (lines(bytes), lines(&sent));
    let offered = after
        .iter()
        .filter(|line| !line.starts_with(b"ERR ")) // what is wrong, for people: a client looks no further
        .find_map(|line| capabilities(line))
        .unwrap_or_default();
    for word in String::from_utf8_lossy(offered).split(' ') {
        for gone in [
            "push-cert",
            "push-options",
            "bundle-uri",
            "packfile-uris",
            "promisor-remote",
            "session-id",
        ] {
            assert!(!word.trim().starts_with(gone), "{word}");
        }
    }
    // Its version comes first, behind the service at the most; a ref may be called anything.
    if after
        .iter()
        .take(2)
        .any(|line| line.strip_suffix(b"\n").unwrap_or(line) == b"version 2")
    {
        for line in &after {
            let line = String::from_utf8_lossy(line);
            assert!(
                !line.starts_with("bundle-uri") && !line.starts_with("promisor-remote"),
                "{line}"
            );
            assert!(
                !line.starts_with("fetch=") || !line.contains("packfile-uris"),
                "{line}"
            );
        }
    } else {
        let named = |lines: &[Vec<u8>]| -> Vec<Vec<u8>> {
            lines
                .iter()
                .map(|line| {
                    line.split(|byte| *byte == 0)
                        .next()
                        .unwrap_or_default()
                        .trim_ascii_end()
                        .to_vec()
                })
                .collect()
        };
        assert_eq!(named(&before), named(&after), "the refs are the same");
    }
});

fn rewrite(service: Service, bytes: &[u8], at_once: usize) -> Option<Vec<u8>> {
    let (mut advertisement, mut sent) = (Advertisement::of(service), Vec::new());
    for piece in bytes.chunks(at_once.min(bytes.len().max(1))) {
        sent.extend(advertisement.feed(piece).ok()?);
    }
    advertisement.end().ok().map(|()| sent)
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut seen) = (PktLines::default(), Vec::new());
    lines.feed(bytes);
    while let Some(packet) = lines.take_next().expect("it was an advertisement") {
        if let Packet::Line(line) = packet {
            seen.push(line.to_vec());
        }
    }
    seen
}

fn capabilities(line: &[u8]) -> Option<&[u8]> {
    line.iter()
        .position(|byte| *byte == 0)
        .map(|nul| &line[nul + 1..])
}
