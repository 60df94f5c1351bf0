//! A stream some of whose bytes were read to see what it is, and which are read again by whom it concerns.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pass_through::{ends_through, flushes_through, writes_through};

/// First the bytes that were read already, then the stream.
#[derive(Debug)]
pub(crate) struct Rewind<S> {
    already_read: Bytes,
    stream: S,
}

impl<S> Rewind<S> {
    pub(crate) fn new(already_read: Bytes, stream: S) -> Self {
        Self { already_read, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.already_read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.already_read.len().min(buffer.remaining());
        buffer.put_slice(&self.already_read[..length]);
        self.already_read.advance(length);
        if self.already_read.is_empty() {
            self.already_read = Bytes::new(); // frees the memory behind it
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_was_read_is_read_again_and_then_the_rest() {
        let mut rewound = Rewind::new(Bytes::from_static(b"first "), &b"second"[..]);
        let mut text = String::new();
        rewound
            .read_to_string(&mut text)
            .await
            .expect("memory does not fail");
        assert_eq!(text, "first second");
    }
}
