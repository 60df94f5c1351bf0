//! The thread that writes what may be late: endings, and counts of what was too much.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::shared::Core;

pub(crate) fn start(core: Arc<Core>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("outwall-audit".to_owned())
        .spawn(move || flush_from_time_to_time(&core))
}

/// Sleeps while nothing waits; else writes after [`LATENESS`]. Under load it wakes at that pace and finds little to do,
/// since every "going out" takes along what waits.
fn flush_from_time_to_time(core: &Core) {
    let mut state = core.lock();
    while !state.ending {
        if state.writer.waiting() == 0 && state.floods.is_empty() {
            state.flusher_sleeps = true;
            state = core.flush.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.flusher_sleeps = false;
        let waited = core
            .flush
            .wait_timeout_while(state, LATENESS, |state| !state.ending);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.writer.flush().is_err() {
            continue; // it goes on waiting, "going out" is refused, and counts are not piled upon it
        }
        let counted = state.floods.take_due(Instant::now());
        state.append_counts(&counted);
        let _ = state.writer.flush();
    }
}

const LATENESS: Duration = Duration::from_millis(50);
