//! The suggestion as text. Whatever a sandbox wrote is quoted, or made harmless within a comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use outwall_policy::Target;

use super::Wanted;
use super::entries::{Entry, host_ports};
use super::need::{Need, Way};
use super::rules::SuggestedRule;

/// All that is written down.
pub(super) struct Facts<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) needs: &'a BTreeMap<Target, Need>,
    pub(super) refused: usize,
    pub(super) at_github: u64,
    pub(super) include_trusted: bool,
    pub(super) entries: &'a [Entry],
    pub(super) rules: &'a [SuggestedRule],
}

pub(super) fn toml(facts: &Facts<'_>) -> String {
    let mut text = heading(facts);
    let name = &facts.wanted.name;
    let nothing = facts.entries.is_empty() && !facts.include_trusted;
    let level = if nothing { "none" } else { "custom" };
    let _ = writeln!(text, "[environments.{name}]\nnetwork = \"{level}\"");
    if facts.include_trusted {
        text.push_str("include_trusted = true\n");
    }
    for (way, key) in LISTS {
        list(&mut text, facts, way, key);
    }
    ports(&mut text, facts);
    addresses(&mut text, facts);
    for rule in facts.rules {
        write_rule(&mut text, name.as_str(), rule);
    }
    text
}

const LISTS: [(Way, &str); 4] = [
    (Way::Allowed, "allowed_domains"),
    (Way::Always, "always_reachable"),
    (Way::Tunnelled, "tunnelled_domains"),
    (Way::Tcp, "tcp"),
];

fn heading(facts: &Facts<'_>) -> String {
    let mut text = String::from(
        "# Suggested by `outwall policy suggest`: what passed passes, and nothing else. Read it before it counts.\n",
    );
    let needs = facts.needs.values();
    let first = needs.clone().map(|need| need.first.as_str()).min();
    let last = needs.clone().map(|need| need.last.as_str()).max();
    if let (Some(first), Some(last)) = (first, last) {
        let passed: u64 = needs.map(|need| need.passed).sum();
        comment(
            &mut text,
            "",
            &format!(
                "{} that passed, {} to {}",
                count(passed, "passage"),
                second(first),
                second(last)
            ),
        );
    }
    let reads = facts.entries.iter().any(|entry| entry.way == Way::Allowed);
    if reads && facts.rules.is_empty() {
        comment(
            &mut text,
            "",
            "An entry is for every request to its host; `--rules` narrows it to what was seen.",
        );
    }
    if facts.refused > 0 {
        comment(
            &mut text,
            "",
            &format!(
                "Left out, because refused: {}; `--including-denied` has them too.",
                count(facts.refused as u64, "target")
            ),
        );
    }
    if facts.at_github > 0 {
        comment(
            &mut text,
            "",
            &format!(
                "Left out, because a session needs no entry for its own repository: {}.",
                count(facts.at_github, "request")
            ),
        );
    }
    let credentials: BTreeSet<&String> = facts.needs.values().flat_map(|need| &need.credentials).collect();
    for credential in credentials {
        comment(
            &mut text,
            "",
            &format!(
                "Uses the credential `{credential}`: its table of [[credentials]] has to name this environment."
            ),
        );
    }
    text.push('\n');
    text
}

fn list(text: &mut String, facts: &Facts<'_>, way: Way, key: &str) {
    let of_way: Vec<&Entry> = facts.entries.iter().filter(|entry| entry.way == way).collect();
    if of_way.is_empty() {
        return;
    }
    let _ = writeln!(text, "{key} = [");
    for entry in of_way {
        comments(text, facts, entry);
        let _ = writeln!(text, "    {},", quoted(&entry.pattern.to_string()));
    }
    text.push_str("]\n");
}

fn ports(text: &mut String, facts: &Facts<'_>) {
    let ports = host_ports(facts.entries);
    if ports.is_empty() {
        return;
    }
    text.push_str("host_ports = [\n");
    for entry in facts.entries.iter().filter(|entry| entry.way == Way::HostPort) {
        comments(text, facts, entry);
        for target in &entry.targets {
            let _ = writeln!(text, "    {},", target.port);
        }
    }
    text.push_str("]\n");
}

/// Addresses of refused classes that names led to, one by one.
fn addresses(text: &mut String, facts: &Facts<'_>) {
    let mut all = BTreeMap::new();
    for (target, need) in facts.needs.iter().filter(|(_, need)| need.way() != Way::HostPort) {
        for address in &need.addresses {
            all.entry(*address)
                .or_insert_with(BTreeSet::new)
                .insert(target.to_string());
        }
    }
    if all.is_empty() {
        return;
    }
    text.push_str("allowed_addresses = [\n");
    for (address, targets) in all {
        let targets: Vec<String> = targets.into_iter().collect();
        comment(
            text,
            "    ",
            &format!("not a public address: {} led there", few(&targets)),
        );
        let _ = writeln!(text, "    {},", quoted(&address.to_string()));
    }
    text.push_str("]\n");
}

fn comments(text: &mut String, facts: &Facts<'_>, entry: &Entry) {
    for need in entry.targets.iter().filter_map(|target| facts.needs.get(target)) {
        comment(text, "    ", &seen(need));
        for (reason, times) in &need.refused {
            comment(
                text,
                "    ",
                &format!("REFUSED {} ({reason}): is it meant?", count(*times, "time")),
            );
        }
    }
}

fn seen(need: &Need) -> String {
    let methods: Vec<String> = need.methods.iter().cloned().collect();
    let programs: Vec<String> = need.programs.iter().cloned().collect();
    let mut words = Vec::new();
    if need.learned {
        words.push("learned".to_owned());
    }
    let what = if need.methods.is_empty() {
        "connection"
    } else {
        "request"
    };
    let mut passed = count(need.passed, what);
    if !methods.is_empty() {
        let _ = write!(passed, " ({})", few(&methods));
    }
    words.push(passed);
    if !programs.is_empty() {
        words.push(format!("by {}", few(&programs)));
    }
    let (first, last) = (second(&need.first), second(&need.last));
    words.push(if first == last {
        first.to_owned()
    } else {
        format!("{first} to {last}")
    });
    words.join(", ")
}

fn write_rule(text: &mut String, name: &str, rule: &SuggestedRule) {
    let array = |items: &BTreeSet<String>| {
        items
            .iter()
            .map(|item| quoted(item))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let _ = writeln!(text, "\n[[environments.{name}.rules]]");
    if let Some(seen) = rule.widened_from {
        comment(
            text,
            "",
            &format!(
                "{} were seen: written as the folder that they are in",
                count(seen as u64, "path")
            ),
        );
    }
    let _ = writeln!(text, "host = {}", quoted(&rule.target.to_string()));
    if !rule.methods.is_empty() {
        let _ = writeln!(text, "methods = [{}]", array(&rule.methods));
    }
    if !rule.paths.is_empty() {
        let _ = writeln!(text, "paths = [{}]", array(&rule.paths));
    }
    text.push_str("action = \"allow\"\n");
}

/// One line, whatever is in it.
fn comment(text: &mut String, indent: &str, words: &str) {
    let harmless = words.chars().map(|character| match character {
        ' '..='~' => character,
        _ => '?',
    });
    let _ = writeln!(
        text,
        "{indent}# {}",
        harmless.take(LONGEST_COMMENT).collect::<String>()
    );
}

/// A basic string of TOML (toml.io, v1.0.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            other => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(other));
            }
        }
    }
    quoted.push('"');
    quoted
}

fn few(names: &[String]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{first}, {second}, {third}, ..."),
        all => all.join(", "),
    }
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A time without its fraction.
fn second(at: &str) -> &str {
    at.split('.').next().unwrap_or(at)
}

const LONGEST_COMMENT: usize = 240;
