//! A proxy behind the gate, that remembers what it was asked and leads everything to one address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::origin::tls_of;

/// How a parent answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Obliging,
    /// Only who is told this in `Proxy-Authorization` is served.
    Demanding(&'static str),
    /// Everybody gets this answer and no more.
    Saying(&'static str),
}

/// One head that a parent was sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
}

/// A running parent proxy.
pub(crate) struct Parent {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Parent {
    pub(crate) async fn start(manner: Manner, leads_to: SocketAddr) -> Self {
        Self::open(manner, leads_to, None).await
    }

    /// One that is spoken to inside TLS, with a certificate for this name.
    pub(crate) async fn inside_tls(name: &str, leads_to: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(tls_of(name));
        Self::open(Manner::Obliging, leads_to, Some(acceptor)).await
    }

    async fn open(manner: Manner, leads_to: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (asked, tls) = (Arc::clone(&remembered), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, manner, leads_to, asked).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, manner, leads_to, asked).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// Every head that it was sent; of a connection that it joined to another only the first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn serve<S>(
    mut stream: S,
    manner: Manner,
    leads_to: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let field = |line: &str| {
        line.strip_prefix("Proxy-Authorization: ")
            .or(line.strip_prefix("proxy-authorization: "))
            .map(str::to_owned)
    };
    let authorization = head.lines().find_map(field);
    let line = head.lines().next().unwrap().to_owned();
    asked.lock().unwrap().push(Asked {
        line: line.clone(),
        authorization: authorization.clone(),
    });
    match manner {
        Manner::Saying(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            return stream.shutdown().await;
        }
        Manner::Demanding(expected) if authorization.as_deref() != Some(expected) => {
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await?;
            return stream.shutdown().await;
        }
        Manner::Demanding(_) | Manner::Obliging => {}
    }
    let mut origin = TcpStream::connect(leads_to).await?;
    if line.starts_with("CONNECT ") {
        // In one piece with what a server that speaks first says: nothing of it may be lost.
        let mut answer = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
        if line.contains(":5432 ") {
            let mut greeting = [0; 64];
            let length = origin.read(&mut greeting).await?;
            answer.extend_from_slice(&greeting[..length]);
        }
        stream.write_all(&answer).await?;
    } else {
        origin.write_all(head.as_bytes()).await?;
    }
    copy_bidirectional(&mut stream, &mut origin).await?;
    Ok(())
}
