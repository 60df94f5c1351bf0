//! A body as it is sent, looked into: through its coding, and with what may leave by now.

use std::collections::VecDeque;
use std::sync::Arc;

use super::scan::{Match, Scan};
use super::shapes::Shapes;
use crate::coding::{Decoder, Unreadable};

/// The inspection of one body. Bytes are pushed as they are sent; [`released`](Self::released) says how many of them hold nothing
/// that is still in doubt.
#[derive(Debug)]
pub struct Inspection {
    decoder: Decoder,
    scan: Scan,
    /// Of what was decoded: this many coded bytes gave this many decoded ones.
    steps: VecDeque<(u64, u64)>,
    decoded: u64,
    released: u64,
}

impl Inspection {
    /// Of a body with this `Content-Encoding`.
    pub fn new(shapes: Arc<Shapes>, coding: Option<&str>) -> Result<Self, Unreadable> {
        Ok(Self {
            decoder: Decoder::named(coding)?,
            scan: Scan::new(shapes),
            steps: VecDeque::new(),
            decoded: 0,
            released: 0,
        })
    }

    /// Takes the next bytes. Matches are at positions of the decoded text.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Match>) -> Result<(), Unreadable> {
        let (scan, decoded) = (&mut self.scan, &mut self.decoded);
        let coded = self.decoder.decode(bytes, |bytes| {
            *decoded += bytes.len() as u64;
            scan.push(bytes, found);
        })?;
        self.steps.push_back((coded, self.decoded));
        if self.steps.len() > MOST_STEPS {
            self.steps.remove(MOST_STEPS - 1); // the newest covers it: coarser, and later
        }
        self.release();
        Ok(())
    }

    /// Nothing follows.
    pub fn finish(&mut self, found: &mut Vec<Match>) -> Result<(), Unreadable> {
        self.decoder.finish()?;
        self.scan.finish(found);
        self.released = u64::MAX;
        Ok(())
    }

    /// How many of the bytes pushed may leave.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// The shapes that are looked for.
    pub fn shapes(&self) -> &Arc<Shapes> {
        self.scan.shapes()
    }

    fn release(&mut self) {
        let cleared = self.scan.cleared();
        if self.decoder.is_identity() {
            self.released = self.released.max(cleared);
            self.steps.clear();
            return;
        }
        while let Some((coded, decoded)) = self.steps.front()
            && *decoded <= cleared
        {
            self.released = *coded;
            self.steps.pop_front();
        }
    }
}

const MOST_STEPS: usize = 64;
