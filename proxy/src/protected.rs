//! A connection to an origin inside TLS, which notes with which alert the origin ends it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::dialer::Transport;
use crate::pass_through::{ends_through, takes_slices_as};

/// A connection inside TLS.
pub(crate) struct Protected {
    stream: TlsStream<Transport>,
    farewell: Farewell,
    /// Whether the origin has said anything inside TLS.
    heard: bool,
}

/// With which alert an origin ended TLS, if it did. In TLS 1.3 a client certificate is refused after the handshake, and what
/// reads the stream by then turns errors into its own, so the alert is noted on its way through.
#[derive(Clone, Default)]
pub(crate) struct Farewell(Arc<OnceLock<AlertDescription>>);

impl Protected {
    pub(crate) fn new(stream: TlsStream<Transport>) -> Self {
        Self {
            stream,
            farewell: Farewell::default(),
            heard: false,
        }
    }

    /// Whether the origin chose h2.
    pub(crate) fn speaks_h2(&self) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(b"h2")
    }

    /// What to look at when the connection has failed.
    pub(crate) fn farewell(&self) -> &Farewell {
        &self.farewell
    }
}

impl Farewell {
    pub(crate) fn alert(&self) -> Option<AlertDescription> {
        self.0.get().copied()
    }

    fn note(&self, error: &io::Error) {
        if let Some(alert) = alert_in(error) {
            let _ = self.0.set(alert); // the first is the reason
        }
    }
}

/// The alert that a failure of TLS was caused by.
pub(crate) fn alert_in(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

impl Protected {
    /// A write that fails because the origin is gone says nothing of why. An origin that refuses a certificate says so and hangs
    /// up, so before anything else was heard of it, its last words are waited for: they are here, or the end is.
    fn ask_why<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.heard || !matches!(written, Poll::Ready(Err(_))) {
            return written;
        }
        let mut last_words = [0; 256];
        match Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut last_words)) {
            Poll::Ready(_) => written,
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Protected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &polled {
            Poll::Ready(Ok(())) => self.heard = true,
            Poll::Ready(Err(error)) => self.farewell.note(error),
            Poll::Pending => {}
        }
        polled
    }
}

impl AsyncWrite for Protected {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.ask_why(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.ask_why(cx, written)
    }

    takes_slices_as!(stream);

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.ask_why(cx, flushed)
    }

    ends_through!(stream);
}
