//! Where a secret comes from, as the policy says it. Never the secret itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::ServiceUrl;
use crate::github::RepositoryName;
use crate::parent_proxy::SecretSource;

/// `source = { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{ env = "NAME" }`: a variable of the gate's own environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// `{ file = "PATH" }`: all of the file, without the line break at its end.
    File {
        /// As written; a relative one is relative to the policy file, `~/` is the home of who runs the gate.
        path: String,
    },
    /// `{ command = ["PROGRAM", …] }`: what it prints, without the line break at its end. No shell.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// `refresh_seconds`: after how many seconds it is run again, 15 minutes unless written.
        refresh_seconds: u64,
    },
    /// `{ keyring = "SERVICE", account = "ACCOUNT" }`: the Secret Service of the desktop session.
    Keyring {
        /// The attribute `service`.
        service: String,
        /// The attribute `username`, as other programs write it.
        account: String,
    },
    /// `{ vault = "PATH", key = "KEY", … }`: a secret of `HashiCorp` Vault's KV version 2.
    Vault {
        /// `address`: the server's `https://` URL (`http://` for this machine only); `$VAULT_ADDR` unless written.
        address: Option<ServiceUrl>,
        /// Where the engine is mounted: `mount`, `secret` unless written.
        mount: String,
        /// `vault`: the path within it.
        path: String,
        /// Which value of the secret.
        key: String,
        /// `namespace`, for those who have them.
        namespace: Option<String>,
        /// How the gate logs in.
        auth: VaultAuth,
    },
    /// `{ github_app = APP_ID, installation = ID, private_key = …, repositories = [ID, …], permissions = { … } }`: a token of an
    /// installation, for these repositories and no others.
    GithubApp {
        /// The number of the app.
        app: u64,
        /// The number of the installation.
        installation: u64,
        /// Its private key, PEM.
        private_key: SecretSource,
        /// The ids of the repositories; empty for `"sessions"`: then there is a token for a session's own repository alone, since a
        /// token without any is for all of them.
        repositories: Vec<u64>,
        /// The one that it is narrowed to, for a session. No document has it.
        only: Option<RepositoryName>,
        /// What the token may do, `contents = "write"`; empty: all that the app may.
        permissions: BTreeMap<String, String>,
        /// `api`: `https://api.github.com` unless written.
        api: ServiceUrl,
    },
}

/// How the gate logs in to Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultAuth {
    /// `token = { env = … }` or `{ file = … }`; `$VAULT_TOKEN` unless written.
    Token(SecretSource),
    /// `role_id = "…"`, `secret_id = { … }`.
    AppRole {
        /// Not a secret by itself.
        role_id: String,
        /// The secret half.
        secret_id: SecretSource,
        /// `auth_mount`: `approle` unless written.
        mount: String,
    },
}

impl Source {
    /// The key of the document that says of which kind it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Environment { .. } => "env",
            Self::File { .. } => "file",
            Self::Command { .. } => "command",
            Self::Keyring { .. } => "keyring",
            Self::Vault { .. } => "vault",
            Self::GithubApp { .. } => "github_app",
        }
    }

    /// The same for a session at one repository, whose token may do this at most. A source whose secret cannot be narrowed is the same.
    #[must_use]
    pub fn narrowed_to(
        &self,
        repository: &RepositoryName,
        most: &BTreeMap<&'static str, &'static str>,
    ) -> Self {
        let mut narrowed = self.clone();
        if let Self::GithubApp {
            only, permissions, ..
        } = &mut narrowed
        {
            *only = Some(repository.clone());
            *permissions = less_of(permissions, most);
        }
        narrowed
    }

    /// The file that it reads, as written, if it reads one: a secret, which no sandbox may see.
    pub fn secret_file(&self) -> Option<&Path> {
        match self {
            Self::File { path } => Some(Path::new(path)),
            Self::Vault { auth, .. } => auth.secret().file(),
            Self::GithubApp { private_key, .. } => private_key.file(),
            Self::Environment { .. } | Self::Command { .. } | Self::Keyring { .. } => None,
        }
    }

    /// The variable of the gate that it reads, if it reads one: a secret, which no sandbox may have.
    pub fn secret_variable(&self) -> Option<&str> {
        match self {
            Self::Environment { variable } => Some(variable),
            Self::Vault { auth, .. } => auth.secret().variable(),
            Self::GithubApp { private_key, .. } => private_key.variable(),
            Self::File { .. } | Self::Command { .. } | Self::Keyring { .. } => None,
        }
    }
}

/// What both sides allow; one that says nothing allows everything.
fn less_of(
    written: &BTreeMap<String, String>,
    most: &BTreeMap<&'static str, &'static str>,
) -> BTreeMap<String, String> {
    let both = most.iter().filter_map(|(name, level)| {
        let level = match (written.is_empty(), written.get(*name).map(String::as_str)) {
            (false, None) => return None,
            (false, Some("read")) => "read",
            (true, _) | (false, Some(_)) => level,
        };
        Some(((*name).to_owned(), level.to_owned()))
    });
    both.collect()
}

impl VaultAuth {
    /// What the gate shows.
    pub fn secret(&self) -> &SecretSource {
        match self {
            Self::Token(secret) => secret,
            Self::AppRole { secret_id, .. } => secret_id,
        }
    }
}
