//! What a credential costs: CPU time of the gate per request, with a secret put in and looked for in the answer, against the same
//! gate without; in turns, in one run.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --package outwall-tests --example broker -- target/release/outwall
//! ```

use std::process::ExitCode;

use outwall_tests::cost::{cpu_ticks, median};
use outwall_tests::{Client, Outwall, TestGate, TestOrigin, Versions};

const HOST: &str = "api.broker.test";
const SECRET: &str = "sk-bench-Zq8vN3xT7pLw2RkYc5HdB9mJ4sGf6AeU";
const ROUNDS: usize = 5;
/// Length of the answer in bytes, and how many are asked for in a round.
const ANSWERS: [(usize, usize); 3] = [(200, 4_000), (16 << 10, 2_000), (1 << 20, 100)];

fn main() -> ExitCode {
    let Some(binary) = std::env::args().nth(1) else {
        eprintln!("usage: broker PATH-OF-OUTWALL");
        return ExitCode::from(2);
    };
    let binary =
        std::fs::canonicalize(&binary).unwrap_or_else(|error| panic!("no binary at {binary}: {error}"));
    let origin = TestOrigin::start();
    let places = [false, true].map(|brokered| place(&binary, &origin, brokered));
    let gates = places.each_ref().map(|place| place.shared_gate(&[]));
    let clients = [0, 1].map(|which| client(&places[which], &gates[which]));
    for (length, requests) in ANSWERS {
        for versions in [Versions::Http1Only, Versions::Http2Only] {
            let mut costs = [const { Vec::new() }; 2];
            for _ in 0..ROUNDS {
                for which in [0, 1] {
                    costs[which].push(ask(&gates[which], &clients[which], versions, (length, requests)));
                }
            }
            let [without, with] = costs.map(median);
            println!(
                "answers of {length:>7} bytes, {versions:?}: {without:.3} ms of CPU a request without, {with:.3} with (ratio {:.2})",
                with / without
            );
        }
    }
    let received = origin.requests();
    let injected = received
        .iter()
        .filter(|request| request.header("x-api-key") == SECRET)
        .count();
    println!("{} requests, {injected} of them with the secret", received.len());
    if 2 * injected == received.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn place(binary: &std::path::Path, origin: &TestOrigin, brokered: bool) -> Outwall {
    let credential = format!(
        "[[credentials]]\nname = \"bench\"\nsource = {{ env = \"REAL_KEY\" }}\nhosts = [\"{HOST}\"]\n\
         inject = [{{ header = \"x-api-key\" }}]\nplaceholder = {{ env = \"KEY\" }}\nenvironments = [\"default\"]\n"
    );
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n{}",
        if brokered { &credential } else { "" }
    );
    Outwall::at(binary)
        .policy(&policy)
        .origin(HOST, origin)
        .variable("REAL_KEY", SECRET)
}

/// One that shows who it is.
fn client(place: &Outwall, gate: &TestGate) -> Client {
    let issued = place.run(&["credential", "issue"]).succeeded().stdout;
    gate.client()
        .header("proxy-authorization", &format!("Bearer {}", issued.trim()))
}

/// CPU milliseconds of the gate per request.
#[expect(clippy::cast_precision_loss, reason = "ticks and requests")]
fn ask(gate: &TestGate, client: &Client, versions: Versions, (length, requests): (usize, usize)) -> f64 {
    let url = format!("https://{HOST}/bytes/{length}");
    let mut connection = client.clone().speaking(versions).open(&url);
    let before = cpu_ticks(gate.pid());
    for _ in 0..requests {
        let response = connection.get(&url);
        assert_eq!(response.status(), 200);
        assert!(response.into_text().len() >= length, "all of it came"); // bytes that are no text become longer
    }
    (cpu_ticks(gate.pid()) - before) as f64 * 10.0 / requests as f64
}
