//! Makes the attempts of a list, many at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::attack::{Attack, Attempt, Seen, Side};
use crate::make::Surroundings;

/// An attempt that was made.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Made {
    /// Of which class.
    pub class: String,
    /// Whether it is a twin.
    pub twin: bool,
    /// Which of the class's attempts, or twins.
    pub number: usize,
    /// What it saw.
    pub seen: Seen,
}

/// How many attempts of a list are made on a side, twins included.
pub fn count(list: &[Attack], side: Side) -> usize {
    jobs(list, side).len()
}

/// Makes every attempt of a side, and tells each as it is made.
pub fn run(list: &[Attack], side: Side, around: &Surroundings, told: impl FnMut(Made) + Send) {
    let jobs = jobs(list, side);
    let next = AtomicUsize::new(0);
    let told = Mutex::new(told);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = job.attempt.make(around);
                    let made = Made {
                        class: job.class.to_owned(),
                        twin: job.twin,
                        number: job.number,
                        seen,
                    };
                    told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(made);
                }
            });
        }
    });
}

struct Job<'a> {
    class: &'static str,
    twin: bool,
    number: usize,
    attempt: &'a Attempt,
}

fn jobs(list: &[Attack], side: Side) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for attack in list {
        for (twin, attempts) in [(false, &attack.attempts), (true, &attack.twins)] {
            for (number, attempt) in attempts
                .iter()
                .enumerate()
                .filter(|(_, attempt)| attempt.from == side)
            {
                jobs.push(Job {
                    class: attack.class,
                    twin,
                    number,
                    attempt,
                });
            }
        }
    }
    jobs
}

/// Attempts wait most of their time.
const AT_ONCE: usize = 48;
