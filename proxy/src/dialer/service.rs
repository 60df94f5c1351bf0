//! Connections to services that give secrets. The policy names them and no sandbox has a say, so that there is no permit: whatever
//! address the operator's service is at is dialled. Otherwise they take the way that requests take: static addresses, the resolver
//! and the parent proxy of `[origins]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use outwall_policy::brokered::ServiceUrl;
use outwall_policy::{Host, ParentProxy, Resolve, Scheme, Target};
use tokio::net::TcpStream;

use super::parent::ask;
use super::transport::Link;
use super::{Doors, ParentError, Resolvers, Transport, notice_when_gone};
use crate::current::{CurrentPolicy, Snapshot};
use crate::error::Error;
use crate::origin_stream::OriginStream;
use crate::origins::{Offer, SandboxTls};

/// Opens connections to services.
pub(crate) struct ServiceDialer {
    policy: Arc<CurrentPolicy>,
    resolvers: Arc<Resolvers>,
    doors: Arc<Doors>,
    /// Of the gate itself: no session is shared with a sandbox.
    tls: SandboxTls,
}

impl ServiceDialer {
    pub(crate) fn new(policy: Arc<CurrentPolicy>, resolvers: Arc<Resolvers>, doors: Arc<Doors>) -> Self {
        Self {
            policy,
            resolvers,
            doors,
            tls: SandboxTls::default(),
        }
    }

    /// Connects, over TLS where the URL says so, for requests of http/1.1.
    pub(crate) async fn connect(&self, service: &ServiceUrl) -> Result<OriginStream, Error> {
        let snapshot = self.policy.load_full();
        let target = service.target();
        let transport = self.dial(&snapshot, target, service.scheme()).await?;
        let tls = self.tls.under(&snapshot, None);
        tls.wrap(service.scheme(), target, transport, Offer::Http1).await
    }

    async fn dial(&self, snapshot: &Snapshot, target: &Target, scheme: Scheme) -> Result<Transport, Error> {
        let policy = &snapshot.policy;
        if let Some(address) = policy.static_address(target) {
            return self.direct(snapshot, &[address]).await;
        }
        // `http://` is for this machine alone: whatever a resolver may say about `localhost`, it is meant.
        let parent = match scheme {
            Scheme::Http => None,
            Scheme::Https => policy.parent_for(target),
        };
        let server = policy.origins().resolver();
        let ips = match (&target.host, scheme) {
            (Host::Address(ip), _) => vec![*ip],
            (Host::Name(_), Scheme::Http) => LOOPBACK.to_vec(),
            (Host::Name(name), Scheme::Https) => match parent.map(ParentProxy::resolve) {
                Some(Resolve::Parent) => self.resolvers.resolve_if_known(name, server).await,
                None | Some(Resolve::Gate) => self.resolvers.resolve(name, server).await?,
            },
        };
        let at_port: Vec<_> = ips.iter().map(|ip| SocketAddr::new(*ip, target.port)).collect();
        match parent.filter(|parent| !parent.is_bypassed_at(&ips)) {
            None => self.direct(snapshot, &at_port).await,
            Some(parent) => {
                let asked_for = match (parent.resolve(), ips.first()) {
                    (Resolve::Gate, Some(ip)) => Target::new(Host::Address(*ip), target.port),
                    (Resolve::Gate | Resolve::Parent, _) => target.clone(),
                };
                self.by_parent(snapshot, parent, &asked_for).await
            }
        }
    }

    async fn by_parent(
        &self,
        snapshot: &Snapshot,
        parent: &ParentProxy,
        asked_for: &Target,
    ) -> Result<Transport, Error> {
        let at = parent.target();
        let ips = match &at.host {
            Host::Address(ip) => vec![*ip],
            Host::Name(name) => {
                let server = snapshot.policy.origins().resolver();
                let found = self.resolvers.resolve(name, server).await;
                found.map_err(|_| Error::Parent(ParentError::Unresolved { name: name.clone() }))?
            }
        };
        let addresses: Vec<_> = ips.iter().map(|ip| SocketAddr::new(*ip, at.port)).collect();
        let stream = self.first(snapshot, &addresses).await?;
        let link = match parent.scheme() {
            Scheme::Http => Link::Clear(stream),
            Scheme::Https => {
                let tls = self.tls.under(snapshot, None);
                let stream = tls.to_parent(&at.host, stream).await;
                Link::Tls(Box::new(
                    stream.map_err(|error| Error::Parent(ParentError::Tls(error)))?,
                ))
            }
        };
        let authorization = snapshot.trust.parent_authorization();
        let told = authorization.as_ref().map(|text| text.as_str());
        ask(link, asked_for, told).await.map_err(Error::Parent)
    }

    async fn direct(&self, snapshot: &Snapshot, addresses: &[SocketAddr]) -> Result<Transport, Error> {
        self.first(snapshot, addresses).await.map(Transport::direct)
    }

    /// The first that accepts; the last one's error when none does.
    #[expect(
        clippy::disallowed_methods,
        reason = "where the operator's own service is, the operator says"
    )]
    async fn first(&self, snapshot: &Snapshot, addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
        let mut failure = Error::Proxy("a service has no address");
        for address in addresses.iter().copied() {
            if self
                .doors
                .lead_from(address, snapshot.policy.classify(address.ip()))
            {
                failure = Error::Proxy("a service is the gate itself");
                continue;
            }
            let connect = |source| Error::Connect { address, source };
            match tokio::time::timeout(PER_ADDRESS, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(connect)?;
                    notice_when_gone(&stream).map_err(connect)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = connect(error),
                Err(_) => failure = Error::ConnectTimeout,
            }
        }
        Err(failure)
    }
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
const PER_ADDRESS: Duration = Duration::from_secs(10);
