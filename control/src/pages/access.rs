//! Who may look: whoever has the one-time link, once, and then the browser that it was opened in.
//!
//! A link is good for one log-in within [`LINK_LIVES`], and only the newest one. What the browser gets for it is another secret,
//! good for [`SESSION_LIVES`]. Both are 192 bits of the system's randomness, live in this process only, and are compared in constant time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// How long a link waits to be opened.
pub const LINK_LIVES: Duration = Duration::from_mins(5);
/// How long a browser stays logged in.
pub(super) const SESSION_LIVES: Duration = Duration::from_hours(12);
/// Browsers at once; the one that came first makes room.
const MOST_SESSIONS: usize = 8;

/// Links and sessions.
#[derive(Debug, Default)]
pub(super) struct Access {
    link: Option<(Secret, Instant)>,
    sessions: VecDeque<(Secret, Instant)>,
}

/// A text that nobody guesses.
pub(super) struct Secret(String);

impl Access {
    /// A new link's secret. Links before it are void.
    pub(super) fn link(&mut self, now: Instant) -> String {
        let secret = Secret::random();
        let text = secret.0.clone();
        self.link = Some((secret, now + LINK_LIVES));
        text
    }

    /// The secret of a new session, for that of a link. A link is void after the right secret was shown, not after a wrong one:
    /// else whoever can connect could keep its owner out.
    pub(super) fn redeem(&mut self, shown: &str, now: Instant) -> Option<String> {
        let (secret, until) = self.link.as_ref()?;
        if !secret.is(shown) {
            return None;
        }
        let in_time = now < *until;
        self.link = None;
        in_time.then(|| self.log_in(now))
    }

    fn log_in(&mut self, now: Instant) -> String {
        self.sessions.retain(|(_, until)| now < *until);
        while self.sessions.len() >= MOST_SESSIONS {
            self.sessions.pop_front();
        }
        let secret = Secret::random();
        let text = secret.0.clone();
        self.sessions.push_back((secret, now + SESSION_LIVES));
        text
    }

    /// Whether this is a session's secret.
    pub(super) fn admits(&self, shown: &str, now: Instant) -> bool {
        let fits = |(secret, until): &(Secret, Instant)| secret.is(shown) && now < *until;
        self.sessions.iter().any(fits)
    }

    /// Ends a session.
    pub(super) fn log_out(&mut self, shown: &str) {
        self.sessions.retain(|(secret, _)| !secret.is(shown));
    }
}

impl Secret {
    fn random() -> Self {
        let mut bytes = [0; 24];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A path that nobody guesses, for all pages of one process: `/` and 128 bits.
///
/// A browser sends cookies to every port of a host. This path is the cookie's, so that another server on this machine, which a page
/// led to, is not sent it.
pub(super) fn secret_path() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    format!("/{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once_and_its_session_after_it() {
        let (mut access, now) = (Access::default(), Instant::now());
        let link = access.link(now);
        assert!(link.len() >= 32 && access.redeem("", now).is_none() && access.redeem("x", now).is_none());
        let session = access.redeem(&link, now).unwrap();
        assert_ne!(session, link);
        assert!(access.redeem(&link, now).is_none(), "not twice");
        assert!(access.admits(&session, now) && !access.admits(&link, now) && !access.admits("", now));
        access.log_out(&session);
        assert!(!access.admits(&session, now));
    }

    #[test]
    fn a_link_is_void_when_it_is_old_or_another_was_made() {
        let (mut access, now) = (Access::default(), Instant::now());
        let first = access.link(now);
        let second = access.link(now);
        assert!(access.redeem(&first, now).is_none());
        assert!(access.redeem(&second, now + LINK_LIVES).is_none());
        let third = access.link(now);
        assert!(access.redeem(&third, now + LINK_LIVES / 2).is_some());
    }

    #[test]
    fn a_session_ends_by_itself_and_makes_room_for_others() {
        let (mut access, now) = (Access::default(), Instant::now());
        let log_in = |access: &mut Access| {
            let link = access.link(now);
            access.redeem(&link, now).unwrap()
        };
        let first = log_in(&mut access);
        assert!(!access.admits(&first, now + SESSION_LIVES));
        let second = log_in(&mut access);
        for _ in 2..=MOST_SESSIONS {
            log_in(&mut access);
        }
        assert!(!access.admits(&first, now) && access.admits(&second, now));
    }
}
