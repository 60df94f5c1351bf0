//! `outwall audit verify` and `outwall audit key`: is the log what was written, and what says so.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use outwall_audit::checkpoint::{self, PublicKeys, SigningKey};
use outwall_audit::{Evidence, Fault, FileReport, Report};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::summary::count;
use crate::terminal::{printable, write_out};

/// Checks that no record was changed, removed, inserted or moved
///
/// Without FILE, all files of the log: what retention removed has a signed removal, and everything else has to be there. Checkpoints
/// in the log and beside it are checked against the key of this state directory; for a check that whoever can write here cannot
/// fool, bring both from elsewhere. Ends with 1 and names the first record of each file that does not fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall audit verify
  outwall audit verify --checkpoints /mnt/elsewhere/checkpoints.jsonl --key /mnt/elsewhere/audit-key.pem
  outwall audit verify --key audit-key.pem 2026-05-01T12-00-00Z-4711-0123456789ab.jsonl.zst")]
pub(crate) struct Verify {
    /// Only these files of a log, wherever they are
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Checkpoints that were brought elsewhere (`[audit] export_checkpoints`); repeatable
    #[arg(long, value_name = "FILE")]
    checkpoints: Vec<PathBuf>,

    /// The public key that they have to be signed with (`outwall audit key`); repeatable [else: that of this state directory]
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
}

/// Prints the public key that checkpoints of the log are signed with
///
/// Keep it, with the checkpoints, where whoever can write to this machine's state directory cannot.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall audit key > audit-key.pem")]
pub(crate) struct Key {}

impl Verify {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let directory = session.state.audit();
        let mut evidence = match self.keys(session)? {
            Some(keys) => Evidence::signed_by(keys),
            None => Evidence::default(),
        };
        let beside = checkpoint::beside(&directory);
        let own = (self.checkpoints.is_empty() && self.files.is_empty() && beside.exists()).then_some(beside);
        let brought = self
            .checkpoints
            .iter()
            .map(|path| session.surroundings.absolute(path));
        for path in brought.chain(own) {
            evidence.add_file(&path)?;
        }
        let report = if self.files.is_empty() {
            let there = directory.exists().then_some(directory);
            outwall_audit::verify(there.as_slice(), &evidence)?
        } else {
            let files = self.files.iter().map(|file| session.surroundings.absolute(file));
            outwall_audit::verify(&files.collect::<Vec<_>>(), &evidence)?
        };
        write_out(&told(&report))?;
        Ok(if report.is_whole() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Those that were named, else that of the state directory, if there is one.
    fn keys(&self, session: &Session) -> Result<Option<PublicKeys>, Failure> {
        let directory = session.state.audit();
        if self.key.is_empty() {
            if !checkpoint::has_key(&directory) {
                return Ok(None);
            }
            let key = SigningKey::open(&directory).explain("cannot check signatures")?;
            return Ok(Some(key.public()));
        }
        let mut text = String::new();
        for path in &self.key {
            let read = std::fs::read_to_string(session.surroundings.absolute(path));
            text += &read.explain(format!("cannot read the key `{}`", path.display()))?;
        }
        let keys = PublicKeys::from_pem(&text).ok_or_else(|| {
            Failure::new("what `--key` names is no Ed25519 public key")
                .hint("`outwall audit key`, on the machine of the log, prints it")
        })?;
        Ok(Some(keys))
    }
}

impl Key {
    #[expect(clippy::unused_self, reason = "like its neighbours")]
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        session.state.make()?;
        let directory = session.state.audit();
        crate::state_directory::private_directory(&directory)
            .explain(format!("cannot make `{}`", directory.display()))?;
        let key = SigningKey::open(&directory).explain("there is no key to print")?;
        write_out(&key.public_pem())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What was found, for people.
fn told(report: &Report) -> String {
    let mut text: String = report.files.iter().filter_map(of_file).collect();
    for fault in &report.faults {
        text += &of_fault(fault);
    }
    let files = count(report.files.len() as u64, "file");
    let records = count(report.records(), "record");
    if report.is_whole() {
        let _ = writeln!(text, "{records} in {files}: every one fits");
        text += &of_checkpoints(report);
        return text;
    }
    let broken = report.files.iter().filter(|file| file.problem.is_some()).count();
    let _ = writeln!(
        text,
        "{broken} of {files} do not hold together; {records} before the breaks fit"
    );
    if !report.faults.is_empty() {
        let faults = count(report.faults.len() as u64, "checkpoint");
        let _ = writeln!(text, "{faults} beside them do not fit");
    }
    text
}

fn of_checkpoints(report: &Report) -> String {
    if report.checkpoints == 0 {
        return "no checkpoint says that nothing was cut off at the end\n".to_owned();
    }
    let checkpoints = count(report.checkpoints, "checkpoint");
    let signatures = if report.signatures_checked {
        "with their signatures"
    } else {
        "whose signatures were not checked: there is no key (`--key`)"
    };
    format!("{checkpoints} fit too, {signatures}\n")
}

fn of_file(file: &FileReport) -> Option<String> {
    let path = file.path.display().to_string();
    let path = printable(&path);
    if let Some(problem) = &file.problem {
        return Some(format!(
            "`{path}`, line {}: record {} {}\n",
            problem.line, problem.seq, problem.why
        ));
    }
    let torn = file.torn_bytes > 0 && !file.being_written;
    torn.then(|| {
        format!(
            "`{path}`: a crash left {} bytes of a last line, which is no record\n",
            file.torn_bytes
        )
    })
}

fn of_fault(fault: &Fault) -> String {
    match fault {
        Fault::NotACheckpoint { path, line } => {
            format!("`{}`, line {line}: is no checkpoint\n", path.display())
        }
        Fault::Disbelieved { path, line, why } => {
            format!(
                "`{}`, line {line}: the checkpoint is not believed: {why}\n",
                path.display()
            )
        }
        Fault::WriterMissing { file, signed_at } => format!(
            "`{}` is gone, with all files of its writer, and no removal is signed: a checkpoint of it was signed at {}\n",
            printable(file),
            printable(signed_at)
        ),
    }
}
