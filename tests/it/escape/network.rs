//! Packets: none leaves but through the gate, whatever the environment allows.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use outwall_tests::{is_root, namespaces_available, skip};

use super::{PYTHON, story};

const FULL: &str = "[environments.default]\nnetwork = \"full\"\n";

#[test]
fn other_protocols_are_answered_by_the_kernel() {
    if !namespaces_available("escape") {
        return;
    }
    let outwall = story().policy(FULL).as_ordinary_user();
    let script = format!(
        "{PYTHON} attempt.py udp 192.0.2.1 443; {PYTHON} attempt.py udp 2001:db8::1 443; \
         {PYTHON} attempt.py ping 192.0.2.1; {PYTHON} attempt.py own_server"
    );
    let inside = outwall.shell(&[], &script).stdout;
    let refusals: Vec<_> = inside
        .lines()
        .filter(|line| line.starts_with("held: udp"))
        .collect();
    assert_eq!(refusals.len(), 2, "{inside}");
    for refusal in refusals {
        assert!(
            refusal.contains("refused after "),
            "no refusal at the socket: {refusal}"
        );
    }
    assert!(
        inside.contains("through: own_server"),
        "servers inside talk to each other:\n{inside}"
    );
}

#[test]
fn every_dns_server_is_us() {
    if !namespaces_available("escape") {
        return;
    }
    let outwall = story().policy(FULL).as_ordinary_user();
    let script = format!(
        "for s in 8.8.8.8 192.0.2.53 127.0.0.1; do {PYTHON} attempt.py dns $s secret.example.com; done"
    );
    let inside = outwall.shell(&[], &script).stdout;
    let answers = inside
        .lines()
        .filter(|line| line.starts_with("through: dns: 198.18."))
        .count();
    assert!(answers >= 2, "{inside}");
}

#[test]
fn services_on_the_hosts_loopback_are_out_of_reach_by_any_name() {
    if !namespaces_available("escape") {
        return;
    }
    let service = Service::start();
    let port = service.port.to_string();
    let outwall = story()
        .policy("[environments.default]\nnetwork = \"full\"\n")
        .host("service.example.test:80", &format!("127.0.0.1:{port}"))
        .as_ordinary_user();
    let addresses = [
        "127.0.0.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "10.99.0.2",
        "localhost",
        "127.8.8.8",
    ];
    let special = [
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "fd00:ec2::254",
        "198.18.255.1",
    ];
    let service_at = addresses.map(|address| (address, port.as_str()));
    let listeners = ["127.0.0.1", "192.0.2.1"].map(|address| [(address, "15001"), (address, "15053")]);
    let attempts: Vec<String> = service_at
        .into_iter()
        .chain(listeners.into_iter().flatten())
        .chain(special.map(|address| (address, "80")))
        .map(|(address, port)| format!("{PYTHON} attempt.py tcp {address} {port}"))
        .collect();
    let script = format!(
        "{PYTHON} attempt.py tcp service.example.test 80; echo; {}",
        attempts.join("; ")
    );
    let inside = outwall.shell(&[], &script).stdout;
    let (allowed, refused) = inside.split_once("\n\n").expect("the twin is printed first");
    assert!(
        allowed.starts_with("through: tcp"),
        "named by the operator, it is reached: {inside}"
    );
    assert!(!refused.contains("through:"), "{inside}");
    assert_eq!(service.reached(), 1, "only the named way leads there:\n{inside}");
}

#[test]
fn unix_sockets_of_the_host_are_out_of_reach() {
    if !namespaces_available("escape") {
        return;
    }
    let name = format!("outwall-story-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(&name).expect("a short name");
    let _listener = UnixListener::bind_addr(&address).expect("an abstract name can be bound");
    let directory = tempfile::tempdir_in("/tmp").expect("a temporary directory can be made");
    let path = directory.path().join("socket");
    let _other = UnixListener::bind(&path).expect("a path can be bound");
    for attempt in [
        ["abstract_socket", &name],
        ["unix_socket", path.to_str().expect("ASCII")],
    ] {
        let outside = Command::new(PYTHON)
            .arg(story().work_dir().join("attempt.py"))
            .args(attempt)
            .output()
            .expect("python is installed");
        drop(outside);
        let inside = story()
            .as_ordinary_user()
            .sandbox(&[], &[&[PYTHON, "attempt.py"], &attempt[..]].concat());
        assert!(inside.stdout.starts_with("held:"), "{inside:?}");
    }
    let kept = story();
    let outside = Command::new(PYTHON)
        .arg(kept.work_dir().join("attempt.py"))
        .args(["abstract_socket", &name])
        .output()
        .expect("python is installed");
    assert!(
        String::from_utf8_lossy(&outside.stdout).starts_with("through:"),
        "the host itself reaches it"
    );
}

/// The whole host side is a network namespace with one interface, whose packets are counted.
#[test]
fn no_packet_leaves_the_host_but_those_of_the_gate() {
    if !is_root() {
        return skip("packet counter", "making a host of our own needs root");
    }
    let host = HostOfOurOwn::make();
    let outwall = story().policy(FULL);
    let sent_by_host = host.packets_of(|| {
        host.run(&[
            PYTHON,
            outwall.work_dir().join("attempt.py").to_str().expect("ASCII"),
            "udp",
            "192.0.2.1",
            "9",
        ]);
    });
    assert!(sent_by_host > 0, "the counter counts");
    let script = format!(
        "for a in 'udp 192.0.2.1 443' 'udp 8.8.8.8 123' 'udp 2001:db8::1 443' 'ping 192.0.2.1' 'dns 8.8.8.8 a.example.com' \
         'raw_socket' 'packet_socket' 'vsock' 'flush_rules' 'new_network_namespace' 'tcp 169.254.169.254 80' \
         'tcp 10.1.1.1 80' 'tcp 127.0.0.1 15001'; do {PYTHON} attempt.py $a; done"
    );
    for options in [&[][..], &["--root"]] {
        let command = outwall.command(&[&["run"], options, &["--", "sh", "-c", &script]].concat());
        let sent = host.packets_of(|| {
            let said = host.run_command(&command);
            assert!(
                said.contains("held: raw_socket"),
                "the attempts were made:\n{said}"
            );
        });
        assert_eq!(sent, 0, "packets left the host");
    }
    // The allowing twin: what the policy allows does leave, by the gate's hand.
    let command = outwall.command(&[
        "run",
        "--network",
        "custom",
        "--allow",
        "192.0.2.1",
        "--",
        PYTHON,
        "attempt.py",
        "tcp",
        "192.0.2.1",
        "80",
    ]);
    let sent = host.packets_of(|| drop(host.run_command(&command)));
    assert!(sent > 0, "an allowed connection leaves by the gate");
}

/// A network namespace with one interface that leads nowhere and counts what it is given.
struct HostOfOurOwn {
    name: String,
}

impl HostOfOurOwn {
    fn make() -> Self {
        let name = format!("outwall-story-{}", std::process::id());
        let host = Self { name };
        ip(&["netns", "add", &host.name]);
        // No IPv6, no ARP: a packet on this interface is one that somebody sent.
        host.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]);
        for command in [
            "link set lo up",
            "link add out0 type veth peer name far0",
            "link set out0 arp off",
            "addr add 192.0.2.200/24 dev out0",
            "link set out0 up",
            "link set far0 up",
            "route add default dev out0",
        ] {
            let words: Vec<_> = command.split(' ').collect();
            ip(&[&["-n", &host.name], &words[..]].concat());
        }
        host
    }

    fn run(&self, command: &[&str]) -> String {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.name])
            .args(command)
            .output()
            .expect("iproute2 is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// As [`HostOfOurOwn::run`], with a command's own environment and directory.
    fn run_command(&self, command: &Command) -> String {
        let mut wrapped = Command::new("ip");
        wrapped
            .args(["netns", "exec", &self.name])
            .arg(command.get_program())
            .args(command.get_args());
        wrapped
            .env_clear()
            .current_dir(command.get_current_dir().expect("stories have a directory"));
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        let output = wrapped.output().expect("iproute2 is installed");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// How many packets the interface was given while `action` ran.
    fn packets_of(&self, action: impl FnOnce()) -> u64 {
        let before = self.transmitted();
        action();
        self.transmitted() - before
    }

    /// All packets sent but IPv6's own housekeeping, which a counter rule would not tell apart either: there is none,
    /// for the interface has no IPv6 address.
    fn transmitted(&self) -> u64 {
        let statistics = self.run(&["cat", "/proc/net/dev"]);
        let line = statistics
            .lines()
            .find(|line| line.trim_start().starts_with("out0:"));
        line.and_then(|line| line.split_whitespace().nth(10))
            .and_then(|number| number.parse().ok())
            .expect("the interface has statistics")
    }
}

impl Drop for HostOfOurOwn {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let status = Command::new("ip")
        .args(arguments)
        .status()
        .expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments:?}");
}

/// A service on the host's loopback, all families, that counts who reaches it.
struct Service {
    port: u16,
    reached: Arc<AtomicUsize>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("[::]:0").expect("a port is to be had");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let reached = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reached);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || answer(connection));
            }
        });
        Self { port, reached }
    }

    fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

fn answer(mut connection: std::net::TcpStream) {
    use std::io::{Read, Write};
    let _ = connection.read(&mut [0; 4096]);
    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
}

#[test]
fn the_stories_say_what_they_read() {
    assert!(
        fs::metadata(PYTHON).is_ok(),
        "{PYTHON} is missing: apt-get install python3"
    );
}
