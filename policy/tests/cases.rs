//! Policy by table: every file in `tests/cases` is a policy document, a line `====`, and requests with what is decided on them.
//!
//! A row is: environment (`-`: the default one), method, URL, decision, and why: the line of the policy that allows, or the
//! code of the reason. Decisions are `intercept`, `tunnel`, `stream`, `deny`, and `unreadable` for what is no request at all.
//! In a URL, `\0`, `\r`, `\n` and `\s` stand for NUL, CR, LF and a space.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fmt::Write as _;
use std::path::Path;

use outwall_policy::{Checked, Policy, PolicyDocument, Treatment};

#[test]
fn every_case_is_decided_as_its_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut wrong = String::new();
    let (mut rows, mut allowed, mut denied) = (0, 0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let (document, table) = text
            .split_once("\n====\n")
            .expect("a line of ==== before the table");
        let document = PolicyDocument::parse(document, &name).unwrap();
        let mut policy = Policy::compile(&document).unwrap();
        policy.refuse_addresses(["192.0.2.200".parse().unwrap(), "2001:db8::200".parse().unwrap()]);
        for row in table
            .lines()
            .filter(|row| !row.trim().is_empty() && !row.starts_with('#'))
        {
            let (asked, expected) = split_row(row);
            let actual = decide(&policy, &asked);
            rows += 1;
            allowed += usize::from(!actual.starts_with("deny") && !actual.starts_with("unreadable"));
            denied += usize::from(actual.starts_with("deny"));
            if actual != expected {
                writeln!(
                    wrong,
                    "{name}: {}\n  expected {expected}\n  decided  {actual}",
                    asked.join(" ")
                )
                .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(
        rows > 100 && allowed > 40 && denied > 40,
        "{rows} rows, {allowed} allowed, {denied} denied"
    );
}

fn split_row(row: &str) -> (Vec<String>, String) {
    let mut words = row.split_whitespace();
    let asked: Vec<String> = words.by_ref().take(3).map(unescape).collect();
    (asked, words.collect::<Vec<_>>().join(" "))
}

fn unescape(word: &str) -> String {
    word.replace("\\0", "\0")
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\s", " ")
}

fn decide(policy: &Policy, asked: &[String]) -> String {
    let [environment, method, url] = asked else {
        panic!("a row has an environment, a method and a URL: {asked:?}");
    };
    let environment = (environment != "-").then_some(environment.as_str());
    match policy.check(environment, method, url) {
        Err(_) => "unreadable".into(),
        Ok(Checked::Deny(denial)) => format!("deny {}", denial.code()),
        Ok(Checked::Allow { rule, treatment }) => match treatment {
            Treatment::Intercept => format!("intercept {rule}"),
            Treatment::Forward => format!("forward {rule}"),
            Treatment::Tunnel => format!("tunnel {rule}"),
            Treatment::Stream => format!("stream {rule}"),
        },
    }
}
