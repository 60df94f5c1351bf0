//! Whatever is asked, the reply is small, answers that query, names no address outside the pools, and a reading by
//! offsets alone finds the same question in it, and no records but addresses of ours, or loopback.
#![no_main]
use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use outwall_proxy::dns::{NameLimits, NameTable, answer, is_synthetic};

fuzz_target!(|message: &[u8]| {
    let names = NameTable::new(NameLimits {
        names: 16,
        names_below_one_suffix: 4,
    });
    let Some(reply) = answer(message, &names, &()) else {
        return;
    };
    assert!(reply.len() <= 512);
    assert_eq!(reply[..2], message[..2], "the reply has the query's id");
    assert!(reply[2] & 0x80 != 0, "the reply is one");
    assert_eq!(answer(&reply, &names, &()), None, "a reply is never answered");
    let (question, addresses) = plainly_read(&reply).expect("a reply reads plainly");
    if !question.is_empty() {
        let (asked, answered) = (name_at(message, 12), name_at(&reply, 12));
        assert_eq!(
            asked.expect("a query that was read"),
            answered.expect("a name"),
            "another question"
        );
        let asked_for = |message: &[u8]| after_name(message, 12).map(|at| message[at..at + 4].to_vec());
        assert_eq!(asked_for(message), asked_for(&reply), "another type or class");
    }
    let harmless = |address: IpAddr| is_synthetic(address) || address.is_loopback(); // `localhost` is the sandbox itself
    assert!(addresses.into_iter().all(harmless));
    for index in 0..names.len() {
        let address =
            std::net::Ipv4Addr::from_bits(0xC612_0001 + u32::try_from(index).expect("a small table"));
        assert!(is_synthetic(address.into()));
        let name = names.name_of(address.into()).expect("indexes are dense");
        assert_eq!(
            names.assign(&name).expect("a known name keeps its addresses").v4,
            address
        );
    }
});

/// The bytes of the question, if there is one, and the addresses that the records hold; none where a record is anything else.
fn plainly_read(reply: &[u8]) -> Option<(&[u8], Vec<IpAddr>)> {
    let count = |at: usize| {
        Some(usize::from(u16::from_be_bytes([
            *reply.get(at)?,
            *reply.get(at + 1)?,
        ])))
    };
    let mut at = 12;
    if count(4)? > 0 {
        at = after_name(reply, at)? + 4;
    }
    let question = reply.get(12..at)?;
    let mut addresses = Vec::new();
    for _ in 0..count(6)? {
        at = after_name(reply, at)?;
        let (kind, length) = (count(at)?, count(at + 8)?);
        let data = reply.get(at + 10..at + 10 + length)?;
        addresses.push(match kind {
            1 => IpAddr::from(<[u8; 4]>::try_from(data).ok()?),
            28 => IpAddr::from(<[u8; 16]>::try_from(data).ok()?),
            _ => return None,
        });
        at += 10 + length;
    }
    Some((question, addresses))
}

/// The labels of a name, pointers followed, in lower case.
fn name_at(message: &[u8], mut at: usize) -> Option<Vec<Vec<u8>>> {
    let mut labels = Vec::new();
    for _ in 0..256 {
        match *message.get(at)? {
            0 => return Some(labels),
            high @ 0xc0.. => at = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?),
            length => {
                let end = at + 1 + usize::from(length);
                labels.push(message.get(at + 1..end)?.to_ascii_lowercase());
                at = end;
            }
        }
    }
    None
}

/// Where a name ends: after its empty label, or after a pointer (RFC 1035 section 4.1.4).
fn after_name(reply: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *reply.get(at)? {
            0 => return Some(at + 1),
            0xc0.. => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}
