//! The reason that a hook gave, put where GitHub puts it: into the line of the ref. A hook of git's own can only write to the
//! user, and the line says "hook declined".

use std::collections::BTreeMap;

/// The answer to a push with the reasons of refs in it, by name; as it was, where there are none or it is not understood.
pub(super) fn with_reasons(answer: &[u8], reasons: &BTreeMap<String, String>) -> Vec<u8> {
    if reasons.is_empty() {
        return answer.to_vec();
    }
    rewritten(answer, reasons).unwrap_or_else(|| answer.to_vec())
}

fn rewritten(answer: &[u8], reasons: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let packets = packets(answer)?;
    let banded = packets
        .iter()
        .flatten()
        .all(|packet| matches!(packet.first(), Some(1..=3)));
    if !banded {
        return report(answer, reasons);
    }
    let (mut rewritten, mut inner) = (Vec::new(), Vec::new());
    for packet in packets.into_iter().flatten() {
        if packet[0] == 1 {
            inner.extend_from_slice(&packet[1..]);
        } else {
            write(&mut rewritten, packet);
        }
    }
    for piece in report(&inner, reasons)?.chunks(65_515) {
        write(&mut rewritten, &[&[1], piece].concat());
    }
    rewritten.extend(b"0000");
    Some(rewritten)
}

/// The lines of a report (`unpack ok`, `ok REF`, `ng REF REASON`).
fn report(inner: &[u8], reasons: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let mut rewritten = Vec::new();
    for packet in packets(inner)? {
        let Some(packet) = packet else {
            rewritten.extend(b"0000");
            continue;
        };
        let line = String::from_utf8_lossy(packet);
        let named = line.strip_prefix("ng ").and_then(|rest| rest.split(' ').next());
        match named.and_then(|name| Some((name, reasons.get(name)?))) {
            Some((name, reason)) => write(&mut rewritten, format!("ng {name} {reason}\n").as_bytes()),
            None => write(&mut rewritten, packet),
        }
    }
    Some(rewritten)
}

/// Packets; none is a flush.
fn packets(mut bytes: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let length = std::str::from_utf8(bytes.get(..4)?).ok()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        packets.push(if length == 0 {
            None
        } else {
            Some(bytes.get(4..length)?)
        });
        bytes = &bytes[length.max(4)..];
    }
    Some(packets)
}

fn write(into: &mut Vec<u8>, packet: &[u8]) {
    into.extend(format!("{:04x}", packet.len() + 4).as_bytes());
    into.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_takes_the_place_of_the_hook() {
        let reasons = BTreeMap::from([("refs/heads/x".to_owned(), "because".to_owned())]);
        let plain = b"000eunpack ok\n0022ng refs/heads/x hook declined\n0018ok refs/heads/longer0000";
        let changed = b"000eunpack ok\n001cng refs/heads/x because\n0018ok refs/heads/longer0000";
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(shown(&with_reasons(plain, &reasons)), shown(changed));
        let mut banded = b"0009\x02said".to_vec();
        let mut expected = banded.clone();
        write(&mut banded, &[&[1], plain.as_slice()].concat());
        banded.extend(b"0000");
        write(&mut expected, &[&[1], changed.as_slice()].concat());
        expected.extend(b"0000");
        assert_eq!(shown(&with_reasons(&banded, &reasons)), shown(&expected));
        assert_eq!(with_reasons(plain, &BTreeMap::new()), plain);
    }
}
