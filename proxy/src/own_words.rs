//! What hyper says by itself to a client whose bytes it cannot read becomes a refusal like any other.
//!
//! hyper answers a malformed head with a bare status, before anybody is asked. Those bytes are known for certain, and not by
//! their looks: what is written while no exchange has begun since everything before was flushed, nobody but hyper can have said.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pass_through::{reads_through, takes_slices_as};
use crate::pulse::Pulse;

/// A client's stream on which hyper's own answers are put into words.
pub(crate) struct OwnWords<S, R> {
    stream: S,
    pulse: Arc<Pulse>,
    /// What to say in place of an answer with this status.
    refusal: R,
    /// How many exchanges had begun when everything was flushed and none ran.
    quiet_since: Option<u64>,
    /// What is said instead, as far as it is not written.
    instead: Bytes,
    other_protocol: Arc<AtomicBool>,
    /// Bytes that are still read, so that a refusal arrives: closed with unread bytes, a socket resets.
    to_be_drained: usize,
    shut: bool,
}

/// As much as an oversized head may have sent before its client looks up.
const MOST_DRAINED: usize = 1 << 20;

impl<S, R: Fn(u16) -> Vec<u8>> OwnWords<S, R> {
    /// `other_protocol` is set once the stream goes on as something else than HTTP: then nothing is looked at any more.
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>, refusal: R, other_protocol: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            pulse,
            refusal,
            quiet_since: Some(0),
            instead: Bytes::new(),
            other_protocol,
            to_be_drained: 0,
            shut: false,
        }
    }

    /// The refusal that is said in place of these bytes, if they are hyper's own.
    fn put_into_words(&self, bytes: &[u8]) -> Option<Bytes> {
        if self.quiet_since != Some(self.pulse.begun()) || self.other_protocol.load(Relaxed) {
            return None;
        }
        let status = own_status(bytes)?;
        Some((self.refusal)(status).into())
    }
}

/// The status of a head that refuses and has no body.
fn own_status(bytes: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    (400..500).contains(&status).then_some(status)
}

impl<S: AsyncWrite + Unpin, R> OwnWords<S, R> {
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.instead))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin, R> OwnWords<S, R> {
    /// Reads what is left, within bounds; how long that may take, the vigil knows.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = [0; 4096];
        while self.to_be_drained > 0 {
            let mut buffer = ReadBuf::new(&mut buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    self.to_be_drained = self.to_be_drained.saturating_sub(buffer.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin, R: Unpin> AsyncRead for OwnWords<S, R> {
    reads_through!(stream);
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Fn(u16) -> Vec<u8> + Unpin> AsyncWrite for OwnWords<S, R> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        match self.put_into_words(bytes) {
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Some(instead) => {
                self.instead = instead;
                self.to_be_drained = MOST_DRAINED;
                Poll::Ready(Ok(bytes.len())) // written when it is flushed, which hyper does next
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        match (filled.next(), filled.next()) {
            (Some(only), None) => self.poll_write(cx, only),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    takes_slices_as!(stream);

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.quiet_since = (self.pulse.running() == 0).then(|| self.pulse.begun());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        if !self.shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.shut = true;
        }
        ready!(self.poll_rest(cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    type Words = OwnWords<tokio::io::Join<tokio::io::Empty, Vec<u8>>, fn(u16) -> Vec<u8>>;

    fn words() -> (Words, Arc<Pulse>, Arc<AtomicBool>) {
        let pulse = Arc::new(Pulse::new(true, &crate::limits::Limits::default()));
        let other = Arc::new(AtomicBool::new(false));
        let refusal: fn(u16) -> Vec<u8> = |status| format!("refused {status}").into_bytes();
        let words = OwnWords::new(
            tokio::io::join(tokio::io::empty(), Vec::new()),
            Arc::clone(&pulse),
            refusal,
            Arc::clone(&other),
        );
        (words, pulse, other)
    }

    const OWN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn hypers_own_answer_becomes_a_refusal() {
        let (mut words, ..) = words();
        words.write_all(OWN).await.unwrap();
        words.flush().await.unwrap();
        assert_eq!(*words.stream.writer(), b"refused 400");
    }

    #[tokio::test]
    async fn the_same_bytes_of_an_origin_pass_as_they_are() {
        let (mut words, pulse, _other) = words();
        let running = pulse.run();
        words.write_all(OWN).await.unwrap();
        drop(running); // before it is flushed
        words.write_all(OWN).await.unwrap();
        words.flush().await.unwrap();
        assert_eq!(*words.stream.writer(), [OWN, OWN].concat());
        words.write_all(OWN).await.unwrap();
        words.flush().await.unwrap();
        assert_eq!(
            *words.stream.writer(),
            [OWN, OWN, b"refused 400"].concat(),
            "after the flush it is hyper's again"
        );
    }

    #[tokio::test]
    async fn another_protocol_is_not_looked_at() {
        let (mut words, _pulse, other) = words();
        other.store(true, Relaxed);
        words.write_all(OWN).await.unwrap();
        words.flush().await.unwrap();
        assert_eq!(*words.stream.writer(), OWN);
    }

    #[test]
    fn only_a_whole_head_that_refuses_is_put_into_words() {
        assert_eq!(own_status(OWN), Some(400));
        assert_eq!(
            own_status(b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n"),
            Some(431)
        );
        for other in [
            &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 400 Bad\r\n",
            b"",
            b"\xff",
        ] {
            assert_eq!(own_status(other), None);
        }
    }
}
