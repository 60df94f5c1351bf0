//! Counts what passes a published port, while it passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pass_through::{ends_through, flushes_through, writes_through};

/// Bytes that went through.
#[derive(Default)]
pub(super) struct Counts {
    /// To the server inside.
    pub(super) up: Arc<AtomicU64>,
    /// From it.
    pub(super) down: Arc<AtomicU64>,
}

impl Counts {
    /// The client's stream.
    pub(super) fn up<S>(&self, stream: S) -> Counted<S> {
        let read = Arc::clone(&self.up);
        Counted { stream, read }
    }

    /// The server's stream.
    pub(super) fn down<S>(&self, stream: S) -> Counted<S> {
        let read = Arc::clone(&self.down);
        Counted { stream, read }
    }

    /// Resolves when nothing moved for so long.
    pub(super) async fn until_silent(&self, limit: Duration) {
        let count = || self.up.load(Relaxed).wrapping_add(self.down.load(Relaxed));
        let mut before = count();
        loop {
            tokio::time::sleep(limit).await;
            let now = count();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// A stream that counts what is read from it.
pub(super) struct Counted<S> {
    stream: S,
    read: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.read
            .fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}
