//! Runs the list: a sandbox, a proxy, and this process between them.

use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use outwall_attacks::{Attack, Made, Range, Record, Side};

use super::policy::Edited;
use super::stage::Stage;
use crate::failure::Failure;

/// What came of it.
pub(super) struct Ran {
    pub(super) made: Vec<Made>,
    pub(super) records: Vec<Record>,
}

pub(super) fn run(list: &[Attack], range: &Range, edited: &Edited) -> Result<Ran, Failure> {
    let stage = Stage::set(range, edited)?;
    let progress = Progress::of(list);
    let made = Mutex::new(Vec::new());
    let note = |one: Made| {
        progress.step();
        made.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    };
    let sandbox = stage.sandbox(range.victim())?;
    let ended = thread::scope(|scope| {
        let beside = scope.spawn(|| stage.beside_a_proxy(list, range.victim(), &note));
        let shared = scope.spawn(|| stage.beside_a_shared_proxy(list, range.victim(), &note));
        let inside = Stage::inside(sandbox, &note);
        let joined = [beside.join(), shared.join()]
            .map(|joined| joined.unwrap_or_else(|_| Err(Failure::new("the attempts beside a proxy failed"))));
        joined.into_iter().fold(inside, Result::and)
    });
    progress.end();
    ended?;
    Ok(Ran {
        made: made.into_inner().unwrap_or_else(PoisonError::into_inner),
        records: stage.records()?,
    })
}

/// How far the list is, on a terminal's standard error.
struct Progress {
    all: usize,
    made: AtomicUsize,
    shown: bool,
}

impl Progress {
    fn of(list: &[Attack]) -> Self {
        let sides = [
            Side::Sandbox,
            Side::Proxy,
            Side::Clients,
            Side::AfterReload,
            Side::AfterBrokenReload,
            Side::AfterRestart,
        ];
        Self {
            all: sides.iter().map(|side| outwall_attacks::count(list, *side)).sum(),
            made: AtomicUsize::new(0),
            shown: std::io::stderr().is_terminal(),
        }
    }

    fn step(&self) {
        let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        if self.shown {
            let _ = write!(std::io::stderr(), "\r{made} of {} attempts", self.all);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
