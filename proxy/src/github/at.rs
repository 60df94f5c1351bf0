//! What a sandbox's gate remembers of its GitHub.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use outwall_git_proxy::asking::Fact;
use outwall_git_proxy::lfs::{TicketError, Tickets, Transfer};
use outwall_git_proxy::{Facts, Question};
use outwall_policy::Method;

use super::holding::Holding;

/// What a sandbox's gate remembers of its GitHub.
#[derive(Default)]
pub(crate) struct AtGithub {
    facts: Mutex<Remembered>,
    /// Of the one session that this sandbox is.
    tickets: Mutex<Tickets<()>>,
    pub(super) holding: Holding,
}

/// Answers of the last minutes. Whose a node is changes seldom, as when an issue is transferred.
struct Remembered {
    facts: Facts,
    since: Instant,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            facts: Facts::default(),
            since: Instant::now(),
        }
    }
}

const REMEMBERED: Duration = Duration::from_mins(10);
const MOST_FACTS: usize = 10_000;

impl AtGithub {
    /// What GitHub answered to this lately.
    pub(super) fn known(&self, question: &Question) -> Option<Fact> {
        self.remembered().facts.known(question).cloned()
    }

    /// Remembers an answer for a while, if it is one that stays.
    pub(super) fn remember(&self, question: Question, fact: Fact) {
        if question.is_settled(&fact) {
            self.remembered().facts.learn(question, fact);
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        let mut remembered = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.since.elapsed() > REMEMBERED || remembered.facts.count() >= MOST_FACTS {
            *remembered = Remembered::default();
        }
        remembered
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
