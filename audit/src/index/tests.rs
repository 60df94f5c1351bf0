use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::filter::{Filter, Hosts};

/// A log that is written by hand: one file for each writer.
struct Log {
    directory: tempfile::TempDir,
}

const A: &str = "00000000000a";
const B: &str = "00000000000b";

impl Log {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, writer: &str) -> PathBuf {
        self.directory
            .path()
            .join(format!("2026-11-21T03-00-00Z-1-{writer}.jsonl"))
    }

    /// The file in which the chain of writer A goes on.
    fn second(&self) -> PathBuf {
        self.directory
            .path()
            .join(format!("2026-11-21T03-00-01Z-1-{A}-0002.jsonl"))
    }

    /// Appends an event, at this millisecond.
    fn write(&self, writer: &str, seq: u64, millisecond: u64, kind: &str, fields: &str) -> &Self {
        let at = at(millisecond);
        let comma = if fields.is_empty() { "" } else { "," };
        self.write_raw(writer, &format!("{{\"v\":1,\"seq\":{seq},\"id\":\"{writer}-{seq}\",\"at\":\"{at}\",\"kind\":\"{kind}\"{comma}{fields}}}\n"))
    }

    fn write_raw(&self, writer: &str, text: &str) -> &Self {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(writer))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self
    }

    fn index(&self) -> Index {
        Index::open(self.directory.path()).unwrap()
    }
}

/// A line of writer A, a millisecond for each number.
fn line(seq: u64, kind: &str, more: &str) -> String {
    format!(
        "{{\"v\":1,\"seq\":{seq},\"id\":\"{A}-{seq}\",\"at\":\"{}\",\"kind\":\"{kind}\"{more}}}\n",
        at(seq)
    )
}

fn at(millisecond: u64) -> String {
    let start: jiff::Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    format!(
        "{:.9}",
        start + jiff::SignedDuration::from_millis(millisecond.try_into().unwrap())
    )
}

fn moment(millisecond: u64) -> jiff::Timestamp {
    at(millisecond).parse().unwrap()
}

/// Two writers, three sandboxes, two sessions, over three hours.
fn some_log() -> Log {
    let log = Log::new();
    let one = r#""environment":"default","sandbox":"s-00000001","session":"github.com/acme/app#fix""#;
    let two = r#""environment":"default","sandbox":"s-00000002""#;
    let three = r#""environment":"other","sandbox":"s-10000003""#;
    log.write(A, 1, 0, "gate.started", r#""program":"outwall""#)
        .write(A, 2, 1, "exchange.going_out", &format!(r#"{one},"connection":1,"target":"api.example.com:443","method":"POST","decision":"allow","rule":"r","credential":"github""#))
        .write(A, 3, 2, "denied", &format!(r#"{one},"connection":1,"target":"evil.test:443","method":"GET","decision":"deny","reason":"host-not-allowed","remedy":"add it""#))
        .write(A, 4, 3, "exchange.came_back", &format!(r#"{one},"connection":1,"for":"{A}-2","outcome":"complete","status":201,"bytes_up":500,"bytes_down":7,"duration_us":2000"#))
        .write(A, 5, HOUR_MS + 1, "dns", &format!(r#"{two},"name":"deep.a.example.com","answer":"addresses""#))
        .write(A, 6, HOUR_MS + 2, "exchange.going_out", &format!(r#"{two},"target":"deep.a.example.com:8443","method":"GET","process":{{"executable":"/usr/bin/curl"}}"#))
        .write(B, 1, HOUR_MS + 3, "finding", &format!(r#"{three},"reason":"secret-leaving","message":"m""#))
        .write(B, 2, 2 * HOUR_MS, "denied", &format!(r#"{three},"reason":"host-not-allowed","repeated":40"#))
        .write(B, 3, 2 * HOUR_MS + 1, "denied", &format!(r#"{three},"target":"evil.test:443","method":"PUT","reason":"host-not-allowed""#));
    log
}

const HOUR_MS: u64 = 3_600_000;

fn ids(index: &Index, filter: &Filter) -> Vec<String> {
    let page = index.events(filter, Order::OldestFirst, None, 100).unwrap();
    page.entries
        .into_iter()
        .map(|entry| short(&entry.event.id))
        .collect()
}

fn short(id: &str) -> String {
    id.trim_start_matches('0').to_owned()
}

fn hosts(text: &str) -> Filter {
    Filter {
        hosts: Some(Hosts::parse(text).unwrap()),
        ..Filter::default()
    }
}

#[test]
fn what_went_out_and_how_it_came_back_is_one() {
    let log = some_log();
    let index = log.index();
    assert_eq!(
        ids(&index, &Filter::default()),
        ["a-1", "a-2", "a-3", "a-5", "a-6", "b-1", "b-2", "b-3"]
    );
    let page = index
        .events(&hosts("api.example.com"), Order::NewestFirst, None, 9)
        .unwrap();
    let [entry] = page.entries.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(entry.ending.as_ref().unwrap().status, Some(201));
    assert_eq!(entry.outcome, Some(Outcome::Complete));
    assert_eq!(page.next, None);
}

#[test]
fn every_filter_finds_what_is_wanted_and_nothing_else() {
    let log = some_log();
    let index = log.index();
    let of = |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        ids(&index, &filter)
    };
    assert_eq!(of(|f| f.denied = true), ["a-3", "b-2", "b-3"]);
    assert_eq!(of(|f| f.findings = true), ["b-1"]);
    assert_eq!(
        of(|f| (f.denied, f.findings) = (true, true)),
        ["a-3", "b-1", "b-2", "b-3"]
    );
    assert_eq!(
        of(|f| f.environment = Some("other".into())),
        ["b-1", "b-2", "b-3"]
    );
    assert_eq!(of(|f| f.session = Some("acme/app".into())), ["a-2", "a-3"]);
    assert_eq!(
        of(|f| f.sandbox = Some("s-0".into())),
        ["a-2", "a-3", "a-5", "a-6"]
    );
    assert_eq!(of(|f| f.method = Some("post".into())), ["a-2"]);
    assert_eq!(of(|f| f.reason = Some("secret-leaving".into())), ["b-1"]);
    assert_eq!(of(|f| f.credential = Some("github".into())), ["a-2"]);
    assert_eq!(of(|f| f.program = Some("curl".into())), ["a-6"]);
    assert_eq!(
        of(|f| (f.since, f.until) = (Some(moment(2)), Some(moment(HOUR_MS + 2)))),
        ["a-3", "a-5"]
    );
    assert_eq!(of(|f| (f.denied, f.method) = (true, Some("PUT".into()))), ["b-3"]);
    for nothing in [
        of(|f| f.environment = Some("none".into())),
        of(|f| f.method = Some("DELETE".into())),
        of(|f| (f.denied, f.credential) = (true, Some("github".into()))),
        of(|f| f.since = Some(jiff::Timestamp::MAX)),
        of(|f| f.until = Some(jiff::Timestamp::MIN)),
    ] {
        assert!(nothing.is_empty(), "{nothing:?}");
    }
}

#[test]
fn hosts_below_a_name_are_found_at_any_depth_with_what_was_looked_up() {
    let log = some_log();
    let index = log.index();
    assert_eq!(ids(&index, &hosts("*.example.com")), ["a-2", "a-5", "a-6"]);
    assert_eq!(ids(&index, &hosts("*.example.com:8443")), ["a-6"]);
    assert_eq!(ids(&index, &hosts("evil.test")), ["a-3", "b-3"]);
    for nothing in ["example.com", "*.api.example.com", "xample.com", "*.xample.com"] {
        assert!(ids(&index, &hosts(nothing)).is_empty(), "{nothing}");
    }
}

#[test]
fn an_index_and_a_walk_through_the_log_agree_on_every_filter() {
    let log = some_log();
    let index = log.index();
    let filters = [
        Filter::default(),
        hosts("*.example.com"),
        hosts("evil.test:443"),
        Filter {
            denied: true,
            ..Filter::default()
        },
        Filter {
            session: Some("fix".into()),
            ..Filter::default()
        },
        Filter {
            sandbox: Some("s-00000002".into()),
            since: Some(moment(HOUR_MS + 2)),
            ..Filter::default()
        },
        Filter {
            program: Some("/usr/bin/curl".into()),
            ..Filter::default()
        },
    ];
    for filter in filters {
        let walked = crate::query::read(log.directory.path(), filter.clone()).unwrap();
        let walked: Vec<_> = walked
            .map(Result::unwrap)
            .filter(|event| !event.kind.is_ending())
            .map(|event| short(&event.id))
            .collect();
        assert_eq!(ids(&index, &filter), walked, "{filter:?}");
    }
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition_both_ways() {
    let log = some_log();
    let index = log.index();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = index
                .events(
                    &Filter {
                        sandbox: Some("s-".into()),
                        ..Filter::default()
                    },
                    order,
                    after,
                    2,
                )
                .unwrap();
            seen.extend(page.entries.iter().map(|entry| short(&entry.event.id)));
            let Some(next) = page.next else { break };
            assert_eq!(next.to_string().parse(), Ok(next));
            after = Some(next);
        }
        if order == Order::NewestFirst {
            seen.reverse();
        }
        assert_eq!(seen, ["a-2", "a-3", "a-5", "a-6", "b-1", "b-2", "b-3"]);
    }
}

#[test]
fn everything_known_of_an_event_is_found_by_its_name_or_its_start_and_by_that_of_its_ending() {
    let log = some_log();
    let index = log.index();
    let found = index.event("00000000000a-2").unwrap();
    assert_eq!(found.entry.ending.as_ref().unwrap().seq, 4);
    assert!(!found.asked_for_ending);
    let names = |entries: &[Entry]| {
        entries
            .iter()
            .map(|entry| short(&entry.event.id))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&found.connection), ["a-3"]);
    assert_eq!(
        (names(&found.before), names(&found.after)),
        (vec![], vec!["a-3".to_owned()])
    );

    let by_ending = index.event("00000000000a-4").unwrap();
    assert_eq!(by_ending.entry, found.entry);
    assert!(by_ending.asked_for_ending);

    assert_eq!(index.event("00000000000b-3").unwrap().entry.event.seq, 3);
    assert_eq!(
        names(&index.event("00000000000b-3").unwrap().before),
        ["b-1", "b-2"]
    );
    assert!(
        matches!(index.event("0000-3"), Err(IndexError::Ambiguous { candidates, .. }) if candidates.len() == 2)
    );
    assert_eq!(
        index.event("0000-6").unwrap().entry.event.seq,
        6,
        "only one writer has so many"
    );
    for absent in ["00000000000a-7", "00000000000c-1", "x", "", "a'--1", "%-1"] {
        assert!(
            matches!(index.event(absent), Err(IndexError::NoSuchEvent(_))),
            "{absent}"
        );
    }
}

#[test]
fn an_event_is_found_by_its_name_far_from_a_landmark() {
    let log = Log::new();
    let mut text = String::new();
    for seq in 1..=1000 {
        writeln!(
            text,
            r#"{{"v":1,"seq":{seq},"id":"{A}-{seq}","at":"{}","kind":"dns"}}"#,
            at(seq)
        )
        .unwrap();
    }
    log.write_raw(A, &text);
    let index = log.index();
    for seq in [1, 2, 255, 256, 257, 258, 512, 513, 999, 1000] {
        assert_eq!(index.event(&format!("{A}-{seq}")).unwrap().entry.event.seq, seq);
    }
    assert!(index.event(&format!("{A}-1001")).is_err() && index.event(&format!("{A}-0")).is_err());
}

#[test]
fn sums_have_every_event_once_and_those_that_stand_for_many() {
    let log = some_log();
    let index = log.index();
    let top = |what, filter: &Filter| {
        let rows = index.top(what, filter, 10).unwrap();
        rows.into_iter()
            .map(|row| (row.name, row.allowed, row.denied, row.bytes_up))
            .collect::<Vec<_>>()
    };
    let row = |name: &str, allowed, denied, up| (name.to_owned(), allowed, denied, up);
    let all = Filter::default();
    assert_eq!(
        top(Top::Hosts, &all),
        [
            row("evil.test", 0, 2, 0),
            row("api.example.com", 1, 0, 500),
            row("deep.a.example.com", 1, 0, 0)
        ]
    );
    assert_eq!(top(Top::Denied, &all), [row("evil.test:443", 0, 2, 0)]);
    assert_eq!(top(Top::Uploads, &all), [row("api.example.com", 1, 0, 500)]);
    assert_eq!(top(Top::Programs, &all), [row("/usr/bin/curl", 1, 0, 0)]);
    assert_eq!(top(Top::Credentials, &all), [row("github", 1, 0, 500)]);
    // Parts of hours at both ends.
    let part = Filter {
        since: Some(moment(2)),
        until: Some(moment(HOUR_MS + 3)),
        ..Filter::default()
    };
    assert_eq!(
        top(Top::Hosts, &part),
        [row("deep.a.example.com", 1, 0, 0), row("evil.test", 0, 1, 0)]
    );
    let denials = index.denials(&all, 10).unwrap();
    let shown: Vec<_> = denials
        .iter()
        .map(|denial| (denial.target.as_deref(), denial.times))
        .collect();
    assert_eq!(shown, [(None, 40), (Some("evil.test:443"), 2)]);
    assert_eq!(denials[1].latest.as_ref().unwrap().event.id, format!("{B}-3"));
    let extent = index.extent(&all).unwrap();
    assert_eq!(
        (extent.events, extent.segments, extent.unreadable),
        (8 + 39, 2, 0)
    );
    assert_eq!(
        (extent.first, extent.last),
        (Some(moment(0)), Some(moment(2 * HOUR_MS + 1)))
    );
    assert_eq!(index.extent(&part).unwrap().events, 3);
}

#[test]
fn an_ending_that_comes_later_is_put_to_what_it_ends_and_counts_once() {
    let log = Log::new();
    log.write(
        A,
        1,
        0,
        "exchange.going_out",
        r#""sandbox":"s-00000001","target":"a.test:443""#,
    );
    let mut index = log.index();
    let outcome = |index: &Index| index.event(&format!("{A}-1")).unwrap().entry.outcome;
    assert_eq!(
        outcome(&index),
        Some(Outcome::Unknown),
        "nobody writes to that file any more"
    );
    let writer = fs::File::open(log.path(A)).unwrap();
    writer.lock().unwrap();
    assert_eq!(outcome(&index), Some(Outcome::InFlight));
    log.write(
        A,
        2,
        5,
        "exchange.came_back",
        &format!(r#""for":"{A}-1","outcome":"failed","bytes_up":3,"error":"reset""#),
    );
    index.refresh().unwrap();
    assert_eq!(outcome(&index), Some(Outcome::Failed));
    assert_eq!(ids(&index, &Filter::default()), ["a-1"]);
    let top = index.top(Top::Uploads, &Filter::default(), 9).unwrap();
    assert_eq!((top[0].allowed, top[0].bytes_up), (1, 3));
    // One whose beginning is not there is still shown.
    log.write(
        A,
        3,
        6,
        "exchange.came_back",
        &format!(r#""for":"{B}-9","outcome":"aborted""#),
    );
    index.refresh().unwrap();
    assert_eq!(ids(&index, &Filter::default()), ["a-1", "a-3"]);
    assert_eq!(
        index.event(&format!("{A}-3")).unwrap().entry.outcome,
        Some(Outcome::Aborted)
    );
}

#[test]
fn half_a_line_is_not_there_yet_and_damage_is_counted() {
    let log = Log::new();
    log.write_raw(A, "rubbish\n")
        .write(A, 2, 1, "dns", "")
        .write_raw(A, "{\"v\":1,\"seq\"");
    let mut index = log.index();
    assert_eq!(ids(&index, &Filter::default()), ["a-2"]);
    assert_eq!(index.extent(&Filter::default()).unwrap().unreadable, 1);
    log.write_raw(
        A,
        &format!(
            ":3,\"id\":\"{A}-3\",\"at\":\"{}\",\"kind\":\"a.later.one\"}}\n",
            at(3)
        ),
    );
    index.refresh().unwrap();
    assert_eq!(ids(&index, &Filter::default()), ["a-2", "a-3"]);
}

#[test]
fn events_of_one_nanosecond_are_all_there() {
    let log = Log::new();
    for seq in 1..=5 {
        log.write(A, seq, 7, "dns", "").write(B, seq, 7, "dns", "");
    }
    assert_eq!(ids(&log.index(), &Filter::default()).len(), 10);
}

#[test]
fn what_retention_removed_is_forgotten_and_the_rest_stays() {
    let log = some_log();
    let mut index = log.index();
    fs::remove_file(log.path(A)).unwrap();
    index.refresh().unwrap();
    assert_eq!(ids(&index, &Filter::default()), ["b-1", "b-2", "b-3"]);
    assert!(index.event("00000000000a-2").is_err());
    assert_eq!(index.top(Top::Hosts, &Filter::default(), 9).unwrap().len(), 1);
    assert_eq!(index.extent(&Filter::default()).unwrap().events, 3 + 39);
}

#[test]
fn a_file_that_became_shorter_is_read_again() {
    let log = some_log();
    let mut index = log.index();
    let text = fs::read_to_string(log.path(B)).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    fs::write(log.path(B), first).unwrap();
    index.refresh().unwrap();
    assert_eq!(ids(&index, &hosts("evil.test")), ["a-3"]);
    assert_eq!(
        ids(
            &index,
            &Filter {
                findings: true,
                ..Filter::default()
            }
        ),
        ["b-1"]
    );
}

#[test]
fn a_damaged_index_and_one_of_another_version_are_made_anew() {
    let log = some_log();
    drop(log.index());
    let path = log.directory.path().join(FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(
        &path,
        "this is no database, and long enough to be looked at".repeat(100),
    )
    .unwrap();
    assert_eq!(ids(&log.index(), &Filter::default()).len(), 8);
    log.index()
        .connection
        .pragma_update(None, "user_version", 999)
        .unwrap();
    assert_eq!(ids(&log.index(), &Filter::default()).len(), 8);
    let mut index = log.index();
    index.clear().unwrap();
    assert!(ids(&index, &Filter::default()).is_empty());
    index.refresh().unwrap();
    assert_eq!(ids(&index, &Filter::default()).len(), 8);
}

#[test]
fn several_bring_it_up_to_date_at_once() {
    let log = Log::new();
    let mut text = String::new();
    for seq in 1..=5000 {
        writeln!(
            text,
            r#"{{"v":1,"seq":{seq},"id":"{A}-{seq}","at":"{}","kind":"dns","sandbox":"s-00000001"}}"#,
            at(seq)
        )
        .unwrap();
    }
    log.write_raw(A, &text);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| log.index());
        }
    });
    assert_eq!(log.index().extent(&Filter::default()).unwrap().events, 5000);
}

#[test]
fn a_log_that_is_not_there_has_no_events_and_gets_no_index() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    let index = Index::open(&absent).unwrap();
    assert!(ids(&index, &Filter::default()).is_empty());
    assert!(!absent.exists());
}

#[test]
fn a_walk_has_everything_and_each_line_at_its_own_time() {
    let log = some_log();
    let index = log.index();
    let lines: Vec<_> = index
        .walk_events(Filter::default())
        .map(|event| short(&event.unwrap().id))
        .collect();
    assert_eq!(
        lines,
        ["a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "b-1", "b-2", "b-3"]
    );
    let of_one: Vec<_> = index
        .walk_events(hosts("api.example.com"))
        .map(|event| event.unwrap().seq)
        .collect();
    assert_eq!(of_one, [2, 4], "its ending is wanted, though it names no host");

    let many = Log::new();
    let mut text = String::new();
    for seq in 1..=1500 {
        writeln!(
            text,
            r#"{{"v":1,"seq":{seq},"id":"{A}-{seq}","at":"{}","kind":"dns"}}"#,
            at(seq)
        )
        .unwrap();
    }
    many.write_raw(A, &text);
    let index = many.index();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut seqs: Vec<_> = index
            .walk(Filter::default(), order)
            .map(|entry| entry.unwrap().event.seq)
            .collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=1500).collect::<Vec<_>>());
    }
}

#[test]
fn a_chain_that_goes_on_in_another_file_is_one() {
    let log = Log::new();
    let second = log.second();
    let first: String = (1..300).map(|seq| line(seq, "dns", "")).collect();
    log.write_raw(
        A,
        &(first + &line(300, "exchange.going_out", ",\"target\":\"a.test:443\"")),
    );
    let ending = format!(",\"for\":\"{A}-300\",\"outcome\":\"complete\"");
    let text: String = (302..320).map(|seq| line(seq, "dns", "")).collect();
    fs::write(&second, line(301, "exchange.came_back", &ending) + &text).unwrap();
    let index = log.index();
    for seq in [1, 299, 302, 319] {
        assert_eq!(index.event(&format!("{A}-{seq}")).unwrap().entry.event.seq, seq);
    }
    for name in [300, 301] {
        let found = index.event(&format!("{A}-{name}")).unwrap();
        assert_eq!(found.entry.outcome, Some(Outcome::Complete));
    }
    // Its writer is alive in the second file, so what is in the first has not ended yet.
    log.write(A, 320, 320, "exchange.going_out", "");
    let living = fs::File::open(&second).unwrap();
    living.lock().unwrap();
    let index = log.index();
    assert_eq!(
        index.event(&format!("{A}-320")).unwrap().entry.outcome,
        Some(Outcome::InFlight)
    );
}

#[test]
fn what_came_back_is_there_when_the_file_with_what_went_out_is_not() {
    let log = Log::new();
    let second = log.second();
    let target = ",\"target\":\"a.test:443\"";
    log.write_raw(
        A,
        &(line(1, "dns", "")
            + &line(2, "exchange.going_out", target)
            + &line(3, "exchange.going_out", target)),
    );
    let ending = |seq: u64| format!(",\"for\":\"{A}-{seq}\",\"outcome\":\"complete\"");
    let text = line(4, "exchange.came_back", &ending(2))
        + &line(5, "dns", "")
        + &line(6, "exchange.came_back", &ending(3));
    fs::write(&second, text).unwrap();
    let mut index = log.index();
    assert_eq!(
        ids(&index, &Filter::default()).len(),
        4,
        "two of them with their endings"
    );
    fs::remove_file(log.path(A)).unwrap();
    index.refresh().unwrap();
    let mut kept = ids(&index, &Filter::default());
    kept.sort_unstable();
    assert_eq!(kept, ["a-4", "a-5", "a-6"]);
    index.clear().unwrap();
    index.refresh().unwrap();
    let mut anew = ids(&index, &Filter::default());
    anew.sort_unstable();
    assert_eq!(anew, kept);
    fs::remove_file(&second).unwrap();
    index.refresh().unwrap();
    assert!(ids(&index, &Filter::default()).is_empty());
}

#[test]
fn a_file_that_was_compressed_is_where_it_was() {
    let log = some_log();
    let mut index = log.index();
    let before = ids(&index, &Filter::default());
    for writer in [A, B] {
        let plain = log.path(writer);
        let compressed = zstd::encode_all(&fs::read(&plain).unwrap()[..], 3).unwrap();
        fs::write(plain.with_extension("jsonl.zst"), compressed).unwrap();
        fs::remove_file(plain).unwrap();
    }
    let mut read = 0;
    index.refresh_telling(&mut |events| read = events).unwrap();
    assert_eq!(read, 0, "nothing is read anew");
    assert_eq!(ids(&index, &Filter::default()), before);
    assert_eq!(index.event("00000000000a-4").unwrap().entry.event.seq, 2);
    index.clear().unwrap();
    index.refresh().unwrap();
    assert_eq!(ids(&index, &Filter::default()), before);
}

#[test]
fn sums_of_days_hours_and_what_is_left_are_those_of_a_walk() {
    let log = Log::new();
    let quarter = HOUR_MS / 4;
    for number in 0..400 {
        let (writer, at) = if number % 2 == 0 {
            (A, number * quarter)
        } else {
            (B, number * quarter + 7)
        };
        let fields = format!(
            r#""environment":"e","sandbox":"s-0000000{}","target":"h{}.test:443","method":"GET""#,
            number % 3,
            number % 5
        );
        log.write(writer, number / 2 + 1, at, "exchange.going_out", &fields);
    }
    let mut index = log.index();
    let agree = |index: &Index| {
        for (from, to) in [
            (0, 500),
            (1, 399),
            (3, 5),
            (8, 100),
            (97, 193),
            (95, 291),
            (0, 96),
            (20, 21),
        ] {
            let (since, until) = (Some(moment(from * quarter + 1)), Some(moment(to * quarter)));
            for filter in [
                Filter {
                    since,
                    until,
                    ..Filter::default()
                },
                Filter {
                    since,
                    ..Filter::default()
                },
                Filter {
                    until,
                    ..Filter::default()
                },
                Filter {
                    since,
                    until,
                    sandbox: Some("s-00000001".into()),
                    ..Filter::default()
                },
            ] {
                let walked = index.walk(filter.clone(), Order::OldestFirst).count() as u64;
                assert_eq!(index.extent(&filter).unwrap().events, walked, "{filter:?}");
                let top = index.top(Top::Hosts, &filter, 9).unwrap();
                assert_eq!(
                    top.iter().map(|row| row.allowed).sum::<u64>(),
                    walked,
                    "{filter:?}"
                );
            }
        }
    };
    agree(&index);
    fs::remove_file(log.path(A)).unwrap();
    index.refresh().unwrap();
    assert_eq!(index.extent(&Filter::default()).unwrap().events, 200);
    agree(&index);
}

#[test]
fn many_names_below_one_are_found_as_few_are() {
    let log = Log::new();
    let mut text = String::new();
    for seq in 1..=2000 {
        let (host, kind) = (
            seq % 700,
            if seq % 10 == 0 {
                "denied"
            } else {
                "exchange.going_out"
            },
        );
        let fields = format!(r#""target":"h{host}.many.test:443","reason":"r""#);
        let at = at(seq * HOUR_MS / 20);
        writeln!(
            text,
            r#"{{"v":1,"seq":{seq},"id":"{A}-{seq}","at":"{at}","kind":"{kind}",{fields}}}"#
        )
        .unwrap();
    }
    log.write_raw(A, &text);
    let index = log.index();
    let all = hosts("*.many.test");
    for (filter, count) in [
        (all.clone(), 2000),
        (Filter { denied: true, ..all }, 200),
        (hosts("h7.many.test"), 3),
    ] {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let seqs: Vec<_> = index
                .walk(filter.clone(), order)
                .map(|entry| entry.unwrap().event.seq)
                .collect();
            assert_eq!(seqs.len(), count, "{filter:?}");
            assert!(
                seqs.is_sorted_by(|one, other| (one < other) == (order == Order::OldestFirst)),
                "{filter:?}"
            );
        }
        assert_eq!(index.extent(&filter).unwrap().events, count as u64);
    }
    assert_eq!(index.denials(&hosts("*.many.test"), 5).unwrap().len(), 5);
}
