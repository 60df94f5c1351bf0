//! Serves clients that others run, until told to stop: what `outwall proxy` and `outwall github` have in common.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

use outwall_audit::AuditLog;
use outwall_control::Role;
use outwall_policy::{Overrides, Sandbox};
use outwall_proxy::{Gate, ServeError, ServeHandle};
use outwall_shipping::Shipping;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Session;
use crate::ca;
use crate::control::{Desk, Subject};
use crate::failure::{Explain, Failure};
use crate::gate::{audit_log, gate, new_sandbox_id, placeholder_key, verifier};
use crate::policy_in_force::PolicyInForce;
use crate::reload::{Objection, Reloader, Source, Watch};
use crate::shipping::{LAST_TRY, beside_a_gate};
use crate::terminal::say;

/// A gate that serves whoever comes to its listeners.
pub(crate) struct Listening<'a> {
    session: &'a Session,
    pub(crate) reloader: Arc<Reloader>,
    audit: AuditLog,
    /// None: the policy names no sinks.
    shipping: Option<Shipping>,
    role: Role,
    /// As whom it is spoken of at the desk: whoever comes without a name of its own.
    pub(crate) nameless: Sandbox,
}

impl<'a> Listening<'a> {
    /// A gate with what is in force, and what must not be.
    pub(crate) fn prepare(
        session: &'a Session,
        in_force: PolicyInForce,
        (overrides, objection): (Overrides, Objection),
        role: Role,
    ) -> Result<Self, Failure> {
        let ca = ca::open(session)?;
        let audit = audit_log(session, &in_force)?;
        let shipping = beside_a_gate(session, &in_force, &audit)?;
        let known = (placeholder_key(session)?, verifier(session)?);
        let files = in_force.read_files()?;
        let gate = gate(files.clone(), ca, audit.clone(), known)?;
        let environment = in_force.policy.environment(None)?.name().clone();
        let source = Source {
            session: session.clone(),
            environment: environment.clone(),
            overrides,
            objection,
        };
        Ok(Self {
            session,
            reloader: Reloader::new(source, gate, audit.clone(), (in_force, files))?,
            audit,
            shipping,
            role,
            nameless: Sandbox::anonymous(new_sandbox_id()?, environment),
        })
    }

    /// Until SIGTERM or SIGINT; then what runs may finish, until a second one. `begin` serves, within a Tokio runtime.
    pub(crate) fn serve(
        self,
        (what, places): (&str, Vec<String>),
        begin: impl FnOnce(&Gate) -> Result<ServeHandle, ServeError>,
    ) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .explain("cannot start threads")?;
        runtime.block_on(self.serve_until_told((what, places), begin))
    }

    async fn serve_until_told(
        self,
        (what, places): (&str, Vec<String>),
        begin: impl FnOnce(&Gate) -> Result<ServeHandle, ServeError>,
    ) -> Result<ExitCode, Failure> {
        let mut signals = Signals::listen()?;
        self.audit.gate_started(
            concat!("outwall ", env!("CARGO_PKG_VERSION")),
            &format!("{what} on {}", places.join(", ")),
        )?;
        let subject = Subject {
            reloader: Arc::clone(&self.reloader),
            role: self.role,
            sandbox: self.nameless,
        };
        let desk = Desk::open(self.session, subject)?;
        let serving = begin(self.reloader.gate())?;
        let watch = Watch::start(Arc::clone(&self.reloader)).explain("cannot watch the policy file")?;
        for place in places {
            say!("listening on {place}")?;
        }
        while signals.next().await == Asked::Reload {
            self.reloader.bell().reload();
        }
        drop((watch, desk));
        tokio::select! {
            () = serving.drain() => {}
            () = signals.stop() => {} // asked for twice: what runs is cut off
        }
        self.audit.gate_stopped()?;
        self.audit.flush()?;
        if let Some(shipping) = self.shipping {
            let finished = tokio::task::spawn_blocking(|| shipping.finish(LAST_TRY));
            let _ = finished.await; // a panic in there is no reason to end in another way
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A listener with room for bursts.
pub(crate) fn listen(address: &SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).explain(format!("cannot listen on {address}"))?;
    rustix::net::listen(&listener, BACKLOG).explain(format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// As people are told where something listens, and as others parse it: the real port where a free one was asked for.
pub(crate) fn place(listener: &TcpListener) -> Result<String, Failure> {
    Ok(listener.local_addr()?.to_string())
}

/// The first address that other machines may reach.
pub(crate) fn beyond_loopback(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let beyond = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    addresses.iter().find(beyond).copied()
}

/// Connections that the kernel holds until they are accepted: with Rust's own 128 a burst is told to try again in a second.
const BACKLOG: i32 = 4096;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).explain("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
