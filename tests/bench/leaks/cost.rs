//! What looking costs: CPU time of the gate per MiB that is uploaded, with the scan off, reporting and keeping, in turns.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use outwall_tests::cost::{cpu_ticks, median};
use outwall_tests::planted::Planted;
use outwall_tests::{TestGate, TestOrigin, Versions};

use crate::{HOST, outwall};

const ACTIONS: [&str; 3] = ["off", "report", "block"];
const ROUNDS: usize = 5;
const UPLOADED: usize = 64 << 20;
const PIECE: usize = 4 << 20;

pub(crate) fn run(binary: &str, files: &[&str]) -> bool {
    let origin = TestOrigin::start();
    let places = ACTIONS.map(|action| outwall(binary, &origin, action));
    let gates = places.each_ref().map(|place| place.gate());
    for file in files {
        let bytes = Bytes::from(fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}")));
        for versions in [Versions::Http1Only, Versions::Http2Only] {
            let mut costs = [const { Vec::new() }; ACTIONS.len()];
            for _ in 0..ROUNDS {
                for (gate, costs) in gates.iter().zip(&mut costs) {
                    costs.push(upload(gate, versions, &bytes));
                }
            }
            let [off, report, block] = costs.map(median);
            let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
            println!(
                "{name:<20} {versions:?}: off {off:.2} ms/MiB, report {report:.2} (ratio {:.2}), block {block:.2} (ratio {:.2})",
                report / off,
                block / off
            );
        }
    }
    true
}

/// CPU milliseconds of the gate per MiB.
#[expect(clippy::cast_precision_loss, reason = "mebibytes and ticks")]
fn upload(gate: &TestGate, versions: Versions, bytes: &Bytes) -> f64 {
    let mut connection = gate.client().speaking(versions).open(&format!("https://{HOST}/"));
    let before = cpu_ticks(gate.pid());
    let mut sent = 0;
    while sent < UPLOADED {
        let piece = bytes.slice(..bytes.len().min(PIECE));
        sent += piece.len();
        let upload = Planted {
            place: "a file",
            path: "/sink".to_owned(),
            fields: Vec::new(),
            pieces: vec![piece],
        };
        let response = connection.post(HOST, &upload).expect("an answer");
        assert_eq!(response.status(), 200);
        let _ = response.into_text();
    }
    let ticks = cpu_ticks(gate.pid()) - before;
    ticks as f64 * 10.0 / (sent as f64 / 1024.0 / 1024.0)
}
