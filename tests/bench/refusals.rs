//! How long a refusal takes in a sandbox that reaches nothing, against a round trip to a server of its own: a program must be told,
//! and not wait.
//!
//! ```sh
//! cargo build --release && cargo run --release --package outwall-tests --example refusals -- target/release/outwall
//! ```
//!
//! Medians of one run, as ratios. Ends with 1 when one is beyond its bound, which is far from where a time limit would be.

use std::process::ExitCode;

use outwall_tests::Outwall;

/// What is tried, and how many round trips it may cost.
const BOUNDS: [(&str, f64); 4] = [("udp", 10.0), ("http", 60.0), ("literal", 60.0), ("https", 600.0)];

fn main() -> ExitCode {
    let Some(binary) = std::env::args().nth(1) else {
        eprintln!("usage: refusals PATH-OF-OUTWALL");
        return ExitCode::from(2);
    };
    let binary = std::fs::canonicalize(binary).expect("a binary is named");
    let outwall = Outwall::at(binary.display().to_string());
    let ran = outwall.sandbox(&["--quiet", "--network", "none"], &["python3", "-c", MEASURES]);
    let medians = ran.succeeded().stdout;
    let median = |name: &str| -> f64 {
        let line = medians
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no median of {name}: {medians}"))
    };
    let round_trip = median("round trip");
    println!("a round trip within the sandbox: {:.0} µs", round_trip * 1e6);
    let within = BOUNDS.map(|(name, bound)| {
        let ratio = median(name) / round_trip;
        println!("refused over {name}: {ratio:.1} of them (at most {bound:.0})");
        ratio <= bound
    });
    ExitCode::from(u8::from(within.contains(&false)))
}

const MEASURES: &str = r#"
import socket, ssl, statistics, threading, time
def median(name, way, times=31):
    took = []
    for _ in range(times):
        start = time.monotonic()
        try: way()
        except OSError: pass
        took.append(time.monotonic() - start)
    print(name, f"{statistics.median(took):.9f}")
server = socket.create_server(("127.0.0.1", 0))
def answer():
    while True:
        peer, _ = server.accept(); peer.recv(100); peer.sendall(b"x"); peer.close()
threading.Thread(target=answer, daemon=True).start()
def read(address, host):
    with socket.create_connection(address, timeout=60) as s:
        s.sendall(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n"); s.recv(100)
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(60); s.connect(("8.8.8.8", 443)); s.send(b"x"); s.recv(10)
context = ssl.create_default_context()
def tls():
    with socket.create_connection(("pypi.org", 443), timeout=60) as s:
        with context.wrap_socket(s, server_hostname="pypi.org") as t:
            t.sendall(b"GET / HTTP/1.1\r\nhost: pypi.org\r\n\r\n"); t.recv(100)
median("round trip", lambda: read(server.getsockname(), b"x"))
median("udp", udp)
median("http", lambda: read(("pypi.org", 80), b"pypi.org"))
median("literal", lambda: read(("93.184.216.34", 80), b"93.184.216.34"))
median("https", tls)
"#;
