//! What a sandbox reaches, by the programs inside it, with no proxy variable and no flag
//! for certificates.

use insta::assert_snapshot;
use outwall_tests::{Outwall, TestOrigin, filters};

use crate::as_each_user;

const HOST: &str = "api.example.test";

/// A snapshot that every user sees alike.
macro_rules! same_for_each_user {
    ($seen:expr, @$snapshot:literal) => {
        insta::allow_duplicates! {
            insta::with_settings!({ filters => filters() }, { assert_snapshot!($seen, @$snapshot); });
        }
    };
}

fn reaching(outwall: Outwall, origin: &TestOrigin) -> Outwall {
    outwall.allowing(&[HOST]).origin(HOST, origin)
}

#[test]
fn curl_reaches_an_allowed_host_and_is_refused_another() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let finished = outwall.shell(
            &["--quiet"],
            &format!(
                "curl -sS https://{HOST}/status/200; curl -sS http://{HOST}/status/201;
                 curl -sS -o /dev/null -w '%{{http_code}} %header{{x-outwall-reason}}\\n' https://other.example.test/;
                 curl -sS -o /dev/null -w '%{{http_code}} %header{{x-outwall-reason}}\\n' http://other.example.test/"
            ),
        );
        assert_eq!(
            finished.stdout, "200 OK\n201 Created\n403 host-not-allowed\n403 host-not-allowed\n",
            "{finished:?}"
        );
        assert_eq!(finished.code(), 0);
        assert_eq!(origin.paths(), ["/status/200", "/status/201"]);
        assert_eq!(outwall.audit_of("exchange.going_out").len(), 2);
        assert_eq!(outwall.audit_of("denied").len(), 2);
    });
}

#[test]
fn with_no_network_every_attempt_is_answered_with_a_reason() {
    as_each_user(|outwall| {
        let finished = outwall.sandbox(&["--quiet", "--network", "none"], &["python3", "-c", ATTEMPTS]);
        assert_eq!(finished.code(), 0, "{finished:?}");
        let names = [
            "name over http",
            "name over https",
            "literal",
            "literal v6",
            "udp",
        ];
        let all = names.map(|name| format!("{name}: answered\n")).concat();
        assert_eq!(finished.stdout, all, "{finished:?}");
        let denied = outwall.audit_of("denied");
        assert!(denied.len() >= 3, "{denied:#?}");
        assert!(
            denied.iter().all(|record| record["reason"] == "network-none"),
            "{denied:#?}"
        );
    });
}

/// Tries to get out in several ways and prints whether each was answered, whatever the answer: what waits until it is given up is
/// the program that hangs. How long an answer takes is measured by `tests/bench/refusals.rs`.
const ATTEMPTS: &str = r#"
import socket, ssl, urllib.request, urllib.error
LONG = 60
def attempt(name, way):
    try: way(); what = "answered"
    except urllib.error.HTTPError: what = "answered"
    except urllib.error.URLError as error: what = "given up" if isinstance(error.reason, TimeoutError) else "answered"
    except TimeoutError: what = "given up"
    except OSError: what = "answered"
    print(f"{name}: {what}")
def read(address, bytes):
    with socket.create_connection(address, timeout=LONG) as s:
        s.sendall(bytes); s.recv(100)
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LONG); s.connect(("8.8.8.8", 443)); s.send(b"x"); s.recv(10)
def tls():
    with socket.create_connection(("pypi.org", 443), timeout=LONG) as s:
        with ssl.create_default_context().wrap_socket(s, server_hostname="pypi.org") as t:
            t.sendall(b"GET / HTTP/1.1\r\nhost: pypi.org\r\n\r\n"); t.recv(100)
attempt("name over http", lambda: urllib.request.urlopen("http://pypi.org/", timeout=LONG))
attempt("name over https", tls)
attempt("literal", lambda: read(("93.184.216.34", 80), b"GET / HTTP/1.1\r\nhost: 93.184.216.34\r\n\r\n"))
attempt("literal v6", lambda: read(("2606:2800:220:1::1", 80), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"))
attempt("udp", udp)
"#;

#[test]
fn custom_on_the_command_line_reaches_only_what_it_names() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall
            .policy("")
            .origin(HOST, &origin)
            .origin("pypi.org", &origin);
        let script = format!(
            "for host in {HOST} pypi.org; do curl -s -o /dev/null -w '%{{http_code}}\\n' https://$host/; done"
        );
        let custom = outwall.shell(&["--quiet", "--network", "custom", "--allow", HOST], &script);
        assert_eq!(custom.stdout, "200\n403\n", "{custom:?}");
        let trusted_and_more = outwall.shell(&["--quiet", "--allow", HOST], &script);
        assert_eq!(trusted_and_more.stdout, "200\n200\n", "{trusted_and_more:?}");
        let trusted = outwall.shell(&["--quiet"], &script);
        assert_eq!(trusted.stdout, "403\n200\n", "{trusted:?}");
        outwall
            .shell(&["--network", "none", "--allow", HOST], "true")
            .exited_with(125);
    });
}

#[test]
fn full_reaches_no_private_address_and_none_of_the_hosts_own() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall.policy("").origin("shown.example.test", &origin);
        let plain = origin.plain_address();
        let own = own_address();
        let finished = outwall.shell(
            &["--quiet", "--network", "full"],
            &format!(
                "for url in http://10.0.0.1/ http://169.254.169.254/ http://192.168.0.1/ 'http://[fd00:ec2::254]/' \
                 http://{own}:{port}/ http://198.18.0.9/ https://10.0.0.1/ http://0.0.0.0:{port}/ http://shown.example.test/; do \
                 curl -gsk -m 5 -o /dev/null -w \"%{{http_code}} $url\\n\" \"$url\"; done",
                port = plain.port()
            ),
        );
        let (refused, shown) = finished.stdout.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(shown, "200 http://shown.example.test/", "{finished:?}");
        for line in refused.lines() {
            assert!(
                line.starts_with("403") || line.starts_with("000"),
                "{line}: {finished:?}"
            );
        }
        assert_eq!(origin.requests().len(), 1, "{:#?}", origin.requests());
    });
}

/// An address of this machine that is not loopback, or one of nobody's.
fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let routed = socket.connect("203.0.113.1:9").and_then(|()| socket.local_addr());
    routed.map_or_else(|_| "10.255.255.1".to_owned(), |address| address.ip().to_string())
}

#[test]
fn every_good_name_has_addresses_that_stand_for_it() {
    as_each_user(|outwall| {
        let outwall = outwall.allowing(&[HOST]);
        let finished = outwall.sandbox(&["--quiet"], &["python3", "-c", LOOKUPS]);
        let lines: Vec<_> = finished.stdout.lines().collect();
        assert!(lines[0].starts_with("198.1"), "{finished:?}");
        assert!(lines[1].starts_with("fd5b:6f75:7477:"), "{finished:?}");
        assert_eq!(lines[2], lines[0], "a name keeps its address: {finished:?}");
        assert!(
            lines[3].starts_with("198.1") && lines[3] != lines[0],
            "refused names have one too: {finished:?}"
        );
        assert_eq!(lines[4], "127.0.0.1", "{finished:?}");
        assert_eq!(
            lines[5], "0 0",
            "8.8.8.8 is us too, and TXT is empty: {finished:?}"
        );
    });
}

const LOOKUPS: &str = r#"
import socket, struct
def first(name, family): return socket.getaddrinfo(name, 443, family)[0][4][0]
print(first("api.example.test", socket.AF_INET))
print(first("api.example.test", socket.AF_INET6))
print(first("API.example.test", socket.AF_INET))
print(first("refused.example.test", socket.AF_INET))
print(first("localhost", socket.AF_INET))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(5); s.connect(("8.8.8.8", 53))
    name = b"".join(bytes([len(l)]) + l for l in b"secret.example.test".split(b".")) + b"\0"
    s.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 16, 1))
    reply = s.recv(512)
    print(reply[3] & 15, struct.unpack("!H", reply[6:8])[0])
"#;

#[test]
fn a_literal_with_a_name_in_sni_is_decided_by_the_name() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let finished = outwall.shell(
            &["--quiet"],
            &format!(
                "curl -s -o /dev/null -w '%{{http_code}}\\n' --resolve {HOST}:443:93.184.216.34 https://{HOST}/;
                 curl -s -o /dev/null -w '%{{http_code}}\\n' --resolve other.example.test:443:93.184.216.34 https://other.example.test/;
                 curl -sk -o /dev/null -w '%{{http_code}}\\n' https://93.184.216.34/"
            ),
        );
        assert_eq!(finished.stdout, "200\n403\n403\n", "{finished:?}");
        assert_eq!(origin.requests().len(), 1);
    });
}

#[test]
fn a_refusal_inside_reads_like_this() {
    as_each_user(|outwall| {
        let outwall = outwall.allowing(&[HOST]);
        let finished = outwall.shell(&["--quiet"], "curl -sS https://other.example.test/path");
        same_for_each_user!(finished.stdout, @r#"
        Refused by Outwall: environment `test` refused this: other.example.test is not on the allowlist
        reason: host-not-allowed
        environment: test
        allowed instead: api.example.test
        to change this: under [environments.test], add to allowed_domains = ["other.example.test"], or run with --allow other.example.test, or let who runs now: outwall policy allow other.example.test
        "#);
    });
}

#[test]
fn the_last_line_sums_up_and_names_what_was_denied() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let nothing = outwall.shell(&[], "true");
        same_for_each_user!(nothing.stderr, @"outwall: 0 requests, 0 denied (outwall --state-dir [STORY]/state audit --sandbox [SANDBOX])");

        let script =
            format!("curl -so /dev/null https://{HOST}/; curl -so /dev/null https://other.example.test/");
        let denied = outwall.shell(&[], &script);
        let without_program = denied.stderr.replace(":443 by curl (", ":443 ("); // known, unless the machine is busy
        same_for_each_user!(without_program, @r#"
        outwall: 1 request to 1 host, 1 denied (outwall --state-dir [STORY]/state audit --sandbox [SANDBOX])
          denied other.example.test:443 (host-not-allowed)
            hint: under [environments.test], add to allowed_domains = ["other.example.test"], or run with --allow other.example.test, or let who runs now: outwall policy allow other.example.test
        "#);

        let quiet = outwall.shell(&["--quiet"], &script);
        assert_eq!(quiet.stderr, "");

        // The hint is good: with it nothing is denied any longer.
        let outwall = outwall.origin("other.example.test", &origin);
        let hinted = outwall.shell(&["--allow", "other.example.test"], &script);
        assert!(
            hinted.stderr.contains("2 requests to 2 hosts, 0 denied"),
            "{hinted:?}"
        );
    });
}

#[test]
fn servers_inside_talk_to_each_other_without_the_gate() {
    as_each_user(|outwall| {
        let finished = outwall.allowing(&[HOST]).shell(
            &["--quiet"],
            "cd \"$(mktemp -d)\"; echo hello > page; python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1 &
             for n in 1 2 3 4 5 6 7 8 9 10; do curl -sf http://localhost:8000/page && exit; sleep 0.3; done; exit 1",
        );
        assert_eq!(finished.stdout, "hello\n", "{finished:?}");
    });
}

#[test]
fn a_large_body_streams_into_a_sandbox_and_out_of_it() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let finished = outwall.shell(
            &["--quiet"],
            &format!(
                "curl -s https://{HOST}/bytes/100000000 | wc -c;
                 head -c 100000000 /dev/zero | curl -s -T - -X POST -H 'expect:' https://{HOST}/upload"
            ),
        );
        let (down, up) = finished.stdout.split_once('\n').unwrap();
        assert_eq!(down.trim(), "100000000", "{finished:?}");
        assert!(up.contains("\"bytes\":100000000"), "{finished:?}");
    });
}

#[test]
fn a_projects_file_written_inside_changes_nothing() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin).origin("other.example.test", &origin);
        let finished = outwall.shell(
            &["--quiet"],
            "printf '[environments.default]\\nnetwork = \"full\"\\n' > outwall.toml;
             curl -s -o /dev/null -w '%{http_code}\\n' https://other.example.test/",
        );
        assert_eq!(finished.stdout, "403\n", "{finished:?}");
        let next = outwall.shell(
            &["--quiet"],
            "curl -s -o /dev/null -w '%{http_code}\\n' https://other.example.test/",
        );
        assert_eq!(next.stdout, "403\n", "{next:?}");
        assert_eq!(origin.requests().len(), 0);
    });
}

#[test]
fn events_reach_a_program_inside_one_by_one() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let sandbox = outwall.start_sandbox(
            &["--quiet"],
            &["curl", "-sN", &format!("https://{HOST}/sse?count=3&ms=1500")],
        );
        sandbox.wait_for_output("\"number\":0");
        assert!(
            !sandbox.has_said("\"number\":2"),
            "the last event is sent three seconds later"
        );
        assert_eq!(sandbox.finish().code(), 0);
    });
}
