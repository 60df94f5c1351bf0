//! `outwall run --ask`: a person at the terminal is asked once about each new host; where nobody is, the answer is no.

use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestOrigin, TestSandbox};

use crate::outwall;
use crate::terminal::at_a_terminal;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";
const ASK: [&str; 2] = ["--quiet", "--ask"];

fn story(origin: &TestOrigin) -> Outwall {
    outwall()
        .allowing(&[HOST])
        .origin(HOST, origin)
        .origin(OTHER, origin)
}

/// Says the status of a request to each of these.
fn fetch(hosts: &[&str]) -> String {
    let fetch = hosts
        .iter()
        .map(|host| format!("curl -s -o /dev/null -w '{host} %{{http_code}}\\n' http://{host}/; "));
    fetch.collect()
}

/// Answers once the question can be answered: what is typed at once is the program's.
fn answer(terminal: &mut TestSandbox, typed: &str) {
    terminal.wait_for_output("y/n> ");
    std::thread::sleep(Duration::from_millis(700));
    terminal.write(typed);
}

#[test]
fn a_yes_is_asked_for_once_and_lets_the_sandbox_reach_the_host() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let mut terminal = at_a_terminal(&outwall, &["--ask"], &fetch(&[HOST, OTHER, OTHER]));
    answer(&mut terminal, "y\r");
    terminal.wait_for_output("code 0");
    let finished = terminal.finish();
    assert!(finished.stdout.contains("api.example.test 200"), "{finished:?}");
    assert_eq!(
        finished.stdout.matches("other.example.test 200").count(),
        2,
        "{finished:?}"
    );
    assert_eq!(
        finished.stdout.matches("reach this host?").count(),
        1,
        "{finished:?}"
    );
    assert!(
        finished.stdout.contains("run with --allow other.example.test"),
        "{finished:?}"
    );
    let asked = outwall.audit_of("question.asked");
    assert_eq!(
        (asked.len(), asked[0]["target"].as_str()),
        (1, Some("other.example.test:80"))
    );
    let answered = outwall.audit_of("question.answered");
    assert_eq!(
        (answered.len(), answered[0]["outcome"].as_str()),
        (1, Some("yes"))
    );
    assert_eq!(outwall.audit_of("grant.made").len(), 1);
}

#[test]
fn a_no_refuses_and_is_not_asked_for_again() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let mut terminal = at_a_terminal(&outwall, &ASK, &fetch(&[OTHER, OTHER, HOST]));
    answer(&mut terminal, "perhaps\rn\r");
    terminal.wait_for_output("code 0");
    let finished = terminal.finish();
    assert_eq!(
        finished.stdout.matches("other.example.test 403").count(),
        2,
        "{finished:?}"
    );
    assert_eq!(
        finished.stdout.matches("reach this host?").count(),
        1,
        "{finished:?}"
    );
    assert!(finished.stdout.contains("api.example.test 200"), "{finished:?}");
    assert!(outwall.audit_of("grant.made").is_empty());
    assert!(!origin.paths().is_empty() && outwall.audit_of("denied").len() == 2);
}

#[test]
fn where_nobody_can_be_asked_the_answer_is_no_at_once() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let started = Instant::now();
    let finished = outwall
        .shell(&ASK, &fetch(&[OTHER, "third.example.test", HOST]))
        .succeeded();
    assert!(started.elapsed() < Duration::from_secs(20), "{finished:?}");
    assert_eq!(
        finished.stdout,
        "other.example.test 403\nthird.example.test 403\napi.example.test 200\n"
    );
    assert_eq!(
        finished.stderr.matches("--ask has no terminal").count(),
        1,
        "{finished:?}"
    );
    assert!(outwall.audit_of("question.asked").is_empty());
}

#[test]
fn another_terminal_can_answer() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let terminal = at_a_terminal(&outwall, &ASK, &(fetch(&[OTHER]) + "sleep 1"));
    terminal.wait_for_output("y/n> ");
    outwall.run(&["policy", "allow", OTHER]).succeeded();
    terminal.wait_for_output("other.example.test 200");
    let finished = terminal.finish();
    assert!(finished.stdout.contains("answered elsewhere"), "{finished:?}");
    assert!(finished.took < Duration::from_secs(20), "{finished:?}");
}

#[test]
fn a_program_that_draws_the_screen_gets_what_is_typed_before_and_after_and_draws_again() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let command = format!(
        "printf '\\033[?1049h'; trap 'stty size' WINCH; stty -echo; \
         ({}) > fetched & sleep 2; wait; read before; read after; printf '\\033[?1049l'; cat fetched; echo \"got $before $after\"",
        fetch(&[OTHER])
    );
    let mut terminal = at_a_terminal(&outwall, &ASK, &command);
    terminal.wait_for_output("y/n> ");
    terminal.write("early\r"); // on its way when the question came up
    std::thread::sleep(Duration::from_millis(700));
    terminal.write("y\r");
    terminal.wait_for_output("yes");
    std::thread::sleep(Duration::from_millis(300));
    terminal.write("late\r");
    terminal.wait_for_output("code 0");
    let finished = terminal.finish();
    assert!(finished.stdout.contains("other.example.test 200"), "{finished:?}");
    assert!(finished.stdout.contains("got early late"), "{finished:?}");
    assert!(
        finished.stdout.contains("33 99"),
        "it was told to draw again: {finished:?}"
    );
}

#[test]
fn a_flood_of_new_hosts_does_not_bury_the_person() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let flood = "for n in $(seq 30); do curl -s -o /dev/null http://h$n.example.test/ & done; wait";
    let terminal = at_a_terminal(&outwall, &ASK, flood);
    let deadline = Instant::now() + Duration::from_secs(20);
    while outwall.audit_of("finding").is_empty() {
        assert!(Instant::now() < deadline, "no finding");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(outwall.audit_of("question.asked").len(), 8);
    assert!(
        !outwall.audit_of("denied").is_empty(),
        "those beyond are refused at once"
    );
    drop(terminal);
}

#[test]
fn nothing_is_asked_about_what_is_refused_for_another_reason() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let fetch = fetch(&[OTHER, "169.254.169.254"]);
    let terminal = at_a_terminal(&outwall, &["--quiet", "--ask", "--network", "none"], &fetch);
    terminal.wait_for_output("code 0");
    let finished = terminal.finish();
    assert_eq!(finished.stdout.matches(" 403").count(), 2, "{finished:?}");
    assert!(outwall.audit_of("question.asked").is_empty());
}
