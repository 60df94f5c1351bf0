//! The policy under which the attacks run: the chosen environment as it is written, with the hosts of the range in reach.
//!
//! Nothing that protects is taken away. Added are: the range's hosts, by `always_reachable`, which every level has; two rules
//! that narrow them; where they are; one address that stands for a public one. Taken away are limits, which would stop the
//! check itself.

use std::path::Path;

use outwall_attacks::{Attack, DOMAIN, Range, STAND_IN};
use outwall_policy::EnvironmentName;
use toml::{Table, Value};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};

/// The policy to attack under.
pub(super) struct Edited {
    pub(super) text: String,
    pub(super) environment: String,
    on_purpose: Vec<OnPurpose>,
}

/// What an environment allows on purpose, and an attack tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnPurpose {
    Namespaces,
    AnyName,
    TrustedWrites,
    Anonymous,
}

/// Environments beside the chosen one, for clients that show a credential: each is what its name says and nothing else.
pub(super) const TRUSTED: &str = "outwall-attack-trusted";
pub(super) const TUNNEL: &str = "outwall-attack-tunnel";
pub(super) const NARROW: &str = "outwall-attack-narrow";

impl Edited {
    /// Why a class is not tried, where the environment allows on purpose what it tries.
    pub(super) fn allows(&self, class: &str) -> Option<&'static str> {
        match class {
            "child-user-namespace" | "child-network-namespace" if self.has(OnPurpose::Namespaces) => {
                Some("the environment allows it: `nested_namespaces = true`")
            }
            "suffix-of-the-name" | "apex-of-a-wildcard" | "confusable-name"
                if self.has(OnPurpose::AnyName) =>
            {
                Some("the environment allows it: `network = \"full\"` reaches any public name")
            }
            "files-for-another-account"
            | "presigned-upload"
            | "anybodys-account-in-a-cloud"
            | "publishing-a-package"
            | "gist"
            | "push-to-anybodys-repository" => self.writes_are_allowed(),
            "no-credential" | "credential-elsewhere" | "credential-left-out-on-a-connection"
                if self.has(OnPurpose::Anonymous) =>
            {
                Some("the policy allows it: `anonymous_environment` has room for clients that show nothing")
            }
            _ => None,
        }
    }

    fn has(&self, what: OnPurpose) -> bool {
        self.on_purpose.contains(&what)
    }

    fn writes_are_allowed(&self) -> Option<&'static str> {
        if self.has(OnPurpose::AnyName) {
            return Some("the environment allows it: `network = \"full\"` writes to any public name");
        }
        self.has(OnPurpose::TrustedWrites)
            .then_some("the environment allows it: `trusted_writes = true`")
    }
}

/// The name of the file with the range's CA, beside the policy.
pub(super) const AUTHORITY: &str = "range-ca.pem";

pub(super) fn edited(
    session: &Session,
    environment: Option<&EnvironmentName>,
    list: &[Attack],
    range: &Range,
) -> Result<Edited, Failure> {
    let file = session.search()?.counts;
    let text = file.as_ref().map_or("", |file| file.text.as_str());
    let folder = file.as_ref().and_then(|file| file.path.parent());
    let document: Table = text.parse().explain("cannot read the policy file")?;
    edit(
        document,
        environment.map(EnvironmentName::as_str),
        folder,
        list,
        range,
    )
}

fn edit(
    mut document: Table,
    environment: Option<&str>,
    folder: Option<&Path>,
    list: &[Attack],
    range: &Range,
) -> Result<Edited, Failure> {
    let name = environment.map_or_else(|| default_name(&document), str::to_owned);
    let environments = table_at(&mut document, "environments")?;
    if environments.is_empty() {
        environments.insert("default".to_owned(), Value::Table(Table::new()));
    }
    if !environments.contains_key(&name) {
        let known: Vec<_> = environments.keys().map(String::as_str).collect();
        return Err(Failure::new(format!("there is no environment `{name}`"))
            .hint(format!("the environments are: {}", known.join(", "))));
    }
    let chosen = table_at(environments, &name)?;
    let reachable = [
        format!("*.{DOMAIN}"),
        format!("*.dns.{DOMAIN}:{}", range.victim()),
    ];
    add(chosen, "always_reachable", reachable)?;
    add(chosen, "allowed_addresses", [format!("{STAND_IN}/32")])?;
    add(chosen, "rules", rules())?;
    chosen.remove("limits");
    let mut on_purpose = on_purpose(chosen);
    for (name, environment) in beside(range.victim()) {
        environments.insert(name.to_owned(), Value::Table(environment));
    }
    if let Some(folder) = folder {
        make_absolute(&mut document, folder);
    }
    document.insert("origins".to_owned(), Value::Table(origins(list, range)));
    let proxy = document.get("proxy");
    if proxy.is_some_and(|proxy| proxy.get("anonymous_environment").is_some()) {
        on_purpose.push(OnPurpose::Anonymous);
    }
    // With several environments, the one that was the only one is no longer the default by itself.
    document.insert("default_environment".to_owned(), name.clone().into());
    Ok(Edited {
        text: document.to_string(),
        environment: name,
        on_purpose,
    })
}

fn on_purpose(environment: &Table) -> Vec<OnPurpose> {
    let is_set = |key| environment.get(key).and_then(Value::as_bool).unwrap_or(false);
    let full = environment.get("network").and_then(Value::as_str) == Some("full");
    let all = [
        (is_set("nested_namespaces"), OnPurpose::Namespaces),
        (full, OnPurpose::AnyName),
        (is_set("trusted_writes"), OnPurpose::TrustedWrites),
    ];
    all.into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, what)| what)
        .collect()
}

/// The environments of clients that show a credential.
fn beside(victim: u16) -> [(&'static str, Table); 3] {
    let environment = |network: &str| {
        let mut table = Table::new();
        table.insert("network".to_owned(), network.into());
        table
    };
    let mut tunnel = environment("custom");
    let hosts = [format!("*.{DOMAIN}"), format!("*.dns.{DOMAIN}:{victim}")];
    let hosts = hosts.into_iter().map(Value::from).collect();
    tunnel.insert("tunnelled_domains".to_owned(), Value::Array(hosts));
    [
        (TRUSTED, environment("trusted")),
        (TUNNEL, tunnel),
        (NARROW, environment("custom")),
    ]
}

/// As the policy itself chooses one.
fn default_name(document: &Table) -> String {
    if let Some(written) = document.get("default_environment").and_then(Value::as_str) {
        return written.to_owned();
    }
    let environments = document.get("environments").and_then(Value::as_table);
    let mut names = environments.into_iter().flat_map(Table::keys);
    match (names.next(), names.next()) {
        (Some(only), None) => only.clone(),
        _ => "default".to_owned(),
    }
}

fn table_at<'t>(table: &'t mut Table, key: &str) -> Result<&'t mut Table, Failure> {
    let value = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    let found = value.as_table_mut();
    found.ok_or_else(|| Failure::new(format!("`{key}` of the policy is no table")))
}

fn add<V: Into<Value>>(
    table: &mut Table,
    key: &str,
    more: impl IntoIterator<Item = V>,
) -> Result<(), Failure> {
    let value = table.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    let list = value.as_array_mut();
    let list = list.ok_or_else(|| Failure::new(format!("`{key}` of the policy is no list")))?;
    list.extend(more.into_iter().map(Into::into));
    Ok(())
}

/// Narrow enough that a path and a method can be refused, wide enough for the twins.
fn rules() -> [Table; 2] {
    let rule = |methods: &[&str], paths: &[&str]| {
        let list = |all: &[&str]| Value::Array(all.iter().map(|one| Value::from(*one)).collect());
        let mut rule = Table::new();
        rule.insert("host".to_owned(), format!("*.{DOMAIN}").into());
        rule.insert("methods".to_owned(), list(methods));
        rule.insert("paths".to_owned(), list(paths));
        rule.insert("action".to_owned(), "allow".into());
        rule
    };
    [
        rule(&["GET", "HEAD", "POST"], &["/echo/**"]),
        rule(&["GET"], &["/rules/open/**", "/rules/get-only"]),
    ]
}

fn origins(list: &[Attack], range: &Range) -> Table {
    let places = range.places(list).into_iter();
    let hosts = places.map(|(host, address)| (host, Value::String(address.to_string())));
    let mut origins = Table::new();
    origins.insert("extra_roots".to_owned(), Value::Array(vec![AUTHORITY.into()]));
    origins.insert("resolver".to_owned(), range.resolver().to_string().into());
    origins.insert("hosts".to_owned(), Value::Table(hosts.collect()));
    origins
}

/// Files that the policy names are relative to it, and it is about to lie elsewhere.
fn make_absolute(document: &mut Table, folder: &Path) {
    let environments = document.get_mut("environments").and_then(Value::as_table_mut);
    let all = environments
        .into_iter()
        .flat_map(|environments| environments.iter_mut());
    for (_, environment) in all {
        let files = environment.get_mut("blocklists").and_then(Value::as_array_mut);
        for file in files.into_iter().flatten() {
            if let Some(path) = file.as_str() {
                *file = folder.join(path).display().to_string().into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use outwall_policy::{Policy, PolicyDocument};

    use super::*;

    fn edited(text: &str, environment: Option<&str>) -> Result<Edited, Failure> {
        let list = outwall_attacks::list();
        let range = Range::start(&list).unwrap();
        edit(text.parse().unwrap(), environment, None, &list, &range)
    }

    #[test]
    fn every_level_can_be_attacked_and_keeps_what_it_says() {
        for level in ["none", "trusted", "full", "custom"] {
            let edited = edited(&format!("[environments.web]\nnetwork = \"{level}\"\n"), None).unwrap();
            assert_eq!(edited.environment, "web");
            assert!(
                edited.text.contains(&format!("network = \"{level}\"")),
                "{}",
                edited.text
            );
            let document = PolicyDocument::parse(&edited.text, "edited").unwrap();
            Policy::compile(&document).unwrap();
        }
    }

    #[test]
    fn no_file_is_the_default_environment_and_an_unknown_one_is_an_error() {
        assert_eq!(edited("", None).unwrap().environment, "default");
        assert!(edited("[environments.web]\nnetwork = \"full\"\n", Some("wbe")).is_err());
    }

    #[test]
    fn limits_do_not_stop_the_check_and_namespaces_that_are_allowed_are_not_tried() {
        let text = "[environments.web]\nnested_namespaces = true\nlimits = { requests_per_minute = 1 }\n";
        let edited = edited(text, None).unwrap();
        assert!(!edited.text.contains("requests_per_minute"));
        assert!(edited.allows("child-user-namespace").is_some());
        assert!(edited.allows("raw-socket").is_none());
        assert!(edited.allows("gist").is_none());
    }

    #[test]
    fn what_an_environment_writes_on_purpose_is_not_tried_and_who_is_served_without_a_credential_neither() {
        let writing = edited(
            "[environments.web]\nnetwork = \"trusted\"\ntrusted_writes = true\n",
            None,
        )
        .unwrap();
        assert!(writing.allows("gist").is_some() && writing.allows("no-credential").is_none());
        let open = "[proxy]\nanonymous_environment = \"web\"\n[environments.web]\nnetwork = \"trusted\"\n";
        assert!(edited(open, None).unwrap().allows("no-credential").is_some());
    }
}
