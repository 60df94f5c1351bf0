//! A push that is understood is the same however its body is split; written again it reads as itself; and a reader that takes whatever
//! any server takes finds no ref in it, nor in what is sent on, that was not understood.
#![no_main]
use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::git::{PushCommands, PushReader};

fuzz_target!(|input: &[u8]| {
    let Some((cuts, body)) = input.split_first() else {
        return;
    };
    let whole = read(body, usize::MAX);
    assert_eq!(
        whole,
        read(body, usize::from(*cuts % 64) + 1),
        "a split changes nothing"
    );
    let Some((commands, rest)) = whole else {
        return;
    };
    assert!(!commands.updates.is_empty());
    assert!(body.ends_with(&rest), "what follows is passed on as it is");
    let sent = commands.serialise();
    assert_eq!(read(&sent, usize::MAX), Some((commands.clone(), Vec::new())));
    let understood: BTreeSet<Vec<u8>> = commands
        .updates
        .iter()
        .map(|update| update.name.as_str().as_bytes().to_vec())
        .collect();
    assert_eq!(understood.len(), commands.updates.len(), "each ref once");
    assert_eq!(loosely(&sent), understood);
    assert_eq!(loosely(&body[..body.len() - rest.len()]), understood);
});

fn read(body: &[u8], at_once: usize) -> Option<(PushCommands, Vec<u8>)> {
    let mut reader = PushReader::default();
    let size = at_once.min(body.len().max(1));
    for (at, piece) in body.chunks(size).enumerate() {
        if let Some(commands) = reader.feed(piece).ok()? {
            let fed = (at * size + piece.len()).min(body.len());
            return Some((commands, [&reader.rest()[..], &body[fed..]].concat()));
        }
    }
    None
}

/// Every name of a ref that some server could find: lengths and ids in either case, lines of a certificate, more commands behind a NUL or
/// a line feed, anything behind the flush.
fn loosely(mut bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut names = BTreeSet::new();
    while bytes.len() >= 4 {
        let digits = std::str::from_utf8(&bytes[..4]).ok();
        let length = digits
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .unwrap_or(0);
        let end = length.clamp(4, bytes.len());
        for part in bytes[4..end].split(|byte| b"\0\n".contains(byte)) {
            names.extend(name(part));
        }
        bytes = &bytes[end..];
    }
    names
}

/// `ID ID NAME`, wherever in the text it begins.
fn name(text: &[u8]) -> Option<Vec<u8>> {
    let is_id = |word: &[u8]| word.len() >= 40 && word.iter().all(u8::is_ascii_hexdigit);
    let words: Vec<&[u8]> = text.splitn(3, |byte| *byte == b' ').collect();
    match words.as_slice() {
        [old, new, name] if is_id(old) && is_id(new) => Some(name.to_vec()),
        _ => None,
    }
}
