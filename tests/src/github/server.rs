//! Listening: TLS at one address for every name, and a proxy's `CONNECT` at another, for clients that are to reach it without
//! anything between.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::recorded::Heard;
use super::site::{Door, Site};
use super::{Asked, Standing, gists, git, graphql, lfs, rest, signed};
use crate::body::Outgoing;

pub(super) async fn listen(port: u16) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.expect("loopback has the port");
    let address = listener.local_addr().expect("a listener has an address");
    (listener, address)
}

pub(super) async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor, standing: Arc<Standing>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&standing)));
    }
}

/// Whatever host a client wants to be connected to, it gets this GitHub.
pub(super) async fn serve_connect(listener: TcpListener, acceptor: TlsAcceptor, standing: Arc<Standing>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, standing) = (acceptor.clone(), Arc::clone(&standing));
        tokio::spawn(async move {
            if let Some(stream) = connected(stream).await {
                serve(stream, acceptor, standing).await;
            }
        });
    }
}

async fn connected(mut stream: TcpStream) -> Option<TcpStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    if !head.starts_with(b"CONNECT ") {
        let _ = stream.write_all(b"HTTP/1.1 301 Moved Permanently\r\nlocation: https://github.com/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        return None;
    }
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .ok()?;
    Some(stream)
}

async fn serve<S>(stream: S, acceptor: TlsAcceptor, standing: Arc<Standing>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(stream) = acceptor.accept(stream).await else {
        return; // a client that does not trust us, or was only probing
    };
    let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| {
        let standing = Arc::clone(&standing);
        async move { Ok::<_, Infallible>(answer(standing, request).await) }
    });
    let io = TokioIo::new(stream);
    // A client may leave at any time: that is its story's business.
    let _ = if speaks_h2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new()
            .serve_connection(io, service)
            .await
    };
}

async fn answer(standing: Arc<Standing>, request: Request<Incoming>) -> Response<Outgoing> {
    let only_head = request.method() == hyper::Method::HEAD;
    let (head, body) = request.into_parts();
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = head
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(named)
        .unwrap_or_default();
    let host = authority
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let note = standing.requests.open(&host, &head);
    let (door, path) = Door::of(&host, &normal(head.uri.path()));
    let caller = standing.store().tokens.caller(&head.headers);
    let asked = Asked {
        site: Site::of(&host),
        path,
        body: Heard::new(body, note.clone()),
        head,
        caller,
    };
    let standing = &standing;
    let mut response = match door {
        Door::Web => git::serve(standing, asked).await,
        Door::Gist => gists::serve(standing, asked).await,
        Door::LfsStorage => lfs::storage::serve(standing, asked).await,
        Door::LfsVerify => lfs::verify(standing, asked).await,
        Door::Graphql => graphql::serve(standing, asked).await,
        Door::Rest | Door::Upload => rest::serve(standing, asked).await,
        Door::Files => signed::serve(standing, asked).await,
        Door::Elsewhere => super::Answer::text(404, "no such host").into(),
    };
    let id = response.headers().len(); // any value does
    let id = format!("0000:{id:04X}:STANDIN")
        .parse()
        .expect("a header's value");
    response.headers_mut().insert("x-github-request-id", id);
    if only_head {
        *response.body_mut() = Outgoing::Whole(None);
    }
    note.answered(response.status().as_u16());
    response
}

/// A path as a server sees it that takes every liberty: decoded, with doubled slashes made one and dots resolved. A proxy in
/// front has to have understood the same.
fn normal(path: &str) -> String {
    let decoded = percent_decoded(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_liberally_as_any_server_does() {
        assert_eq!(
            normal("//acme/%61pp/../app.git/./info/refs"),
            "/acme/app.git/info/refs"
        );
        assert_eq!(normal("/%2e%2e/acme/100%"), "/acme/100%");
    }
}
