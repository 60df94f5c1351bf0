//! The runs of a text that tell a secret, and what at its end may become one.

use std::fmt;
use std::ops::Range;

use outwall_policy::brokered::CredentialName;
use thiserror::Error;

use super::escape::{Escapes, View, next_boundary};
use super::form::Form;
use super::grams::Grams;
use super::random_part::SHORTEST;

/// Some secrets, compiled to be found. It shows none of them.
pub struct Scrubber {
    names: Vec<CredentialName>,
    forms: Vec<Form>,
    grams: Grams,
    /// The bytes that forms are made of.
    made_of: [bool; 256],
    longest: usize,
}

/// Why a secret cannot be masked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unscrubbable {
    /// It would be found everywhere.
    #[error(
        "the secret of `{0}` has less than {SHORTEST} bytes, and one so short cannot be told from other text in a response; use a longer one"
    )]
    TooShort(CredentialName),
    /// It is none that fits into a request.
    #[error("the secret of `{0}` has more than {kib} KiB; a credential is shorter", kib = LONGEST >> 10)]
    TooLong(CredentialName),
}

/// What was seen in a text.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) runs: Vec<Run>,
    /// Nothing before this place depends on what follows.
    pub(super) settled: usize,
    /// What follows is to be looked at together with everything from here on.
    pub(super) keep_from: usize,
    /// The first place from there on that is not within an escape.
    pub(super) boundary: usize,
}

/// Bytes that tell a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: Range<usize>,
    pub(super) credential: usize,
}

/// What at the end of a text may go on behind it.
#[derive(Default)]
struct Tail {
    /// The earliest place from which something that tells nothing yet may come to tell a secret.
    undecided: Option<usize>,
    /// The earliest place from which anything may go on.
    open: Option<usize>,
}

impl Scrubber {
    /// Compiles secrets.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (CredentialName, &'a [u8])>,
    ) -> Result<Self, Unscrubbable> {
        let (mut names, mut forms) = (Vec::new(), Vec::new());
        for (name, secret) in secrets {
            if secret.len() < SHORTEST {
                return Err(Unscrubbable::TooShort(name));
            }
            if secret.len() > LONGEST {
                return Err(Unscrubbable::TooLong(name));
            }
            forms.extend(Form::all(names.len(), secret));
            names.push(name);
        }
        let mut made_of = [false; 256];
        for byte in forms.iter().flat_map(|form| form.text.iter()) {
            made_of[usize::from(*byte)] = true;
        }
        Ok(Self {
            grams: Grams::of(&forms),
            longest: forms.iter().map(|form| form.text.len()).max().unwrap_or(0),
            names,
            forms,
            made_of,
        })
    }

    /// Whose secrets they are, in the order that they were given in.
    pub fn names(&self) -> &[CredentialName] {
        &self.names
    }

    /// Masks what tells a secret in a text that is whole. Whose secrets they were, by their places in [`Self::names`], each once.
    pub fn mask(&self, text: &mut [u8]) -> Vec<usize> {
        let seen = self.look(text, 0, true);
        let mut whose: Vec<usize> = seen.runs.iter().map(|run| run.credential).collect();
        whose.sort_unstable();
        whose.dedup();
        mask(text, &seen.runs);
        whose
    }

    /// A text that is whole, masked, and whose secrets were in it; none where nothing of one is.
    pub fn masked(&self, text: &[u8]) -> Option<(Vec<u8>, Vec<&CredentialName>)> {
        let seen = self.look(text, 0, true);
        if seen.runs.is_empty() {
            return None;
        }
        let mut text = text.to_vec();
        let whose = self.mask(&mut text);
        Some((
            text,
            whose
                .into_iter()
                .map(|credential| &self.names[credential])
                .collect(),
        ))
    }

    /// Looks at a text whose first `boundary` bytes end an escape that began before it. `ended`: nothing follows.
    pub(super) fn look(&self, text: &[u8], boundary: usize, ended: bool) -> Seen {
        let mut runs = Vec::new();
        self.runs(text, |at, credential| runs.push(Run { at, credential }));
        let escapes = Escapes::find(text, boundary, ended, |byte| self.made_of[usize::from(byte)]);
        let end = escapes.unfinished.unwrap_or(text.len());
        let mut tail = Tail::default();
        if !ended {
            self.tail(text, |at| at, &mut tail);
            if end < text.len() {
                tail.note(end, true);
                self.tail(&text[..end], |at| at, &mut tail);
            }
        }
        for piece in self.pieces(text, boundary, &escapes, end) {
            let view = View::of(text, piece.clone(), ended);
            self.runs(&view.text, |at, credential| {
                let at = view.span(&at);
                runs.push(Run { at, credential });
            });
            if !ended && piece.end == end {
                self.tail(&view.text, |at| view.span(&(at..at + 1)).start, &mut tail);
            }
        }
        runs.sort_unstable_by_key(|run| run.at.start);
        let settled = first_unmasked(tail.undecided.unwrap_or(text.len()), &runs);
        let keep_from = tail.open.unwrap_or(text.len()).min(settled);
        Seen {
            runs,
            settled,
            keep_from,
            boundary: next_boundary(text, boundary, keep_from),
        }
    }

    /// Tells of every run that tells a secret, more than once if it is long.
    fn runs(&self, text: &[u8], mut tell: impl FnMut(Range<usize>, usize)) {
        // By form and where that begins in the text, up to where it was compared.
        let mut compared: Vec<(u32, usize, usize)> = Vec::new();
        self.grams.sweep(text, |at, place| {
            let (form, offset) = (&self.forms[place.form as usize], place.offset as usize);
            let diagonal = at + self.longest - offset;
            compared.retain(|(_, _, end)| *end > at);
            if compared
                .iter()
                .any(|(of, from, _)| *of == place.form && *from == diagonal)
            {
                return;
            }
            let back = common(text[..at].iter().rev(), form.text[..offset].iter().rev());
            let on = common(text[at..].iter(), form.text[offset..].iter());
            compared.push((place.form, diagonal, at + on));
            if form.is_told_by(&(offset - back..offset + on)) {
                tell(at - back..at + on, form.credential);
            }
        });
    }

    /// Notes what at the end of a text may go on; `place` says where a byte of it stands.
    fn tail(&self, text: &[u8], place: impl Fn(usize) -> usize, tail: &mut Tail) {
        let Some((last, before)) = text.split_last() else {
            return;
        };
        for form in &self.forms {
            let Some((_, goes_on)) = form.text.split_last() else {
                continue;
            };
            for at in memchr::memchr_iter(*last, goes_on) {
                let length = 1 + common(before.iter().rev(), form.text[..at].iter().rev());
                let start = at + 1 - length;
                if form.may_be_told_from(start) {
                    tail.note(place(text.len() - length), !form.is_told_by(&(start..at + 1)));
                }
            }
        }
    }

    /// The pieces of a text in which escapes may be part of a run.
    fn pieces(&self, text: &[u8], boundary: usize, escapes: &Escapes, end: usize) -> Vec<Range<usize>> {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for escape in &escapes.at {
            let upto = (escape.end + self.longest).min(end);
            match pieces.last_mut() {
                Some(piece) if piece.end + self.longest >= escape.start => piece.end = upto,
                _ => {
                    let from = escape.start.saturating_sub(self.longest).max(boundary);
                    pieces.push(next_boundary(text, boundary, from)..upto);
                }
            }
        }
        pieces
    }
}

impl Tail {
    fn note(&mut self, at: usize, is_undecided: bool) {
        let earliest = |known: Option<usize>| Some(known.map_or(at, |known| known.min(at)));
        self.open = earliest(self.open);
        if is_undecided {
            self.undecided = earliest(self.undecided);
        }
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scrubber").field(&self.names).finish()
    }
}

/// Overwrites runs, as far as a text goes.
pub(super) fn mask(text: &mut [u8], runs: &[Run]) {
    let end = text.len();
    for run in runs {
        text[run.at.start.min(end)..run.at.end.min(end)].fill(b'*');
    }
}

fn common<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).count()
}

/// The first place from one on that is in none of the runs, which are in order.
fn first_unmasked(mut at: usize, runs: &[Run]) -> usize {
    for run in runs {
        if run.at.contains(&at) {
            at = run.at.end;
        }
    }
    at
}

/// Bytes.
const LONGEST: usize = crate::LONGEST_SECRET;
