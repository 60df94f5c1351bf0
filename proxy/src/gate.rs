//! The gate as the composition sees it: made of its parts, it serves sandboxes.

use std::sync::{Arc, OnceLock};

use outwall_audit::AuditLog;
use outwall_broker::Keeper;
use outwall_broker::placeholder::PlaceholderKey;
use outwall_broker::scoped::Verifier;
use outwall_certs::Ca;
use outwall_policy::Sandbox;
use outwall_policy::github::SessionRepository;
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::sync::Semaphore;

use crate::askers::{Askers, Inquiry};
use crate::clientele::{Clientele, Clients};
use crate::current::CurrentPolicy;
use crate::dialer::{Doors, Resolvers, ServiceDialer};
use crate::dns::{NameLimits, NameTable, Responder, serve_tcp, serve_udp};
use crate::github::{self, Fitness, FrontHost, FrontTcp, FrontUnix, SessionFault};
use crate::lanes::Lanes;
use crate::limits::Limits;
use crate::listener::{Doorway, OriginalDestination, Redirected, TcpDoor, serve};
use crate::metrics::{Gauges, Metrics};
use crate::oversight::Recording;
use crate::questions::Questions;
use crate::sandbox_gate::SandboxGate;
use crate::scrub::Scrubbers;
use crate::services::GateServices;
use crate::shutdown::ServeHandle;
use crate::tls::ClientTls;
use crate::trust::InForce;

/// What a gate is made of.
#[derive(Debug)]
pub struct GateParts {
    /// The policy in force from the start, and whom it takes for origins.
    pub in_force: InForce,
    /// Signs the leaves that clients see.
    pub ca: Ca,
    /// Where everything is written down first.
    pub audit: AuditLog,
    /// What is put into requests, and what sandboxes see instead.
    pub secrets: Secrets,
    /// Bounds.
    pub limits: Limits,
}

/// What is put into requests, and what sandboxes see instead.
#[derive(Debug)]
pub struct Secrets {
    /// Has the secret of each credential of the policy in force. The gate tells it which those are.
    pub keeper: Arc<Keeper>,
    /// Makes what a sandbox sees.
    pub placeholders: PlaceholderKey,
    /// Verifies what git and gh show; without it no session works at a GitHub.
    pub sessions: Option<Arc<Verifier>>,
}

/// The gate. Cloning is cheap, and a clone is the same gate.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

/// What all sandboxes of a gate share. None of it leads from one to another.
pub(crate) struct Shared {
    pub(crate) policy: Arc<CurrentPolicy>,
    pub(crate) audit: AuditLog,
    pub(crate) secrets: Secrets,
    /// Asks GitHub what has to be known before a request there is decided on.
    pub(crate) services: Arc<GateServices>,
    /// What is known of sessions' tokens.
    pub(crate) fitness: Fitness,
    pub(crate) scrubbers: Scrubbers,
    pub(crate) client_tls: ClientTls,
    pub(crate) resolvers: Arc<Resolvers>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) limits: Limits,
    /// One permit per connection of any sandbox.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) questions: Arc<OnceLock<Arc<dyn Questions>>>,
    pub(crate) lanes: Lanes,
}

/// The listeners of one sandbox, opened where its traffic is redirected to.
#[derive(Debug, Default)]
pub struct CapturedListeners {
    /// Every TCP connection but those to port 53.
    pub tcp: Vec<std::net::TcpListener>,
    /// DNS over UDP.
    pub dns_udp: Vec<std::net::UdpSocket>,
    /// DNS over TCP.
    pub dns_tcp: Vec<std::net::TcpListener>,
    /// Loopback ports of the sandbox that stand for the same ones of the host.
    pub host_ports: Vec<(u16, std::net::TcpListener)>,
    /// Knows the programs of the sandbox, where somebody does.
    pub askers: Option<Arc<dyn Askers>>,
}

/// Where clients find GitHub that go nowhere else through the gate.
#[derive(Debug, Default)]
pub struct GithubListeners {
    /// There it is one server, whose API is below `/api`.
    pub tcp: Vec<TcpListener>,
    /// There it is called by the names of its own hosts.
    pub unix: Vec<UnixListener>,
}

/// Why a gate could not be made.
#[derive(Debug, Error)]
pub enum GateError {
    /// No TLS configuration for clients.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
    /// No threads to serve on.
    #[error("cannot start threads")]
    Threads(#[from] std::io::Error),
}

/// Why a sandbox cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A listener is not usable.
    #[error("a listener cannot be used")]
    Listener(#[from] std::io::Error),
    /// Nothing verifies what git and gh show.
    #[error("credentials for git and gh cannot be verified here")]
    NoSessions,
}

impl Secrets {
    /// Has the secrets of a policy's credentials from here on. Those of one before that are not in it are gone.
    fn keep(&self, in_force: &InForce, lanes: &Lanes) {
        let _inside = lanes.runtimes().next().map(tokio::runtime::Handle::enter);
        let credentials = in_force.policy.credentials().iter();
        let sources = credentials.map(|known| (known.name(), known.source()));
        self.keeper.replace(&in_force.surroundings, sources);
    }
}

impl Gate {
    /// A gate that serves nobody yet.
    pub fn new(parts: GateParts) -> Result<Self, GateError> {
        let GateParts {
            in_force,
            ca,
            audit,
            secrets,
            limits,
        } = parts;
        let lanes = Lanes::start(limits.lanes)?;
        let policy = Arc::new(CurrentPolicy::new(in_force.clone()));
        let (resolvers, doors) = (Arc::default(), Arc::default());
        let dialer = ServiceDialer::new(Arc::clone(&policy), Arc::clone(&resolvers), Arc::clone(&doors));
        let services = Arc::new(GateServices::new(dialer));
        secrets.keeper.ask_through(Box::new(Arc::clone(&services)));
        secrets.keep(&in_force, &lanes);
        let shared = Shared {
            policy,
            audit,
            secrets,
            services,
            fitness: Fitness::default(),
            scrubbers: Scrubbers::default(),
            client_tls: ClientTls::new(Arc::new(ca))?,
            resolvers,
            doors,
            metrics: Arc::new(Metrics::new(limits.lanes)),
            questions: Arc::default(),
            room: Arc::new(Semaphore::new(limits.connections_in_all)),
            limits,
            lanes,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Serves clients that know that they speak to a proxy; whoever can connect is `sandbox`. Within a Tokio runtime.
    pub fn serve_explicit(&self, listener: TcpListener, sandbox: Sandbox) -> Result<ServeHandle, ServeError> {
        let own = vec![listener.local_addr()?];
        self.shared.doors.open(&own);
        let gate = SandboxGate::new(Arc::clone(&self.shared), sandbox, None, own, None);
        let door = TcpDoor {
            listener,
            doorway: Doorway::Explicit,
        };
        let serving = tokio::spawn(serve(Arc::clone(&gate), door));
        Ok(ServeHandle::new(gate, vec![serving], Vec::new()))
    }

    /// Serves clients that know that they speak to a proxy and say who they are: each sandbox has its own limits, pools and records.
    /// Within a Tokio runtime.
    pub fn serve_clients(
        &self,
        listeners: Vec<TcpListener>,
        clients: Clients,
    ) -> Result<ServeHandle, ServeError> {
        let own = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()?;
        self.shared.doors.open(&own);
        let clientele = Clientele::new(Arc::clone(&self.shared), clients, own);
        let watching = tokio::spawn(Clientele::watch(Arc::downgrade(&clientele)));
        let serving = listeners
            .into_iter()
            .map(|listener| {
                let doorway = Doorway::Explicit;
                tokio::spawn(serve(Arc::clone(&clientele), TcpDoor { listener, doorway }))
            })
            .collect();
        Ok(ServeHandle::of_clientele(clientele, serving, watching))
    }

    /// Serves GitHub to clients of whom each request shows the credential of a session. Within a Tokio runtime.
    pub fn serve_github(&self, listeners: GithubListeners) -> Result<ServeHandle, ServeError> {
        let GithubListeners { tcp, unix } = listeners;
        let own = tcp
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()?;
        self.shared.doors.open(&own);
        let verifier = self.shared.secrets.sessions.clone();
        let clients = Clients {
            verifier: verifier.ok_or(ServeError::NoSessions)?,
            anonymous: None,
        };
        let clientele = Clientele::new(Arc::clone(&self.shared), clients, own);
        let watching = tokio::spawn(Clientele::watch(Arc::downgrade(&clientele)));
        let front = Arc::new(FrontHost(Arc::clone(&clientele)));
        let tcp = tcp
            .into_iter()
            .map(|listener| tokio::spawn(serve(Arc::clone(&front), FrontTcp(listener))));
        let unix = unix
            .into_iter()
            .map(|listener| tokio::spawn(serve(Arc::clone(&front), FrontUnix(listener))));
        let serving = tcp.chain(unix).collect();
        Ok(ServeHandle::of_clientele(clientele, serving, watching))
    }

    /// Serves a sandbox whose connections are redirected to these listeners. Within a Tokio runtime.
    pub fn serve_captured(
        &self,
        sandbox: Sandbox,
        listeners: CapturedListeners,
    ) -> Result<ServeHandle, ServeError> {
        self.serve_captured_by(sandbox, listeners, Arc::new(Redirected))
    }

    /// The same, where something else than the kernel's redirect knows where a connection was going.
    pub fn serve_captured_by(
        &self,
        sandbox: Sandbox,
        listeners: CapturedListeners,
        destination: Arc<dyn OriginalDestination>,
    ) -> Result<ServeHandle, ServeError> {
        let names = Arc::new(NameTable::new(NameLimits::default()));
        let own = listeners
            .tcp
            .iter()
            .map(std::net::TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let captured = Doorway::Captured(destination);
        let captured = listeners.tcp.into_iter().map(|tcp| (captured.clone(), tcp));
        let host_ports = listeners.host_ports.into_iter();
        let host_ports = host_ports.map(|(port, tcp)| (Doorway::HostPort(port), tcp));
        let doors = captured
            .chain(host_ports)
            .map(|(doorway, tcp)| {
                let listener = listener(tcp)?;
                Ok(TcpDoor { listener, doorway })
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        let inquiry = listeners.askers.map(Inquiry::start).transpose()?;
        let known = Some(Arc::clone(&names));
        let gate = SandboxGate::new(Arc::clone(&self.shared), sandbox, known, own, inquiry);
        let responder = Arc::new(Responder::new(names, Recording::new(&gate)));
        let name_service = serve_names(&responder, listeners.dns_udp, listeners.dns_tcp)?;
        let serving = doors
            .into_iter()
            .map(|door| tokio::spawn(serve(Arc::clone(&gate), door)))
            .collect();
        Ok(ServeHandle::new(gate, serving, name_service))
    }

    /// Puts another policy in force, with all that goes with it and in one step, for the next request of every connection;
    /// tunnels and running exchanges that it does not grant end.
    pub fn replace(&self, next: InForce) {
        self.shared.secrets.keep(&next, &self.shared.lanes);
        self.shared.scrubbers.forget();
        self.shared.policy.replace(next);
    }

    /// From here on, who is refused a host or port that nobody thought of is asked about there. Once; a second one is ignored.
    pub fn ask_through(&self, questions: Arc<dyn Questions>) {
        let _ = self.shared.questions.set(questions);
    }

    /// Whether a session may begin at this repository: GitHub is asked with its token, which has to see the repository, and may not
    /// have what would let it do more than the session may.
    pub async fn check_session(&self, at: &SessionRepository) -> Result<(), SessionFault> {
        github::check(&self.shared, at).await
    }

    /// How many connections ended in a panic: a defect of ours, each.
    pub fn panics(&self) -> u64 {
        self.shared.metrics.panics()
    }

    /// Counts that a new policy was broken, so that the one before stays in force.
    pub fn policy_was_refused(&self) {
        self.shared.metrics.policy_refused();
    }

    /// What the gate has counted so far, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        self.shared.metrics.text(&Gauges {
            open_connections: self.shared.lanes.connections(),
            policies_replaced: self.shared.policy.generation(),
            leaves: self.shared.client_tls.leaf_counts(),
            log: self.shared.audit.counts(),
        })
    }
}

fn serve_names(
    responder: &Arc<Responder>,
    udp: Vec<std::net::UdpSocket>,
    tcp: Vec<std::net::TcpListener>,
) -> std::io::Result<Vec<tokio::task::JoinHandle<()>>> {
    let mut tasks = Vec::with_capacity(udp.len() + tcp.len());
    for socket in udp {
        socket.set_nonblocking(true)?;
        let serving = serve_udp(UdpSocket::from_std(socket)?, Arc::clone(responder));
        tasks.push(tokio::spawn(async { report(serving.await) }));
    }
    for socket in tcp {
        let serving = serve_tcp(listener(socket)?, Arc::clone(responder));
        tasks.push(tokio::spawn(async { report(serving.await) }));
    }
    Ok(tasks)
}

fn listener(listener: std::net::TcpListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn report(ended: std::io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a name server ended");
    }
}
