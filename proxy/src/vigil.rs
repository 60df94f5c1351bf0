//! Watches over one client connection while it is served: the policy may be replaced, the gate may be told to drain, the client
//! may fall silent. Costs two atomic loads and a timer check per poll when nothing happened.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use outwall_policy::{ConnectionPermit, Policy, RequestPermit};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::client_gate::ClientGate;
use crate::draining::Draining;
use crate::error::Error;
use crate::gate::Shared;
use crate::pulse::Pulse;

/// The watch over one client connection.
pub(crate) struct Vigil {
    shared: Arc<Shared>,
    draining: Draining,
    pulse: Arc<Pulse>,
    granted: Granted,
    news: Pin<Box<dyn Future<Output = ()> + Send>>,
    news_awaited: bool,
    seen: (u64, bool),
    timer: Pin<Box<Sleep>>,
}

/// Whether what a connection was granted is granted by a policy. Where every request is decided by itself, it is.
pub(crate) type Granted = Box<dyn Fn(&Policy) -> bool + Send + Sync>;

/// What the watch calls for.
pub(crate) enum Call {
    /// Finish what runs, take nothing new.
    Drain,
    /// Close at once.
    End(Error),
}

impl Vigil {
    /// Over a connection of one sandbox.
    pub(crate) fn new(gate: &Arc<ClientGate>, pulse: &Arc<Pulse>, permit: Option<ConnectionPermit>) -> Self {
        let granted = move |policy: &Policy| permit.as_ref().is_none_or(|permit| policy.still_grants(permit));
        Self::over(&gate.shared, &gate.draining, pulse, Box::new(granted))
    }

    /// Over a connection, whosever it is.
    pub(crate) fn over(
        shared: &Arc<Shared>,
        draining: &Draining,
        pulse: &Arc<Pulse>,
        granted: Granted,
    ) -> Self {
        let (deadline, _) = pulse.deadline(&shared.limits);
        let seen = (shared.policy.generation(), false); // before listening, so that nothing falls in between
        Self {
            news: Box::pin(news(shared, draining)),
            news_awaited: false,
            seen,
            timer: Box::pin(sleep_until(Instant::from_std(deadline))),
            shared: Arc::clone(shared),
            draining: draining.clone(),
            pulse: Arc::clone(pulse),
            granted,
        }
    }

    /// To be polled whenever the connection is, and after it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        self.hear(cx).or_else(|| self.look(cx))
    }

    /// Asks for news only once, and again when there was some: the waker registered first stays good.
    fn hear(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let now = (self.shared.policy.generation(), self.draining.is_given());
        while !self.news_awaited || now != self.seen {
            self.news_awaited = true;
            if self.news.as_mut().poll(cx).is_ready() {
                self.news = Box::pin(news(&self.shared, &self.draining));
                self.news_awaited = false;
            } else if now == self.seen {
                break;
            }
            let before = std::mem::replace(&mut self.seen, now);
            if now.0 != before.0 && self.is_withdrawn() && self.pulse.running() > 0 {
                return Some(Call::End(Error::Withdrawn));
            }
            if now.1 && !before.1 {
                return Some(Call::Drain);
            }
        }
        None
    }

    /// A quiet connection stays: its next request is answered with the reason.
    fn is_withdrawn(&self) -> bool {
        !(self.granted)(&self.shared.policy.load().policy)
    }

    fn look(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let (deadline, error) = self.pulse.deadline(&self.shared.limits);
        let deadline = Instant::from_std(deadline);
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Some(Call::End(error));
            }
            self.timer.as_mut().reset(deadline);
        }
        None
    }
}

/// Resolves when the policy was replaced or the order is given to drain.
fn news(shared: &Shared, draining: &Draining) -> impl Future<Output = ()> + Send + use<> {
    let mut changed = shared.policy.subscribe();
    let drain = draining.news();
    async move {
        tokio::select! {
            _ = changed.changed() => {}
            () = drain => {}
        }
    }
}

/// Waits until something is called for that ends a connection without requests of its own: a tunnel.
pub(crate) async fn until_withdrawn(gate: &ClientGate, permit: &ConnectionPermit) -> Error {
    until(gate, |policy| !policy.still_grants(permit)).await
}

/// The same for a request that goes on as a socket: a policy that would refuse it by now ends it.
pub(crate) async fn until_request_withdrawn(gate: &ClientGate, permit: &RequestPermit) -> Error {
    until(gate, |policy| !policy.still_permits(permit)).await
}

async fn until(gate: &ClientGate, is_withdrawn: impl Fn(&Policy) -> bool) -> Error {
    let mut changed = gate.shared.policy.subscribe();
    loop {
        if is_withdrawn(&gate.shared.policy.load().policy) {
            return Error::Withdrawn;
        }
        if changed.changed().await.is_err() {
            return Error::ShuttingDown;
        }
    }
}
