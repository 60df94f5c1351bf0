//! What a client's first TLS message says, read without consuming it: sans I/O, bytes in, a value or "more" out.
//!
//! Parsing is rustls's own, so a tunnel and an interception read a hello alike. Refused besides what rustls refuses:
//! a name that is no host in our normal form. Read besides: an address in SNI, which rustls passes over.

use std::io;

use outwall_policy::{Host, HostError};
use rustls::server::Acceptor;
use thiserror::Error;

use crate::sni::{self, Named};

/// What a complete `ClientHello` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// What SNI names, in normal form, if there is something (RFC 6066 section 3). An address may not stand there, and does where
    /// a client wants an origin to take it for another than it is: it counts like a name.
    pub server_name: Option<Host>,
    /// Whether h2 is among the protocols offered.
    pub offers_h2: bool,
}

/// How far reading came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The hello is complete.
    Complete(ClientHello),
    /// More bytes are needed.
    Incomplete,
    /// The first byte says that this is not TLS.
    NotTls,
}

/// Why a first message is no hello.
#[derive(Debug, Error)]
pub enum ClientHelloError {
    /// TLS, and broken.
    #[error("the ClientHello is malformed")]
    Malformed(#[source] rustls::Error),
    /// SNI names something that is no host.
    #[error("the name in SNI is no host name")]
    ServerName(#[source] HostError),
    /// rustls reads a hello there, and we do not.
    #[error("the ClientHello has two readings")]
    Ambiguous,
    /// More bytes than any hello has.
    #[error("the ClientHello is too long")]
    Long,
}

/// Reads the hello at the start of `bytes`; `bytes` are everything that came so far.
pub fn read(bytes: &[u8], longest: usize) -> Result<Reading, ClientHelloError> {
    match bytes.first() {
        None => return Ok(Reading::Incomplete),
        Some(&HANDSHAKE) => {}
        Some(_) => return Ok(Reading::NotTls),
    }
    let mut acceptor = Acceptor::default();
    let mut unread = bytes;
    while !unread.is_empty() {
        // Reading from memory fails only when rustls takes no more of it.
        acceptor
            .read_tls(&mut unread)
            .map_err(|_: io::Error| ClientHelloError::Long)?;
        match acceptor.accept() {
            Ok(Some(accepted)) => return describe(&accepted.client_hello(), bytes).map(Reading::Complete),
            Ok(None) => {}
            Err((error, _alert)) => return Err(ClientHelloError::Malformed(error)),
        }
    }
    if bytes.len() >= longest {
        return Err(ClientHelloError::Long);
    }
    Ok(Reading::Incomplete)
}

fn describe(hello: &rustls::server::ClientHello<'_>, bytes: &[u8]) -> Result<ClientHello, ClientHelloError> {
    let server_name = match hello.server_name() {
        Some(name) => Some(Host::parse(name).map_err(ClientHelloError::ServerName)?),
        None => address_in_sni(bytes)?,
    };
    let offers_h2 = hello
        .alpn()
        .is_some_and(|mut offered| offered.any(|protocol| protocol == b"h2"));
    Ok(ClientHello {
        server_name,
        offers_h2,
    })
}

/// What stands in SNI although rustls finds no name there.
fn address_in_sni(bytes: &[u8]) -> Result<Option<Host>, ClientHelloError> {
    let named = match sni::named(bytes).ok_or(ClientHelloError::Ambiguous)? {
        Named::Nothing => return Ok(None),
        Named::These(bytes) => String::from_utf8(bytes),
    };
    let text = named.map_err(|_| ClientHelloError::ServerName(HostError::Character))?;
    Host::parse(&text).map(Some).map_err(ClientHelloError::ServerName)
}

/// The content type of the first record of TLS (RFC 8446 section 5.1). No HTTP method begins with it.
const HANDSHAKE: u8 = 0x16;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello_for(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_hello_names_its_server_in_normal_form() {
        let Reading::Complete(hello) = read(&hello_for("API.Example.com"), 16_384).unwrap() else {
            panic!("complete");
        };
        assert_eq!(hello.server_name, Some(Host::parse("api.example.com").unwrap()));
        assert!(hello.offers_h2);
    }

    #[test]
    fn a_hello_for_an_address_has_no_name() {
        let Reading::Complete(hello) = read(&hello_for("192.0.2.1"), 16_384).unwrap() else {
            panic!("complete");
        };
        assert_eq!(hello.server_name, None);
    }

    /// No client of rustls writes an address there: it takes the place of a name of its length.
    fn hello_with_an_address(address: &str) -> Vec<u8> {
        let name = format!("{}.test", "a".repeat(address.len() - 5));
        let mut hello = hello_for(&name);
        let at = hello
            .windows(name.len())
            .position(|window| window == name.as_bytes());
        let at = at.unwrap();
        hello[at..at + name.len()].copy_from_slice(address.as_bytes());
        hello
    }

    /// The same message in records of seven bytes.
    fn in_small_records(hello: &[u8]) -> Vec<u8> {
        let pieces = hello[5..].chunks(7);
        pieces
            .flat_map(|piece| [&[HANDSHAKE, 3, 1, 0, piece.len().try_into().unwrap()], piece].concat())
            .collect()
    }

    #[test]
    fn an_address_in_sni_is_named() {
        for (written, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            let hello = hello_with_an_address(written);
            for hello in [in_small_records(&hello), hello] {
                let Reading::Complete(hello) = read(&hello, 16_384).unwrap() else {
                    panic!("complete");
                };
                assert_eq!(
                    hello.server_name,
                    Some(Host::parse(address).unwrap()),
                    "{written}"
                );
            }
        }
    }

    #[test]
    fn every_part_of_a_hello_asks_for_more() {
        let whole = hello_for("example.com");
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], 16_384).unwrap(), Reading::Incomplete, "{end}");
        }
    }

    #[test]
    fn a_request_in_the_clear_is_not_tls() {
        assert_eq!(read(b"GET / HTTP/1.1\r\n", 16_384).unwrap(), Reading::NotTls);
    }

    #[test]
    fn a_broken_hello_is_an_error_and_an_endless_one_too() {
        assert!(read(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 16_384).is_err());
        let mut endless = b"\x16\x03\x01\x40\x00\x01\x00\xff\xff".to_vec();
        endless.resize(16_000, 0);
        assert!(matches!(read(&endless, 16_000), Err(ClientHelloError::Long)));
    }
}
