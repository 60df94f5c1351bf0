//! Sandboxes from outside, and attempts to leave them from inside by real system calls; each refusal beside its allowed twin.
//!
//! No harness: a stage is this program executed again, and so are the attempts inside. As root every test runs twice, once as real root and once as an
//! ordinary user; else once. `sandbox NAME...` runs the tests whose names contain one of the words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "sandbox/attempts.rs"]
mod attempts;
#[path = "sandbox/launched.rs"]
mod launched;
#[path = "sandbox/stories.rs"]
mod stories;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    outwall_sandbox_runtime::become_stage_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--attempt") => return attempts::attempt(&arguments[1..]),
        Some("--launch-script") => return launched::launch_script(),
        Some("--launch") => return launched::launch_and_stay(),
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                for (name, _) in stories::STORIES {
                    println!("{name}: test");
                }
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let words: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let chosen = |name: &str| {
        words.is_empty()
            || words.iter().any(|word| {
                if exact {
                    name == *word
                } else {
                    name.contains(*word)
                }
            })
    };
    let mut failed = 0;
    for (name, story) in stories::STORIES.iter().filter(|(name, _)| chosen(name)) {
        let passed = std::panic::catch_unwind(story).is_ok();
        println!(
            "{} {name} as uid {}",
            if passed { "ok    " } else { "FAILED" },
            rustix::process::geteuid().as_raw()
        );
        failed += usize::from(!passed);
    }
    if rustix::process::geteuid().is_root() && !run_as_ordinary_user(&arguments) {
        failed += 1;
    }
    ExitCode::from(u8::from(failed > 0))
}

/// The same tests as a user without privileges, with a home of its own.
fn run_as_ordinary_user(arguments: &[String]) -> bool {
    const ORDINARY: u32 = 1000;
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(home.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
    // The program may lie where an ordinary user cannot go.
    let program = home.path().join("sandbox");
    std::fs::copy("/proc/self/exe", &program).unwrap();
    let status = Command::new(program)
        .args(arguments)
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .gid(ORDINARY)
        .uid(ORDINARY)
        .status()
        .unwrap();
    status.success()
}
