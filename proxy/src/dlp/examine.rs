//! Decides one candidate: an anchor at a place.

use outwall_policy::credential::{Check, CredentialShape, Joined, Step};

use super::line::{Character, Line};
use super::pattern::Pattern;
use super::proof;
use super::source::Source;

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A credential, whose raw bytes end here.
    Credential {
        end: usize,
    },
    Nothing,
    /// It depends on what follows.
    Undecided,
}

/// How far an expression led.
enum Reach {
    /// A match of this many bytes of the text, from where the walk began; the last character that was asked for is known.
    Match(usize),
    Nothing,
    /// It goes on. If nothing came any more, it would be a match.
    Undecided {
        as_it_is: bool,
    },
}

/// Decides a candidate, whose raw bytes match the pattern already or do so when their escapes are undone.
pub(super) fn examine(source: Source<'_>, shape: &CredentialShape, pattern: &Pattern, at: usize) -> Outcome {
    let Some(mut line) = Line::around(source, pattern, at) else {
        return Outcome::Nothing;
    };
    let mut undecided = false;
    for before_anchor in (pattern.at.0..=pattern.at.1).rev() {
        let Some(start) = line.anchor().checked_sub(before_anchor) else {
            continue;
        };
        match examine_from(&mut line, shape, start) {
            Outcome::Nothing => {}
            Outcome::Undecided => undecided = true,
            found @ Outcome::Credential { .. } => return found,
        }
    }
    if undecided {
        Outcome::Undecided
    } else {
        Outcome::Nothing
    }
}

fn examine_from(line: &mut Line<'_>, shape: &CredentialShape, start: usize) -> Outcome {
    let before = line.before(start);
    if shape.joined() == Joined::Apart && before.is_some_and(is_word) {
        return Outcome::Nothing;
    }
    let end = match walk(line, shape, start, before) {
        Reach::Nothing => return Outcome::Nothing,
        Reach::Undecided { as_it_is } if as_it_is && is_proven(line, shape, start) => line.text().len(),
        Reach::Undecided { .. } => return Outcome::Undecided,
        Reach::Match(end) => end,
    };
    let proven = proof::holds(shape, &line.text()[start..end]);
    if !proven || !stands_apart(line, shape, end) {
        return Outcome::Nothing;
    }
    Outcome::Credential {
        end: line.raw_end(end - 1),
    }
}

/// A good checksum needs no boundary, so it need not be waited for.
fn is_proven(line: &Line<'_>, shape: &CredentialShape, start: usize) -> bool {
    shape.check() == Check::Base62Crc32 && proof::holds(shape, &line.text()[start..])
}

fn stands_apart(line: &Line<'_>, shape: &CredentialShape, end: usize) -> bool {
    if shape.joined() == Joined::Both || shape.check() == Check::Base62Crc32 || line.may_end_before(end) {
        return true;
    }
    !line.text().get(end).copied().is_some_and(is_word)
}

/// The longest match from a place.
fn walk(line: &mut Line<'_>, shape: &CredentialShape, start: usize, before: Option<u8>) -> Reach {
    let Some(mut walk) = shape.expression().walk(before) else {
        return Reach::Nothing;
    };
    let mut longest = None;
    for index in start..=start + shape.longest() {
        let character = line.get(index);
        if line.may_end_before(index) && walk.would_match() {
            longest = Some(index);
        }
        match character {
            Character::Is(byte) => match walk.step(byte) {
                Step::Alive => {}
                Step::Matched => longest = Some(index),
                Step::Dead => break,
            },
            Character::End => {
                if walk.would_match() {
                    longest = Some(index);
                }
                break;
            }
            Character::More => {
                return Reach::Undecided {
                    as_it_is: walk.would_match(),
                };
            }
        }
    }
    longest.map_or(Reach::Nothing, Reach::Match)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
