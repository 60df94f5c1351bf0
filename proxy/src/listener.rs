//! Accepts connections for one sandbox and serves each on a task of its own: a panic ends that connection and is counted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::connection::{Accepted, Door};
use crate::gate::Shared;
use crate::lanes::Seat;

/// Knows where a captured connection was going.
pub trait OriginalDestination: Send + Sync + 'static {
    /// The address that the client meant to reach.
    fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr>;
}

/// The kernel redirected the connection and remembers (`SO_ORIGINAL_DST`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Redirected;

impl OriginalDestination for Redirected {
    fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        let socket = SockRef::from(stream);
        let local = stream.local_addr()?;
        let original = match local {
            SocketAddr::V4(_) => socket.original_dst_v4(),
            SocketAddr::V6(_) => socket.original_dst_v6(),
        };
        if original
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            return Ok(local); // nothing was redirected: the client meant the listener itself
        }
        original?
            .as_socket()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// Which door a listener is.
#[derive(Clone)]
pub(crate) enum Doorway {
    Explicit,
    Captured(Arc<dyn OriginalDestination>),
    HostPort(u16),
}

impl Doorway {
    fn door(&self, stream: &TcpStream) -> io::Result<Door> {
        match self {
            Self::Explicit => Ok(Door::Explicit),
            Self::Captured(destination) => destination.of(stream).map(|original| Door::Captured { original }),
            Self::HostPort(port) => Ok(Door::HostPort { port: *port }),
        }
    }
}

/// Accepts connections of one kind.
pub(crate) trait Listens: Send + 'static {
    /// One, as it is handed to its lane.
    type Arrived: Arrived;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Arrived>> + Send;
}

/// A connection on its way to its lane, registered with no thread.
pub(crate) trait Arrived: Send + 'static {
    /// What is served.
    type Accepted;

    /// In its lane.
    fn admit(self, seat: Seat) -> io::Result<Self::Accepted>;
}

/// A TCP listener, and which door it is.
pub(crate) struct TcpDoor {
    pub(crate) listener: TcpListener,
    pub(crate) doorway: Doorway,
}

/// What came by it.
pub(crate) struct ByTcp {
    stream: std::net::TcpStream,
    doorway: Doorway,
}

impl Listens for TcpDoor {
    type Arrived = ByTcp;

    async fn accept(&self) -> io::Result<ByTcp> {
        let (stream, _client) = self.listener.accept().await?;
        Ok(ByTcp {
            stream: stream.into_std()?,
            doorway: self.doorway.clone(),
        })
    }
}

impl Arrived for ByTcp {
    type Accepted = Accepted;

    fn admit(self, seat: Seat) -> io::Result<Accepted> {
        let stream = tcp(self.stream)?;
        let door = self.doorway.door(&stream)?;
        Ok(Accepted { stream, door, seat })
    }
}

/// Registered with the lane's thread.
pub(crate) fn tcp(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

/// Who connections are accepted for.
pub(crate) trait Host: Send + Sync + 'static {
    /// What it serves.
    type Accepted: Send;

    fn shared(&self) -> &Shared;

    /// One permit per connection.
    fn room(&self) -> &Arc<Semaphore>;

    /// Resolves when nothing more is to be accepted.
    fn drained(&self) -> impl Future<Output = ()> + Send;

    /// Serves one connection, from accept to close.
    fn serve(self: Arc<Self>, accepted: Self::Accepted) -> impl Future<Output = ()> + Send;
}

/// Accepts until the gate drains, then waits for what runs, in bounded time.
pub(crate) async fn serve<H, L>(gate: Arc<H>, listener: L)
where
    H: Host,
    L: Listens<Arrived: Arrived<Accepted = H::Accepted>>,
{
    let mut connections = JoinSet::new();
    tokio::select! {
        () = gate.drained() => {}
        () = accept_all(&gate, &listener, &mut connections) => {}
    }
    drop(listener);
    let rest = async {
        while let Some(ended) = connections.join_next().await {
            note_end(&*gate, ended);
        }
    };
    if timeout(gate.shared().limits.drain, rest).await.is_err() {
        tracing::info!("connections were cut off at the end of the drain");
    }
}

async fn accept_all<H, L>(gate: &Arc<H>, listener: &L, connections: &mut JoinSet<()>)
where
    H: Host,
    L: Listens<Arrived: Arrived<Accepted = H::Accepted>>,
{
    let mut full = Full::default();
    loop {
        // Room first: beyond the limit, the kernel's queue holds who comes, and what runs is not disturbed.
        let room = (
            room_in(gate.room(), &mut full).await,
            room_in(&gate.shared().room, &mut full).await,
        );
        let accepted = tokio::select! {
            Some(ended) = connections.join_next() => {
                note_end(&**gate, ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let arrived = match accepted {
            Ok(arrived) => arrived,
            Err(error) => {
                pause(&error).await;
                continue;
            }
        };
        let (gate, place) = (Arc::clone(gate), gate.shared().lanes.place());
        let lane = place.runtime.clone();
        let connection = async move {
            gate.shared().metrics.connection(place.seat.lane);
            match arrived.admit(place.seat) {
                Ok(accepted) => gate.serve(accepted).await,
                Err(error) => tracing::debug!(%error, "a connection ended before it began"),
            }
            drop((place, room));
        };
        connections.spawn_on(connection, &lane);
    }
}

/// Says that there is no room, and not for every connection that waits.
#[derive(Default)]
struct Full {
    said: Option<Instant>,
}

impl Full {
    fn say(&mut self) {
        if self
            .said
            .is_none_or(|said| said.elapsed() > Duration::from_mins(1))
        {
            self.said = Some(Instant::now());
            tracing::warn!("there is no room for more connections: new ones wait until others end");
        }
    }
}

async fn room_in(room: &Arc<Semaphore>, full: &mut Full) -> OwnedSemaphorePermit {
    if room.available_permits() == 0 {
        full.say();
    }
    Arc::clone(room)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed")
}

fn note_end<H: Host>(gate: &H, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        let panics = gate.shared().metrics.panic();
        tracing::error!(panics, "a connection ended in a panic");
    }
}

/// A client that went away before accept is nothing; out of descriptors is a reason to wait for some.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "accept failed");
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
