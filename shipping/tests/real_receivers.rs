//! Receivers that are not ours: rsyslog over TCP and TLS, killed while it is sent something; OTLP as the official definition reads it,
//! and a collector. `cargo test -p outwall-shipping --test real_receivers -- --ignored`; `tests/all.sh` installs what they need.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use outwall_audit::query::{self, Filter};
use outwall_audit::{AuditLog, CameBack, CredentialChange, GoingOut, Kind, Options, TraceContext};
use outwall_broker::Surroundings;
use outwall_policy::{
    Action, ConnectionDecision, Method, Opening, Policy, PolicyDocument, RequestDecision, RequestPath,
    RequestPermit, Sandbox, SandboxId, Scheme, Target,
};
use outwall_shipping::{Pace, Plan, Shipping, ship_once, states};

fn write(path: &Path, events: usize) {
    let log = AuditLog::open(&path.join("audit"), Options::default()).unwrap();
    for number in 0..events {
        let message = format!("event {number}, with an é");
        log.credential(CredentialChange::Issued, Some("c-1"), None, &message)
            .unwrap();
    }
}

fn plan(path: &Path, sink: &str) -> Plan {
    let text = format!("[[audit.sinks]]\nname = \"s\"\n{sink}");
    let policy = Policy::compile(&PolicyDocument::parse(&text, "outwall.toml").unwrap()).unwrap();
    Plan {
        directory: path.join("audit"),
        policy: None,
        sinks: policy.audit().sinks.clone(),
        surroundings: Surroundings {
            folder: path.to_owned(),
            home: None,
        },
        roots: Vec::new(),
        host: "gate-1".to_owned(),
        voice: Arc::new(|text| eprintln!("said: {text}")),
        pace: Pace {
            first_wait: Duration::from_millis(50),
            ..Pace::default()
        },
    }
}

fn kept(path: &Path) -> BTreeSet<String> {
    let events = query::read(&path.join("audit"), Filter::default()).unwrap();
    events.map(|event| event.unwrap().id).collect()
}

/// The ids of events in a file of lines that each end with one.
fn received(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let id = |line: &str| -> Option<String> {
        let event: serde_json::Value = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
        Some(event["id"].as_str()?.to_owned())
    };
    text.lines().filter_map(id).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[expect(
    clippy::disallowed_methods,
    reason = "looks whether a server of the test's own is there"
)]
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ended with the test.
struct Server(Child);

impl Server {
    fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let server = Self(child);
        eventually("it listens", || listens(port));
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there(program: &str, how_to_have_it: &str) -> bool {
    let found = Command::new(program)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("\nSKIPPED, NOT PASSED: there is no `{program}` here ({how_to_have_it})\n");
    }
    found
}

/// A CA and a certificate for `localhost`, by OpenSSL.
fn certificates(path: &Path) {
    let openssl = |arguments: &str| {
        let status = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{arguments}");
    };
    fs::write(path.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE",
    );
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

/// As an operator would who wants to lose nothing: each event is in the file before the connection is closed.
fn rsyslog_configuration(path: &Path, (plain, tls): (u16, u16)) -> String {
    let place = path.display();
    format!(
        "global(workDirectory=\"{place}\" maxMessageSize=\"1m\" defaultNetstreamDriverCAFile=\"{place}/ca.pem\" \
defaultNetstreamDriverCertFile=\"{place}/server.pem\" defaultNetstreamDriverKeyFile=\"{place}/server.key\")\n\
module(load=\"imtcp\")\n\
template(name=\"t\" type=\"string\" string=\"%app-name% %msgid% %structured-data% %msg%\\n\")\n\
ruleset(name=\"plain\" queue.type=\"direct\") {{ action(type=\"omfile\" file=\"{place}/plain.log\" template=\"t\" asyncWriting=\"off\") }}\n\
ruleset(name=\"tls\" queue.type=\"direct\") {{ action(type=\"omfile\" file=\"{place}/tls.log\" template=\"t\" asyncWriting=\"off\") }}\n\
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{plain}\" ruleset=\"plain\" streamDriver.name=\"ptcp\")\n\
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tls}\" ruleset=\"tls\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n"
    )
}

#[test]
#[ignore = "needs rsyslog with OpenSSL"]
fn rsyslog_gets_everything_over_tcp_and_tls_also_when_it_is_killed_again_and_again() {
    if !is_there("rsyslogd", "apt-get install rsyslog rsyslog-openssl")
        || !is_there("openssl", "apt-get install openssl")
    {
        return;
    }
    for over_tls in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        certificates(path);
        let ports = (free_port(), free_port());
        fs::write(path.join("rsyslog.conf"), rsyslog_configuration(path, ports)).unwrap();
        let (port, url, roots, file) = if over_tls {
            (
                ports.1,
                format!("tls://localhost:{}", ports.1),
                "roots = \"ca.pem\"\n",
                "tls.log",
            )
        } else {
            (ports.0, format!("tcp://127.0.0.1:{}", ports.0), "", "plain.log")
        };
        let start = || {
            let mut command = Command::new("rsyslogd");
            command
                .args(["-n", "-f"])
                .arg(path.join("rsyslog.conf"))
                .arg("-i")
                .arg(path.join("pid"));
            Server::start(command.stderr(Stdio::null()), port)
        };
        let plan = plan(
            path,
            &format!("kind = \"syslog\"\nurl = \"{url}\"\n{roots}batch = 20\n"),
        );
        let shipping = Shipping::start(plan.clone()).unwrap();
        for round in 0..6 {
            let server = start();
            write(path, 200);
            std::thread::sleep(Duration::from_millis(40 * round));
            drop(server); // SIGKILL
            let _ = fs::remove_file(path.join("pid"));
        }
        let _server = start();
        eventually("all is sent", || {
            states(&plan.directory, &plan.sinks)[0].lag_events == Some(0)
        });
        shipping.finish(Duration::ZERO);
        let received = received(&path.join(file));
        let unique: BTreeSet<String> = received.iter().cloned().collect();
        println!(
            "rsyslog, over TLS: {over_tls}: kept {}, received {}, unique {}",
            kept(path).len(),
            received.len(),
            unique.len()
        );
        assert_eq!(unique, kept(path), "over TLS: {over_tls}");
    }
}

/// A folder of `tests/clients/install.sh otlp`; none where it did not install it, said loudly.
fn otlp_clients() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("clients/venv-otlp");
    let found = python.join("bin/python3").exists();
    if !found {
        eprintln!(
            "\nSKIPPED, NOT PASSED: no {} (`bash tests/clients/install.sh otlp` installs it)\n",
            python.display()
        );
    }
    found.then_some(python)
}

/// What reads OTLP by its official definition, and writes what it read to a file.
fn official_reader(clients: &Path, port: u16, out: &Path) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/otlp_receiver.py");
    let mut command = Command::new(clients.join("bin/python3"));
    command
        .arg(script)
        .arg(port.to_string())
        .stdout(fs::File::create(out).unwrap());
    Server::start(&mut command, port)
}

/// Which passes on what it gets in protobuf, as soon as it has it.
fn collector(clients: &Path, place: &Path, port: u16, onward: u16) -> Server {
    let program = clients.join("bin/python3");
    let found = "import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
    let found = Command::new(program).args(["-c", found]).output().unwrap();
    let mut command = Command::new(String::from_utf8(found.stdout).unwrap().trim());
    command
        .arg("start")
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-exporter-endpoint", &format!("http://127.0.0.1:{onward}")])
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", free_port())])
        .arg("--pid-file")
        .arg(place.join("collector.pid"))
        .arg("--log-file")
        .arg(place.join("collector.log"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Server::start(&mut command, port)
}

#[test]
#[ignore = "needs opentelemetry-proto of PyPI"]
fn otlp_is_what_the_official_definition_reads() {
    let Some(clients) = otlp_clients() else { return };
    let place = tempfile::tempdir().unwrap();
    write(place.path(), 50);
    let (port, out) = (free_port(), place.path().join("out"));
    let _server = official_reader(&clients, port, &out);
    let plan = plan(
        place.path(),
        &format!("kind = \"otlp\"\nurl = \"http://127.0.0.1:{port}\"\ncompress = true\n"),
    );
    assert_eq!(ship_once(plan).unwrap(), []);
    assert_eq!(
        received(&out).into_iter().collect::<BTreeSet<_>>(),
        kept(place.path())
    );
}

#[test]
#[ignore = "needs rotel and opentelemetry-proto of PyPI"]
fn a_collector_takes_logs_and_spans_and_passes_them_on_whole() {
    let Some(clients) = otlp_clients() else { return };
    let place = tempfile::tempdir().unwrap();
    let (port, onward, out) = (free_port(), free_port(), place.path().join("out"));
    let _server = official_reader(&clients, onward, &out);
    let _collector = collector(&clients, place.path(), port, onward);
    for (kind, sent) in [
        ("otlp", kept as fn(&Path) -> BTreeSet<String>),
        ("otlp-traces", exchanged),
    ] {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), 20);
        exchange(place.path(), 30);
        fs::write(&out, "").unwrap();
        let sink = format!("kind = \"{kind}\"\nurl = \"http://127.0.0.1:{port}\"\ncompress = true\n");
        assert_eq!(ship_once(plan(place.path(), &sink)).unwrap(), []);
        let sent = sent(place.path());
        eventually("it is passed on", || received(&out).len() >= sent.len());
        assert_eq!(
            received(&out).into_iter().collect::<BTreeSet<_>>(),
            sent,
            "{kind}"
        );
        let text = fs::read_to_string(&out).unwrap();
        if kind == "otlp-traces" {
            let known = |line: &&str| {
                line.contains(r#""trace": "0af7651916cd43dd8448eb211c80319c", "parent": "b7ad6b7169203331""#)
            };
            assert_eq!(text.lines().filter(known).count(), sent.len(), "{text}");
        }
    }
}

/// So many exchanges, each within a trace of the client's.
fn exchange(path: &Path, count: usize) {
    let log = AuditLog::open(&path.join("audit"), Options::default()).unwrap();
    let permit = permit();
    let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for _ in 0..count {
        let recorded = log.going_out(GoingOut::exchange(&permit).trace(trace)).unwrap();
        recorded.came_back(CameBack {
            status: Some(200),
            ..CameBack::default()
        });
    }
}

fn permit() -> RequestPermit {
    let text = "default_environment = \"web\"\n[environments.web]\nnetwork = \"custom\"\nallowed_domains = [\"api.test\"]\n";
    let policy = Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap()).unwrap();
    let sandbox = Sandbox::new(SandboxId::from_random([1, 2, 3, 4]), "web".parse().unwrap());
    let target = Target::parse("api.test:443").unwrap();
    let ConnectionDecision::Intercept(connection) =
        policy.decide_connection(&sandbox, &target, Opening::Unread)
    else {
        panic!("the host is allowed")
    };
    let path = RequestPath::parse("/v1").unwrap();
    let action = Action::new(Scheme::Https, target, Method::GET, path, ());
    match policy.decide_request(&connection, action) {
        RequestDecision::Allow(permitted) => permitted.into_parts().0,
        _ => panic!("the request is allowed"),
    }
}

/// The ids of what went out.
fn exchanged(path: &Path) -> BTreeSet<String> {
    let events = query::read(&path.join("audit"), Filter::default()).unwrap();
    events
        .map(|event| event.unwrap())
        .filter(|event| event.kind == Kind::ExchangeGoingOut)
        .map(|event| event.id)
        .collect()
}
