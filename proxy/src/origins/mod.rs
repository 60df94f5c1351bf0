//! The client to the origins: sends permitted, recorded requests over pooled connections. Start at [`OriginClient`].
//!
//! A pool belongs to one sandbox, and within it to one scheme, target, client certificate and generation of the policy. So no
//! connection is ever shared between sandboxes, and none outlives the policy that admitted its address.
//!
//! A parent proxy is part of a policy, so connections through it are never shared with others either.
//!
//! What this module refuses to know: whether a request may be sent. It takes proofs, and nothing else opens its doors.

mod exclusive;
mod opening;
mod pool;
mod shape;
mod shared;
mod tls;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Authority;
use http::{Request, Response, Version};
use outwall_policy::{ClientCertificate, RequestPermit, Scheme, Target};
use rustls::AlertDescription;
use tokio::runtime::Handle;
use tower::Service;

pub(crate) use exclusive::Exclusive;
use opening::Asked;
pub(crate) use pool::Pool;
use shape::{shape_for_h2, shape_for_http1, shape_for_parent};
pub(crate) use shared::{Share, Shared};
pub(crate) use tls::{Offer, SandboxTls};

use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::{Held, Relayed, ResponseBody, Upload};
use crate::current::Snapshot;
use crate::dialer::{Dialer, Load};
use crate::error::Error;
use crate::hop_by_hop;
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::origin_stream::OriginStream;
use crate::record::ExchangeRecord;
use crate::scrub::Scrubbing;
use crate::websocket::{self, Handshake, NoSocket, Socket};

/// The pools of one sandbox.
pub(crate) struct Origins {
    pools: Mutex<HashMap<Key, Arc<Pool>>>,
    dialer: Dialer,
    /// Shared by all lanes.
    tls: Arc<SandboxTls>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    scheme: Scheme,
    target: Target,
    /// The number of the certificate that is shown.
    client_certificate: Option<usize>,
    generation: u64,
}

/// A request that may be sent and has its record: the only thing that [`OriginClient`] takes.
pub(crate) struct Outgoing {
    pub(crate) permit: RequestPermit,
    pub(crate) record: ExchangeRecord,
    /// In the shape of http/1.1: hop-by-hop fields gone, `Host` set, the target in origin form.
    pub(crate) request: Request<Upload>,
    /// `host` or `host:port` as the origin is to read it, equal to `Host`.
    pub(crate) authority: Authority,
    pub(crate) pool: Arc<Pool>,
    pub(crate) held: Held,
    /// What comes back is searched by; none where nothing was put into the request.
    pub(crate) scrubbing: Option<Arc<Scrubbing>>,
}

/// A connection to an origin, for one exchange.
enum Lease {
    /// http/1.1: ours alone until given back.
    Exclusive(Exclusive),
    /// h2: ours among others.
    Shared(Arc<Shared>),
}

/// What carries an exchange that was answered.
pub(crate) enum Carrier {
    /// A connection of http/1.1, which moves only when it is polled.
    Exclusive(Exclusive),
    /// A stream of an h2 connection.
    Shared(Share),
}

/// The origin client as a service.
#[derive(Clone)]
pub(crate) struct OriginClient {
    origins: Arc<Origins>,
}

impl OriginClient {
    pub(crate) fn new(origins: Arc<Origins>) -> Self {
        Self { origins }
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }
}

impl Service<Outgoing> for OriginClient {
    type Response = Answer;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let origins = Arc::clone(&self.origins);
        Box::pin(async move { origins.send(outgoing).await })
    }
}

impl Origins {
    pub(crate) fn new(
        dialer: Dialer,
        tls: Arc<SandboxTls>,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pools: Mutex::default(),
            dialer,
            tls,
            limits,
            metrics,
        })
    }

    /// Has what is old dropped from time to time, on the thread that uses it.
    pub(crate) fn sweep_on(self: &Arc<Self>, lane: &Handle) {
        lane.spawn(sweep(Arc::downgrade(self)));
    }

    /// The pool for what a request may be sent over, under one policy.
    pub(crate) fn pool(&self, permit: &RequestPermit, snapshot: &Snapshot) -> Arc<Pool> {
        let shown = permit.client_certificate();
        let key = Key {
            scheme: permit.scheme(),
            target: permit.target().clone(),
            client_certificate: shown.map(ClientCertificate::number),
            generation: snapshot.generation,
        };
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let tls = self.tls.under(snapshot, shown);
            Pool::new(snapshot.generation, tls, &self.limits, Arc::clone(&self.metrics))
        };
        Arc::clone(pools.entry(key).or_insert_with(made))
    }

    /// A connection of its own, outside of all pools: dials and, for https, shakes hands; in bounded time.
    pub(crate) async fn connect(
        &self,
        permit: &RequestPermit,
        record: &ExchangeRecord,
        pool: &Pool,
        offer: Offer,
    ) -> Result<OriginStream, Error> {
        let connection = permit.connection();
        let load = match (permit.scheme(), offer) {
            (Scheme::Http, Offer::Any) => Load::Requests,
            (Scheme::Http, Offer::Http1) | (Scheme::Https, _) => Load::Bytes,
        };
        let connecting = async {
            let stream = self.dialer.connect(connection, record.recorded(), load).await?;
            let tls = pool.tls();
            let wrapped = tls.wrap(permit.scheme(), connection.target(), stream, offer);
            wrapped
                .await
                .map_err(|error| error.about(permit.client_certificate()))
        };
        tokio::time::timeout(self.limits.connect, connecting)
            .await
            .unwrap_or(Err(Error::ConnectTimeout))
    }

    /// Sends, once more on a fresh connection when an old one turned out to be closed, and shapes the answer for the client.
    async fn send(&self, outgoing: Outgoing) -> Result<Answer, Error> {
        let Outgoing {
            permit,
            mut record,
            request,
            authority,
            pool,
            held,
            scrubbing,
        } = outgoing;
        if let Some(scrubbing) = &scrubbing {
            held.interims.scrub_by(scrubbing);
        }
        let handshake = request.extensions().get::<Handshake>().cloned();
        let sending = Sending {
            origins: self,
            permit: &permit,
            record: &record,
            pool: &pool,
            interims: &held.interims,
            authority,
        };
        let sent = match &handshake {
            Some(handshake) => sending.ask(handshake, request).await,
            None => sending.send(request).await.map(Asked::answered),
        };
        let answered = sent
            .and_then(Asked::of_origin)
            .and_then(|asked| asked.fits(handshake.as_ref()))
            .and_then(|asked| asked.within(record.bounds().map(AsRef::as_ref)))
            .and_then(|asked| asked.scrubbed(scrubbing.as_ref()));
        held.interims.settle();
        match (answered, handshake) {
            (Err(error), _) => {
                let error = record.explained(error);
                record.came_back(0, Some(&error));
                Err(error)
            }
            (Ok((Asked::Opened(head, origin), _no_body)), Some(handshake)) => {
                let (mut parts, ()) = head.into_parts();
                record.answered(parts.status);
                hop_by_hop::strip_response(&mut parts.headers);
                parts.version = Version::HTTP_11;
                parts.status = websocket::tell(&handshake, &mut parts.headers);
                record.shown(parts.status, &parts.headers);
                let socket = Socket {
                    origin,
                    permit,
                    record,
                    held,
                    scrubbing,
                };
                Ok(Answer::Socket(Response::from_parts(parts, ()), Box::new(socket)))
            }
            (Ok((Asked::Opened(..), _no_body)), None) => Err(Error::NoSocket(NoSocket::Unasked)),
            (Ok((Asked::Answered(response, carrier), scrub)), _) => {
                record.answered(response.status());
                let (mut parts, body) = response.into_parts();
                hop_by_hop::strip_response(&mut parts.headers);
                parts.version = Version::HTTP_11;
                record.shown(parts.status, &parts.headers);
                let relayed = Relayed::new(body, carrier, record, held).scrubbed_by(scrub);
                let relayed = relayed.ended_if_empty().await;
                let body = ResponseBody::Relayed(relayed);
                Ok(Answer::Response(Response::from_parts(parts, body)))
            }
        }
    }

    /// Drops what is old. Pools of an earlier policy find no new users and empty themselves.
    fn sweep(&self) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|_, pool| {
            let connections = pool.sweep();
            connections > 0 || Arc::strong_count(pool) > 1
        });
    }
}

/// Sweeps as long as there is something to sweep for.
async fn sweep(origins: Weak<Origins>) {
    loop {
        let pause = origins.upgrade().map(|origins| origins.limits.pool_idle / 4);
        let Some(pause) = pause else { return };
        tokio::time::sleep(pause.max(Duration::from_millis(10))).await;
        if let Some(origins) = origins.upgrade() {
            origins.sweep();
        }
    }
}

/// One sending of one request, with the proofs that it needs.
struct Sending<'a> {
    origins: &'a Origins,
    permit: &'a RequestPermit,
    record: &'a ExchangeRecord,
    pool: &'a Arc<Pool>,
    interims: &'a Interims,
    authority: Authority,
}

/// Why a request did not get its response.
struct Unanswered {
    error: HttpError,
    /// The request, when no byte of it was written.
    unsent: Option<Request<Upload>>,
    /// The alert that TLS ended with.
    alert: Option<AlertDescription>,
}

impl Unanswered {
    /// No byte of it was written.
    fn before(error: impl Into<HttpError>, request: Request<Upload>) -> Self {
        Self {
            error: error.into(),
            unsent: Some(request),
            alert: None,
        }
    }
}

impl Sending<'_> {
    async fn send(self, request: Request<Upload>) -> Result<(Response<Arriving>, Carrier), Error> {
        let Some(lease) = self.pool.take() else {
            return self.send_fresh(request).await;
        };
        let spare = spare(&request);
        match self.send_over(lease, request).await {
            Ok(answered) => Ok(answered),
            // The origin closed a connection that had been idle: nobody's fault, and nothing was answered.
            Err(Unanswered {
                unsent: Some(request),
                ..
            }) => self.send_fresh(request).await,
            Err(failed) => match spare {
                Some(request) if failed.error.was_closed() => self.send_fresh(request).await,
                _ => Err(self.failed(failed)),
            },
        }
    }

    async fn send_fresh(&self, request: Request<Upload>) -> Result<(Response<Arriving>, Carrier), Error> {
        let lease = Box::pin(self.pool.open(|| {
            self.origins
                .connect(self.permit, self.record, self.pool, Offer::Any)
        }))
        .await?;
        self.send_over(lease, request)
            .await
            .map_err(|unanswered| self.failed(unanswered))
    }

    fn failed(&self, unanswered: Unanswered) -> Error {
        let Unanswered { error, alert, .. } = unanswered;
        let shown = self.permit.client_certificate();
        alert
            .and_then(|alert| Error::of_alert(alert, shown))
            .unwrap_or(Error::OriginHttp(error))
    }

    async fn send_over(
        &self,
        lease: Lease,
        mut request: Request<Upload>,
    ) -> Result<(Response<Arriving>, Carrier), Unanswered> {
        match lease {
            Lease::Exclusive(mut connection) => {
                shape_for_http1(&mut request, &self.authority);
                shape_for_parent(&mut request, &self.authority, connection.form());
                let response = connection.send(request, self.interims).await?;
                Ok((response, Carrier::Exclusive(connection)))
            }
            Lease::Shared(connection) => {
                shape_for_h2(&mut request, &self.authority, self.permit.scheme());
                let (response, share) = connection.send(request, self.interims).await?;
                Ok((response, Carrier::Shared(share)))
            }
        }
    }
}

/// A copy to be sent again if the first is lost on a connection that was closed: only of what changes nothing and has no body
/// (RFC 9110 section 9.2.2).
fn spare(request: &Request<Upload>) -> Option<Request<Upload>> {
    if !request.method().is_idempotent() || !request.body().is_empty() {
        return None;
    }
    let mut spare = Request::new(Upload::Empty);
    request.method().clone_into(spare.method_mut());
    request.uri().clone_into(spare.uri_mut());
    request.headers().clone_into(spare.headers_mut());
    Some(spare)
}
