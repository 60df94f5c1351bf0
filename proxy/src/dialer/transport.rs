//! What leads to an origin: a connection to itself, or one through a parent proxy.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::rewind::Rewind;

/// A connection that leads to an origin.
pub(crate) struct Transport {
    stream: Rewind<Link>,
    form: Form,
}

/// How requests in the clear are sent over it.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// To the origin itself, or through a proxy that does not read them.
    Origin,
    /// To a parent proxy that reads them, each with the name that it wants to be told (RFC 9112 section 3.2.2).
    Absolute { authorization: Option<HeaderValue> },
}

/// A connection that was dialled.
pub(super) enum Link {
    Clear(TcpStream),
    /// To a parent proxy that is spoken to inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    pub(super) fn direct(stream: TcpStream) -> Self {
        Self::new(Bytes::new(), Link::Clear(stream), Form::Origin)
    }

    /// `already_read` comes first: what the origin said right after the parent's answer.
    pub(super) fn new(already_read: Bytes, link: Link, form: Form) -> Self {
        Self {
            stream: Rewind::new(already_read, link),
            form,
        }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }
}

/// Calls the same method of whichever link it is.
macro_rules! either {
    ($link:expr, $method:ident ( $($argument:expr),* )) => {
        match $link {
            Link::Clear(stream) => Pin::new(stream).$method($($argument),*),
            Link::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_read(cx, buffer))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_shutdown(cx))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
