//! What a sandbox's gate remembers of its GitHub.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use outwall_git_proxy::Facts;
use outwall_git_proxy::lfs::{TicketError, Tickets, Transfer};
use outwall_policy::Method;

/// What a sandbox's gate remembers of its GitHub.
#[derive(Default)]
pub(crate) struct AtGithub {
    facts: Mutex<Facts>,
    /// Of the one session that this sandbox is.
    tickets: Mutex<Tickets<()>>,
}

impl AtGithub {
    /// What GitHub answered before.
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for a transfer of LFS.
    pub(super) fn issue(&self, random: [u8; 16], transfer: Transfer, good_for: Duration) -> String {
        self.tickets()
            .issue(&(), random, transfer, good_for, Instant::now())
    }

    /// What a ticket is for.
    pub(super) fn redeem(&self, ticket: &str, method: &Method) -> Result<Transfer, TicketError> {
        self.tickets()
            .redeem(&(), ticket, method, Instant::now())
            .cloned()
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets<()>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
