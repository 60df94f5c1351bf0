//! A ClientHello with parts of it replaced (RFC 8446 section 4.1.2). What it no longer agrees with, its peer finds out later
//! than the names in it are read.

/// The same hello with these names in SNI.
pub(crate) fn with_server_names(record: &[u8], names: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| [vec![0], sized(name)].concat())
        .collect();
    with_server_name_extension(record, &sized(&list))
}

/// The same hello with this for the content of `server_name`.
pub(crate) fn with_server_name_extension(record: &[u8], content: &[u8]) -> Vec<u8> {
    changed(record, |extensions| {
        for (kind, of_kind) in extensions.iter_mut() {
            if *kind == SERVER_NAME {
                *of_kind = content.to_vec();
            }
        }
    })
}

/// The same hello with another `server_name` after the first.
pub(crate) fn with_second_server_name(record: &[u8], name: &[u8]) -> Vec<u8> {
    let list = [vec![0], sized(name)].concat();
    with_extension(record, SERVER_NAME, &sized(&list))
}

/// The same hello with one more extension.
pub(crate) fn with_extension(record: &[u8], kind: u16, content: &[u8]) -> Vec<u8> {
    changed(record, |extensions| {
        extensions.insert(0, (kind, content.to_vec()));
    })
}

/// The same hello with an encrypted one inside (RFC 9849 section 5), which decrypts to nothing.
pub(crate) fn with_encrypted_hello(record: &[u8]) -> Vec<u8> {
    let outer = [&[0, 0, 1, 0, 1, 7][..], &sized(&[7; 32]), &sized(&[7; 64])].concat();
    with_extension(record, ENCRYPTED_HELLO, &outer)
}

/// A hello of a version before TLS 1.2, with the cipher suites of its time.
pub(crate) fn of_version(name: &str, version: u16) -> Vec<u8> {
    let list = [vec![0], sized(name.as_bytes())].concat();
    let extension = [&SERVER_NAME.to_be_bytes()[..], &sized(&sized(&list))].concat();
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &[0],
        &sized(&[0xc0, 0x13, 0xc0, 0x14, 0, 0x2f, 0, 0x35]),
        &[1, 0],
        &sized(&extension),
    ]
    .concat();
    in_record(&body)
}

type Extensions = Vec<(u16, Vec<u8>)>;

fn changed(record: &[u8], change: impl FnOnce(&mut Extensions)) -> Vec<u8> {
    let body = &record[9..]; // behind the heads of the record and of the message
    let session = 34 + 1 + usize::from(body[34]);
    let suites = session + 2 + usize::from(u16::from_be_bytes([body[session], body[session + 1]]));
    let compression = suites + 1 + usize::from(body[suites]);
    let mut extensions = read(&body[compression + 2..]);
    change(&mut extensions);
    let written: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &sized(content)].concat())
        .collect();
    in_record(&[&body[..compression], &sized(&written)].concat())
}

fn read(mut bytes: &[u8]) -> Extensions {
    let mut extensions = Vec::new();
    while let Some((&[k0, k1, l0, l1], rest)) = bytes.split_first_chunk::<4>() {
        let (content, rest) = rest.split_at(usize::from(u16::from_be_bytes([l0, l1])).min(rest.len()));
        extensions.push((u16::from_be_bytes([k0, k1]), content.to_vec()));
        bytes = rest;
    }
    extensions
}

/// With its length before it, in two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len())
        .expect("a hello is small")
        .to_be_bytes();
    [&length, bytes].concat()
}

fn in_record(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a hello is small").to_be_bytes();
    let message = [&[1][..], &length[1..], body].concat();
    [&[0x16, 3, 1][..], &sized(&message)].concat()
}

const SERVER_NAME: u16 = 0;
const ENCRYPTED_HELLO: u16 = 0xfe0d;

#[cfg(test)]
mod tests {
    use rustls::server::Acceptor;

    use super::*;
    use crate::tls;

    fn name_in(record: &[u8]) -> Option<String> {
        let mut acceptor = Acceptor::default();
        acceptor.read_tls(&mut &record[..]).expect("memory is read");
        let accepted = acceptor.accept().ok()??;
        accepted.client_hello().server_name().map(str::to_owned)
    }

    #[test]
    fn a_changed_hello_is_one_that_others_read() {
        let hello = tls::hello("a.test");
        assert_eq!(name_in(&hello).as_deref(), Some("a.test"));
        assert_eq!(
            name_in(&with_server_names(&hello, &[b"b.test"])).as_deref(),
            Some("b.test")
        );
        assert_eq!(name_in(&with_encrypted_hello(&hello)).as_deref(), Some("a.test"));
        assert_eq!(
            name_in(&with_second_server_name(&hello, b"b.test")),
            None,
            "rustls refuses two"
        );
    }

    #[test]
    fn records_of_a_few_bytes_are_the_same_message() {
        let hello = tls::hello("a.test");
        let parts = crate::split::records(&hello);
        assert!(parts.len() > 5);
        let joined: Vec<u8> = parts.iter().flat_map(|part| part[5..].to_vec()).collect();
        assert_eq!(joined, hello[5..]);
    }
}
