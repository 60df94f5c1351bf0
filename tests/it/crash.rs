//! `kill -9` at any instant loses no record of a request that reached its origin, and
//! the chain verifies afterwards. The origin counts for itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::{as_each_user, outwall};

const HOST: &str = "api.example.test";

#[test]
fn no_request_that_reached_its_origin_lacks_its_record() {
    gates_die_and_no_record_is_lost(1, 4, 200);
}

#[test]
fn the_same_with_two_gates_on_one_state_directory() {
    gates_die_and_no_record_is_lost(2, 3, 150);
}

#[test]
#[ignore = "twenty deaths in a thousand requests each"]
fn no_record_is_lost_in_twenty_deaths() {
    gates_die_and_no_record_is_lost(1, 20, 1000);
}

#[test]
#[ignore = "twenty deaths in a thousand requests each, two gates at once"]
fn no_record_is_lost_in_twenty_deaths_of_two_gates() {
    gates_die_and_no_record_is_lost(2, 20, 1000);
}

#[test]
fn a_run_that_is_killed_loses_no_record_either() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST]).origin(HOST, &origin);
        let mut dice = Dice(0x5eed_1111);
        for round in 0..3 {
            let script = format!(
                "echo started; seq 100 | xargs -P 4 -I N curl -so /dev/null https://{HOST}/n/{round}-N"
            );
            let sandbox = outwall.start_sandbox(&["--quiet"], &["sh", "-c", &script]);
            sandbox.wait_for_output("started");
            if round > 0 {
                wait_for_request(&origin, round); // a busy machine may take longer than the dice
            }
            thread::sleep(Duration::from_millis(100 + dice.below(700)));
            sandbox.signal("KILL");
            drop(sandbox);
            compare(&outwall, &origin, round);
        }
        assert!(!origin.requests().is_empty(), "the runs did send");
    });
}

/// Until the first request of this round has come, or half a minute has passed.
fn wait_for_request(origin: &TestOrigin, round: usize) {
    let of_this_round = format!("/n/{round}-");
    for _ in 0..600 {
        if origin.paths().iter().any(|path| path.starts_with(&of_this_round)) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Each round starts `gates` gates, sends up to `requests` through each, kills them all
/// somewhere in the middle, and then compares.
fn gates_die_and_no_record_is_lost(gates: usize, rounds: usize, requests: usize) {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let mut dice = Dice(0x5eed_0000 + gates as u64);
    let mut answered = 0;
    for round in 0..rounds {
        let lives: Vec<_> = (0..gates).map(|_| outwall.gate()).collect();
        let deaths: Vec<u64> = lives.iter().map(|_| dice.below(requests as u64)).collect();
        answered += deaths.iter().sum::<u64>();
        thread::scope(|scope| {
            for (number, (gate, death)) in lives.into_iter().zip(deaths).enumerate() {
                scope.spawn(move || live_and_die(gate, &format!("/n/{round}-{number}"), requests, death));
            }
        });
        compare(&outwall, &origin, round);
    }
    let reached = origin.requests().len() as u64;
    assert!(
        reached >= answered,
        "the gates did forward: {reached} of {answered}"
    );
}

/// Four clients send until the gate is dead. It is killed as soon as it has answered
/// `death` requests, so the instant lies anywhere within the others.
pub(crate) fn live_and_die(mut gate: TestGate, prefix: &str, requests: usize, death: u64) {
    let (next, answered, dead) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            if number % 2 == 0 {
                Versions::Http1Only
            } else {
                Versions::Http2Only
            }
        })
        .map(|versions| gate.client().speaking(versions))
        .collect();
    thread::scope(|scope| {
        for client in clients {
            let (next, answered, dead) = (&next, &answered, &dead);
            scope.spawn(move || {
                let Ok(mut connection) = client.try_open(&format!("https://{HOST}/")) else {
                    return;
                };
                while !dead.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return;
                    }
                    if connection
                        .try_get(&format!("https://{HOST}{prefix}/{number}"))
                        .is_err()
                    {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while (answered.load(Ordering::Relaxed) as u64) < death && next.load(Ordering::Relaxed) < requests {
            thread::sleep(Duration::from_micros(200));
        }
        gate.kill();
        dead.store(true, Ordering::Relaxed);
    });
}

fn compare(outwall: &Outwall, origin: &TestOrigin, round: usize) {
    // A request that the gate had sent may still be on its way into the origin's count.
    thread::sleep(Duration::from_millis(50));
    let reached: BTreeSet<_> = origin
        .paths()
        .into_iter()
        .filter(|path| path.starts_with("/n/"))
        .collect();
    // The next start repairs what the last one tore.
    outwall.gate().stop();
    let recorded: BTreeSet<_> = outwall
        .audit_of("exchange.going_out")
        .iter()
        .filter_map(|record| record["path"].as_str().map(str::to_owned))
        .collect();
    let lost: Vec<_> = reached.difference(&recorded).collect();
    assert!(
        lost.is_empty(),
        "round {round}: {lost:?} reached the origin and were not recorded"
    );
    outwall.run(&["audit", "verify"]).exited_with(0);
}

/// A few numbers that are the same in every run (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
