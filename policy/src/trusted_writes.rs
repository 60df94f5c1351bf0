//! What may be written to hosts of the Trusted list: rules in `data/trusted-writes.toml`, compiled into the binary.
//!
//! Publishing is exfiltration, so what the list grants it grants for reading. Why each exception is one stands beside it.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::decision::{Action, Writing};
use crate::glob::Glob;
use crate::method::Method;
use crate::path::RequestPath;
use crate::pattern::HostPattern;
use crate::permit::RuleName;
use crate::rules::{Rule, Rules, Ruling};
use crate::target::Target;

/// What is decided for one category of the Trusted list, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteCategory {
    /// Its name, as in the Trusted list.
    pub name: String,
    /// Why its hosts take what they take.
    pub why: String,
    /// The exceptions, in their order; most categories have none.
    #[serde(default, rename = "entry")]
    pub entries: Vec<WriteEntry>,
}

/// One exception: requests that are no reading and allowed, or refused before a wider exception allows them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteEntry {
    /// What it is, in a few words: `npm audit`.
    pub name: String,
    /// Patterns of hosts; `{region}` stands for each region of AWS.
    pub hosts: Vec<String>,
    /// Empty: every method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Empty: every path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Whether it allows or refuses.
    pub action: WriteAction,
    /// Why.
    pub why: String,
    /// Where the protocol or the service is described.
    pub source: String,
}

/// Whether an entry allows or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteAction {
    /// It may be sent.
    Allow,
    /// It may not, whatever a later entry says.
    Deny,
}

/// A request that is no reading and no exception: the sentence that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedWrite {
    /// Its method, or the one that a header asks the origin to take it as.
    method: Method,
    /// Its own method, when it is another one.
    sent_as: Option<Method>,
    writing: Writing,
    path: RequestPath,
    /// Another way in which an origin may read the path, when that is what was refused.
    read_as: Option<String>,
}

impl TrustedWrite {
    pub(crate) fn new<R>(action: &Action<R>, method: &Method, read_as: Option<String>) -> Self {
        Self {
            method: method.clone(),
            sent_as: (*method != action.method).then(|| action.method.clone()),
            writing: action.writing,
            path: action.path.clone(),
            read_as,
        }
    }
}

impl fmt::Display for TrustedWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} is no reading", self.method, self.path)?;
        if let Some(other) = &self.read_as {
            write!(f, ", which an origin may read as {other}")?;
        }
        match (&self.sent_as, self.writing) {
            (Some(sent_as), _) => write!(f, ": a header has the origin take a {sent_as} as it"),
            (None, Writing::Upgrade) => f.write_str(": it leads to another protocol"),
            (None, Writing::Body) if is_reading(&self.method) => f.write_str(": it has a body"),
            (None, Writing::Body | Writing::Nothing) => Ok(()),
        }
    }
}

/// Every category, in the order of the Trusted list.
pub fn categories() -> &'static [WriteCategory] {
    &FILE.category
}

/// Whether a request to a host that the Trusted list grants may be sent, taken as one with this method.
///
/// 1. GET, HEAD and OPTIONS that carry no body and upgrade to nothing: [`Ruling::NotNamed`], which is to say reading.
/// 2. Else the first entry for the host that matches, for every reading of the path; none refuses.
pub(crate) fn decide<R>(action: &Action<R>, method: &Method) -> Ruling {
    if is_reading(method) && action.writing == Writing::Nothing {
        return Ruling::NotNamed;
    }
    match RULES.rules.decide(&action.target, method, &action.path) {
        Ruling::NotNamed => Ruling::Deny(None, None),
        Ruling::Allow(rule) => Ruling::Allow(named(rule)),
        Ruling::Deny(rule, read_as) => Ruling::Deny(rule.map(named), read_as),
    }
}

/// The paths, as globs, that exceptions for this target and method ask about.
pub(crate) fn paths_asked_about(target: &Target, method: &Method) -> Vec<String> {
    RULES.rules.paths_asked_about(target, method)
}

/// True for the methods that read.
pub(crate) fn is_reading(method: &Method) -> bool {
    READING.contains(&method.as_str())
}

/// What a host of the list takes, in a few words.
pub(crate) fn allowed(target: &Target) -> String {
    let reading = format!("{} of every path, without a body", READING.join(", "));
    match RULES.rules.allowed(target) {
        nothing if nothing == "nothing" => reading,
        more => format!("{reading}; {more}"),
    }
}

/// Safe by RFC 9110 section 9.2.1, and what every client reads with. TRACE is for nobody.
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

fn named(rule: RuleName) -> RuleName {
    match rule {
        RuleName::Rule { number, host } => RuleName::TrustedWrite {
            name: RULES.names[number - 1],
            pattern: host,
        },
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    aws_regions: Vec<String>,
    category: Vec<WriteCategory>,
}

static FILE: LazyLock<File> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/trusted-writes.toml")).expect("the file is tested")
});

struct Compiled {
    rules: Rules,
    /// Of each rule.
    names: Vec<&'static str>,
}

static RULES: LazyLock<Compiled> = LazyLock::new(|| {
    let entries = categories().iter().flat_map(|category| &category.entries);
    let (rules, names) = entries
        .flat_map(|entry| rules(entry).map(|rule| (rule, entry.name.as_str())))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    Compiled {
        rules: Rules::new(rules),
        names,
    }
});

/// One rule for each host of an entry.
fn rules(entry: &WriteEntry) -> impl Iterator<Item = Rule> + '_ {
    let methods = entry.methods.iter().map(|method| Method::parse(method));
    let methods: Vec<Method> = methods.collect::<Result<_, _>>().expect("the file is tested");
    let paths = entry.paths.iter().map(|path| Glob::parse(path));
    let paths: Vec<Glob> = paths.collect::<Result<_, _>>().expect("the file is tested");
    hosts(entry).map(move |host| Rule {
        host,
        methods: methods.clone(),
        paths: paths.clone(),
        allow: entry.action == WriteAction::Allow,
    })
}

fn hosts(entry: &WriteEntry) -> impl Iterator<Item = HostPattern> + '_ {
    let hosts = entry.hosts.iter().flat_map(|host| in_regions(host));
    hosts.map(|host| HostPattern::parse(&host).expect("the file is tested"))
}

/// `{region}` in a host of a list of ours stands for each region of AWS.
pub(crate) fn in_regions(host: &str) -> Vec<String> {
    if host.contains(REGION) {
        let regions = FILE.aws_regions.iter();
        regions.map(|region| host.replace(REGION, region)).collect()
    } else {
        vec![host.to_owned()]
    }
}

const REGION: &str = "{region}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trusted;

    #[test]
    fn every_category_of_the_list_is_decided_on_with_a_reason() {
        let decided: Vec<&str> = categories()
            .iter()
            .map(|category| category.name.as_str())
            .collect();
        let listed: Vec<&str> = trusted::list().iter().map(|category| category.name).collect();
        assert_eq!(decided, listed);
        assert!(categories().iter().all(|category| category.why.len() > 10));
    }

    #[test]
    fn every_entry_is_for_hosts_of_its_category_and_says_why_and_where_that_is_written() {
        for (category, listed) in categories().iter().zip(trusted::list()) {
            for entry in &category.entries {
                assert!(
                    entry.why.len() > 10 && entry.source.starts_with("https://"),
                    "{}",
                    entry.name
                );
                for host in hosts(entry) {
                    assert!(
                        listed.entries.iter().any(|listed| listed.overlaps(&host)),
                        "{host} is not of {}",
                        category.name
                    );
                    assert!(trusted::matcher().covers(&host), "{host} is wider than the list");
                }
            }
        }
    }

    #[test]
    fn an_exception_names_its_methods_and_paths_but_for_the_models_own_hosts() {
        for category in categories() {
            for entry in category
                .entries
                .iter()
                .filter(|entry| entry.action == WriteAction::Allow)
            {
                let narrow = !entry.methods.is_empty() && !entry.paths.is_empty();
                assert!(narrow || category.name == "Anthropic services", "{}", entry.name);
                assert!(!entry.paths.iter().any(|path| path == "/**"), "{}", entry.name);
            }
        }
    }

    #[test]
    fn no_exception_is_behind_one_that_refuses_it() {
        // The first that matches decides: an allow that a deny before it covers would be a promise not kept.
        let rules: Vec<Rule> = categories()
            .iter()
            .flat_map(|category| &category.entries)
            .flat_map(rules)
            .collect();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.allow) {
            for path in &rule.paths {
                let example = path.to_string().replace("**", "a").replace('*', "a");
                let hidden = rules[..index].iter().any(|before| {
                    !before.allow
                        && before.host == rule.host
                        && before.paths.iter().any(|deny| deny.matches(&example))
                });
                assert!(!hidden, "{} {path}", rule.host);
            }
        }
    }
}
