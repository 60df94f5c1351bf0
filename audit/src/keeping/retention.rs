//! Removes the oldest finished files, where the policy says so.
//!
//! Never: a file that is being written; one whose writer has older ones; one that a sink has not acknowledged to its end; one that does
//! not hold together (that is evidence); one whose age is not believed yet ([`super::overdue`]). A removal is on record, signed, before it is done, so that [`crate::verify()`] can tell it
//! from tampering.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use outwall_policy::AuditSettings;
use serde::Deserialize;

use super::overdue::Overdue;
use crate::chain::Hash;
use crate::checkpoint::{Stated, Statement};
use crate::event::WriterId;
use crate::segment::{self, Segment, SegmentOf};
use crate::shared::Core;
use crate::verify;
use crate::writer::WriteError;

/// Removes what has to go. What keeps something that should go, in words.
pub(super) fn apply(core: &Core, settings: &AuditSettings) -> Result<Option<String>, WriteError> {
    if settings.keep_for.is_none() && settings.keep_at_most.is_none() {
        return Ok(None);
    }
    let segments = segment::list(&core.directory)?;
    let sinks = Sinks::of(&core.directory)?;
    let mut left: u64 = segments.iter().filter_map(|segment| segment.size().ok()).sum();
    let too_old = TooOld::look(core, settings, &segments)?;
    let mut oldest = oldest(&segments);
    for segment in &segments {
        let Some(of) = segment.of() else { continue }; // not ours
        let too_much = settings.keep_at_most.is_some_and(|most| left > most);
        let Some(why) = why_removed(too_old.is(segment), too_much) else {
            continue;
        };
        let is_oldest = oldest.get(&of.writer) == Some(&of.number);
        if !is_oldest || !segment.is_finished()? || segment.is_being_written()? {
            continue;
        }
        if let Some(sink) = sinks.one_that_waits_for(segment)? {
            return Ok(Some(format!(
                "{} should be removed ({why}), and the sink `{sink}` has not acknowledged all of it",
                segment.file_name()
            )));
        }
        let size = segment.size()?;
        if let Err(Damaged) = remove(core, segment, of, why)? {
            return Ok(Some(format!(
                "{} should be removed ({why}), and does not hold together: it is kept as evidence (`outwall audit verify`)",
                segment.file_name()
            )));
        }
        left -= size.min(left);
        oldest.insert(of.writer, of.number + 1);
    }
    Ok(None)
}

/// Which files are older than the policy wants, at this time.
struct TooOld {
    keep_for: Option<Duration>,
    now: Timestamp,
    overdue: Overdue,
}

impl TooOld {
    fn look(core: &Core, settings: &AuditSettings, segments: &[Segment]) -> io::Result<Self> {
        let (keep_for, now) = (settings.keep_for, (core.clock)());
        let overdue = match keep_for {
            Some(keep_for) => Overdue::look(&core.directory, segments, keep_for, now)?,
            None => Overdue::default(),
        };
        Ok(Self {
            keep_for,
            now,
            overdue,
        })
    }

    fn is(&self, segment: &Segment) -> bool {
        let is_believed = |keep_for| self.overdue.is_believed(segment, keep_for, self.now);
        self.keep_for.is_some_and(is_believed)
    }
}

fn why_removed(too_old: bool, too_much: bool) -> Option<&'static str> {
    match (too_old, too_much) {
        (true, _) => Some("it is older than keep_for"),
        (false, true) => Some("there is more than keep_at_most"),
        (false, false) => None,
    }
}

/// The number of the oldest file of each writer.
fn oldest(segments: &[Segment]) -> HashMap<WriterId, u32> {
    let mut oldest = HashMap::new();
    for of in segments.iter().filter_map(Segment::of) {
        let number = oldest.entry(of.writer).or_insert(of.number);
        *number = of.number.min(*number);
    }
    oldest
}

/// It is not what its writer wrote.
struct Damaged;

fn remove(
    core: &Core,
    segment: &Segment,
    of: SegmentOf,
    why: &str,
) -> Result<Result<(), Damaged>, WriteError> {
    let report = verify::check_segment(segment).map_err(io::Error::other)?;
    if report.problem.is_some() || report.torn_bytes > 0 {
        return Ok(Err(Damaged));
    }
    if let Some(last) = report.last {
        let hash = Hash::parse(&last.hash).expect("it is of a record that was checked");
        let about = (of.writer, segment.stem());
        let statement = Statement::sign(&core.key, Stated::Removed, about, (last.seq, &hash));
        core.write(statement.event(), |line| {
            statement.write(line);
            line.text(
                "message",
                format_args!("{} is removed: {why}", segment.file_name()),
            );
        })?;
        super::export(core, &[statement])?;
    }
    fs::remove_file(segment.path())?;
    segment::sync_directory(&core.directory)?;
    Ok(Ok(()))
}

/// How far each configured sink has acknowledged the log: `sinks/NAME.json` beside it.
struct Sinks(BTreeMap<String, Acknowledged>);

/// By stem, in uncompressed bytes.
#[derive(Default, Deserialize)]
struct Acknowledged {
    positions: HashMap<String, u64>,
}

impl Sinks {
    fn of(directory: &Path) -> io::Result<Self> {
        let entries = match fs::read_dir(directory.join("sinks")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(BTreeMap::new())),
            Err(error) => return Err(error),
        };
        let mut sinks = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let acknowledged = serde_json::from_reader(BufReader::new(File::open(&path)?));
            sinks.insert(name, acknowledged.unwrap_or_default()); // what cannot be read has acknowledged nothing
        }
        Ok(Self(sinks))
    }

    fn one_that_waits_for(&self, segment: &Segment) -> io::Result<Option<&str>> {
        let length = segment.length()?;
        let waits = |acknowledged: &Acknowledged| {
            let position = acknowledged.positions.get(segment.stem());
            position.copied().unwrap_or_default() < length
        };
        let mut sinks = self.0.iter();
        Ok(sinks
            .find(|(_, acknowledged)| waits(acknowledged))
            .map(|(name, _)| name.as_str()))
    }
}
