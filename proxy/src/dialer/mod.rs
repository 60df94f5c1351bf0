//! The only place that resolves names and opens connections to origins.
//!
//! The order is the security property: the name was decided on (there is a permit), the record was written (there is a
//! `Recorded`), then the name is resolved, every address is classified by policy, and *that* address is dialled. There is
//! no second lookup that could answer differently, and nothing is resolved for a name that is not allowed.
//!
//! Where the policy names a parent proxy, that is dialled instead, and asked for the target: `parent`. Then somebody else dials,
//! and what is left of the rule is in `policy::Resolve`.

mod doors;
mod parent;
mod resolvers;
mod service;
mod transport;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use outwall_audit::Recorded;
use outwall_policy::{
    ConnectionPermit, Denial, DialPermit, Host, ParentPermit, ParentProxy, Policy, Resolve,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

pub(crate) use doors::Doors;
pub use parent::ParentError;
pub(crate) use resolvers::Resolvers;
pub(crate) use service::ServiceDialer;
pub(crate) use transport::{Form, Transport};

use crate::current::CurrentPolicy;
use crate::error::Error;
use crate::origins::SandboxTls;

/// Opens the connections of one sandbox to origins.
#[derive(Clone)]
pub(crate) struct Dialer {
    policy: Arc<CurrentPolicy>,
    resolvers: Arc<Resolvers>,
    doors: Arc<Doors>,
    tls: Arc<SandboxTls>,
    per_address: Duration,
}

/// What a connection is for, as far as it matters to how a parent proxy is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Bytes that no proxy reads.
    Bytes,
    /// Requests in the clear, which a proxy takes in absolute form.
    Requests,
}

/// What is known before it is decided which way a connection takes.
struct Known {
    /// Where the target is, with its port. None, if only the parent can say.
    addresses: Vec<SocketAddr>,
    /// Where the parent proxy is; none without one.
    parent_at: Result<Vec<IpAddr>, Error>,
}

/// Which way a connection takes.
enum Way {
    Direct(Vec<DialPermit>),
    /// By the parent, which is asked for one after the other.
    Parent(Vec<ParentPermit>),
}

impl Dialer {
    /// `per_address` bounds one attempt when there are several addresses.
    pub(crate) fn new(
        policy: Arc<CurrentPolicy>,
        (resolvers, doors): (Arc<Resolvers>, Arc<Doors>),
        tls: Arc<SandboxTls>,
        per_address: Duration,
    ) -> Self {
        Self {
            policy,
            resolvers,
            doors,
            tls,
            per_address,
        }
    }

    /// Connects to what `permit` is for. The record must be of the same connection.
    pub(crate) async fn connect(
        &self,
        permit: &ConnectionPermit,
        recorded: &Recorded,
        load: Load,
    ) -> Result<Transport, Error> {
        if recorded.connection().target() != permit.target() {
            return Err(Error::Proxy("the record is of another connection"));
        }
        let known = self.look_up(permit).await?;
        let snapshot = self.policy.load_full();
        match way(&snapshot.policy, permit, &known)? {
            Way::Direct(admitted) => self.dial_in_turn(admitted).await.map(Transport::direct),
            Way::Parent(errands) => self.by_parent(&snapshot, errands, known.parent_at?, load).await,
        }
    }

    /// The host's loopback, a static address, the literal itself, or what the resolver says.
    async fn look_up(&self, permit: &ConnectionPermit) -> Result<Known, Error> {
        let target = permit.target();
        let (fixed, server, parent, resolve) = {
            let snapshot = self.policy.load();
            let policy = &snapshot.policy;
            let parent = policy.origins().parent_proxy();
            let resolve = policy.parent_for(target).map(ParentProxy::resolve);
            (
                policy.static_address(target),
                policy.origins().resolver(),
                parent.map(|parent| parent.target().host.clone()),
                resolve,
            )
        };
        let parent_at = match parent {
            None => Ok(Vec::new()),
            Some(Host::Address(ip)) => Ok(vec![ip]),
            Some(Host::Name(name)) => {
                let found = self.resolvers.resolve(&name, server).await;
                found.map_err(|_| Error::Parent(ParentError::Unresolved { name }))
            }
        };
        let at_port = |ip| SocketAddr::new(ip, target.port);
        let addresses = match (permit.host_port(), fixed, &target.host) {
            (Some(loopback), _, _) => loopback.to_vec(),
            (None, Some(address), _) => vec![address],
            (None, None, Host::Address(ip)) => vec![at_port(*ip)],
            (None, None, Host::Name(name)) => {
                let found = match resolve {
                    Some(Resolve::Parent) => self.resolvers.resolve_if_known(name, server).await,
                    None | Some(Resolve::Gate) => self.resolvers.resolve(name, server).await?,
                };
                found.into_iter().map(at_port).collect()
            }
        };
        Ok(Known { addresses, parent_at })
    }

    /// The first that accepts; the last one's error when none does.
    async fn dial_in_turn(&self, admitted: Vec<DialPermit>) -> Result<TcpStream, Error> {
        let several = admitted.len() > 1;
        let mut failure = Error::Proxy("no address was admitted and none refused");
        for dial in admitted {
            let attempt = dial_one(&dial);
            let dialled = if several {
                tokio::time::timeout(self.per_address, attempt)
                    .await
                    .unwrap_or(Err(Error::ConnectTimeout))
            } else {
                attempt.await
            };
            match dialled {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// By whom the target is dialled, and at which of its addresses.
fn way(policy: &Policy, permit: &ConnectionPermit, known: &Known) -> Result<Way, Error> {
    let ips: Vec<IpAddr> = known.addresses.iter().map(SocketAddr::ip).collect();
    let parent_at = known.parent_at.as_deref().unwrap_or_default();
    let through = policy
        .parent_for(permit.target())
        .filter(|parent| !parent.is_bypassed_at(&ips));
    match through.map(ParentProxy::resolve) {
        None => admit(policy, permit, &known.addresses, parent_at).map(Way::Direct),
        Some(Resolve::Gate) => {
            let admitted = admit(policy, permit, &known.addresses, parent_at)?;
            let asked = admitted.iter().map(|dial| policy.admit_by_address(dial));
            Ok(Way::Parent(asked.collect()))
        }
        Some(Resolve::Parent) => {
            for address in &known.addresses {
                policy
                    .keep_from_parent(permit, *address, parent_at)
                    .map_err(Error::Address)?;
            }
            let asked = policy.admit_by_name(permit, &known.addresses);
            asked
                .map(|asked| Way::Parent(vec![asked]))
                .map_err(Error::Address)
        }
    }
}

/// Those that policy admits. When it admits none, the first refusal says why.
fn admit(
    policy: &Policy,
    permit: &ConnectionPermit,
    addresses: &[SocketAddr],
    parent_at: &[IpAddr],
) -> Result<Vec<DialPermit>, Error> {
    let mut refusal: Option<Denial> = None;
    let mut admitted = Vec::with_capacity(addresses.len());
    for address in addresses {
        let dial = policy.admit(permit, *address);
        let dial = dial.and_then(|dial| {
            policy
                .keep_from_parent(permit, *address, parent_at)
                .map(|()| dial)
        });
        match dial {
            Ok(dial) => admitted.push(dial),
            Err(denial) => refusal = refusal.or(Some(denial)),
        }
    }
    match refusal {
        Some(denial) if admitted.is_empty() => Err(Error::Address(denial)),
        _ => Ok(admitted),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place, and it takes the permit"
)]
async fn dial_one(dial: &DialPermit) -> Result<TcpStream, Error> {
    let address = dial.address();
    let connect = |source| Error::Connect { address, source };
    let stream = TcpStream::connect(address).await.map_err(connect)?;
    stream.set_nodelay(true).map_err(connect)?;
    notice_when_gone(&stream).map_err(connect)?;
    Ok(stream)
}

/// An origin that is gone without a word ends what waits for it within a minute. No `TCP_USER_TIMEOUT`: it would end those that
/// are there and do not read for a while.
fn notice_when_gone(stream: &TcpStream) -> std::io::Result<()> {
    let keep_alive = TcpKeepalive::new()
        .with_time(GONE / 2)
        .with_interval(GONE / 6)
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

/// Without an acknowledgement for this long, the other side is taken for gone.
const GONE: Duration = Duration::from_mins(1);
