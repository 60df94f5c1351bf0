//! An origin with a CA of its own, that remembers what reached it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What an origin speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OriginKind {
    /// In the clear, http/1.1.
    Plain,
    /// TLS, http/1.1 only.
    Http1,
    /// TLS, h2 where the client offers it.
    H2,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) uri: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

/// A running origin.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    bodies: Arc<Bodies>,
    connections: Arc<AtomicUsize>,
    shown: Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>,
}

/// What an origin wants of its clients' certificates.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    /// Without one there is no connection.
    pub(crate) required: bool,
    pub(crate) version: &'static rustls::SupportedProtocolVersion,
}

/// What came of the bodies that `/count` read.
#[derive(Default)]
struct Bodies {
    bytes: AtomicUsize,
    ended_badly: AtomicUsize,
    /// As lines.
    trailers: Mutex<Vec<String>>,
}

/// The CA of all test origins.
pub(crate) struct OriginCa {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
}

pub(crate) fn ca() -> &'static OriginCa {
    static CA: OnceLock<OriginCa> = OnceLock::new();
    CA.get_or_init(|| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        OriginCa {
            issuer: Issuer::new(params, key),
            certificate,
        }
    })
}

impl OriginCa {
    /// A client certificate and its key, in PEM.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        (leaf.pem(), key.serialize_pem())
    }
}

impl Origin {
    pub(crate) async fn start(kind: OriginKind) -> Self {
        Self::named(
            kind,
            &["allowed.test", "other.test", "stream.test", "pinned.test"],
        )
        .await
    }

    /// An origin whose certificate is for these names.
    pub(crate) async fn named(kind: OriginKind, names: &[&str]) -> Self {
        Self::serving(kind, server_config(kind, names, None)).await
    }

    /// An origin that asks its clients for a certificate of the tests' CA.
    pub(crate) async fn asking(kind: OriginKind, wants: Wants) -> Self {
        Self::serving(
            kind,
            server_config(kind, &["allowed.test", "other.test"], Some(wants)),
        )
        .await
    }

    async fn serving(kind: OriginKind, config: Arc<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Self {
            address,
            seen: Arc::default(),
            bodies: Arc::default(),
            connections: Arc::default(),
            shown: Arc::default(),
        };
        let (seen, connections) = (Arc::clone(&origin.seen), Arc::clone(&origin.connections));
        let bodies = Arc::clone(&origin.bodies);
        let shown = Arc::clone(&origin.shown);
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let (seen, shown, acceptor) = (Arc::clone(&seen), Arc::clone(&shown), acceptor.clone());
                let bodies = Arc::clone(&bodies);
                tokio::spawn(async move {
                    if kind == OriginKind::Plain {
                        return serve(stream, false, seen, bodies).await;
                    }
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let certificate = stream.get_ref().1.peer_certificates();
                    let certificate = certificate.map(|chain| chain[0].clone().into_owned());
                    shown.lock().unwrap().push(certificate);
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    serve(stream, h2, seen, bodies).await;
                });
            }
        });
        origin
    }

    /// What arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until `/count` met a body that did not come to its end: what was cut is not taken for whole.
    pub(crate) async fn sees_a_body_end_badly(&self) {
        for _ in 0..200 {
            if self.bodies.ended_badly.load(Ordering::Relaxed) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("every body came to its end");
    }

    /// How many bytes of bodies `/count` got.
    pub(crate) fn bytes_received(&self) -> usize {
        self.bodies.bytes.load(Ordering::Relaxed)
    }

    /// The trailers that `/count` got.
    pub(crate) fn trailers(&self) -> Vec<String> {
        self.bodies.trailers.lock().unwrap().clone()
    }

    /// The client certificate of each TLS connection, if it had one.
    pub(crate) fn shown(&self) -> Vec<Option<CertificateDer<'static>>> {
        self.shown.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// An origin that speaks these protocols over TLS, as the test says it: `serve` has each of its connections.
pub(crate) async fn scripted<F>(
    protocols: &[&str],
    serve: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(tls_config(protocols, &["allowed.test"], None));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream));
            }
        }
    });
    address
}

/// A server that greets first, and then says back what it hears.
pub(crate) async fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(b"220 hello\r\n").await.unwrap();
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    address
}

/// The TLS of a server that speaks http/1.1 and has a certificate for this name.
pub(crate) fn tls_of(name: &str) -> Arc<rustls::ServerConfig> {
    tls_config(&["http/1.1"], &[name], None)
}

fn server_config(kind: OriginKind, names: &[&str], wants: Option<Wants>) -> Arc<rustls::ServerConfig> {
    match kind {
        OriginKind::H2 => tls_config(&["h2", "http/1.1"], names, wants),
        OriginKind::Http1 | OriginKind::Plain => tls_config(&["http/1.1"], names, wants),
    }
}

/// The TLS of an origin that speaks these protocols and has a certificate for these names.
fn tls_config(protocols: &[&str], names: &[&str], wants: Option<Wants>) -> Arc<rustls::ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let leaf = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &ca().issuer)
        .unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = match wants {
        Some(wants) => builder.with_protocol_versions(&[wants.version]).unwrap(),
        None => builder.with_safe_default_protocol_versions().unwrap(),
    };
    let builder = match wants {
        Some(wants) => builder.with_client_cert_verifier(client_verifier(wants, provider)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(vec![leaf.der().clone()], key).unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

fn client_verifier(wants: Wants, provider: Arc<CryptoProvider>) -> Arc<dyn ClientCertVerifier> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca().certificate.clone()).unwrap();
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if wants.required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().unwrap()
}

async fn serve<S>(stream: S, h2: bool, seen: Arc<Mutex<Vec<Seen>>>, bodies: Arc<Bodies>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        seen.lock().unwrap().push(Seen {
            uri: request.uri().to_string(),
            version: request.version(),
            headers: request.headers().clone(),
        });
        let bodies = Arc::clone(&bodies);
        async move { Ok::<_, Infallible>(respond(request, &bodies).await) }
    });
    let stream = TokioIo::new(stream);
    if h2 {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(stream, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service)
            .await;
    }
}

type Body = BoxBody<Bytes, hyper::Error>;

async fn respond(request: Request<Incoming>, bodies: &Bodies) -> Response<Body> {
    let number = request
        .uri()
        .query()
        .and_then(|query| query.parse().ok())
        .unwrap_or(0);
    match request.uri().path() {
        "/hello" if request.method() == http::Method::HEAD => {
            let mut response = Response::new(empty());
            response
                .headers_mut()
                .insert("content-length", HeaderValue::from_static("6"));
            response
        }
        "/hello" => text("hello\n"),
        "/echo" => Response::new(request.into_body().boxed()),
        "/count" => {
            let mut body = request.into_body();
            let mut count = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else {
                    bodies.ended_badly.fetch_add(1, Ordering::Relaxed);
                    break;
                };
                for (name, value) in frame.trailers_ref().into_iter().flatten() {
                    let line = format!("{name}: {}", value.to_str().unwrap());
                    bodies.trailers.lock().unwrap().push(line);
                }
                let length = frame.data_ref().map_or(0, Bytes::len);
                bodies.bytes.fetch_add(length, Ordering::Relaxed);
                count += length;
            }
            text(&count.to_string())
        }
        "/bytes" => bytes(number),
        "/sized" => text(&"x".repeat(usize::try_from(number).unwrap())),
        "/events" => events(number),
        "/trailers" => trailers(),
        "/nothing" => {
            let mut response = Response::new(empty());
            *response.status_mut() = http::StatusCode::NO_CONTENT;
            response
        }
        "/private" => {
            let mut response = text("x");
            let headers = response.headers_mut();
            headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
            headers.insert("alt-svc", HeaderValue::from_static("h3=\":443\""));
            headers.insert("x-kept", HeaderValue::from_static("1"));
            response
        }
        _ => {
            let mut response = text("not here");
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            response
        }
    }
}

fn text(text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(text.to_owned()))
        .map_err(|never| match never {})
        .boxed();
    Response::new(body)
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// So many bytes, in chunks of 64 KiB.
fn bytes(number: u64) -> Response<Body> {
    let chunk = Bytes::from(vec![b'x'; 65_536]);
    let chunks = stream::unfold(number, move |left| {
        let chunk = chunk.slice(..usize::try_from(left.min(65_536)).unwrap());
        async move { (left > 0).then(|| (Ok(Frame::data(chunk.clone())), left - chunk.len() as u64)) }
    });
    Response::new(http_body_util::BodyExt::boxed(StreamBody::new(chunks)))
}

/// So many events, 30 ms apart.
fn events(number: u64) -> Response<Body> {
    let events = stream::iter(0..number).then(|event| async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(Frame::data(Bytes::from(format!("data: {event}\n\n"))))
    });
    let mut response = Response::new(http_body_util::BodyExt::boxed(StreamBody::new(events)));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("text/event-stream"));
    response
}

fn trailers() -> Response<Body> {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = stream::iter([
        Ok(Frame::data(Bytes::from_static(b"body"))),
        Ok(Frame::trailers(fields)),
    ]);
    let mut response = Response::new(http_body_util::BodyExt::boxed(StreamBody::new(frames)));
    response
        .headers_mut()
        .insert("trailer", HeaderValue::from_static("grpc-status"));
    response
}
