//! The questions of `outwall audit`: each with the answer that somebody could paste in a ticket.

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use outwall_tests::{Outwall, TestOrigin, filters};
use serde_json::Value;

use crate::outwall;

const API: &str = "api.example.test";
const DEEP: &str = "deep.api.example.test";

/// A gate that has let out four requests and refused two.
fn told() -> (TestOrigin, Outwall) {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .allowing(&[API, DEEP])
        .origin(API, &origin)
        .origin(DEEP, &origin);
    let gate = outwall.gate();
    let client = gate.client();
    client
        .get(&format!("https://{API}/echo/items?key=s3cret"))
        .into_text();
    client
        .send("POST", &format!("https://{API}/echo/items"), "hello")
        .into_text();
    client.get(&format!("https://{DEEP}/echo")).into_text();
    client.get(&format!("http://{API}/echo/plain")).into_text();
    client.get("https://other.example.test/").into_text();
    client
        .send("PUT", "https://other.example.test/x", "y")
        .into_text();
    gate.stop();
    (origin, outwall)
}

/// What is asked, and what is answered.
fn answer(outwall: &Outwall, arguments: &[&str]) -> String {
    let finished = outwall.run(&[&["audit"], arguments].concat());
    let (code, out, err) = (finished.code(), finished.stdout, finished.stderr);
    let text = format!(
        "{out}{}",
        if err.is_empty() {
            String::new()
        } else {
            format!("--- stderr\n{err}")
        }
    );
    let end = if code == 0 {
        String::new()
    } else {
        format!("--- ended with {code}\n")
    };
    text + &end
}

/// Names of events and times have their width in a table.
fn table_filters() -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        (r"\b[0-9a-f]{12}-\d+ *", "[EVENT] "),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( UTC)?", "[TIME]"),
        (r"from \d[^ ]*Z until \d[^ ]*Z", "from [TIME] until [TIME]"),
        (r"number \d+ of its gate", "number [N] of its gate"),
        (r"\d+\.\d+ KiB|\d+ B\b", "[AMOUNT]"),
    ];
    all.extend(filters());
    all
}

macro_rules! answers {
    ($outwall:expr, $arguments:expr, @$snapshot:literal) => {
        let text = answer($outwall, $arguments);
        insta::with_settings!({ filters => table_filters() }, { assert_snapshot!(text, @$snapshot) });
    };
}

#[test]
fn a_list_has_one_row_for_each_request_with_its_answer() {
    let (_origin, outwall) = told();
    answers!(&outwall, &[], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] -           -         -        -                                   gate started: outwall 0.1.0 as a proxy on 127.0.0.1:[PORT]
[TIME]  [EVENT] [SANDBOX]  -         -        -                                   sandbox started: clients without a credential
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  GET https://api.example.test/echo/items?key=*
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  POST https://api.example.test/echo/items
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "deep.api.example.test"  GET https://deep.api.example.test/echo
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  GET http://api.example.test/echo/plain
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
[TIME]  [EVENT] -           -         -        -                                   gate stopped
"##);
    answers!(&outwall, &["--host", "*.example.test", "--method", "post"], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  POST https://api.example.test/echo/items
"##);
    answers!(&outwall, &["--host", "*.api.example.test"], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "deep.api.example.test"  GET https://deep.api.example.test/echo
"##);
    answers!(&outwall, &["--denied", "--environment", "test"], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
"##);
}

#[test]
fn an_empty_answer_says_what_was_looked_at() {
    let (_origin, outwall) = told();
    answers!(&outwall, &["--findings"], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
--- stderr
note: nothing like that among the 10 events in `[STORY]/state/audit`
"##);
    answers!(&outwall, &["--host", "nowhere.test", "--until", "2020-01-01T00:00:00Z"], @r##"
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
--- stderr
note: nothing like that among the 0 events before [TIME] in `[STORY]/state/audit`
hint: its events are from [TIME] until [TIME]
"##);
    answers!(&outwall, &["top", "credentials", "--since", "1h"], @r##"
--- stderr
note: nothing of that among the 10 events since [TIME] in `[STORY]/state/audit`
"##);
}

#[test]
fn what_no_question_can_be_is_refused_with_what_can() {
    let outwall = outwall();
    answers!(&outwall, &["top", "everything"], @r##"
--- stderr
error: invalid value 'everything' for '<WHAT>'
  [possible values: hosts, denied, uploads, programs, credentials]

For more information, try '--help'.
--- ended with 2
"##);
    answers!(&outwall, &["--sandbox", "me"], @r##"
--- stderr
error: invalid value 'me' for '--sandbox <ID>': a sandbox is called `s-` and eight digits of 0-9 and a-f; the first of them will do

For more information, try '--help'.
--- ended with 2
"##);
    answers!(&outwall, &["--host", "https://example.com/"], @r##"
--- stderr
error: invalid value 'https://example.com/' for '--host <HOST>': a pattern is a host, not a URL; write `example.com`, `*.example.com` or `10.0.0.1:8443`

For more information, try '--help'.
--- ended with 2
"##);
    answers!(&outwall, &["--format", "xml"], @r##"
--- stderr
error: invalid value 'xml' for '--format <FORMAT>'
  [possible values: table, json, ocsf, har, csv]

For more information, try '--help'.
--- ended with 2
"##);
    answers!(&outwall, &["--follow", "--format", "har"], @r##"
--- stderr
error: an HTTP archive is one document, which has no end while the log is followed
hint: leave `--follow` away, or take `--format json`, `ocsf` or `csv`
--- ended with 1
"##);
    answers!(&outwall, &["show", "yesterday"], @r##"
--- stderr
error: there is no event `yesterday` in the log
hint: an event is called like `[EVENT] `; `outwall audit` lists them under EVENT
--- ended with 1
"##);
}

#[test]
fn tops_have_counts_bytes_and_the_last_time() {
    let (_origin, outwall) = told();
    answers!(&outwall, &["top", "hosts", "--since", "24h"], @r##"
HOST                   ALLOWED  DENIED  UP   DOWN   LAST (UTC)
api.example.test       3        0       [AMOUNT]  [AMOUNT]  [TIME]  ####################
other.example.test     0        2       [AMOUNT]  [AMOUNT]    [TIME]  ##############
deep.api.example.test  1        0       [AMOUNT]  [AMOUNT]  [TIME]  #######
"##);
    answers!(&outwall, &["top", "denied"], @r##"
TARGET                  TIMES  REASON            LAST (UTC)           EVENT            TO ALLOW IT
other.example.test:443  2      host-not-allowed  [TIME]  [EVENT] under [environments.test], add to allowed_domains = ["other.example.test"], or run with --allow other.example.test, or let who runs now: outwall policy allow other.example.test
"##);
    answers!(&outwall, &["top", "uploads", "--most", "1"], @r##"
HOST              ALLOWED  DENIED  UP   DOWN   LAST (UTC)
api.example.test  3        0       [AMOUNT]  [AMOUNT]  [TIME]  ####################
"##);
}

#[test]
fn one_event_is_shown_with_everything_known_of_it() {
    let (_origin, outwall) = told();
    let posted = outwall.audit_with(&["--method", "POST"]);
    let [sent, came_back] = posted.as_slice() else {
        panic!("{posted:#?}")
    };
    let (id, ending) = (sent["id"].as_str().unwrap(), came_back["id"].as_str().unwrap());
    let text = answer(&outwall, &["show", id]);
    let (told, written) = text.split_once("As it was written\n").unwrap();
    assert_eq!(
        written,
        format!("  {}\n  {}\n", in_log(&outwall, id), in_log(&outwall, ending))
    );
    insta::with_settings!({ filters => table_filters() }, { assert_snapshot!(told, @r##"
[EVENT] : a request that was let out

  when         [TIME]
  kind         exchange.going_out
  environment  test
  sandbox      [SANDBOX]
  connection   number [N] of its gate, h2, TLSv1_3, server name api.example.test
  request      POST https://api.example.test/echo/items
  target       api.example.test:443
  decision     allow
  rule         allowed_domains "api.example.test"
  outcome      complete, status 200, after [DURATION], [AMOUNT] up, [AMOUNT] down
  its ending   [EVENT] 

Before it, in its sandbox
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] [SANDBOX]  -         -        -                                   sandbox started: clients without a credential
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  GET https://api.example.test/echo/items?key=*

After it, in its sandbox
TIME (UTC)           EVENT             SANDBOX     DECISION  STATUS   WHY                                 WHAT
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "deep.api.example.test"  GET https://deep.api.example.test/echo
[TIME]  [EVENT] [SANDBOX]  allow     200      allowed_domains "api.example.test"  GET http://api.example.test/echo/plain
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
[TIME]  [EVENT] [SANDBOX]  deny      -        host-not-allowed                    connect other.example.test:443
"##); });

    // By the start of its name, and by the name of its ending.
    let (writer, number) = id.split_once('-').unwrap();
    assert_eq!(
        answer(&outwall, &["show", &format!("{}-{number}", &writer[..6])]),
        text
    );
    assert!(answer(&outwall, &["show", ending]).contains("The event that was asked for is its ending."));
    let json = answer(&outwall, &["show", id, "--format", "json"]);
    assert_eq!(json.lines().count(), 2, "{json}");
}

/// The line of an event as the log has it.
fn in_log(outwall: &Outwall, id: &str) -> String {
    let lines = answer(outwall, &["--format", "json"]);
    lines
        .lines()
        .find(|line| line.contains(&format!("\"id\":\"{id}\"")))
        .unwrap()
        .to_owned()
}

#[test]
fn every_format_has_the_same_requests() {
    let (_origin, outwall) = told();
    let csv = answer(&outwall, &["--format", "csv", "--method", "POST"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(
        csv.contains(",https,POST,api.example.test,443,/echo/items,"),
        "{csv}"
    );
    assert!(
        csv.contains(",\"allowed_domains \"\"api.example.test\"\"\",") && csv.contains(",complete,200,5,"),
        "{csv}"
    );

    let har: Value = serde_json::from_str(&answer(&outwall, &["--format", "har"])).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    let urls: Vec<_> = entries
        .iter()
        .map(|entry| entry["request"]["url"].as_str().unwrap())
        .collect();
    assert_eq!(urls.len(), 4, "{urls:?}");
    assert_eq!(urls[0], format!("https://{API}/echo/items?key=*"));
    assert_eq!(entries[0]["request"]["queryString"][0]["name"], "key");
    assert_eq!(entries[0]["response"]["status"], 200);
    let ocsf = answer(&outwall, &["--format", "ocsf", "--host", API]);
    let classes: Vec<Value> = ocsf
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["class_uid"].clone())
        .collect();
    assert!(
        classes.len() >= 3 && classes.iter().filter(|class| **class == 4002).count() == 3,
        "{ocsf}"
    );

    let empty: Value =
        serde_json::from_str(&outwall.run(&["audit", "--format", "har", "--findings"]).stdout).unwrap();
    assert_eq!(empty["log"]["entries"], Value::Array(Vec::new()));
}

#[test]
fn what_is_followed_is_shown_as_it_happens_in_each_format_and_with_each_filter() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .allowing(&[API, DEEP])
        .origin(API, &origin)
        .origin(DEEP, &origin);
    let gate = outwall.gate();
    let followed: Vec<_> = ["table", "json", "ocsf", "csv"]
        .map(|format| {
            outwall.start(&[
                "audit", "--follow", "--since", "1h", "--host", DEEP, "--format", format,
            ])
        })
        .into();
    gate.client()
        .get(&format!("https://{API}/echo/unwanted"))
        .into_text();
    gate.client()
        .get(&format!("https://{DEEP}/echo/wanted"))
        .into_text();
    for (place, expected) in [
        "200 ",
        "\"exchange.came_back\"",
        "\"status_code\":",
        ",complete,200,",
    ]
    .iter()
    .enumerate()
    {
        let output = &followed[place];
        output.wait_for_output("/echo/wanted");
        output.wait_for_output(expected);
        assert!(!output.has_said("/echo/unwanted"), "{}", output.output());
    }
}

#[test]
fn an_event_is_shown_within_a_tenth_of_a_second_of_its_write() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[API]).origin(API, &origin);
    let gate = outwall.gate();
    let followed = outwall.start(&["audit", "--follow", "--format", "json"]);
    // Until it follows, and the connection is warm.
    gate.client()
        .get(&format!("https://{API}/echo/first"))
        .into_text();
    let began = Instant::now();
    while !followed.has_said("gate.started")
        && !followed.has_said("/echo/")
        && began.elapsed() < Duration::from_secs(20)
    {
        gate.client()
            .get(&format!("https://{API}/echo/again"))
            .into_text();
    }
    // The promise is one to users; the fastest of some is what it is without others' load on this machine.
    let fastest = (0..20).map(|number| {
        let path = format!("/echo/n{number}");
        gate.client().get(&format!("https://{API}{path}")).into_text();
        let answered = Instant::now();
        followed.wait_for_output(&path);
        answered.elapsed()
    });
    let fastest = fastest.min().unwrap();
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

/// A log that a hostile sandbox would like to have written: what could be in a name, were every check before it gone.
#[test]
fn hostile_text_steers_no_terminal_and_runs_in_no_spreadsheet_in_any_format() {
    let outwall = outwall();
    let directory = outwall.state_dir().join("audit");
    fs::create_dir(&directory).unwrap();
    let hostile = r#"=cmd|'/c calc'!A1\u001b[2J\r\n\u202eevil\u0007\",\"x\":\"y<script>"#;
    let line = |seq: u64, kind: &str, more: &str| {
        format!(
            "{{\"v\":1,\"seq\":{seq},\"id\":\"00000000002a-{seq}\",\"at\":\"2026-05-01T12:00:0{seq}.000000000Z\",\"kind\":\"{kind}\",\"sandbox\":\"s-00000001\",\"environment\":\"{hostile}\",\"session\":\"{hostile}\",\"connection\":7,\"process\":{{\"executable\":\"{hostile}\"}},\"target\":\"evil.test:443\",\"scheme\":\"https\",\"method\":\"GET\",\"path\":\"{hostile}\",\"reason\":\"{hostile}\",\"message\":\"{hostile}\",\"remedy\":\"{hostile}\",\"rule\":\"{hostile}\",\"tls\":{{\"sni\":\"{hostile}\"}}{more}}}\n"
        )
    };
    let log = line(1, "exchange.going_out", "")
        + &line(
            2,
            "exchange.came_back",
            &format!(",\"for\":\"00000000002a-1\",\"outcome\":\"failed\",\"error\":\"{hostile}\""),
        )
        + &line(3, "denied", "")
        + &line(4, "finding", "");
    fs::write(directory.join("2026-05-01T12-00-00Z-1-00000000002a.jsonl"), log).unwrap();

    for arguments in [
        &["--format", "table"][..],
        &["--format", "json"],
        &["--format", "ocsf"],
        &["--format", "har"],
        &["--format", "csv"],
        &["show", "00000000002a-1"],
        &["top", "denied"],
        &["top", "programs"],
        &["top", "hosts"],
    ] {
        let text = outwall.run(&[&["audit"], arguments].concat()).succeeded().stdout;
        let text = text.replace("\r\n", "\n"); // of CSV
        let steers = |character: char| {
            (character.is_control() && character != '\n') || matches!(character, '\u{202a}'..='\u{202e}')
        };
        assert!(!text.contains(steers), "{arguments:?}: {text:?}");
        assert!(text.contains("evil"), "{arguments:?}: {text:?}");
        match arguments {
            [_, "json" | "ocsf"] => {
                for line in text.lines() {
                    serde_json::from_str::<Value>(line).unwrap();
                }
            }
            [_, "har"] => drop(serde_json::from_str::<Value>(&text).unwrap()),
            [_, "csv"] => {
                assert_eq!(text.lines().count(), 4, "one row for each: {text}");
                assert!(!text.contains(",=") && !text.contains("\"="), "{text}");
            }
            _ => {}
        }
    }
    fs::remove_dir_all(&directory).unwrap(); // no gate wrote that
}

#[test]
fn the_index_is_made_anew_when_it_is_asked_for_or_damaged() {
    let (_origin, outwall) = told();
    let whole = answer(&outwall, &[]);
    answers!(&outwall, &["reindex"], @r##"
10 events in 1 file indexed; what went out and how it came back is one
"##);
    let index = outwall.state_dir().join("audit/index.sqlite");
    assert_eq!(answer(&outwall, &[]), whole);
    fs::write(&index, "no database at all, but long enough that it is looked at").unwrap();
    assert_eq!(answer(&outwall, &[]), whole);
    fs::remove_file(&index).unwrap();
    assert_eq!(answer(&outwall, &[]), whole);
}
