//! Where a secret comes from, as the policy says it. Never the secret itself.

use std::collections::BTreeMap;

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
        /// After how many seconds it is run again; `refresh_seconds`, 15 minutes unless written.
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
        address: Option<String>,
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
        private_key: WrittenSecret,
        /// The ids of the repositories; never empty, since without any a token is for all of them.
        repositories: Vec<u64>,
        /// What the token may do, `contents = "write"`; empty: all that the app may.
        permissions: BTreeMap<String, String>,
        /// `api`: `https://api.github.com` unless written.
        api: String,
    },
}

/// How the gate logs in to Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultAuth {
    /// `token = { env = … }` or `{ file = … }`; `$VAULT_TOKEN` unless written.
    Token(WrittenSecret),
    /// `role_id = "…"`, `secret_id = { … }`.
    AppRole {
        /// Not a secret by itself.
        role_id: String,
        /// The secret half.
        secret_id: WrittenSecret,
        /// `auth_mount`: `approle` unless written.
        mount: String,
    },
}

/// `{ env = "NAME" }` or `{ file = "PATH" }`: a secret that is needed to get another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenSecret {
    /// A variable of the gate's environment.
    Environment(String),
    /// A file.
    File(String),
}
