//! A failure of HTTP, in either of its versions.

use outwall_policy::Denial;
use thiserror::Error;

/// A failure of one message or of the connection that carries it.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Of http/1.1.
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    /// Of h2.
    #[error(transparent)]
    H2(#[from] h2::Error),
    /// We ended the message before its peer did.
    #[error("{0}")]
    Cut(Denial),
}

impl HttpError {
    /// The connection was closed, and nothing says that the message was looked at.
    pub(crate) fn was_closed(&self) -> bool {
        match self {
            Self::Http1(error) => error.is_incomplete_message() || error.is_canceled() || error.is_closed(),
            Self::H2(error) => error.is_io() || self.was_not_processed(),
            Self::Cut(_) => false,
        }
    }

    /// The peer promises that it did not process the message, so that it may be sent again (RFC 9113 section 8.7).
    pub(crate) fn was_not_processed(&self) -> bool {
        match self {
            Self::Http1(_) | Self::Cut(_) => false,
            Self::H2(error) if error.is_go_away() => error.is_remote(),
            Self::H2(error) => error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM),
        }
    }

    /// The code with which the peer reset the stream, if it did.
    pub(crate) fn reset(&self) -> Option<h2::Reason> {
        match self {
            Self::H2(error) if error.is_reset() && error.is_remote() => error.reason(),
            Self::Http1(_) | Self::H2(_) | Self::Cut(_) => None,
        }
    }

    /// The peer broke the rules of the protocol, and it was us who noticed.
    pub(crate) fn is_violation(&self) -> bool {
        match self {
            Self::Http1(error) => error.is_parse(),
            Self::H2(error) => error.is_library() && !error.is_remote(),
            Self::Cut(_) => false,
        }
    }

    /// A client that simply went away, between messages or with all of them, has not failed.
    pub(crate) fn is_farewell(&self) -> bool {
        match self {
            Self::Http1(error) => error.is_incomplete_message() || error.is_closed(),
            Self::H2(error) => error.is_io() || (error.is_go_away() && error.is_remote()),
            Self::Cut(_) => false,
        }
    }
}
