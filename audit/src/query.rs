//! Reading the log back: every file of a directory merged by time, filtered, once or as it grows.
//!
//! Reads without a lock: a line counts when its newline is there. Whether lines are genuine is [`crate::verify()`]'s question.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::event::Event;
pub use crate::filter::{Filter, Hosts};
use crate::segment::{self, Contents, Segment};

/// A file of the log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the audit log `{}`", path.display())]
pub struct ReadError {
    path: PathBuf,
    source: io::Error,
}

impl ReadError {
    pub(crate) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// Every wanted event of the log in `directory`, by time; those of one file in the order they were written in.
///
/// Files are opened when their time comes, so there are never more open than writers lived at once. A directory that does not
/// exist has no events.
pub fn read(directory: &Path, filter: Filter) -> Result<Events, ReadError> {
    let mut segments = segment::list(directory).map_err(ReadError::of(directory))?;
    segments.retain(|segment| may_reach(segment, filter.since));
    Ok(Events::new(segments, filter))
}

/// The iterator of [`read`].
#[derive(Debug)]
pub struct Events {
    filter: Filter,
    unopened: VecDeque<Segment>, // by name, so by start
    open: Vec<Reader>,
    heads: BinaryHeap<Reverse<Head>>,
    unreadable: u64,
}

/// The next event of an open file. The fields are in the order of comparison.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    at: String,
    reader: usize,
}

impl Events {
    pub(crate) fn new(files: Vec<Segment>, filter: Filter) -> Self {
        Self {
            filter,
            unopened: files.into(),
            open: Vec::new(),
            heads: BinaryHeap::new(),
            unreadable: 0,
        }
    }

    /// Lines met so far that are no events. Damage: `outwall audit verify` says where.
    pub fn unreadable_lines(&self) -> u64 {
        self.unreadable
    }

    /// Opens every file that may hold something before the first event at hand.
    fn open_what_is_due(&mut self) -> Result<(), ReadError> {
        while let Some(segment) = self.unopened.front() {
            if self
                .heads
                .peek()
                .is_some_and(|Reverse(head)| head.at < segment.earliest())
            {
                return Ok(());
            }
            let segment = self.unopened.pop_front().expect("it was just looked at");
            let reader = Reader::open(segment, 0)?;
            self.open.push(reader);
            self.advance(self.open.len() - 1)?;
        }
        Ok(())
    }

    /// Reads the next event of an open file, closes it when there is none.
    fn advance(&mut self, index: usize) -> Result<(), ReadError> {
        let reader = &mut self.open[index];
        match reader.next_event(&mut self.unreadable)? {
            Some(event) => {
                self.heads.push(Reverse(Head {
                    at: event.at.clone(),
                    reader: index,
                }));
                reader.head = Some(event);
            }
            None => reader.lines = None,
        }
        Ok(())
    }

    fn next_of_all(&mut self) -> Result<Option<Event>, ReadError> {
        self.open_what_is_due()?;
        let Some(Reverse(first)) = self.heads.pop() else {
            return Ok(None);
        };
        let event = self.open[first.reader].head.take();
        self.advance(first.reader)?;
        Ok(event)
    }
}

impl Iterator for Events {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_of_all().transpose()? {
                Ok(event) if !self.filter.wants(&event) => {}
                other => return Some(other),
            }
        }
    }
}

/// One file, read from a position.
#[derive(Debug)]
struct Reader {
    segment: Segment,
    lines: Option<BufReader<Contents>>, // `None` once it is read to its end
    position: u64,                      // after the last whole line
    head: Option<Event>,
}

impl Reader {
    fn open(segment: Segment, position: u64) -> Result<Self, ReadError> {
        let contents = segment
            .read_from(position)
            .map_err(ReadError::of(segment.path()))?;
        Ok(Self {
            lines: Some(BufReader::with_capacity(64 << 10, contents)),
            segment,
            position,
            head: None,
        })
    }

    fn next_event(&mut self, unreadable: &mut u64) -> Result<Option<Event>, ReadError> {
        let Some(lines) = &mut self.lines else {
            return Ok(None);
        };
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = lines
                .read_until(b'\n', &mut line)
                .map_err(ReadError::of(self.segment.path()))?;
            let Some(whole) = line.strip_suffix(b"\n") else {
                return Ok(None);
            };
            self.position += count as u64;
            match str::from_utf8(whole).ok().and_then(Event::parse) {
                Some(event) => return Ok(Some(event)),
                None => *unreadable += 1,
            }
        }
    }
}

/// Reads a log as it grows: [`Follow::poll`] again and again, up to 100 ms apart.
#[derive(Debug)]
pub struct Follow {
    directory: PathBuf,
    filter: Filter,
    positions: HashMap<String, u64>, // by stem
}

impl Follow {
    /// From here on.
    pub fn from_now(directory: &Path, filter: Filter) -> Result<Self, ReadError> {
        let mut follow = Self::from_start(directory, filter);
        for segment in segment::list(directory).map_err(ReadError::of(directory))? {
            match end_of_lines(&segment) {
                Ok(end) => follow.positions.insert(segment.stem().to_owned(), end),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // removed since it was listed
                Err(error) => return Err(ReadError::of(segment.path())(error)),
            };
        }
        Ok(follow)
    }

    /// Everything so far first.
    pub fn from_start(directory: &Path, filter: Filter) -> Self {
        Self {
            directory: directory.to_owned(),
            filter,
            positions: HashMap::new(),
        }
    }

    /// The wanted events since the last call, by time. Does not wait.
    pub fn poll(&mut self) -> Result<Vec<Event>, ReadError> {
        let mut events = self.read_new()?;
        events.retain(|event| self.filter.wants(event));
        events.sort_by(|one, other| one.at.cmp(&other.at)); // stable: a file's own order stays
        Ok(events)
    }

    fn read_new(&mut self) -> Result<Vec<Event>, ReadError> {
        let segments = segment::list(&self.directory).map_err(ReadError::of(&self.directory))?;
        let mut events = Vec::new();
        for segment in segments {
            let known = self.positions.get(segment.stem()).copied();
            if known.is_none() && !may_reach(&segment, self.filter.since) {
                continue; // too old, whatever is in it
            }
            let position = known.unwrap_or_default();
            if segment.length().unwrap_or(0) > position {
                // 0: it is gone
                let mut reader = Reader::open(segment, position)?;
                while let Some(event) = reader.next_event(&mut 0)? {
                    events.push(event);
                }
                self.positions
                    .insert(reader.segment.stem().to_owned(), reader.position);
            }
        }
        Ok(events)
    }
}

/// Where the last whole line ends: what follows it is a line in the making, whose rest will come.
fn end_of_lines(segment: &Segment) -> io::Result<u64> {
    let mut back = LONGEST_LINE;
    loop {
        let start = segment.length()?.saturating_sub(back);
        let mut end = Vec::new();
        segment.read_from(start)?.read_to_end(&mut end)?;
        if let Some(newline) = end.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        if start == 0 {
            return Ok(0);
        }
        back *= 8;
    }
}

/// As a rule.
const LONGEST_LINE: u64 = 64 << 10;

/// Whether a file may hold something as late as `since`. Of one that is finished the time of writing is not before that of any event; in
/// another, the clock may have gone back.
fn may_reach(segment: &Segment, since: Option<Timestamp>) -> bool {
    match (since, segment.is_finished(), segment.modified()) {
        (Some(since), Ok(true), Ok(written)) => written >= SystemTime::from(since),
        _ => true,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn line(at: &str, kind: &str, sandbox: &str, seq: u64) -> String {
        format!(
            "{{\"v\":1,\"seq\":{seq},\"id\":\"w-{seq}\",\"at\":\"{at}\",\"kind\":\"{kind}\",\"sandbox\":\"{sandbox}\"}}\n"
        )
    }

    fn at(second: u64) -> String {
        format!("2026-11-21T03:00:{second:02}.000000000Z")
    }

    /// Three files whose times overlap.
    fn some_log() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let file = |start: u64, seconds: &[u64], kind: &str, sandbox: &str| {
            let path = directory
                .path()
                .join(format!("2026-11-21T03-00-{start:02}Z-1-{start:012x}.jsonl"));
            let text: String = seconds
                .iter()
                .map(|second| line(&at(*second), kind, sandbox, *second))
                .collect();
            fs::write(path, text).unwrap();
        };
        file(1, &[1, 4, 9], "denied", "s-00000001");
        file(2, &[2, 3, 8], "dns", "s-00000002");
        file(7, &[7], "finding", "s-10000003");
        directory
    }

    fn seqs(directory: &Path, filter: Filter) -> Vec<u64> {
        read(directory, filter)
            .unwrap()
            .map(|event| event.unwrap().seq)
            .collect()
    }

    #[test]
    fn files_are_merged_by_time() {
        let log = some_log();
        assert_eq!(seqs(log.path(), Filter::default()), [1, 2, 3, 4, 7, 8, 9]);
    }

    #[test]
    fn filters_leave_what_is_wanted() {
        let log = some_log();
        let since = Some(at(4).parse().unwrap());
        assert_eq!(
            seqs(
                log.path(),
                Filter {
                    denied: true,
                    ..Filter::default()
                }
            ),
            [1, 4, 9]
        );
        assert_eq!(
            seqs(
                log.path(),
                Filter {
                    sandbox: Some("s-0".into()),
                    ..Filter::default()
                }
            ),
            [1, 2, 3, 4, 8, 9]
        );
        assert_eq!(
            seqs(
                log.path(),
                Filter {
                    sandbox: Some("s-00000002".into()),
                    since,
                    ..Filter::default()
                }
            ),
            [8]
        );
        let never = Filter {
            since: Some(Timestamp::MAX),
            ..Filter::default()
        };
        assert!(seqs(log.path(), never).is_empty());
    }

    #[test]
    fn a_file_opens_only_when_its_time_comes() {
        let log = some_log();
        let mut events = read(log.path(), Filter::default()).unwrap();
        let mut waiting = || {
            events.next();
            events.unopened.len()
        };
        let waiting: Vec<_> = (0..7).map(|_| waiting()).collect();
        assert_eq!(waiting, [2, 1, 1, 1, 0, 0, 0], "those that begin at :02 and :07");
    }

    #[test]
    fn a_line_in_the_making_is_not_there_yet_and_damage_is_counted() {
        let log = some_log();
        let path = log.path().join("2026-11-21T03-00-30Z-1-00000000002a.jsonl");
        fs::write(
            &path,
            format!("rubbish\n{}{{\"v\":1", line(&at(31), "dns", "s-1", 31)),
        )
        .unwrap();
        let mut events = read(log.path(), Filter::default()).unwrap();
        assert_eq!(events.by_ref().last().unwrap().unwrap().seq, 31);
        assert_eq!(events.unreadable_lines(), 1);
    }

    #[test]
    fn following_sees_each_event_once_and_new_files_too() {
        let log = some_log();
        let poll = |follow: &mut Follow| {
            follow
                .poll()
                .unwrap()
                .iter()
                .map(|event| event.seq)
                .collect::<Vec<_>>()
        };
        let mut all = Follow::from_start(log.path(), Filter::default());
        let mut new = Follow::from_now(log.path(), Filter::default()).unwrap();
        assert_eq!(poll(&mut all), [1, 2, 3, 4, 7, 8, 9]);
        assert!(poll(&mut all).is_empty() && poll(&mut new).is_empty());

        let path = log.path().join("2026-11-21T03-00-30Z-1-00000000002a.jsonl");
        let whole = line(&at(31), "dns", "s-1", 31);
        let (first, second) = whole.split_at(20);
        fs::write(&path, first).unwrap();
        assert!(
            poll(&mut all).is_empty() && poll(&mut new).is_empty(),
            "half a line"
        );
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(second.as_bytes())
            .unwrap();
        assert_eq!((poll(&mut all), poll(&mut new)), (vec![31], vec![31]));
    }

    #[test]
    fn a_log_that_was_never_written_has_no_events() {
        let directory = tempfile::tempdir().unwrap();
        assert!(seqs(&directory.path().join("absent"), Filter::default()).is_empty());
    }
}
