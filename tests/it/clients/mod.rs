//! Real clients against the real registries, each in a captured sandbox that gives it no proxy variable and no flag.
//!
//! [`catalogue::CLIENTS`] says which and how, [`story`] is what each must show, [`wall`] runs the binary, and
//! [`table`] writes `tests/clients/TABLE.md` from what was seen. Knows nothing of Outwall's insides: it sees exit
//! codes, output and the audit.
//!
//! `bash tests/clients/install.sh` installs the clients. `OUTWALL_CLIENTS=uv,curl` runs only these, and prints the table
//! instead of writing it.

mod catalogue;
mod event;
mod story;
mod table;
pub(crate) mod wall;
mod writes;

use std::collections::VecDeque;
use std::io::Write;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

use anyhow::anyhow;
use catalogue::{CLIENTS, Client};
use story::{Row, Told};
use wall::{Environment, User};

/// Clients wait for the network most of their time, and each has a state directory of its own.
const AT_ONCE: usize = 2;

#[test]
#[ignore = "uses the real registries: bash tests/all.sh runs it"]
fn every_client_works_is_audited_and_fails_when_its_host_is_off_the_list() {
    let only = std::env::var("OUTWALL_CLIENTS").ok();
    let told = tell_all(CLIENTS.iter().filter(|client| is_chosen(client, only.as_deref())));
    let table = table::render(&told.rows);
    if told.rows.len() == CLIENTS.len() {
        table::write(&table);
    } else {
        say(&format!("this table is not whole, and so not written:\n{table}"));
    }
    let failures = told.failures.join("\n\n");
    assert!(
        failures.is_empty(),
        "{} clients failed:\n\n{failures}",
        told.failures.len()
    );
}

#[test]
#[ignore = "uses the real registries: bash tests/all.sh runs it"]
fn the_sandbox_of_chromium_itself_needs_nested_namespaces() {
    let client = CLIENTS
        .iter()
        .find(|client| client.nested_namespaces)
        .expect("a client of the catalogue nests");
    if let Some(why) = story::unreachable(client) {
        return say(&format!("SKIPPED: Chromium without nested namespaces: {why}"));
    }
    let environment = Environment::trusted(client).without_nesting();
    let ran = wall::run(client, &environment, client.command, User::Same).expect("the sandbox runs");
    assert!(
        ran.says("No usable sandbox"),
        "it was not refused its namespaces: {}",
        ran.account()
    );
}

fn is_chosen(client: &Client, only: Option<&str>) -> bool {
    only.is_none_or(|only| only.split(',').any(|name| name == client.name))
}

#[derive(Default)]
struct Summary {
    rows: Vec<Row>,
    failures: Vec<String>,
}

/// Tells every client's story, each with a line of its own on stderr as it ends.
fn tell_all(clients: impl Iterator<Item = &'static Client>) -> Summary {
    let waiting = Mutex::new(clients.collect::<VecDeque<_>>());
    let summary = Mutex::new(Summary::default());
    let next = || waiting.lock().expect("no story holds it").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(client) = next() {
                    let told =
                        catch_unwind(|| story::tell(client)).unwrap_or_else(|panic| Err(words(&*panic)));
                    summary.lock().expect("no story holds it").add(client, told);
                }
            });
        }
    });
    let mut summary = summary.into_inner().expect("no story holds it");
    summary
        .rows
        .sort_by_key(|row| CLIENTS.iter().position(|client| client.name == row.client.name));
    summary
}

impl Summary {
    fn add(&mut self, client: &Client, told: anyhow::Result<Told>) {
        let name = client.name;
        match told {
            Ok(Told::Seen(row)) => {
                say(&format!(
                    "ok: {name} {} in {:.1} s",
                    row.version,
                    row.took.as_secs_f64()
                ));
                self.rows.push(row);
            }
            Ok(Told::Skipped { why }) => say(&format!("SKIPPED: {name}: {why}")),
            Err(failure) => {
                say(&format!("FAILED: {name}: {failure:#}"));
                self.failures.push(format!("{name}: {failure:#}"));
            }
        }
    }
}

/// What a story panicked with: the test library does so when a command does not end.
fn words(panic: &(dyn std::any::Any + Send)) -> anyhow::Error {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    anyhow!(
        "{}",
        words
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("it panicked")
    )
}

/// To stderr itself: what the test runner captures, nobody sees when a test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "clients: {line}");
}
