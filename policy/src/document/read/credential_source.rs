//! `source = { … }` of a credential.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::brokered::{ServiceUrl, Source, VaultAuth};
use crate::document::{SecretDocument, Written};
use crate::parent_proxy::SecretSource;

impl Reader {
    /// Where a secret comes from. What is written instead of a table may be the secret itself, and is not repeated; neither is
    /// what is no name of a variable.
    pub(super) fn credential_source(&mut self, value: Value<'_, '_>) -> Option<Written<Source>> {
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                at,
                "`source` does not say where the secret comes from, and a secret is never written into the file",
                REMEDY,
            );
            return None;
        };
        let kinds: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| table.contains_key(*kind))
            .collect();
        let before = self.problems.len();
        let source = match kinds[..] {
            ["env"] => self.environment_source(value),
            ["file"] => self.file_source(value),
            ["command"] => self.command_source(value),
            ["keyring"] => self.keyring_source(value),
            ["vault"] => self.vault_source(value),
            ["github_app"] => self.github_app_source(value),
            [] => {
                self.no_kind(value);
                None
            }
            _ => {
                let named = kinds.join("`, `");
                self.problem(
                    at,
                    format!("`source` has `{named}`: which one is not guessed"),
                    REMEDY,
                );
                None
            }
        };
        let source = source.filter(|_| self.problems.len() == before)?;
        Some(self.written(value, source))
    }

    fn no_kind(&mut self, value: Value<'_, '_>) {
        for (key, _) in self.table("source", value) {
            self.unknown_key(key, "a source", &KINDS);
        }
        let what = "`source` does not say where the secret comes from";
        self.problem(value.span().start, what, REMEDY);
    }

    fn environment_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let mut variable = None;
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "env" => variable = self.variable(value),
                _ => self.unknown_key(key, "a source that is a variable", &["env"]),
            }
        }
        variable.map(|variable| Source::Environment { variable })
    }

    fn file_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let mut path = None;
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "file" => path = self.text(written, "the path of a file: file = \"/run/secrets/npm\"", value),
                _ => self.unknown_key(key, "a source that is a file", &["file"]),
            }
        }
        path.map(|path| Source::File { path })
    }

    fn command_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let (mut words, mut refresh_seconds) = (None, Some(DEFAULT_REFRESH_SECONDS));
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "command" => words = self.words(value),
                "refresh_seconds" => refresh_seconds = self.refresh_seconds(value),
                _ => self.unknown_key(key, "a source that is a command", &COMMAND_KEYS),
            }
        }
        Some(Source::Command {
            words: words?,
            refresh_seconds: refresh_seconds?,
        })
    }

    /// A program and its arguments. A string would have to be split as a shell does, and is refused.
    fn words(&mut self, value: Value<'_, '_>) -> Option<Vec<String>> {
        let words: Vec<String> = match value.get_ref() {
            DeValue::Array(_) => {
                let strings = self.strings("command", value);
                strings.into_iter().map(|word| word.value).collect()
            }
            _ => Vec::new(),
        };
        let program = words.first().is_some_and(|program| !program.is_empty());
        if program && !words.iter().any(|word| word.contains('\0')) {
            return Some(words);
        }
        self.problem(
            value.span().start,
            "`command` is no program with its arguments, and there is no shell",
            "write each word for itself: command = [\"pass\", \"show\", \"npm\"]",
        );
        None
    }

    fn refresh_seconds(&mut self, value: Value<'_, '_>) -> Option<u64> {
        let seconds = self.count("refresh_seconds", value)?.value;
        if seconds <= MOST_REFRESH_SECONDS {
            return Some(seconds);
        }
        self.problem(
            value.span().start,
            format!("`refresh_seconds` is {seconds}: what is taken back would be in use for more than a day"),
            format!("write 1 to {MOST_REFRESH_SECONDS}"),
        );
        None
    }

    fn keyring_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let (mut service, mut account) = (None, None);
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "keyring" => service = self.text(written, "the service: keyring = \"npm\"", value),
                "account" => account = self.text(written, "whose it is: account = \"ci\"", value),
                _ => self.unknown_key(key, "a source that is the keyring", &["keyring", "account"]),
            }
        }
        self.needed(value, &[("account", "write whose it is there: account = \"ci\"")]);
        Some(Source::Keyring {
            service: service?,
            account: account?,
        })
    }

    fn vault_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let (mut path, mut named, mut mount, mut auth_mount) = (None, None, None, None);
        let (mut address, mut namespace) = (None, None);
        let (mut token, mut role_id, mut secret_id) = (None, None, None);
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "vault" => path = self.vault_path(written, value),
                "key" => named = self.text(written, "which value of the secret: key = \"token\"", value),
                "mount" => mount = self.vault_path(written, value),
                "namespace" => namespace = self.vault_path(written, value),
                "address" => address = self.service_url(written, "https://vault.corp.test:8200", value),
                "token" => token = self.shown_secret(written, "VAULT_TOKEN", value),
                "role_id" => role_id = self.text(written, "the id of the role", value),
                "secret_id" => secret_id = self.shown_secret(written, "VAULT_SECRET_ID", value),
                "auth_mount" => auth_mount = self.vault_path(written, value),
                _ => self.unknown_key(key, "a source that is Vault", &VAULT_KEYS),
            }
        }
        self.needed(
            value,
            &[("key", "write which value of the secret it is: key = \"token\"")],
        );
        self.one_login(value);
        let auth = match (token, role_id, secret_id) {
            (_, Some(role_id), Some(secret_id)) => VaultAuth::AppRole {
                role_id,
                secret_id,
                mount: auth_mount.unwrap_or_else(|| "approle".into()),
            },
            (token, ..) => {
                VaultAuth::Token(token.unwrap_or_else(|| SecretSource::Environment("VAULT_TOKEN".into())))
            }
        };
        Some(Source::Vault {
            address,
            mount: mount.unwrap_or_else(|| "secret".into()),
            path: path?,
            key: named?,
            namespace,
            auth,
        })
    }

    /// By a token, or by a role with both its halves.
    fn one_login(&mut self, value: Value<'_, '_>) {
        let has = |key| has_key(value, key);
        let remedy = "write token = { env = \"VAULT_TOKEN\" }, or role_id and secret_id";
        let what = match (has("token"), has("role_id"), has("secret_id"), has("auth_mount")) {
            (true | false, false, false, false) | (false, true, true, _) => return,
            (true, _, _, _) => "the source has a `token` and a login by role",
            (false, true, false, _) => "the source has a `role_id` without a `secret_id`",
            (false, false, true, _) => "the source has a `secret_id` without a `role_id`",
            (false, false, false, true) => "the source has an `auth_mount` without a `role_id`",
        };
        self.problem(value.span().start, what, remedy);
    }

    fn github_app_source(&mut self, value: Value<'_, '_>) -> Option<Source> {
        let (mut app, mut installation, mut private_key) = (None, None, None);
        let (mut repositories, mut permissions, mut api) = (None, Some(BTreeMap::new()), None);
        for (key, value) in self.table("source", value) {
            let written: &str = key.get_ref();
            match written {
                "github_app" => app = self.count(written, value),
                "installation" => installation = self.count(written, value),
                "private_key" => private_key = self.shown_secret(written, "GITHUB_APP_KEY", value),
                "repositories" => repositories = self.repositories(value),
                "permissions" => permissions = self.permissions(value),
                "api" => api = self.service_url(written, "https://github.corp.test/api/v3", value),
                _ => self.unknown_key(key, "a source that is a GitHub App", &GITHUB_APP_KEYS),
            }
        }
        self.needed(
            value,
            &[
                (
                    "installation",
                    "write the number of the installation: installation = 12345",
                ),
                (
                    "private_key",
                    "write where its key is: private_key = { file = \"app.pem\" }",
                ),
                ("repositories", REPOSITORIES_REMEDY),
            ],
        );
        Some(Source::GithubApp {
            app: app?.value,
            installation: installation?.value,
            private_key: private_key?,
            repositories: repositories?,
            only: None,
            permissions: permissions?,
            api: api.unwrap_or_else(|| ServiceUrl::parse(GITHUB).expect("a URL")),
        })
    }

    /// Numbers, since a name may be given to another repository. Or `"sessions"`: each session's own, and nothing else.
    fn repositories(&mut self, value: Value<'_, '_>) -> Option<Vec<u64>> {
        if let DeValue::String(word) = value.get_ref()
            && word == "sessions"
        {
            return Some(Vec::new());
        }
        let before = self.problems.len();
        let mut ids: Vec<u64> = self
            .counts("repositories", value)
            .into_iter()
            .map(|id| id.value)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let what = if self.problems.len() > before {
            return None;
        } else if ids.is_empty() {
            "`repositories` is empty, and GitHub would give a token for all of them".to_owned()
        } else if ids.len() > MOST_REPOSITORIES {
            format!(
                "`repositories` has {} entries, and GitHub takes {MOST_REPOSITORIES}",
                ids.len()
            )
        } else {
            return Some(ids);
        };
        self.problem(value.span().start, what, REPOSITORIES_REMEDY);
        None
    }

    fn permissions(&mut self, value: Value<'_, '_>) -> Option<BTreeMap<String, String>> {
        let before = self.problems.len();
        let mut permissions = BTreeMap::new();
        for (key, value) in self.table("permissions", value) {
            let name = key.get_ref();
            if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') || name.is_empty() {
                self.no_permission(key);
            } else if let Some(level) = self.word(name, value, &PERMISSION_LEVELS) {
                permissions.insert(name.clone().into_owned(), level.value.to_owned());
            }
        }
        (self.problems.len() == before).then_some(permissions)
    }

    fn no_permission(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>) {
        self.problem(
            key.span().start,
            format!("\"{}\" is no permission of GitHub's", key.get_ref().escape_debug()),
            "write them as its interface does: permissions = { contents = \"write\", pull_requests = \"write\" }",
        );
    }

    /// A path within Vault, without slashes at its ends.
    fn vault_path(&mut self, key: &str, value: Value<'_, '_>) -> Option<String> {
        let text = self.string(key, value)?.value;
        let trimmed = text.trim_matches('/');
        let odd = |c: char| c.is_control() || matches!(c, '?' | '#' | '%' | '\\');
        if !trimmed.contains(odd) && !trimmed.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Some(trimmed.to_owned());
        }
        self.problem(
            value.span().start,
            format!(
                "`{key}` is \"{}\", which is no path of Vault's",
                text.escape_debug()
            ),
            format!("write it as `vault kv get` takes it: {key} = \"team/npm\""),
        );
        None
    }

    /// The URL is not repeated: a password may be within it.
    fn service_url(&mut self, key: &str, example: &str, value: Value<'_, '_>) -> Option<ServiceUrl> {
        let text = self.string(key, value)?.value;
        ServiceUrl::parse(&text)
            .map_err(|error| {
                self.problem(
                    value.span().start,
                    format!("`{key}` is no URL of a service: {error}"),
                    format!("write {key} = \"{example}\""),
                );
            })
            .ok()
    }

    fn shown_secret(&mut self, key: &str, variable: &str, value: Value<'_, '_>) -> Option<SecretSource> {
        match self.secret(key, variable, value)?.value {
            SecretDocument::Environment(name) if is_variable(&name) => Some(SecretSource::Environment(name)),
            SecretDocument::File(path) if !path.is_empty() => Some(SecretSource::File(path)),
            SecretDocument::Environment(_) | SecretDocument::File(_) => {
                self.problem(
                    value.span().start,
                    format!("`{key}` is no name of a variable, and no path of a file"),
                    format!("write {key} = {{ env = \"{variable}\" }} or {key} = {{ file = \"PATH\" }}"),
                );
                None
            }
        }
    }

    fn variable(&mut self, value: Value<'_, '_>) -> Option<String> {
        let name = self.string("env", value)?.value;
        if is_variable(&name) {
            return Some(name);
        }
        self.problem(
            value.span().start,
            "`env` is no name of a variable, which is made of letters, digits and `_`",
            "write the name, never the secret: env = \"NPM_TOKEN\"",
        );
        None
    }

    /// A string that says something, in one line.
    pub(super) fn text(&mut self, key: &str, example: &str, value: Value<'_, '_>) -> Option<String> {
        let text = self.string(key, value)?.value;
        if !text.is_empty() && !text.contains(char::is_control) {
            return Some(text);
        }
        self.problem(
            value.span().start,
            format!("`{key}` is empty, or has more than one line"),
            format!("write {example}"),
        );
        None
    }

    /// Names those keys that are not there, each with what to write.
    fn needed(&mut self, value: Value<'_, '_>, keys: &[(&str, &str)]) {
        for (key, remedy) in keys {
            if !has_key(value, key) {
                self.problem(value.span().start, format!("the source has no `{key}`"), *remedy);
            }
        }
    }
}

/// IEEE 1003.1, section 8.1, lower case added.
fn is_variable(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(of_name) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

const REMEDY: &str = "write one of { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"PROGRAM\"] }, { keyring = \"SERVICE\", account = \"ACCOUNT\" }, { vault = \"PATH\", key = \"KEY\" }, { github_app = NUMBER, ... }";
const REPOSITORIES_REMEDY: &str = "write the ids of the repositories that it is for: repositories = [123456], as `gh api repos/OWNER/NAME --jq .id` says them";
const GITHUB: &str = "https://api.github.com";
const KINDS: [&str; 6] = ["env", "file", "command", "keyring", "vault", "github_app"];
const COMMAND_KEYS: [&str; 2] = ["command", "refresh_seconds"];
const VAULT_KEYS: [&str; 9] = [
    "vault",
    "key",
    "mount",
    "namespace",
    "address",
    "token",
    "role_id",
    "secret_id",
    "auth_mount",
];
const GITHUB_APP_KEYS: [&str; 6] = [
    "github_app",
    "installation",
    "private_key",
    "repositories",
    "permissions",
    "api",
];
const PERMISSION_LEVELS: [(&str, &str); 3] = [("read", "read"), ("write", "write"), ("admin", "admin")];
const DEFAULT_REFRESH_SECONDS: u64 = 15 * 60;
const MOST_REFRESH_SECONDS: u64 = 24 * 60 * 60;
/// "Create an installation access token for an app", GitHub's REST description.
const MOST_REPOSITORIES: usize = 500;

#[cfg(test)]
mod tests;
