//! Moves the bytes of an open socket, until one side is done, its permit is withdrawn, the gate drains, or it is silent too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use outwall_policy::RequestPermit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use crate::allowance::Bounds;
use crate::body::Held;
use crate::client_gate::ClientGate;
use crate::error::Error;
use crate::leaks::{MessageWatch, Watch};
use crate::pass_through::{ends_through, flushes_through, writes_through};
use crate::record::ExchangeRecord;
use crate::scrub::{MessageScrub, NoFrames, Scrubbing};
use crate::tunnel::{Moved, until_silent};
use crate::vigil::until_request_withdrawn;

/// A stream of bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A socket that its origin has opened, before its client has heard of it.
pub(crate) struct Socket {
    pub(crate) origin: Box<dyn Duplex>,
    pub(crate) permit: RequestPermit,
    pub(crate) record: ExchangeRecord,
    pub(crate) held: Held,
    pub(crate) scrubbing: Option<Arc<Scrubbing>>,
}

impl Socket {
    /// Relays until it is over, and closes the record.
    pub(crate) async fn relay<C: Duplex>(self, gate: &Arc<ClientGate>, client: C) {
        let Self {
            origin,
            permit,
            mut record,
            mut held,
            scrubbing,
        } = self;
        held.may_rest();
        let unbounded = || Bounds::of_tunnel(gate, permit.target());
        let bounds = record.bounds().cloned().unwrap_or_else(unbounded);
        let moved = Moved::default();
        let watch = record.watch().cloned();
        record.sending(Arc::clone(&moved.up));
        let origin = moved.down(origin, &bounds);
        let origin: Box<dyn Duplex> = match scrubbing {
            None => Box::new(origin),
            Some(scrubbing) => Box::new(Watched::new(origin, MessageScrub::new(scrubbing))),
        };
        let outcome = exchange_bytes(gate, client, origin, &permit, &moved, &bounds, watch).await;
        if let Err(error) = &outcome {
            error.log();
        }
        record.came_back(moved.down.load(Relaxed), outcome.as_ref().err());
    }
}

async fn exchange_bytes<C: Duplex>(
    gate: &ClientGate,
    client: C,
    origin: Box<dyn Duplex>,
    permit: &RequestPermit,
    moved: &Moved,
    bounds: &Arc<Bounds>,
    watch: Option<Arc<Watch>>,
) -> Result<(), Error> {
    let over = Over::default();
    let mut client = Ending::new(
        Watched::new(moved.up(client, bounds), MessageWatch::new(watch.clone())),
        over.clone(),
    );
    let mut origin = Ending::new(origin, over.clone());
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut client, &mut origin, BUFFER, BUFFER) => match copied {
            Err(_consequence) if let Some(denial) = bounds.cut() => Err(Error::CutOff(denial.clone())),
            Err(_consequence) if let Some(denial) = watch.as_ref().and_then(|watch| watch.cut()) => {
                Err(Error::CutOff(denial.clone()))
            }
            Err(error) if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<NoFrames>) => {
                Err(Error::OriginFrames(error))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Error::ClientFrames(error)),
            Ok(_) | Err(_) => Ok(()), // however it is torn down, it is over
        },
        () = over.for_long() => Ok(()),
        withdrawn = until_request_withdrawn(gate, permit) => Err(withdrawn),
        silent = until_silent(moved, gate.shared.limits.tunnel_idle) => Err(silent),
        () = gate.drained() => Err(Error::ShuttingDown),
    }
}

/// What looks at the frames of one direction.
trait Look: Send + Unpin {
    /// Looks at the next bytes. `pass` is given those that may pass.
    fn look(&mut self, bytes: &[u8], pass: &mut dyn FnMut(&[u8])) -> io::Result<()>;
}

impl Look for MessageWatch {
    fn look(&mut self, bytes: &[u8], pass: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.look(bytes, pass).map_err(invalid)
    }
}

impl Look for MessageScrub {
    fn look(&mut self, bytes: &[u8], pass: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.look(bytes, pass).map_err(invalid)
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What a side sends, frame by frame on its way to the other. What is no frame does not pass, and what is looked for waits.
struct Watched<S, L> {
    stream: S,
    messages: L,
    /// What may pass and has not yet.
    passing: BytesMut,
}

impl<S, L> Watched<S, L> {
    fn new(stream: S, messages: L) -> Self {
        Self {
            stream,
            messages,
            passing: BytesMut::new(),
        }
    }
}

impl<S: AsyncRead + Unpin, L: Look> AsyncRead for Watched<S, L> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.passing.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(())); // the end, or no room
            }
            let passing = &mut this.passing;
            let looked_at = this.messages.look(&buffer.filled()[before..], &mut |bytes| {
                passing.extend_from_slice(bytes);
            });
            buffer.set_filled(before);
            looked_at?;
        }
        let length = this.passing.len().min(buffer.remaining());
        buffer.put_slice(&this.passing.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, L: Look> AsyncWrite for Watched<S, L> {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

/// Whether a side has ended. A socket has no half that lives on without the other: what was on its way still passes, and no more.
#[derive(Clone, Default)]
struct Over(Arc<tokio::sync::Notify>);

impl Over {
    async fn for_long(&self) {
        self.0.notified().await;
        tokio::time::sleep(LAST_WORDS).await;
    }
}

/// A stream whose end is noticed.
struct Ending<S> {
    stream: S,
    over: Over,
}

impl<S> Ending<S> {
    fn new(stream: S, over: Over) -> Self {
        Self { stream, over }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() == before {
            self.over.0.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ending<S> {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

/// Per direction. Most messages fit, and a gate may hold thousands of sockets.
const BUFFER: usize = 8 * 1024;
/// What a side may still say after the other has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);
