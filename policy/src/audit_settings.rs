//! `[audit]`: what a record survives, how long it is kept, and how it is shown to be genuine.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::amount::{Bytes, Time};
use crate::audit_sinks::AuditSink;

/// How the audit log is kept. The default is what counts where the document says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// What a record survives once it is written.
    pub durability: Durability,
    /// A file of the log with so many bytes is followed by another.
    pub segment_size: u64,
    /// So is one that was begun so long ago, if there is something in it.
    pub segment_age: Duration,
    /// Files that nobody writes to any more are compressed.
    pub compress: bool,
    /// Files that were last written to so long ago are removed, a day after that is seen (or as long after, if it is less): the clock may be
    /// wrong. None: however old they are, they stay.
    pub keep_for: Option<Duration>,
    /// The oldest files are removed while all have more bytes than this on the disk. None: however many.
    pub keep_at_most: Option<u64>,
    /// So many records after a checkpoint comes the next.
    pub checkpoint_every_events: u64,
    /// So long after a checkpoint comes the next, if there is something new.
    pub checkpoint_every: Duration,
    /// Checkpoints are appended to this file too, besides the one in the state directory. As written: a relative path is relative
    /// to the policy file.
    pub export_checkpoints: Option<PathBuf>,
    /// To which other systems events are delivered. Nothing is removed that one of them has not got.
    pub sinks: Vec<AuditSink>,
}

/// What a record survives once the call that wrote it has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The death of the process: it is with the kernel.
    #[default]
    Process,
    /// A power failure too: it is on the disk.
    Power,
}

/// A key of `[audit]` whose value is an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditAmount {
    SegmentSize,
    SegmentAge,
    KeepFor,
    KeepAtMost,
    CheckpointEveryEvents,
    CheckpointEvery,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Process,
            segment_size: 64 << 20, // some 100,000 records: read in a fraction of a second, and few files in a year
            segment_age: Duration::from_hours(24),
            compress: true,
            keep_for: None, // what nobody asked to have removed is not removed
            keep_at_most: None,
            checkpoint_every_events: 10_000,
            checkpoint_every: Duration::from_mins(1),
            export_checkpoints: None,
            sinks: Vec::new(),
        }
    }
}

impl Durability {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

impl AuditAmount {
    pub(crate) const ALL: [Self; 6] = [
        Self::SegmentSize,
        Self::SegmentAge,
        Self::KeepFor,
        Self::KeepAtMost,
        Self::CheckpointEveryEvents,
        Self::CheckpointEvery,
    ];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::SegmentSize => "segment_size",
            Self::SegmentAge => "segment_age",
            Self::KeepFor => "keep_for",
            Self::KeepAtMost => "keep_at_most",
            Self::CheckpointEveryEvents => "checkpoint_every_events",
            Self::CheckpointEvery => "checkpoint_every",
        }
    }

    /// In bytes, milliseconds or a number: outside of it the log would be all files, or one that nobody can handle.
    pub(crate) fn range(self) -> RangeInclusive<u64> {
        match self {
            Self::SegmentSize => 64 << 10..=1 << 30,
            Self::SegmentAge => SECOND..=366 * DAY,
            Self::KeepFor => SECOND..=100 * 366 * DAY,
            Self::KeepAtMost => 64 << 10..=1 << 50,
            Self::CheckpointEveryEvents => 1..=1_000_000_000,
            Self::CheckpointEvery => SECOND..=DAY,
        }
    }

    pub(crate) fn written(self, value: u64) -> String {
        match self {
            Self::SegmentSize | Self::KeepAtMost => format!("\"{}\"", Bytes(value)),
            Self::SegmentAge | Self::KeepFor | Self::CheckpointEvery => {
                format!("\"{}\"", Time(Duration::from_millis(value)))
            }
            Self::CheckpointEveryEvents => value.to_string(),
        }
    }
}

impl AuditSettings {
    pub(crate) fn set(&mut self, amount: AuditAmount, value: u64) {
        let time = Duration::from_millis(value);
        match amount {
            AuditAmount::SegmentSize => self.segment_size = value,
            AuditAmount::SegmentAge => self.segment_age = time,
            AuditAmount::KeepFor => self.keep_for = Some(time),
            AuditAmount::KeepAtMost => self.keep_at_most = Some(value),
            AuditAmount::CheckpointEveryEvents => self.checkpoint_every_events = value,
            AuditAmount::CheckpointEvery => self.checkpoint_every = time,
        }
    }

    fn amount(&self, amount: AuditAmount) -> Option<u64> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match amount {
            AuditAmount::SegmentSize => Some(self.segment_size),
            AuditAmount::SegmentAge => Some(milliseconds(self.segment_age)),
            AuditAmount::KeepFor => self.keep_for.map(milliseconds),
            AuditAmount::KeepAtMost => self.keep_at_most,
            AuditAmount::CheckpointEveryEvents => Some(self.checkpoint_every_events),
            AuditAmount::CheckpointEvery => Some(milliseconds(self.checkpoint_every)),
        }
    }
}

/// As in the file, one line each, what is the default too; without the sinks, which are tables of their own.
impl fmt::Display for AuditSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "durability = \"{}\"", self.durability.as_str())?;
        writeln!(f, "compress = {}", self.compress)?;
        for amount in AuditAmount::ALL {
            if let Some(value) = self.amount(amount) {
                writeln!(f, "{} = {}", amount.key(), amount.written(value))?;
            }
        }
        if let Some(path) = &self.export_checkpoints {
            writeln!(f, "export_checkpoints = \"{}\"", path.display())?;
        }
        Ok(())
    }
}

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 3_600 * SECOND;
