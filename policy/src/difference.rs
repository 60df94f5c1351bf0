//! What is different between two policies, in few words, for the record of a change.

use std::collections::BTreeSet;

use crate::allowances::Allowances;
use crate::environment::Environment;
use crate::matcher::{Grant, Row};
use crate::pattern::HostPattern;
use crate::policy::Policy;

impl Policy {
    /// What is different from the policy `before`, in few words: `environment api: +2 hosts (a.test, b.test), -1 host (c.test)`.
    /// Empty where no environment is different.
    pub fn difference_from(&self, before: &Self) -> String {
        let mut said = Vec::new();
        for (name, environment) in self.environments.iter() {
            match before.environments.get(name) {
                None => said.push(format!("environment {name} is new")),
                Some(old) => said.extend(difference(environment, old)),
            }
        }
        let gone = before.environments.keys();
        let gone = gone.filter(|name| !self.environments.contains_key(*name));
        said.extend(gone.map(|name| format!("environment {name} is gone")));
        if self.default_environment != before.default_environment {
            said.push(format!("the default environment is {}", self.default_environment));
        }
        if self.anonymous_environment != before.anonymous_environment {
            said.push(match &self.anonymous_environment {
                Some(name) => format!("clients of a proxy without a credential are in environment {name}"),
                None => "clients of a proxy without a credential are refused".to_owned(),
            });
        }
        if self.gate != before.gate {
            said.push("other settings in [gate], which count when the gate is started again".to_owned());
        }
        if self.audit != before.audit {
            said.push("other settings in [audit]".to_owned());
        }
        said.join("; ")
    }
}

fn difference(new: &Environment, old: &Environment) -> Option<String> {
    let mut said = Vec::new();
    if new.network != old.network {
        said.push(format!("network {} instead of {}", new.network, old.network));
    }
    said.extend(hosts(new.matcher.rows(), old.matcher.rows()));
    if new.include_trusted != old.include_trusted {
        let word = if new.include_trusted { "with" } else { "without" };
        said.push(format!("{word} the Trusted list"));
    }
    if new.include_trusted && new.trusted_writes != old.trusted_writes {
        let what = if new.trusted_writes { "and writing" } else { "only" };
        said.push(format!("the Trusted list for reading {what}"));
    }
    if !new.host_ports().eq(old.host_ports()) {
        let ports: Vec<String> = new.host_ports().map(|port| port.to_string()).collect();
        said.push(format!("host_ports = [{}]", ports.join(", ")));
    }
    if rules(new) != rules(old) {
        let (after, before) = (new.rules().count(), old.rules().count());
        said.push(format!("other rules ({after} instead of {before})"));
    }
    if new.exceptions.0 != old.exceptions.0 {
        said.push("other allowed_addresses".to_owned());
    }
    if blocklists(new) != blocklists(old) {
        said.push(format!("blocklists: {}", blocklists(new).join(", ")));
    }
    if new.trace_context != old.trace_context {
        said.push("other trace_context".to_owned());
    }
    if limits(new) != limits(old) {
        said.push("other limits".to_owned());
    }
    if sizes(new) != sizes(old) {
        said.push("other sizes".to_owned());
    }
    if new.recording != old.recording {
        said.push("other header fields or bodies recorded (`record`)".to_owned());
    }
    (!said.is_empty()).then(|| format!("environment {}: {}", new.name, said.join(", ")))
}

/// Without their lines, which move with what is written above them.
fn limits(environment: &Environment) -> Vec<(String, String)> {
    let entries = environment.allowances().into_iter().flat_map(Allowances::entries);
    entries.map(|entry| (entry.whose, entry.limit)).collect()
}

fn sizes(environment: &Environment) -> Vec<(String, String, String)> {
    let entries = environment.sizes();
    entries
        .map(|entry| (entry.hosts, entry.methods, entry.most))
        .collect()
}

fn rules(environment: &Environment) -> Vec<String> {
    let entries = environment.rules();
    entries
        .map(|entry| format!("{} {} {}", entry.rule, entry.allows, entry.requests))
        .collect()
}

fn blocklists(environment: &Environment) -> Vec<String> {
    let lists = environment.blocklists();
    lists
        .map(|list| format!("{} ({} names)", list.origin(), list.len()))
        .collect()
}

/// `+2 hosts (a.test, b.test)`, `-1 host (c.test)`.
fn hosts(new: &[Row], old: &[Row]) -> Vec<String> {
    if new.len().max(old.len()) > COMPARED {
        let changed = new.len() != old.len();
        let said = format!("{} hosts instead of {}", new.len(), old.len());
        return changed.then_some(said).into_iter().collect();
    }
    let (before, after) = (set(old), set(new));
    let more: Vec<_> = after.difference(&before).collect();
    let less: Vec<_> = before.difference(&after).collect();
    [("+", more), ("-", less)]
        .into_iter()
        .filter(|(_, hosts)| !hosts.is_empty())
        .map(|(sign, hosts)| in_words(sign, &hosts))
        .collect()
}

fn set(rows: &[Row]) -> BTreeSet<(Grant, &HostPattern)> {
    rows.iter().map(|row| (row.grant, &row.pattern)).collect()
}

fn in_words(sign: &str, hosts: &[&(Grant, &HostPattern)]) -> String {
    let mut shown: Vec<String> = hosts
        .iter()
        .take(SHOWN)
        .map(|(_, pattern)| pattern.to_string())
        .collect();
    if hosts.len() > SHOWN {
        shown.push("…".to_owned());
    }
    let word = if hosts.len() == 1 { "host" } else { "hosts" };
    format!("{sign}{} {word} ({})", hosts.len(), shown.join(", "))
}

const SHOWN: usize = 4;
/// Longer lists are told by their length: sorting a million entries is not worth a sentence.
const COMPARED: usize = 50_000;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::PolicyDocument;

    fn between(before: &str, after: &str) -> String {
        let policy =
            |text: &str| Policy::compile(&PolicyDocument::parse(text, "test.toml").unwrap()).unwrap();
        policy(after).difference_from(&policy(before))
    }

    #[test]
    fn hosts_levels_and_environments_are_told() {
        let custom =
            |hosts: &str| format!("[environments.a]\nnetwork = \"custom\"\nallowed_domains = [{hosts}]\n");
        let one = custom("\"a.test\", \"c.test\"");
        assert_eq!(between(&one, &one), "");
        assert_eq!(
            between(&one, &custom("\"a.test\", \"b.test\"")),
            "environment a: +1 host (b.test), -1 host (c.test)"
        );
        assert_eq!(
            between(&one, "[environments.a]\nnetwork = \"none\"\n"),
            "environment a: network none instead of custom, -2 hosts (a.test, c.test)"
        );
        assert_eq!(
            between(&one, "[environments.b]\n"),
            "environment b is new; environment a is gone; the default environment is b"
        );
        assert_eq!(
            between(
                "[environments.a]\n",
                "[environments.a]\ntrusted_writes = true\nhost_ports = [5432, 80]\n"
            ),
            "environment a: the Trusted list for reading and writing, host_ports = [80, 5432]"
        );
        let ruled = format!("{one}[[environments.a.rules]]\nhost = \"a.test\"\naction = \"deny\"\n");
        assert_eq!(
            between(&one, &ruled),
            "environment a: other rules (1 instead of 0)"
        );
        let limited = format!("{one}[environments.a.limits]\nrequests_per_minute = 5\n");
        assert_eq!(between(&one, &limited), "environment a: other limits");
        let moved = format!("\n{limited}");
        assert_eq!(between(&limited, &moved), "", "another line is no other limit");
        let sized = format!("{one}[[environments.a.sizes]]\nmax_url = 5\n");
        assert_eq!(between(&one, &sized), "environment a: other sizes");
        let set = format!("{one}[gate]\nthreads = 1\n");
        assert_eq!(
            between(&one, &set),
            "other settings in [gate], which count when the gate is started again"
        );
        let kept = format!("{one}[audit]\nkeep_for = \"90d\"\n");
        assert_eq!(between(&one, &kept), "other settings in [audit]");
    }
}
