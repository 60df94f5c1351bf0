//! What the scan for leaving credentials finds, what it takes for one that is none, and what it costs: with the real binary.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --package outwall-tests --example leaks -- target/release/outwall corpus 10000
//! cargo run --release --package outwall-tests --example leaks -- target/release/outwall traffic DIRECTORY
//! cargo run --release --package outwall-tests --example leaks -- target/release/outwall cost FILE...
//! ```
//!
//! The corpus is made from a seed, so a run can be repeated; nothing of it is in a file. Everything is on loopback.

mod corpus;
mod cost;
mod traffic;

use std::process::ExitCode;

use outwall_tests::{Outwall, TestOrigin};

const HOST: &str = "api.leaks.test";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let good = match arguments.as_slice() {
        [binary, "corpus", count] => corpus::run(binary, count.parse().expect("a count")),
        [binary, "traffic", directory] => traffic::run(binary, directory),
        [binary, "cost", files @ ..] => cost::run(binary, files),
        _ => {
            eprintln!("usage: leaks PATH-OF-OUTWALL corpus COUNT | traffic DIRECTORY | cost FILE...");
            return ExitCode::from(2);
        }
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A place with a policy that does this about credentials.
fn outwall(binary: &str, origin: &TestOrigin, action: &str) -> Outwall {
    let path = std::fs::canonicalize(binary).unwrap_or_else(|error| panic!("no binary at {binary}: {error}"));
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[environments.default.dlp]\naction = \"{action}\"\n"
    );
    Outwall::at(path).policy(&policy).origin(HOST, origin)
}
