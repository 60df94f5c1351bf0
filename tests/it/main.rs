//! Stories told from outside, with the real binary: one module per behaviour.
//!
//! Each denial has its twin that is allowed, so that no story passes because everything
//! is refused. What a story needs and the machine lacks (namespaces, root) is skipped
//! with a line that says so. The long ones are `#[ignore]`d: `cargo test -p outwall
//! --test it -- --ignored`.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

mod addresses;
mod agents;
mod asking;
mod attacks;
mod audit;
mod audit_faults;
mod audit_questions;
mod aws;
mod blocklists;
mod brokered;
mod ca;
mod captured;
mod clients;
mod command_line;
mod crash;
mod credentials;
mod escape;
mod exchange;
mod explicit;
mod github;
mod granting;
mod host_ports;
mod leaks;
mod limits;
mod machine;
mod metrics;
mod named_files;
mod other_protocols;
mod overload;
mod parent_proxy;
mod policy_file;
mod programs;
mod protocols;
mod published;
mod recording;
mod reload;
mod reload_under_load;
mod reset_storm;
mod sinks;
mod streaming;
mod suggesting;
mod terminal;
mod traces;
mod ui;
mod wildcards;

use outwall_tests::{Outwall, is_root, namespaces_available};

/// A place of its own for one story, with the binary under test.
fn outwall() -> Outwall {
    Outwall::at(env!("CARGO_BIN_EXE_outwall"))
}

/// Tells a story of a sandbox as whoever runs the tests, and as an ordinary user too
/// when that is root: the two make their namespaces in different ways.
#[track_caller]
fn as_each_user(story: impl Fn(Outwall)) {
    if !namespaces_available(std::thread::current().name().unwrap_or("a sandbox story")) {
        return;
    }
    if is_root() {
        story(outwall().as_ordinary_user());
    }
    story(outwall());
}
