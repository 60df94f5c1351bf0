//! Relays bytes unread, for hosts that are not intercepted and for plain TCP by name and port.
//!
//! It ends with either side, when nothing moves for too long, when the gate drains, and when its permit is withdrawn.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use outwall_audit::CameBack;
use outwall_policy::{ConnectionPermit, Denial};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::timeout;

use crate::allowance::Bounds;
use crate::client::Client;
use crate::client_gate::ClientGate;
use crate::dialer::{Load, Transport};
use crate::error::Error;
use crate::metrics::{Ending, Measured};
use crate::pass_through::{ends_through, flushes_through, writes_through};
use crate::vigil::until_withdrawn;

/// Records, dials and relays, until one side is done.
pub(crate) async fn relay(
    gate: &Arc<ClientGate>,
    client: Client,
    permit: ConnectionPermit,
) -> Result<(), Error> {
    let recorded = gate.record_connection(&permit).await?;
    let measured = Measured::begin(&gate.shared.metrics, client.lane, permit.rule());
    let moved = Moved::default();
    let relayed = async {
        let dialling = gate.dialer.connect(&permit, &recorded, Load::Bytes);
        let origin = timeout(gate.shared.limits.connect, dialling)
            .await
            .unwrap_or(Err(Error::ConnectTimeout))?;
        Box::pin(exchange_bytes(gate, client, origin, &permit, &moved)).await
    };
    let outcome = relayed.await;
    if let Err(Error::Address(denial)) = &outcome {
        gate.denied(denial, outwall_audit::Asked::default());
    }
    let error = outcome.as_ref().err().map(Error::chain);
    let (bytes_up, bytes_down) = (moved.up.load(Relaxed), moved.down.load(Relaxed));
    measured.end(Ending {
        status: None,
        failed: error.is_some(),
        bytes_up,
        bytes_down,
    });
    recorded.came_back(CameBack {
        bytes_up,
        bytes_down,
        error: error.as_deref(),
        ..CameBack::default()
    });
    outcome
}

/// Bytes that went through.
#[derive(Default)]
pub(crate) struct Moved {
    pub(crate) up: Arc<AtomicU64>,
    pub(crate) down: Arc<AtomicU64>,
}

impl Moved {
    /// A client's stream, whose bytes are on their way up.
    pub(crate) fn up<S>(&self, stream: S, bounds: &Arc<Bounds>) -> Counted<S> {
        Counted {
            stream,
            read: Arc::clone(&self.up),
            bounds: Arc::clone(bounds),
            pass: Bounds::send_unread,
        }
    }

    /// An origin's stream, whose bytes are on their way down.
    pub(crate) fn down<S>(&self, stream: S, bounds: &Arc<Bounds>) -> Counted<S> {
        Counted {
            stream,
            read: Arc::clone(&self.down),
            bounds: Arc::clone(bounds),
            pass: Bounds::receive_unread,
        }
    }
}

async fn exchange_bytes(
    gate: &Arc<ClientGate>,
    client: Client,
    origin: Transport,
    permit: &ConnectionPermit,
    moved: &Moved,
) -> Result<(), Error> {
    let bounds = Bounds::of_tunnel(gate, permit.target());
    let mut client = moved.up(client.into_stream(), &bounds);
    let mut origin = moved.down(origin, &bounds);
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut client, &mut origin, BUFFER, BUFFER) => match copied {
            Ok(_) => Ok(()),
            Err(_consequence) if bounds.cut().is_some() => {
                let denial = bounds.cut().cloned().expect("it was just there");
                Err(Error::CutOff(denial))
            }
            // A reset ends a tunnel as it ends a connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(Error::OriginLost(error)),
        },
        withdrawn = until_withdrawn(gate, permit) => Err(withdrawn),
        silent = until_silent(moved, gate.shared.limits.tunnel_idle) => Err(silent),
        () = gate.drained() => Err(Error::ShuttingDown),
    }
}

/// Looks now and then whether bytes moved since the last look.
pub(crate) async fn until_silent(moved: &Moved, limit: Duration) -> Error {
    let count = || moved.up.load(Relaxed).wrapping_add(moved.down.load(Relaxed));
    let mut before = count();
    loop {
        tokio::time::sleep(limit).await;
        let now = count();
        if now == before {
            return Error::Silence;
        }
        before = now;
    }
}

/// A stream that counts what is read from it, and ends where its bounds do.
pub(crate) struct Counted<S> {
    stream: S,
    read: Arc<AtomicU64>,
    bounds: Arc<Bounds>,
    pass: fn(&Bounds, u64) -> Result<(), Denial>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = (buffer.filled().len() - before) as u64;
        if read > 0 && (self.pass)(&self.bounds, read).is_err() {
            buffer.set_filled(before); // it goes nowhere
            return Poll::Ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        self.read.fetch_add(read, Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

/// Large enough for bulk, and allocated only while a tunnel runs.
const BUFFER: usize = 32 * 1024;
