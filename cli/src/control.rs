//! The desk of a running gate: answers other processes of the same user, one thread for each that asks, and few at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use outwall_control::{
    Allow, Answer, Caller, ChangeRefused, Deny, Grant, Peers, Request, Role, Socket, Standing, Status,
};
use outwall_policy::{EnvironmentName, GrantError, GrantScope, Sandbox, SandboxId};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::grants::{Ends, Given};
use crate::reload::Reloader;
use crate::state_directory::{StateDirectory, private_directory};

/// Answers until it is dropped.
pub(crate) struct Desk {
    socket: Arc<Socket>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The gate, as it is asked about.
pub(crate) struct Subject {
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) role: Role,
    /// The one sandbox of a run; of a proxy, whoever comes without a name of its own.
    pub(crate) sandbox: Sandbox,
}

/// Callers that are heard at once. Each says one line.
const CALLERS: usize = 16;

impl Desk {
    pub(crate) fn open(session: &Session, subject: Subject) -> Result<Self, Failure> {
        let directory = session.state.control();
        private_directory(&directory).explain("cannot make the directory of control sockets")?;
        let name = format!("{}-{}", subject.sandbox.id, std::process::id());
        let socket = Socket::open(&directory, &name).explain("cannot open a control socket")?;
        let (socket, closed) = (Arc::new(socket), Arc::new(AtomicBool::new(false)));
        let thread = thread::Builder::new()
            .name("outwall-control".to_owned())
            .spawn({
                let (socket, closed) = (Arc::clone(&socket), Arc::clone(&closed));
                move || serve(&socket, &Arc::new(subject), &closed)
            })
            .explain("cannot start threads")?;
        Ok(Self {
            socket,
            closed,
            thread: Some(thread),
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        self.socket.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &Socket, subject: &Arc<Subject>, closed: &AtomicBool) {
    let heard = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = socket.accept();
        if closed.load(Ordering::Acquire) {
            return;
        }
        match accepted {
            Ok(Some(caller)) if heard.load(Ordering::Acquire) < CALLERS => {
                heard.fetch_add(1, Ordering::AcqRel);
                let (subject, heard) = (Arc::clone(subject), Arc::clone(&heard));
                thread::spawn(move || {
                    attend(&caller, &subject);
                    heard.fetch_sub(1, Ordering::AcqRel);
                });
            }
            Ok(_) => {} // hung up on
            Err(error) => {
                tracing::warn!(%error, "a caller could not be accepted");
                thread::sleep(std::time::Duration::from_millis(50));
            }
        }
    }
}

fn attend(caller: &Caller, subject: &Subject) {
    let answer = match caller.hear().map(|line| Request::parse(&line)) {
        Ok(Ok(request)) => subject.answer(&request, caller.uid()),
        Ok(Err(error)) => refused(&Failure::from(error)),
        Err(error) => return tracing::debug!(%error, "a caller said nothing"),
    };
    if let Err(error) = caller.answer(&answer) {
        tracing::debug!(%error, "a caller did not wait for the answer");
    }
}

impl Subject {
    fn answer(&self, request: &Request, uid: u32) -> Answer {
        match request {
            Request::Status => Answer::Status(Box::new(self.status())),
            Request::Metrics => Answer::Metrics {
                text: self.reloader.gate().metrics(),
            },
            Request::Allow(allow) => self.allow(allow, uid).unwrap_or_else(|failure| refused(&failure)),
            Request::Deny(deny) => self.deny(deny),
        }
    }

    fn status(&self) -> Status {
        let now = self.reloader.now();
        Status {
            pid: std::process::id(),
            role: self.role,
            sandboxes: vec![Standing {
                id: self.sandbox.id,
                environment: self.sandbox.environment.clone(),
            }],
            policy_file: now.policy.path(),
            sha256: now.sha256.clone(),
            since: seconds(now.since),
            refused: now.refused.as_ref().map(|refused| ChangeRefused {
                at: seconds(refused.at),
                error: refused.error.clone(),
            }),
            grants: now.grants.all().iter().map(told).collect(),
        }
    }

    fn allow(&self, allow: &Allow, uid: u32) -> Result<Answer, Failure> {
        let Some((environment, scope)) = self.scope(allow.environment.as_ref(), allow.sandbox) else {
            return Ok(Answer::NotMine);
        };
        let policy = self.reloader.now().policy.policy.clone();
        let notes = policy
            .foresee_grant(&environment, &allow.hosts, allow.although_none)
            .map_err(|error| match error {
                GrantError::NetworkNone(_) => {
                    Failure::from(error).hint("`--although-none` grants it all the same")
                }
                GrantError::HostPort(_) => Failure::from(error)
                    .hint("run with `--host-port PORT`, or write host_ports = [PORT] in the environment"),
                GrantError::Environment(_) | GrantError::Blocklisted { .. } => error.into(),
            })?;
        let given = Given {
            hosts: allow.hosts.clone(),
            scope,
            environment,
            by: format!("by user {uid} at {}", seconds(Timestamp::now())),
            ends: allow.span.map(Ends::after),
        };
        let grants = vec![told(&given)];
        self.reloader.grant(given)?;
        Ok(Answer::Done { grants, notes })
    }

    fn deny(&self, deny: &Deny) -> Answer {
        let Some((environment, _)) = self.scope(deny.environment.as_ref(), deny.sandbox) else {
            return Answer::NotMine;
        };
        let ended = self.reloader.revoke(&deny.hosts, &environment, deny.sandbox);
        Answer::Done {
            grants: ended.iter().map(told).collect(),
            notes: Vec::new(),
        }
    }

    /// Whom a request is about, if that is somebody of ours. Without an environment the policy's default one is meant.
    fn scope(
        &self,
        environment: Option<&EnvironmentName>,
        sandbox: Option<SandboxId>,
    ) -> Option<(EnvironmentName, GrantScope)> {
        let own = &self.sandbox;
        let now = self.reloader.now();
        let known = now
            .policy
            .policy
            .environment(environment.map(EnvironmentName::as_str));
        let asked = known.ok().map(|known| known.name().clone());
        match (self.role, sandbox) {
            (Role::Run, Some(id)) => {
                let fits = id == own.id && environment.is_none_or(|asked| *asked == own.environment);
                fits.then(|| to_sandbox(id, own.environment.clone()))
            }
            (Role::Run, None) => asked
                .filter(|asked| *asked == own.environment)
                .map(in_environment),
            (Role::Proxy | Role::Github, None) => asked.map(in_environment),
            (Role::Proxy | Role::Github, Some(id)) => asked.map(|asked| to_sandbox(id, asked)),
        }
    }
}

fn to_sandbox(id: SandboxId, name: EnvironmentName) -> (EnvironmentName, GrantScope) {
    (name.clone(), GrantScope::Sandbox(id, name))
}

fn in_environment(name: EnvironmentName) -> (EnvironmentName, GrantScope) {
    (name.clone(), GrantScope::Environment(name))
}

fn told(given: &Given) -> Grant {
    Grant {
        hosts: given.hosts.to_string(),
        environment: given.environment.clone(),
        sandbox: Grant::sandbox_of(&given.scope),
        by: given.by.clone(),
        until: given.ends.map(|ends| seconds(ends.at)),
    }
}

fn refused(failure: &Failure) -> Answer {
    let (error, hints) = failure.in_lines();
    Answer::Refused { error, hints }
}

/// RFC 3339 in UTC, to the second.
fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// All gates that run with this state directory, each with a connection for one question.
pub(crate) fn running(state: &StateDirectory) -> io::Result<Vec<outwall_control::Peer>> {
    Peers::of(&state.control()).connect()
}
