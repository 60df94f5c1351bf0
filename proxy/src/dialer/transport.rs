//! What leads to an origin: a connection to itself, or one through a parent proxy.

use bytes::Bytes;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::pass_through::{ends_through, flushes_through, one_of, reads_through, writes_through};
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

one_of!(Link: Clear | Tls);

impl AsyncRead for Transport {
    reads_through!(stream);
}

impl AsyncWrite for Transport {
    writes_through!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}
