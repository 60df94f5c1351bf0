//! A hello is read the same from one piece as from its parts, and its SNI is what a plain reading of the bytes finds: the same name
//! or address, or nothing where that finds nothing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::Host;
use outwall_proxy::client_hello::{Reading, read};

const LONGEST: usize = 16_384;
const HANDSHAKE: u8 = 0x16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Reading::Complete(hello)) = read(bytes, LONGEST) else {
        return;
    };
    let end = (0..=bytes.len())
        .find(|end| matches!(read(&bytes[..*end], LONGEST), Ok(Reading::Complete(_))))
        .expect("the whole is complete");
    let Ok(Reading::Complete(earliest)) = read(&bytes[..end], LONGEST) else {
        unreachable!("just found")
    };
    assert_eq!(earliest, hello, "what comes after a hello does not change it");
    // Nor do more bytes than rustls takes at once.
    for after in [b'h', HANDSHAKE, 0] {
        let mut longer = bytes[..end].to_vec();
        longer.resize(end + 5_000, after);
        let Ok(Reading::Complete(same)) = read(&longer, LONGEST) else {
            panic!("what comes after a hello makes it another");
        };
        assert_eq!(same, hello);
    }
    // Only a hello in one record is read plainly; rustls joins fragments.
    if let Some(hello_in_one_record) = one_record(bytes) {
        let plain = plain_server_name(hello_in_one_record).map(|name| {
            let name = std::str::from_utf8(name).expect("what is no text is refused");
            Host::parse(name).expect("what is no host is refused")
        });
        assert_eq!(plain, hello.server_name);
    }
});

/// What is in the first record, if that is a whole hello.
fn one_record(bytes: &[u8]) -> Option<&[u8]> {
    let record = u16_at(bytes, 3)?;
    let body = bytes.get(5..5 + record)?;
    let (&kind, handshake) = body.split_first()?;
    let length = (usize::from(*handshake.first()?) << 16) | u16_at(handshake, 1)?;
    let hello = handshake.get(3..3 + length)?;
    (kind == 1).then_some(hello)
}

/// The first host name of the SNI extension (RFC 6066), by offsets alone.
fn plain_server_name(hello: &[u8]) -> Option<&[u8]> {
    let mut at = 2 + 32;
    at += 1 + usize::from(*hello.get(at)?);
    at += 2 + u16_at(hello, at)?;
    at += 1 + usize::from(*hello.get(at)?);
    at += 2;
    loop {
        let (kind, length) = (u16_at(hello, at)?, u16_at(hello, at + 2)?);
        if kind == 0 {
            let name = u16_at(hello, at + 7)?;
            return hello.get(at + 9..at + 9 + name);
        }
        at += 4 + length;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes([
        *bytes.get(at)?,
        *bytes.get(at + 1)?,
    ])))
}
