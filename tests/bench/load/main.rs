//! Many connections at once, against the real binary: what an idle one costs, whether busy ones fail beside them, and what
//! a slow-loris does to a good client.
//!
//! ```sh
//! cargo build --release && cargo run --release --package outwall-tests --example load -- target/release/outwall
//! ```
//!
//! Everything is on loopback, bounded in number and time, and ends by itself. Figures are ratios within one run, or memory;
//! a latency in microseconds is of this machine at this hour.

mod client;
mod crowd;
mod loris;
mod sample;

use std::process::ExitCode;

use outwall_tests::{Outwall, TestOrigin, Versions};

/// How many hosts the idle connections are spread over.
const HOSTS: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["drive-loris", gate, ca, count] => loris::drive(gate, ca, count),
        [binary] => {
            let binary = &absolute(binary);
            let crowd_held = crowd::measure(binary);
            let loris_held = loris::measure(binary);
            if crowd_held && loris_held {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => {
            eprintln!("usage: load PATH-OF-OUTWALL");
            ExitCode::from(2)
        }
    }
}

/// Gates are started in directories of their own.
fn absolute(binary: &str) -> String {
    let path = std::fs::canonicalize(binary).unwrap_or_else(|error| panic!("no binary at {binary}: {error}"));
    path.display().to_string()
}

const POLICY: &str = r#"
default_environment = "test"

[environments.test]
network = "custom"
allowed_domains = ["*.load.test"]

[gate]
idle_timeout = "2h"
"#;

/// `h0.load.test`, and so on.
fn host(number: usize) -> String {
    format!("h{}.load.test", number % HOSTS)
}

/// A gate before an origin that answers for every [`host`], and lets idle clients be for longer than a busy machine takes to open
/// all of them: by itself it closes them after five minutes, which a test of its limits shows.
fn story(binary: &str) -> (TestOrigin, Outwall) {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let mut outwall = Outwall::at(binary).policy(POLICY);
    for number in 0..HOSTS {
        outwall = outwall.origin(&host(number), &origin);
    }
    (origin, outwall)
}
