//! When a client connection last showed life, kept so cheaply that every read and write may note it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Error;
use crate::limits::Limits;
use crate::pass_through::{ends_through, flushes_through, takes_slices_as};

/// The signs of life of one client connection. Times are milliseconds since it began.
pub(crate) struct Pulse {
    began: Instant,
    running: AtomicU32,
    begun: AtomicU64,
    /// How many of those are sockets, which may rest.
    resting: AtomicU32,
    last_moved: AtomicU64,
    /// When the last exchange began; on http/1.1 there is no other.
    running_since: AtomicU64,
    quiet_since: AtomicU64,
    /// When the first byte of a head came that is not complete; 0 when none has come.
    head_since: AtomicU64,
    /// On h2, frames move without a request, so only http/1.1 has a head to wait for.
    waits_for_heads: bool,
    /// What an exchange may last.
    longest: Duration,
}

/// Counts as an exchange that is running, until dropped.
pub(crate) struct Running {
    pulse: Arc<Pulse>,
    /// In tenths of a second of the pulse's time: 13 years fit, and it stays small.
    began: u32,
    may_rest: bool,
}

impl Pulse {
    pub(crate) fn new(waits_for_heads: bool, limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            running: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            resting: AtomicU32::new(0),
            last_moved: AtomicU64::new(0),
            running_since: AtomicU64::new(0),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            waits_for_heads,
            longest: limits.request,
        }
    }

    /// Notes that an exchange runs.
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        let began = self.now();
        self.running.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.running_since.store(began, Relaxed);
        self.head_since.store(0, Relaxed);
        Running {
            pulse: Arc::clone(self),
            began: tenths(began),
            may_rest: false,
        }
    }

    /// How many exchanges have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// How many exchanges run.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(Relaxed)
    }

    /// When the connection is to be given up unless something happens, and what for.
    pub(crate) fn deadline(&self, limits: &Limits) -> (Instant, Error) {
        let after = |since: u64, limit: Duration| self.began + Duration::from_millis(since) + limit;
        if self.running() > 0 {
            let rests = |limit| (after(self.last_moved.load(Relaxed), limit), Error::Silence);
            if self.resting.load(Relaxed) > 0 {
                return rests(limits.silence.max(limits.tunnel_idle));
            }
            let lasts = (
                after(self.running_since.load(Relaxed), limits.request),
                Error::TooLong,
            );
            return match rests(limits.silence) {
                rests if !self.waits_for_heads || rests.0 < lasts.0 => rests, // streams of h2 have their own `Patience`
                _ => lasts,
            };
        }
        match self.head_since.load(Relaxed) {
            0 => (
                after(self.quiet_since.load(Relaxed), limits.idle),
                Error::ClientSilent,
            ),
            since => (after(since, limits.head), Error::ClientSilent),
        }
    }

    fn now(&self) -> u64 {
        // Never 0, which means "none" above; 584 million years fit.
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    fn moved(&self) {
        let now = self.now();
        self.last_moved.store(now, Relaxed);
        if self.waits_for_heads && self.running() == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(now, Relaxed);
        }
    }
}

impl Running {
    /// Whether it has run for as long as it may.
    pub(crate) fn is_overdue(&self) -> bool {
        let lasted = tenths(self.pulse.now()).saturating_sub(self.began);
        Duration::from_millis(u64::from(lasted) * 100) >= self.pulse.longest
    }

    /// It is a socket, which may be silent for as long as a tunnel.
    pub(crate) fn may_rest(&mut self) {
        if !std::mem::replace(&mut self.may_rest, true) {
            self.pulse.resting.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pulse = &self.pulse;
        pulse.quiet_since.store(pulse.now(), Relaxed);
        pulse.head_since.store(0, Relaxed);
        pulse.running.fetch_sub(1, Relaxed);
        if self.may_rest {
            pulse.resting.fetch_sub(1, Relaxed);
        }
    }
}

fn tenths(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 100).unwrap_or(u32::MAX)
}

/// A stream whose pulse is taken.
pub(crate) struct Pulsed<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Pulsed<S> {
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pulsed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > filled {
            self.pulse.moved();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pulsed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&polled);
        polled
    }

    takes_slices_as!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

impl<S> Pulsed<S> {
    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(_))) && self.pulse.running() > 0 {
            self.pulse.moved();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_does_not_end_is_given_up_sooner_than_an_idle_connection() {
        let limits = Limits::default();
        let pulse = Arc::new(Pulse::new(true, &limits));
        let (idle, _) = pulse.deadline(&limits);
        pulse.moved();
        let (head, _) = pulse.deadline(&limits);
        assert!(head < idle);
        pulse.moved();
        assert_eq!(
            pulse.deadline(&limits).0,
            head,
            "more bytes of the same head buy no time"
        );
    }

    #[test]
    fn frames_of_h2_are_no_head() {
        let limits = Limits::default();
        let pulse = Arc::new(Pulse::new(false, &limits));
        let (idle, _) = pulse.deadline(&limits);
        pulse.moved();
        assert_eq!(pulse.deadline(&limits).0, idle);
    }

    #[test]
    fn a_running_exchange_may_be_silent_for_longer() {
        let limits = Limits::default();
        let pulse = Arc::new(Pulse::new(true, &limits));
        let running = pulse.run();
        assert!(matches!(pulse.deadline(&limits), (_, Error::Silence)));
        let (silence, _) = pulse.deadline(&limits);
        let mut socket = pulse.run();
        socket.may_rest();
        assert!(
            pulse.deadline(&limits).0 > silence,
            "a socket may rest for longer"
        );
        drop(socket);
        assert_eq!(pulse.deadline(&limits).0, silence);
        drop(running);
        assert!(matches!(pulse.deadline(&limits), (_, Error::ClientSilent)));
    }
}
