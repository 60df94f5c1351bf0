//! The connections to one origin, as one sandbox under one policy has them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exclusive::{Connection, Exclusive};
use super::tls::OriginTls;
use super::{Lease, Shared};
use crate::error::Error;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::origin_stream::OriginStream;

/// The connections to one origin. The lock is held for a push or a pop.
pub(crate) struct Pool {
    /// Which policy admitted the addresses that these connections lead to.
    pub(crate) generation: u64,
    /// How its connections are protected, under that policy.
    tls: OriginTls,
    limits: PoolLimits,
    metrics: Arc<Metrics>,
    connections: Mutex<Connections>,
    /// Held while the first connection is made, so that a burst to an origin that speaks h2 opens one and not many.
    opening: tokio::sync::Mutex<()>,
}

struct PoolLimits {
    idle: Duration,
    resting: usize,
    all: Limits,
}

#[derive(Default)]
struct Connections {
    #[expect(
        clippy::vec_box,
        reason = "connections move between here and their exchanges, boxed as they are"
    )]
    resting: Vec<Box<Connection>>,
    shared: Option<Arc<Shared>>,
    speaks: Option<Speaks>,
}

/// What the origin chose last time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http1,
    H2,
}

impl Pool {
    pub(super) fn new(generation: u64, tls: OriginTls, limits: &Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            generation,
            tls,
            limits: PoolLimits {
                idle: limits.pool_idle,
                resting: limits.pool_idle_per_origin,
                all: limits.clone(),
            },
            metrics,
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn tls(&self) -> &OriginTls {
        &self.tls
    }

    /// A connection that exists, the one used last first.
    pub(super) fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut connections = self.lock();
        if let Some(shared) = connections.shared.as_ref().filter(|shared| shared.is_usable()) {
            shared.touch();
            self.metrics.origin_reused();
            return Some(Lease::Shared(Arc::clone(shared)));
        }
        let connection = connections.resting.pop()?;
        if connection.resting_since.elapsed() > self.limits.idle {
            connections.resting.clear(); // the others rest longer still
            return None;
        }
        self.metrics.origin_reused();
        Some(Lease::Exclusive(Exclusive::new(connection, Arc::clone(self))))
    }

    /// A new connection; or one that somebody else has opened in the meantime, when it can be shared.
    pub(super) async fn open<F>(self: &Arc<Self>, connect: impl FnOnce() -> F) -> Result<Lease, Error>
    where
        F: Future<Output = Result<OriginStream, Error>>,
    {
        let speaks = self.lock().speaks;
        if speaks == Some(Speaks::Http1) {
            return self.established(connect().await?).await;
        }
        let _opening = self.opening.lock().await;
        match self.shared() {
            Some(shared) => {
                self.metrics.origin_reused();
                Ok(Lease::Shared(shared))
            }
            None => self.established(connect().await?).await,
        }
    }

    fn shared(&self) -> Option<Arc<Shared>> {
        self.lock().shared.clone().filter(|shared| shared.is_usable())
    }

    async fn established(self: &Arc<Self>, stream: OriginStream) -> Result<Lease, Error> {
        self.metrics.origin_opened();
        if stream.speaks_h2() {
            let shared = Arc::new(Shared::open(stream, &self.limits.all).await?);
            let mut connections = self.lock();
            connections.speaks = Some(Speaks::H2);
            connections.shared = Some(Arc::clone(&shared));
            return Ok(Lease::Shared(shared));
        }
        let connection = Connection::open(stream, &self.limits.all).await?;
        self.lock().speaks = Some(Speaks::Http1);
        Ok(Lease::Exclusive(Exclusive::new(connection, Arc::clone(self))))
    }

    pub(super) fn give_back(&self, connection: Box<Connection>) {
        let mut connections = self.lock();
        if connections.resting.len() < self.limits.resting {
            connections.resting.push(connection);
        }
    }

    /// Drops what is unused for too long, and says how many remain.
    pub(super) fn sweep(&self) -> usize {
        let mut connections = self.lock();
        connections
            .resting
            .retain(|connection| connection.resting_since.elapsed() <= self.limits.idle);
        let unused =
            |shared: &Arc<Shared>| Arc::strong_count(shared) == 1 && shared.unused_for() > self.limits.idle;
        if connections
            .shared
            .as_ref()
            .is_some_and(|shared| !shared.is_usable() || unused(shared))
        {
            connections.shared = None;
        }
        connections.resting.len() + usize::from(connections.shared.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
