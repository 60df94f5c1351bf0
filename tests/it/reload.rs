//! A policy file that is read again reaches what is open: the next request, a running
//! body, a tunnel. One that is broken changes nothing, loudly.

use std::path::Path;
use std::time::{Duration, Instant};

use outwall_tests::{Client, Outwall, TestGate, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";

/// Tells the gate to read its file again and waits until it decides by it.
fn reload(gate: &TestGate, mut decides_by_it: impl FnMut() -> bool) {
    gate.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(5);
    while !decides_by_it() {
        assert!(
            Instant::now() < deadline,
            "the new file does not count: {}",
            gate.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn reaches(gate: &TestGate, host: &str) -> bool {
    gate.client().get(&format!("http://{host}/")).status() == 200
}

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall()
        .allowing(&[HOST])
        .origin(HOST, origin)
        .origin(OTHER, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

#[test]
fn the_next_request_of_an_open_connection_is_decided_anew() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    connection.get(&format!("https://{HOST}/before")).into_text();

    let _outwall = outwall.allowing(&[OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    if let Ok(response) = connection.try_get(&format!("https://{HOST}/after")) {
        assert_eq!(response.status(), 403);
    }
    assert!(!origin.paths().contains(&"/after".to_owned()));
}

#[test]
fn a_file_that_grants_more_is_granted_without_a_restart() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    assert!(!reaches(&gate, OTHER));
    let _outwall = outwall.allowing(&[HOST, OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    assert!(reaches(&gate, HOST));
}

#[test]
fn a_running_body_ends_when_its_host_is_taken_off_and_goes_on_when_it_stays() {
    for stays in [true, false] {
        let origin = TestOrigin::start();
        let (outwall, gate) = story(&origin);
        let mut events = gate.client().get(&format!("https://{HOST}/sse?count=40&ms=100"));
        events.piece().unwrap();
        let _outwall = outwall.allowing(if stays { &[HOST, OTHER] } else { &[OTHER] });
        reload(&gate, || reaches(&gate, OTHER));
        let started = Instant::now();
        let mut pieces = 0;
        while started.elapsed() < Duration::from_millis(1500) {
            match events.piece() {
                Ok(Some(_)) => pieces += 1,
                Ok(None) | Err(_) => break,
            }
        }
        let ended = started.elapsed() < Duration::from_millis(1400);
        assert_eq!(ended, !stays, "{pieces} more pieces in {:?}", started.elapsed());
    }
}

#[test]
fn a_tunnel_ends_when_its_host_is_taken_off() {
    let origin = TestOrigin::start();
    let tunnelled = |host: &str| {
        format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{OTHER}\"]\ntunnelled_domains = [\"{host}\"]\n"
        )
    };
    let outwall = outwall()
        .policy(&tunnelled(HOST))
        .origin(HOST, &origin)
        .origin(OTHER, &origin);
    let gate = outwall.gate();
    let pin = std::fs::read_to_string(origin.ca_file()).unwrap();
    let client = Client::through(gate.address(), &pin);
    let mut events = client.get(&format!("https://{HOST}/sse?count=100&ms=100"));
    events.piece().unwrap();

    let _outwall = outwall.policy(&tunnelled("another.example.test"));
    gate.signal("HUP");
    let started = Instant::now();
    while let Ok(Some(_)) = events.piece() {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "the tunnel stays open"
        );
    }
}

#[test]
fn a_broken_file_leaves_the_last_good_policy_in_force_and_says_so() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    let outwall = outwall.policy("this is not TOML");
    gate.signal("HUP");
    gate.wait_for_stderr("policy.toml");
    assert!(reaches(&gate, HOST), "what was granted is granted still");
    assert!(!reaches(&gate, OTHER), "and no more than that");
    let _outwall = outwall.allowing(&[OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    assert!(!reaches(&gate, HOST));
}

/// Waits until `decides_by_it`, without telling the gate anything.
fn by_itself(gate: &TestGate, mut decides_by_it: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !decides_by_it() {
        assert!(
            Instant::now() < deadline,
            "the gate does not notice: {}",
            gate.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn custom(hosts: &[&str], origin: &TestOrigin) -> String {
    let address = origin.plain_address();
    let at = [HOST, OTHER].map(|host| format!("\"{host}\" = \"{address}\""));
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = {hosts:?}\n[origins]\nhosts = {{ {} }}\n",
        at.join(", ")
    )
}

#[test]
fn a_file_that_is_written_replaced_or_reached_by_another_link_counts_without_a_signal() {
    use std::fs;
    let origin = TestOrigin::start();
    let outwall = outwall();
    let at = |name: &str| outwall.work_dir().join(name);
    fs::create_dir(at("one")).unwrap();
    fs::write(at("one/policy.toml"), custom(&[HOST], &origin)).unwrap();
    std::os::unix::fs::symlink("one", at("data")).unwrap();
    let gate = outwall.gate_with(&["--config", at("data/policy.toml").to_str().unwrap()]);
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));

    fs::write(at("one/policy.toml"), custom(&[OTHER], &origin)).unwrap();
    by_itself(&gate, || reaches(&gate, OTHER));
    assert!(!reaches(&gate, HOST));

    fs::write(at("one/new"), custom(&[HOST], &origin)).unwrap();
    fs::rename(at("one/new"), at("one/policy.toml")).unwrap();
    by_itself(&gate, || reaches(&gate, HOST));
    assert!(!reaches(&gate, OTHER));

    fs::create_dir(at("two")).unwrap();
    fs::write(at("two/policy.toml"), custom(&[OTHER], &origin)).unwrap();
    std::os::unix::fs::symlink("two", at("next")).unwrap();
    fs::rename(at("next"), at("data")).unwrap();
    by_itself(&gate, || reaches(&gate, OTHER));
    assert!(!reaches(&gate, HOST));

    let changed = outwall.audit_of("policy.changed");
    assert_eq!(changed.len(), 3, "{changed:?}");
    let said = changed[0]["message"].as_str().unwrap();
    assert!(said.contains("+1 host (other.example.test)"), "{said}");
    assert_eq!(changed[0]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_file_that_is_broken_emptied_or_removed_changes_nothing_and_is_shouted_about() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    let good = std::fs::read_to_string(outwall.policy_file()).unwrap();
    let refusals = |outwall: &Outwall| outwall.audit_of("policy.refused").len();
    let spoil: [fn(&Path); 3] = [
        |file| std::fs::write(file, "[environments.x]\nnetwrok = 1\n").unwrap(),
        |file| std::fs::write(file, "").unwrap(),
        |file| std::fs::remove_file(file).unwrap(),
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        spoil(&outwall.policy_file());
        by_itself(&gate, || refusals(&outwall) == number + 1);
        assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));
        let doctor = outwall.run(&["doctor"]).stdout;
        assert!(
            doctor.contains("A CHANGE OF THE POLICY DOES NOT COUNT"),
            "{doctor}"
        );
    }
    assert!(gate.stderr().contains("netwrok") && gate.stderr().contains("stays in force"));

    std::fs::write(outwall.policy_file(), good).unwrap();
    gate.wait_for_stderr("again what is in force");
    let doctor = outwall.run(&["doctor"]).stdout;
    assert!(!doctor.contains("DOES NOT COUNT"), "{doctor}");
    assert!(doctor.contains("running gate"), "{doctor}");
    let outwall = outwall.allowing(&[OTHER]);
    by_itself(&gate, || reaches(&gate, OTHER));
    assert!(!reaches(&gate, HOST));
    drop(outwall);
}

#[test]
fn a_certificate_file_that_changed_is_read_again_with_the_policy() {
    let (origin, stranger) = (TestOrigin::start(), TestOrigin::start());
    let outwall = outwall();
    let root = outwall.write_work_file("root.pem", &std::fs::read_to_string(stranger.ca_file()).unwrap());
    let text = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[origins]\n\
         extra_roots = [{root:?}]\nhosts = {{ \"{HOST}\" = \"{}\" }}\n",
        origin.tls_address()
    );
    let policy = outwall.write_work_file("policy.toml", &text);
    let gate = outwall.gate_with(&["--config", policy.to_str().unwrap()]);
    let status = || gate.client().get(&format!("https://{HOST}/")).status();
    assert_eq!(status(), 502, "nobody vouches for it");
    outwall.write_work_file("root.pem", &std::fs::read_to_string(origin.ca_file()).unwrap());
    by_itself(&gate, || status() == 200);
    outwall.write_work_file("root.pem", "no certificate");
    by_itself(&gate, || outwall.audit_of("policy.refused").len() == 1);
    assert_eq!(status(), 200, "the roots before stay with the policy before");
}

#[test]
fn a_project_file_that_changed_counts_once_it_is_trusted_again() {
    let origin = TestOrigin::start();
    let outwall = outwall();
    outwall.write_work_file("outwall.toml", &custom(&[HOST], &origin));
    outwall.run(&["trust"]).succeeded();
    let gate = outwall.gate();
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));

    outwall.write_work_file("outwall.toml", &custom(&[HOST, OTHER], &origin));
    gate.wait_for_stderr("different from what was trusted");
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));
    outwall.run(&["trust"]).succeeded();
    by_itself(&gate, || reaches(&gate, OTHER));
    outwall.run(&["trust", "--revoke"]).succeeded();
    gate.wait_for_stderr("is not trusted any more");
    assert!(
        reaches(&gate, HOST) && reaches(&gate, OTHER),
        "an absence changes nothing"
    );
}

#[test]
fn a_users_file_that_appears_counts_and_one_that_goes_away_changes_nothing() {
    let origin = TestOrigin::start();
    let outwall = outwall();
    let gate = outwall.gate();
    assert!(!reaches(&gate, HOST));
    let file = outwall.home_dir().join(".config/outwall/outwall.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, custom(&[HOST], &origin)).unwrap();
    by_itself(&gate, || reaches(&gate, HOST));
    std::fs::remove_file(&file).unwrap();
    gate.wait_for_stderr("is gone");
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));
}

/// Asks for both hosts until a file says to stop, and says each status that is not the one before. (A request that runs when its
/// host is taken off has none.)
pub(crate) const ASKING: &str = r#"while ! test -e stop; do for host in api other; do
    code=$(curl -s -o /dev/null -w '%{http_code}' http://$host.example.test/)
    eval "before=\$$host"
    case $code in "$before") ;; 200|403) echo "$host $code"; eval "$host=$code" ;; esac
done; sleep 0.05; done"#;

#[test]
fn a_sandbox_that_runs_is_reached_by_a_new_file_and_the_command_line_goes_on_to_count() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .allowing(&[])
        .origin(HOST, &origin)
        .origin(OTHER, &origin);
    let sandbox = outwall.start_sandbox(&["--quiet", "--allow", HOST], &["sh", "-c", ASKING]);
    sandbox.wait_for_output("api 200\nother 403\n");
    let outwall = outwall.allowing(&[OTHER]);
    sandbox.wait_for_output("other 403\nother 200\n");
    let outwall = outwall.allowing(&[]);
    sandbox.wait_for_output("other 200\nother 403\n");
    outwall.write_work_file("stop", "");
    sandbox.finish().succeeded();
    assert_eq!(outwall.audit_of("policy.changed").len(), 2);
}

#[test]
fn a_policy_that_the_sandbox_could_write_does_not_follow() {
    let origin = TestOrigin::start();
    let outwall = outwall();
    let policy = outwall.write_work_file("policy.toml", &custom(&[HOST], &origin));
    let mut command = outwall.command(&[
        "--config",
        "policy.toml",
        "run",
        "--quiet",
        "--",
        "sh",
        "-c",
        ASKING,
    ]);
    command.env_remove("OUTWALL_CONFIG");
    let sandbox = outwall.start_command(command);
    sandbox.wait_for_output("api 200\nother 403\n");
    // In place: the sandbox's read-only view stays.
    std::fs::write(&policy, custom(&[HOST, OTHER], &origin)).unwrap();
    sandbox.wait_for_output("other 403\nother 200\n");
    // Another file in its place: it is the sandbox's to write.
    outwall.write_work_file("new.toml", &custom(&[], &origin));
    std::fs::rename(outwall.work_dir().join("new.toml"), &policy).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while outwall.audit_of("policy.refused").is_empty() {
        assert!(Instant::now() < deadline, "the replaced file counts");
        std::thread::sleep(Duration::from_millis(50));
    }
    outwall.write_work_file("stop", "");
    let finished = sandbox.finish().succeeded();
    assert!(finished.stderr.contains("can write to"), "{finished:?}");
    assert!(finished.stdout.ends_with("other 200\n"), "{finished:?}");
}

#[test]
fn a_gate_that_starts_again_enforces_the_same() {
    let origin = TestOrigin::start();
    let (outwall, mut gate) = story(&origin);
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));
    gate.kill();
    let gate = outwall.gate();
    assert!(reaches(&gate, HOST) && !reaches(&gate, OTHER));
    gate.stop().succeeded();
    std::fs::write(outwall.policy_file(), "broken").unwrap();
    outwall.run(&["proxy", "--listen", "127.0.0.1:0"]).exited_with(1);
}
