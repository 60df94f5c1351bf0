//! Connections on which the test itself writes: bytes of http/1.1, or frames of h2.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::client::{connect, handshake};
use super::{TestGate, Via};

/// Bytes to the end of a head, or of the connection.
pub(crate) async fn read_head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A client's connection over http/1.1, on which the test writes itself.
pub(crate) async fn raw(gate: &TestGate) -> TlsStream<TcpStream> {
    let stream = connect(gate, "allowed.test:443").await.unwrap();
    handshake(gate, stream, "allowed.test", Via::Http1).await.unwrap()
}

/// A client of h2 on one connection.
pub(crate) async fn h2_client(gate: &TestGate) -> h2::client::SendRequest<Bytes> {
    let stream = connect(gate, "allowed.test:443").await.unwrap();
    let stream = handshake(gate, stream, "allowed.test", Via::H2).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    while !sender.is_extended_connect_protocol_enabled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        sender = sender.ready().await.unwrap();
    }
    sender
}
