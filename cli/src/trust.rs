//! `outwall trust`: lets a project's policy file count, as it is at this moment.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outwall_policy::{Policy, PolicyDocument};

use crate::arguments::Session;
use crate::blocklists::read_blocklists;
use crate::discovery::{FILE_NAME, nearest_project_file, read_policy};
use crate::failure::{Explain, Failure};
use crate::terminal::say;
use crate::trust_store::fingerprint;

/// Lets a project's `outwall.toml` count, exactly as it is now
///
/// Such a file is written by whoever wrote the repository, or by an agent. Read it first. Once it,
/// or a certificate file that it names, changes, it does not count until it is trusted again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall trust                       the file of the project around this directory
  outwall trust ../other/outwall.toml
  outwall trust --revoke              takes it back")]
pub(crate) struct Arguments {
    /// The file, or the folder it is in [else: the nearest one up to the repository's root]
    path: Option<PathBuf>,

    /// Take trust back
    #[arg(long)]
    revoke: bool,
}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let path = self.place(session)?;
        if self.revoke {
            return revoke(&path, session);
        }
        let shown = path.display();
        let text = read_policy(&path).explain(format!("cannot read `{shown}`"))?;
        let companions = files_named(&path, &text)?;
        session.state.make()?;
        session
            .trust_store()
            .record(&path, text.as_bytes(), &companions)
            .explain(format!("cannot record that `{shown}` is trusted"))?;
        say!(
            "trusted `{shown}` as it is now (SHA-256 {})",
            fingerprint(text.as_bytes())
        )?;
        for companion in &companions {
            say!("and with it `{}`", companion.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The real path, so that a record is found whichever way leads to the file. A file that is gone
    /// can still be revoked by its path.
    fn place(&self, session: &Session) -> Result<PathBuf, Failure> {
        let surroundings = &session.surroundings;
        let path = match &self.path {
            Some(path) => surroundings.absolute(path),
            None => nearest_project_file(&surroundings.working_directory).ok_or_else(|| {
                Failure::new(format!(
                    "there is no `{FILE_NAME}` here, nor above up to the repository's root"
                ))
                .hint("`outwall init` writes one to start from")
            })?,
        };
        let path = if path.is_dir() { path.join(FILE_NAME) } else { path };
        if self.revoke {
            return Ok(path.canonicalize().unwrap_or(path));
        }
        let shown = path.display();
        path.canonicalize().explain(format!("cannot read `{shown}`"))
    }
}

fn revoke(path: &Path, session: &Session) -> Result<ExitCode, Failure> {
    let shown = path.display();
    let known = session
        .trust_store()
        .forget(path)
        .explain(format!("cannot take back the trust in `{shown}`"))?;
    if known {
        say!("`{shown}` does not count any more")?;
    } else {
        say!("`{shown}` was not trusted")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The files that the policy names. A policy that is wrong cannot be trusted: its errors
/// are wanted now, and not at the next `outwall run`.
fn files_named(path: &Path, text: &str) -> Result<Vec<PathBuf>, Failure> {
    let not_a_policy = || format!("`{}` is not a policy", path.display());
    let mut document = PolicyDocument::parse(text, &path.display().to_string()).explain(not_a_policy())?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    read_blocklists(&mut document, |named| Ok(folder.join(named)))?;
    let policy = Policy::compile(&document).explain(not_a_policy())?;
    Ok(policy.files().map(|file| folder.join(file)).collect())
}
