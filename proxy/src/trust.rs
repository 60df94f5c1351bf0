//! What is in force, beside the policy: whom the gate believes to be an origin. Read from files by the composition, and replaced
//! together with the policy that names the files.

use std::sync::Arc;

use outwall_policy::Policy;
use rustls::{ClientConfig, RootCertStore};

use crate::tls::provider;

/// All that can be replaced while connections run, and only as a whole: a policy, and what the files that it names held.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What decides.
    pub policy: Policy,
    /// What origins are verified against.
    pub trust: OriginTrust,
}

/// What origins are verified against.
#[derive(Clone, Debug)]
pub struct OriginTrust {
    /// Without sessions: those belong to one sandbox each.
    config: Arc<ClientConfig>,
}

impl OriginTrust {
    /// Believes certificates that lead to one of `roots`.
    pub fn new(roots: RootCertStore) -> Self {
        Self {
            config: Arc::new(verifying_against(roots)),
        }
    }

    /// The configuration to start from.
    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }
}

fn verifying_against(roots: RootCertStore) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
