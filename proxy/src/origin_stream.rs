//! A connection to an origin, in the clear or inside TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dialer::{Form, Transport};
use crate::protected::{Farewell, Protected};

/// A connection to an origin.
pub(crate) enum OriginStream {
    Plain(Transport),
    Tls(Box<Protected>),
}

impl OriginStream {
    /// Whether the origin chose h2.
    pub(crate) fn speaks_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false, // no prior knowledge is assumed
            Self::Tls(tls) => tls.speaks_h2(),
        }
    }

    /// How requests are sent over it.
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Plain(transport) => transport.form().clone(),
            Self::Tls(_) => Form::Origin, // no proxy reads them
        }
    }

    /// What to look at when the connection has failed.
    pub(crate) fn farewell(&self) -> Farewell {
        match self {
            Self::Plain(_) => Farewell::default(),
            Self::Tls(tls) => tls.farewell().clone(),
        }
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! either {
    ($stream:expr, $method:ident ( $($argument:expr),* )) => {
        match $stream {
            OriginStream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            OriginStream::Tls(tls) => Pin::new(&mut **tls).$method($($argument),*),
        }
    };
}

impl AsyncRead for OriginStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_read(cx, buffer))
    }
}

impl AsyncWrite for OriginStream {
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
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_shutdown(cx))
    }
}
