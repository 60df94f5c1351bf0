//! Whether the log is what was written: verified beside, since that reads all of it, and remembered.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use outwall_audit::{Evidence, Fault, FileReport};

use super::with_causes;

/// The chains of a log.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    directory: PathBuf,
    known: Arc<Mutex<Known>>,
}

/// What is known of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) is_running: bool,
    pub(super) last: Option<Checked>,
}

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) found: Result<Found, String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) records: u64,
    pub(super) files: usize,
    /// Those that were found to be true.
    pub(super) checkpoints: u64,
    /// The first record of each file that does not fit, in words.
    pub(super) misfits: Vec<String>,
    /// What a crash left.
    pub(super) torn: Vec<String>,
}

impl Chain {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            known: Arc::default(),
        }
    }

    /// What is known. Begins to verify where that is nothing, or old.
    pub(super) fn look(&self) -> Known {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now();
        let is_fresh = known.last.as_ref().is_some_and(|last| {
            let worth = GOOD_FOR.max(last.took * WORTH);
            now.duration_since(last.at).unsigned_abs() < worth
        });
        if !is_fresh && !known.is_running {
            known.is_running = true;
            let chain = self.clone();
            std::thread::spawn(move || chain.verify(now));
        }
        known.clone()
    }

    fn verify(&self, at: Timestamp) {
        let found = found(&self.directory);
        let took = Timestamp::now().duration_since(at).unsigned_abs();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_running = false;
        known.last = Some(Checked { at, took, found });
    }
}

fn found(directory: &Path) -> Result<Found, String> {
    let there = directory.exists().then(|| directory.to_path_buf());
    let evidence = Evidence::beside(directory).map_err(|error| with_causes(&error).join(": "))?;
    let report =
        outwall_audit::verify(there.as_slice(), &evidence).map_err(|error| with_causes(&error).join(": "))?;
    let torn = |file: &&FileReport| file.problem.is_none() && file.torn_bytes > 0 && !file.being_written;
    let torn = report.files.iter().filter(torn);
    let misfits = report.files.iter().filter_map(misfit);
    Ok(Found {
        records: report.records(),
        files: report.files.len(),
        checkpoints: report.checkpoints,
        misfits: misfits.chain(report.faults.iter().map(fault)).collect(),
        torn: torn
            .map(|file| {
                format!(
                    "{}: {} bytes of a last line, which is no record",
                    name(&file.path),
                    file.torn_bytes
                )
            })
            .collect(),
    })
}

fn misfit(file: &FileReport) -> Option<String> {
    let problem = file.problem.as_ref()?;
    Some(format!(
        "{}, line {}: the record {}",
        name(&file.path),
        problem.line,
        problem.why
    ))
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::NotACheckpoint { path, line } => format!("{}, line {line}: is no checkpoint", name(path)),
        Fault::Disbelieved { path, line, why } => {
            format!(
                "{}, line {line}: the checkpoint is not believed: {why}",
                name(path)
            )
        }
        Fault::WriterMissing { file, signed_at } => format!(
            "{file} is gone, with all files of its writer, and no removal is signed: a checkpoint of it was signed at {signed_at}"
        ),
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// How long an answer counts at least, and at how many times what it took.
const GOOD_FOR: Duration = Duration::from_mins(1);
const WORTH: u32 = 20;
