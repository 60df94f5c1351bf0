//! An origin of our own: it answers, streams, counts, and remembers what reached it.
//!
//! | path | what it does |
//! |---|---|
//! | `/echo…` | the request as JSON: method, path, query, version, headers, body |
//! | `/bytes/N` | N bytes of a pattern, streamed |
//! | `/upload` | counts the body: `{"bytes": N, "intact": true}` |
//! | `/sse?count=N&ms=M` | N server-sent events, one each M milliseconds |
//! | `/status/N` | that status |
//! | `/slow?ms=M` | answers after M milliseconds |
//! | `/trailers` | a body followed by trailers, as gRPC ends |
//! | `/broken` | says that 1,000 bytes come, sends 4 and hangs up |
//! | `/cookies` | two `set-cookie` fields, and one that its `connection` names |
//! | `/redirect?to=URL` | 302 to there |
//! | `/reflect?as=WAY` | the request's fields, in one of [`REFLECTIONS`] |
//! | `/upgrade` | 101 as to a WebSocket's key of RFC 6455, then echoes bytes |
//! | others | 200 `ok` |

pub(crate) mod certificate;
mod reflect;
mod respond;

pub use certificate::Certificate;
pub use reflect::REFLECTIONS;

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::runtime;
use certificate::OriginCa;

/// An origin on loopback, with TLS for any name it is asked for and in plaintext.
/// Gone when it is dropped.
pub struct TestOrigin {
    tls_address: SocketAddr,
    plain_address: SocketAddr,
    ca_file: PathBuf,
    seen: Arc<Seen>,
    listeners: Vec<JoinHandle<()>>,
    _directory: TempDir,
}

/// Which versions of HTTP an origin speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1 and HTTP/2, as ALPN settles it.
    Both,
    /// HTTP/1.1 only.
    Http1Only,
    /// HTTP/2 only, over TLS.
    Http2Only,
}

/// A request as it reached the origin.
#[derive(Clone, Debug)]
pub struct Received {
    /// `GET`, …
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// HTTP version on this side of the gate.
    pub version: Version,
    /// All header fields; `:authority` is in `host` too.
    pub headers: HeaderMap<HeaderValue>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The server name in the ClientHello.
    pub server_name: Option<String>,
    /// Which of the origin's connections brought it, counted from 0.
    pub connection: usize,
}

impl Received {
    /// A header field as text, or empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Received>>,
    connections: Mutex<usize>,
    serving: Mutex<Vec<AbortHandle>>,
}

impl TestOrigin {
    /// An origin that speaks HTTP/1.1 and HTTP/2 and whose certificate is always right.
    pub fn start() -> Self {
        Self::with(Versions::Both, &Certificate::Right)
    }

    /// An origin that speaks only some versions of HTTP.
    pub fn speaking(versions: Versions) -> Self {
        Self::with(versions, &Certificate::Right)
    }

    /// An origin that shows this certificate, whatever name is asked for.
    pub fn showing(certificate: &Certificate) -> Self {
        Self::with(Versions::Both, certificate)
    }

    fn with(versions: Versions, certificate: &Certificate) -> Self {
        let ca = OriginCa::new();
        let directory = tempfile::Builder::new()
            .prefix("outwall-origin-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory can be made");
        let ca_file = directory.path().join("origin-ca.pem");
        std::fs::write(&ca_file, ca.pem()).expect("a new directory takes files");

        let seen = Arc::new(Seen::default());
        let acceptor = TlsAcceptor::from(Arc::new(certificate::server_config(ca, versions, certificate)));
        let (tls, plain) = runtime().block_on(async { (listen().await, listen().await) });
        let (tls_address, plain_address) = (address_of(&tls), address_of(&plain));
        let listeners = vec![
            runtime().spawn(serve_tls(tls, acceptor, Arc::clone(&seen))),
            runtime().spawn(serve_plain(plain, Arc::clone(&seen))),
        ];
        Self {
            tls_address,
            plain_address,
            ca_file,
            seen,
            listeners,
            _directory: directory,
        }
    }

    /// A certificate that a client may show, and its key, in PEM. Nobody of consequence has issued it.
    pub fn client_certificate(name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key can be made");
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate can be made");
        (certificate.pem(), key.serialize_pem())
    }

    /// Where it speaks TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls_address
    }

    /// Where it speaks plaintext HTTP/1.1.
    pub fn plain_address(&self) -> SocketAddr {
        self.plain_address
    }

    /// The certificate of its CA, in PEM; readable by everyone.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Every request that has reached it, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().expect("no handler panics").clone()
    }

    /// The paths of [`TestOrigin::requests`].
    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// Closes every connection that it has, and goes on listening.
    pub fn hang_up(&self) {
        let mut serving = self.seen.serving.lock().expect("no handler panics");
        serving.drain(..).for_each(|connection| connection.abort());
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.seen.connections.lock().expect("no handler panics")
    }
}

impl Drop for TestOrigin {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

impl Seen {
    fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let serving = tokio::spawn(connection).abort_handle();
        self.serving.lock().expect("no handler panics").push(serving);
    }

    fn connection(&self) -> usize {
        let mut connections = self.connections.lock().expect("no handler panics");
        *connections += 1;
        *connections - 1
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("loopback has a free port")
}

fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a listener has an address")
}

async fn serve_plain(listener: TcpListener, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let arrival = Arrival {
            connection: seen.connection(),
            tls: false,
            server_name: None,
        };
        seen.serve(serve(stream, Versions::Http1Only, arrival, Arc::clone(&seen)));
    }
}

async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, told) = (acceptor.clone(), Arc::clone(&seen));
        let connection = seen.connection();
        seen.serve(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return; // a client that does not trust us, or was only probing
            };
            let session = stream.get_ref().1;
            let server_name = session.server_name().map(str::to_owned);
            let versions = match session.alpn_protocol() {
                Some(b"h2") => Versions::Http2Only,
                _ => Versions::Http1Only,
            };
            serve(
                stream,
                versions,
                Arrival {
                    connection,
                    tls: true,
                    server_name,
                },
                told,
            )
            .await;
        });
    }
}

#[derive(Clone)]
struct Arrival {
    connection: usize,
    tls: bool,
    server_name: Option<String>,
}

async fn serve<S>(stream: S, versions: Versions, arrival: Arrival, seen: Arc<Seen>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        seen.requests
            .lock()
            .expect("no handler panics")
            .push(arrival.received(&request));
        async move { Ok::<_, Infallible>(respond::respond(request).await) }
    });
    let io = TokioIo::new(stream);
    // A client may leave at any time: that is its story's business.
    let _ = match versions {
        Versions::Http2Only => {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service)
                .await
        }
        Versions::Http1Only | Versions::Both => {
            hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .with_upgrades()
                .await
        }
    };
}

impl Arrival {
    fn received(&self, request: &Request<Incoming>) -> Received {
        let mut headers = request.headers().clone();
        if let Some(authority) = request
            .uri()
            .authority()
            .and_then(|a| HeaderValue::from_str(a.as_str()).ok())
        {
            headers.entry("host").or_insert(authority);
        }
        Received {
            method: request.method().to_string(),
            path: request
                .uri()
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            version: request.version(),
            headers,
            tls: self.tls,
            server_name: self.server_name.clone(),
            connection: self.connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;

    /// A plaintext origin takes the absolute form too, so a client that believes it is a
    /// gate sees what the origin does, without any gate.
    fn straight_to(origin: &TestOrigin) -> Client {
        let ca = std::fs::read_to_string(origin.ca_file()).expect("the origin's CA is readable");
        Client::through(origin.plain_address(), &ca)
    }

    #[test]
    fn it_echoes_streams_counts_and_remembers() {
        let origin = TestOrigin::start();
        let client = straight_to(&origin).header("x-story", "told");

        let echo = client
            .send("POST", "http://api.example.test/echo?a=1", "hello")
            .into_json();
        assert_eq!(echo["method"], "POST");
        assert_eq!(echo["query"], "a=1");
        assert_eq!(echo["body"], "hello");
        assert_eq!(echo["headers"]["x-story"][0], "told");

        let length = 3_000_000;
        let body = client.get(&format!("http://api.example.test/bytes/{length}"));
        assert_eq!(body.into_intact_length(), length);
        let counted = client
            .upload("http://api.example.test/upload", length)
            .into_json();
        assert_eq!(
            (&counted["bytes"], &counted["intact"]),
            (&length.into(), &true.into())
        );

        assert_eq!(client.get("http://api.example.test/status/503").status(), 503);
        let trailers = client
            .header("te", "trailers")
            .get("http://api.example.test/trailers")
            .into_trailers();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(origin.paths().len(), 5);
        assert_eq!(origin.requests()[0].header("host"), "api.example.test");
    }
}
