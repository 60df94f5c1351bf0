//! A connection to an origin, in the clear or inside TLS.

use crate::dialer::{Form, Transport};
use crate::pass_through::one_of;
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

one_of!(OriginStream: Plain | Tls);
