//! pkt-lines are read the same however they are split, as a plain reading of the whole reads them, and written again they are the same.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::git::{Packet, PktLines, write_line};

fuzz_target!(|input: &[u8]| {
    let Some((cuts, bytes)) = input.split_first() else {
        return;
    };
    let (whole, rest) = read(bytes, usize::MAX);
    assert_eq!(
        whole,
        read(bytes, usize::from(*cuts % 16) + 1).0,
        "a split changes nothing"
    );
    assert_eq!(whole, plain(bytes));
    let Some(rest) = rest else {
        return;
    };
    let mut again = Vec::new();
    for packet in &whole {
        match packet {
            Packet::Flush => again.extend_from_slice(b"0000"),
            Packet::Delimiter => again.extend_from_slice(b"0001"),
            Packet::ResponseEnd => again.extend_from_slice(b"0002"),
            Packet::Line(line) if line.is_empty() => again.extend_from_slice(b"0004"),
            Packet::Line(line) => write_line(&mut again, line),
        }
    }
    assert_eq!(again, bytes[..bytes.len() - rest]);
});

/// What is read before an end or an error, and how much is left where there was no error.
fn read(bytes: &[u8], at_once: usize) -> (Vec<Packet>, Option<usize>) {
    let (mut lines, mut seen) = (PktLines::default(), Vec::new());
    for piece in bytes.chunks(at_once.min(bytes.len().max(1))) {
        lines.feed(piece);
        loop {
            match lines.take_next() {
                Ok(Some(packet)) => seen.push(packet),
                Ok(None) => break,
                Err(_) => return (seen, None),
            }
        }
    }
    (seen, Some(lines.rest().len()))
}

/// By offsets alone.
fn plain(bytes: &[u8]) -> Vec<Packet> {
    let (mut seen, mut at) = (Vec::new(), 0);
    while let Some(digits) = bytes.get(at..at + 4) {
        let lower = digits.iter().all(|digit| b"0123456789abcdef".contains(digit));
        let length = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(length) = length.filter(|_| lower) else {
            break;
        };
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::ResponseEnd,
            4..=65_520 if at + length <= bytes.len() => Packet::Line(bytes[at + 4..at + length].into()),
            _ => break,
        };
        seen.push(packet);
        at += length.max(4);
    }
    seen
}
