//! The list of attacks, run with the real binary: `outwall doctor --attack` makes every attempt from inside a live sandbox and
//! beside a proxy, against origins that keep what arrives byte by byte. Here it is run as each user, and judged section by
//! section; `table` writes `tests/ATTACKS.md` from what was seen.
//!
//! The list itself is the crate `attacks`. That a row depends on its defence is shown here by policies that take one away, and
//! by `tests/mutations`, which takes them out of the source.

mod breaking;
mod slow;
mod table;

use std::sync::{Mutex, OnceLock, PoisonError};

use outwall_tests::{Finished, Outwall, is_root, namespaces_available};
use serde_json::Value;

use crate::outwall;

const POLICY: &str =
    "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"api.example.test\"]\n";

static ALONE: Mutex<()> = Mutex::new(());

/// One run of the list.
pub(super) struct Ran {
    /// As whom.
    pub(super) user: &'static str,
    /// What it printed.
    pub(super) report: Value,
    pub(super) finished: Finished,
}

impl Ran {
    fn of(user: &'static str, outwall: &Outwall) -> Self {
        // One at a time: each keeps both cores busy, and none is to wait for another's answers.
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let finished = outwall.run_patiently(&["doctor", "--attack", "--format", "json"]);
        let report =
            serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
        Self {
            user,
            report,
            finished,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Value> {
        self.report["attacks"].as_array().into_iter().flatten()
    }

    /// The row of a class.
    fn row(&self, class: &str) -> &Value {
        let row = self.rows().find(|row| row["class"] == class);
        row.unwrap_or_else(|| panic!("no row for {class}"))
    }
}

/// The list as each user runs it, once for all sections.
pub(super) fn as_each() -> &'static [Ran] {
    static RAN: OnceLock<Vec<Ran>> = OnceLock::new();
    RAN.get_or_init(|| {
        if !namespaces_available("the list of attacks") {
            return Vec::new();
        }
        let mut ran = vec![Ran::of(
            "an ordinary user",
            &outwall().policy(POLICY).as_ordinary_user(),
        )];
        if is_root() {
            ran.push(Ran::of("root", &outwall().policy(POLICY)));
        }
        ran
    })
}

#[track_caller]
fn section_is_held(title: &str, at_least: usize) {
    for ran in as_each() {
        let rows: Vec<_> = ran.rows().filter(|row| row["section"] == title).collect();
        assert!(rows.len() >= at_least, "{title}: {} classes", rows.len());
        let failed: Vec<_> = rows
            .iter()
            .filter(|row| row["outcome"] != "held")
            .map(|row| format!("{} {}: {}", row["outcome"], row["class"], row["why"]))
            .collect();
        assert!(failed.is_empty(), "as {}:\n{}", ran.user, failed.join("\n"));
    }
}

#[test]
fn host_names_are_held() {
    section_is_held("host names", 15);
}

#[test]
fn addresses_are_held() {
    section_is_held("addresses", 20);
}

#[test]
fn fronting_is_held() {
    section_is_held("fronting", 18);
}

#[test]
fn framing_of_http1_is_held() {
    section_is_held("framing of http/1.1", 50);
}

#[test]
fn framing_of_h2_is_held() {
    section_is_held("framing of h2", 35);
}

#[test]
fn other_channels_are_held() {
    section_is_held("other channels", 26);
}

#[test]
fn what_goes_through_an_allowed_host_is_held() {
    section_is_held("through an allowed host", 13);
}

#[test]
fn sessions_of_tls_are_held() {
    section_is_held("sessions of TLS", 4);
}

#[test]
fn tunnels_are_held() {
    section_is_held("through a tunnel", 6);
}

#[test]
fn who_a_client_is_is_held() {
    section_is_held("who a client is", 13);
}

#[test]
fn the_check_says_how_it_went_and_ends_with_0() {
    for ran in as_each() {
        let (tried, held) = (&ran.report["tried"], &ran.report["held"]);
        assert!(
            tried.as_u64() >= Some(240) && tried == held,
            "{tried} tried, {held} held"
        );
        assert_eq!(ran.finished.code(), 0, "{:?}", ran.finished);
        assert_eq!(ran.report["environment"], "default");
    }
}

/// What a hello with another name inside is told cannot be read by who cannot finish its handshake: so it is looked up.
#[test]
fn an_encrypted_hello_is_decided_by_its_outer_name() {
    for ran in as_each() {
        let row = ran.row("encrypted-hello");
        assert!(row["recorded"].to_string().contains("fronting"), "{row}");
    }
}

/// A refusal that nobody can look up is half a refusal.
#[test]
fn what_was_malformed_is_on_record() {
    for ran in as_each() {
        let malformed = ran.rows().filter(|row| {
            let how = row["how"].as_str().unwrap_or_default();
            row["section"] == "framing of http/1.1" && how.contains("malformed-request")
        });
        let unrecorded: Vec<_> = malformed
            .filter(|row| !row["recorded"].to_string().contains("malformed-request"))
            .map(|row| row["class"].to_string())
            .collect();
        assert!(unrecorded.is_empty(), "as {}: {unrecorded:?}", ran.user);
    }
}
