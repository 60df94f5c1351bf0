//! Real coding agents, unpatched, each in a captured sandbox, against a stand-in for its model's servers at their real names.
//!
//! [`catalogue::CASES`] says which and how, [`story`] is what each must show, [`key`] how it comes by its key, [`stand_in`] starts
//! `tests/clients/agents/model_server.py`, and [`table`] writes `tests/clients/AGENTS.md` from what was seen. No agent reaches the
//! internet: everything but the model's host is refused.
//!
//! `bash tests/clients/install.sh agents` installs them. `OUTWALL_AGENTS=claude,codex` runs only these, and prints the table instead of
//! writing it.

mod catalogue;
mod key;
mod stand_in;
mod story;
mod table;
mod updates;
mod wall;

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::anyhow;
use outwall_tests::{namespaces_available, skip};

use catalogue::{CASES, Case};
use story::Row;

/// Agents wait for half of their time, for what they retry.
const AT_ONCE: usize = 2;

#[test]
#[ignore = "needs the agents of tests/clients/install.sh: bash tests/all.sh runs it"]
fn every_agent_works_unpatched_goes_on_and_is_told_when_it_is_refused() {
    if !are_available("the table of agents") {
        return;
    }
    let only = std::env::var("OUTWALL_AGENTS").ok();
    let (rows, failures) = tell_all(CASES.iter().filter(|case| case.is_chosen(only.as_deref())));
    let table = table::render(&rows);
    if rows.len() == CASES.len() {
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

#[test]
#[ignore = "needs the agents of tests/clients/install.sh: bash tests/all.sh runs it"]
fn updates_that_are_refused_end_soon() {
    if are_available("updates of agents") {
        updates::tell().expect("each ends, refused");
    }
}

/// Tells the story of each case, a few at once.
fn tell_all(cases: impl Iterator<Item = &'static Case>) -> (Vec<Row>, Vec<String>) {
    let waiting = Mutex::new(cases.collect::<VecDeque<_>>());
    let told = Mutex::new((Vec::new(), Vec::new()));
    let next = || waiting.lock().expect("no story holds it").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let name = format!("{} by {}", case.agent, case.api);
                    let row = std::panic::catch_unwind(|| story::tell(case))
                        .unwrap_or_else(|panic| Err(words(&*panic)));
                    let mut told = told.lock().expect("no story holds it");
                    match row {
                        Ok(row) => {
                            say(&format!("ok: {name} in {:.1} s", row.took.as_secs_f64()));
                            told.0.push(row);
                        }
                        Err(failure) => {
                            say(&format!("FAILED: {name}: {failure:#}"));
                            told.1.push(format!("{name}: {failure:#}"));
                        }
                    }
                }
            });
        }
    });
    let (mut rows, failures) = told.into_inner().expect("no story holds it");
    rows.sort_by_key(|row| {
        (
            row.case.agent,
            CASES.iter().position(|case| std::ptr::eq(case, row.case)),
        )
    });
    (rows, failures)
}

/// Whether they are installed, and sandboxes can be made. Says so when not.
fn are_available(story: &str) -> bool {
    let programs = ["claude", "codex", "opencode"];
    if !programs.iter().all(|program| bin().join(program).exists()) {
        skip(
            story,
            "the agents are not installed. hint: `bash tests/clients/install.sh agents`",
        );
        return false;
    }
    namespaces_available(story)
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

/// Where `tests/clients/install.sh` puts what it installs.
fn clients_dir() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let clients = target
        .expect("cargo's folder for tests lies in its target directory")
        .join("clients");
    clients.canonicalize().unwrap_or(clients)
}

/// The stand-in's programs.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/agents")
}

fn bin() -> PathBuf {
    clients_dir().join("agents/node_modules/.bin")
}

fn path() -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("{}:{inherited}", bin().display())
}

/// To stderr itself: what the test runner captures, nobody sees when a test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "agents: {line}");
}
