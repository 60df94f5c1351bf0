//! The only place that resolves names and opens connections to origins.
//!
//! The order is the security property: the name was decided on (there is a permit), the record was written (there is a
//! `Recorded`), then the name is resolved, every address is classified by policy, and *that* address is dialled. There is
//! no second lookup that could answer differently, and nothing is resolved for a name that is not allowed.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use outwall_audit::Recorded;
use outwall_policy::{ConnectionPermit, Denial, DialPermit, DomainName, Host};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::current::CurrentPolicy;
use crate::error::Error;

/// Opens connections to origins.
#[derive(Clone)]
pub(crate) struct Dialer {
    policy: Arc<CurrentPolicy>,
    resolvers: Arc<Resolvers>,
    per_address: Duration,
}

impl Dialer {
    /// `per_address` bounds one attempt when there are several addresses.
    pub(crate) fn new(policy: Arc<CurrentPolicy>, resolvers: Arc<Resolvers>, per_address: Duration) -> Self {
        Self {
            policy,
            resolvers,
            per_address,
        }
    }

    /// Connects to what `permit` is for. The record must be of the same connection.
    pub(crate) async fn connect(
        &self,
        permit: &ConnectionPermit,
        recorded: &Recorded,
    ) -> Result<TcpStream, Error> {
        if recorded.connection().target() != permit.target() {
            return Err(Error::Proxy("the record is of another connection"));
        }
        let addresses = self.addresses(permit).await?;
        self.dial_in_turn(self.admit(permit, &addresses)?).await
    }

    /// The host's loopback, a static address, the literal itself, or what the resolver says.
    async fn addresses(&self, permit: &ConnectionPermit) -> Result<Vec<SocketAddr>, Error> {
        if let Some(loopback) = permit.host_port() {
            return Ok(loopback.to_vec());
        }
        let target = permit.target();
        let (fixed, server) = {
            let snapshot = self.policy.load();
            let policy = &snapshot.policy;
            (policy.static_address(target), policy.origins().resolver())
        };
        match (fixed, &target.host) {
            (Some(address), _) => Ok(vec![address]),
            (None, Host::Address(ip)) => Ok(vec![SocketAddr::new(*ip, target.port)]),
            (None, Host::Name(name)) => {
                let found = self.resolvers.resolve(name, server).await?;
                Ok(found
                    .into_iter()
                    .map(|ip| SocketAddr::new(ip, target.port))
                    .collect())
            }
        }
    }

    /// Those that policy admits. When it admits none, the first refusal says why.
    fn admit(&self, permit: &ConnectionPermit, addresses: &[SocketAddr]) -> Result<Vec<DialPermit>, Error> {
        let snapshot = self.policy.load();
        let mut refusal: Option<Denial> = None;
        let mut admitted = Vec::with_capacity(addresses.len());
        for address in addresses {
            match snapshot.policy.admit(permit, *address) {
                Ok(dial) => admitted.push(dial),
                Err(denial) => refusal = refusal.or(Some(denial)),
            }
        }
        match refusal {
            Some(denial) if admitted.is_empty() => Err(Error::Address(denial)),
            _ => Ok(admitted),
        }
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

/// The resolver in use, made again when the policy names another server.
#[derive(Default)]
pub(crate) struct Resolvers {
    made: Mutex<Option<(Option<SocketAddr>, TokioResolver)>>,
}

impl Resolvers {
    async fn resolve(&self, name: &DomainName, server: Option<SocketAddr>) -> Result<Vec<IpAddr>, Error> {
        let failed = |source| Error::Resolver {
            name: name.clone(),
            source,
        };
        let resolver = self.of(server).map_err(failed)?;
        // The dot at the end keeps the host's search domains out of it: `api` is not `api.corp.example`. As ASCII, which a name in
        // normal form is: read as an internationalised one, `a_b.example` would be refused for its underscore.
        let queried = Name::from_ascii(format!("{name}.")).map_err(|error| failed(error.into()))?;
        match resolver.lookup_ip(queried).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(Error::Unresolved(name.clone()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn of(&self, server: Option<SocketAddr>) -> Result<TokioResolver, hickory_resolver::net::NetError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, resolver)) = made.as_ref()
            && *of == server
        {
            return Ok(resolver.clone());
        }
        let resolver = make_resolver(server)?;
        *made = Some((server, resolver.clone()));
        Ok(resolver)
    }
}

fn make_resolver(server: Option<SocketAddr>) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            TokioResolver::builder_with_config(only_server(server), TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = CACHED_NAMES;
    options.positive_max_ttl = Some(LONGEST_CACHED);
    options.negative_max_ttl = Some(LONGEST_ABSENT);
    builder.build()
}

fn only_server(server: SocketAddr) -> ResolverConfig {
    let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut name_server.connections {
        connection.port = server.port();
    }
    ResolverConfig::from_parts(None, Vec::new(), vec![name_server])
}

/// Without an acknowledgement for this long, the other side is taken for gone.
const GONE: Duration = Duration::from_mins(1);
const CACHED_NAMES: u64 = 4096;
/// An origin that moves is found again within this, whatever its records say.
const LONGEST_CACHED: Duration = Duration::from_mins(5);
/// A name that was just created should work soon.
const LONGEST_ABSENT: Duration = Duration::from_secs(10);
