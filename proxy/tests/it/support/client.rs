//! A client of the gate: by CONNECT or captured, over h2 or http/1.1.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TestGate;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Http1,
    H2,
}

pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

/// An HTTP client on one connection.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Sends CONNECT; the stream inside, or the refusal as text.
pub(crate) async fn connect(gate: &TestGate, target: &str) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.unwrap();
        answer.push(byte);
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        return Ok(stream);
    }
    stream.read_to_end(&mut answer).await.unwrap();
    Err(String::from_utf8(answer).unwrap())
}

/// The first message of TLS with this in SNI, which may be an address, as no client of rustls writes it.
pub(crate) fn hello(server_name: &str) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let placeholder = "a".repeat(server_name.len());
    let name = ServerName::try_from(placeholder.clone()).unwrap();
    let mut bytes = Vec::new();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    connection.write_tls(&mut bytes).unwrap();
    let of_placeholder = |window: &[u8]| window == placeholder.as_bytes();
    let at = bytes.windows(placeholder.len()).position(of_placeholder).unwrap();
    bytes[at..at + server_name.len()].copy_from_slice(server_name.as_bytes());
    bytes
}

/// TLS to `name`, trusting the gate's CA alone.
pub(crate) async fn handshake(
    gate: &TestGate,
    stream: TcpStream,
    name: &str,
    via: Via,
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(gate.ca.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match via {
        Via::Http1 => vec![b"http/1.1".to_vec()],
        Via::H2 => vec![b"h2".to_vec()],
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Client {
    /// By CONNECT to `name:443`, with TLS for the same name inside.
    pub(crate) async fn to(gate: &TestGate, name: &str, via: Via) -> Self {
        let stream = connect(gate, &format!("{name}:443")).await.unwrap();
        Self::over(handshake(gate, stream, name, via).await.unwrap(), via).await
    }

    /// Over a stream that is there.
    pub(crate) async fn over<S>(stream: S, via: Via) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        match via {
            Via::Http1 => {
                let (sender, driver) = http1::handshake(stream).await.unwrap();
                tokio::spawn(driver);
                Self::Http1(sender)
            }
            Via::H2 => {
                let (sender, driver) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
                tokio::spawn(driver);
                Self::H2(sender)
            }
        }
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::H2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// A request for `path` at `host`, shaped for the protocol.
    pub(crate) fn request(&self, method: &str, host: &str, path: &str, body: Body) -> Request<Body> {
        let builder = Request::builder().method(method);
        match self {
            Self::Http1(_) => builder.uri(path).header("host", host).body(body).unwrap(),
            Self::H2(_) => builder.uri(format!("https://{host}{path}")).body(body).unwrap(),
        }
    }

    /// GET: the status, the reason header and the body.
    pub(crate) async fn get(&mut self, host: &str, path: &str) -> (u16, String, String) {
        let request = self.request("GET", host, path, empty());
        read(self.send(request).await.unwrap()).await
    }
}

/// The status, the reason header and the body of a response.
pub(crate) async fn read(response: Response<Incoming>) -> (u16, String, String) {
    let status = response.status().as_u16();
    let reason = response.headers().get("x-outwall-reason");
    let reason = reason
        .map(|reason| reason.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, reason, String::from_utf8_lossy(&body).into_owned())
}
