//! Every document that gh sends, of Debian's version and of the newest: recorded from its commands against a server that answers by the schema.

use std::fmt::Write;

use super::*;

fn decisions(recorded: &str) -> String {
    let grant = grant(|rules| rules.create_issues = true);
    let mut all = String::new();
    for line in recorded.lines() {
        let one: Json = serde_json::from_str(line).unwrap();
        let (command, query) = (one["command"].as_str().unwrap(), one["query"].as_str().unwrap());
        let body = json!({"query": query, "variables": one["variables"]}).to_string();
        let operation =
            understood(&grant, &body).map_or_else(|_| String::new(), |known| known.actions.operation);
        writeln!(all, "{command} | {operation} | {}", decided_on(&grant, &body)).unwrap();
    }
    all
}

#[test]
fn gh_of_debian() {
    insta::assert_snapshot!(decisions(include_str!(
        "../../../tests/data/graphql/gh-2.23.0.jsonl"
    )));
}

#[test]
fn the_newest_gh() {
    insta::assert_snapshot!(decisions(include_str!(
        "../../../tests/data/graphql/gh-2.103.3.jsonl"
    )));
}
