//! What is remembered of peers that did not say who they are: so that none of them holds all the room, or fills the log with
//! guesses. It never refuses a credential that is right, for behind one address there may be many sandboxes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits::Limits;

/// The peers of a door.
pub(crate) struct Peers {
    known: Mutex<HashMap<IpAddr, Peer>>,
    unidentified: u32,
    at_once: f64,
}

struct Peer {
    unidentified: u32,
    /// How many wrong credentials it may still show.
    left: f64,
    since: Instant,
}

/// A connection whose peer has not said yet who it is.
pub(crate) struct Arrival {
    peers: Arc<Peers>,
    key: IpAddr,
    says_nothing: bool,
}

impl Peers {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            known: Mutex::default(),
            unidentified: limits.unidentified_per_peer,
            at_once: f64::from(limits.wrong_credentials),
        })
    }

    /// Notes a connection of a peer, unless it has too many already that say nothing.
    pub(crate) fn arrive(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Option<Arrival> {
        let mut known = self.lock();
        let key = self.key(&mut known, peer, now);
        let peer = known.entry(key).or_insert_with(|| Peer::new(self.at_once, now));
        if peer.unidentified >= self.unidentified {
            return None;
        }
        peer.unidentified += 1;
        Some(Arrival {
            peers: Arc::clone(self),
            key,
            says_nothing: true,
        })
    }

    /// An address that stands for whoever has it; for all others when there are too many to remember.
    fn key(&self, known: &mut HashMap<IpAddr, Peer>, peer: IpAddr, now: Instant) -> IpAddr {
        let key = network(peer);
        if known.len() < REMEMBERED || known.contains_key(&key) {
            return key;
        }
        known.retain(|_, peer| peer.unidentified > 0 || peer.refill(self.at_once, now) < self.at_once);
        if known.len() < REMEMBERED { key } else { EVERYBODY }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// Counts a wrong credential; whether it is still one of few.
    pub(crate) fn was_wrong(&self, now: Instant) -> bool {
        let mut known = self.peers.lock();
        let peer = known
            .entry(self.key)
            .or_insert_with(|| Peer::new(self.peers.at_once, now));
        if peer.refill(self.peers.at_once, now) < 1.0 {
            return false;
        }
        peer.left -= 1.0;
        true
    }

    /// It has said who it is, and is one of its sandbox's from here on.
    pub(crate) fn said_who(&mut self) {
        if !std::mem::take(&mut self.says_nothing) {
            return;
        }
        let mut known = self.peers.lock();
        if let Some(peer) = known.get_mut(&self.key) {
            peer.unidentified -= 1;
            if peer.unidentified == 0 && peer.left >= self.peers.at_once {
                known.remove(&self.key);
            }
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.said_who();
    }
}

impl Peer {
    fn new(at_once: f64, now: Instant) -> Self {
        Self {
            unidentified: 0,
            left: at_once,
            since: now,
        }
    }

    fn refill(&mut self, at_once: f64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = (self.left + passed * at_once / 60.0).min(at_once);
        self.left
    }
}

/// One machine has a whole /64 of IPv6 to itself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

const REMEMBERED: usize = 8_192;
const EVERYBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::time::Duration;

    use super::*;

    fn peers() -> Arc<Peers> {
        Peers::new(&Limits {
            unidentified_per_peer: 2,
            wrong_credentials: 3,
            ..Limits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_that_says_nothing_has_so_many_connections_and_others_are_not_its_concern() {
        let (peers, now) = (peers(), Instant::now());
        let first = peers.arrive(address("192.0.2.1"), now).unwrap();
        let _second = peers.arrive(address("192.0.2.1"), now).unwrap();
        assert!(peers.arrive(address("::ffff:192.0.2.1"), now).is_none());
        assert!(peers.arrive(address("192.0.2.2"), now).is_some());
        drop(first); // it said who it is, or went away
        assert!(peers.arrive(address("192.0.2.1"), now).is_some());
    }

    #[test]
    fn wrong_credentials_have_a_burst_and_a_pace() {
        let (peers, now) = (peers(), Instant::now());
        let arrival = peers.arrive(address("2001:db8::1"), now).unwrap();
        assert!((0..3).all(|_| arrival.was_wrong(now)));
        assert!(!arrival.was_wrong(now));
        drop(arrival);
        let neighbour = peers.arrive(address("2001:db8::2"), now).unwrap();
        assert!(!neighbour.was_wrong(now), "the same /64");
        let other = peers.arrive(address("2001:db8:0:1::1"), now).unwrap();
        assert!(other.was_wrong(now));
        assert!(neighbour.was_wrong(now + Duration::from_secs(21)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (peers, now) = (peers(), Instant::now());
        for number in 0..20_000_u32 {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
            if let Some(arrival) = peers.arrive(address, now) {
                arrival.was_wrong(now);
            }
        }
        assert!(peers.lock().len() <= REMEMBERED + 1);
        let later = now + Duration::from_mins(2);
        let arrival = peers.arrive(address("192.0.2.1"), later).unwrap();
        assert!(arrival.was_wrong(later));
        assert!(peers.lock().len() <= 2, "what has calmed down is forgotten");
    }
}
