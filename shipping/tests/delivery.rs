//! What is kept is delivered: to receivers of each kind, in all their moods, and whatever dies in between. After repeats are taken out
//! by id, what a receiver took and what was put aside is what the log has. Writes `tests/clients/AUDIT_SINKS.md` when all of it ran.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../../tests/src/receivers.rs"]
#[expect(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    reason = "shared with the stories"
)]
mod receivers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use outwall_audit::query::{self, Filter};
use outwall_audit::{AuditLog, CredentialChange, Options};
use outwall_broker::Surroundings;
use outwall_policy::{Policy, PolicyDocument};
use outwall_shipping::{Pace, Plan, Shipping, ship_once, states};
use receivers::{Api, Mood, TestReceiver, url};

/// A log with its sinks.
struct Place {
    directory: tempfile::TempDir,
}

const KINDS: [(Api, &str); 5] = [
    (
        Api::Splunk,
        "kind = \"splunk\"\nsecret = { file = \"token\" }\nacknowledge = true\ncompress = true\n",
    ),
    (Api::Elasticsearch, "kind = \"elasticsearch\"\n"),
    (
        Api::Webhook,
        "kind = \"webhook\"\nsigning_secret = { file = \"signing\" }\ncompress = true\n",
    ),
    (Api::Otlp, "kind = \"otlp\"\n"),
    (Api::Syslog, "kind = \"syslog\"\n"),
];

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("token"), "t0ken\n").unwrap();
        fs::write(directory.path().join("signing"), "signing\n").unwrap();
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn audit(&self) -> PathBuf {
        self.path().join("audit")
    }

    /// A file of the log with so many events, of a writer that is gone.
    fn write(&self, events: usize) {
        let log = AuditLog::open(&self.audit(), Options::default()).unwrap();
        for number in 0..events {
            let message = format!("event {number}, with an é");
            log.credential(CredentialChange::Issued, Some("c-1"), None, &message)
                .unwrap();
        }
    }

    fn write_poison(&self) {
        let log = AuditLog::open(&self.audit(), Options::default()).unwrap();
        for message in ["before", "poison", "after"] {
            log.credential(CredentialChange::Issued, Some("c-1"), None, message)
                .unwrap();
        }
    }

    fn plan(&self, sink: &str, at: &str, more: &str) -> Plan {
        plan(
            self.path(),
            &format!("[[audit.sinks]]\nname = \"s\"\n{sink}url = \"{at}\"\n{more}"),
        )
    }

    fn kept(&self) -> BTreeSet<String> {
        let events = query::read(&self.audit(), Filter::default()).unwrap();
        events.map(|event| event.unwrap().id).collect()
    }

    fn put_aside(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.audit().join("sinks/s.rejected.jsonl")).unwrap_or_default();
        let id = |line: &str| -> String {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["event"]["id"].as_str().unwrap().to_owned()
        };
        text.lines().map(id).collect()
    }

    /// Until everything is taken or put aside.
    fn settled(&self, plan: &Plan, receiver: &TestReceiver) -> usize {
        eventually(
            || states(&plan.directory, &plan.sinks)[0].lag_events == Some(0),
            || format!("{:?}", states(&plan.directory, &plan.sinks)),
        );
        let taken = receiver.taken();
        let mut all: BTreeSet<String> = taken.iter().cloned().collect();
        let repeats = taken.len() - all.len();
        all.extend(self.put_aside());
        assert_eq!(all, self.kept(), "delivered, or put aside, is what is kept");
        repeats
    }
}

fn plan(path: &Path, policy: &str) -> Plan {
    let policy = Policy::compile(&PolicyDocument::parse(policy, "outwall.toml").unwrap()).unwrap();
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
            first_wait: Duration::from_millis(20),
            ..Pace::default()
        },
    }
}

fn eventually(is_so: impl Fn() -> bool, what_there_is: impl Fn() -> String) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(100), "{}", what_there_is());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_there_is_sent_once_and_again_nothing_is() {
    for (api, sink) in KINDS {
        let (place, receiver) = (Place::new(), TestReceiver::start(api));
        place.write(700); // more than a batch
        place.write(3); // another file of the log
        let plan = place.plan(sink, &receiver.url(), "");
        assert_eq!(ship_once(plan.clone()).unwrap(), [], "{api:?}");
        assert_eq!(
            place.settled(&plan, &receiver),
            0,
            "{api:?}: nobody failed, so nothing is repeated"
        );
        let requests = receiver.requests();
        assert_eq!(ship_once(plan).unwrap(), []);
        assert_eq!(receiver.requests(), requests, "{api:?}");
    }
}

#[test]
fn a_file_gets_every_event_in_the_format_that_was_asked_for() {
    let place = Place::new();
    place.write(20);
    for (name, format) in [("json", "json"), ("ocsf", "ocsf")] {
        let text = format!(
            "[[audit.sinks]]\nname = \"{name}\"\nkind = \"file\"\npath = \"{name}.jsonl\"\nformat = \"{format}\"\n"
        );
        assert_eq!(ship_once(plan(place.path(), &text)).unwrap(), []);
    }
    let read = |name: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(place.path().join(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let ids: BTreeSet<String> = read("json.jsonl")
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, place.kept());
    let ids: BTreeSet<String> = read("ocsf.jsonl")
        .iter()
        .map(|event| event["metadata"]["uid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, place.kept());
}

#[test]
fn only_what_was_asked_for_is_sent_and_the_rest_is_not_behind() {
    let (place, receiver) = (Place::new(), TestReceiver::start(Api::Webhook));
    place.write(5);
    let log = AuditLog::open(&place.audit(), Options::default()).unwrap();
    let id = log.finding(None, "test", "something").unwrap().unwrap();
    let plan = place.plan(KINDS[2].1, &receiver.url(), "only = [\"findings\"]\n");
    assert_eq!(ship_once(plan.clone()).unwrap(), []);
    assert_eq!(receiver.taken(), [id.to_string()]);
    assert_eq!(states(&plan.directory, &plan.sinks)[0].lag_events, Some(0));
}

/// Each mood of a receiver, each kind of receiver.
#[test]
fn a_receiver_in_a_bad_mood_gets_everything_in_the_end() {
    let moods = [
        Mood::Status(500),
        Mood::Status(503),
        Mood::Status(401),
        Mood::Busy,
        Mood::Closed,
        Mood::TookAndDied,
        Mood::DiedInAnswer,
        Mood::Half,
    ];
    std::thread::scope(|scope| {
        for (api, sink) in KINDS {
            for mood in moods {
                scope.spawn(move || {
                    // Bad, bad, well, and so on.
                    let receiver = TestReceiver::in_mood(
                        api,
                        move |number| if number % 3 < 2 { mood } else { Mood::Well },
                    );
                    let place = Place::new();
                    place.write(30);
                    let plan = place.plan(sink, &receiver.url(), "batch = 20\n");
                    let shipping = Shipping::start(plan.clone()).unwrap();
                    let repeats = place.settled(&plan, &receiver);
                    shipping.finish(Duration::ZERO);
                    let took = matches!(mood, Mood::TookAndDied | Mood::DiedInAnswer);
                    let has_no_repeats = !took || api == Api::Elasticsearch; // there a repeat is no second document
                    assert!(
                        repeats == 0 || !has_no_repeats,
                        "{api:?} {mood:?}: {repeats} repeats"
                    );
                    assert_eq!(place.put_aside().len(), 0, "{api:?} {mood:?}");
                });
            }
        }
    });
}

/// It accepts and says nothing, or not all of it.
#[test]
fn a_receiver_that_hangs_is_waited_for_so_long_and_asked_again() {
    std::thread::scope(|scope| {
        for (api, sink) in KINDS {
            for mood in [Mood::Silent, Mood::StuckInAnswer] {
                scope.spawn(move || {
                    let receiver =
                        TestReceiver::in_mood(api, move |number| if number < 2 { mood } else { Mood::Well });
                    let place = Place::new();
                    place.write(30);
                    let mut plan = place.plan(sink, &receiver.url(), "batch = 20\n");
                    plan.pace.patience = Duration::from_secs(1);
                    let shipping = Shipping::start(plan.clone()).unwrap();
                    let repeats = place.settled(&plan, &receiver);
                    shipping.finish(Duration::ZERO);
                    let why = states(&plan.directory, &plan.sinks)[0]
                        .last_error
                        .clone()
                        .unwrap()
                        .why;
                    assert!(why.contains("within 1 seconds"), "{api:?} {mood:?}: {why}");
                    let takes = mood == Mood::StuckInAnswer && api != Api::Elasticsearch;
                    assert!(
                        repeats > 0 || !takes,
                        "{api:?} {mood:?}: it took what it did not acknowledge"
                    );
                    assert_eq!(place.put_aside().len(), 0, "{api:?} {mood:?}");
                });
            }
        }
    });
}

/// By a clock that runs as fast as it is asked to wait.
struct Dead {
    until: Duration,
    now: Mutex<Duration>,
    tries: AtomicU64,
    /// When it was first asked after it came to life.
    asked_again: Mutex<Option<Duration>>,
}

impl Dead {
    fn until(until: Duration) -> Arc<Self> {
        Arc::new(Self {
            until,
            now: Mutex::default(),
            tries: AtomicU64::new(0),
            asked_again: Mutex::default(),
        })
    }

    fn mood(&self, number: u64) -> Mood {
        let now = *self.now.lock().unwrap();
        if now >= self.until {
            self.asked_again.lock().unwrap().get_or_insert(now);
            return Mood::Well;
        }
        self.tries.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(2) {
            Mood::Closed
        } else {
            Mood::Status(503)
        }
    }

    fn pace(self: Arc<Self>) -> Pace {
        Pace {
            sleep: Arc::new(move |time| {
                *self.now.lock().unwrap() += time;
                Box::pin(tokio::time::sleep(Duration::from_millis(1))) // others want to run, too
            }),
            ..Pace::default()
        }
    }
}

#[test]
fn a_receiver_that_was_dead_for_an_hour_or_a_day_gets_everything_and_was_not_stormed() {
    let hours = [1, 24];
    let rows: Vec<String> = std::thread::scope(|scope| {
        let each = KINDS
            .into_iter()
            .flat_map(|kind| hours.map(|hours| (kind, hours)));
        let tests: Vec<_> = each
            .map(|((api, sink), hours)| scope.spawn(move || dead(api, sink, hours)))
            .collect();
        tests.into_iter().map(|test| test.join().unwrap()).collect()
    });
    write_section(
        "A receiver is dead for long",
        &format!(
            "By a clock of its own, it closes or answers 503 for so long. *Tries* are what it counted meanwhile: waits double up to a minute, less up to \
half of it by chance. *Late*: how long after it came to life it was asked again.\n\n| receiver | dead for | tries | late | kept | taken | repeats | unique \
|\n|---|---|---|---|---|---|---|---|\n{}",
            rows.concat()
        ),
    );
}

fn dead(api: Api, sink: &str, hours: u64) -> String {
    let until = Duration::from_hours(hours);
    let dead = Dead::until(until);
    let of_receiver = Arc::clone(&dead);
    let receiver = TestReceiver::in_mood(api, move |number| of_receiver.mood(number));
    let place = Place::new();
    place.write(120);
    let mut plan = place.plan(sink, &receiver.url(), "batch = 50\n");
    plan.pace = Arc::clone(&dead).pace();
    let shipping = Shipping::start(plan.clone()).unwrap();
    let repeats = place.settled(&plan, &receiver);
    shipping.finish(Duration::ZERO);
    let tries = dead.tries.load(Ordering::Relaxed);
    let (fewest, most) = (until.as_secs() / 60, until.as_secs() / 30 + 12);
    assert!(
        (fewest..=most).contains(&tries),
        "{api:?}, {hours} h: {tries} tries"
    );
    let late = dead
        .asked_again
        .lock()
        .unwrap()
        .unwrap()
        .checked_sub(until)
        .unwrap();
    assert!(late <= Duration::from_mins(1), "{api:?}, {hours} h: {late:?}");
    assert_eq!(
        (repeats, place.put_aside().len()),
        (0, 0),
        "{api:?}: it took nothing while it was dead"
    );
    let (kept, taken) = (place.kept().len(), receiver.taken().len());
    let unique: BTreeSet<String> = receiver.taken().into_iter().collect();
    format!(
        "| {api:?} | {hours} h | {tries} | {} s | {kept} | {taken} | {repeats} | {} |\n",
        late.as_secs(),
        unique.len()
    )
}

#[test]
fn one_event_that_a_receiver_cannot_bear_is_put_aside_and_no_other() {
    std::thread::scope(|scope| {
        for (api, sink) in KINDS.into_iter().filter(|(api, _)| *api != Api::Syslog) {
            for fails in [false, true] {
                scope.spawn(move || {
                    let receiver = TestReceiver::that_cannot_bear(api, "poison", fails);
                    let place = Place::new();
                    place.write(3);
                    place.write_poison();
                    let plan = place.plan(sink, &receiver.url(), "batch = 4\n");
                    let shipping = Shipping::start(plan.clone()).unwrap();
                    eventually(
                        || place.put_aside().len() == 1 || !fails,
                        || format!("{:?}", states(&plan.directory, &plan.sinks)),
                    );
                    place.settled(&plan, &receiver);
                    shipping.finish(Duration::ZERO);
                    let state = &states(&plan.directory, &plan.sinks)[0];
                    assert_eq!(
                        (state.rejected, state.delivered),
                        (1, place.kept().len() as u64 - 1),
                        "{api:?}, fails: {fails}"
                    );
                    let text = fs::read_to_string(place.audit().join("sinks/s.rejected.jsonl")).unwrap();
                    assert!(text.contains("poison") && text.lines().count() == 1, "{text}");
                });
            }
        }
    });
}

#[test]
fn a_receiver_that_is_not_there_loses_nothing_and_is_told_of() {
    for (api, sink) in KINDS {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let place = Place::new();
        place.write(10);
        let plan = place.plan(sink, &url(api, port), "");
        let left = ship_once(plan.clone()).unwrap();
        assert_eq!(
            (left.len(), left[0].events),
            (1, Some(place.kept().len() as u64)),
            "{api:?}"
        );
        assert!(left[0].why.contains("cannot connect"), "{left:?}");
        let state = &states(&plan.directory, &plan.sinks)[0];
        assert!(
            state.failures > 0 && state.lag.is_some() && state.shipped_by.is_none(),
            "{state:?}"
        );
        place.write(5);
        let receiver = TestReceiver::at(port, api);
        assert_eq!(ship_once(plan.clone()).unwrap(), []);
        assert_eq!(place.settled(&plan, &receiver), 0);
        assert_eq!(states(&plan.directory, &plan.sinks)[0].failures, 0);
    }
}

#[test]
fn one_ships_and_the_other_takes_over() {
    let (place, receiver) = (Place::new(), TestReceiver::start(Api::Webhook));
    place.write(5);
    let plan = place.plan(KINDS[2].1, &receiver.url(), "");
    let first = Shipping::start(plan.clone()).unwrap();
    place.settled(&plan, &receiver);
    assert_eq!(
        states(&plan.directory, &plan.sinks)[0].shipped_by,
        Some(std::process::id())
    );
    place.write(1);
    let second = Shipping::start(plan.clone()).unwrap();
    first.finish(Duration::from_secs(2));
    place.write(5);
    assert_eq!(place.settled(&plan, &receiver), 0);
    second.finish(Duration::ZERO);
    assert_eq!(states(&plan.directory, &plan.sinks)[0].shipped_by, None);
}

#[test]
fn a_sink_whose_cursor_cannot_be_written_is_sent_nothing_more_until_it_can() {
    let (place, receiver) = (Place::new(), TestReceiver::start(Api::Webhook));
    place.write(10);
    let plan = place.plan(KINDS[2].1, &receiver.url(), "batch = 5\n");
    let sinks = place.audit().join("sinks");
    fs::create_dir_all(sinks.join(".s.json.new")).unwrap(); // as a full disk would: it cannot be opened for writing
    fs::write(sinks.join("s.json"), r#"{"v":1,"positions":{}}"#).unwrap();
    let shipping = Shipping::start(plan.clone()).unwrap();
    eventually(
        || states(&plan.directory, &plan.sinks)[0].failures > 2,
        || "it is no trouble".into(),
    );
    let before: BTreeSet<String> = receiver.taken().into_iter().collect();
    assert_eq!(before.len(), 5, "the first batch, and no second one");
    fs::remove_dir(sinks.join(".s.json.new")).unwrap();
    place.settled(&plan, &receiver);
    shipping.finish(Duration::ZERO);
}

/// Killed in all places, with a log that grows, to each kind of receiver, which are in all moods.
#[test]
fn who_ships_may_be_killed_at_any_moment() {
    let mut table = String::new();
    std::thread::scope(|scope| {
        let tests: Vec<_> = KINDS
            .into_iter()
            .map(|(api, sink)| scope.spawn(move || killed(api, sink)))
            .collect();
        for test in tests {
            table += &test.join().unwrap();
        }
    });
    write_section(
        "Whoever ships is killed",
        &format!(
            "With `SIGKILL`, again and again while the log grows, and the receiver takes batches and dies before it says so, breaks off in its \
answer, closes, and answers 503.\n\n| receiver | kills | requests | kept | taken | repeats | unique |\n|---|---|---|---|---|---|---|\n{table}"
        ),
    );
}

const KILLS: u64 = 12;

fn killed(api: Api, sink: &str) -> String {
    let moods = [
        Mood::Well,
        Mood::TookAndDied,
        Mood::Well,
        Mood::Closed,
        Mood::DiedInAnswer,
        Mood::Well,
        Mood::Status(503),
    ];
    let receiver = TestReceiver::in_mood(api, move |number| moods[usize::try_from(number % 7).unwrap()]);
    let place = Place::new();
    let policy = format!(
        "[[audit.sinks]]\nname = \"s\"\n{sink}url = \"{}\"\nbatch = 7\n",
        receiver.url()
    );
    for kill in 0..KILLS {
        place.write(15);
        let mut child = child(place.path(), &policy);
        std::thread::sleep(Duration::from_millis(20 + 37 * kill)); // before it reads, while it sends, after
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let plan = plan(place.path(), &policy);
    let shipping = Shipping::start(plan.clone()).unwrap();
    let repeats = place.settled(&plan, &receiver);
    shipping.finish(Duration::ZERO);
    let (kept, taken) = (place.kept().len(), receiver.taken().len());
    let unique: BTreeSet<String> = receiver.taken().into_iter().collect();
    format!(
        "| {api:?} | {KILLS} | {} | {kept} | {taken} | {repeats} | {} |\n",
        receiver.requests(),
        unique.len()
    )
}

fn child(path: &Path, policy: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["a_process_that_ships", "--exact", "--ignored", "--quiet"]);
    command.env("SHIPS_IN", path).env("SHIPS_BY", policy);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// What is killed above.
#[test]
#[ignore = "run by another test, to be killed"]
fn a_process_that_ships() {
    let (Ok(path), Ok(policy)) = (std::env::var("SHIPS_IN"), std::env::var("SHIPS_BY")) else {
        return;
    };
    let _shipping = Shipping::start(plan(Path::new(&path), &policy)).unwrap();
    std::thread::sleep(Duration::from_mins(1));
}

/// Each test writes its own part of the file.
fn write_section(title: &str, text: &str) {
    static WRITING: Mutex<()> = Mutex::new(());
    if std::env::var_os("OUTWALL_WRITE_TABLES").is_none() {
        println!("## {title}\n\n{text}");
        return;
    }
    let _one_at_a_time = WRITING.lock().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/AUDIT_SINKS.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let sections = before.split("\n## ").skip(1);
    let mut sections: BTreeMap<&str, &str> = sections.filter_map(|part| part.split_once("\n\n")).collect();
    sections.insert(title, text);
    let mut whole = HEAD.to_owned();
    for (title, text) in sections {
        write!(whole, "\n## {title}\n\n{text}").unwrap();
    }
    fs::write(&path, whole).unwrap();
}

const HEAD: &str = "# Delivered is kept

Written by `OUTWALL_WRITE_TABLES=1 cargo test -p outwall-shipping --test delivery`. *Unique* is what the receiver took with repeats taken out by id, and is \
what is kept.
";
