//! A connection at a front, from accept to close. [`Reception::receive`] is the way of one request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use outwall_audit::Asked;
use outwall_broker::scoped::{Presented, presented_at_github};
use outwall_policy::{ConnectionDecision, CredentialFault, Denial, Opening, Policy, Reason, Scheme, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::names::Names;
use super::stranger::{self, Reader};
use super::wire::{Arrival, Peer};
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::ResponseBody;
use crate::client_gate::ClientGate;
use crate::clientele::{Clientele, Unidentified};
use crate::exchange::{Exchanges, Footing, Grant};
use crate::gate::Shared;
use crate::http_connection::{Answers, serve_http1};
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::lanes::Seat;
use crate::limits::Limits;
use crate::listener::Host;
use crate::pass::Pass;
use crate::peers;
use crate::pulse::Pulse;
use crate::refusal::{Format, Refusal};
use crate::sandbox_gate::SandboxGate;
use crate::vigil::Vigil;

/// GitHub at listeners of our own.
pub(crate) struct FrontHost(pub(crate) Arc<Clientele>);

impl Host for FrontHost {
    type Accepted = Arrival;

    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.0.room
    }

    async fn drained(&self) {
        self.0.draining.given().await;
    }

    async fn serve(self: Arc<Self>, arrival: Arrival) {
        let Some(counted) = self.0.peers.arrive(arrival.peer.address(), Instant::now()) else {
            return; // too many of it say nothing
        };
        let reception = Arc::new(Reception::new(&self.0, &arrival, counted));
        // Whatever runs on the ground of a credential is over with it: pushes and downloads too.
        let served = tokio::select! {
            served = serve_http1(&reception, arrival.stream) => served.map(drop), // GitHub has no sockets
            fault = reception.over() => {
                tracing::debug!(%fault, "a connection was ended");
                Ok(())
            }
        };
        if let Err(error) = served {
            error.log();
        }
    }
}

/// One connection.
struct Reception {
    clientele: Arc<Clientele>,
    names: Names,
    peer: Peer,
    seat: Seat,
    pulse: Arc<Pulse>,
    counted: Mutex<peers::Arrival>,
    /// Who asked last. On http/1.1 nobody else is being answered.
    visitor: Mutex<Option<Visitor>>,
    /// On what ground.
    pass: watch::Sender<Option<Pass>>,
}

/// Who asks, and its exchanges on this connection.
struct Visitor {
    pass: Pass,
    gate: Arc<ClientGate>,
    exchanges: Option<Known>,
    _room: OwnedSemaphorePermit,
}

/// Exchanges with a target, as a policy granted it.
struct Known {
    target: Target,
    generation: u64,
    exchanges: Arc<Exchanges>,
}

/// Why a request is not answered by anybody's exchanges.
enum TurnedAway {
    /// It is not known whose it is.
    Stranger(Reason),
    /// Its sandbox is refused it, and it is written down.
    Refused(Denial),
}

impl From<Unidentified> for TurnedAway {
    fn from(unidentified: Unidentified) -> Self {
        Self::Stranger(unidentified.0)
    }
}

impl From<CredentialFault> for TurnedAway {
    fn from(fault: CredentialFault) -> Self {
        Self::Stranger(Reason::Credential(fault))
    }
}

impl Reception {
    fn new(clientele: &Arc<Clientele>, arrival: &Arrival, counted: peers::Arrival) -> Self {
        Self {
            clientele: Arc::clone(clientele),
            names: arrival.names,
            peer: arrival.peer,
            seat: arrival.seat,
            pulse: Arc::new(Pulse::new(true, &clientele.shared.limits)),
            counted: Mutex::new(counted),
            visitor: Mutex::default(),
            pass: watch::channel(None).0,
        }
    }

    /// Answers one request.
    ///
    /// 1. What it shows says who asks, whoever asked before on this connection.
    /// 2. What it asks for is a service of the GitHub that the session works at.
    /// 3. Policy decides on the connection to it, for that sandbox; the rest of the way is that of all requests.
    async fn receive(
        &self,
        mut request: Request<Arriving>,
        interims: &Interims,
    ) -> Result<Answer, TurnedAway> {
        let (gate, pass) = self.identify(request.headers())?;
        let gate = self.gate(gate);
        let at = gate
            .sandbox
            .repository
            .as_ref()
            .ok_or(CredentialFault::OtherDoor)?;
        let target = self
            .names
            .enter(&at.host, &mut request)
            .map_err(|reason| refuse(&gate, reason, None))?;
        let exchanges = self.exchanges(&gate, pass, &target).await?;
        Ok(exchanges.answer(request, interims).await)
    }

    fn identify(&self, headers: &HeaderMap) -> Result<(Arc<SandboxGate>, Pass), TurnedAway> {
        let values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        match presented_at_github(values) {
            Ok(Presented::Token(token)) => Ok(self.clientele.by_credential(&token)?),
            Ok(Presented::Nothing) => Err(CredentialFault::Missing.into()),
            Err(_unreadable) => Err(CredentialFault::NotOurs.into()),
        }
    }

    /// The gate of a sandbox as this connection has it.
    fn gate(&self, gate: Arc<SandboxGate>) -> Arc<ClientGate> {
        let visitor = self.visitor();
        let before = visitor.as_ref().filter(|visitor| visitor.gate.is_of(&gate));
        before.map_or_else(
            || ClientGate::new(gate, self.seat),
            |visitor| Arc::clone(&visitor.gate),
        )
    }

    /// The exchanges of a sandbox with a target. Another sandbox than before takes the place of that, and begins anew.
    async fn exchanges(
        &self,
        gate: &Arc<ClientGate>,
        pass: Pass,
        target: &Target,
    ) -> Result<Arc<Exchanges>, TurnedAway> {
        let generation = self.clientele.shared.policy.generation();
        if let Some(known) = self.known(gate, &pass, target, generation)? {
            return Ok(known);
        }
        let permit = match gate.decide(target, Opening::Unread).await {
            ConnectionDecision::Intercept(permit) => permit,
            ConnectionDecision::Deny(denial) => return Err(denied(gate, denial, Some(target))),
            ConnectionDecision::Tunnel(_)
            | ConnectionDecision::Stream(_)
            | ConnectionDecision::Forward(_) => {
                let target = target.clone();
                return Err(refuse(gate, Reason::Withdrawn { target }, None));
            }
        };
        gate.count_connection(target)
            .map_err(|denial| denied(gate, denial, Some(target)))?;
        let footing = Footing::new(self.seat.lane, pass);
        let grant = Grant::target(permit, Scheme::Https);
        let exchanges = Exchanges::new(gate, footing, grant, None, Arc::clone(&self.pulse));
        if let Some(visitor) = &mut *self.visitor() {
            visitor.exchanges = Some(Known {
                target: target.clone(),
                generation,
                exchanges: Arc::clone(&exchanges),
            });
        }
        Ok(exchanges)
    }

    /// Notes who asks, and finds the exchanges that it had before.
    fn known(
        &self,
        gate: &Arc<ClientGate>,
        pass: &Pass,
        target: &Target,
        generation: u64,
    ) -> Result<Option<Arc<Exchanges>>, TurnedAway> {
        let mut visitor = self.visitor();
        match &*visitor {
            Some(before) if before.is(gate, pass) => {
                let known = before.exchanges.as_ref();
                let known = known.filter(|known| known.target == *target && known.generation == generation);
                return Ok(known.map(|known| Arc::clone(&known.exchanges)));
            }
            _ => {}
        }
        *visitor = None; // its room first
        let Ok(room) = Arc::clone(&gate.room).try_acquire_owned() else {
            let limit = format!("{} connections at once", self.limits().connections);
            return Err(refuse(gate, Reason::LimitReached { limit }, Some(target)));
        };
        self.counted().said_who();
        self.pass.send_replace(Some(pass.clone()));
        *visitor = Some(Visitor {
            pass: pass.clone(),
            gate: Arc::clone(gate),
            exchanges: None,
            _room: room,
        });
        Ok(None)
    }

    /// Nobody is answered on this connection any more until somebody says who it is.
    fn forget(&self) {
        *self.visitor() = None;
        self.pass.send_replace(None);
    }

    /// What a stranger is told: who shows nothing is asked, which is how git begins; the rest is written down.
    fn turn_away(&self, reason: Reason, reader: Reader) -> Response<bytes::Bytes> {
        self.forget();
        if matches!(reason, Reason::Credential(CredentialFault::Missing)) {
            return stranger::answer(reader, &reason);
        }
        let reason = if Unidentified(reason.clone()).is_wrong() && !self.counted().was_wrong(Instant::now()) {
            Reason::Credential(CredentialFault::TooManyAttempts)
        } else {
            reason
        };
        let shared = &self.clientele.shared;
        shared.metrics.denial(reason.code());
        tracing::debug!(peer = %self.peer, %reason, "turned away");
        if let Err(error) = shared.audit.turned_away(self.peer, self.seat.connection, &reason) {
            tracing::error!(%error, "that somebody was turned away could not be recorded");
        }
        stranger::answer(reader, &reason)
    }

    /// Resolves when what the one showed is over that asked last.
    async fn over(&self) -> CredentialFault {
        let mut passes = self.pass.subscribe();
        loop {
            let pass = passes.borrow_and_update().clone();
            tokio::select! {
                changed = passes.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                fault = ended(pass.as_ref()) => return fault,
            }
        }
    }

    fn say(&self, response: Response<bytes::Bytes>) -> Answer {
        let running = self.pulse.run();
        Answer::Response(response.map(|text| ResponseBody::text(text, running)))
    }

    fn visitor(&self) -> MutexGuard<'_, Option<Visitor>> {
        self.visitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> MutexGuard<'_, peers::Arrival> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    fn is(&self, gate: &Arc<ClientGate>, pass: &Pass) -> bool {
        Arc::ptr_eq(&self.gate, gate) && self.pass.is(pass)
    }
}

fn refuse(gate: &ClientGate, reason: Reason, target: Option<&Target>) -> TurnedAway {
    denied(gate, gate.denial(reason), target)
}

fn denied(gate: &ClientGate, denial: Denial, target: Option<&Target>) -> TurnedAway {
    let asked = Asked {
        target,
        scheme: Some(Scheme::Https),
        ..Asked::default()
    };
    gate.denied(&denial, asked);
    TurnedAway::Refused(denial)
}

async fn ended(pass: Option<&Pass>) -> CredentialFault {
    match pass {
        Some(pass) => pass.ended().await,
        None => std::future::pending().await,
    }
}

impl Answers for Reception {
    fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn vigil(self: &Arc<Self>) -> Vigil {
        let reception = Arc::clone(self);
        let granted = move |policy: &Policy| {
            let visitor = reception.visitor();
            let known = visitor.as_ref().and_then(|visitor| visitor.exchanges.as_ref());
            let permit = known.and_then(|known| known.exchanges.permit());
            permit.is_none_or(|permit| policy.still_grants(permit))
        };
        let Clientele { shared, draining, .. } = &*self.clientele;
        Vigil::over(shared, draining, &self.pulse, Box::new(granted))
    }

    fn limits(&self) -> &Limits {
        &self.clientele.shared.limits
    }

    async fn answer(&self, request: Request<Arriving>, interims: &Interims) -> Answer {
        if is_probe(&request) {
            return self.say(health(&self.clientele));
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let reader = Reader::of(self.names, host, request.uri().path());
        let format = Format::accepted(request.headers());
        match self.receive(request, interims).await {
            Ok(answer) => answer,
            Err(TurnedAway::Stranger(reason)) => self.say(self.turn_away(reason, reader)),
            Err(TurnedAway::Refused(denial)) => self.say(Refusal::of_denial(&denial).response(format)),
        }
    }

    fn refusal_of_malformed_head(&self, status: u16) -> Vec<u8> {
        let what = crate::action::malformed_head(status).to_owned();
        let reason = Reason::MalformedRequest { what };
        Refusal::of_stranger(&reason)
            .with_status(status)
            .to_http1(Format::Text)
    }

    fn violated(&self, violation: &HttpError) {
        let what = format!("http/1.1: {violation}");
        let reason = Reason::MalformedRequest { what };
        if let Err(error) = self
            .clientele
            .shared
            .audit
            .turned_away(self.peer, self.seat.connection, &reason)
        {
            tracing::error!(%error, "that somebody was turned away could not be recorded");
        }
    }
}

/// What an orchestrator asks to learn whether it is served.
fn is_probe<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.uri().path() == "/healthz"
}

/// It says nothing about anybody.
fn health(clientele: &Clientele) -> Response<bytes::Bytes> {
    let (status, text) = clientele.health();
    stranger::plain(status, text)
}
