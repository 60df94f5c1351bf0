//! Whether files of a log are what was written: the first record of each that does not fit, and why.
//!
//! 1. Within a file each record has the hash of its bytes, and follows the one before.
//! 2. A writer's files follow each other. What is missing at their beginning has a signed removal.
//! 3. A checkpoint in the chain is about the record before it, and its signature fits.
//! 4. Every checkpoint that was brought along ([`Evidence`]) finds its record, with its hash: so nothing was cut off or written anew.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::chain::Hash;
use crate::checkpoint::{self, Disbelief, KeyError, PublicKeys, SigningKey, Stated, Statement};
use crate::query::ReadError;
use crate::segment::{self, Segment};

mod chain;
mod misfit;

use chain::Chain;
pub use misfit::{Misfit, Unfit};

/// What records are checked against, beside themselves.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    keys: Option<PublicKeys>,
    statements: Vec<Statement>,
    faults: Vec<Fault>,
}

/// Why what a log has itself cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its checkpoints.
    #[error(transparent)]
    Checkpoints(#[from] ReadError),
}

/// What [`verify()`] found.
#[derive(Debug)]
pub struct Report {
    /// One for each file, in the order of their beginning.
    pub files: Vec<FileReport>,
    /// What does not fit, and is at no record.
    pub faults: Vec<Fault>,
    /// How many checkpoints were found to be true, in the chains and beside them.
    pub checkpoints: u64,
    /// Whether signatures were checked: a key was given.
    pub signatures_checked: bool,
}

/// Something that does not fit, and is at no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line of a file of checkpoints is none.
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
    },
    /// It is one, and is not believed.
    Disbelieved {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Why not.
        why: Disbelief,
    },
    /// It is about a writer of whom there is no file, and no signed removal.
    WriterMissing {
        /// The stem of the file that is missing.
        file: String,
        /// When it was signed that there was one.
        signed_at: String,
    },
}

/// What was found in one file.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// How many records fit.
    pub records: u64,
    /// The last of them: kept elsewhere, it shows later whether the end of the file was cut off or written anew.
    pub last: Option<Checkpoint>,
    /// The first that does not fit. What follows it is not looked at.
    pub problem: Option<Unfit>,
    /// Bytes of a last line without its end. In a file that is being written, a line in the making; else what a crash left, which the
    /// next start of a gate repairs and notes.
    pub torn_bytes: u64,
    /// Somebody is writing to it.
    pub being_written: bool,
}

/// Where a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of the record in its chain.
    pub seq: u64,
    /// Its hash, 64 hex digits.
    pub hash: String,
}

impl Report {
    /// Nothing that does not fit.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.files.iter().all(|file| file.problem.is_none())
    }

    /// How many records fit, in all files.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }
}

impl Evidence {
    /// With keys that checkpoints must be signed by. Without, their signatures are not checked.
    pub fn signed_by(keys: PublicKeys) -> Self {
        Self {
            keys: Some(keys),
            ..Self::default()
        }
    }

    /// What a log has itself: the key in its directory, if there is one, and the checkpoints beside it. Whoever could write there
    /// could change them, too.
    pub fn beside(directory: &Path) -> Result<Self, EvidenceError> {
        let mut evidence = if checkpoint::has_key(directory) {
            Self::signed_by(SigningKey::open(directory)?.public())
        } else {
            Self::default()
        };
        let checkpoints = checkpoint::beside(directory);
        if checkpoints.exists() {
            evidence.add_file(&checkpoints)?;
        }
        Ok(evidence)
    }

    /// Adds what a file of checkpoints says.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ReadError> {
        let read = checkpoint::read(path).map_err(ReadError::of(path))?;
        for (line, statement) in (1..).zip(read) {
            let path = path.to_owned();
            match statement {
                Err(line) => self.faults.push(Fault::NotACheckpoint { path, line }),
                Ok(statement) => match self.believe(&statement) {
                    Ok(()) => self.statements.push(statement),
                    Err(why) => self.faults.push(Fault::Disbelieved { path, line, why }),
                },
            }
        }
        Ok(())
    }

    pub(crate) fn believe(&self, statement: &Statement) -> Result<(), Disbelief> {
        self.keys.as_ref().map_or(Ok(()), |keys| statement.check(keys))
    }

    /// Those about one writer, by the number of their record.
    fn about(&self, writer: &str) -> Vec<&Statement> {
        let about = self.statements.iter();
        let mut about: Vec<_> = about.filter(|statement| statement.writer == writer).collect();
        about.sort_by_key(|statement| statement.last_seq);
        about
    }
}

/// Checks files, and all files of the log in directories. Of a directory nothing may be missing; of files that are named one by one,
/// what lies between them is not asked for.
pub fn verify(paths: &[PathBuf], evidence: &Evidence) -> Result<Report, ReadError> {
    let mut walk = Walk {
        evidence,
        is_complete: paths.iter().all(|path| path.is_dir()),
        reports: Vec::new(),
        beginnings: Vec::new(),
        removed: Removed::default(),
        checkpoints: 0,
    };
    let mut segments = Vec::new();
    for path in paths {
        if path.is_dir() {
            segments.extend(segment::list(path).map_err(ReadError::of(path))?);
        } else {
            segments.push(Segment::named(path));
        }
    }
    let stems: Vec<String> = segments.iter().map(|segment| segment.stem().to_owned()).collect();
    let mut seen = Vec::new();
    for (writer, files) in by_writer(segments)? {
        walk.writer(&writer, files, &stems)?;
        seen.push(writer);
    }
    Ok(walk.conclude(&seen))
}

/// A file, and where it is in the order in which files were given.
type Numbered = (usize, Segment);

/// The files of each writer, in the order of their first records. Without a record: by themselves.
fn by_writer(segments: Vec<Segment>) -> Result<Vec<(String, Vec<Numbered>)>, ReadError> {
    let mut writers: BTreeMap<(usize, String), Vec<(u64, Numbered)>> = BTreeMap::new();
    let mut first_file: HashMap<String, usize> = HashMap::new();
    for (number, segment) in segments.into_iter().enumerate() {
        let contents = segment.read_from(0).map_err(ReadError::of(segment.path()))?;
        let first = chain::first(BufReader::new(contents)).map_err(ReadError::of(segment.path()))?;
        let (writer, seq) = first.unwrap_or_else(|| (format!("of {}", segment.stem()), 0));
        let place = *first_file.entry(writer.clone()).or_insert(number);
        let files = writers.entry((place, writer)).or_default();
        files.push((seq, (number, segment)));
    }
    let in_order = writers.into_iter().map(|((_, writer), mut files)| {
        files.sort_by_key(|(seq, _)| *seq);
        (writer, files.into_iter().map(|(_, file)| file).collect())
    });
    Ok(in_order.collect())
}

/// Signed removals: up to which record, with which hash, by writer.
#[derive(Default)]
struct Removed(HashMap<String, Vec<(u64, String)>>);

impl Removed {
    fn add(&mut self, statement: &Statement) {
        let of_writer = self.0.entry(statement.writer.clone()).or_default();
        of_writer.push((statement.last_seq, statement.last_hash.clone()));
    }

    fn is_before(&self, writer: &str, beginning: &Beginning) -> bool {
        let before = beginning.seq - 1;
        self.0.get(writer).is_some_and(|removed| {
            removed
                .iter()
                .any(|(seq, hash)| *seq == before && *hash == beginning.previous)
        })
    }

    fn reaches(&self, writer: &str, seq: u64) -> bool {
        self.0
            .get(writer)
            .is_some_and(|removed| removed.iter().any(|(last, _)| *last >= seq))
    }
}

/// Where the first file of a writer begins that is there.
struct Beginning {
    seq: u64,
    previous: String,
}

struct Walk<'a> {
    evidence: &'a Evidence,
    /// All there is was given, and not an excerpt.
    is_complete: bool,
    reports: Vec<(usize, FileReport)>,
    /// By the number of the file. Whether they are right is known when all removals were read.
    beginnings: Vec<(usize, String, Beginning)>,
    removed: Removed,
    checkpoints: u64,
}

impl Walk<'_> {
    fn writer(&mut self, writer: &str, files: Vec<Numbered>, stems: &[String]) -> Result<(), ReadError> {
        let about = self.evidence.about(writer);
        let mut chain = Chain::new(self.evidence, &about, self.is_complete);
        for (place, (number, segment)) in files.into_iter().enumerate() {
            chain.begin_file(&segment);
            let report = verify_file(&segment, &mut chain)?;
            if let (0, Some((seq, previous))) = (place, chain.began()) {
                self.beginnings
                    .push((number, writer.to_owned(), Beginning { seq, previous }));
            }
            self.reports.push((number, report));
        }
        for statement in chain.removals() {
            self.removed.add(statement);
        }
        self.checkpoints += chain.checkpoints();
        let missed = chain.missed(|statement| self.is_complete || stems.contains(&statement.file));
        if let (Some(missed), Some((_, report))) = (missed, self.reports.last_mut())
            && report.problem.is_none()
        {
            report.problem = Some(Unfit {
                line: report.records + 1,
                seq: report.last.as_ref().map_or(1, |last| last.seq + 1),
                why: Misfit::CutOff {
                    last: missed.last_seq,
                    signed_at: missed.signed_at.clone(),
                },
            });
        }
        Ok(())
    }

    fn conclude(mut self, seen: &[String]) -> Report {
        let statements = &self.evidence.statements;
        let removals = statements
            .iter()
            .filter(|statement| statement.kind() == Stated::Removed);
        removals.for_each(|statement| self.removed.add(statement));
        self.reports.sort_by_key(|(number, _)| *number);
        let mut reports: Vec<FileReport> = self.reports.into_iter().map(|(_, report)| report).collect();
        for (number, writer, beginning) in self.beginnings {
            let is_right = beginning.seq == 1 || self.removed.is_before(&writer, &beginning);
            if self.is_complete && !is_right && reports[number].problem.is_none() {
                reports[number].problem = Some(Unfit {
                    line: 1,
                    seq: beginning.seq,
                    why: Misfit::FilesMissing {
                        first: 1,
                        last: beginning.seq - 1,
                    },
                });
            }
        }
        let mut faults = self.evidence.faults.clone();
        if self.is_complete {
            faults.extend(writers_missing(statements, seen, &self.removed));
        }
        Report {
            files: reports,
            faults,
            checkpoints: self.checkpoints,
            signatures_checked: self.evidence.keys.is_some(),
        }
    }
}

/// One for each writer of whom a checkpoint says that he was there.
fn writers_missing(statements: &[Statement], seen: &[String], removed: &Removed) -> Vec<Fault> {
    let mut missing: BTreeMap<&str, &Statement> = BTreeMap::new();
    for statement in statements {
        let writer = statement.writer.as_str();
        if !seen.iter().any(|seen| seen == writer) && !removed.reaches(writer, statement.last_seq) {
            missing.insert(writer, statement);
        }
    }
    let fault = |statement: &Statement| Fault::WriterMissing {
        file: statement.file.clone(),
        signed_at: statement.signed_at.clone(),
    };
    missing.into_values().map(fault).collect()
}

fn verify_file(segment: &Segment, chain: &mut Chain<'_>) -> Result<FileReport, ReadError> {
    let unreadable = || ReadError::of(segment.path());
    let being_written = segment.is_being_written().unwrap_or(false); // compressed since it was listed
    let contents = segment.read_from(0).map_err(unreadable())?;
    let mut report = check_file(BufReader::with_capacity(256 << 10, contents), chain).map_err(unreadable())?;
    segment.path().clone_into(&mut report.path);
    report.being_written = being_written;
    Ok(report)
}

/// Checks a writer's first file by itself.
pub(crate) fn check(from: impl BufRead) -> io::Result<FileReport> {
    let evidence = Evidence::default();
    check_file(from, &mut Chain::new(&evidence, &[], false))
}

/// Checks any file by itself.
pub(crate) fn check_segment(segment: &Segment) -> Result<FileReport, ReadError> {
    let evidence = Evidence::default();
    let mut chain = Chain::new(&evidence, &[], false);
    chain.begin_file(segment);
    verify_file(segment, &mut chain)
}

/// Checks the bytes of a writer's first file by themselves.
///
/// # Panics
///
/// Never: memory can be read.
pub fn verify_bytes(bytes: &[u8]) -> FileReport {
    check(bytes).expect("memory can be read")
}

fn check_file(mut from: impl BufRead, chain: &mut Chain<'_>) -> io::Result<FileReport> {
    let mut report = FileReport {
        path: PathBuf::new(),
        records: 0,
        last: None,
        problem: None,
        torn_bytes: 0,
        being_written: false,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        from.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            report.torn_bytes = line.len() as u64;
            break;
        };
        if let Err(why) = chain.check(whole) {
            report.problem = Some(Unfit {
                line: report.records + 1,
                seq: chain.expected(),
                why,
            });
            chain.is_broken();
            break;
        }
        report.records += 1;
    }
    report.last = (report.records > 0).then(|| chain.last()).flatten();
    Ok(report)
}

/// The hash of a record as it is kept.
fn text(hash: &Hash) -> String {
    hash.as_str().to_owned()
}

#[cfg(test)]
mod tests;
