//! "Allow this": the lines of the policy file that would let pass what was refused, as text to copy.
//!
//! They are read out of the remedy that the gate wrote when it refused, and shown only when they are what they seem: the environment
//! is a name, every line is one key of TOML, every host in it is a pattern of hosts. A hostile name gets no lines, and neither does an
//! address that is refused for what it is (private, metadata) or a port of this machine: to open one takes more thought than a copy.

use outwall_audit::{Event, Kind};
use outwall_policy::{EnvironmentName, HostPattern};

/// What to put where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// The file.
    pub(super) file: String,
    /// The table in it.
    pub(super) table: String,
    /// The lines.
    pub(super) lines: Vec<String>,
    /// Whether some are lists that may be there already, so that theirs is added to.
    pub(super) adds: bool,
    /// The same for sandboxes that run, without a change of the file.
    pub(super) command: Option<String>,
}

impl Suggestion {
    /// Of a refusal, where lines would help.
    pub(super) fn of(event: &Event, policy_file: Option<&str>) -> Option<Self> {
        if event.kind != Kind::Denied {
            return None;
        }
        let environment: EnvironmentName = event.environment.as_deref()?.parse().ok()?;
        let remedy = event.remedy.as_deref()?;
        let keys = remedy.strip_prefix(&format!("under [environments.{environment}], "))?;
        let (keys, option) = keys.split_once(", or run with ").unwrap_or((keys, ""));
        let lines = lines(keys)?;
        Some(Self {
            file: policy_file.unwrap_or("outwall.toml").to_owned(),
            table: format!("[environments.{environment}]"),
            adds: lines.iter().any(|line| line.ends_with(']')),
            lines,
            command: command(option, &environment),
        })
    }

    /// The table with its lines, as it may be pasted where there is no such table.
    pub(super) fn toml(&self) -> Vec<&str> {
        let mut lines = vec![self.table.as_str()];
        lines.extend(self.lines.iter().map(String::as_str));
        lines
    }
}

/// `add to allowed_domains = ["a.test"], and add to allowed_addresses = [..]` as lines of TOML. `None` when anything of it is in words.
fn lines(keys: &str) -> Option<Vec<String>> {
    let parts = at_commas(keys);
    let mut lines = Vec::new();
    for part in parts {
        let part = part.trim();
        let part = part.strip_prefix("and ").unwrap_or(part);
        let line = part.strip_prefix("add to ").unwrap_or(part);
        lines.push(is_a_key(line).then(|| line.to_owned())?);
    }
    Some(lines)
}

/// The parts between commas that are in no list and no text.
fn at_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_i32, false);
    for (place, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// One key of those that we know, with a value as it should be.
fn is_a_key(line: &str) -> bool {
    let Ok(table) = line.parse::<toml::Table>() else {
        return false;
    };
    let mut keys = table.iter();
    let (Some((key, value)), None) = (keys.next(), keys.next()) else {
        return false;
    };
    let all = |fits: fn(&str) -> bool| {
        let list = value.as_array().filter(|list| !list.is_empty());
        list.is_some_and(|list| list.iter().all(|one| one.as_str().is_some_and(fits)))
    };
    match key.as_str() {
        "allowed_domains" | "always_reachable" | "tcp" => all(|text| HostPattern::parse(text).is_ok()),
        "network" => value.as_str() == Some("custom"),
        "include_trusted" | "trusted_writes" => value.as_bool() == Some(true),
        _ => false,
    }
}

/// `outwall policy allow HOST --environment NAME`, where the gate said that it can be.
fn command(option: &str, environment: &EnvironmentName) -> Option<String> {
    let (_, hosts) = option.rsplit_once("outwall policy allow ")?;
    let hosts = HostPattern::parse(hosts).ok()?.to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    let quoted = if hosts.bytes().all(plain) {
        hosts
    } else {
        format!("'{hosts}'") // a pattern has no quotation mark
    };
    Some(format!(
        "outwall policy allow {quoted} --environment {environment} --for 1h"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use outwall_policy::{Checked, Policy, PolicyDocument};

    use super::*;

    /// A refusal as the gate records it.
    fn refused(policy: &str, environment: &str, url: &str) -> Event {
        let policy = Policy::compile(&PolicyDocument::parse(policy, "outwall.toml").unwrap()).unwrap();
        let Checked::Deny(denial) = policy.check(Some(environment), "GET", url).unwrap() else {
            panic!("{url} is allowed");
        };
        event(environment, &denial.remedy().unwrap())
    }

    fn event(environment: &str, remedy: &str) -> Event {
        let line = format!(
            r#"{{"v":1,"seq":1,"id":"00000000002a-1","at":"2026-05-01T12:00:00Z","kind":"denied","environment":{environment:?},"remedy":{remedy:?}}}"#
        );
        Event::parse(&line).unwrap()
    }

    #[test]
    fn the_lines_let_pass_what_was_refused() {
        for (network, url) in [
            ("custom", "https://api.example.com/x"),
            ("trusted", "https://api.example.com/x"),
            ("none", "https://api.example.com/x"),
            ("custom", "https://[2001:db8::1]/"),
            ("custom", "https://xn--bcher-kva.example/"),
        ] {
            let before = format!("[environments.web]\nnetwork = \"{network}\"\n");
            let suggestion = Suggestion::of(&refused(&before, "web", url), None).unwrap();
            let has_network = suggestion.lines.iter().any(|line| line.starts_with("network"));
            let head = if has_network {
                "[environments.web]\n"
            } else {
                &before
            };
            let after = format!("{head}{}\n", suggestion.lines.join("\n"));
            let policy = Policy::compile(&PolicyDocument::parse(&after, "outwall.toml").unwrap()).unwrap();
            let checked = policy.check(Some("web"), "GET", url).unwrap();
            assert!(matches!(checked, Checked::Allow { .. }), "{url}: {after}");
        }
    }

    #[test]
    fn what_is_not_public_gets_no_lines() {
        let policy = "[environments.web]\nnetwork = \"custom\"\n";
        for url in [
            "http://10.1.2.3/",
            "http://169.254.169.254/",
            "http://127.0.0.1:8080/",
        ] {
            assert_eq!(Suggestion::of(&refused(policy, "web", url), None), None, "{url}");
        }
    }

    #[test]
    fn who_runs_now_can_be_let_by_a_command() {
        let policy = "[environments.web]\nnetwork = \"custom\"\n";
        let suggestion = Suggestion::of(
            &refused(policy, "web", "https://api.example.com/"),
            Some("/etc/o.toml"),
        )
        .unwrap();
        assert_eq!(
            suggestion.toml(),
            ["[environments.web]", "allowed_domains = [\"api.example.com\"]"]
        );
        assert_eq!((suggestion.file.as_str(), suggestion.adds), ("/etc/o.toml", true));
        assert_eq!(
            suggestion.command.as_deref(),
            Some("outwall policy allow api.example.com --environment web --for 1h")
        );
    }

    #[test]
    fn a_remedy_that_is_not_what_it_seems_gets_no_lines() {
        let under = "under [environments.web], ";
        let fits = |remedy: &str| Suggestion::of(&event("web", remedy), None).is_some();
        assert!(fits(&format!("{under}add to allowed_domains = [\"a.test\"]")));
        for remedy in [
            "add to allowed_domains = [\"a.test\"]".to_owned(),
            format!("{under}add to allowed_domains = [\"a.test\\nnetwork\"]"),
            format!("{under}add to allowed_domains = [\"*\"]"),
            format!("{under}add to allowed_domains = [\"a.test\"]\nnetwork = \"full\""),
            format!("{under}network = \"full\""),
            format!("{under}raise limits.requests"),
            format!(
                "{under}add to allowed_domains = [\"a.test\"] for HTTP, to tcp = [\"a.test\"] for other protocols"
            ),
        ] {
            assert!(!fits(&remedy), "{remedy}");
        }
        assert_eq!(Suggestion::of(&event("we b", under), None), None);
        let hostile = format!(
            "{under}add to allowed_domains = [\"a.test\"], or run with --allow a, or let who runs now: outwall policy allow a;id"
        );
        assert_eq!(
            Suggestion::of(&event("web", &hostile), None).unwrap().command,
            None
        );
    }
}
