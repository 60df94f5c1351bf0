//! The client's end of a connection, from accept until its bytes are relayed or its requests are read.
//!
//! Bytes are read here to see what they are and stay to be read again, so a tunnel passes on what was looked at.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use outwall_policy::Opening;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client_hello::{self, ClientHelloError, Reading};
use crate::connection::Accepted;
use crate::error::Error;
use crate::limits::Limits;
use crate::pass::Pass;
use crate::refusal::{Format, Refusal};
use crate::rewind::Rewind;

/// The client's end of a connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// What was read and belongs to whoever reads next.
    pub(crate) seen: BytesMut,
    pub(crate) entrance: Entrance,
    /// Which lane it runs in.
    pub(crate) lane: usize,
    /// On what ground it is its sandbox's.
    pub(crate) pass: Pass,
}

/// How a connection came, as far as it matters to what is said to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// By CONNECT, which waits for its answer.
    Connect,
    /// By a request in absolute form.
    AbsoluteForm { format: Format },
    /// Captured on its way to this address: the client knows nothing of us.
    Captured { original: SocketAddr },
    /// By CONNECT, and told that it may go on.
    Connected,
}

/// What the client's first bytes are.
#[derive(Debug)]
pub(crate) enum FirstBytes {
    /// TLS, with this hello.
    Tls(client_hello::ClientHello),
    /// Something else.
    Other,
    /// The client says nothing, or has gone.
    Nothing,
}

impl Client {
    pub(crate) fn new(accepted: Accepted, entrance: Entrance) -> Self {
        Self {
            stream: accepted.stream,
            seen: BytesMut::new(),
            entrance,
            lane: accepted.seat.lane,
            pass: Pass::Place,
        }
    }

    /// What policy is to know of how it began.
    pub(crate) fn opening(&self) -> Opening {
        match self.entrance {
            Entrance::AbsoluteForm { .. } => Opening::Http,
            Entrance::Connect | Entrance::Connected | Entrance::Captured { .. } => Opening::Unread,
        }
    }

    /// Tells a client that asked by CONNECT that it may go on (RFC 9110 section 9.3.6).
    pub(crate) async fn established(mut self) -> Result<Self, Error> {
        if self.entrance == Entrance::Connect {
            self.stream
                .write_all(ESTABLISHED)
                .await
                .map_err(Error::ClientLost)?;
            self.entrance = Entrance::Connected;
        }
        Ok(self)
    }

    /// Reads more, or says that there is none.
    pub(crate) async fn read_more(&mut self) -> Result<usize, Error> {
        if self.seen.capacity() == self.seen.len() {
            self.seen.reserve(FIRST_READ);
        }
        self.stream
            .read_buf(&mut self.seen)
            .await
            .map_err(Error::ClientLost)
    }

    /// Looks at the first bytes, waiting for them no longer than `patience`, and for the rest of a hello within the
    /// handshake's time.
    pub(crate) async fn first_bytes(
        &mut self,
        patience: Duration,
        limits: &Limits,
    ) -> Result<Result<FirstBytes, ClientHelloError>, Error> {
        if self.seen.is_empty() {
            match timeout(patience, self.read_more()).await {
                Ok(Ok(0)) | Err(_) => return Ok(Ok(FirstBytes::Nothing)),
                Ok(more) => more?,
            };
        }
        timeout(limits.handshake, self.read_hello(limits))
            .await
            .unwrap_or(Err(Error::ClientSilent))
    }

    async fn read_hello(&mut self, limits: &Limits) -> Result<Result<FirstBytes, ClientHelloError>, Error> {
        loop {
            match client_hello::read(&self.seen, limits.client_hello_bytes) {
                Ok(Reading::Complete(hello)) => return Ok(Ok(FirstBytes::Tls(hello))),
                Ok(Reading::NotTls) => return Ok(Ok(FirstBytes::Other)),
                Ok(Reading::Incomplete) => {}
                Err(error) => return Ok(Err(error)),
            }
            if self.read_more().await? == 0 {
                return Err(Error::ClientLost(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Whether what was read begins like a request in the clear.
    pub(crate) fn begins_like_http(&self) -> bool {
        let method: Vec<u8> = self
            .seen
            .iter()
            .copied()
            .take_while(|byte| *byte != b' ')
            .collect();
        !method.is_empty() && method.len() < self.seen.len() && method.iter().all(u8::is_ascii_uppercase)
    }

    /// Says no in http/1.1, and closes.
    pub(crate) async fn refuse_in_the_clear(self, refusal: &Refusal, format: Format) -> Result<(), Error> {
        self.say(&refusal.to_http1(format)).await
    }

    /// Says this, and closes.
    pub(crate) async fn say(mut self, text: &[u8]) -> Result<(), Error> {
        let told = async {
            self.stream.write_all(text).await?;
            self.close().await
        };
        timeout(GOODBYE, told)
            .await
            .unwrap_or(Ok(()))
            .map_err(Error::ClientLost)
    }

    /// Closes so that what was written arrives: a socket closed with unread bytes resets, and the client may lose our answer.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut rest = [0; 4096];
        let mut drained = 0;
        while drained < MOST_DRAINED {
            match self.stream.read(&mut rest).await? {
                0 => break,
                more => drained += more,
            }
        }
        Ok(())
    }

    /// The stream with what was read before it.
    pub(crate) fn into_stream(self) -> Rewind<TcpStream> {
        Rewind::new(self.seen.freeze(), self.stream)
    }
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
/// Most heads and hellos fit.
const FIRST_READ: usize = 2048;
/// How long a refused client may take to read why.
const GOODBYE: Duration = Duration::from_secs(2);
/// What is read of a refused request's body before the connection is cut.
const MOST_DRAINED: usize = 256 * 1024;
