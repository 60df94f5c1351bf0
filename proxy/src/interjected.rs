//! Puts interim responses into what hyper writes to a client over http/1.1: it has no way to send one.
//!
//! They go between two heads and nowhere else: only when all that hyper wrote before is flushed, and before it writes the answer's
//! head. One that misses its moment is dropped, as any recipient may drop it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::interim::{Interims, to_http1};
use crate::pass_through::{ends_through, reads_through, takes_slices_as};

/// A client's stream, into which interim responses are put.
pub(crate) struct Interjected<S> {
    stream: S,
    interims: Interims,
    /// What of one is not written yet. Nothing else is written before it.
    begun: Bytes,
    /// Nothing was written since the last flush, so what is written next is the beginning of a head.
    between_messages: bool,
}

impl<S> Interjected<S> {
    pub(crate) fn new(stream: S, interims: Interims) -> Self {
        Self {
            stream,
            interims,
            begun: Bytes::new(),
            between_messages: true,
        }
    }
}

impl<S: AsyncWrite + Unpin> Interjected<S> {
    /// Writes those that wait, if this is their moment.
    fn poll_interject(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.begun.has_remaining() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.begun))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.begun.advance(written);
            }
            if !self.between_messages {
                self.interims.drop_late();
                return Poll::Ready(Ok(()));
            }
            match self.interims.next() {
                Some(interim) => self.begun = to_http1(&interim).into(),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn wrote(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(1..)) = polled {
            self.between_messages = false;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Interjected<S> {
    reads_through!(stream);
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Interjected<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interject(cx))?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interject(cx))?;
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&polled);
        polled
    }

    takes_slices_as!(stream);

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_interject(cx))?;
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            if std::mem::replace(&mut self.between_messages, true) {
                return Poll::Ready(Ok(())); // else one may have waited for this
            }
        }
    }

    ends_through!(stream);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use http::{Request, Response};
    use tokio::io::AsyncWriteExt as _;

    fn begin(interims: &Interims) {
        interims.begin(&Request::new(()));
    }

    fn hint(interims: &Interims) {
        interims.pass(Response::builder().status(103).body(()).unwrap());
    }

    const HINT: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";

    #[tokio::test]
    async fn it_goes_before_the_head_of_its_answer() {
        let interims = Interims::of_http1();
        let mut stream = Interjected::new(Vec::new(), interims.clone());
        begin(&interims);
        hint(&interims);
        interims.answered();
        stream.write_all(b"answer").await.unwrap();
        assert_eq!(String::from_utf8(stream.stream).unwrap(), format!("{HINT}answer"));
    }

    #[tokio::test]
    async fn it_goes_out_at_once_while_the_answer_is_waited_for() {
        let interims = Interims::of_http1();
        let mut stream = Interjected::new(Vec::new(), interims.clone());
        begin(&interims);
        hint(&interims);
        stream.flush().await.unwrap();
        assert_eq!(stream.stream, HINT.as_bytes());
    }

    #[tokio::test]
    async fn it_never_goes_into_a_message() {
        let interims = Interims::of_http1();
        let mut stream = Interjected::new(Vec::new(), interims.clone());
        stream.write_all(b"first, ").await.unwrap();
        begin(&interims); // of a request that was pipelined
        hint(&interims);
        stream.write_all(b"in parts; ").await.unwrap();
        interims.answered();
        stream.write_all(b"second").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.stream, b"first, in parts; second");

        begin(&interims);
        hint(&interims);
        stream.write_all(b"third").await.unwrap();
        assert!(stream.stream.ends_with(format!("{HINT}third").as_bytes()));
    }
}
