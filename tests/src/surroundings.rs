//! What this machine lets a story do, and saying so when a story cannot be told here.

use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Prints one loud line for a story that cannot be told here. A skip that nobody sees is
/// a test that nobody has.
pub fn skip(story: &str, because: &str) {
    use std::io::Write;
    let line = format!("SKIPPED: {story}: {because}\n");
    // Written, not printed: the test harness captures `eprintln!` and shows it for failures only.
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

/// Whether this process is root: with it, a story is told as root and as a user.
pub fn is_root() -> bool {
    status_number("Uid:") == Some(0)
}

/// Whether the real package registries answer from here, asked once. Says so when not.
pub fn registries_reachable(story: &str) -> bool {
    static REACHABLE: OnceLock<bool> = OnceLock::new();
    let reachable = *REACHABLE.get_or_init(|| connects("pypi.org:443") || connects("index.crates.io:443"));
    if !reachable {
        skip(story, "no package registry can be reached from this machine");
    }
    reachable
}

/// Whether namespaces can be made here, by root or by a user. Says so when not.
pub fn namespaces_available(story: &str) -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    let available = *AVAILABLE.get_or_init(|| {
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if !available {
        skip(story, "this machine makes no user and network namespaces");
    }
    available
}

fn connects(target: &str) -> bool {
    let Ok(addresses) = target.to_socket_addrs() else {
        return false;
    };
    let mut addresses = addresses;
    addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(3)).is_ok())
}

fn status_number(field: &str) -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
