//! The `outwall` command: reads its arguments and composes the other crates.
//!
//! One file per subcommand; [`arguments`] lists them and is the place to start. What decides, signs,
//! records, relays or isolates is in the crates below; this one only puts them together.
#![forbid(unsafe_code)]

mod arguments;
mod attempt;
mod audit;
mod audit_row;
mod audit_sinks;
mod audit_verify;
mod blocklists;
mod ca;
mod control;
mod credential;
mod descriptors;
mod discovery;
mod doctor;
mod failure;
mod gate;
mod git_identity;
mod git_settings;
mod github;
mod github_session;
mod grants;
mod init;
mod interfaces;
mod listening;
mod memory;
mod metrics;
mod named_files;
mod origin_files;
mod policy;
mod policy_in_force;
mod proxy;
mod reload;
mod repository_url;
mod run;
mod sandbox_variables;
mod shipping;
mod since;
mod state_directory;
mod summary;
mod surroundings;
mod table;
mod terminal;
mod trust;
mod trust_store;
mod ui;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::terminal::Paint;

fn main() -> ExitCode {
    // The sandbox engine runs this same binary again for its inner stages; nothing may come before.
    outwall_sandbox_runtime::become_stage_if_asked();
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    trace();
    let failed = arguments.command.failure_code();
    let only_prints = arguments.command.only_prints();
    arguments.obey().unwrap_or_else(|failure| {
        if only_prints && failure.is_closed_pipe() {
            return ExitCode::SUCCESS;
        }
        failure.report(&mut std::io::stderr().lock(), Paint::for_stderr());
        failure.code().unwrap_or(failed)
    })
}

/// `OUTWALL_LOG=debug` (or a filter like `outwall_proxy=trace`) writes what happens to stderr.
fn trace() {
    if let Ok(filter) = std::env::var("OUTWALL_LOG") {
        let filter = tracing_subscriber::EnvFilter::new(filter);
        tracing_subscriber::fmt()
            .with_timer(tracing_subscriber::fmt::time::uptime())
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(Paint::for_stderr().is_coloured())
            .init();
    }
}
