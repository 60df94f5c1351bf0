//! Connections from the host to a port that a sandbox publishes: recorded, then connected inside, then relayed unread.
//!
//! They are the host's, so no policy is asked and no limit of the sandbox's is used up. The server inside may start later, and
//! listen on whatever address it likes: each connection tries them in turn.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use outwall_audit::{CameIn, RecordedIn};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection::Accepted;
use crate::error::Error;
use crate::gate::Shared;
use crate::listener::Host;
use crate::sandbox_gate::SandboxGate;

mod counted;
mod user;

use counted::Counts;

/// The way into a sandbox's network.
pub trait WayIn: Send + Sync + 'static {
    /// Addresses at which servers inside may be found, in the order in which they are tried.
    fn addresses(&self) -> Vec<IpAddr>;

    /// A non-blocking, unconnected TCP socket of the sandbox's network, for an address of this family. May block for a moment.
    fn socket(&self, to: IpAddr) -> io::Result<std::net::TcpStream>;
}

/// A port of a sandbox and where the host finds it.
#[derive(Debug)]
pub struct Publication {
    /// The port inside.
    pub port: u16,
    /// Where clients of the host come.
    pub listener: std::net::TcpListener,
}

/// A published port, served.
pub(crate) struct Published {
    gate: Arc<SandboxGate>,
    port: u16,
    at: SocketAddr,
    way: Arc<dyn WayIn>,
    room: Arc<Semaphore>,
}

impl Published {
    pub(crate) fn new(
        gate: &Arc<SandboxGate>,
        publication: Publication,
        way: Arc<dyn WayIn>,
    ) -> io::Result<(Arc<Self>, TcpListener)> {
        publication.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(publication.listener)?;
        let published = Self {
            gate: Arc::clone(gate),
            port: publication.port,
            at: listener.local_addr()?,
            way,
            room: Arc::new(Semaphore::new(gate.shared.limits.connections)),
        };
        Ok((Arc::new(published), listener))
    }

    async fn relay(&self, client: TcpStream, connection: u64) -> Result<(), Error> {
        let peer = client.peer_addr().map_err(Error::ClientLost)?;
        let recorded = self.record(peer, connection).await?;
        let counts = Counts::default();
        let outcome = match self.connect_inside().await {
            Ok(server) => self.exchange_bytes(client, server, &counts).await,
            Err(error) => {
                hang_up(&client);
                Err(error)
            }
        };
        let error = outcome.as_ref().err().map(ToString::to_string);
        recorded.ended(
            counts.up.load(Relaxed),
            counts.down.load(Relaxed),
            error.as_deref(),
        );
        Ok(())
    }

    /// No record, no connection.
    async fn record(&self, client: SocketAddr, connection: u64) -> Result<RecordedIn, Error> {
        let at = self.at;
        let user = tokio::task::spawn_blocking(move || user::of(client, at)).await;
        let what = CameIn {
            sandbox: &self.gate.sandbox,
            connection,
            port: self.port,
            at,
            client,
            user: user.unwrap_or_default(),
        };
        Ok(self.gate.shared.audit.came_in(what)?)
    }

    /// The first address at which somebody listens; the last one's error when nobody does.
    async fn connect_inside(&self) -> io::Result<TcpStream> {
        let mut failure = io::ErrorKind::AddrNotAvailable.into();
        for address in self.way.addresses() {
            match self.connect_at(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect_at(&self, address: IpAddr) -> io::Result<TcpStream> {
        let way = Arc::clone(&self.way);
        let made = tokio::task::spawn_blocking(move || way.socket(address)).await;
        let socket = TcpSocket::from_std_stream(made.map_err(io::Error::other)??);
        let connecting = socket.connect(SocketAddr::new(address, self.port));
        let stream = timeout(self.gate.shared.limits.connect, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn exchange_bytes(&self, client: TcpStream, server: TcpStream, counts: &Counts) -> io::Result<()> {
        let (mut client, mut server) = (counts.up(client), counts.down(server));
        let limits = &self.gate.shared.limits;
        tokio::select! {
            copied = tokio::io::copy_bidirectional(&mut client, &mut server) => match copied {
                Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
                _ended => Ok(()),
            },
            () = counts.until_silent(limits.tunnel_idle) => Err(io::ErrorKind::TimedOut.into()),
            () = self.drained_and_delivered() => Ok(()),
        }
    }

    /// The sandbox is gone, and what it said last has had its time to arrive.
    async fn drained_and_delivered(&self) {
        self.gate.drained().await;
        tokio::time::sleep(LAST_BYTES).await;
    }
}

impl Host for Published {
    type Accepted = Accepted;

    fn shared(&self) -> &Shared {
        &self.gate.shared
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    fn drained(&self) -> impl Future<Output = ()> + Send {
        self.gate.drained()
    }

    async fn serve(self: Arc<Self>, accepted: Accepted) {
        if let Err(error) = self.relay(accepted.stream, accepted.seat.connection).await {
            error.log();
        }
    }
}

/// Nobody listens inside: the client is told by a reset, as it would be without us.
fn hang_up(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

const LAST_BYTES: Duration = Duration::from_millis(300);
