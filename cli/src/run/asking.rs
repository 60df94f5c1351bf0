//! `outwall run --ask`: asks the person at the terminal once about each new host, one question after the other.
//!
//! A yes is a grant to this sandbox for this run; the policy in force then decides. Everything else is a no: silence, an
//! unattended run, a flood of hosts that would bury the person. It knows the terminal only as somebody who can be asked.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use outwall_audit::AuditLog;
use outwall_policy::{ConnectionDecision, DomainName, GrantScope, HostPattern, Opening, Sandbox, Target};
use outwall_proxy::Questions;
use outwall_sandbox_runtime::{Interludes, Question, Reply};
use tokio::sync::watch;

use crate::failure::{Explain, Failure};
use crate::grants::Given;
use crate::reload::Reloader;
use crate::terminal::printable;

/// Whoever asks for the gate.
pub(super) struct Asking {
    shared: Arc<Shared>,
    queue: Mutex<Sender<Pending>>,
}

struct Shared {
    sandbox: Sandbox,
    audit: AuditLog,
    reloader: OnceLock<Arc<Reloader>>,
    /// Set once it is known: none where nobody is at a terminal.
    person: OnceLock<Option<Interludes>>,
    known: Mutex<Known>,
}

/// Each host that was asked about: answered when the channel says so.
#[derive(Default)]
struct Known {
    hosts: HashMap<HostPattern, watch::Receiver<bool>>,
    waiting: usize,
    told_unattended: bool,
    told_flood: bool,
}

/// A question that waits for its turn.
struct Pending {
    hosts: HostPattern,
    target: Target,
    answered: watch::Sender<bool>,
}

/// How long a question waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Questions that wait at once. More new hosts than that in one moment are no work of a person's.
const WAITING: usize = 8;
/// Questions of a run.
const MOST: usize = 64;

impl Asking {
    pub(super) fn start(sandbox: Sandbox, audit: AuditLog) -> Result<Arc<Self>, Failure> {
        let shared = Arc::new(Shared {
            sandbox,
            audit,
            reloader: OnceLock::new(),
            person: OnceLock::new(),
            known: Mutex::default(),
        });
        let (queue, pending) = channel();
        thread::Builder::new()
            .name("outwall-ask".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work_through(&pending)
            })
            .explain("cannot start threads")?;
        Ok(Arc::new(Self {
            shared,
            queue: Mutex::new(queue),
        }))
    }

    /// From here on a yes can take effect.
    pub(super) fn grant_through(&self, reloader: &Arc<Reloader>) {
        let _ = self.shared.reloader.set(Arc::clone(reloader));
    }

    /// From here on there is somebody to ask, or it is known that there is not.
    pub(super) fn ask_at(&self, person: Option<Interludes>) {
        let _ = self.shared.person.set(person);
    }

    /// Whether the question is new, and what resolves with its answer; `None`: there will be none.
    fn queue(&self, target: &Target) -> Option<watch::Receiver<bool>> {
        let shared = &self.shared;
        let hosts = hosts_of(target);
        let mut known = shared.known();
        if let Some(asked) = known.hosts.get(&hosts) {
            return Some(asked.clone());
        }
        if shared.person().is_none() {
            shared.unattended(&mut known, target);
            return None;
        }
        if known.waiting >= WAITING || known.hosts.len() >= MOST {
            shared.flooded(&mut known);
            return None;
        }
        if let Err(error) = shared.audit.question_asked(&shared.sandbox, target) {
            tracing::error!(%error, "a question could not be recorded, so it is not asked");
            return None;
        }
        let (answered, answer) = watch::channel(false);
        let pending = Pending {
            hosts: hosts.clone(),
            target: target.clone(),
            answered,
        };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.send(pending).ok()?;
        known.waiting += 1;
        known.hosts.insert(hosts, answer.clone());
        Some(answer)
    }
}

impl Questions for Asking {
    fn ask(&self, _sandbox: &Sandbox, target: &Target) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let answer = self.queue(target);
        Box::pin(async move {
            if let Some(mut answer) = answer {
                let _ = answer.wait_for(|answered| *answered).await;
            }
        })
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn person(&self) -> Option<&Interludes> {
        self.person.get()?.as_ref()
    }

    /// Until the run is over.
    fn work_through(&self, pending: &Receiver<Pending>) {
        while let Ok(Pending {
            hosts,
            target,
            answered,
        }) = pending.recv()
        {
            let reply = self.put(&hosts, &target);
            let granted = reply == Reply::Yes && self.grant(hosts);
            let word = match reply {
                Reply::Yes if granted => "yes",
                Reply::Yes => "yes, and it could not be granted",
                Reply::No => "no",
                Reply::Silence => "nobody answered",
                Reply::Moot => "allowed elsewhere",
                Reply::Gone => "nobody is there",
            };
            if let Err(error) = self.audit.question_answered(&self.sandbox, &target, word) {
                tracing::error!(%error, "an answer could not be recorded");
            }
            self.known().waiting -= 1;
            answered.send_replace(true);
        }
    }

    fn put(&self, hosts: &HostPattern, target: &Target) -> Reply {
        let (Some(person), Some(reloader)) = (self.person(), self.reloader.get()) else {
            return Reply::Gone;
        };
        let (reloader, sandbox, asked) = (Arc::clone(reloader), self.sandbox.clone(), target.clone());
        person.ask(Question {
            lines: lines(&self.sandbox, hosts, target),
            patience: PATIENCE,
            moot: Box::new(move || is_allowed(&reloader, &sandbox, &asked)),
        })
    }

    /// False when it could not be granted, which was said.
    fn grant(&self, hosts: HostPattern) -> bool {
        let given = Given {
            hosts,
            scope: GrantScope::Sandbox(self.sandbox.id, self.sandbox.environment.clone()),
            environment: self.sandbox.environment.clone(),
            by: BY.to_owned(),
            ends: None,
        };
        let granted = self.reloader.get().map(|reloader| reloader.grant(given));
        if let Some(Err(failure)) = &granted
            && let Some(person) = self.person()
        {
            person.say(&format!("outwall: {}", failure.in_lines().0));
        }
        matches!(granted, Some(Ok(())))
    }

    fn unattended(&self, known: &mut Known, target: &Target) {
        if std::mem::replace(&mut known.told_unattended, true) {
            return;
        }
        let _ = self.audit.question_answered(&self.sandbox, target, "unattended");
        self.tell(&format!(
            "outwall: --ask has no terminal to ask at: {} is refused, and so is every host that is not allowed\n",
            printable(&target.to_string())
        ));
    }

    fn flooded(&self, known: &mut Known) {
        if std::mem::replace(&mut known.told_flood, true) {
            return;
        }
        let said = format!(
            "more new hosts than a person can be asked about ({WAITING} at once, {MOST} in a run): further ones are refused unasked"
        );
        let _ = self
            .audit
            .finding(Some(&self.sandbox), "too-many-questions", &said);
        self.tell(&format!(
            "outwall: {said}; `outwall policy allow HOST` allows one\n"
        ));
    }

    fn tell(&self, text: &str) {
        if let Some(reloader) = self.reloader.get() {
            reloader.say(text);
        }
    }
}

/// By whom such a grant is.
pub(super) const BY: &str = "by whoever was asked at the terminal";

/// Whether policy allows it by now.
fn is_allowed(reloader: &Reloader, sandbox: &Sandbox, target: &Target) -> bool {
    let policy = reloader.now().policy_with_grants();
    !matches!(
        policy.decide_connection(sandbox, target, Opening::Unread),
        ConnectionDecision::Deny(_)
    )
}

/// What a yes would grant: the host at the web's ports, or at the port that was asked for.
fn hosts_of(target: &Target) -> HostPattern {
    let text = match target.port {
        80 | 443 => target.host.to_string(),
        _ => target.to_string(),
    };
    HostPattern::parse(&text).expect("a target is a pattern of itself")
}

/// Plain ASCII but for the second spelling of an international name. The end of a long name is what says whose it is.
fn lines(sandbox: &Sandbox, hosts: &HostPattern, target: &Target) -> Vec<String> {
    let mut lines = vec![
        format!(
            "outwall: may sandbox {} (environment {}) reach this host?",
            sandbox.id, sandbox.environment
        ),
        format!("    {}", shortened(&hosts.to_string())),
    ];
    let international = target.host.name().and_then(DomainName::to_unicode);
    lines.extend(
        international.map(|name| format!("    (reads \"{}\" in Unicode)", shortened(&printable(&name)))),
    );
    lines.push("  y: yes, for this run   n: no   then Enter; no answer in 30 s is no".to_owned());
    lines
}

/// At most 64 characters: the first few, and the end.
fn shortened(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= 64 {
        return text.to_owned();
    }
    let (begin, end) = (&characters[..12], &characters[characters.len() - 48..]);
    format!(
        "{}...{}",
        begin.iter().collect::<String>(),
        end.iter().collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use outwall_policy::SandboxId;

    use super::*;

    fn asked(target: &str) -> Vec<String> {
        let target = Target::parse(target).unwrap();
        let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), "web".parse().unwrap());
        lines(&sandbox, &hosts_of(&target), &target)
    }

    #[test]
    fn a_question_names_the_host_and_a_port_that_is_not_the_webs() {
        let lines = asked("api.example.com:443");
        assert_eq!(
            lines[0],
            "outwall: may sandbox s-01010101 (environment web) reach this host?"
        );
        assert_eq!(lines[1], "    api.example.com");
        assert_eq!(asked("api.example.com:8443")[1], "    api.example.com:8443");
        assert_eq!(asked("[::1]:22")[1], "    [::1]:22");
    }

    #[test]
    fn an_international_name_is_shown_in_both_spellings_and_nothing_steers_the_terminal() {
        let lines = asked("xn--pple-43d.com:443");
        assert_eq!(lines[1], "    xn--pple-43d.com");
        assert!(lines[2].contains("\u{430}pple.com"), "{lines:?}");
        for line in asked("xn--pple-43d.com:443") {
            assert!(!line.chars().any(char::is_control));
        }
    }

    #[test]
    fn the_end_of_a_long_name_is_always_seen() {
        let long = format!(
            "{}.{}.evil.example.com:8443",
            "bank.example.org".repeat(3),
            "a".repeat(60)
        );
        let line = &asked(&long)[1];
        assert!(
            line.ends_with(".evil.example.com:8443") && line.len() < 80,
            "{line}"
        );
    }
}
