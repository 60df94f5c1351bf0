//! `tests/clients/PROTOCOLS.md`, written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Seen;

pub(super) fn render(rows: &[Seen]) -> String {
    let mut text = String::from(HEAD);
    for Seen {
        case,
        version,
        audit,
        refused,
    } in rows
    {
        let server = case.server.described();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {version} | {server} | {audit} | \"{}\" |",
            case.protocol,
            case.direction,
            case.client,
            refused.trim()
        );
    }
    text
}

pub(super) fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/PROTOCOLS.md");
    fs::write(&path, table).expect("the table can be written");
}

const HEAD: &str = "\
# Protocols that were seen to pass, and to be refused

Written by the test `tests/it/protocols`; do not edit. Each client ran in a captured sandbox, without proxy variable or
certificate flag, against a real server on this machine's loopback; the client of CONNECT, outside and by `outwall proxy`.

- *In the audit*: what the gate recorded as going out; each was closed as complete.
- *Off the list*: with the host off the list the client failed, nothing went out, the audit has `host-not-allowed`, and its user
  read this.

| protocol | direction | client | version | origin | in the audit | off the list |
|---|---|---|---|---|---|---|
";
