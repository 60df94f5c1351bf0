//! A text that comes in pieces.

use std::sync::Arc;

use bytes::Bytes;
use outwall_policy::brokered::CredentialName;
use zeroize::Zeroizing;

use super::scrubber::{Scrubber, Seen, mask};

/// Masks a text that comes in pieces, just as if it came whole. What may be the beginning of a run is held back until that is
/// known: at most the longest form of a secret, escaped. Pieces that hold nothing pass without being copied.
#[derive(Debug)]
pub struct ScrubStream {
    scrubber: Arc<Scrubber>,
    /// What came and may be part of a run that goes on. Of this, what was given out is masked there.
    kept: Zeroizing<Vec<u8>>,
    /// Where that begins in the whole text.
    at: u64,
    given: usize,
    /// So many bytes of it end an escape that began before.
    boundary: usize,
    /// By credential: whether one of its secrets was found.
    found: Vec<bool>,
    /// Those that were found, and where, and not told of.
    untold: Vec<(usize, u64)>,
}

impl ScrubStream {
    /// Before the first piece.
    pub fn new(scrubber: Arc<Scrubber>) -> Self {
        Self {
            kept: Zeroizing::default(),
            at: 0,
            given: 0,
            boundary: 0,
            found: vec![false; scrubber.names().len()],
            untold: Vec::new(),
            scrubber,
        }
    }

    /// Takes the next piece, and gives what nothing that follows can change.
    pub fn push(&mut self, piece: &Bytes) -> Bytes {
        self.take(piece, false)
    }

    /// Nothing follows: gives the rest. What follows all the same is another text.
    pub fn end(&mut self) -> Bytes {
        self.take(&Bytes::new(), true)
    }

    /// How many bytes came that were not given.
    pub fn held(&self) -> usize {
        self.kept.len() - self.given
    }

    /// Whose secrets were found since this was last asked, and at which byte; each is told of once.
    pub fn found(&mut self) -> impl Iterator<Item = (&CredentialName, u64)> {
        let names = self.scrubber.names();
        let untold = self.untold.drain(..);
        untold.map(|(credential, at)| (&names[credential], at))
    }

    fn take(&mut self, piece: &Bytes, ended: bool) -> Bytes {
        if self.kept.is_empty() {
            let seen = self.scrubber.look(piece, 0, ended);
            self.note(&seen);
            self.keep(piece, &seen);
            let settled = piece.slice(..seen.settled);
            return if seen.runs.is_empty() {
                settled
            } else {
                masked(&settled, &seen)
            };
        }
        let mut text = std::mem::take(&mut self.kept);
        text.extend_from_slice(piece);
        let given = self.given;
        let mut seen = self.scrubber.look(&text, self.boundary, ended);
        seen.settled = seen.settled.max(given); // what was given is masked, by a run that is over
        self.note(&seen);
        self.keep(&text, &seen);
        masked(&text[..seen.settled], &seen).split_off(given)
    }

    fn keep(&mut self, text: &[u8], seen: &Seen) {
        self.kept = Zeroizing::new(text[seen.keep_from..].to_vec());
        self.at += seen.keep_from as u64;
        self.given = seen.settled - seen.keep_from;
        self.boundary = seen.boundary - seen.keep_from;
    }

    fn note(&mut self, seen: &Seen) {
        for run in &seen.runs {
            if !std::mem::replace(&mut self.found[run.credential], true) {
                let at = self.at + run.at.start as u64;
                self.untold.push((run.credential, at));
            }
        }
    }
}

fn masked(text: &[u8], seen: &Seen) -> Bytes {
    let mut text = text.to_vec();
    mask(&mut text, &seen.runs);
    Bytes::from(text)
}
