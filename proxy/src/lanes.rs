//! Threads that each run their own share of the connections, from accept to close, with the connections to origins that those
//! use. Nothing that a request touches is on two threads, so none of its steps wakes another thread or waits for a lock that
//! another holds. A connection goes to the lane with the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The lanes of a gate.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Connections so far.
    seats: AtomicU64,
}

struct Lane {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    /// Dropped with the gate, which ends the thread.
    _alive: oneshot::Sender<()>,
}

/// Which connection of the gate one is, and in which lane it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// From 1, of all connections of a gate.
    pub(crate) connection: u64,
    pub(crate) lane: usize,
}

/// A place in a lane, held by one connection.
pub(crate) struct Place {
    pub(crate) seat: Seat,
    pub(crate) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Lanes {
    pub(crate) fn start(number: usize) -> io::Result<Self> {
        let lanes = (0..number.max(1)).map(Lane::start).collect::<io::Result<_>>()?;
        Ok(Self {
            lanes,
            seats: AtomicU64::new(0),
        })
    }

    /// The runtimes of all lanes, in order.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.lanes.iter().map(|lane| &lane.runtime)
    }

    /// Connections in all lanes.
    pub(crate) fn connections(&self) -> u64 {
        let counts = self
            .lanes
            .iter()
            .map(|lane| lane.connections.load(Ordering::Relaxed));
        counts.sum::<usize>() as u64
    }

    /// A place in the lane with the fewest connections.
    pub(crate) fn place(&self) -> Place {
        let counted = self.lanes.iter().enumerate();
        let (number, lane) = counted
            .min_by_key(|(_, lane)| lane.connections.load(Ordering::Relaxed))
            .expect("there is at least one lane");
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Place {
            seat: Seat {
                connection: self.seats.fetch_add(1, Ordering::Relaxed) + 1,
                lane: number,
            },
            runtime: lane.runtime.clone(),
            connections: Arc::clone(&lane.connections),
        }
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("outwall-lane-{number}"))
            .spawn(move || {
                let _ = runtime.block_on(ended); // it ends by being dropped
            })?;
        Ok(Self {
            runtime: handle,
            connections: Arc::default(),
            _alive: alive,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_where_the_fewest_are() {
        let lanes = Lanes::start(2).expect("two threads");
        let first = lanes.place();
        let second = lanes.place();
        assert_ne!(first.seat.lane, second.seat.lane);
        assert_ne!(first.seat.connection, second.seat.connection);
        let freed = second.seat.lane;
        drop(second);
        assert_eq!(lanes.place().seat.lane, freed);
    }
}
