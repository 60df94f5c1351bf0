//! Turns names into addresses. Only the dialler asks, and only for names that are allowed.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use outwall_policy::DomainName;

use crate::error::Error;

/// The resolver in use, made again when the policy names another server.
#[derive(Default)]
pub(crate) struct Resolvers {
    silent: Mutex<HashMap<DomainName, Instant>>,
    made: Mutex<Option<(Option<SocketAddr>, TokioResolver)>>,
}

impl Resolvers {
    pub(super) async fn resolve(
        &self,
        name: &DomainName,
        server: Option<SocketAddr>,
    ) -> Result<Vec<IpAddr>, Error> {
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

    /// The same for a name that somebody else can resolve as well: what cannot be said soon is not known. A name whose servers
    /// were silent is not asked about again for a while, so that not every connection waits for them.
    pub(super) async fn resolve_if_known(
        &self,
        name: &DomainName,
        server: Option<SocketAddr>,
    ) -> Vec<IpAddr> {
        if self.was_silent(name) {
            return Vec::new();
        }
        match tokio::time::timeout(PATIENCE, self.resolve(name, server)).await {
            Ok(Ok(found)) => found,
            Ok(Err(Error::Unresolved(_))) => Vec::new(),
            Ok(Err(_)) | Err(_) => {
                self.note_silence(name);
                Vec::new()
            }
        }
    }

    fn was_silent(&self, name: &DomainName) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.get(name).is_some_and(|since| since.elapsed() < SILENCE)
    }

    fn note_silence(&self, name: &DomainName) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() >= SILENT_NAMES {
            silent.clear();
        }
        silent.insert(name.clone(), Instant::now());
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

const CACHED_NAMES: u64 = 4096;
/// An origin that moves is found again within this, whatever its records say.
const LONGEST_CACHED: Duration = Duration::from_mins(5);
/// A name that was just created should work soon.
const LONGEST_ABSENT: Duration = Duration::from_secs(10);
/// What a name may take to resolve where the parent proxy resolves it too.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a name is not asked about again whose servers were silent. Each name by itself: one that somebody makes silent on
/// purpose says nothing about others.
const SILENCE: Duration = Duration::from_secs(30);
const SILENT_NAMES: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn a_name_whose_servers_are_silent_is_not_asked_about_again_and_another_is() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let silent = socket.local_addr().expect("it has an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while socket.recv_from(&mut [0; 512]).await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let resolvers = Resolvers::default();
        let name = |text: &str| text.parse::<DomainName>().expect("a name");
        let ask = async |text: &str| resolvers.resolve_if_known(&name(text), Some(silent)).await;
        assert!(ask("a.test").await.is_empty());
        let first = asked.load(Ordering::Relaxed);
        assert!(first > 0, "it was asked once");
        assert!(ask("a.test").await.is_empty());
        assert_eq!(asked.load(Ordering::Relaxed), first);
        assert!(ask("b.test").await.is_empty());
        assert!(asked.load(Ordering::Relaxed) > first);
    }
}
