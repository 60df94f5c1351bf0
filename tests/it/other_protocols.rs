//! What is not a request over TLS with a name in it: plain TCP by name, tunnels, clients
//! without SNI, IPv6, and names asked for by the thousand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use outwall_tests::TestOrigin;

use crate::{as_each_user, outwall};

const HOST: &str = "api.example.test";

/// A server that speaks first, as PostgreSQL's poolers and SSH do, then echoes.
fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = connection.write_all(b"220 ready\n");
                let mut buffer = [0; 1024];
                while let Ok(length @ 1..) = connection.read(&mut buffer) {
                    let _ = connection.write_all(&buffer[..length]);
                }
            });
        }
    });
    address
}

const TCP: &str = "default_environment = \"test\"\n[environments.test]\nnetwork = \"custom\"\n\
                   allowed_domains = [\"api.example.test\"]\ntcp = [\"db.example.test:5432\"]\n";

#[test]
fn plain_tcp_by_name_and_port_lets_the_server_speak_first() {
    let outwall = outwall()
        .policy(TCP)
        .host("db.example.test:5432", &greeter().to_string());
    let gate = outwall.gate();
    let mut raw = gate.raw();
    raw.send("CONNECT db.example.test:5432 HTTP/1.1\r\nhost: db.example.test:5432\r\n\r\n");
    assert!(raw.read_head().starts_with("HTTP/1.1 200"));
    assert_eq!(raw.read_to("\n"), "220 ready\n");
    raw.send("hello\n");
    assert_eq!(raw.read_to("\n"), "hello\n");
    drop(raw);

    let mut other = gate.raw();
    other.send("CONNECT db.example.test:5433 HTTP/1.1\r\nhost: db.example.test:5433\r\n\r\n");
    assert!(other.read_head().starts_with("HTTP/1.1 403"));
    gate.stop();
    let out = outwall.audit_of("connection.going_out");
    assert_eq!(out.len(), 1, "{out:#?}");
    assert_eq!(out[0]["scheme"], "stream");
    let back = &outwall.audit_of("connection.came_back")[0];
    assert_eq!(
        (&back["bytes_up"], &back["bytes_down"]),
        (&6.into(), &16.into()),
        "{back}"
    );
}

#[test]
fn plain_tcp_works_from_a_sandbox_and_only_at_that_port() {
    as_each_user(|outwall| {
        let outwall = outwall
            .policy(TCP)
            .host("db.example.test:5432", &greeter().to_string());
        let finished = outwall.sandbox(&["--quiet"], &["/usr/bin/python3", "-c", SPEAK]);
        assert_eq!(finished.stdout, "220 ready\nhello\nrefused\n", "{finished:?}");
    });
}

const SPEAK: &str = r#"
import socket
with socket.create_connection(("db.example.test", 5432), timeout=5) as s:
    print(s.recv(100).decode(), end=""); s.sendall(b"hello\n"); print(s.recv(100).decode(), end="")
try:
    with socket.create_connection(("db.example.test", 5433), timeout=5) as s:
        s.settimeout(5); print(s.recv(100).decode() or "refused")
except OSError: print("refused")
"#;

#[test]
fn what_is_always_reachable_is_reachable_with_no_network() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall
            .policy(
                "[environments.default]\nnetwork = \"none\"\nalways_reachable = [\"model.example.test\"]\n",
            )
            .origin("model.example.test", &origin)
            .origin(HOST, &origin);
        let script = format!(
            "for host in model.example.test {HOST}; do curl -s -o /dev/null -w '%{{http_code}}\\n' https://$host/; done"
        );
        assert_eq!(outwall.shell(&["--quiet"], &script).stdout, "200\n403\n");
        assert_eq!(
            outwall.shell(&["--quiet", "--network", "none"], &script).stdout,
            "200\n403\n"
        );
        assert_eq!(
            outwall.audit_of("exchange.going_out").len(),
            2,
            "it is intercepted, and so recorded"
        );
    });
}

#[test]
fn a_pinned_client_in_a_sandbox_sees_its_own_server_through_a_tunnel() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall
            .policy(&format!(
                "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"read.example.test\"]\ntunnelled_domains = [\"{HOST}\"]\n"
            ))
            .origin(HOST, &origin)
            .origin("read.example.test", &origin);
        let pin = std::fs::read_to_string(origin.ca_file()).unwrap();
        outwall.write_work_file("pin.pem", &pin);
        let script = format!(
            "for host in {HOST} read.example.test; do \
             curl -s --cacert pin.pem --capath /var/empty -o /dev/null -w '%{{http_code}} %{{exitcode}}\\n' https://$host/; done"
        );
        let finished = outwall.shell(&["--quiet"], &script);
        assert_eq!(finished.stdout, "200 0\n000 60\n", "{finished:?}");
        let out = outwall.audit_of("connection.going_out");
        assert!(out.iter().any(|record| record["scheme"] == "tunnel"), "{out:#?}");
    });
}

#[test]
fn a_client_without_sni_is_known_by_the_name_it_looked_up() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST]).origin(HOST, &origin);
        let finished = outwall.sandbox(&["--quiet"], &["/usr/bin/python3", "-c", WITHOUT_SNI]);
        assert_eq!(finished.stdout, "HTTP/1.1 200\nHTTP/1.1 403\n", "{finished:?}");
        assert_eq!(
            origin.requests()[0].server_name.as_deref(),
            Some(HOST),
            "to the origin it has one"
        );
    });
}

const WITHOUT_SNI: &str = r#"
import socket, ssl
for host in ["api.example.test", "other.example.test"]:
    context = ssl.create_default_context(); context.check_hostname = False
    with socket.create_connection((host, 443), timeout=5) as s, context.wrap_socket(s) as t:
        t.sendall(f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()); print(t.recv(12).decode())
"#;

#[test]
fn ipv6_is_captured_too() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST]).origin(HOST, &origin);
        let script = format!(
            "for host in {HOST} other.example.test; do curl -6 -s -o /dev/null -w '%{{http_code}}\\n' https://$host/; done;
             curl -6gsk -m 5 -o /dev/null -w '%{{http_code}}\\n' 'https://[2001:db8::1]/'"
        );
        let finished = outwall.shell(&["--quiet"], &script);
        assert_eq!(finished.stdout, "200\n403\n403\n", "{finished:?}");
    });
}

#[test]
fn refused_names_do_not_exist_where_the_environment_wants_it_so() {
    as_each_user(|outwall| {
        let outwall = outwall.policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\nrefused_names = \"nxdomain\"\n"
        ));
        let finished = outwall.shell(
            &["--quiet"],
            &format!("getent hosts {HOST} >/dev/null && echo known; getent hosts other.example.test || echo unknown"),
        );
        assert_eq!(finished.stdout, "known\nunknown\n", "{finished:?}");
    });
}

#[test]
fn a_flood_of_names_is_bounded_and_a_finding_and_hurts_no_other_name() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST, "*.flood.test"]).origin(HOST, &origin);
        let finished = outwall.sandbox(&["--quiet"], &["/usr/bin/python3", "-c", FLOOD]);
        assert_eq!(
            finished.stdout, "6000 asked, 4096 answered\n200\n",
            "{finished:?}"
        );
        let findings = outwall.audit_of("finding");
        assert!(
            (1..=3).contains(&findings.len()),
            "said, and not said for each query: {findings:#?}"
        );
        assert!(
            outwall.audit_of("dns").len() < 5000,
            "what is written down is bounded too"
        );
    });
}

const FLOOD: &str = r#"
import socket, struct, subprocess
answered = 0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(10); s.connect(("192.0.2.53", 53))
    for number in range(6000):
        labels = [b"x%d" % number, b"flood", b"test"]
        name = b"".join(bytes([len(l)]) + l for l in labels) + b"\0"
        s.send(struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
        answered += struct.unpack("!H", s.recv(512)[6:8])[0]
print(6000, "asked,", answered, "answered", flush=True)
subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", "https://api.example.test/"])
"#;

#[test]
fn two_sandboxes_at_once_do_not_hear_of_each_other() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST]).origin(HOST, &origin);
        let serve = "cd $HOME && exec /usr/bin/python3 -m http.server 8000 --bind 0.0.0.0";
        let first = outwall.start_sandbox(&["--quiet"], &["sh", "-c", &format!("echo up; {serve}")]);
        first.wait_for_output("up");
        let second = outwall.shell(
            &["--quiet"],
            "sleep 1; curl -s -m 3 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:8000/; \
             curl -s -m 3 -o /dev/null -w '%{http_code}\\n' http://10.99.0.2:8000/",
        );
        assert_eq!(second.stdout, "000\n000\n", "{second:?}");
        first.signal("TERM");
        first.finish();
    });
}

#[test]
fn hundreds_of_connections_at_once_are_served() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.allowing(&[HOST]).origin(HOST, &origin);
        let script = format!(
            "seq 120 | xargs -P 30 -I N curl -s -o /dev/null -w '%{{http_code}}\\n' https://{HOST}/n/N | sort | uniq -c"
        );
        let finished = outwall.shell(&["--quiet"], &script);
        assert_eq!(finished.stdout.trim(), "120 200", "{finished:?}");
        assert_eq!(outwall.audit_of("exchange.came_back").len(), 120);
        outwall.run(&["audit", "verify"]).exited_with(0);
    });
}
