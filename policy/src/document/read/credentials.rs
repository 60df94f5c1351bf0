//! `[[credentials]]`, and `foreign_credentials` of an environment.

use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::brokered::{ForeignCredentials, Injection};
use crate::document::{CredentialDocument, ForeignDocument, PlaceholderDocument, Written};
use crate::method::is_token_byte;

impl Reader {
    pub(super) fn credentials(&mut self, value: Value<'_, '_>) -> Vec<CredentialDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type("credentials", "tables, each `[[credentials]]`", value);
            return Vec::new();
        };
        items.iter().map(|item| self.credential(item)).collect()
    }

    fn credential(&mut self, value: Value<'_, '_>) -> CredentialDocument {
        let mut credential = CredentialDocument::at(self.place(value.span().start));
        for (key, value) in self.table("credentials", value) {
            let written: &str = key.get_ref();
            match written {
                "name" => credential.name = self.string(written, value),
                "preset" => credential.preset = self.string(written, value),
                "source" => credential.source = self.credential_source(value),
                "hosts" => credential.hosts = self.strings(written, value),
                "inject" => credential.inject = self.tables("inject", value, Self::injection),
                "placeholder" => credential.placeholder = Some(self.placeholder(value)),
                "methods" => credential.methods = self.some_strings(written, value),
                "paths" => credential.paths = self.some_strings(written, value),
                "environments" => credential.environments = self.strings(written, value),
                "foreign_credentials" => credential.foreign = self.word(written, value, &FOREIGN),
                _ => self.unknown_key(key, "a credential", CREDENTIAL_KEYS),
            }
        }
        self.check_needed(value, &credential);
        credential
    }

    fn check_needed(&mut self, value: Value<'_, '_>, credential: &CredentialDocument) {
        let of_preset = credential.preset.is_some() || has_key(value, "preset");
        for (key, remedy, is_in_preset) in NEEDED {
            if !(has_key(value, key) || is_in_preset && of_preset) {
                let what = format!("the credential has no `{key}`");
                self.problem(value.span().start, what, remedy);
            }
        }
    }

    fn injection(&mut self, value: Value<'_, '_>) -> Option<Written<Injection>> {
        let (mut ways, mut scheme) = (Vec::new(), None);
        for (key, value) in self.table("inject", value) {
            let written: &str = key.get_ref();
            match written {
                "header" => ways.extend(self.header_injection(value)),
                "scheme" => scheme = self.scheme(value),
                "basic" => ways.extend(self.basic_injection(value)),
                "query" => ways.extend(
                    self.string(written, value)
                        .map(|name| Injection::Query(name.value)),
                ),
                "body" => ways.extend(self.word("body", value, &BODIES).map(|_json| Injection::JsonBody)),
                "sign" => ways.extend(self.word("sign", value, &SIGNATURES).map(|_aws4| Injection::Aws4)),
                _ => self.unknown_key(key, "inject", INJECT_KEYS),
            }
        }
        let at = value.span().start;
        let named = INJECT_WAYS.iter().filter(|way| has_key(value, way)).count();
        if named != 1 && matches!(value.get_ref(), DeValue::Table(_)) {
            let what = format!("an entry of `inject` says {named} ways, and has to say one");
            self.problem(at, what, "write { header = \"authorization\", scheme = \"Bearer\" }, { basic = \"USER\" }, { query = \"key\" }, { body = \"json\" } or { sign = \"aws4\" }");
            return None;
        }
        match (ways.pop()?, scheme) {
            (Injection::Header { name, .. }, scheme) => {
                Some(self.written(value, Injection::Header { name, scheme }))
            }
            (way, None) => Some(self.written(value, way)),
            (_, Some(_)) => {
                self.problem(
                    at,
                    "`scheme` belongs to a header",
                    "leave it out, or write { header = \"authorization\", scheme = \"Bearer\" }",
                );
                None
            }
        }
    }

    fn header_injection(&mut self, value: Value<'_, '_>) -> Option<Injection> {
        let Written { value: text, .. } = self.string("header", value)?;
        if is_token(&text) && !NOT_FOR_SECRETS.contains(&text.to_ascii_lowercase().as_str()) {
            let name = text.to_ascii_lowercase();
            return Some(Injection::Header { name, scheme: None });
        }
        let what = format!("\"{}\" is no header for a secret", text.escape_debug());
        self.problem(
            value.span().start,
            what,
            "write one such as \"authorization\" or \"x-api-key\"",
        );
        None
    }

    fn scheme(&mut self, value: Value<'_, '_>) -> Option<String> {
        let Written { value: text, .. } = self.string("scheme", value)?;
        if is_token(&text) {
            return Some(text);
        }
        let what = format!("\"{}\" is no scheme", text.escape_debug());
        self.problem(value.span().start, what, "write one word such as \"Bearer\"");
        None
    }

    fn basic_injection(&mut self, value: Value<'_, '_>) -> Option<Injection> {
        let Written { value: user, .. } = self.string("basic", value)?;
        if user.contains(':') || user.chars().any(char::is_control) {
            let what = format!("\"{}\" is no user of a Basic pair", user.escape_debug());
            self.problem(
                value.span().start,
                what,
                "write it without `:` and control characters (RFC 7617 section 2)",
            );
            return None;
        }
        Some(Injection::Basic { user })
    }

    fn placeholder(&mut self, value: Value<'_, '_>) -> PlaceholderDocument {
        let mut placeholder = PlaceholderDocument {
            place: self.place(value.span().start),
            variables: Vec::new(),
            prefix: None,
            length: None,
        };
        for (key, value) in self.table("placeholder", value) {
            let written: &str = key.get_ref();
            match written {
                "env" => placeholder.variables = self.one_or_more(written, value),
                "prefix" => placeholder.prefix = self.string(written, value),
                "length" => placeholder.length = self.count(written, value),
                _ => self.unknown_key(key, "placeholder", &["env", "prefix", "length"]),
            }
        }
        placeholder
    }

    fn one_or_more(&mut self, key: &str, value: Value<'_, '_>) -> Vec<Written<String>> {
        match value.get_ref() {
            DeValue::Array(_) => self.strings(key, value),
            _ => self.string(key, value).into_iter().collect(),
        }
    }

    /// `{ "api.anthropic.com" = "allow", "*.googleapis.com" = "strip" }`.
    pub(super) fn foreign_credentials(&mut self, value: Value<'_, '_>) -> Vec<ForeignDocument> {
        let mut found = Vec::new();
        for (hosts, action) in self.table("foreign_credentials", value) {
            let hosts = Written {
                value: hosts.get_ref().clone().into_owned(),
                place: self.place(hosts.span().start),
            };
            if let Some(action) = self.word(&hosts.value, action, &FOREIGN) {
                found.push(ForeignDocument {
                    hosts,
                    action: action.value,
                });
            }
        }
        found
    }
}

impl CredentialDocument {
    fn at(place: crate::document::Place) -> Self {
        Self {
            place,
            name: None,
            preset: None,
            source: None,
            hosts: Vec::new(),
            inject: Vec::new(),
            placeholder: None,
            methods: Vec::new(),
            paths: Vec::new(),
            environments: Vec::new(),
            foreign: None,
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

const CREDENTIAL_KEYS: &[&str] = &[
    "name",
    "preset",
    "source",
    "hosts",
    "inject",
    "placeholder",
    "methods",
    "paths",
    "environments",
    "foreign_credentials",
];
/// Key, what to write, and whether a preset has it.
const NEEDED: [(&str, &str, bool); 5] = [
    (
        "name",
        "give it a name for records and commands: name = \"anthropic\"",
        true,
    ),
    (
        "source",
        "write where the secret comes from: source = { env = \"ANTHROPIC_API_KEY\" }",
        false,
    ),
    (
        "hosts",
        "write the hosts that it is for: hosts = [\"api.anthropic.com\"]",
        true,
    ),
    (
        "inject",
        "write how it is sent: inject = [{ header = \"authorization\", scheme = \"Bearer\" }]",
        true,
    ),
    (
        "environments",
        "write which environments may use it, it is for none by default: environments = [\"web\"]",
        false,
    ),
];
const INJECT_WAYS: [&str; 5] = ["header", "basic", "query", "body", "sign"];
const INJECT_KEYS: &[&str] = &["header", "scheme", "basic", "query", "body", "sign"];
const BODIES: [(&str, ()); 1] = [("json", ())];
const SIGNATURES: [(&str, ()); 1] = [("aws4", ())];
/// Fields that say where a request goes, how it is framed, or what concerns the gate.
const NOT_FOR_SECRETS: [&str; 14] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "expect",
    "content-encoding",
    "accept-encoding",
    "range",
];
const FOREIGN: [(&str, ForeignCredentials); 3] = [
    ("deny", ForeignCredentials::Deny),
    ("strip", ForeignCredentials::Strip),
    ("allow", ForeignCredentials::Allow),
];
