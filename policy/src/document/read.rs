//! TOML into a document. It walks the parsed file by hand instead of deserialising it, because a person who edits a policy
//! wants every mistake at once, each with its line; a deserialiser stops at the first.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{DocumentErrors, Problem};
use super::{
    EnvironmentDocument, NetworkLevel, Place, PolicyDocument, ProxyDocument, RefusedNames, RuleDocument,
    Written,
};
use crate::amount::Bytes;
use crate::sandbox::EnvironmentName;

mod audit;
mod audit_sinks;
mod bounds;
mod credential_source;
mod credentials;
mod dlp;
mod gate;
mod github;
mod origins;
mod recording;
mod secret;

type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

pub(super) fn read(text: &str, origin: &str) -> Result<PolicyDocument, DocumentErrors> {
    let mut reader = Reader {
        lines: LineIndex::new(text),
        origin: origin.into(),
        problems: Vec::new(),
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let place = error.span().map(|span| reader.lines.line(span.start));
        let problem = Problem::new(
            (Arc::clone(&reader.origin), place),
            error.message().trim().to_owned(),
            "the file is TOML: https://toml.io",
        );
        reader.problems.push(problem);
    }
    if !reader.problems.is_empty() {
        return Err(DocumentErrors::new(reader.problems)); // what follows a syntax error is guesswork
    }
    let document = reader.document(root.get_ref());
    if reader.problems.is_empty() {
        Ok(document)
    } else {
        Err(DocumentErrors::new(reader.problems))
    }
}

struct Reader {
    lines: LineIndex,
    origin: Arc<str>,
    problems: Vec<Problem>,
}

/// Where lines begin.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
        )
    }

    fn line(&self, offset: usize) -> u32 {
        let line = self.0.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }
}

impl Reader {
    fn document(&mut self, root: &DeTable<'_>) -> PolicyDocument {
        let mut document = PolicyDocument::empty(&self.origin);
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "default_environment" => document.default_environment = self.string(key.get_ref(), value),
                "environments" => {
                    for (name, value) in self.table("environments", value) {
                        self.environment(name, value, &mut document);
                    }
                }
                "origins" => document.origins = self.origins(value),
                "proxy" => document.proxy = self.proxy(value),
                "gate" => document.gate = self.gate(value),
                "audit" => document.audit = self.audit(value),
                "blocklists" => document.blocklists = self.strings("blocklists", value),
                "credentials" => document.credentials = self.credentials(value),
                "github" => document.githubs = self.githubs(value),
                _ => self.unknown_key(
                    key,
                    "the file",
                    &[
                        "default_environment",
                        "environments",
                        "origins",
                        "proxy",
                        "gate",
                        "audit",
                        "blocklists",
                        "credentials",
                        "github",
                    ],
                ),
            }
        }
        document
    }

    fn environment(
        &mut self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: Value<'_, '_>,
        document: &mut PolicyDocument,
    ) {
        let written = name.get_ref();
        let Ok(name) = written.parse::<EnvironmentName>() else {
            self.problem(
                name.span().start,
                format!("`{written}` is not a name for an environment"),
                "use 1 to 64 of a-z, 0-9, `_` and `-`, a letter or digit first",
            );
            return;
        };
        let environment = self.environment_table(&name, value);
        document.environments.insert(name, environment);
    }

    fn environment_table(&mut self, name: &EnvironmentName, value: Value<'_, '_>) -> EnvironmentDocument {
        let mut environment = EnvironmentDocument::default();
        let within = format!("[environments.{name}]");
        for (key, value) in self.table(&within, value) {
            let written: &str = key.get_ref();
            match written {
                "network" => environment.network = self.word(written, value, &NETWORK_LEVELS),
                "allowed_domains" => {
                    environment.allowed_domains_at = Some(self.place(key.span().start));
                    environment.allowed_domains = self.strings(written, value);
                }
                "include_trusted" => environment.include_trusted = self.boolean(written, value),
                "trusted_writes" => environment.trusted_writes = self.boolean(written, value),
                "allowed_addresses" => environment.allowed_addresses = self.strings(written, value),
                "always_reachable" => environment.always_reachable = self.strings(written, value),
                "tunnelled_domains" => environment.tunnelled_domains = self.strings(written, value),
                "trace_context" => environment.trace_context = self.strings(written, value),
                "tcp" => environment.tcp = self.strings(written, value),
                "host_ports" => environment.host_ports = self.counts(written, value),
                "publish" => environment.publish = self.strings(written, value),
                "rules" => environment.rules = self.rules(value),
                "blocklists" => environment.blocklists = self.strings(written, value),
                "limits" => environment.limits = self.limits(value),
                "sizes" => environment.sizes = self.sizes(value),
                "dlp" => environment.dlp = self.dlp(value),
                "record" => environment.recording = self.recording(value),
                "foreign_credentials" => environment.foreign_credentials = self.foreign_credentials(value),
                "nested_namespaces" => environment.nested_namespaces = self.boolean(written, value),
                "refused_names" => environment.refused_names = self.word(written, value, &REFUSED_NAMES),
                _ => self.unknown_key(key, &within, ENVIRONMENT_KEYS),
            }
        }
        environment
    }

    fn rules(&mut self, value: Value<'_, '_>) -> Vec<RuleDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type("rules", "tables, each `[[environments.NAME.rules]]`", value);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.rule(item)).collect()
    }

    fn rule(&mut self, value: Value<'_, '_>) -> Option<RuleDocument> {
        let (mut host, mut action) = (None, None);
        let (mut methods, mut paths) = (Vec::new(), Vec::new());
        for (key, value) in self.table("rules", value) {
            let written: &str = key.get_ref();
            match written {
                "host" => host = self.string(written, value),
                "methods" => methods = self.some_strings(written, value),
                "paths" => paths = self.some_strings(written, value),
                "action" => action = self.word(written, value, &ACTIONS),
                _ => self.unknown_key(key, "a rule", &["host", "methods", "paths", "action"]),
            }
        }
        let at = value.span().start;
        let before = self.problems.len();
        if host.is_none() && !has_key(value, "host") {
            self.problem(
                at,
                "the rule has no `host`",
                "write which host it narrows: host = \"api.example.com\"",
            );
        }
        if action.is_none() && !has_key(value, "action") {
            self.problem(
                at,
                "the rule has no `action`",
                "write action = \"allow\" or action = \"deny\"",
            );
        }
        if self.problems.len() > before {
            return None;
        }
        Some(RuleDocument {
            host: host?,
            methods,
            paths,
            allow: action?.value,
        })
    }

    fn proxy(&mut self, value: Value<'_, '_>) -> ProxyDocument {
        let mut proxy = ProxyDocument::default();
        for (key, value) in self.table("[proxy]", value) {
            let written: &str = key.get_ref();
            match written {
                "anonymous_environment" => proxy.anonymous_environment = self.string(written, value),
                _ => self.unknown_key(key, "[proxy]", &["anonymous_environment"]),
            }
        }
        proxy
    }

    fn table<'a, 'i>(&mut self, key: &str, value: Value<'a, 'i>) -> &'a DeTable<'i>
    where
        'i: 'a,
    {
        if let DeValue::Table(table) = value.get_ref() {
            return table;
        }
        self.wrong_type(key, "a table", value);
        empty_table()
    }

    fn string(&mut self, key: &str, value: Value<'_, '_>) -> Option<Written<String>> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(self.written(value, text.clone().into_owned()));
        }
        self.wrong_type(key, "a string", value);
        None
    }

    fn strings(&mut self, key: &str, value: Value<'_, '_>) -> Vec<Written<String>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "a list of strings", value);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.string(key, item)).collect()
    }

    /// As [`strings`](Self::strings), where an empty list would mean something else than it says.
    fn some_strings(&mut self, key: &str, value: Value<'_, '_>) -> Vec<Written<String>> {
        if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
            self.problem(
                value.span().start,
                format!("`{key}` is an empty list, so the rule could never match"),
                format!("leave `{key}` out to mean all of them"),
            );
        }
        self.strings(key, value)
    }

    fn boolean(&mut self, key: &str, value: Value<'_, '_>) -> Option<Written<bool>> {
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(self.written(value, *flag));
        }
        self.wrong_type(key, "true or false", value);
        None
    }

    fn word<T: Copy>(&mut self, key: &str, value: Value<'_, '_>, words: &[(&str, T)]) -> Option<Written<T>> {
        let written = self.string(key, value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == written.value) {
            return Some(self.written(value, *meaning));
        }
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.problem(
            value.span().start,
            format!("`{key}` is \"{}\", which it cannot be", written.value),
            format!("write one of {}", known.join(", ")),
        );
        None
    }

    fn count(&mut self, key: &str, value: Value<'_, '_>) -> Option<Written<u64>> {
        let number = match value.get_ref() {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| *number > 0) {
            return Some(self.written(value, number));
        }
        self.wrong_type(key, "a whole number above 0", value);
        None
    }

    fn counts(&mut self, key: &str, value: Value<'_, '_>) -> Vec<Written<u64>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "a list of whole numbers", value);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.count(key, item)).collect()
    }

    fn bytes(&mut self, key: &str, value: Value<'_, '_>) -> Option<Written<u64>> {
        let DeValue::String(text) = value.get_ref() else {
            return self.count(key, value);
        };
        if let Some(Bytes(bytes)) = Bytes::parse(text) {
            return Some(self.written(value, bytes));
        }
        self.problem(
            value.span().start,
            format!("`{key}` is \"{text}\", which is not an amount of bytes"),
            "write a whole number and a unit: \"1 GiB\", \"500 MiB\", \"64 KiB\", \"1 GB\"",
        );
        None
    }

    fn unknown_key(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, within: &str, known: &[&str]) {
        let written = key.get_ref();
        let nearest = known.iter().min_by_key(|known| distance(known, written));
        let remedy = match nearest {
            Some(nearest) if distance(nearest, written) <= 3 => format!("did you mean `{nearest}`?"),
            Some(_) | None => format!("the keys are {}", known.join(", ")),
        };
        self.problem(
            key.span().start,
            format!("`{written}` is not a key of {within}"),
            remedy,
        );
    }

    fn wrong_type(&mut self, key: &str, expected: &str, value: Value<'_, '_>) {
        let found = describe(value.get_ref());
        self.problem(
            value.span().start,
            format!("`{key}` is {found}, and has to be {expected}"),
            format!("write {expected}"),
        );
    }

    fn problem(&mut self, at: usize, what: impl Into<String>, remedy: impl Into<String>) {
        let place = (Arc::clone(&self.origin), Some(self.lines.line(at)));
        self.problems.push(Problem::new(place, what, remedy));
    }

    fn written<T>(&self, value: Value<'_, '_>, meaning: T) -> Written<T> {
        Written {
            value: meaning,
            place: self.place(value.span().start),
        }
    }

    fn place(&self, offset: usize) -> Place {
        Place::Line(self.lines.line(offset))
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            format!("of type {}", value.type_str())
        }
    }
}

fn has_key(value: Value<'_, '_>, key: &str) -> bool {
    matches!(value.get_ref(), DeValue::Table(table) if table.contains_key(key))
}

fn empty_table<'a, 'i>() -> &'a DeTable<'i> {
    static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    &EMPTY
}

/// How many letters to change, add or drop to come from one word to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

const NETWORK_LEVELS: [(&str, NetworkLevel); 4] = [
    ("none", NetworkLevel::None),
    ("trusted", NetworkLevel::Trusted),
    ("full", NetworkLevel::Full),
    ("custom", NetworkLevel::Custom),
];

const REFUSED_NAMES: [(&str, RefusedNames); 2] = [
    ("answer", RefusedNames::Answer),
    ("nxdomain", RefusedNames::Nxdomain),
];

const ACTIONS: [(&str, bool); 2] = [("allow", true), ("deny", false)];

const ENVIRONMENT_KEYS: &[&str] = &[
    "network",
    "allowed_domains",
    "include_trusted",
    "trusted_writes",
    "allowed_addresses",
    "always_reachable",
    "tunnelled_domains",
    "trace_context",
    "tcp",
    "host_ports",
    "publish",
    "rules",
    "blocklists",
    "limits",
    "sizes",
    "dlp",
    "record",
    "foreign_credentials",
    "nested_namespaces",
    "refused_names",
];
