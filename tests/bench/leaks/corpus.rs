//! Planted credentials, each followed by its twin: how many are found, and how many of the twins.

use std::collections::BTreeMap;

use outwall_tests::credentials::{Seeded, shapes};
use outwall_tests::planted::Planted;
use outwall_tests::{Client, Connection, TestOrigin, Versions};

use crate::{HOST, outwall};

const LIST: &str = include_str!("../../../policy/data/credential-shapes.toml");
const SEED: u64 = 20_261_125;
const LEAST_RECALL: f64 = 0.99;

#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
pub(crate) fn run(binary: &str, count: usize) -> bool {
    let (origin, shapes) = (TestOrigin::start(), shapes(LIST));
    let outwall = outwall(binary, &origin, "block");
    let gate = outwall.gate();
    let mut connections = [Versions::Http1Only, Versions::Http2Only].map(|versions| Reopened {
        client: gate.client().speaking(versions),
        connection: None,
    });
    let mut seeded = Seeded::new(SEED);
    let (mut found, mut wrong, mut missed) = (0, 0, BTreeMap::<String, usize>::new());
    for number in 0..count {
        let shape = &shapes[number % shapes.len()];
        let place = number / shapes.len();
        let connection = &mut connections[number % 2];
        let planted = Planted::new(place, &shape.credential(&mut seeded), &mut seeded);
        if connection.refuses(&planted, &shape.name) {
            found += 1;
        } else {
            *missed
                .entry(format!("{} in {}", shape.name, planted.place))
                .or_default() += 1;
        }
        let twin = Planted::new(place, &shape.twin(&mut seeded), &mut seeded);
        if connection.refuses(&twin, "") {
            wrong += 1;
            println!("twin of {} in {} was refused", shape.name, twin.place);
        }
    }
    for (what, times) in &missed {
        println!("missed {times} times: {what}");
    }
    let recall = f64::from(found) / count as f64;
    println!(
        "{} shapes, seed {SEED}: {found} of {count} found, recall {recall:.4}; {wrong} of {count} twins refused",
        shapes.len()
    );
    recall >= LEAST_RECALL && wrong == 0
}

struct Reopened {
    client: Client,
    connection: Option<Connection>,
}

impl Reopened {
    /// Whether a request is refused for a credential of this shape, or of any.
    fn refuses(&mut self, planted: &Planted, shape: &str) -> bool {
        for _ in 0..5 {
            let client = &self.client;
            let connection = self
                .connection
                .get_or_insert_with(|| client.open(&format!("https://{HOST}/")));
            match connection.post(HOST, planted) {
                Ok(response) if response.reason() == "credential-leaving" => {
                    let said = response.into_text();
                    self.connection = None;
                    return said.contains(&format!("({shape}")) || shape.is_empty();
                }
                Ok(response) => {
                    let _ = response.into_text();
                    return false;
                }
                Err(_closed) => self.connection = None,
            }
        }
        false
    }
}
