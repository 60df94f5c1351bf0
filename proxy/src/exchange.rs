//! One request of a connection whose requests are read: read the action, decide, record, send, stream back.
//!
//! [`Exchanges::relay`] is that sentence as a function.

mod telling;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use http::uri::Authority;
use outwall_audit::{GoingOut, TlsFacts};
use outwall_broker::scrub::Scrubber;
use outwall_policy::github::Undecided;
use outwall_policy::{
    Action, ConnectionDecision, ConnectionPermit, CredentialFault, Denial, Opening, Reason, RequestDecision,
    RequestPermit, Scheme,
};
use tower::Service as _;

use crate::action::{self, Expected};
use crate::allowance::{Bounds, LastAccount};
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::{Held, Upload};
use crate::brokering::{self, Examined, Outbound, Ready};
use crate::client::Client;
use crate::client_gate::ClientGate;
use crate::current::Snapshot;
use crate::error::Error;
use crate::excerpt::{Excerpt, Reply};
use crate::github;
use crate::hop_by_hop;
use crate::interim::Interims;
use crate::leaks::{self, Looked};
use crate::metrics::Measured;
use crate::origins::{OriginClient, Outgoing, Pool};
use crate::pass::Pass;
use crate::pulse::{Pulse, Running};
use crate::record::ExchangeRecord;
use crate::scrub::Scrubbing;
use crate::trace_context;
use telling::{Question, protocol};

pub(crate) use telling::Stopped;

/// The exchanges of one client connection.
pub(crate) struct Exchanges {
    gate: Arc<ClientGate>,
    client: OriginClient,
    pub(crate) pulse: Arc<Pulse>,
    grant: Grant,
    pass: Pass,
    tls: Option<ClientTlsFacts>,
    lane: usize,
    /// The pool used last: nearly always the next one's too.
    pool: Mutex<Option<Arc<Pool>>>,
    account: LastAccount,
}

/// Where a connection is served, and on what ground it is its sandbox's.
pub(crate) struct Footing {
    lane: usize,
    pass: Pass,
}

impl Footing {
    pub(crate) fn new(lane: usize, pass: Pass) -> Self {
        Self { lane, pass }
    }

    pub(crate) fn of(client: &Client) -> Self {
        Self {
            lane: client.lane,
            pass: client.pass.clone(),
        }
    }
}

/// On what ground the requests of a connection are taken.
pub(crate) enum Grant {
    /// The connection was decided on; all its requests are for its target.
    Target(ConnectionPermit, Expected),
    /// Requests in absolute form, each of which names its own target.
    EachItsOwn,
    /// The connection was refused, and its client is being told.
    Refused(Denial),
}

/// The permit of a request's target, and how the target may be spelled.
type Ground<'a> = (Cow<'a, ConnectionPermit>, Cow<'a, Expected>);

/// What is known of the client's TLS.
#[derive(Clone, Debug)]
pub(crate) struct ClientTlsFacts {
    pub(crate) version: &'static str,
    pub(crate) server_name: Option<String>,
}

/// What was decided on a request that is not denied.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request is one, and a box for each would cost an allocation"
)]
enum Decided {
    Allowed(RequestPermit, Request<Arriving>, Arc<Pool>),
    AtGithub(Box<Undecided<Request<Arriving>>>),
}

/// How a request goes to its origin.
pub(crate) struct Way {
    pub(crate) authority: Authority,
    pub(crate) pool: Arc<Pool>,
}

impl Grant {
    /// A connection that was decided on, whose requests have this scheme.
    pub(crate) fn target(permit: ConnectionPermit, scheme: Scheme) -> Self {
        let expected = Expected::new(scheme, permit.target().clone());
        Self::Target(permit, expected)
    }

    pub(crate) fn permit(&self) -> Option<&ConnectionPermit> {
        match self {
            Self::Target(permit, _) => Some(permit),
            Self::EachItsOwn | Self::Refused(_) => None,
        }
    }
}

impl Exchanges {
    pub(crate) fn new(
        gate: &Arc<ClientGate>,
        footing: Footing,
        grant: Grant,
        tls: Option<ClientTlsFacts>,
        pulse: Arc<Pulse>,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::clone(gate),
            client: OriginClient::new(Arc::clone(gate.origins(footing.lane))),
            pulse,
            grant,
            pass: footing.pass,
            tls,
            lane: footing.lane,
            pool: Mutex::default(),
            account: LastAccount::default(),
        })
    }

    pub(crate) fn gate(&self) -> &Arc<ClientGate> {
        &self.gate
    }

    pub(crate) fn permit(&self) -> Option<&ConnectionPermit> {
        self.grant.permit()
    }

    /// Answers one request, whatever happens.
    pub(crate) async fn answer(&self, request: Request<Arriving>, interims: &Interims) -> Answer {
        self.gate.shared.metrics.request(self.lane);
        interims.begin(&request);
        self.gate.know_asker().await;
        let running = self.pulse.run();
        let request = Excerpt::begin(&self.gate, request);
        let question = Question::of(&request);
        let answer = match self.relay(request, running, interims).await {
            Ok(answer) => answer,
            Err(stopped) => self.tell(&stopped, &question),
        };
        interims.answered();
        answer
    }

    /// Forwards one request: the main path.
    async fn relay(
        &self,
        request: Request<Arriving>,
        running: Running,
        interims: &Interims,
    ) -> Result<Answer, Stopped> {
        let room = self.gate.room_for_exchange()?;
        let (via, expected) = self.read_target(&request).await?;
        let authority = expected.authority_for(action::spelled_host(&request)).clone();
        let action = action::read(request, &expected).map_err(|reason| self.gate.denial(reason))?;
        let held = Held {
            running,
            _room: room,
            interims: interims.clone(),
        };
        match self.decide(&via, action)? {
            Decided::Allowed(permit, request, pool) => {
                let examined = brokering::examine(&self.gate, &permit, request).await?;
                self.forward(permit, examined, Way { authority, pool }, held)
                    .await
            }
            Decided::AtGithub(undecided) => Box::pin(github::relay(self, *undecided, authority, held)).await,
        }
    }

    /// Forwards what is permitted, and has its secret at hand: the end of the main path.
    pub(crate) async fn forward(
        &self,
        permit: RequestPermit,
        examined: Examined,
        way: Way,
        held: Held,
    ) -> Result<Answer, Stopped> {
        let Examined { request, ready } = examined;
        let bounds = Bounds::of_request(&self.gate, &self.account, &permit, &request)?;
        let looked = leaks::look(&self.gate, &permit, request).await?;
        let scrubbing = self.scrubbing(&permit, ready.as_ref().and_then(Ready::scrubber));
        self.send(permit, (looked, ready, scrubbing), bounds, way, held)
            .await
    }

    /// The same for what the gate itself asks, by a URL that an origin gave it: nothing of a sandbox's is in its head.
    pub(crate) async fn forward_unlooked(
        &self,
        permit: RequestPermit,
        (request, scrubber): (Request<Arriving>, Option<Arc<Scrubber>>),
        way: Way,
        held: Held,
    ) -> Result<Answer, Stopped> {
        let bounds = Bounds::of_request(&self.gate, &self.account, &permit, &request)?;
        let scrubbing = self.scrubbing(&permit, scrubber.as_ref());
        self.send(
            permit,
            (Looked::unwatched(request), None, scrubbing),
            bounds,
            way,
            held,
        )
        .await
    }

    async fn send(
        &self,
        permit: RequestPermit,
        (looked, ready, scrubbing): (Looked, Option<Ready>, Option<Arc<Scrubbing>>),
        bounds: Option<Arc<Bounds>>,
        way: Way,
        held: Held,
    ) -> Result<Answer, Stopped> {
        let (request, record) =
            self.record(&permit, (looked, ready), &way.authority, bounds, &held.interims)?;
        let outgoing = Outgoing {
            permit,
            record,
            request,
            authority: way.authority,
            pool: way.pool,
            held,
            scrubbing,
        };
        Ok(self.client.clone().call(outgoing).await?)
    }

    /// The search of what comes back, for what is put into the request.
    fn scrubbing(&self, permit: &RequestPermit, scrubber: Option<&Arc<Scrubber>>) -> Option<Arc<Scrubbing>> {
        scrubber.map(|scrubber| Scrubbing::new(&self.gate, permit, Arc::clone(scrubber)))
    }

    /// Whose target the request is for: the connection's, or the one that it names itself.
    async fn read_target(&self, request: &Request<Arriving>) -> Result<Ground<'_>, Denial> {
        match &self.grant {
            Grant::Target(permit, expected) => {
                self.still_is_whom(self.pass.check())?;
                Ok((Cow::Borrowed(permit), Cow::Borrowed(expected)))
            }
            Grant::EachItsOwn => {
                self.still_is_whom(self.pass.check_request(request.headers()))?;
                self.read_own_target(request).await
            }
            Grant::Refused(denial) => Err(denial.clone()),
        }
    }

    fn still_is_whom(&self, checked: Result<(), CredentialFault>) -> Result<(), Denial> {
        checked.map_err(|fault| self.gate.denial(Reason::Credential(fault)))
    }

    async fn read_own_target(&self, request: &Request<Arriving>) -> Result<Ground<'_>, Denial> {
        let target = action::absolute_target(request.uri()).map_err(|reason| self.gate.denial(reason))?;
        match self.gate.decide(&target, Opening::Http).await {
            ConnectionDecision::Forward(permit) => Ok((
                Cow::Owned(permit),
                Cow::Owned(Expected::new(Scheme::Http, target)),
            )),
            ConnectionDecision::Deny(denial) => Err(denial),
            ConnectionDecision::Tunnel(_)
            | ConnectionDecision::Stream(_)
            | ConnectionDecision::Intercept(_) => {
                Err(self.gate.denial(Reason::PlainConnectionNotAllowed { target }))
            }
        }
    }

    /// The policy in force decides, and chooses the pool.
    fn decide(&self, via: &ConnectionPermit, action: Action<Request<Arriving>>) -> Result<Decided, Denial> {
        let snapshot = self.gate.shared.policy.load();
        match snapshot.policy.decide_request(via, action) {
            RequestDecision::Deny(denial, _request) => Err(denial),
            RequestDecision::Allow(permitted) => {
                let (permit, request) = permitted.into_parts();
                let pool = self.pool(&permit, &snapshot);
                Ok(Decided::Allowed(permit, request, pool))
            }
            RequestDecision::Understand(undecided) => Ok(Decided::AtGithub(Box::new(undecided))),
        }
    }

    /// Writes down that the request goes out, leaves behind what concerned the connection it came by, and puts in what no sandbox
    /// has.
    fn record(
        &self,
        permit: &RequestPermit,
        (looked, ready): (Looked, Option<Ready>),
        authority: &Authority,
        bounds: Option<Arc<Bounds>>,
        interims: &Interims,
    ) -> Result<(Request<Upload>, ExchangeRecord), Stopped> {
        let Looked {
            request,
            watch,
            hidden,
        } = looked;
        let protocol = protocol(&request);
        let trace = trace_context::read(request.headers());
        let (mut parts, body) = request.into_parts();
        let excerpt = parts.extensions.remove::<Arc<Excerpt>>();
        let asked = parts.uri.clone(); // without what no sandbox has
        let credential = ready.as_ref().map(|ready| ready.credential().name().clone());
        hop_by_hop::strip_request(&mut parts.headers);
        let body = match ready {
            Some(ready) => ready.inject(&mut parts, authority, body).map_err(Error::from)?,
            None => Outbound::AsItCame(body),
        };
        let mut what = GoingOut::exchange(permit)
            .query(asked.query())
            .hidden(hidden.parts())
            .credential(credential.as_ref())
            .protocol(protocol)
            .trace(trace)
            .request(excerpt.as_deref().map(Excerpt::going_out));
        if let Some(tls) = &self.tls {
            what = what.tls(tls.as_audited());
        }
        let recorded = self.gate.record(what)?;
        let measured = Measured::begin(&self.gate.shared.metrics, self.lane, permit.connection().rule());
        let told = self.tells_trace(permit).then(|| recorded.event_id());
        trace_context::tell(&mut parts.headers, trace, told);
        let (upload, sent) = Upload::new(body, bounds.clone(), interims.hold_back());
        Ok((
            Request::from_parts(parts, upload),
            ExchangeRecord::new((recorded, measured), sent, bounds, watch, excerpt.map(Reply::to)),
        ))
    }

    /// Whether the environment has the origin know which trace a request belongs to.
    fn tells_trace(&self, permit: &RequestPermit) -> bool {
        let policy = &self.gate.shared.policy.load().policy;
        let environment = policy.environment(Some(self.gate.sandbox.environment.as_str()));
        environment.is_ok_and(|environment| environment.passes_trace_context(permit.connection().target()))
    }

    /// The way to where a permit leads that is not the connection's own.
    pub(crate) fn way_elsewhere(&self, permit: &RequestPermit, authority: Authority) -> Way {
        let snapshot = self.gate.shared.policy.load();
        let pool = self.client.origins().pool(permit, &snapshot);
        Way { authority, pool }
    }

    pub(crate) fn pool(&self, permit: &RequestPermit, snapshot: &Snapshot) -> Arc<Pool> {
        let origins = self.client.origins();
        if let Grant::EachItsOwn = self.grant {
            return origins.pool(permit, snapshot);
        }
        let mut last = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(pool) if pool.generation == snapshot.generation => Arc::clone(pool),
            _ => {
                let pool = origins.pool(permit, snapshot);
                *last = Some(Arc::clone(&pool));
                pool
            }
        }
    }

    fn scheme(&self) -> Option<Scheme> {
        match &self.grant {
            Grant::Target(_, expected) => Some(expected.scheme),
            Grant::EachItsOwn => Some(Scheme::Http),
            Grant::Refused(_) => None,
        }
    }
}

impl ClientTlsFacts {
    fn as_audited(&self) -> TlsFacts<'_> {
        TlsFacts {
            version: Some(self.version),
            sni: self.server_name.as_deref(),
        }
    }
}
