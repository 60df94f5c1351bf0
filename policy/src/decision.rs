//! What is asked and what comes out: actions and decisions. How it is decided is in `decide`.

use crate::denial::Denial;
use crate::github::Undecided;
use crate::method::Method;
use crate::path::RequestPath;
use crate::permit::{ConnectionPermit, Permitted};
use crate::target::{Scheme, Target};

/// How a connection begins, as far as it matters to what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// A CONNECT request, or a captured connection: nothing inside it has been read.
    Unread,
    /// A request in absolute form for an `http://` URL.
    Http,
}

/// May this sandbox open this connection, and what is done with it?
#[derive(Clone, Debug)]
pub enum ConnectionDecision {
    /// No.
    Deny(Denial),
    /// Relay bytes unread; the SNI, where there is one, must name the target.
    Tunnel(ConnectionPermit),
    /// Plain TCP: relay at once, the server may speak first.
    Stream(ConnectionPermit),
    /// Read its requests: end TLS when the client's first byte is TLS, else read HTTP in the clear.
    Intercept(ConnectionPermit),
    /// Read its requests, in the clear. Only for [`Opening::Http`].
    Forward(ConnectionPermit),
}

impl ConnectionDecision {
    /// The permit, if it is not a denial.
    pub fn permit(&self) -> Option<&ConnectionPermit> {
        match self {
            Self::Deny(_) => None,
            Self::Tunnel(permit) | Self::Stream(permit) | Self::Intercept(permit) | Self::Forward(permit) => {
                Some(permit)
            }
        }
    }
}

/// A request as it was read, before it is decided on.
#[derive(Clone, Debug)]
pub struct Action<R> {
    /// How it is to reach the origin.
    pub scheme: Scheme,
    /// What its Host field or `:authority` names.
    pub target: Target,
    /// Its method.
    pub method: Method,
    /// The method that a header asks the origin to take it as (`X-HTTP-Method-Override`), when it is another one.
    pub acts_as: Option<Method>,
    /// What it carries besides its head.
    pub writing: Writing,
    /// Its path, normalised.
    pub path: RequestPath,
    /// The request itself, which comes back inside the permit or beside the denial.
    pub carried: R,
}

/// What a request carries besides its head, whatever its method says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Writing {
    /// Nothing.
    #[default]
    Nothing,
    /// A body.
    Body,
    /// Another protocol, whose bytes are no requests.
    Upgrade,
}

impl<R> Action<R> {
    /// A request without body, override or upgrade.
    pub fn new(scheme: Scheme, target: Target, method: Method, path: RequestPath, carried: R) -> Self {
        Self {
            scheme,
            target,
            method,
            acts_as: None,
            writing: Writing::Nothing,
            path,
            carried,
        }
    }
}

/// May this request be sent?
#[derive(Debug)]
pub enum RequestDecision<R> {
    /// No; what the action carried comes back.
    Deny(Denial, R),
    /// Yes, and only this one.
    Allow(Permitted<R>),
    /// It is for the GitHub that the sandbox's session works at: what it would do there has to be understood first.
    Understand(Undecided<R>),
}
