//! `tests/clients/TABLE.md`, written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::story::Row;

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        let client = row.client;
        let options = [
            (client.root, "`--root`"),
            (client.nested_namespaces, "`nested_namespaces`"),
        ];
        let options = options
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, name)| name.to_owned());
        let options = options.chain(client.allow.iter().map(|host| format!("`--allow {host}`")));
        let cells = [
            client.name.to_owned(),
            row.version.clone(),
            format!("`{}`", client.command),
            options.collect::<Vec<_>>().join(" "),
            row.hosts.join(", "),
            format!("yes: {}", row.users),
            format!("yes: {}", row.refused),
            row.trust.clone(),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

pub(super) fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/TABLE.md");
    fs::write(&path, table).expect("the table can be written");
}

const HEAD: &str = "\
# Clients that were seen to work

Written by the test `tests/it/clients`; do not edit. Each command ran under `outwall run --network trusted` against the
real registry with empty caches, no proxy variable and no certificate flag.

- *Works*: it did its job, and the audit has a successful answer of each host that it needs; with Outwall run by root, by
  an ordinary user, or by both.
- *Refused off the list*: with any one of these hosts taken off the list it failed, the audit has the refusal
  (`host-not-allowed`), and nothing went out to that host. At level `none` it failed as well, and the audit has
  `network-none`.
- *Trusts us by*: the system bundle, where it worked with every trust variable removed; a variable, where it failed
  without and worked with that one alone; a store that it reads besides.

| client | version | command | options | hosts reached | works | refused off the list | trusts us by |
|---|---|---|---|---|---|---|---|
";
