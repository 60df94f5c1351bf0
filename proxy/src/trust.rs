//! What is in force, beside the policy: whom the gate believes to be an origin, and what it shows to origins. Read from files by
//! the composition, and replaced together with the policy that names the files.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outwall_broker::Surroundings;
use outwall_certs::ClientIdentity;
use outwall_policy::{ClientCertificate, HostGrant, ParentCredentials, Policy};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::tls::provider;

/// All that can be replaced while connections run, and only as a whole: a policy, and what the files that it names held.
#[derive(Clone, Debug)]
pub struct InForce {
    pub(crate) policy: Policy,
    pub(crate) trust: OriginTrust,
    /// What the sources of its credentials are made with.
    pub(crate) surroundings: Surroundings,
}

/// What origins are verified against, and what is shown to them.
#[derive(Clone)]
pub struct OriginTrust {
    /// Without sessions: those belong to one sandbox each.
    config: Arc<ClientConfig>,
    /// In the order of the policy.
    client_certificates: Vec<ClientIdentity>,
    /// What the parent proxy is told with each request: `Basic` and base64.
    parent_authorization: Option<Zeroizing<String>>,
}

/// The password that a parent proxy is told. It is shown nowhere, and wiped when it is dropped.
#[derive(Clone)]
pub struct ParentPassword(Zeroizing<String>);

/// The files do not belong to the policy: it names more or fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Incomplete {
    /// Of client certificates.
    #[error("the policy names {named} client certificates, and {read} were read")]
    ClientCertificates {
        /// Those that it names.
        named: usize,
        /// Those that were read.
        read: usize,
    },
    /// Of the parent proxy's password.
    #[error("the policy names a password for the parent proxy, and none was read")]
    ParentPassword,
}

impl InForce {
    /// A policy with what the files that it names held.
    pub fn new(policy: Policy, trust: OriginTrust) -> Result<Self, Incomplete> {
        let (named, read) = (
            policy.origins().client_certificates().len(),
            trust.client_certificates.len(),
        );
        if named != read {
            return Err(Incomplete::ClientCertificates { named, read });
        }
        let parent = policy.origins().parent_proxy();
        let has_name = parent.is_some_and(|parent| parent.credentials().is_some());
        if has_name != trust.parent_authorization.is_some() {
            return Err(Incomplete::ParentPassword);
        }
        Ok(Self {
            policy,
            trust,
            surroundings: Surroundings {
                folder: "/".into(),
                home: None,
            },
        })
    }

    /// Of a file in a folder, from where the sources of credentials are looked for.
    #[must_use]
    pub fn within(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// What decides.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The same with what is granted beside the policy's document.
    #[must_use]
    pub fn with_grants(&self, grants: impl IntoIterator<Item = HostGrant>) -> Self {
        Self {
            policy: self.policy.with_grants(grants),
            trust: self.trust.clone(),
            surroundings: self.surroundings.clone(),
        }
    }
}

impl OriginTrust {
    /// Believes certificates that lead to one of `roots`.
    pub fn new(roots: RootCertStore) -> Self {
        Self {
            config: Arc::new(verifying_against(roots)),
            client_certificates: Vec::new(),
            parent_authorization: None,
        }
    }

    /// And tells the parent proxy this name and password (RFC 7617).
    #[must_use]
    pub fn known_to_parent_as(mut self, credentials: &ParentCredentials, password: &ParentPassword) -> Self {
        let pair = Zeroizing::new(format!("{}:{}", credentials.username(), *password.0));
        self.parent_authorization = Some(Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair))));
        self
    }

    pub(crate) fn parent_authorization(&self) -> Option<&Zeroizing<String>> {
        self.parent_authorization.as_ref()
    }

    /// And shows these to origins, where the policy says: in the policy's order.
    #[must_use]
    pub fn showing(mut self, client_certificates: Vec<ClientIdentity>) -> Self {
        self.client_certificates = client_certificates;
        self
    }

    /// How origins are met by requests that are sent with this certificate of the policy, or with none.
    pub(crate) fn config(&self, shown: Option<&ClientCertificate>) -> ClientConfig {
        let mut config = ClientConfig::clone(&self.config);
        if let Some(shown) = shown {
            let identity = self.client_certificates.get(shown.number());
            let identity = identity.expect("as many were read as the policy names");
            config.client_auth_cert_resolver =
                Arc::new(SingleCertAndKey::from(Arc::clone(identity.certified())));
        }
        config
    }
}

impl ParentPassword {
    /// Takes charge of it.
    pub fn new(password: Zeroizing<String>) -> Self {
        Self(password)
    }
}

impl fmt::Debug for ParentPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParentPassword(..)")
    }
}

impl fmt::Debug for OriginTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginTrust")
            .field("client_certificates", &self.client_certificates)
            .finish_non_exhaustive()
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
