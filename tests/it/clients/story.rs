//! What every client must show: it works, the audit has it, and it fails when one of its hosts is off the list.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::catalogue::{Client, Trust};
use super::event;
use super::wall::{self, Environment, Ran, User};

/// A row of the table, seen.
pub(super) struct Row {
    pub(super) client: &'static Client,
    pub(super) version: String,
    /// Hosts that answered, in order.
    pub(super) hosts: Vec<String>,
    /// Who ran Outwall when it worked.
    pub(super) users: &'static str,
    /// What the client did when a host was refused.
    pub(super) refused: String,
    pub(super) trust: String,
    /// The working run, from start to end of the sandbox.
    pub(super) took: Duration,
}

/// How a story ended that did not fail.
pub(super) enum Told {
    Seen(Row),
    Skipped { why: String },
}

/// Tells one client's story. A command that does not end panics.
pub(super) fn tell(client: &'static Client) -> Result<Told> {
    if let Some(why) = unreachable(client) {
        return Ok(Told::Skipped { why });
    }
    let version = wall::version(client)?;
    let (hosts, took) = works(client, User::Same)?;
    let users = works_for_users(client)?;
    let refused = client
        .needs
        .iter()
        .map(|host| fails_without(client, host))
        .collect::<Result<Vec<_>>>()?;
    fails_at_none(client)?;
    let trust = trusts(client)?;
    Ok(Told::Seen(Row {
        client,
        version,
        hosts,
        users,
        refused: one_or_all(refused),
        trust,
        took,
    }))
}

/// Why the client's hosts cannot be had from this machine. Asked of curl, outside: the test itself connects nowhere.
pub(super) fn unreachable(client: &Client) -> Option<String> {
    client.needs.iter().find_map(|host| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--output",
            "/dev/null",
        ]);
        match curl.arg(format!("https://{host}/")).stdin(Stdio::null()).output() {
            Ok(said) if said.status.success() => None,
            Ok(said) => Some(format!(
                "{host} cannot be reached: {}",
                String::from_utf8_lossy(&said.stderr).trim()
            )),
            Err(error) => Some(format!(
                "curl cannot be run: {error}. hint: `bash tests/clients/install.sh`"
            )),
        }
    })
}

/// Under the Trusted list it does its work, and the audit has a successful answer of every host that it needs.
fn works(client: &Client, user: User) -> Result<(Vec<String>, Duration)> {
    let ran = wall::run(client, &Environment::trusted(client), client.command, user)?;
    ensure!(
        ran.shows(client.shows),
        "it does not work under `--network trusted`: {}",
        ran.account()
    );
    let hosts = event::answered(&ran.events);
    for host in client.needs {
        ensure!(
            hosts.contains(host),
            "it worked, and the audit has no answer of {host}, only of {hosts:?}"
        );
    }
    Ok((hosts.into_iter().map(str::to_owned).collect(), ran.took()))
}

/// Where root runs the tests, once more as an ordinary user: rootless is what most people have.
fn works_for_users(client: &Client) -> Result<&'static str> {
    if !outwall_tests::is_root() {
        return Ok("user");
    }
    if !wall::is_installed_for(client, ORDINARY) {
        return Ok("root (not installed for users)");
    }
    works(client, User::Ordinary).map_err(|error| error.context("as an ordinary user"))?;
    Ok("root, user")
}

/// With `host` off the list and all else allowed, it fails, nothing goes out to the host, and the audit says why.
fn fails_without(client: &Client, host: &str) -> Result<String> {
    let ran = wall::run(
        client,
        &Environment::without(client, host),
        client.command,
        User::Same,
    )?;
    ensure!(
        !ran.shows(client.shows),
        "it works without {host}: {}",
        ran.account()
    );
    ensure!(
        !event::went_out(&ran.events, host),
        "{host} is off the list, and the audit has requests to it"
    );
    let reason = event::refusal(&ran.events, host);
    ensure!(
        reason == Some("host-not-allowed"),
        "{host} is off the list, and the audit says {reason:?}: {}",
        ran.account()
    );
    Ok(match ran.exit() {
        Some(0) => "shows the refusal".to_owned(),
        Some(code) => format!("exit {code}"),
        None => "ended by a signal".to_owned(),
    })
}

/// At level `none` it fails, nothing goes out, and the audit says why.
fn fails_at_none(client: &Client) -> Result<()> {
    let ran = wall::run(client, &Environment::none(client), client.command, User::Same)?;
    ensure!(
        !ran.shows(client.shows),
        "it works at level `none`: {}",
        ran.account()
    );
    for host in client.needs {
        ensure!(
            !event::went_out(&ran.events, host),
            "the level is `none`, and the audit has requests to {host}"
        );
    }
    let refused = client
        .needs
        .iter()
        .filter_map(|host| event::refusal(&ran.events, host));
    let reasons: Vec<_> = refused.collect();
    ensure!(
        !reasons.is_empty() && reasons.iter().all(|reason| *reason == "network-none"),
        "the level is `none`, and the audit says {reasons:?}: {}",
        ran.account()
    );
    Ok(())
}

/// Takes the trust variables away, to see which one the client cannot do without.
fn trusts(client: &Client) -> Result<String> {
    let with = |variable| {
        let command = with_only(variable, client.command);
        wall::run(client, &Environment::trusted(client), &command, User::Same)
    };
    let works = |ran: &Ran| ran.shows(client.shows);
    match client.trust {
        Trust::Store(store) => Ok(store.to_owned()),
        Trust::Bundle => {
            let ran = with(None)?;
            ensure!(
                works(&ran),
                "the system's bundle is not enough for it: {}",
                ran.account()
            );
            Ok("system bundle".to_owned())
        }
        Trust::Variable(variable) => {
            if works(&with(None)?) {
                return Ok("system bundle".to_owned());
            }
            let ran = with(Some(variable))?;
            ensure!(
                works(&ran),
                "`{variable}` is not enough for it: {}",
                ran.account()
            );
            Ok(format!("`{variable}`"))
        }
    }
}

/// The command with no trust variable but `kept`, deaf to what the machine's own configuration says of certificates,
/// and ended soon: a certificate does not get better by retrying.
fn with_only(kept: Option<&str>, command: &str) -> String {
    let removed: Vec<_> = TRUST_VARIABLES
        .iter()
        .copied()
        .filter(|name| Some(*name) != kept)
        .collect();
    let removed = removed.join(" ");
    format!(
        "unset {removed}; export PIP_CONFIG_FILE=/dev/null PREFIX=/nonexistent; exec timeout 20 {command}"
    )
}

fn one_or_all(mut outcomes: Vec<String>) -> String {
    outcomes.dedup();
    outcomes.join("; ")
}

/// Nobody in particular; the test library's ordinary user.
const ORDINARY: u32 = 1000;

const TRUST_VARIABLES: &[&str] = &[
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "CODEX_CA_CERTIFICATE",
    "CURL_CA_BUNDLE",
    "DENO_TLS_CA_STORE",
    "GIT_SSL_CAINFO",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
];
