//! A gate on loopback, explicit or captured, with a policy written in the test.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use outwall_audit::{AuditLog, Options};
use outwall_broker::Keeper;
use outwall_broker::placeholder::PlaceholderKey;
use outwall_broker::scoped::{Audience, Issuer, Verifier};
use outwall_certs::{Ca, ClientIdentity};
use outwall_policy::{Policy, PolicyDocument, Sandbox, SandboxId};
use outwall_proxy::{
    CapturedListeners, Clients, Gate, GateParts, InForce, Limits, OriginTrust, OriginalDestination, Secrets,
    ServeHandle,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::origin;

/// A gate that serves one sandbox.
pub(crate) struct TestGate {
    pub(crate) address: SocketAddr,
    pub(crate) ca: CertificateDer<'static>,
    pub(crate) gate: Gate,
    pub(crate) handle: ServeHandle,
    pub(crate) audit: AuditLog,
    pub(crate) directory: tempfile::TempDir,
    /// Where the next captured connections were going.
    originals: Arc<Originals>,
}

/// By which door clients come.
enum Door {
    Captured,
    Explicit,
    Shared,
}

/// Tells the next connection what the test says.
#[derive(Default)]
struct Originals(Mutex<VecDeque<SocketAddr>>);

impl OriginalDestination for Originals {
    fn of(&self, _stream: &TcpStream) -> io::Result<SocketAddr> {
        let next = self.0.lock().unwrap().pop_front();
        let original = next.ok_or_else(|| io::Error::other("the test says no address"))?;
        assert_ne!(original, A_PANIC, "the test asks for a panic in this connection");
        Ok(original)
    }
}

/// Where no connection goes.
const A_PANIC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST), 0);

/// Compiles a policy. `{ORIGIN}` stands for nothing here: tests format addresses themselves.
pub(crate) fn policy(document: &str) -> Policy {
    Policy::compile(&PolicyDocument::parse(document, "test.toml").unwrap()).unwrap()
}

/// Believes the origins of the tests.
pub(crate) fn trust() -> OriginTrust {
    let mut roots = RootCertStore::empty();
    roots.add(origin::ca().certificate.clone()).unwrap();
    OriginTrust::new(roots)
}

impl TestGate {
    pub(crate) async fn explicit(document: &str) -> Self {
        Self::start(document, Limits::default(), false).await
    }

    pub(crate) async fn captured(document: &str) -> Self {
        Self::start(document, Limits::default(), true).await
    }

    /// One that many sandboxes share: who it is, each client says by a credential.
    pub(crate) async fn shared(document: &str, limits: Limits) -> Self {
        Self::open(document, trust(), limits, Door::Shared).await
    }

    /// The same, showing these certificates to origins.
    pub(crate) async fn shared_showing(document: &str, certificates: Vec<ClientIdentity>) -> Self {
        let trust = trust().showing(certificates);
        Self::open(document, trust, Limits::default(), Door::Shared).await
    }

    pub(crate) async fn start(document: &str, limits: Limits, captured: bool) -> Self {
        let door = if captured { Door::Captured } else { Door::Explicit };
        Self::open(document, trust(), limits, door).await
    }

    /// An explicit gate with this trust.
    pub(crate) async fn believing(document: &str, trust: OriginTrust) -> Self {
        Self::open(document, trust, Limits::default(), Door::Explicit).await
    }

    /// An explicit gate that shows these certificates to origins.
    pub(crate) async fn showing(document: &str, certificates: Vec<ClientIdentity>) -> Self {
        let trust = trust().showing(certificates);
        Self::open(document, trust, Limits::default(), Door::Explicit).await
    }

    async fn open(document: &str, trust: OriginTrust, limits: Limits, door: Door) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(&directory.path().join("ca")).unwrap();
        let ca_certificate = CertificateDer::from_pem_slice(ca.certificate_pem().as_bytes()).unwrap();
        let audit = AuditLog::open(&directory.path().join("audit"), Options::default()).unwrap();
        let policy = policy(document);
        let environment = policy.environment(None).unwrap().name().clone();
        let sandbox = Sandbox::new(SandboxId::from_random([1, 2, 3, 4]), environment);
        let gate = Gate::new(GateParts {
            in_force: InForce::new(policy, trust).unwrap(),
            ca,
            audit: audit.clone(),
            secrets: Secrets {
                keeper: Arc::new(Keeper::new(Arc::new(Timestamp::now))),
                placeholders: PlaceholderKey::new().unwrap(),
                sessions: None,
            },
            limits,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let originals = Arc::new(Originals::default());
        let handle = match door {
            Door::Captured => {
                let listeners = CapturedListeners {
                    tcp: vec![listener.into_std().unwrap()],
                    ..CapturedListeners::default()
                };
                gate.serve_captured_by(sandbox, listeners, Arc::clone(&originals) as Arc<_>)
            }
            Door::Explicit => gate.serve_explicit(listener, sandbox),
            Door::Shared => {
                let place = directory.path().join("credentials");
                let verifier = Verifier::open(&place, Audience::Proxy, Timestamp::now()).unwrap();
                let clients = Clients {
                    verifier: Arc::new(verifier),
                    anonymous: Some(SandboxId::from_random([9; 4])),
                };
                gate.serve_clients(vec![listener], clients)
            }
        }
        .unwrap();
        Self {
            address,
            ca: ca_certificate,
            gate,
            handle,
            audit,
            directory,
            originals,
        }
    }

    /// What issues credentials for it, if it is shared.
    pub(crate) fn issuer(&self) -> Issuer {
        Issuer::new(&self.directory.path().join("credentials"))
    }

    /// Puts another policy in force, with the same trust.
    pub(crate) fn replace(&self, document: &str) {
        self.gate
            .replace(InForce::new(policy(document), trust()).unwrap());
    }

    /// A connection that was going to `original` when it was captured.
    pub(crate) async fn capture(&self, original: SocketAddr) -> TcpStream {
        self.originals.0.lock().unwrap().push_back(original);
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A connection whose task panics.
    pub(crate) async fn capture_with_a_panic(&self) -> TcpStream {
        self.capture(A_PANIC).await
    }

    /// The synthetic address of a name, as the name service would have told it.
    pub(crate) fn synthetic(&self, name: &str, port: u16) -> SocketAddr {
        let addresses = self
            .handle
            .names()
            .unwrap()
            .assign(&name.parse().unwrap())
            .unwrap();
        SocketAddr::new(addresses.v4.into(), port)
    }

    /// All events so far, as JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.audit.flush().unwrap();
        let files = std::fs::read_dir(self.directory.path().join("audit")).unwrap();
        let mut events: Vec<Value> = files
            .map(|entry| entry.unwrap().path())
            .filter(|path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl"))
            .filter(|path: &PathBuf| !path.ends_with("checkpoints.jsonl"))
            .flat_map(|path| {
                let text = std::fs::read_to_string(path).unwrap();
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect::<Vec<Value>>()
            })
            .collect();
        events.sort_by_key(|event| event["seq"].as_u64());
        events
    }

    /// Those of one kind, after waiting for as many as there should be: closing records follow their response.
    pub(crate) async fn events_of(&self, kind: &str, at_least: usize) -> Vec<Value> {
        let of_kind = || {
            self.events()
                .into_iter()
                .filter(|event| event["kind"] == kind)
                .collect::<Vec<Value>>()
        };
        for _ in 0..1000 {
            let events = of_kind();
            if events.len() >= at_least {
                return events;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        of_kind()
    }
}
