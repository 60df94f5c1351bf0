use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use outwall_policy::{
    Action, ConnectionDecision, ConnectionPermit, Opening, Policy, PolicyDocument, RequestDecision,
    RequestPermit,
};

use super::*;
use crate::checkpoint;
use crate::event::{Event, Process};
use crate::going_out::CameBack;
use crate::query::{Filter, read};
use crate::verify::{Evidence, Report, verify};

const POLICY: &str = r#"
default_environment = "web"
[environments.web]
network = "custom"
allowed_domains = ["*.example.test"]
tunnelled_domains = ["pinned.test"]
"#;

fn policy() -> Policy {
    Policy::compile(&PolicyDocument::parse(POLICY, "outwall.toml").unwrap()).unwrap()
}

fn sandbox() -> Sandbox {
    Sandbox::new(SandboxId::from_random([0x7f, 0x3a, 0, 1]), "web".parse().unwrap())
}

fn connection(host: &str) -> ConnectionPermit {
    match policy().decide_connection(&sandbox(), &Target::parse(host).unwrap(), Opening::Unread) {
        ConnectionDecision::Intercept(permit) | ConnectionDecision::Tunnel(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn request(host: &str, path: &str) -> RequestPermit {
    let path = RequestPath::parse(path).unwrap();
    let action = Action::new(Scheme::Https, Target::parse(host).unwrap(), Method::GET, path, ());
    match policy().decide_request(&connection(host), action) {
        RequestDecision::Allow(permitted) => permitted.into_parts().0,
        RequestDecision::Deny(denial, ()) => panic!("{denial}"),
        RequestDecision::Understand(_) => panic!("no session"),
    }
}

fn denial(host: &str) -> Denial {
    match policy().decide_connection(&sandbox(), &Target::parse(host).unwrap(), Opening::Unread) {
        ConnectionDecision::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

fn open(directory: &Path) -> AuditLog {
    AuditLog::open(directory, Options::default()).unwrap()
}

/// All but checkpoints.
fn events(directory: &Path) -> Vec<Event> {
    read(directory, Filter::default())
        .unwrap()
        .map(Result::unwrap)
        .filter(|event| event.kind != Kind::Checkpoint)
        .collect()
}

/// All that the directory itself has: its key, and the checkpoints beside the log.
fn evidence(directory: &Path) -> Evidence {
    let mut evidence = Evidence::signed_by(SigningKey::open(directory).unwrap().public());
    let beside = checkpoint::beside(directory);
    if beside.exists() {
        evidence.add_file(&beside).unwrap();
    }
    evidence
}

fn whole(directory: &Path) -> Report {
    let report = verify(&[directory.to_owned()], &evidence(directory)).unwrap();
    for file in &report.files {
        assert_eq!(file.problem, None, "{}", file.path.display());
    }
    report
}

#[test]
fn what_goes_out_is_in_the_file_before_the_call_returns() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request(
        "api.example.test:443",
        "/v1/items/ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    );
    let what = GoingOut::exchange(&permit)
        .query(Some("page=2&key=secret"))
        .protocol("h2");
    let recorded = log.going_out(what).unwrap();
    let written = fs::read_to_string(log.path()).unwrap();
    let event = Event::parse(written.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(event.kind, Kind::ExchangeGoingOut);
    assert_eq!(event.id, recorded.event_id().to_string());
    assert_eq!(event.sandbox.as_deref(), Some("s-7f3a0001"));
    assert_eq!(event.environment.as_deref(), Some("web"));
    assert_eq!(event.target.as_deref(), Some("api.example.test:443"));
    assert_eq!(event.scheme.as_deref(), Some("https"));
    assert_eq!(event.method.as_deref(), Some("GET"));
    assert_eq!(event.path.as_deref(), Some("/v1/items/ghp_***?page=*&key=*"));
    assert_eq!(event.decision.as_deref(), Some("allow"));
    assert_eq!(event.rule.as_deref(), Some("allowed_domains \"*.example.test\""));
    assert_eq!(event.at.len(), "2026-11-21T03:35:29.000000000Z".len());
    assert!(!written.contains("secret") && !written.contains("16C7e42F"));
}

fn curl() -> Process {
    Process {
        executable: Some("/usr/bin/curl".to_owned()),
        sha256: Some("0b".repeat(32)),
        pid: Some(42),
        ancestors: vec!["/usr/bin/bash".to_owned()],
        unknown: None,
    }
}

#[test]
fn refusals_and_findings_say_in_which_connection_and_by_whom() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let (known, unknown) = (curl(), Process::unknown("it ended before it was looked at"));
    for process in [&known, &unknown] {
        let asked = Asked {
            within: Within::connection(3).by(Some(process)),
            ..Asked::default()
        };
        log.denied(&sandbox(), &denial("evil.test:443"), asked).unwrap();
        log.finding_in(&sandbox(), "client-tls", "no trust", asked)
            .unwrap();
    }
    log.turned_away("192.0.2.9", 4, denial("evil.test:443").reason())
        .unwrap();
    drop(log);
    let events = events(directory.path());
    let of_connection = |number| {
        events
            .iter()
            .filter(move |event| event.connection == Some(number))
    };
    let processes: Vec<_> = of_connection(3)
        .map(|event| event.process.clone().unwrap())
        .collect();
    assert_eq!(processes, [&known, &known, &unknown, &unknown].map(Clone::clone));
    assert_eq!(of_connection(4).count(), 1);
}

#[test]
fn a_line_looks_like_this() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request("api.example.test:443", "/v1/items");
    let address = "192.0.2.7:443".parse().unwrap();
    let tls = TlsFacts {
        version: Some("TLSv1_3"),
        sni: Some("api.example.test"),
    };
    let process = curl();
    let what = GoingOut::exchange(&permit)
        .query(Some("page=2"))
        .protocol("h2")
        .address(address)
        .within(Within::connection(7).by(Some(&process)))
        .tls(tls);
    let answer = CameBack {
        status: Some(200),
        bytes_up: 0,
        bytes_down: 1234,
        ..CameBack::default()
    };
    log.going_out(what).unwrap().came_back(answer);
    log.flush().unwrap();
    let text = fs::read_to_string(log.path()).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[0-9a-f]{64}", "HASH");
    settings.add_filter(r"[0-9a-f]{12}-", "WRITER-");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", "TIME");
    settings.add_filter(r#""duration_us":\d+"#, r#""duration_us":MICROS"#);
    settings.bind(|| {
        insta::assert_snapshot!(text, @r#"
        {"v":1,"seq":1,"id":"WRITER-1","at":"TIME","kind":"exchange.going_out","environment":"web","sandbox":"s-7f3a0001","connection":7,"process":{"executable":"/usr/bin/curl","sha256":"HASH","pid":42,"ancestors":["/usr/bin/bash"]},"target":"api.example.test:443","address":"192.0.2.7:443","scheme":"https","method":"GET","path":"/v1/items?page=*","decision":"allow","rule":"allowed_domains \"*.example.test\"","protocol":"h2","tls":{"version":"TLSv1_3","sni":"api.example.test"},"prev":"HASH","hash":"HASH"}
        {"v":1,"seq":2,"id":"WRITER-2","at":"TIME","kind":"exchange.came_back","environment":"web","sandbox":"s-7f3a0001","connection":7,"for":"WRITER-1","outcome":"complete","status":200,"bytes_up":0,"bytes_down":1234,"duration_us":MICROS,"prev":"HASH","hash":"HASH"}
        "#);
    });
}

#[test]
fn a_tunnel_is_recorded_with_its_target_and_closed_with_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = connection("pinned.test:443");
    let recorded = log.going_out(GoingOut::connection(&permit)).unwrap();
    assert_eq!(recorded.connection().target(), permit.target());
    recorded.came_back(CameBack {
        bytes_up: 5,
        bytes_down: 7,
        error: Some("reset"),
        ..CameBack::default()
    });
    drop(log);
    let [out, back] = events(directory.path()).try_into().unwrap();
    assert_eq!(
        (out.kind, out.scheme.as_deref()),
        (Kind::ConnectionGoingOut, Some("tunnel"))
    );
    assert_eq!((back.kind, back.closes), (Kind::ConnectionCameBack, Some(out.id)));
    assert_eq!((back.bytes_up, back.bytes_down), (Some(5), Some(7)));
    assert_eq!(
        (back.outcome.as_deref(), back.error.as_deref()),
        (Some("failed"), Some("reset"))
    );
}

#[test]
fn a_record_that_is_dropped_unclosed_says_that_the_outcome_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request("api.example.test:443", "/");
    drop(log.going_out(GoingOut::exchange(&permit)).unwrap());
    log.going_out(GoingOut::exchange(&permit))
        .unwrap()
        .came_back(CameBack {
            status: Some(204),
            ..CameBack::default()
        });
    drop(log);
    let outcomes: Vec<_> = events(directory.path())
        .into_iter()
        .filter_map(|event| event.outcome)
        .collect();
    assert_eq!(outcomes, ["aborted", "complete"]);
}

#[test]
fn a_closing_record_comes_with_the_next_one_or_within_a_tenth_of_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request("api.example.test:443", "/");
    let kinds = || {
        events(directory.path())
            .into_iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>()
    };
    log.going_out(GoingOut::exchange(&permit))
        .unwrap()
        .came_back(CameBack::default());
    let second = log.going_out(GoingOut::exchange(&permit)).unwrap();
    assert_eq!(
        kinds(),
        [
            Kind::ExchangeGoingOut,
            Kind::ExchangeCameBack,
            Kind::ExchangeGoingOut
        ]
    );
    second.came_back(CameBack::default());
    let since = Instant::now();
    while kinds().len() < 4 {
        assert!(since.elapsed() < Duration::from_secs(5), "never written");
        std::thread::sleep(Duration::from_millis(5));
    }
    eprintln!("written after {:?}", since.elapsed());
}

#[test]
fn a_refusal_carries_what_the_operator_needs() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let denial = denial("evil.test:443");
    let asked = Asked {
        scheme: Some(Scheme::Https),
        query: Some("never=shown"),
        ..Asked::default()
    };
    log.denied(&sandbox(), &denial, asked).unwrap();
    let [event] = events(directory.path()).try_into().unwrap();
    assert_eq!(
        (event.kind, event.decision.as_deref()),
        (Kind::Denied, Some("deny"))
    );
    assert_eq!(event.target.as_deref(), Some("evil.test:443"));
    assert_eq!(event.reason.as_deref(), Some("host-not-allowed"));
    assert_eq!(event.message, Some(denial.to_string()));
    assert_eq!(event.remedy, denial.remedy());
}

#[test]
fn the_summary_counts_one_sandbox_and_names_each_refusal_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for host in ["a.example.test:443", "b.example.test:443", "a.example.test:443"] {
        log.going_out(GoingOut::exchange(&request(host, "/")))
            .unwrap()
            .came_back(CameBack::default());
    }
    drop(
        log.going_out(GoingOut::connection(&connection("pinned.test:443")))
            .unwrap(),
    );
    for _ in 0..3 {
        log.denied(&sandbox(), &denial("evil.test:443"), Asked::default())
            .unwrap();
    }
    let other = Sandbox {
        id: SandboxId::from_random([9; 4]),
        ..sandbox()
    };
    log.denied(&other, &denial("other.test:443"), Asked::default())
        .unwrap();
    let summary = log.summary(sandbox().id).unwrap();
    assert_eq!(
        (summary.requests, summary.connections, summary.times_denied()),
        (3, 1, 3)
    );
    let hosts: Vec<_> = summary.hosts.iter().collect();
    assert_eq!(hosts, ["a.example.test", "b.example.test", "pinned.test"]);
    let [denied] = summary.denied.clone().try_into().unwrap();
    assert_eq!(
        (denied.target.as_deref(), denied.reason.as_str()),
        (Some("evil.test:443"), "host-not-allowed")
    );
    assert_eq!(
        Summary::of_directory(directory.path(), sandbox().id).unwrap(),
        summary
    );
}

#[test]
fn a_flood_of_lookups_leaves_a_bounded_log_and_its_count() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for n in 0..5000 {
        log.dns(&sandbox(), &format!("{n}.test"), DnsAnswer::Addresses)
            .unwrap();
        log.dns(&sandbox(), "0.test", DnsAnswer::Addresses).unwrap();
    }
    log.sandbox_ended(&sandbox(), "exit 0").unwrap();
    let events = events(directory.path());
    assert_eq!(events.len(), RECORDED_NAMES + 2);
    assert_eq!(events[RECORDED_NAMES].reason.as_deref(), Some("dns-flood"));
    let last = events.last().unwrap();
    assert_eq!(
        (last.lookups, last.lookups_unrecorded),
        (Some(10_000), Some(4000))
    );
}

#[test]
fn a_flood_of_refusals_leaves_a_bounded_log_that_says_how_many_there_were() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let denials = ["evil.test:443", "other.test:443"].map(denial);
    let fronting = Denial::new(
        &sandbox().environment,
        Reason::MalformedTarget { what: "x".to_owned() },
    );
    for number in 0..30_000 {
        let denial = if number < 20_000 {
            &denials[number % 2]
        } else {
            &fronting
        };
        log.denied(&sandbox(), denial, Asked::default()).unwrap();
        log.finding(Some(&sandbox()), "client-tls", "again").unwrap();
    }
    // What goes out is recorded one by one all the same.
    let permit = request("api.example.test:443", "/");
    for _ in 0..1500 {
        log.going_out(GoingOut::exchange(&permit))
            .unwrap()
            .came_back(CameBack::default());
    }
    log.sandbox_ended(&sandbox(), "exit 0").unwrap();
    let summary = log.summary(sandbox().id).unwrap();
    assert_eq!(
        (summary.requests, summary.times_denied(), summary.findings),
        (1500, 30_000, 30_000)
    );
    drop(log);
    let report = whole(directory.path());
    assert!(report.records() < 3000 + 2200, "{}", report.records());
    assert_eq!(
        Summary::of_directory(directory.path(), sandbox().id).unwrap(),
        summary
    );
    let events = events(directory.path());
    assert_eq!(
        events.last().unwrap().kind,
        Kind::SandboxEnded,
        "counts come before"
    );
    let counts: Vec<_> = events.iter().filter(|event| event.repeated.is_some()).collect();
    for count in &counts {
        let (said, times) = (count.message.as_deref().unwrap(), count.repeated.unwrap());
        assert!(
            said.starts_with(&format!("{times} more that were counted")),
            "{said}"
        );
        assert_eq!(
            (count.sandbox.as_deref(), &count.target),
            (Some("s-7f3a0001"), &None)
        );
    }
    let reasons: Vec<_> = counts
        .iter()
        .filter_map(|count| count.reason.as_deref())
        .collect();
    assert!(
        ["host-not-allowed", "malformed-target", "client-tls"]
            .iter()
            .all(|reason| reasons.contains(reason)),
        "{reasons:?}"
    );
}

#[test]
fn refusals_at_a_pace_are_recorded_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for _ in 0..1000 {
        let written = log.denied(&sandbox(), &denial("evil.test:443"), Asked::default());
        assert!(written.unwrap().is_some());
    }
    drop(log);
    let events = events(directory.path());
    assert_eq!(events.len(), 1000);
    assert!(
        events
            .iter()
            .all(|event| event.repeated.is_none() && event.target.is_some())
    );
}

#[test]
fn the_count_of_a_flood_is_written_while_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for _ in 0..1100 {
        log.denied(&sandbox(), &denial("evil.test:443"), Asked::default())
            .unwrap();
    }
    let since = Instant::now();
    let all = || -> u64 {
        let events = events(directory.path());
        events.iter().map(|event| event.repeated.unwrap_or(1)).sum()
    };
    while all() < 1100 {
        assert!(since.elapsed() < Duration::from_secs(20), "never written");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(all(), 1100);
    whole(directory.path());
}

#[test]
fn many_threads_write_one_whole_chain() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request("api.example.test:443", "/");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    log.going_out(GoingOut::exchange(&permit))
                        .unwrap()
                        .came_back(CameBack::default());
                }
            });
        }
    });
    drop(log);
    let report = whole(directory.path());
    assert_eq!(report.records(), 3200 + 1, "and one checkpoint");
    assert_eq!(report.checkpoints, 2, "in the chain, and beside it");
}

#[test]
fn the_file_is_for_the_owner_only_and_read_only_when_it_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state/audit");
    let log = open(&state);
    let path = log.path();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    log.gate_started("outwall 0.1.0", "test").unwrap();
    assert_eq!((mode(&path), mode(&state)), (0o600, 0o700));
    drop(log);
    assert_eq!(mode(&path), 0o400);
}

#[test]
fn two_logs_in_one_directory_leave_each_other_alone() {
    let directory = tempfile::tempdir().unwrap();
    let one = open(directory.path());
    one.gate_started("one", "").unwrap();
    let two = open(directory.path());
    two.gate_started("two", "").unwrap();
    one.gate_stopped().unwrap();
    assert_ne!(one.path(), two.path());
    let report = whole(directory.path());
    assert_eq!(report.records(), 3);
    assert!(report.files.iter().all(|file| file.being_written));
}

/// Runs the named test of this file again in a process of its own, with a directory in its environment: there it plays the child's part.
fn child(test: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn as_child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

const CHILD: &str = "OUTWALL_AUDIT_TEST_DIRECTORY";

#[test]
fn two_processes_killed_at_any_instant_leave_chains_that_are_whole() {
    if let Some(directory) = as_child() {
        let (log, permit) = (open(&directory), request("api.example.test:443", "/"));
        loop {
            let recorded = log.going_out(GoingOut::exchange(&permit)).unwrap();
            // What a request that was sent leaves at its origin.
            let sent = directory.join(format!("sent-{}", std::process::id()));
            fs::write(sent, recorded.event_id().to_string()).unwrap();
            recorded.came_back(CameBack::default());
        }
    }
    let test = "log::tests::two_processes_killed_at_any_instant_leave_chains_that_are_whole";
    let directory = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..2)
        .map(|_| child(test, directory.path()).spawn().unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(700));
    for child in &mut children {
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    drop(open(directory.path()));
    assert!(whole(directory.path()).records() > 100);
    let ids: std::collections::HashSet<_> = events(directory.path())
        .into_iter()
        .map(|event| event.id)
        .collect();
    for child in &children {
        let last_sent = fs::read_to_string(directory.path().join(format!("sent-{}", child.id()))).unwrap();
        assert!(
            last_sent.is_empty() || ids.contains(&last_sent),
            "{last_sent} was sent and is not on record"
        );
    }
}

#[test]
fn a_file_that_may_not_grow_refuses_what_goes_out_and_goes_on_when_it_may() {
    if let Some(directory) = as_child() {
        let (log, permit) = (open(&directory), request("api.example.test:443", "/"));
        let mut accepted = 0_u64;
        let error = loop {
            match log.going_out(GoingOut::exchange(&permit)) {
                Ok(recorded) => recorded.came_back(CameBack::default()),
                Err(error) => break error,
            }
            accepted += 1;
        };
        assert!(accepted > 5, "{error}");
        let report = verify(std::slice::from_ref(&directory), &evidence(&directory)).unwrap();
        assert!(report.is_whole() && report.files[0].torn_bytes == 0);
        let unlimited = rustix::process::Rlimit {
            current: None,
            maximum: None,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, unlimited).unwrap();
        drop(log.going_out(GoingOut::exchange(&permit)).unwrap());
        drop(log);
        assert_eq!(whole(&directory).records(), 2 * accepted + 2 + 1); // and a checkpoint
        return;
    }
    let test = "log::tests::a_file_that_may_not_grow_refuses_what_goes_out_and_goes_on_when_it_may";
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 16; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        !segment::list(directory.path()).unwrap().is_empty(),
        "the child did its part"
    );
}

#[test]
fn the_torn_line_of_a_dead_writer_is_cut_off_and_that_is_on_record() {
    let directory = tempfile::tempdir().unwrap();
    let dead = open(directory.path());
    dead.gate_started("dead", "").unwrap();
    let path = dead.path();
    drop(dead);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap(); // as a death leaves it
    let torn = fs::read_to_string(&path).unwrap() + "{\"v\":1,\"seq\":2,\"id\":\"00";
    fs::write(&path, torn).unwrap();
    assert_eq!(
        verify(std::slice::from_ref(&path), &Evidence::default())
            .unwrap()
            .files[0]
            .torn_bytes,
        23
    );

    let log = open(directory.path());
    assert_eq!(whole(directory.path()).files[0].torn_bytes, 0);
    let event = events(directory.path()).pop().unwrap();
    assert_eq!((event.kind, event.bytes_removed), (Kind::Repaired, Some(23)));
    assert_eq!(event.file.as_deref(), path.file_name().unwrap().to_str());
    drop(log);
    drop(open(directory.path()));
    assert_eq!(events(directory.path()).len(), 2, "once is enough");
}

#[test]
fn what_goes_out_at_once_with_power_is_whole_over_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        durability: Durability::Power,
        segment_size: 64 << 10,
        ..Options::default()
    };
    let log = AuditLog::open(directory.path(), options).unwrap();
    let permit = request("api.example.test:443", "/");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    drop(log.going_out(GoingOut::exchange(&permit)).unwrap());
                }
            });
        }
    });
    drop(log);
    let report = whole(directory.path());
    assert!(report.is_whole() && report.records() > 800, "{report:?}");
}

/// `cargo test -p outwall-audit -- --ignored --nocapture cost_of_power`; with `--release` for figures to quote. `$TMPDIR` should be on a
/// real disk.
#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_power_by_threads() {
    for threads in [1, 2, 4, 16, 64] {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            durability: Durability::Power,
            ..Options::default()
        };
        let log = AuditLog::open(directory.path(), options).unwrap();
        let permit = request("api.example.test:443", "/");
        let start = Instant::now();
        let done: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut done = 0_u64;
                        while start.elapsed() < Duration::from_secs(3) {
                            log.going_out(GoingOut::exchange(&permit))
                                .unwrap()
                                .came_back(CameBack::default());
                            done += 1;
                        }
                        done
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let seconds = start.elapsed().as_secs_f64();
        let syncs = log.counts().syncs;
        eprintln!("{threads} threads: {done} requests, {syncs} fsyncs, in {seconds:.2} s");
    }
}

/// `cargo test -p outwall-audit -- --ignored --nocapture cost_of_going`; with `--release` for figures to quote.
#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_going_out_and_coming_back() {
    const TIMES: u32 = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let permit = request(
        "registry.example.test:443",
        "/simple/requests/requests-2.32.3-py3-none-any.whl",
    );
    let cpu = || {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(used.tv_sec.try_into().unwrap(), used.tv_nsec.try_into().unwrap())
    };
    let mut recorded = Vec::with_capacity(TIMES as usize);
    let (start, start_cpu) = (Instant::now(), cpu());
    for _ in 0..TIMES {
        let what = GoingOut::exchange(&permit).query(Some("a=1&b=2")).protocol("h2");
        recorded.push(log.going_out(what).unwrap());
    }
    eprintln!(
        "going_out alone: {:?} wall, {:?} CPU each",
        start.elapsed() / TIMES,
        cpu().abs_diff(start_cpu) / TIMES
    );
    for recorded in recorded {
        recorded.came_back(CameBack::default());
    }
    let (start, start_cpu) = (Instant::now(), cpu());
    for _ in 0..TIMES {
        let what = GoingOut::exchange(&permit).query(Some("a=1&b=2")).protocol("h2");
        log.going_out(what).unwrap().came_back(CameBack {
            status: Some(200),
            bytes_down: 9,
            ..CameBack::default()
        });
    }
    eprintln!(
        "with came_back:  {:?} wall, {:?} CPU each",
        start.elapsed() / TIMES,
        cpu().abs_diff(start_cpu) / TIMES
    );
    let (start, start_cpu) = (Instant::now(), cpu());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..TIMES / 2 {
                    let what = GoingOut::exchange(&permit).query(Some("a=1&b=2")).protocol("h2");
                    log.going_out(what).unwrap().came_back(CameBack::default());
                }
            });
        }
    });
    eprintln!(
        "by two threads:  {:?} wall, {:?} CPU each",
        start.elapsed() / TIMES,
        cpu().abs_diff(start_cpu) / TIMES
    );
    let start = Instant::now();
    log.flush().unwrap();
    let records = verify(&[directory.path().to_owned()], &evidence(directory.path()))
        .unwrap()
        .records();
    eprintln!("verify {records} records: {:?}", start.elapsed());
    let start = Instant::now();
    let summary = log.summary(sandbox().id).unwrap();
    eprintln!("summary of {} requests: {:?}", summary.requests, start.elapsed());
}

#[test]
fn every_event_of_a_session_has_its_name() {
    let at = outwall_policy::github::SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: "outwall/fix".parse().unwrap(),
    };
    let mut sandbox = sandbox();
    sandbox.repository = Some(Arc::new(at));
    let permit = match policy().decide_connection(
        &sandbox,
        &Target::parse("pinned.test:443").unwrap(),
        Opening::Unread,
    ) {
        ConnectionDecision::Tunnel(permit) => permit,
        other => panic!("{other:?}"),
    };
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    log.sandbox_started(&sandbox, "bash").unwrap();
    log.going_out(GoingOut::connection(&permit))
        .unwrap()
        .came_back(CameBack::default());
    log.denied(&sandbox, &denial("other.test:443"), Asked::default())
        .unwrap();
    log.finding(Some(&sandbox), "a-code", "m").unwrap();
    log.dns(&sandbox, "a.test", DnsAnswer::Addresses).unwrap();
    log.sandbox_ended(&sandbox, "exit 0").unwrap();
    drop(log);
    let events = events(directory.path());
    assert_eq!(events.len(), 7);
    for event in events {
        assert_eq!(
            event.session.as_deref(),
            Some("github.com/acme/app#outwall/fix"),
            "{}",
            event.line
        );
    }
}
