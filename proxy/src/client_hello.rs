//! What a client's first TLS message says, read without consuming it: sans I/O, bytes in, a value or "more" out.
//!
//! Parsing is rustls's own, so a tunnel and an interception read a hello alike. Refused besides what rustls refuses:
//! a name that is no host in our normal form.

use std::io;

use outwall_policy::{Host, HostError};
use rustls::server::Acceptor;
use thiserror::Error;

/// What a complete `ClientHello` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The name in SNI, in normal form, if there is one (RFC 6066 section 3).
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
            Ok(Some(accepted)) => return describe(&accepted.client_hello()).map(Reading::Complete),
            Ok(None) => {}
            Err((error, _alert)) => return Err(ClientHelloError::Malformed(error)),
        }
    }
    if bytes.len() >= longest {
        return Err(ClientHelloError::Long);
    }
    Ok(Reading::Incomplete)
}

fn describe(hello: &rustls::server::ClientHello<'_>) -> Result<ClientHello, ClientHelloError> {
    let server_name = hello
        .server_name()
        .map(Host::parse)
        .transpose()
        .map_err(ClientHelloError::ServerName)?;
    let offers_h2 = hello
        .alpn()
        .is_some_and(|mut offered| offered.any(|protocol| protocol == b"h2"));
    Ok(ClientHello {
        server_name,
        offers_h2,
    })
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
