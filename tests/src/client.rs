//! A client that goes through a gate: CONNECT, TLS, HTTP/1.1 or HTTP/2, and what came back.

mod raw;
mod response;

pub use raw::RawConnection;
pub use response::{AnsweredBy, Response};

use std::fmt::Write as _;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::body::Outgoing;
use crate::planted::Planted;
use crate::{Versions, crypto, runtime};

/// A client of one gate. Each request of its own opens a connection; [`Client::open`]
/// gives one that takes several.
#[derive(Clone)]
pub struct Client {
    gate: SocketAddr,
    roots: Arc<RootCertStore>,
    versions: Versions,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client that goes through `gate` and trusts the CAs in `roots_pem` alone.
    pub fn through(gate: SocketAddr, roots_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots_pem.as_bytes()) {
            roots
                .add(root.expect("a CA file holds PEM"))
                .expect("a CA certificate is a root");
        }
        Self {
            gate,
            roots: Arc::new(roots),
            versions: Versions::Both,
            headers: Vec::new(),
        }
    }

    /// The same client, speaking only some versions of HTTP.
    #[must_use]
    pub fn speaking(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// The same client, with one more header field on each request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// GET; fails the story when no response comes.
    #[track_caller]
    pub fn get(&self, url: &str) -> Response {
        self.send("GET", url, "")
    }

    /// GET; an error when no response comes.
    pub fn try_get(&self, url: &str) -> Result<Response> {
        self.transmit("GET", url, Outgoing::whole(""))
    }

    /// One request without a body; an error when no response comes.
    pub fn try_send(&self, method: &str, url: &str) -> Result<Response> {
        self.transmit(method, url, Outgoing::whole(""))
    }

    /// One request with a body; fails the story when no response comes.
    #[track_caller]
    pub fn send(&self, method: &str, url: &str, body: &str) -> Response {
        let sent = self.transmit(method, url, Outgoing::whole(body.to_owned()));
        sent.unwrap_or_else(|error| panic!("{method} {url}: {error:#}"))
    }

    /// POST of `length` bytes of the pattern that `/upload` checks.
    #[track_caller]
    pub fn upload(&self, url: &str, length: u64) -> Response {
        let sent = self.transmit("POST", url, Outgoing::Pattern { sent: 0, length });
        sent.unwrap_or_else(|error| panic!("upload to {url}: {error:#}"))
    }

    fn transmit(&self, method: &str, url: &str, body: Outgoing) -> Result<Response> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        within(LIMIT + body.patience(), async {
            match self.open_for(&uri).await? {
                Opened::Connection(mut connection) => connection.exchange(method, &uri, body).await,
                Opened::Refused(response) => Ok(response),
            }
        })
    }

    /// A connection to the origin of `url`, for several requests.
    #[track_caller]
    pub fn open(&self, url: &str) -> Connection {
        self.try_open(url)
            .unwrap_or_else(|error| panic!("no connection for {url}: {error:#}"))
    }

    /// As [`Client::open`]; an error when there is no connection.
    pub fn try_open(&self, url: &str) -> Result<Connection> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        match within_limit(self.open_for(&uri))? {
            Opened::Connection(connection) => Ok(connection),
            Opened::Refused(response) => bail!("CONNECT was refused: {}", response.into_text()),
        }
    }

    /// CONNECT to one target and another server name in TLS: what a client that fronts does.
    pub fn open_fronting(&self, target: &str, server_name: &str) -> Result<Connection> {
        within_limit(async {
            match connect(self.gate, target, &self.headers).await? {
                Tunnel::Open(stream) => self.over_tls(stream, server_name).await,
                Tunnel::Refused(response) => bail!("CONNECT was refused: {}", response.into_text()),
            }
        })
    }

    /// A connection inside TLS on which the story writes itself: HTTP/1.1, or frames when
    /// the client speaks HTTP/2 only.
    #[track_caller]
    pub fn raw(&self, host: &str) -> RawConnection {
        let versions = if self.versions == Versions::Http2Only {
            Versions::Http2Only
        } else {
            Versions::Http1Only
        };
        let client = self.clone().speaking(versions);
        let opened = within_limit(async {
            match connect(self.gate, &format!("{host}:443"), &self.headers).await? {
                Tunnel::Open(stream) => client.tls(stream, host).await,
                Tunnel::Refused(response) => bail!("CONNECT was refused: {}", response.into_text()),
            }
        });
        RawConnection::over(opened.unwrap_or_else(|error| panic!("{host}: {error:#}")))
    }

    async fn open_for(&self, uri: &Uri) -> Result<Opened> {
        let host = uri.host().context("a URL has a host")?;
        if uri.scheme_str() == Some("http") {
            let stream = TcpStream::connect(self.gate)
                .await
                .context("the gate does not answer")?;
            stream.set_nodelay(true)?;
            let sender = Sender::http1(stream).await?;
            let headers = self.headers.clone();
            return Ok(Opened::Connection(Connection {
                sender,
                headers,
                absolute_form: true,
            }));
        }
        let target = format!("{host}:{}", uri.port_u16().unwrap_or(443));
        match connect(self.gate, &target, &self.headers).await? {
            Tunnel::Open(stream) => Ok(Opened::Connection(self.over_tls(stream, host).await?)),
            Tunnel::Refused(response) => Ok(Opened::Refused(response)),
        }
    }

    async fn over_tls(&self, stream: TcpStream, server_name: &str) -> Result<Connection> {
        let stream = self.tls(stream, server_name).await?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let sender = if h2 {
            Sender::http2(stream).await?
        } else {
            Sender::http1(stream).await?
        };
        Ok(Connection {
            sender,
            headers: self.headers.clone(),
            absolute_form: false,
        })
    }

    async fn tls(&self, stream: TcpStream, server_name: &str) -> Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = match self.versions {
            Versions::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Versions::Http1Only => vec![b"http/1.1".to_vec()],
            Versions::Http2Only => vec![b"h2".to_vec()],
        };
        let name = server_name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(name).context("a server name that TLS can carry")?;
        let connector = TlsConnector::from(Arc::new(config));
        connector
            .connect(name, stream)
            .await
            .context("TLS with the gate failed")
    }
}

enum Opened {
    Connection(Connection),
    Refused(Response),
}

/// One connection through the gate, ready for requests.
pub struct Connection {
    sender: Sender,
    headers: Vec<(String, String)>,
    absolute_form: bool,
}

impl Connection {
    /// GET on this connection; fails the story when no response comes.
    #[track_caller]
    pub fn get(&mut self, url: &str) -> Response {
        self.try_get(url)
            .unwrap_or_else(|error| panic!("GET {url}: {error:#}"))
    }

    /// GET on this connection; an error when no response comes.
    pub fn try_get(&mut self, url: &str) -> Result<Response> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        within_limit(self.exchange("GET", &uri, Outgoing::whole("")))
    }

    /// POST of what is planted, on this connection: several pieces are written one by one, without a length.
    pub fn post(&mut self, host: &str, planted: &Planted) -> Result<Response> {
        let uri: Uri = format!("https://{host}{}", planted.path).parse()?;
        let body = match planted.pieces.as_slice() {
            [] => Outgoing::whole(""),
            [whole] => Outgoing::whole(whole.clone()),
            pieces => Outgoing::pieces(pieces),
        };
        let own = self.headers.len();
        self.headers.extend(planted.fields.iter().cloned());
        let answered = within_limit(self.exchange("POST", &uri, body));
        self.headers.truncate(own);
        answered
    }

    async fn exchange(&mut self, method: &str, uri: &Uri, body: Outgoing) -> Result<Response> {
        let authority = uri.authority().context("a URL has an authority")?.as_str();
        let mut request = Request::builder().method(method);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = match &self.sender {
            Sender::Http2(_) => request.uri(uri.clone()),
            Sender::Http1(_) if self.absolute_form => request.uri(uri.clone()).header("host", authority),
            Sender::Http1(_) => {
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                request.uri(path).header("host", authority)
            }
        };
        let response = self.sender.send(request.body(body)?).await?;
        Ok(Response::over_http(response))
    }
}

enum Sender {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

impl Sender {
    async fn http1(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(Self::Http1(sender))
    }

    async fn http2(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http2(sender))
    }

    async fn send(&mut self, request: Request<Outgoing>) -> Result<hyper::Response<hyper::body::Incoming>> {
        Ok(match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }
}

enum Tunnel {
    Open(TcpStream),
    Refused(Response),
}

async fn connect(gate: SocketAddr, target: &str, headers: &[(String, String)]) -> Result<Tunnel> {
    let mut stream = TcpStream::connect(gate)
        .await
        .context("the gate does not answer")?;
    stream.set_nodelay(true)?;
    let mut fields = String::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("proxy-")) {
        write!(fields, "{name}: {value}\r\n")?;
    }
    let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{fields}\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await?;
    let head = raw::read_head(&mut stream).await?;
    if response::status_of(&head)? == 200 {
        return Ok(Tunnel::Open(stream));
    }
    Ok(Tunnel::Refused(Response::to_connect(&head, &mut stream).await?))
}

/// Waits for `work`, for as long as a story may wait for anything.
pub(crate) fn within_limit<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    within(LIMIT, work)
}

fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime().block_on(async {
        timeout(limit, work)
            .await
            .unwrap_or_else(|_| bail!("nothing came within {limit:?}"))
    })
}

const LIMIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
