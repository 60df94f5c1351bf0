//! Sessions of TLS that are shown under any name: a store of sessions as a client keeps one per server, but with one place for all.

use std::io;
use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::{ClientConfig, ClientConnection, NamedGroup};
use rustls_pki_types::ServerName;

use crate::attack::{Speaks, Version};
use crate::tls;

/// A client whose connections share their sessions, whatever name each is for.
pub(crate) struct Sessions(ClientConfig);

impl Sessions {
    pub(crate) fn of(version: Version) -> io::Result<Self> {
        let versions: &[_] = match version {
            Version::Tls12 => &[&rustls::version::TLS12],
            Version::Tls13 => &[&rustls::version::TLS13],
        };
        let mut config = tls::config(tls::provider(), versions, Speaks::Http1)?;
        config.resumption = Resumption::store(Arc::new(OnePlace(ClientSessionMemoryCache::new(32))));
        config.enable_early_data = version == Version::Tls13;
        Ok(Self(config))
    }

    /// One more connection; without a name there is none in SNI.
    pub(crate) fn session(&self, name: Option<&str>) -> io::Result<ClientConnection> {
        tls::connection(self.0.clone(), name)
    }
}

/// Has one session for all names, and says of each that it may carry early data, whatever its server said.
#[derive(Debug)]
struct OnePlace(ClientSessionMemoryCache);

impl ClientSessionStore for OnePlace {
    fn set_kx_hint(&self, _name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(anybody(), group);
    }

    fn kx_hint(&self, _name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&anybody())
    }

    fn set_tls12_session(&self, _name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(anybody(), value);
    }

    fn tls12_session(&self, _name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&anybody())
    }

    fn remove_tls12_session(&self, _name: &ServerName<'static>) {
        self.0.remove_tls12_session(&anybody());
    }

    fn insert_tls13_ticket(&self, _name: ServerName<'static>, mut value: Tls13ClientSessionValue) {
        value._private_set_max_early_data_size(EARLY);
        self.0.insert_tls13_ticket(anybody(), value);
    }

    fn take_tls13_ticket(&self, _name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&anybody())
    }
}

fn anybody() -> ServerName<'static> {
    ServerName::try_from("anybody.invalid").expect("a name that TLS carries")
}

/// Bytes that a session is said to take before its answer.
const EARLY: u32 = 4096;
