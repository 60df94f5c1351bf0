//! Where secrets come from: one file for each kind, behind one trait. None of them decides when it is asked: the
//! [`Keeper`](crate::Keeper) does, and caches.

mod command;
mod env;
mod file;
mod github_app;
mod keyring;
mod service;
mod shown;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use outwall_policy::SecretSource;
use outwall_policy::brokered;
use thiserror::Error;
use zeroize::Zeroizing;

pub use command::CommandError;
pub use file::FileError;
pub use github_app::{GithubAppError, KeyError};
pub use keyring::KeyringError;
pub(crate) use service::PresentServices;
pub use service::{Answer, LONGEST_ANSWER, NotAnswered, Question, Services};
pub use shown::Shown;
pub use vault::VaultError;

use crate::secret::{Secret, Unfit};
use crate::stamp::Stamp;

/// Where a secret comes from.
pub(crate) trait Source: Send + Sync {
    /// Asks for it. Ends by itself, however slow the other side is.
    fn fetch(&self, now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>>;

    /// Whether what was read is not what would be read now. Asked with each use, so that it must cost next to nothing; only a file
    /// can say it.
    fn has_changed(&self, _read: Option<&Seen>) -> bool {
        false
    }

    /// How long the last secret may be used after a newer one could not be fetched. What is taken back is not used for longer
    /// because its source cannot be reached.
    fn patience(&self) -> Duration {
        Duration::from_hours(1)
    }
}

/// A secret, and how long it is good for.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) secret: Secret,
    /// From then on it is not used.
    pub(crate) expires_at: Option<Timestamp>,
    /// When to ask again at the latest; none: it does not change by itself before it expires, or changes are seen with each use.
    pub(crate) ask_again: Option<Duration>,
    /// What was read, if that was a file.
    pub(crate) seen: Option<Seen>,
}

/// A file as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    pub(crate) settled: bool,
}

/// Where files are that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// What relative paths are relative to: the folder of the policy file.
    pub folder: PathBuf,
    /// What `~/` is; none: it is a folder like others.
    pub home: Option<PathBuf>,
}

/// What sources are made with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) surroundings: Surroundings,
    pub(crate) services: Arc<dyn Services>,
}

/// Why there is no secret. It names the source, and never the secret.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The variable is not there.
    #[error("the variable `{variable}` of the gate is not set")]
    NotSet {
        /// Its name.
        variable: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A command gave none.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The keyring gave none.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Vault gave none.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// GitHub gave none.
    #[error(transparent)]
    GithubApp(#[from] GithubAppError),
    /// What is there is no secret.
    #[error("what {place} gives cannot be used as a secret")]
    Unfit {
        /// Whose.
        place: String,
        /// Why not.
        #[source]
        why: Unfit,
    },
}

/// What an error says about the secret that was fetched before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing: it may be used for a while.
    Nothing,
    /// It was taken back, or who asks may not have it.
    Withdrawn,
}

impl SourceError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotSet { variable } => {
                format!("set it where `outwall` is started: `{variable}=... outwall run ...`")
            }
            Self::File(error) => error.remedy(),
            Self::Command(error) => error.remedy(),
            Self::Keyring(error) => error.remedy(),
            Self::Vault(error) => error.remedy(),
            Self::GithubApp(error) => error.remedy(),
            Self::Unfit { why, .. } => why.remedy().to_owned(),
        }
    }

    pub(crate) fn says(&self) -> Says {
        match self {
            Self::Keyring(error) => error.says(),
            Self::Vault(error) => error.says(),
            Self::GithubApp(error) => error.says(),
            Self::NotSet { .. } | Self::File(_) | Self::Command(_) | Self::Unfit { .. } => Says::Nothing,
        }
    }

    fn unfit(place: impl Into<String>) -> impl FnOnce(Unfit) -> Self {
        let place = place.into();
        move |why| Self::Unfit { place, why }
    }
}

impl Surroundings {
    /// Where a file is that the policy names.
    pub fn place(&self, written: impl AsRef<Path>) -> PathBuf {
        let written = written.as_ref();
        match (&self.home, written.strip_prefix("~")) {
            (Some(home), Ok(within)) => home.join(within),
            (_, Err(_)) | (None, Ok(_)) => self.folder.join(written),
        }
    }
}

impl Means {
    /// The source that the policy names.
    pub(crate) fn open(&self, source: &brokered::Source) -> Arc<dyn Source> {
        match source {
            brokered::Source::Environment { variable } => Arc::new(env::Variable::new(variable)),
            brokered::Source::File { path } => Arc::new(file::SecretFile::new(self.surroundings.place(path))),
            brokered::Source::Command {
                words,
                refresh_seconds,
            } => Arc::new(self.command(words, *refresh_seconds)),
            brokered::Source::Vault {
                address,
                mount,
                path,
                key,
                namespace,
                auth,
            } => Arc::new(vault::Vault {
                address: address.clone(),
                namespace: namespace.clone(),
                mount: mount.clone(),
                path: path.clone(),
                key: key.clone(),
                auth: auth.clone(),
                means: self.clone(),
                login: tokio::sync::Mutex::default(),
            }),
            brokered::Source::GithubApp {
                app,
                installation,
                private_key,
                repositories,
                only,
                permissions,
                api,
            } => Arc::new(github_app::GithubApp {
                app: *app,
                installation: *installation,
                private_key: private_key.clone(),
                repositories: repositories.clone(),
                only: only.clone(),
                permissions: permissions.clone(),
                api: api.clone(),
                means: self.clone(),
            }),
            brokered::Source::Keyring { service, account } => Arc::new(keyring::Keyring {
                service: service.clone(),
                account: account.clone(),
            }),
        }
    }

    /// A program with a slash is where the policy says, as files are; others are looked for in `$PATH`.
    fn command(&self, words: &[String], refresh_seconds: u64) -> command::Command {
        let (program, arguments) = match words {
            [program, arguments @ ..] => (program.as_str(), arguments),
            [] => ("", words),
        };
        let program = if program.contains('/') {
            self.surroundings.place(program)
        } else {
            program.into()
        };
        command::Command::new(program, arguments, Duration::from_secs(refresh_seconds))
    }

    /// A secret that is needed to get another, as it is at this moment: it may have several lines.
    pub(crate) fn read(&self, written: &SecretSource) -> Result<Zeroizing<Vec<u8>>, SourceError> {
        match written {
            SecretSource::Environment(variable) => env::read(variable),
            SecretSource::File(path) => Ok(file::read(&self.surroundings.place(path))?.0),
        }
    }
}
