//! `--repository`: clones the repository into a new directory and makes the session's branch, in a sandbox of its own, before the
//! command's own begins. So the command finds `.git` as every other one does: what git runs later on the host is read-only in there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use outwall_policy::github::{BranchName, SessionRepository};
use outwall_policy::{Policy, SandboxId};

use crate::failure::{Explain, Failure};
use crate::repository_url::RepositoryUrl;

/// `--repository` and what belongs to it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Working at a repository of GitHub")]
pub(super) struct Options {
    /// Clone this repository into a new directory and work there: `https://github.com/acme/app`. git and gh get a
    /// credential for it that is worth nothing elsewhere; only the session's branch can be pushed
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<RepositoryUrl>,

    /// The branch to begin from [else: the repository's own]
    #[arg(long, value_name = "BRANCH", requires = "repository")]
    pub(super) branch: Option<BranchName>,

    /// The branch to work on, the only one that can be written [else: a new name, `outwall/…`]
    #[arg(long, value_name = "BRANCH", requires = "repository")]
    pub(super) session_branch: Option<BranchName>,

    /// The new directory [else: the repository's name, here]
    #[arg(long, value_name = "PATH", requires = "repository")]
    pub(super) directory: Option<PathBuf>,
}

impl Options {
    /// Where the session of a sandbox works; none without `--repository`.
    pub(super) fn session(
        &self,
        policy: &Policy,
        id: SandboxId,
    ) -> Result<Option<SessionRepository>, Failure> {
        let Some(url) = &self.repository else {
            return Ok(None);
        };
        let branch = self.session_branch.clone();
        let named = || format!("outwall/{id}").parse().expect("a branch");
        Ok(Some(SessionRepository {
            host: url.host(policy)?,
            repository: url.name.clone(),
            branch: branch.unwrap_or_else(named),
        }))
    }

    /// Makes the new directory.
    pub(super) fn make_directory(&self, working_directory: &Path) -> Result<Option<PathBuf>, Failure> {
        let Some(url) = &self.repository else {
            return Ok(None);
        };
        let named = self
            .directory
            .as_deref()
            .unwrap_or_else(|| Path::new(url.name.name()));
        let path = working_directory.join(named);
        fs::create_dir_all(&path).explain(format!("cannot make {}", path.display()))?;
        let mut entries = fs::read_dir(&path).explain(format!("cannot look into {}", path.display()))?;
        if entries.next().is_some() {
            return Err(Failure::new(format!("{} is there already, and not empty", path.display()))
                .hint("name another one with `--directory PATH`, or work there with `outwall run` without `--repository`"));
        }
        let path = fs::canonicalize(&path).explain("cannot tell where the new directory is")?;
        Ok(Some(path))
    }

    /// What clones in the sandbox.
    pub(super) fn command(&self, at: &SessionRepository) -> Vec<OsString> {
        let url = format!("https://{}/{}", at.host, at.repository);
        let from = self.branch.as_ref().map(BranchName::as_str).unwrap_or_default();
        let name = at.repository.name();
        let words = [
            "/bin/sh",
            "-c",
            SCRIPT,
            "clone",
            &url,
            at.branch.as_str(),
            from,
            name,
        ];
        words.map(OsString::from).into()
    }
}

/// Where the clone is made: a sandbox's working directory is not empty, for what is protected in it is there from the start.
pub(super) struct Scratch {
    directory: PathBuf,
}

impl Scratch {
    /// Beside the new directory, so that the clone can be moved there.
    pub(super) fn beside(directory: &Path, id: SandboxId) -> Result<Self, Failure> {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let scratch = directory.with_file_name(format!(".{name}.{id}"));
        fs::create_dir(&scratch).explain(format!("cannot make {}", scratch.display()))?;
        Ok(Self { directory: scratch })
    }

    /// The working directory of what clones.
    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Puts the clone where it belongs.
    pub(super) fn deliver(self, to: &Path) -> Result<(), Failure> {
        fs::rename(self.directory.join(CLONE), to)
            .explain(format!("cannot move the clone to {}", to.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "what was cloned in could not be removed");
        }
    }
}

const CLONE: &str = "repository";

/// The session's branch goes on where it is on the server, and else begins here; either way a plain `git push` is for it.
///
/// Submodules are cloned here as well: later their configuration is as read-only as the rest. One that the environment does not reach
/// stays empty, which git says.
const SCRIPT: &str = r#"
set -e
echo "Cloning into '$4'..." >&2
if test -t 2; then progress=--progress; fi
git clone --quiet ${progress-} ${3:+--branch "$3"} -- "$1" repository
cd repository
if git rev-parse --verify --quiet "refs/remotes/origin/$2" >/dev/null; then
    git checkout --quiet -B "$2" --track "origin/$2"
else
    git checkout --quiet -b "$2" 2>/dev/null || git symbolic-ref HEAD "refs/heads/$2"
    git config "branch.$2.remote" origin
    git config "branch.$2.merge" "refs/heads/$2"
fi
git ls-files --stage | sed -n 's/^160000 [0-9a-f]* 0\t//p' | while IFS= read -r path; do
    git submodule --quiet update --init --recursive -- "$path" </dev/null || echo "The submodule $path stays empty" >&2
done
"#;
