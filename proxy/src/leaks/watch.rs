//! The watch over one request: what was found in it, and what follows from that.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{HeaderMap, Request};
use outwall_audit::Asked;
use outwall_policy::brokered::BrokerRefusal;
use outwall_policy::credential::{Check, CredentialShape, LeakAction};
use outwall_policy::{Denial, Reason, RequestPermit};

use super::compiled::CompiledScan;
use super::head::{Hidden, leaks_of_trailers};
use super::place::Place;
use crate::client_gate::ClientGate;
use crate::dlp::{Shapes, Unreadable};

/// The watch over one request.
pub(crate) struct Watch {
    gate: Arc<ClientGate>,
    permit: RequestPermit,
    scan: Arc<CompiledScan>,
    query: Option<String>,
    hidden: Hidden,
    /// Shapes that were found in it: one finding for each is enough.
    seen: Mutex<Vec<usize>>,
    /// Why it was cut, if it was.
    cut: OnceLock<Denial>,
}

impl Watch {
    pub(super) fn new<B>(
        gate: &Arc<ClientGate>,
        permit: &RequestPermit,
        scan: Arc<CompiledScan>,
        request: &Request<B>,
        hidden: Hidden,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::clone(gate),
            permit: permit.clone(),
            scan,
            query: request.uri().query().map(str::to_owned),
            hidden,
            seen: Mutex::default(),
            cut: OnceLock::new(),
        })
    }

    pub(super) fn action(&self) -> LeakAction {
        self.scan.action()
    }

    pub(super) fn shapes(&self) -> &Arc<Shapes> {
        &self.scan.shapes
    }

    /// Why it was cut, if it was.
    pub(crate) fn cut(&self) -> Option<&Denial> {
        self.cut.get()
    }

    /// What follows from a credential at a place: nothing where it is at home, else a finding, and a denial where it is kept.
    pub(super) fn found(&self, shape: usize, place: &Place) -> Result<(), Denial> {
        let found = self.scan.shapes.shape(shape);
        let target = self.permit.target();
        // Whoever accepts a JWT is seldom who issued it.
        let presented = found.check() == Check::Jwt && place.presents_credentials();
        if presented || self.scan.excepts(found, target, place.part()) {
            return Ok(());
        }
        if found.check() == Check::Placeholder {
            return Err(self.placeholder_elsewhere(found));
        }
        if self.is_first(shape) {
            self.report(found.name(), place);
        }
        self.keep(|| Reason::CredentialLeaving {
            target: target.clone(),
            shape: found.name().to_owned(),
            place: place.to_string(),
        })
    }

    /// A placeholder of ours is never sent to a host that its credential is not for.
    fn placeholder_elsewhere(&self, found: &CredentialShape) -> Denial {
        let refusal = BrokerRefusal::Elsewhere {
            target: self.permit.target().clone(),
            credential: found.name().parse().expect("it is named after a credential"),
        };
        self.gate
            .found_in(refusal.code(), &refusal.to_string(), self.asked());
        self.gate.denial(refusal.into())
    }

    pub(super) fn found_in_trailers(&self, trailers: &HeaderMap) -> Result<(), Denial> {
        leaks_of_trailers(&self.scan, trailers)
            .iter()
            .try_for_each(|leak| self.found(leak.shape, &leak.place))
    }

    /// What follows from a body that cannot be looked into.
    pub(super) fn unreadable(&self, why: &Unreadable) -> Result<(), Denial> {
        let target = self.permit.target();
        if self
            .gate
            .leaks
            .repeats
            .count("", target, &Place::Body(0))
            .is_some()
        {
            let message = format!("the body for {target} could not be searched for credentials: {why}");
            self.gate.found_in("unreadable-coding", &message, self.asked());
        }
        self.keep(|| Reason::UnreadableCoding {
            target: target.clone(),
            what: why.to_string(),
        })
    }

    /// Says that what runs is cut, once, and writes it down.
    pub(super) fn cut_with(&self, denial: Denial) -> Denial {
        if self.cut.set(denial.clone()).is_ok() {
            self.gate.denied(&denial, self.asked());
        }
        denial
    }

    fn keep(&self, reason: impl FnOnce() -> Reason) -> Result<(), Denial> {
        match self.action() {
            LeakAction::Block => Err(self.gate.denial(reason())),
            LeakAction::Report | LeakAction::Off => Ok(()),
        }
    }

    fn is_first(&self, shape: usize) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !seen.contains(&shape);
        if first {
            seen.push(shape);
        }
        first
    }

    fn report(&self, shape: &str, place: &Place) {
        let target = self.permit.target();
        let Some(times) = self.gate.leaks.repeats.count(shape, target, place) else {
            return;
        };
        let done = match self.action() {
            LeakAction::Block => "was kept from",
            LeakAction::Report | LeakAction::Off => "was sent to",
        };
        let again = if times == 1 {
            String::new()
        } else {
            format!(", for the {times}th time")
        };
        let message = format!(
            "what looks like a credential ({shape}) {done} {}, which did not issue it: {place}{again}",
            target.host
        );
        self.gate.found_in("credential-leaving", &message, self.asked());
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            target: Some(self.permit.target()),
            scheme: Some(self.permit.scheme()),
            method: Some(self.permit.method()),
            path: Some(self.permit.path()),
            query: self.query.as_deref(),
            hidden: self.hidden.parts(),
            ..Asked::default()
        }
    }
}
