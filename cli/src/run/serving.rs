//! The gate of one sandbox, on threads of its own beside the sandbox's blocking calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outwall_audit::AuditLog;
use outwall_broker::placeholder::PlaceholderKey;
use outwall_broker::scoped::Verifier;
use outwall_certs::Ca;
use outwall_control::Role;
use outwall_policy::Sandbox;
use outwall_proxy::{CapturedListeners, Gate, InForce, ServeHandle, SessionFault};
use outwall_sandbox_runtime::{Ender, InnerSockets, Interludes, Listeners, Programs, Signal as Inside};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::{Desk, Subject};
use crate::failure::{Explain, Failure};
use crate::gate::gate;
use crate::policy_in_force::PolicyInForce;
use crate::reload::{Reloader, Source, Watch};
use crate::run::askers::Lookout;
use crate::run::asking::{self, Asking};
use crate::run::publish::{Published, Way};

/// A gate that waits for its listeners.
pub(super) struct Ready {
    runtime: Runtime,
    gate: Gate,
    audit: AuditLog,
    loaded: (PolicyInForce, InForce),
}

/// A gate that serves one sandbox.
pub(super) struct Serving {
    runtime: Runtime,
    handle: ServeHandle,
    reloader: Arc<Reloader>,
    asking: Option<Arc<Asking>>,
    /// These end before the sandbox's last records are written.
    desk: Desk,
    watch: Watch,
    signals: Vec<(Signal, Inside)>,
    ended: Arc<AtomicBool>,
}

/// What the gate may take to write down how the last requests ended, once nobody reads the answers.
const LAST_RECORDS: Duration = Duration::from_secs(2);

impl Serving {
    /// Makes gate and threads.
    pub(super) fn prepare(
        policy: PolicyInForce,
        ca: Ca,
        audit: AuditLog,
        known: (PlaceholderKey, Arc<Verifier>),
    ) -> Result<Ready, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .explain("cannot start threads")?;
        let files = policy.read_files()?;
        Ok(Ready {
            gate: gate(files.clone(), ca, audit.clone(), known)?,
            runtime,
            audit,
            loaded: (policy, files),
        })
    }
}

impl Ready {
    /// Whether the session of a sandbox may begin: what cannot be pushed at the end is better known now.
    pub(super) fn check_session(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        let Some(at) = &sandbox.repository else {
            return Ok(());
        };
        self.runtime
            .block_on(self.gate.check_session(at))
            .map_err(|fault| {
                let hint = match &fault {
                    SessionFault::Token(fault) => fault.remedy(),
                    SessionFault::NoGithub(_) | SessionFault::Unavailable(_) | SessionFault::NotAsked(_) => {
                        "`outwall credential check NAME` says whether its secret can be had".to_owned()
                    }
                };
                Failure::from(fault)
                    .explain(format!("no session can work at {}", at.repository))
                    .hint(hint)
            })
    }

    /// Serves the sandbox from here on, by what is in force at `source`.
    pub(super) fn serve(
        self,
        sandbox: Sandbox,
        (listeners, programs): (Listeners, Option<Programs>),
        source: Source,
        asking: Option<Arc<Asking>>,
    ) -> Result<Serving, Failure> {
        let _inside = self.runtime.enter();
        let Listeners {
            tcp,
            dns_udp,
            dns_tcp,
            host_ports,
        } = listeners;
        let listeners = CapturedListeners {
            tcp,
            dns_udp,
            dns_tcp,
            host_ports,
            askers: programs.map(|programs| Lookout::new(programs) as Arc<_>),
        };
        if let Some(asking) = &asking {
            self.gate.ask_through(Arc::clone(asking) as Arc<_>);
        }
        let handle = self
            .gate
            .serve_captured(sandbox.clone(), listeners)
            .explain("the gate cannot serve the sandbox")?;
        let session = source.session.clone();
        let reloader = Reloader::new(source, self.gate, self.audit, self.loaded)?;
        if let Some(asking) = &asking {
            asking.grant_through(&reloader);
        }
        let watch = Watch::start(Arc::clone(&reloader)).explain("cannot watch the policy file")?;
        let subject = Subject {
            reloader: Arc::clone(&reloader),
            role: Role::Run,
            sandbox,
        };
        Ok(Serving {
            handle,
            desk: Desk::open(&session, subject)?,
            reloader,
            asking,
            watch,
            signals: signals()?,
            ended: Arc::default(),
            runtime: self.runtime,
        })
    }
}

/// Listened to before the command starts: one that comes in between ends the sandbox, and not us.
fn signals() -> Result<Vec<(Signal, Inside)>, Failure> {
    let passed = [
        (SignalKind::terminate(), Inside::Terminate),
        (SignalKind::hangup(), Inside::HangUp),
        (SignalKind::interrupt(), Inside::Interrupt),
    ];
    let listen = |(kind, inside)| Ok((signal(kind).explain("cannot listen for signals")?, inside));
    passed.into_iter().map(listen).collect()
}

impl Serving {
    /// Who can be spoken to while the command runs; none where nobody is at a terminal.
    pub(super) fn speak_at(&self, person: Option<Interludes>) {
        if let Some(person) = person.clone() {
            self.reloader
                .speak_through(Box::new(move |text| person.say(text)));
        }
        if let Some(asking) = &self.asking {
            asking.ask_at(person);
        }
    }

    /// From here on a signal to us ends the sandbox, and the command's end is then ours.
    pub(super) fn end_on_signal(&mut self, ender: &Ender) {
        for (mut signal, inside) in self.signals.drain(..) {
            let (ender, noted) = (ender.clone(), Arc::clone(&self.ended));
            self.runtime.spawn(async move {
                while signal.recv().await.is_some() {
                    noted.store(true, Ordering::Relaxed);
                    ender.end(inside);
                }
            });
        }
    }

    /// From here on clients of this machine reach ports of the sandbox.
    pub(super) fn publish(
        &mut self,
        sandbox: &Sandbox,
        published: Published,
        inner: InnerSockets,
        audit: &AuditLog,
    ) -> Result<(), Failure> {
        let _inside = self.runtime.enter();
        let way = Arc::new(Way(inner));
        for publication in published.into_publications() {
            let at = publication
                .listener
                .local_addr()
                .explain("a published port cannot be served")?;
            audit.publishes(sandbox, publication.port, at)?;
            self.handle
                .publish(publication, Arc::clone(&way) as Arc<_>)
                .explain("a published port cannot be served")?;
        }
        Ok(())
    }

    /// Whether a signal to us has ended the sandbox.
    pub(super) fn was_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The sandbox is gone, so its connections are: lets them write their last records. Returns the hosts that somebody at the
    /// terminal allowed.
    pub(super) fn finish(self) -> Vec<String> {
        let allowed = self.allowed_at_the_terminal();
        drop((self.desk, self.watch));
        let drained = async { tokio::time::timeout(LAST_RECORDS, self.handle.drain()).await };
        let _ = self.runtime.block_on(drained);
        self.runtime.shutdown_timeout(LAST_RECORDS);
        allowed
    }

    fn allowed_at_the_terminal(&self) -> Vec<String> {
        let now = self.reloader.now();
        let answered = now.grants.all().iter().filter(|given| given.by == asking::BY);
        answered.map(|given| given.hosts.to_string()).collect()
    }
}
