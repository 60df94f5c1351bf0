//! The answers on sockets: UDP, and TCP with a length before each message.
//!
//! Bounds per sandbox: one pace for all its queries, so many TCP connections at once,
//! and a time in which a TCP client must have sent its next query.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::{MOST_MESSAGE_BYTES, Oversight, answer};
use super::names::NameTable;
use super::pace::Pace;

/// What the listeners of one sandbox share.
pub struct Responder {
    names: Arc<NameTable>,
    oversight: Box<dyn Oversight>,
    pace: Mutex<Pace>,
    connections: Arc<Semaphore>,
}

impl Responder {
    /// A responder that remembers in `names` and reports to `oversight`.
    pub fn new(names: Arc<NameTable>, oversight: impl Oversight + 'static) -> Self {
        Self {
            names,
            oversight: Box::new(oversight),
            pace: Mutex::new(Pace::new(QUERIES_PER_SECOND, QUERIES_AT_ONCE, Instant::now())),
            connections: Arc::new(Semaphore::new(MOST_TCP_CONNECTIONS)),
        }
    }

    /// Answers `message` when the sandbox's pace lets it.
    async fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        loop {
            let wait = self
                .pace
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .wait(Instant::now());
            if wait.is_zero() {
                return answer(message, &self.names, &*self.oversight);
            }
            sleep(wait).await;
        }
    }
}

/// Answers datagrams until the returned future is dropped or the socket is broken.
///
/// Queries beyond the sandbox's pace wait in the socket's buffer, and the kernel drops
/// what does not fit there: a flood slows itself down.
///
/// # Errors
/// The socket's own, when it goes on failing.
pub async fn serve_udp(socket: UdpSocket, responder: Arc<Responder>) -> io::Result<()> {
    let mut buffer = vec![0; MOST_MESSAGE_BYTES + 1];
    let mut failures = Failures::default();
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, client)) => {
                failures.forget();
                if let Some(reply) = responder.answer(&buffer[..length]).await {
                    // A client that has gone away is no trouble of ours.
                    let _ = socket.send_to(&reply, client).await;
                }
            }
            Err(error) => failures.pause_or_give_up(error).await?,
        }
    }
}

/// Answers connections until the returned future is dropped or the listener is broken.
/// Dropping it ends its connections.
///
/// # Errors
/// The listener's own, when it goes on failing.
pub async fn serve_tcp(listener: TcpListener, responder: Arc<Responder>) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut failures = Failures::default();
    loop {
        while connections.try_join_next().is_some() {}
        let room = Arc::clone(&responder.connections).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _client)) => {
                failures.forget();
                let responder = Arc::clone(&responder);
                connections.spawn(async move {
                    let _room = room;
                    converse(stream, &responder).await
                });
            }
            Err(error) => failures.pause_or_give_up(error).await?,
        }
    }
}

/// One TCP connection: query, reply, query, reply (RFC 7766), in the order asked.
async fn converse(mut stream: TcpStream, responder: &Responder) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut framed = Vec::with_capacity(FRAME_BYTES);
    while let Some(message) = timeout(IDLE, read_message(&mut stream)).await?? {
        let Some(reply) = responder.answer(&message).await else {
            return Ok(());
        };
        let Ok(length) = u16::try_from(reply.len()) else {
            return Ok(());
        };
        framed.clear();
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&reply);
        timeout(IDLE, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// The next message, or `None` when the client is done or sends one that is too long.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u16().await {
        Ok(length) => usize::from(length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > MOST_MESSAGE_BYTES {
        return Ok(None);
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Errors of a socket in a row. A few pass (no descriptors left, an ICMP error that
/// the kernel reports late); a socket that only fails is given up.
#[derive(Default)]
struct Failures(u32);

impl Failures {
    fn forget(&mut self) {
        self.0 = 0;
    }

    async fn pause_or_give_up(&mut self, error: io::Error) -> io::Result<()> {
        self.0 += 1;
        if self.0 > MOST_FAILURES {
            return Err(error);
        }
        sleep(FAILURE_PAUSE).await;
        Ok(())
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("names", &self.names.len())
            .finish_non_exhaustive()
    }
}

const QUERIES_PER_SECOND: u32 = 2_000;
const QUERIES_AT_ONCE: u32 = 1_000;
const MOST_TCP_CONNECTIONS: usize = 64;
const IDLE: Duration = Duration::from_secs(10);
const FRAME_BYTES: usize = 514;
const MOST_FAILURES: u32 = 100;
const FAILURE_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    #![expect(clippy::disallowed_methods, reason = "the tests are the client")]

    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::str::FromStr;

    use hickory_proto::op::{Message, Query};
    use hickory_proto::rr::{Name, RData, RecordType};

    use super::*;

    const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    fn query(name: &str) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_str(name).unwrap(), RecordType::A));
        message.to_vec().unwrap()
    }

    fn address_in(reply: &[u8]) -> IpAddr {
        match Message::from_vec(reply).unwrap().answers[0].data {
            RData::A(address) => IpAddr::V4(address.0),
            ref other => panic!("not an A record: {other:?}"),
        }
    }

    #[tokio::test]
    async fn udp_and_tcp_answer_from_one_table() {
        let names = Arc::new(NameTable::default());
        let responder = Arc::new(Responder::new(Arc::clone(&names), ()));
        let udp = UdpSocket::bind(ANY_PORT).await.unwrap();
        let tcp = TcpListener::bind(ANY_PORT).await.unwrap();
        let (udp_address, tcp_address) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        tokio::spawn(serve_udp(udp, Arc::clone(&responder)));
        tokio::spawn(serve_tcp(tcp, responder));

        let by_udp = ask_by_udp(udp_address, &query("api.example.com.")).await;
        let by_tcp = ask_by_tcp(tcp_address, &[query("api.example.com."), query("b.example.com.")]).await;

        assert_eq!(address_in(&by_udp), address_in(&by_tcp[0]));
        assert_ne!(address_in(&by_tcp[0]), address_in(&by_tcp[1]));
        assert_eq!(
            names.name_of(address_in(&by_udp)).unwrap().as_str(),
            "api.example.com"
        );
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_ends_the_connection_and_not_the_server() {
        let responder = Arc::new(Responder::new(Arc::default(), ()));
        let tcp = TcpListener::bind(ANY_PORT).await.unwrap();
        let address = tcp.local_addr().unwrap();
        tokio::spawn(serve_tcp(tcp, responder));

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[0xff; 1024]).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
        ask_by_tcp(address, &[query("api.example.com.")]).await;
    }

    async fn ask_by_udp(server: SocketAddr, message: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
        socket.send_to(message, server).await.unwrap();
        let mut reply = vec![0; 512];
        let (length, _) = socket.recv_from(&mut reply).await.unwrap();
        reply.truncate(length);
        reply
    }

    async fn ask_by_tcp(server: SocketAddr, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut stream = TcpStream::connect(server).await.unwrap();
        for message in messages {
            stream
                .write_u16(u16::try_from(message.len()).unwrap())
                .await
                .unwrap();
            stream.write_all(message).await.unwrap();
        }
        let mut replies = Vec::new();
        for _ in messages {
            replies.push(read_message(&mut stream).await.unwrap().unwrap());
        }
        replies
    }
}
