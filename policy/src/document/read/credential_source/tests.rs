#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use toml::de::DeTable;

use super::*;
use crate::document::read::LineIndex;
use crate::document::{DocumentErrors, Place};

fn read(source: &str) -> Result<Source, String> {
    let text = format!("name = \"a\"\nsource = {source}\n");
    let mut reader = Reader {
        lines: LineIndex::new(&text),
        origin: "outwall.toml".into(),
        problems: Vec::new(),
    };
    let table = DeTable::parse(&text).unwrap();
    let read = reader.credential_source(&table.get_ref()["source"]);
    assert_eq!(
        read.is_some(),
        reader.problems.is_empty(),
        "what is not read is explained"
    );
    match read {
        Some(read) => {
            assert_eq!(read.place, Place::Line(2));
            Ok(read.value)
        }
        None => Err(DocumentErrors::new(reader.problems).to_string()),
    }
}

fn said(source: &str) -> String {
    read(source).unwrap_err()
}

#[test]
fn every_kind_is_read() {
    assert_eq!(
        read("{ env = \"NPM_TOKEN\" }").unwrap(),
        Source::Environment {
            variable: "NPM_TOKEN".into()
        }
    );
    assert_eq!(
        read("{ file = \"/run/secrets/npm\" }").unwrap(),
        Source::File {
            path: "/run/secrets/npm".into()
        }
    );
    let command = |seconds| Source::Command {
        words: vec!["pass".into(), "show".into(), "npm token".into()],
        refresh_seconds: seconds,
    };
    let written = "command = [\"pass\", \"show\", \"npm token\"]";
    assert_eq!(read(&format!("{{ {written} }}")).unwrap(), command(900));
    assert_eq!(
        read(&format!("{{ {written}, refresh_seconds = 60 }}")).unwrap(),
        command(60)
    );
    assert_eq!(
        read("{ keyring = \"npm\", account = \"ci\" }").unwrap(),
        Source::Keyring {
            service: "npm".into(),
            account: "ci".into()
        }
    );
}

#[test]
fn vault_has_the_defaults_of_its_own_tools() {
    assert_eq!(
        read("{ vault = \"team/npm\", key = \"token\" }").unwrap(),
        Source::Vault {
            address: None,
            mount: "secret".into(),
            path: "team/npm".into(),
            key: "token".into(),
            namespace: None,
            auth: VaultAuth::Token(SecretSource::Environment("VAULT_TOKEN".into())),
        }
    );
    let all = "{ vault = \"/npm/\", key = \"k\", mount = \"kv/team\", namespace = \"ns1/\", address = \"https://vault.test:8200/\", \
               role_id = \"r\", secret_id = { file = \"id\" }, auth_mount = \"robots\" }";
    assert_eq!(
        read(all).unwrap(),
        Source::Vault {
            address: Some(ServiceUrl::parse("https://vault.test:8200").unwrap()),
            mount: "kv/team".into(),
            path: "npm".into(),
            key: "k".into(),
            namespace: Some("ns1".into()),
            auth: VaultAuth::AppRole {
                role_id: "r".into(),
                secret_id: SecretSource::File("id".into()),
                mount: "robots".into(),
            },
        }
    );
}

#[test]
fn a_github_app_is_for_repositories_that_are_named() {
    let app = |rest: &str| {
        format!("{{ github_app = 1, installation = 2, private_key = {{ env = \"KEY\" }}{rest} }}")
    };
    assert_eq!(
        read(&app(
            ", repositories = [9, 7, 9], permissions = { contents = \"write\" }"
        ))
        .unwrap(),
        Source::GithubApp {
            app: 1,
            installation: 2,
            private_key: SecretSource::Environment("KEY".into()),
            repositories: vec![7, 9],
            only: None,
            permissions: [("contents".into(), "write".into())].into(),
            api: ServiceUrl::parse("https://api.github.com").unwrap(),
        }
    );
    insta::assert_snapshot!(said(&app("")), @r"
    outwall.toml:2: the source has no `repositories`
      hint: write the ids of the repositories that it is for: repositories = [123456], as `gh api repos/OWNER/NAME --jq .id` says them
    ");
    insta::assert_snapshot!(said(&app(", repositories = []")), @r"
    outwall.toml:2: `repositories` is empty, and GitHub would give a token for all of them
      hint: write the ids of the repositories that it is for: repositories = [123456], as `gh api repos/OWNER/NAME --jq .id` says them
    ");
    insta::assert_snapshot!(said(&app(", repositories = [\"octo/hello\", 0]")), @r#"
    outwall.toml:2: `repositories` is "octo/hello", and has to be a whole number above 0
      hint: write a whole number above 0
    outwall.toml:2: `repositories` is 0, and has to be a whole number above 0
      hint: write a whole number above 0
    "#);
    insta::assert_snapshot!(said(&app(
        ", repositories = [1], permissions = { contents = \"all\", \"Pull Requests\" = \"read\" }, api = \"http://github.corp.test\""
    )), @r#"
    outwall.toml:2: `api` is no URL of a service: it is `http://` to another machine, where the gate's own secret could be read on the way
      hint: write api = "https://github.corp.test/api/v3"
    outwall.toml:2: "Pull Requests" is no permission of GitHub's
      hint: write them as its interface does: permissions = { contents = "write", pull_requests = "write" }
    outwall.toml:2: `contents` is "all", which it cannot be
      hint: write one of "read", "write", "admin"
    "#);
    insta::assert_snapshot!(said("{ github_app = \"my-app\", instalation = 2 }"), @r#"
    outwall.toml:2: `github_app` is "my-app", and has to be a whole number above 0
      hint: write a whole number above 0
    outwall.toml:2: `instalation` is not a key of a source that is a GitHub App
      hint: did you mean `installation`?
    outwall.toml:2: the source has no `installation`
      hint: write the number of the installation: installation = 12345
    outwall.toml:2: the source has no `private_key`
      hint: write where its key is: private_key = { file = "app.pem" }
    outwall.toml:2: the source has no `repositories`
      hint: write the ids of the repositories that it is for: repositories = [123456], as `gh api repos/OWNER/NAME --jq .id` says them
    "#);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for source in [
        "\"hunter2-hunter2\"",
        "{ env = \"hunter2-hunter2\" }",
        "{ secret = \"hunter2-hunter2\" }",
        "[\"hunter2-hunter2\"]",
        "{ vault = \"npm\", key = \"k\", token = \"hunter2-hunter2\" }",
        "{ vault = \"npm\", key = \"k\", token = { env = \"hunter2-hunter2\" } }",
        "{ vault = \"npm\", key = \"k\", address = \"https://me:hunter2-hunter2@vault.test\" }",
        "{ github_app = 1, installation = 2, repositories = [1], private_key = \"\"\"hunter2-hunter2\"\"\" }",
    ] {
        assert!(!said(source).contains("hunter2"), "{}", said(source));
    }
    insta::assert_snapshot!(said("\"hunter2-hunter2\""), @r#"
    outwall.toml:2: `source` does not say where the secret comes from, and a secret is never written into the file
      hint: write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { keyring = "SERVICE", account = "ACCOUNT" }, { vault = "PATH", key = "KEY" }, { github_app = NUMBER, ... }
    "#);
    insta::assert_snapshot!(said("{ env = \"hunter2-hunter2\" }"), @r#"
    outwall.toml:2: `env` is no name of a variable, which is made of letters, digits and `_`
      hint: write the name, never the secret: env = "NPM_TOKEN"
    "#);
    insta::assert_snapshot!(said("{ secret = \"hunter2-hunter2\" }"), @r#"
    outwall.toml:2: `secret` is not a key of a source
      hint: the keys are env, file, command, keyring, vault, github_app
    outwall.toml:2: `source` does not say where the secret comes from
      hint: write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { keyring = "SERVICE", account = "ACCOUNT" }, { vault = "PATH", key = "KEY" }, { github_app = NUMBER, ... }
    "#);
}

#[test]
fn there_is_one_kind() {
    insta::assert_snapshot!(said("{ env = \"A\", file = \"b\" }"), @r#"
    outwall.toml:2: `source` has `env`, `file`: which one is not guessed
      hint: write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { keyring = "SERVICE", account = "ACCOUNT" }, { vault = "PATH", key = "KEY" }, { github_app = NUMBER, ... }
    "#);
    insta::assert_snapshot!(said("{ file = \"b\", refresh_seconds = 5 }"), @r"
    outwall.toml:2: `refresh_seconds` is not a key of a source that is a file
      hint: the keys are file
    ");
    insta::assert_snapshot!(said("{}"), @r#"
    outwall.toml:2: `source` does not say where the secret comes from
      hint: write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { keyring = "SERVICE", account = "ACCOUNT" }, { vault = "PATH", key = "KEY" }, { github_app = NUMBER, ... }
    "#);
    insta::assert_snapshot!(said("{ file = \"\" }"), @r#"
    outwall.toml:2: `file` is empty, or has more than one line
      hint: write the path of a file: file = "/run/secrets/npm"
    "#);
}

#[test]
fn a_command_is_words_and_is_run_again_within_a_day() {
    insta::assert_snapshot!(said("{ command = \"pass show npm\" }"), @r#"
    outwall.toml:2: `command` is no program with its arguments, and there is no shell
      hint: write each word for itself: command = ["pass", "show", "npm"]
    "#);
    insta::assert_snapshot!(said("{ command = [] }"), @r#"
    outwall.toml:2: `command` is no program with its arguments, and there is no shell
      hint: write each word for itself: command = ["pass", "show", "npm"]
    "#);
    insta::assert_snapshot!(said("{ command = [\"pass\", 3], refresh_seconds = 0 }"), @r"
    outwall.toml:2: `command` is 3, and has to be a string
      hint: write a string
    outwall.toml:2: `refresh_seconds` is 0, and has to be a whole number above 0
      hint: write a whole number above 0
    ");
    insta::assert_snapshot!(said("{ command = [\"pass\"], refresh_seconds = 86401 }"), @r"
    outwall.toml:2: `refresh_seconds` is 86401: what is taken back would be in use for more than a day
      hint: write 1 to 86400
    ");
    assert!(read("{ command = [\"pass\"], refresh_seconds = 86400 }").is_ok());
}

#[test]
fn vault_needs_one_login_and_paths_that_mean_one_thing() {
    insta::assert_snapshot!(said("{ vault = \"a/../b\" }"), @r#"
    outwall.toml:2: `vault` is "a/../b", which is no path of Vault's
      hint: write it as `vault kv get` takes it: vault = "team/npm"
    outwall.toml:2: the source has no `key`
      hint: write which value of the secret it is: key = "token"
    "#);
    insta::assert_snapshot!(said(
        "{ vault = \"a\", key = \"k\", token = { env = \"T\" }, role_id = \"r\" }"
    ), @r#"
    outwall.toml:2: the source has a `token` and a login by role
      hint: write token = { env = "VAULT_TOKEN" }, or role_id and secret_id
    "#);
    insta::assert_snapshot!(said("{ vault = \"a\", key = \"k\", role_id = \"r\" }"), @r#"
    outwall.toml:2: the source has a `role_id` without a `secret_id`
      hint: write token = { env = "VAULT_TOKEN" }, or role_id and secret_id
    "#);
    insta::assert_snapshot!(said(
        "{ vault = \"a\", key = \"k\", secret_id = { env = \"S\" } }"
    ), @r#"
    outwall.toml:2: the source has a `secret_id` without a `role_id`
      hint: write token = { env = "VAULT_TOKEN" }, or role_id and secret_id
    "#);
    insta::assert_snapshot!(said("{ vault = \"a\", key = \"k\", auth_mount = \"x\" }"), @r#"
    outwall.toml:2: the source has an `auth_mount` without a `role_id`
      hint: write token = { env = "VAULT_TOKEN" }, or role_id and secret_id
    "#);
    insta::assert_snapshot!(said(
        "{ vault = \"a\", key = \"k\", address = \"http://vault.test:8200\" }"
    ), @r#"
    outwall.toml:2: `address` is no URL of a service: it is `http://` to another machine, where the gate's own secret could be read on the way
      hint: write address = "https://vault.corp.test:8200"
    "#);
    assert!(read("{ vault = \"a\", key = \"k\", address = \"http://127.0.0.1:8200\" }").is_ok());
}

#[test]
fn a_keyring_needs_an_account() {
    insta::assert_snapshot!(said("{ keyring = \"npm\" }"), @r#"
    outwall.toml:2: the source has no `account`
      hint: write whose it is there: account = "ci"
    "#);
}
