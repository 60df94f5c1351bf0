//! `tests/clients/AGENTS.md`, written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::story::Row;

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        let Row {
            case,
            version,
            refused,
            ..
        } = row;
        let seconds = row.took.as_secs_f64();
        let twins: Vec<_> = row
            .twins
            .iter()
            .map(|(twin, _)| format!("`{}`", twin.reason()))
            .collect();
        let twins = if twins.is_empty() {
            "as above".to_owned()
        } else {
            twins.join(", ")
        };
        let _ = writeln!(
            text,
            "| {} | {version} | {} | {} | `{}` | {} | {seconds:.0} s | {} | {twins} |",
            case.agent,
            case.api,
            case.host,
            case.protocol,
            row.requests,
            refused.join(", ")
        );
    }
    text
}

pub(super) fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/AGENTS.md");
    fs::write(&path, table).expect("the table can be written");
}

const HEAD: &str = "\
# Coding agents that were seen to work

Written by the test `tests/it/agents`; do not edit. Each agent is the npm package as it is, in a captured sandbox without proxy
variable or certificate flag, with a stand-in for its model's servers at their real name.

- The model's stream had the agent run a command; the command's result came back with the sandbox's name in it; the answer was printed.
- A second run with the same `--home` went on with the conversation (`--continue`, `resume --last`).
- *Asked for as well*: hosts that the agent tried, was refused, and did without.
- *Refused*: what the audit says where the agent must not get through; nothing went out, and the agent printed the reason.

| agent | version | API | host | in the audit | requests | time | asked for as well | refused |
|---|---|---|---|---|---|---|---|---|
";
