//! One stream, scanned as it comes.

use std::sync::Arc;

use super::examine::{Outcome, examine};
use super::filter::Hit;
use super::line::FURTHEST_BACK;
use super::pattern::Pattern;
use super::shapes::Shapes;
use super::source::{Source, six_bits};
use super::view::{self, READ_BEFORE, View};

/// A credential in a stream. It says where it is, and nothing of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// Index of the shape, for [`Shapes::shape`].
    pub shape: usize,
    /// Where its anchor begins in the stream.
    pub start: u64,
    /// The position after its last byte.
    pub end: u64,
}

/// The scan of one stream: [`push`](Self::push) bytes, [`finish`](Self::finish), and be told of each credential once.
///
/// Memory is bounded: the longest shape, some context, and a piece of what is pushed.
#[derive(Debug)]
pub struct Scan {
    shapes: Arc<Shapes>,
    buffer: Vec<u8>,
    /// Position in the stream of the buffer's first byte.
    base: u64,
    /// Position up to which the raw bytes were looked at.
    swept: u64,
    /// Position up to which the view was.
    viewed: u64,
    undecided: Vec<Candidate>,
    view: View,
}

/// An anchor that was found.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    pattern: usize,
    at: u64,
    /// Escapes hide it.
    hidden: bool,
}

impl Scan {
    /// Of a stream that nothing is known of.
    pub fn new(shapes: Arc<Shapes>) -> Self {
        Self {
            shapes,
            buffer: Vec::new(),
            base: 0,
            swept: 0,
            viewed: 0,
            undecided: Vec::new(),
            view: View::default(),
        }
    }

    /// All matches of bytes that are whole.
    pub fn whole(shapes: &Arc<Shapes>, bytes: &[u8]) -> Vec<Match> {
        let (mut scan, mut found) = (Self::new(Arc::clone(shapes)), Vec::new());
        scan.push(bytes, &mut found);
        scan.finish(&mut found);
        found
    }

    /// The shapes that are looked for.
    pub fn shapes(&self) -> &Arc<Shapes> {
        &self.shapes
    }

    /// Takes the next bytes. What is found by now is added to `found`.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Match>) {
        for piece in bytes.chunks(PIECE) {
            self.buffer.extend_from_slice(piece);
            self.advance(false, found);
            self.forget();
        }
    }

    /// Nothing follows.
    pub fn finish(&mut self, found: &mut Vec<Match>) {
        self.advance(true, found);
    }

    /// How many bytes came.
    pub fn pushed(&self) -> u64 {
        self.base + self.buffer.len() as u64
    }

    /// Up to this position nothing is in doubt: whatever begins before it was told, or is none. What of an anchor may have come
    /// is not in doubt, for it says nothing.
    pub fn cleared(&self) -> u64 {
        let end = self.pushed();
        let whole = |candidate: &&Candidate| {
            let length = self.shapes.patterns[candidate.pattern].sets.len();
            candidate.hidden || candidate.at + length as u64 <= end
        };
        let held = self.undecided.iter().filter(whole);
        let held = held.map(|candidate| candidate.at).min();
        held.unwrap_or(end).min(end - self.late_run() as u64)
    }

    /// How many bytes at the end may be the beginning of a credential whose anchor is far inside.
    fn late_run(&self) -> usize {
        if self.shapes.late == 0 {
            return 0;
        }
        let most = (self.shapes.late + 4) * 4 / 3;
        let tail = self.buffer.iter().rev().take(most);
        let run = tail.take_while(|byte| six_bits(**byte).is_some()).count();
        if run < SHORTEST_LATE_RUN { 0 } else { run }
    }

    fn advance(&mut self, ended: bool, found: &mut Vec<Match>) {
        self.sweep();
        self.sweep_view(ended);
        let source = Source {
            bytes: &self.buffer,
            ended,
        };
        let (shapes, base) = (&self.shapes, self.base);
        self.undecided.retain(|candidate| {
            let pattern = &shapes.patterns[candidate.pattern];
            match decide(source, shapes, pattern, candidate, base) {
                Outcome::Nothing => false,
                Outcome::Undecided => true,
                Outcome::Credential { end } => {
                    found.push(Match {
                        shape: pattern.shape,
                        start: candidate.at,
                        end: base + end as u64,
                    });
                    false
                }
            }
        });
    }

    /// Looks at the raw bytes, at even positions of the stream.
    fn sweep(&mut self) {
        let first = self.local(self.swept);
        let (buffer, base, undecided) = (&self.buffer, self.base, &mut self.undecided);
        let next = self.shapes.filter.sweep(buffer, first, |at, hit| {
            if let Some(start) = at.checked_sub(hit.offset)
                && may_be(&self.shapes.patterns[hit.pattern], &buffer[start..])
            {
                undecided.push(Candidate::new(hit, base + start as u64, false));
            }
        });
        self.swept = self.base + next as u64;
    }

    /// Looks at the text without its escapes, where that is another one.
    fn sweep_view(&mut self, ended: bool) {
        let done = self.local(self.viewed);
        let source = Source {
            bytes: &self.buffer,
            ended,
        };
        let length = self.buffer.len();
        let mut upto = done.max(length.saturating_sub(LONGEST_ESCAPE));
        let (view, patterns, base) = (&mut self.view, &self.shapes.patterns, self.base);
        let (filter, undecided) = (&self.shapes.filter, &mut self.undecided);
        view::hiding(&self.buffer, done.saturating_sub(READ_BEFORE), |from, to| {
            view.read(source, from, to);
            upto = if to == length { view.end } else { upto.max(to) };
            filter.sweep(&view.text, 0, |at, hit| {
                let pattern = &patterns[hit.pattern];
                let Some(start) = at.checked_sub(hit.offset) else {
                    return;
                };
                let end = start + pattern.sets.len();
                if end <= view.text.len()
                    && may_be(pattern, &view.text[start..])
                    && view.end_of(end - 1) > done
                    && !view.is_plain(start, end)
                {
                    undecided.push(Candidate::new(hit, base + view.start_of(start) as u64, true));
                }
            });
        });
        self.viewed = self.base + upto.max(done) as u64;
    }

    fn local(&self, position: u64) -> usize {
        usize::try_from(position - self.base).expect("it is in the buffer")
    }

    /// Drops what nothing can depend on any more, a good deal at once.
    fn forget(&mut self) {
        let held = self.undecided.iter().map(|candidate| candidate.at).min();
        let needed = held.unwrap_or(u64::MAX).min(self.swept).min(self.viewed);
        let keep = self.local(needed).saturating_sub(KEPT_BACK);
        if keep >= FORGOTTEN_AT_ONCE {
            self.buffer.drain(..keep);
            self.base += keep as u64;
        }
    }
}

impl Candidate {
    fn new(hit: Hit, at: u64, hidden: bool) -> Self {
        Self {
            pattern: hit.pattern,
            at,
            hidden,
        }
    }
}

/// Whether bytes begin with a pattern, as far as they go.
fn may_be(pattern: &Pattern, bytes: &[u8]) -> bool {
    pattern
        .sets
        .iter()
        .zip(bytes)
        .all(|(set, byte)| set.contains(*byte))
}

fn decide(
    source: Source<'_>,
    shapes: &Shapes,
    pattern: &Pattern,
    candidate: &Candidate,
    base: u64,
) -> Outcome {
    let at = usize::try_from(candidate.at - base).expect("what is undecided is kept");
    let rest = &source.bytes[at..];
    if !candidate.hidden {
        if !may_be(pattern, rest) {
            return Outcome::Nothing;
        }
        if rest.len() < pattern.sets.len() && !source.ended {
            return Outcome::Undecided;
        }
    }
    examine(source, shapes.shape(pattern.shape), pattern, at)
}

/// Scanned at once, so that it is still in the cache.
const PIECE: usize = 32 << 10;
/// What is read before an anchor, and before the part of the view that is new.
const KEPT_BACK: usize = FURTHEST_BACK + 2 * READ_BEFORE;
const FORGOTTEN_AT_ONCE: usize = 16 << 10;
/// What an escape that is not whole may be long.
const LONGEST_ESCAPE: usize = 96;
/// A shorter run of letters and digits is a word.
const SHORTEST_LATE_RUN: usize = 40;
