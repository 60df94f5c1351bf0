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
mod wall;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;
use std::thread;

use catalogue::{CLIENTS, Client};
use story::{Row, Told};
use wall::Wall;

/// Clients wait for the network most of their time: two at once halve the run, and their tables stay apart.
const AT_ONCE: usize = 2;

#[test]
#[ignore = "uses the real registries: bash tests/all.sh runs it"]
fn every_client_works_is_audited_and_fails_when_its_host_is_off_the_list() {
    let only = std::env::var("OUTWALL_CLIENTS").ok();
    let chosen = || CLIENTS.iter().filter(|client| is_chosen(client, only.as_deref()));
    let wall = Wall::new();
    let told = tell_all(&wall, chosen());
    let table = table::render(&told.rows);
    if only.is_some() || told.rows.len() < CLIENTS.len() {
        say(&format!(
            "the table, not written because it is not whole:\n{table}"
        ));
    } else {
        table::write(&table);
    }
    assert!(
        told.failures.is_empty(),
        "{} of {} clients failed:\n\n{}",
        told.failures.len(),
        chosen().count(),
        told.failures.join("\n\n")
    );
}

#[test]
#[ignore = "uses the real registries: bash tests/all.sh runs it"]
fn the_sandbox_of_chromium_itself_needs_nested_namespaces() {
    let client = CLIENTS
        .iter()
        .find(|client| client.nested_namespaces)
        .expect("a client of the catalogue nests");
    let wall = Wall::new();
    if story::unreachable(client).is_none() {
        let environment = wall::Environment {
            nested_namespaces: false,
            ..wall::Environment::trusted(client)
        };
        let ran = wall
            .run(client, &environment, client.command)
            .expect("the sandbox starts");
        assert!(!ran.shows(client.shows), "it worked without:\n{}", ran.output);
    }
}

fn is_chosen(client: &Client, only: Option<&str>) -> bool {
    only.is_none_or(|only| only.split(',').any(|name| name == client.name))
}

#[derive(Default)]
struct Summary {
    rows: Vec<(usize, Row)>,
    failures: Vec<String>,
}

/// Tells every client's story, each with a line of its own on stderr as it ends.
fn tell_all(wall: &Wall, clients: impl Iterator<Item = &'static Client>) -> Summary {
    let waiting = Mutex::new(clients.enumerate().collect::<VecDeque<_>>());
    let summary = Mutex::new(Summary::default());
    let next = || waiting.lock().expect("no story panics").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((place, client)) = next() {
                    let told = story::tell(wall, client);
                    summary.lock().expect("no story panics").add(place, client, told);
                }
            });
        }
    });
    let mut summary = summary.into_inner().expect("no story panics");
    summary.rows.sort_by_key(|(place, _)| *place);
    summary
}

impl Summary {
    fn add(&mut self, place: usize, client: &Client, told: anyhow::Result<Told>) {
        match told {
            Ok(Told::Seen(row)) => {
                say(&format!(
                    "ok: {} {} in {:.1} s",
                    client.name,
                    row.version,
                    row.took.as_secs_f64()
                ));
                self.rows.push((place, row));
            }
            Ok(Told::Skipped { why }) => say(&format!("SKIPPED: {}: {why}", client.name)),
            Err(failure) => {
                say(&format!("FAILED: {}: {failure:#}", client.name));
                self.failures.push(format!("{}: {failure:#}", client.name));
            }
        }
    }
}

/// To stderr itself: what the test runner captures, nobody sees when a test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "clients: {line}");
}
