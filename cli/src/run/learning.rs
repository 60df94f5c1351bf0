//! `run --learn`: what is on no list is let through and recorded, and at the end an environment is suggested.
//!
//! Whether something is let through is decided by the policy alone, see `outwall_policy::Policy::learning`. Here is what is said about
//! it, and where the suggestion goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use outwall_audit::AuditLog;
use outwall_audit::query::Filter;
use outwall_audit::suggest::{DeniedToo, RulesToo, Suggestion, TrustedInstead, Wanted};
use outwall_policy::{Policy, Sandbox, Unlisted};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy::suggest::gather;
use crate::summary::count;
use crate::terminal::{Paint, write_out};

/// `--learn` and where to.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct LearnOptions {
    /// Let through and record what would be refused only because no entry allows it, and suggest an environment at the end.
    /// Blocklists, private addresses, rules, and what leaves stay as they are
    #[arg(long, conflicts_with = "ask")]
    learn: bool,

    /// Write the suggested environment to this file [else: to standard output]
    #[arg(long, value_name = "FILE", requires = "learn")]
    learn_to: Option<PathBuf>,
}

/// A run that learns.
pub(super) struct Learning {
    /// Opened before there is a sandbox that could put something else in its place.
    to: Option<(PathBuf, File)>,
    policy: Policy,
    since: Timestamp,
}

impl LearnOptions {
    /// For the policy.
    pub(super) fn unlisted(&self) -> Unlisted {
        if self.learn {
            Unlisted::Learn
        } else {
            Unlisted::Refuse
        }
    }

    /// Opens the file; none where nothing is to be learned.
    pub(super) fn open(&self, directory: &Path, policy: &Policy) -> Result<Option<Learning>, Failure> {
        if !self.learn {
            return Ok(None);
        }
        let path = self.learn_to.as_ref().map(|path| directory.join(path));
        let open = |path: PathBuf| {
            let file = open(&path).explain(format!("cannot write `{}`", path.display()));
            file.hint("`--learn-to` takes a new file, or one of your own; no link")
                .map(|file| (path, file))
        };
        Ok(Some(Learning {
            to: path.map(open).transpose()?,
            policy: policy.clone(),
            since: Timestamp::now(),
        }))
    }
}

/// What a sandbox before this one left there is not followed elsewhere.
fn open(path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options
        .create(true)
        .truncate(false)
        .write(true)
        .custom_flags(no_follow);
    options.open(path)
}

impl Learning {
    /// Says so, here and in the audit. No record, no learning.
    pub(super) fn begin(sandbox: &Sandbox, audit: &AuditLog) -> Result<(), Failure> {
        let message = format!(
            "learning: sandbox {} in environment {} reaches every public host; what is on no list is recorded as allowed by `learn`",
            sandbox.id, sandbox.environment
        );
        audit.finding(Some(sandbox), "learning", &message)?;
        let warning = Paint::for_stderr().yellow("warning:").into_owned();
        let _ = writeln!(
            io::stderr(),
            "{warning} LEARNING: this sandbox reaches every public host at every port, on the list or not.\n\
             {warning} Run it with data that may leave, and read what is suggested at the end before you use it."
        );
        Ok(())
    }

    /// Suggests, from what the sandbox did. The command has ended as it has ended: what goes wrong here is said and nothing else.
    pub(super) fn end(self, session: &Session, sandbox: &Sandbox) {
        let paint = Paint::for_stderr();
        if let Err(failure) = self.suggest(session, sandbox) {
            let failure = failure.hint(format!(
                "the audit has it all: outwall policy suggest --from audit --sandbox {}",
                sandbox.id
            ));
            failure.report(&mut io::stderr(), paint);
        }
    }

    fn suggest(self, session: &Session, sandbox: &Sandbox) -> Result<(), Failure> {
        let filter = Filter {
            sandbox: Some(sandbox.id.to_string()),
            since: Some(self.since),
            ..Filter::default()
        };
        let wanted = Wanted {
            name: sandbox.environment.clone(),
            trusted: TrustedInstead::Never,
            rules: RulesToo::No,
            denied: DeniedToo::No,
        };
        let suggestion = gather(session, filter)?.suggest(wanted, &self.policy)?;
        let place = match self.to {
            None => {
                write_out(&suggestion.toml)?;
                "above".to_owned()
            }
            Some((path, file)) => {
                write_anew(file, &suggestion.toml).explain(format!("cannot write `{}`", path.display()))?;
                format!("in `{}`", path.display())
            }
        };
        say(&suggestion, &place);
        Ok(())
    }
}

fn write_anew(mut file: File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn say(suggestion: &Suggestion, place: &str) {
    let Suggestion {
        entries,
        learned,
        refused,
        ..
    } = suggestion;
    let refused = match refused {
        0 => String::new(),
        some => format!("; {} stayed refused", count(*some as u64, "target")),
    };
    let _ = writeln!(
        io::stderr(),
        "outwall: learned {} on no list{refused}; the suggested environment ({}) is {place}",
        count(*learned as u64, "target"),
        if *entries == 1 {
            "1 entry".to_owned()
        } else {
            format!("{entries} entries")
        },
    );
}
