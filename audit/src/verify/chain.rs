//! One writer's chain, record by record, over all its files.

use std::io::{self, BufRead};

use serde::Deserialize;

use super::{Checkpoint, Evidence, Misfit, text};
use crate::chain::{Hash, claimed_and_actual};
use crate::checkpoint::{Stated, Statement};
use crate::segment::Segment;

/// The fields of a record that place it in its chain.
#[derive(Deserialize)]
struct Link<'a> {
    seq: u64,
    #[serde(borrow)]
    id: &'a str,
    #[serde(borrow)]
    kind: &'a str,
    #[serde(borrow)]
    prev: &'a str,
}

/// Who wrote the first record of a file, and its number. None: there is no such record.
pub(super) fn first(from: impl BufRead) -> io::Result<Option<(String, u64)>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    let read: Option<Link<'_>> = serde_json::from_slice(&line).ok();
    Ok(read.and_then(|record| Some((record.id.rsplit_once('-')?.0.to_owned(), record.seq))))
}

pub(super) struct Chain<'a> {
    evidence: &'a Evidence,
    /// What was brought along about this writer and was not come to yet.
    due: &'a [&'a Statement],
    /// Every file of it was given.
    is_complete: bool,
    writer: Option<String>,
    /// The record before. None: whatever comes first is taken.
    before: Option<(u64, Hash)>,
    place: Place,
    /// Number and `prev` of the first record of all.
    began: Option<(u64, Hash)>,
    removals: Vec<Statement>,
    checkpoints: u64,
    broken: bool,
}

/// Where in a file the next record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Of the writer's first, as far as its name says.
    StartOfFirst,
    StartOfLater,
    Within,
}

impl<'a> Chain<'a> {
    pub(super) fn new(evidence: &'a Evidence, about: &'a [&'a Statement], is_complete: bool) -> Self {
        Self {
            evidence,
            due: about,
            is_complete,
            writer: None,
            before: None,
            place: Place::StartOfFirst,
            began: None,
            removals: Vec::new(),
            checkpoints: 0,
            broken: false,
        }
    }

    pub(super) fn begin_file(&mut self, segment: &Segment) {
        let is_first = segment.of().is_none_or(|of| of.number == 1);
        self.place = if is_first {
            Place::StartOfFirst
        } else {
            Place::StartOfLater
        };
        self.broken = false;
    }

    /// A file cannot be followed any further; the next one is looked at by itself.
    pub(super) fn is_broken(&mut self) {
        self.broken = true;
        self.before = None;
    }

    /// The number of the record that belongs next.
    pub(super) fn expected(&self) -> u64 {
        self.before.map_or(1, |(seq, _)| seq + 1)
    }

    pub(super) fn last(&self) -> Option<Checkpoint> {
        let (seq, hash) = self.before?;
        Some(Checkpoint {
            seq,
            hash: text(&hash),
        })
    }

    pub(super) fn began(&self) -> Option<(u64, String)> {
        self.began.as_ref().map(|(seq, hash)| (*seq, text(hash)))
    }

    pub(super) fn removals(&self) -> &[Statement] {
        &self.removals
    }

    pub(super) fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// The last of those that were brought along and should have been come to. None after a break: it may be behind that.
    pub(super) fn missed(&self, wanted: impl Fn(&Statement) -> bool) -> Option<&'a Statement> {
        let missed = self.due.iter().filter(|statement| wanted(statement));
        missed.copied().last().filter(|_| !self.broken)
    }

    pub(super) fn check(&mut self, line: &[u8]) -> Result<(), Misfit> {
        let (claimed, actual) = claimed_and_actual(line).ok_or(Misfit::NotARecord)?;
        if claimed != actual {
            return Err(Misfit::Changed);
        }
        let record: Link<'_> = serde_json::from_slice(line).map_err(|_| Misfit::NotARecord)?;
        let previous = Hash::parse(record.prev).ok_or(Misfit::NotARecord)?;
        self.check_place(record.seq, &previous)?;
        let (writer, number) = record.id.rsplit_once('-').ok_or(Misfit::NotARecord)?;
        if number.parse() != Ok(record.seq) {
            return Err(Misfit::NotARecord);
        }
        if self.writer.get_or_insert_with(|| writer.to_owned()) != writer {
            return Err(Misfit::AnotherWriter);
        }
        if matches!(record.kind, "checkpoint" | "segment.removed") {
            self.check_statement(line, record.seq, &previous)?;
        }
        self.check_evidence(record.seq, &actual)?;
        self.began.get_or_insert((record.seq, previous));
        self.before = Some((record.seq, actual));
        self.place = Place::Within;
        Ok(())
    }

    fn check_place(&self, found: u64, previous: &Hash) -> Result<(), Misfit> {
        let Some((seq, hash)) = &self.before else {
            let is_start = found == 1 && *previous == Hash::START;
            let may_begin = is_start || found > 1 && self.place == Place::StartOfLater;
            let follows = may_begin.then_some(());
            return follows.ok_or(Misfit::DoesNotFollow { expected: 1, found });
        };
        let expected = seq + 1;
        if found == expected && previous == hash {
            return Ok(());
        }
        if self.place != Place::Within && found > expected {
            let last = found - 1;
            let missing = Misfit::FilesMissing {
                first: expected,
                last,
            };
            return if self.is_complete { Err(missing) } else { Ok(()) };
        }
        Err(Misfit::DoesNotFollow { expected, found })
    }

    fn check_statement(&mut self, line: &[u8], seq: u64, previous: &Hash) -> Result<(), Misfit> {
        let line = str::from_utf8(line).map_err(|_| Misfit::NotARecord)?;
        let statement = Statement::parse(line).ok_or(Misfit::NotARecord)?;
        self.evidence.believe(&statement).map_err(Misfit::Disbelieved)?;
        if statement.kind() == Stated::Removed {
            self.removals.push(statement);
            return Ok(());
        }
        let is_of_this = Some(&statement.writer) == self.writer.as_ref()
            && statement.last_seq == seq - 1
            && statement.last_hash == previous.as_str();
        self.checkpoints += 1;
        is_of_this.then_some(()).ok_or(Misfit::FalseCheckpoint)
    }

    fn check_evidence(&mut self, seq: u64, hash: &Hash) -> Result<(), Misfit> {
        while let Some((statement, rest)) = self.due.split_first() {
            if statement.last_seq > seq {
                break;
            }
            self.due = rest;
            if statement.last_seq == seq {
                if statement.last_hash != hash.as_str() {
                    let signed_at = statement.signed_at.clone();
                    return Err(Misfit::WrittenAnew { signed_at });
                }
                self.checkpoints += 1;
            }
        }
        Ok(())
    }
}

/// Of what is looked at to find out whose a file is.
const LONGEST_LINE: u64 = 1 << 20;
