//! `tests/clients/AGENTS.md`, written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::story::{Row, Twin};

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        let Row { case, version, .. } = row;
        let refused = match &row.twins[..] {
            [] => "as above".to_owned(),
            twins => twins
                .iter()
                .map(|twin| twin_in_words(*twin))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let _ = writeln!(
            text,
            "| {} | {version} | {} | {} | `{}` | {} | {refused} |",
            case.agent,
            case.api,
            case.service.host,
            case.protocol,
            row.refused.join(", ")
        );
    }
    text
}

fn twin_in_words(twin: Twin) -> String {
    twin.reason()
        .map_or_else(|| "no key".to_owned(), |reason| format!("`{reason}`"))
}

pub(super) fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/AGENTS.md");
    fs::write(&path, table).expect("the table can be written");
}

const HEAD: &str = "\
# Coding agents that were seen to work

Written by the test `tests/it/agents`; do not edit. Each agent is the npm package as it is, in a captured sandbox without proxy
variable or certificate flag, with a stand-in for its model's servers at their real name.

- The sandbox had a placeholder, the server the real key and nothing else that looks like one. Afterwards the sandbox's variables,
  processes and kept home were read: nothing of the key.
- The model's stream had the agent run a command; the command's result came back with the sandbox's name in it; the answer was printed.
- A second run with the same `--home` went on with the conversation (`--continue`, `resume --last`).
- *Asked for as well*: hosts that the agent tried, was refused, and did without.
- *Refused*: with its model's host off the list; with a credential for another environment only, so that it has no key; with a key
  of somebody else's in its variables. What was refused is in the audit, with this code, and the agent printed the sentence.

| agent | version | API | host | in the audit | asked for as well | refused |
|---|---|---|---|---|---|---|
";
