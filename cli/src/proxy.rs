//! `outwall proxy`: the gate as an explicit proxy, for machines that Outwall did not make.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

use outwall_audit::AuditLog;
use outwall_control::Role;
use outwall_policy::{EnvironmentName, Overrides, Sandbox};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Session;
use crate::ca;
use crate::control::{Desk, Subject};
use crate::failure::{Explain, Failure};
use crate::gate::{audit_log, gate, new_sandbox};
use crate::policy_in_force::PolicyInForce;
use crate::reload::{Reloader, Source, Watch};
use crate::terminal::say;

/// Runs the gate as a proxy that programs are pointed to
///
/// The same decisions and the same audit as in a sandbox; whoever can connect is one sandbox of the
/// environment. The policy file counts as soon as it is written; SIGHUP reads it again at once. SIGTERM
/// lets requests finish.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall proxy --listen 127.0.0.1:8080 &
  outwall ca export > outwall-ca.pem
  curl --proxy http://127.0.0.1:8080 --cacert outwall-ca.pem https://pypi.org/simple/six/")]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one. `listening on ADDR` is printed when ready
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,

    /// The environment of whoever connects [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let in_force = self.policy(session)?;
        in_force.warn();
        let sandbox = new_sandbox(&in_force.policy, self.environment.as_ref())?;
        let ca = ca::open(session)?;
        let listener = TcpListener::bind(self.listen).explain(format!("cannot listen on {}", self.listen))?;
        listener.set_nonblocking(true)?;
        let audit = audit_log(session)?;
        let files = in_force.read_files()?;
        let gate = gate(files.clone(), ca, audit.clone())?;
        let source = Source {
            session: session.clone(),
            environment: sandbox.environment.clone(),
            overrides: Overrides::default(),
            objection: Box::new(|_| Ok(())),
        };
        let reloader = Reloader::new(source, gate, audit.clone(), (in_force, files))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .explain("cannot start threads")?;
        runtime.block_on(serve(session, listener, &reloader, sandbox, &audit))
    }

    fn policy(&self, session: &Session) -> Result<PolicyInForce, Failure> {
        PolicyInForce::load(
            session,
            self.environment.as_ref().map(EnvironmentName::as_str),
            &Overrides::default(),
        )
    }
}

/// Until SIGTERM or SIGINT; then what runs may finish, until a second one.
async fn serve(
    session: &Session,
    listener: TcpListener,
    reloader: &Arc<Reloader>,
    sandbox: Sandbox,
    audit: &AuditLog,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let address = listener.local_addr()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    audit.gate_started(
        concat!("outwall ", env!("CARGO_PKG_VERSION")),
        &format!("as a proxy on {address}"),
    )?;
    let desk = Desk::open(
        session,
        Subject {
            reloader: Arc::clone(reloader),
            role: Role::Proxy,
            sandbox: sandbox.clone(),
        },
    )?;
    let serving = reloader.gate().serve_explicit(listener, sandbox)?;
    let watch = Watch::start(Arc::clone(reloader)).explain("cannot watch the policy file")?;
    say!("listening on {address}")?;
    while signals.next().await == Asked::Reload {
        reloader.bell().reload();
    }
    drop((watch, desk));
    tokio::select! {
        () = serving.drain() => {}
        () = signals.stop() => {} // asked for twice: what runs is cut off
    }
    audit.gate_stopped()?;
    audit.flush()?;
    Ok(ExitCode::SUCCESS)
}

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
