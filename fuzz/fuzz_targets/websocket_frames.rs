//! A client's WebSocket frames are read the same however they are split; what is read is what a plain reading of the whole finds;
//! and nothing is made up.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_proxy::websocket::{FrameError, Frames};

/// Opcode and payload of each frame, the last one perhaps in part.
type Read = (Vec<(u8, Vec<u8>)>, Result<(), FrameError>);

fuzz_target!(|input: &[u8]| {
    let Some((cuts, bytes)) = input.split_first() else {
        return;
    };
    let whole = read(bytes, usize::MAX);
    let split = read(bytes, usize::from(*cuts % 16) + 1);
    assert_eq!(whole, split, "a split changes nothing");
    let payload: usize = whole.0.iter().map(|(_, payload)| payload.len()).sum();
    assert!(
        payload + 6 * whole.0.len() <= bytes.len() + 6,
        "more payload than there are bytes"
    );
    if whole.1.is_ok() {
        assert_eq!(whole.0, plain(bytes));
    }
});

fn read(bytes: &[u8], at_once: usize) -> Read {
    let mut frames = Frames::of_client();
    let mut seen: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut begins = true;
    let mut outcome = Ok(());
    for chunk in bytes.chunks(at_once.min(bytes.len().max(1))) {
        outcome = frames.read(chunk, |piece| {
            if begins {
                seen.push((piece.opcode, Vec::new()));
            }
            seen.last_mut().expect("pushed").1.extend(piece.unmasked());
            begins = piece.ends_frame;
        });
        if outcome.is_err() {
            break;
        }
    }
    (seen, outcome)
}

/// By offsets alone, of bytes that are known to be right.
fn plain(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((head, payload, rest)) = next(bytes) {
        frames.push((head, payload));
        bytes = rest;
    }
    frames
}

fn next(bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let short = usize::from(bytes.get(1)? & 0x7f);
    let (length, at) = match short {
        126 => (
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
            4,
        ),
        127 => {
            let long = u64::from_be_bytes(bytes.get(2..10)?.try_into().expect("eight"));
            (usize::try_from(long).expect("64 bits"), 10)
        }
        short => (short, 2),
    };
    let mask = bytes.get(at..at + 4)?;
    let rest = &bytes[at + 4..];
    if length > 0 && rest.is_empty() {
        return None;
    }
    let (masked, rest) = rest.split_at(length.min(rest.len()));
    let payload = masked
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ mask[at % 4])
        .collect();
    Some((bytes[0] & 0x0f, payload, rest))
}
