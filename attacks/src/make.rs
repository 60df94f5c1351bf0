//! Makes one attempt and says what was seen. Everything has a time limit.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::attack::{Act, Attempt, Inside, Opening, Port, Seen, Speaks, Talk};
use crate::build::replaced;
use crate::split::Split;
use crate::{answers, ask, tls};

/// What is known only when the list is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Surroundings {
    /// The port of the victim on the host's loopback.
    pub victim: u16,
    /// Where a gate is spoken to as a proxy; none inside a sandbox.
    pub proxy: Option<SocketAddr>,
}

impl Attempt {
    /// Makes it.
    pub(crate) fn make(&self, around: Surroundings) -> Seen {
        let made = match &self.act {
            Act::Talk(talk) => talk.make(around),
            Act::Kernel(kernel) => kernel.attempt(around).map(|text| Seen {
                text,
                ..Seen::default()
            }),
            Act::Ask(question) => ask::ask(question),
        };
        made.unwrap_or_else(|error| Seen {
            failure: Some(error.to_string()),
            ..Seen::default()
        })
    }
}

impl Talk {
    fn make(&self, around: Surroundings) -> io::Result<Seen> {
        let mut stream = self.opening.connect(around)?;
        if let Opening::Proxy {
            connect: Some(target),
        } = &self.opening
            && let Some(refused) = connect(&mut stream, target)?
        {
            return Ok(refused);
        }
        let pieces = self.pieces.iter().map(|piece| in_surroundings(piece, around));
        let pieces: Vec<_> = pieces.collect();
        match &self.inside {
            Inside::Clear => Ok(self.converse(stream, Speaks::Http1, &pieces)),
            Inside::Tls { name, speaks } => {
                let session = tls::session(name.as_deref(), *speaks)?;
                self.inside_tls(session, stream, *speaks, &pieces)
            }
            Inside::SplitTls { name } => {
                let session = tls::session(Some(name), Speaks::Http1)?;
                self.inside_tls(session, Split::new(stream), Speaks::Http1, &pieces)
            }
        }
    }

    fn inside_tls<S: Read + Write + Timed>(
        &self,
        mut session: ClientConnection,
        mut stream: S,
        speaks: Speaks,
        pieces: &[Vec<u8>],
    ) -> io::Result<Seen> {
        stream.wait_up_to(ANSWER)?;
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut stream) {
                return Ok(Seen {
                    ended: Some(format!("TLS: {error}")),
                    ..Seen::default()
                });
            }
        }
        Ok(self.converse(StreamOwned::new(session, stream), speaks, pieces))
    }

    /// Writes the pieces and reads until the peer closes or falls silent.
    fn converse<S: Read + Write + Timed>(&self, mut stream: S, speaks: Speaks, pieces: &[Vec<u8>]) -> Seen {
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                sleep(BETWEEN);
            }
            let written = stream.write_all(piece).and_then(|()| stream.flush());
            if written.is_err() {
                break; // the peer has closed: what it said is read below
            }
        }
        let first = if self.answers > 0 { ANSWER } else { SILENCE };
        let (bytes, closed) = read(&mut stream, first, self.answers, speaks);
        answers::read(&bytes, closed, speaks)
    }
}

impl Opening {
    #[expect(
        clippy::disallowed_methods,
        reason = "an attempt connects and looks up as any program in a sandbox does"
    )]
    fn connect(&self, around: Surroundings) -> io::Result<TcpStream> {
        use std::net::ToSocketAddrs as _;
        let addresses: Vec<_> = match self {
            Self::Direct { host, port } => {
                let port = match port {
                    Port::Number(port) => *port,
                    Port::Victim => around.victim,
                };
                (host.as_str(), port).to_socket_addrs()?.collect()
            }
            Self::Proxy { .. } => around.proxy.into_iter().collect(),
        };
        let first = addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect_timeout(first, ANSWER)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(stream)
    }
}

/// A stream whose reads can be given a time limit.
pub(crate) trait Timed {
    fn wait_up_to(&mut self, limit: Duration) -> io::Result<()>;
}

impl Timed for TcpStream {
    fn wait_up_to(&mut self, limit: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

impl<S: Read + Write + Timed> Timed for StreamOwned<ClientConnection, S> {
    fn wait_up_to(&mut self, limit: Duration) -> io::Result<()> {
        self.sock.wait_up_to(limit)
    }
}

/// Asks for a tunnel; what came instead, if it was refused.
fn connect(stream: &mut TcpStream, target: &str) -> io::Result<Option<Seen>> {
    let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.wait_up_to(ANSWER)?;
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            break;
        }
        said.extend_from_slice(&byte);
    }
    let seen = answers::read(&said, false, Speaks::Http1);
    let open = seen.answers.first().is_some_and(|answer| answer.status == 200);
    Ok(if open { None } else { Some(seen) })
}

/// All that comes, and whether the peer closed. Until there are the answers that are expected, `first` is waited for the next.
fn read<S: Read + Timed>(
    stream: &mut S,
    first: Duration,
    expected: usize,
    speaks: Speaks,
) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let started = Instant::now();
    let _ = stream.wait_up_to(first);
    while started.elapsed() < LONGEST && bytes.len() < MOST {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, true),
            Ok(length) => {
                bytes.extend_from_slice(&buffer[..length]);
                let complete = answers::count(&bytes, speaks) >= expected;
                let patience = if complete { QUIET } else { first };
                let _ = stream.wait_up_to(patience);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return (bytes, false);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_reset) => return (bytes, true),
        }
    }
    (bytes, false)
}

fn in_surroundings(piece: &[u8], around: Surroundings) -> Vec<u8> {
    let piece = replaced(piece, b"{victim}", around.victim.to_string().as_bytes());
    let proxy = around.proxy.map(|proxy| proxy.to_string()).unwrap_or_default();
    replaced(&piece, b"{proxy}", proxy.as_bytes())
}

/// How long an answer may take that must come.
const ANSWER: Duration = Duration::from_secs(12);
/// And one that need not.
const SILENCE: Duration = Duration::from_millis(600);
/// How long silence is after something came.
const QUIET: Duration = Duration::from_millis(200);
const BETWEEN: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_secs(14);
const MOST: usize = 4 << 20;
