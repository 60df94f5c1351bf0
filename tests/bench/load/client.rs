//! A plain client: CONNECT, TLS, requests one after the other. Small, so that thousands of them fit beside the gate.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, BytesMut};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who connects, and whom it trusts.
#[derive(Clone)]
pub(crate) struct Client {
    gate: SocketAddr,
    tls: TlsConnector,
}

/// One intercepted connection.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    host: String,
    read: BytesMut,
}

impl Client {
    pub(crate) fn new(gate: SocketAddr, ca_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("the gate's CA is PEM");
        roots.add(ca).expect("a CA is a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            gate,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// A TCP connection to the gate on which nothing was said.
    #[expect(clippy::disallowed_methods, reason = "it connects to a gate, as clients do")]
    pub(crate) async fn plain(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.gate)
            .await
            .context("no connection to the gate")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A tunnel to `host` in which nothing was said.
    pub(crate) async fn tunnel(&self, host: &str) -> Result<TcpStream> {
        let mut stream = self.plain().await?;
        let head = format!("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut read = BytesMut::new();
        while !read.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut read).await? == 0 {
                bail!("closed instead of connected");
            }
        }
        if !read.starts_with(b"HTTP/1.1 200") {
            bail!("not connected: {}", String::from_utf8_lossy(&read));
        }
        Ok(stream)
    }

    /// An intercepted connection to `host`.
    pub(crate) async fn open(&self, host: &str) -> Result<Connection> {
        let stream = self.tunnel(host).await?;
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Connection {
            stream: self.tls.connect(name, stream).await.context("no TLS")?,
            host: host.to_owned(),
            read: BytesMut::new(),
        })
    }
}

impl Connection {
    /// Writes what begins a request and never ends it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// One request, and the whole of its answer; anything but 200 is an error.
    pub(crate) async fn get(&mut self, path: &str) -> Result<()> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        self.write(head.as_bytes()).await?;
        let head_end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..head_end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("no length")?.trim().parse()?;
        while self.read.len() < head_end + length {
            self.more().await?;
        }
        self.read.advance(head_end + length);
        Ok(())
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("closed within the answer");
        }
        Ok(())
    }
}
