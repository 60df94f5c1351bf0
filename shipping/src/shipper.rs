//! [`Shipper`]: the way of events to one receiver. [`Shipper::step`] is all of it.
//!
//! # One event that a receiver cannot bear
//!
//! It neither blocks those after it nor vanishes. A batch that is refused for what is in it is halved until it is known which event it
//! is; that one is kept in a file. Where a receiver *fails* at an event (500, the connection breaks off), it cannot be told from one that
//! is down. So after some tries the batch is halved too, and an event that fails alone is kept only when others were taken after it
//! had failed: a receiver that is down takes none, and then nothing is given up.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outwall_audit::Event;
use outwall_policy::audit_sinks::AuditSink;

use crate::backoff::Backoff;
use crate::batch::{Batch, Formatter, Item};
use crate::cursor::{Cursor, CursorError};
use crate::files::SinkFiles;
use crate::log::{Line, Tail};
use crate::rejected;
use crate::service::Voice;
use crate::sink::{Failure, Means, Sink, Suspicion, told};
use crate::state::Told;

/// Ships to one receiver. Whoever has it holds the lock of the sink.
pub(crate) struct Shipper {
    spec: AuditSink,
    sink: Sink,
    files: SinkFiles,
    cursor: Cursor,
    tail: Tail,
    formatter: Formatter,
    /// Events that were read and are not settled.
    batch: Option<Batch>,
    suspects: Suspects,
    backoff: Backoff,
    told: Told,
    voice: Voice,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is nothing to send.
    Idle,
    /// Something was settled.
    Progress,
    /// Nothing was, and it is better to wait so long.
    Later(Duration),
}

/// Who might be why a receiver fails.
#[derive(Debug, Default)]
struct Suspects {
    /// Failures of the part at hand.
    failures: u32,
    halved: bool,
    /// Of events alone: how often, and how much had been taken when it first failed.
    alone: HashMap<usize, (u32, u64)>,
    /// Parts that were taken.
    taken: u64,
    /// Events rejected since one was taken.
    rejected_in_a_row: u32,
    /// Events of this batch that were rejected.
    put_aside: u64,
}

impl Shipper {
    pub(crate) fn open(
        spec: AuditSink,
        directory: &Path,
        means: Arc<Means>,
        (voice, first_wait): (Voice, Duration),
    ) -> Result<Self, CursorError> {
        let files = SinkFiles::new(directory, spec.name.as_str());
        let cursor = Cursor::open(&files)?;
        let shipper = Self {
            sink: Sink::new(&spec, means),
            tail: Tail::from(&cursor, directory),
            formatter: Formatter::new(&spec),
            batch: None,
            suspects: Suspects::default(),
            backoff: Backoff::new(first_wait),
            told: Told::go_on(&files),
            voice,
            cursor,
            files,
            spec,
        };
        shipper.told.write(&shipper.files);
        Ok(shipper)
    }

    /// Reads some events, sends them, writes down that they were taken; or a part of that.
    pub(crate) async fn step(&mut self) -> Step {
        match self.advance().await {
            Ok(step) => step,
            Err(failure) => {
                let after = match &failure {
                    Failure::Later { after, .. } => *after,
                    Failure::Unacceptable { .. } => None,
                };
                self.failed(failure.why());
                Step::Later(self.backoff.after_failure(after))
            }
        }
    }

    /// Why nothing could be delivered, the last time.
    pub(crate) fn last_trouble(&self) -> Option<&str> {
        let trouble = self.told.last_error.as_ref()?;
        (self.told.failures > 0).then_some(trouble.why.as_str())
    }

    async fn advance(&mut self) -> Result<Step, Failure> {
        if !self.load()? {
            return Ok(Step::Idle);
        }
        while let Some(part) = self.batch_mut().parts.front().cloned() {
            self.send(&part).await?;
        }
        self.settle()?;
        Ok(Step::Progress)
    }

    /// Whether there is a batch. One whose last event is a suspect gets company, for a receiver that takes others shows that it is not
    /// down.
    fn load(&mut self) -> Result<bool, Failure> {
        let lonely = self
            .batch
            .as_ref()
            .is_some_and(|batch| self.suspects.is_lonely(batch));
        if self.batch.is_some() && !lonely {
            return Ok(true);
        }
        let lines = self.read()?;
        if lines.is_empty() {
            return Ok(self.batch.is_some());
        }
        let items = self.items(&lines)?;
        if let Some(batch) = &mut self.batch {
            batch.absorb(&lines, items);
        } else {
            self.suspects.forget_batch();
            self.batch = Some(Batch::new(&lines, items));
        }
        Ok(true)
    }

    fn read(&mut self) -> Result<Vec<Line>, Failure> {
        let read = self.tail.read(self.spec.batch, MOST_BYTES);
        let reading = read.map_err(|error| Failure::later(format!("the log cannot be read: {error}")))?;
        for stem in reading.read_again {
            tracing::warn!(sink = %self.spec.name, %stem, "a file of the audit log was cut back below what was sent: it is sent again");
        }
        Ok(reading.lines)
    }

    /// What is wanted of these lines. What is no event cannot be sent, and is kept like what a receiver does not take.
    fn items(&mut self, lines: &[Line]) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::with_capacity(lines.len());
        for line in lines {
            match str::from_utf8(&line.text).ok().and_then(Event::parse) {
                Some(event) => items.extend(self.formatter.item(event)),
                None => self.keep_rejected(&line.text, "the line of the log is no event")?,
            }
        }
        Ok(items)
    }

    async fn send(&mut self, part: &[usize]) -> Result<(), Failure> {
        let batch = self.batch.as_ref().expect("a part is of a batch");
        let sent = self.sink.send(&batch.of_part(part)).await;
        match sent {
            Ok(answer) => {
                for (index, why) in &answer.rejected {
                    self.reject(part[*index], why)?;
                }
                let again: Vec<usize> = answer.again.iter().map(|index| part[*index]).collect();
                let parts = &mut self.batch_mut().parts;
                parts.pop_front();
                if answer.rejected.len() + again.len() < part.len() {
                    self.took();
                }
                if again.is_empty() {
                    return self.slow_down_if_all_are_rejected();
                }
                let why = format!("it is too busy for {} of {} events", again.len(), part.len());
                self.batch_mut().parts.push_front(again);
                Err(Failure::later(why))
            }
            Err(Failure::Unacceptable { why }) => {
                if let [only] = part {
                    self.reject(*only, &why)?;
                    self.batch_mut().parts.pop_front();
                    return self.slow_down_if_all_are_rejected();
                }
                self.halve(part);
                Ok(())
            }
            Err(failure) => self.suspect(part, failure),
        }
    }

    /// After a failure that one of these may be the cause of.
    fn suspect(&mut self, part: &[usize], failure: Failure) -> Result<(), Failure> {
        let Failure::Later {
            suspicion: Suspicion::Possible,
            ..
        } = &failure
        else {
            return Err(failure);
        };
        if let [only] = part {
            if self.suspects.is_convicted(*only) {
                self.reject(*only, failure.why())?;
                self.batch_mut().parts.pop_front();
                return Ok(());
            }
            self.batch_mut().parts.rotate_left(1); // others first
        } else if self.suspects.is_to_be_halved() {
            self.halve(part);
        }
        Err(failure)
    }

    fn halve(&mut self, part: &[usize]) {
        let batch = self.batch_mut();
        batch.parts.pop_front();
        batch.split(part);
    }

    fn took(&mut self) {
        self.suspects.taken += 1;
        self.suspects.failures = 0;
        self.suspects.rejected_in_a_row = 0;
        self.backoff.after_success();
        if self.told.failures >= SAID_AFTER {
            (self.voice)(&format!("audit sink `{}` takes events again", self.spec.name));
        }
        self.told.succeeded();
        self.told.write(&self.files);
    }

    /// A receiver that takes none of them is asked slowly, so that somebody can mend it before all are put aside.
    fn slow_down_if_all_are_rejected(&mut self) -> Result<(), Failure> {
        if self.suspects.rejected_in_a_row < MOST_REJECTED_IN_A_ROW {
            return Ok(());
        }
        Err(Failure::later(format!(
            "it refused the last {} events for what is in them; they are in `{}`",
            self.suspects.rejected_in_a_row,
            self.files.rejected().display()
        )))
    }

    fn reject(&mut self, index: usize, why: &str) -> Result<(), Failure> {
        let line = self.batch_mut().items[index].event.line.clone();
        self.keep_rejected(line.as_bytes(), why)?;
        self.suspects.rejected_in_a_row += 1;
        self.suspects.put_aside += 1;
        Ok(())
    }

    fn keep_rejected(&mut self, line: &[u8], why: &str) -> Result<(), Failure> {
        let place = self.files.rejected();
        rejected::keep(&self.files, line, why)
            .map_err(|error| Failure::later(format!("cannot write `{}`: {error}", place.display())))?;
        self.cursor.rejected += 1;
        tracing::error!(sink = %self.spec.name, why, "an event was not taken, and is kept in a file");
        if self.cursor.rejected.is_power_of_two() {
            (self.voice)(&format!(
                "audit sink `{}` does not take an event (the {}. so far): {why}\n  hint: what it did not take is in `{}`",
                self.spec.name,
                self.cursor.rejected,
                place.display()
            ));
        }
        Ok(())
    }

    /// Everything of the batch is taken or put aside: that is on the disk before anything else is read.
    fn settle(&mut self) -> Result<(), Failure> {
        let batch = self.batch.as_ref().expect("a batch is settled");
        let mut cursor = self.cursor.clone();
        for (stem, (end, tip)) in &batch.ends {
            cursor.positions.insert(stem.clone(), *end);
            match tip {
                Some(tip) => cursor.tips.insert(stem.clone(), tip.clone()),
                None => cursor.tips.remove(stem),
            };
        }
        cursor.delivered += (batch.items.len() as u64).saturating_sub(self.suspects.put_aside);
        if let Ok(stems) = self.tail.stems() {
            cursor.keep_only(&stems);
        }
        cursor
            .save(&self.files)
            .map_err(|error| Failure::later(told(&error)))?;
        self.cursor = cursor;
        self.batch = None;
        Ok(())
    }

    fn failed(&mut self, why: &str) {
        self.told.failed(why);
        self.told.write(&self.files);
        tracing::warn!(sink = %self.spec.name, why, failures = self.told.failures, "events are not delivered");
        if self.told.failures == SAID_AFTER {
            (self.voice)(&format!(
                "audit sink `{}` at {} gets no events: {why}\n  hint: it is tried again, and nothing is lost; `outwall audit sinks` says how it goes",
                self.spec.name,
                self.spec.place()
            ));
        }
    }

    fn batch_mut(&mut self) -> &mut Batch {
        self.batch.as_mut().expect("there is one while it is sent")
    }
}

impl Suspects {
    fn forget_batch(&mut self) {
        (self.failures, self.halved, self.put_aside) = (0, false, 0);
        self.alone.clear();
    }

    fn is_to_be_halved(&mut self) -> bool {
        self.failures += 1;
        let enough = if self.halved { 2 } else { 5 };
        let halve = self.failures >= enough;
        if halve {
            (self.failures, self.halved) = (0, true);
        }
        halve
    }

    /// It failed often enough, and others were taken meanwhile.
    fn is_convicted(&mut self, index: usize) -> bool {
        let (times, taken_before) = self.alone.entry(index).or_insert((0, self.taken));
        *times += 1;
        *times >= 6 && self.taken > *taken_before
    }

    fn is_lonely(&self, batch: &Batch) -> bool {
        let only = batch
            .parts
            .front()
            .filter(|part| batch.parts.len() == 1 && part.len() == 1);
        only.is_some_and(|part| self.alone.get(&part[0]).is_some_and(|(times, _)| *times >= 3))
    }
}

/// Of a batch: some seconds' worth for any receiver, and below what the usual ones take at once.
const MOST_BYTES: usize = 1 << 20;
/// A receiver that is started again fails once or twice.
const SAID_AFTER: u32 = 3;
const MOST_REJECTED_IN_A_ROW: u32 = 5;
