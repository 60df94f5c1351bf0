//! `outwall proxy`: the gate as an explicit proxy, for machines that Outwall did not make.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use outwall_audit::AuditLog;
use outwall_policy::{EnvironmentName, Overrides, Sandbox};
use outwall_proxy::Gate;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Session;
use crate::ca;
use crate::failure::{Explain, Failure};
use crate::gate::{audit_log, gate, new_sandbox};
use crate::policy_in_force::PolicyInForce;
use crate::terminal::{Paint, say};

/// Runs the gate as a proxy that programs are pointed to
///
/// The same decisions and the same audit as in a sandbox; whoever can connect is one sandbox of the
/// environment. SIGTERM lets requests finish, SIGHUP reads the policy file again.
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
        let gate = gate(&in_force, ca, audit.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .explain("cannot start threads")?;
        runtime.block_on(self.serve(session, listener, &gate, sandbox, &audit))
    }

    fn policy(&self, session: &Session) -> Result<PolicyInForce, Failure> {
        PolicyInForce::load(
            session,
            self.environment.as_ref().map(EnvironmentName::as_str),
            &Overrides::default(),
        )
    }

    /// Until SIGTERM or SIGINT; then what runs may finish, until a second one.
    async fn serve(
        &self,
        session: &Session,
        listener: TcpListener,
        gate: &Gate,
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
        let serving = gate.serve_explicit(listener, sandbox)?;
        say!("listening on {address}")?;
        while signals.next().await == Asked::Reload {
            self.reload(session, gate);
        }
        tokio::select! {
            () = serving.drain() => {}
            () = signals.stop() => {} // asked for twice: what runs is cut off
        }
        audit.gate_stopped()?;
        audit.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    /// A policy that is wrong changes nothing: the last good one stays, and the failure is loud.
    fn reload(&self, session: &Session, gate: &Gate) {
        let loaded = self
            .policy(session)
            .and_then(|in_force| in_force.read_files().map(|files| (in_force, files)));
        match loaded {
            Ok((in_force, next)) => {
                in_force.warn();
                gate.replace(next);
                let _ = writeln!(std::io::stderr(), "outwall: the policy was read again");
            }
            Err(failure) => failure
                .explain("the policy could not be read again; the one before stays in force")
                .report(&mut std::io::stderr().lock(), Paint::for_stderr()),
        }
    }
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
