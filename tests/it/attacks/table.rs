//! `tests/ATTACKS.md`, written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::as_each;

#[test]
#[ignore = "writes tests/ATTACKS.md: bash tests/all.sh runs it"]
fn the_table_is_written_from_what_was_seen() {
    let Some(ran) = as_each().last() else { return };
    let users: Vec<_> = as_each().iter().map(|ran| ran.user).collect();
    let (tried, held) = (&ran.report["tried"], &ran.report["held"]);
    assert_eq!(tried, held, "a table of what did not hold is not written");
    let mut text = HEAD
        .replace("{tried}", &tried.to_string())
        .replace("{held}", &held.to_string())
        .replace("{users}", &users.join(" and by "));
    let mut section = String::new();
    for row in ran.rows() {
        if row["section"] != section.as_str() {
            section = word(row, "section");
            let _ = write!(
                text,
                "\n## {}{}\n\n{COLUMNS}",
                section[..1].to_uppercase(),
                &section[1..]
            );
        }
        let _ = writeln!(text, "{}", line(row));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ATTACKS.md");
    fs::write(path, text).expect("the table can be written");
}

fn line(row: &Value) -> String {
    let known = word(row, "known");
    let tried = match known.as_str() {
        "" => word(row, "tried"),
        known => format!("{} ({known})", word(row, "tried")),
    };
    let arrived = word(row, "arrived");
    let arrived = if arrived.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{}`", at_any_port(&arrived).replace('`', "'"))
    };
    let cells = [
        format!("`{}`", word(row, "class")),
        tried,
        row["attempts"].to_string(),
        "yes".to_owned(),
        word(row, "how"),
        arrived,
        word(row, "twin"),
    ];
    format!("| {} |", cells.map(|cell| in_cell(&cell)).join(" | "))
}

/// The attack range listens at other ports each time, of which a table under version control says nothing.
fn at_any_port(text: &str) -> String {
    let mut parts = text.split(RANGE);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let behind = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        written.extend([RANGE, "PORT", behind]);
    }
    written
}

const RANGE: &str = "attack.outwall.test:";

fn word(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_owned()
}

/// A cell ends at `|` and at a line break.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}

const COLUMNS: &str = "| class | tried | attempts | held | how | what an origin saw of it | allowed in its place |\n|---|---|---|---|---|---|---|\n";

const HEAD: &str = "\
# Attacks

**Tried {tried}, held {held}.** Written by the test `tests/it/attacks`; do not edit. Run by {users} with
`outwall doctor --attack`, which anybody can run: the attempts are made inside a live sandbox, beside a proxy, and beside a proxy
that many share, each known by its credential, against origins on loopback that keep what arrives byte by byte. An attack counts once as a class, not once per attempt.

- *Held*: every attempt was refused, by the gate or by the kernel, or arrived in the form that the gate had decided on and in no
  other; no request arrived at the victim; and the twin was allowed.
- *How*: what the attempts were told. `closed` is a connection that ended; `stream reset` and `connection ended` are h2's.
- *What an origin saw of it*: where something may arrive, the requests as they came; `⏎` is the end of a line.

`tests/mutations` takes the defences out of the source one by one, and shows which row fails.
";
