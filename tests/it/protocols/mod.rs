//! Every protocol that clients speak, with real clients and real servers, each in a captured sandbox and each with its refused
//! twin. None of the clients is ours, and neither are the servers.
//!
//! [`catalogue::CASES`] says which and how, [`servers`] starts the servers on loopback, and [`table`] writes
//! `tests/clients/PROTOCOLS.md` from what was seen. `bash tests/clients/install.sh` installs both sides.
//! `OUTWALL_CASES=curl,ssh` runs only the cases of these clients, and prints the table instead of writing it.

mod catalogue;
mod servers;
mod table;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use outwall_tests::{Finished, Outwall, namespaces_available};
use serde_json::Value;

use catalogue::{CASES, Case, Way};
use servers::Servers;

/// What was seen of one case.
struct Seen {
    case: &'static Case,
    version: String,
    /// What the audit has of it.
    audit: String,
    /// What its user is told when the host is off the list.
    refused: String,
}

#[test]
#[ignore = "needs the clients and servers of tests/clients/install.sh: bash tests/all.sh runs it"]
fn every_protocol_passes_is_audited_and_is_refused_when_its_host_is_off_the_list() {
    if !namespaces_available("the table of protocols") {
        return;
    }
    let Some(servers) = servers::start() else { return };
    let only = std::env::var("OUTWALL_CASES").ok();
    let (mut seen, mut failures) = (Vec::new(), Vec::new());
    for case in CASES.iter().filter(|case| case.is_chosen(only.as_deref())) {
        let name = format!("{} by {}", case.protocol, case.client);
        match tell(case, &servers) {
            Ok(row) => {
                say(&format!("ok: {name}"));
                seen.push(row);
            }
            Err(failure) => {
                say(&format!("FAILED: {name}: {failure:#}"));
                failures.push(format!("{name}: {failure:#}"));
            }
        }
    }
    let table = table::render(&seen);
    if seen.len() == CASES.len() {
        table::write(&table);
    } else {
        say(&format!("this table is not whole, and so not written:\n{table}"));
    }
    assert!(
        failures.is_empty(),
        "{} cases failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

fn tell(case: &'static Case, servers: &Servers) -> Result<Seen> {
    let version = version(case)?;
    let audit = passes(case, servers)?;
    let refused = is_refused(case, servers)?;
    Ok(Seen {
        case,
        version,
        audit,
        refused,
    })
}

/// It does its work, and the audit has it as what it is, from beginning to end.
fn passes(case: &Case, servers: &Servers) -> Result<String> {
    let (outwall, finished) = run(case, servers, &case.allowing());
    ensure!(
        finished.status.success() && finished.stdout.contains(case.shows),
        "it did not work: {finished:#?}"
    );
    let events = outwall.audit();
    let out = events
        .iter()
        .find(|event| is_its(case, event))
        .with_context(|| format!("the audit has no {:?}: {events:#?}", case.way))?;
    let back = events
        .iter()
        .find(|event| event["for"] == out["id"])
        .context("its end is not on record")?;
    ensure!(
        back["outcome"] == "complete" || has_left(case, back),
        "it did not end well: {back}"
    );
    ensure!(back["bytes_down"].as_u64() > Some(0), "nothing came back: {back}");
    Ok(match case.way {
        Way::Read(protocol) => {
            ensure!(
                back["status"] == case.status,
                "another answer than {}: {back}",
                case.status
            );
            format!("`{protocol}`, status {}", case.status)
        }
        Way::Tunnel | Way::Connect => "`tunnel`".to_owned(),
        Way::Stream => "`stream`".to_owned(),
    })
}

/// Behind the event that says `[DONE]` a client of `OpenAI` leaves, at times before the end of the response is there.
fn has_left(case: &Case, back: &Value) -> bool {
    case.client.starts_with("openai") && back["error"] == "the client's side ended before the response did"
}

fn is_its(case: &Case, event: &Value) -> bool {
    let is_for_it = event["target"] == format!("{}:{}", case.host, case.port);
    let kind = |kind: &str| event["kind"] == kind;
    is_for_it
        && match case.way {
            Way::Read(protocol) => kind("exchange.going_out") && event["protocol"] == protocol,
            Way::Tunnel | Way::Connect => kind("connection.going_out") && event["scheme"] == "tunnel",
            Way::Stream => kind("connection.going_out") && event["scheme"] == "stream",
        }
}

/// With its host off the list it fails, its user is told, and nothing goes out.
fn is_refused(case: &Case, servers: &Servers) -> Result<String> {
    let (outwall, finished) = run(case, servers, OTHERS_ALLOWED);
    ensure!(
        !finished.stdout.contains(case.shows),
        "it works all the same: {finished:#?}"
    );
    let said = format!("{}{}", finished.stdout, finished.stderr);
    ensure!(
        said.contains(case.refused_shows),
        "its user is not told {:?}: {finished:#?}",
        case.refused_shows
    );
    let events = outwall.audit();
    let about_it = |event: &&Value| event["target"] == format!("{}:{}", case.host, case.port);
    ensure!(
        events
            .iter()
            .filter(about_it)
            .any(|event| event["kind"] == "denied" && event["reason"] == "host-not-allowed"),
        "the audit has no refusal: {events:#?}"
    );
    ensure!(
        !events.iter().filter(about_it).any(|event| event["kind"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("going_out"))),
        "something went out: {events:#?}"
    );
    Ok(case.refused_shows.to_owned())
}

fn run(case: &Case, servers: &Servers, allowing: &str) -> (Outwall, Finished) {
    let policy =
        format!("default_environment = \"test\"\n[environments.test]\nnetwork = \"custom\"\n{allowing}");
    let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
        .policy(&policy)
        .root(servers.ca_file())
        .host(
            &format!("{}:{}", case.host, case.port),
            &servers.address(case.server),
        )
        .variable("PATH", &path());
    for file in fs::read_dir(programs()).expect("the clients' programs are there") {
        let file = file.expect("the clients' programs are there");
        if file.path().is_file() {
            fs::copy(file.path(), outwall.work_dir().join(file.file_name())).expect("they can be copied");
        }
    }
    servers.give_client_files(&outwall.work_dir());
    let clients = clients_dir().display().to_string();
    let node_path = format!("NODE_PATH={}", clients_dir().join("npm/node_modules").display());
    if let Way::Connect = case.way {
        let gate = outwall.gate();
        let address = gate.address().to_string();
        let finished = outwall
            .start_other("sh", &["-c", case.command, "sh", &address])
            .finish();
        let ends = |kind: &str| outwall.audit_of(kind).len();
        for _ in 0..50 {
            if ends("connection.came_back") == ends("connection.going_out") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100)); // a tunnel ends after its client did
        }
        gate.stop();
        return (outwall, finished);
    }
    let options = ["--quiet", "--mount", &clients, "--env", &node_path];
    let finished = outwall.shell(&options, case.command);
    (outwall, finished)
}

fn version(case: &Case) -> Result<String> {
    let said = Command::new("sh")
        .args(["-c", case.version])
        .env("PATH", path())
        .current_dir(programs())
        .env("NODE_PATH", clients_dir().join("npm/node_modules"))
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let words = said.split(|c: char| c.is_whitespace() || c == '_' || c == ',');
    let mut numbers = words.map(|word| word.trim_start_matches('v'));
    let number =
        numbers.find(|word| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(number
        .with_context(|| {
            format!("it is not installed, or has no version: {said:?}. hint: `bash tests/clients/install.sh`")
        })?
        .to_owned())
}

/// Where `tests/clients/install.sh` puts what it installs.
fn clients_dir() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let clients = target
        .expect("cargo's folder for tests lies in its target directory")
        .join("clients");
    clients.canonicalize().unwrap_or(clients)
}

/// The small programs of this test.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/protocols")
}

fn path() -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    let clients = clients_dir();
    let (venv, tonic) = (clients.join("venv-protocols/bin"), clients.join("tonic/debug"));
    format!("{}:{}:{inherited}", venv.display(), tonic.display())
}

/// To stderr itself: what the test runner captures, nobody sees when a test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "protocols: {line}");
}

const OTHERS_ALLOWED: &str = "allowed_domains = [\"other.example.test\"]\n";
