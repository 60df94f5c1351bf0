//! Tickets: what a sandbox holds in place of a signed URL.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::Hash;
use std::time::{Duration, Instant};

use outwall_policy::Method;
use thiserror::Error;

use super::transfer::Transfer;

/// The transfers that sessions may make, each known by its ticket: 128 random bits, good for one session, one file, one kind of request,
/// and a time. `S` is whose it is.
///
/// Of one session [`MOST`](Self::MOST) are held; one more, and its oldest goes.
#[derive(Debug)]
pub struct Tickets<S> {
    held: HashMap<S, VecDeque<Ticket>>,
}

#[derive(Debug)]
struct Ticket {
    name: String,
    transfer: Transfer,
    until: Instant,
}

/// Why a ticket is good for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// There is no such ticket, or not of this session, or no more.
    #[error("this transfer of LFS is not known here, or its time is over: run the command again")]
    Unknown,
    /// It is for something else.
    #[error("this transfer of LFS is for another method: {}", .0)]
    Method(&'static str),
}

impl<S: Eq + Hash + Clone> Tickets<S> {
    /// How many are held of one session. git-lfs asks for 100 files at a time, and transfers them before it asks for more.
    pub const MOST: usize = 4_000;

    /// For how long one is good at the most, whatever the server says.
    pub const LONGEST: Duration = Duration::from_hours(24);

    /// None.
    pub fn new() -> Self {
        Self { held: HashMap::new() }
    }

    /// Issues a ticket, which `random` makes unlike any other: 16 bytes that nobody can guess.
    pub fn issue(
        &mut self,
        session: &S,
        random: [u8; 16],
        transfer: Transfer,
        good_for: Duration,
        now: Instant,
    ) -> String {
        let mut name = String::with_capacity(32);
        for byte in random {
            let _ = write!(name, "{byte:02x}");
        }
        let held = self.held.entry(session.clone()).or_default();
        held.retain(|ticket| ticket.until > now);
        if held.len() >= Self::MOST {
            held.pop_front();
        }
        let until = now + good_for.min(Self::LONGEST);
        held.push_back(Ticket {
            name: name.clone(),
            transfer,
            until,
        });
        name
    }

    /// What a ticket of this session is for, if it is for this method. It can be shown again while it is good: git-lfs tries again.
    pub fn redeem(
        &self,
        session: &S,
        name: &str,
        method: &Method,
        now: Instant,
    ) -> Result<&Transfer, TicketError> {
        let held = self.held.get(session).ok_or(TicketError::Unknown)?;
        let good = |ticket: &&Ticket| ticket.name == name && ticket.until > now;
        let transfer = &held.iter().find(good).ok_or(TicketError::Unknown)?.transfer;
        if transfer.kind.takes(method) {
            Ok(transfer)
        } else {
            Err(TicketError::Method(transfer.kind.as_str()))
        }
    }

    /// Forgets a session that has ended.
    pub fn forget(&mut self, session: &S) {
        self.held.remove(session);
    }
}

impl<S: Eq + Hash + Clone> Default for Tickets<S> {
    fn default() -> Self {
        Self::new()
    }
}
