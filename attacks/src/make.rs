//! Makes one attempt and says what was seen. Everything has a time limit.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, HandshakeKind, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};

use crate::attack::{Act, Attempt, Inside, Opening, Port, Resumed, Seen, Session, Speaks, Talk};
use crate::build::replaced;
use crate::renegotiate::Renegotiating;
use crate::sessions::Sessions;
use crate::split::Split;
use crate::{answers, ask, tls};

/// What is known only when the list is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The port of the victim on the host's loopback.
    pub victim: u16,
    /// Where a gate is spoken to as a proxy; none inside a sandbox.
    pub proxy: Option<SocketAddr>,
    /// Credentials of a shared proxy, by the names under which the list has them: all of [`TOKENS`](crate::TOKENS).
    pub tokens: BTreeMap<&'static str, String>,
}

impl Attempt {
    /// Makes it.
    pub(crate) fn make(&self, around: &Surroundings) -> Seen {
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
    fn make(&self, around: &Surroundings) -> io::Result<Seen> {
        let sessions = match &self.inside {
            Inside::Resumed(resumed) => Some(resumed.first(around)?),
            _ => None,
        };
        let stream = match self.opening.open(around)? {
            Opened::Through(stream) => stream,
            Opened::Refused(seen) => return Ok(seen),
        };
        let pieces = self.pieces.iter().map(|piece| in_surroundings(piece, around));
        let pieces: Vec<_> = pieces.collect();
        match &self.inside {
            Inside::Clear => Ok(self.converse(stream, Speaks::Http1, &pieces)),
            Inside::Tls { name, speaks } => {
                let session = tls::session(name.as_deref(), *speaks)?;
                Ok(self.inside_tls(session, stream, *speaks, &pieces))
            }
            Inside::SplitTls { name } => {
                let session = tls::session(Some(name), Speaks::Http1)?;
                Ok(self.inside_tls(session, Split::new(stream), Speaks::Http1, &pieces))
            }
            Inside::Resumed(resumed) => {
                let sessions = sessions.ok_or(io::ErrorKind::NotFound)?;
                self.resumed(resumed, &sessions, stream, &pieces)
            }
            Inside::Renegotiated { name, second } => {
                let session = tls::session_to_extract(name)?;
                let renegotiating = Renegotiating::start(session, stream, ANSWER)?;
                renegotiating.converse(second.as_deref(), &pieces, self.answers)
            }
        }
    }

    fn inside_tls<S: Read + Write + Timed>(
        &self,
        mut session: ClientConnection,
        mut stream: S,
        speaks: Speaks,
        pieces: &[Vec<u8>],
    ) -> Seen {
        match handshake(&mut session, &mut stream) {
            Ok(()) => self.converse(StreamOwned::new(session, stream), speaks, pieces),
            Err(error) => Seen {
                ended: Some(format!("TLS: {error}")),
                ..Seen::default()
            },
        }
    }

    /// Shows the session of another connection, and says whether it was taken up.
    fn resumed(
        &self,
        resumed: &Resumed,
        sessions: &Sessions,
        mut stream: TcpStream,
        pieces: &[Vec<u8>],
    ) -> io::Result<Seen> {
        let mut session = sessions.session(resumed.name.as_deref())?;
        if !resumed.early.is_empty() {
            let mut early = session.early_data().ok_or_else(|| {
                io::Error::other("there is no session for which data could be sent before its answer")
            })?;
            early.write_all(&resumed.early)?;
        }
        handshake(&mut session, &mut stream)?;
        let words = match (session.handshake_kind(), session.is_early_data_accepted()) {
            (_, true) => EARLY_DATA_TAKEN,
            (Some(HandshakeKind::Resumed), false) => TAKEN_UP,
            _ => BEGUN_ANEW,
        };
        if resumed.expects == Session::TakenUp && words != TAKEN_UP {
            return Err(io::Error::other(words));
        }
        let seen = self.converse(StreamOwned::new(session, stream), Speaks::Http1, pieces);
        Ok(Seen {
            ended: Some(words.to_owned()),
            ..seen
        })
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

impl Resumed {
    /// Has a session begin that is then there to be shown.
    fn first(&self, around: &Surroundings) -> io::Result<Sessions> {
        let (opening, name) = &self.from;
        let Opened::Through(mut stream) = opening.open(around)? else {
            return Err(io::Error::other("the first connection was refused"));
        };
        let sessions = Sessions::of(self.version)?;
        let mut session = sessions.session(name.as_deref())?;
        handshake(&mut session, &mut stream)?;
        let mut stream = StreamOwned::new(session, stream);
        let host = name.as_deref().unwrap_or("nobody.invalid");
        write!(stream, "GET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")?;
        stream.flush()?;
        read(&mut stream, ANSWER, 1, Speaks::Http1); // what is behind the answer is the session
        Ok(sessions)
    }
}

/// What became of an opening.
enum Opened {
    Through(TcpStream),
    Refused(Seen),
}

impl Opening {
    fn open(&self, around: &Surroundings) -> io::Result<Opened> {
        let mut stream = self.connect(around)?;
        if let Self::Proxy {
            connect: Some(target),
            fields,
        } = self
        {
            let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{fields}\r\n");
            let head = in_surroundings(head.as_bytes(), around);
            if let Some(refused) = connect(&mut stream, &head)? {
                return Ok(Opened::Refused(refused));
            }
        }
        Ok(Opened::Through(stream))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an attempt connects and looks up as any program in a sandbox does"
    )]
    fn connect(&self, around: &Surroundings) -> io::Result<TcpStream> {
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
        let stream = if around.tokens.is_empty() {
            TcpStream::connect_timeout(first, ANSWER)?
        } else {
            connect_as_another(*first)?
        };
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(stream)
    }
}

/// From an address of loopback that none before had: who shows something wrong may not go on for long, and is not to be refused
/// for what others showed.
fn connect_as_another(to: SocketAddr) -> io::Result<TcpStream> {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from(([127, 1, high, low], 0)).into())?;
    socket.connect_timeout(&to.into(), ANSWER)?;
    Ok(socket.into())
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
fn connect(stream: &mut TcpStream, head: &[u8]) -> io::Result<Option<Seen>> {
    stream.write_all(head)?;
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

fn handshake<S: Read + Write + Timed>(session: &mut ClientConnection, stream: &mut S) -> io::Result<()> {
    stream.wait_up_to(ANSWER)?;
    while session.is_handshaking() {
        session.complete_io(stream)?;
    }
    Ok(())
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

fn in_surroundings(piece: &[u8], around: &Surroundings) -> Vec<u8> {
    let piece = replaced(piece, b"{victim}", around.victim.to_string().as_bytes());
    let proxy = around.proxy.map(|proxy| proxy.to_string()).unwrap_or_default();
    let piece = replaced(&piece, b"{proxy}", proxy.as_bytes());
    around.tokens.iter().fold(piece, |piece, (name, token)| {
        replaced(&piece, format!("{{token:{name}}}").as_bytes(), token.as_bytes())
    })
}

/// What became of the session that was shown.
pub(crate) const TAKEN_UP: &str = "the session was taken up";
pub(crate) const BEGUN_ANEW: &str = "a new session";
pub(crate) const EARLY_DATA_TAKEN: &str = "early data was taken";

/// How long an answer may take that must come. It comes at once but on a machine that is busy with something else, and a row must
/// not fail for that: seen were 15 s at twenty runnable processes for two cores.
const ANSWER: Duration = Duration::from_mins(1);
/// And one that need not.
const SILENCE: Duration = Duration::from_millis(600);
/// How long silence is after something came.
const QUIET: Duration = Duration::from_millis(200);
const BETWEEN: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_secs(75);
const MOST: usize = 4 << 20;
