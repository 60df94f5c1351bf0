//! `[[audit.sinks]]`.

use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::audit_sinks::{
    AuditSink, Confirm, EventFormat, EventGroup, HttpApi, HttpReceiver, Receiver, ShownAs, ShownSecret,
    Signal, SinkTls, WebhookBody,
};
use crate::brokered::{CredentialName, ServiceUrl, ServiceUrlError, Source};
use crate::document::Written;
use crate::target::Target;

/// The kinds of sinks, each with the keys that it has besides [`EVERY_KIND`] and, where it is asked by HTTP, [`BY_HTTP`].
const KINDS: [(&str, &[&str]); 8] = [
    ("file", &["path", "rotate_at", "keep"]),
    ("stdout", &[]),
    ("syslog", &["url", "confirm", "roots", "certificate", "key"]),
    ("splunk", &["acknowledge", "index"]),
    ("elasticsearch", &[]),
    ("webhook", &["body", "signing_secret"]),
    ("otlp", &[]),
    ("otlp-traces", &[]),
];
const EVERY_KIND: [&str; 5] = ["name", "kind", "format", "only", "batch"];
const BY_HTTP: [&str; 9] = [
    "url",
    "secret",
    "scheme",
    "username",
    "header",
    "compress",
    "roots",
    "certificate",
    "key",
];

/// What a sink says, key by key; its kind says which of it counts.
#[derive(Default)]
struct Said {
    name: Option<CredentialName>,
    url: Option<Written<String>>,
    path: Option<String>,
    format: EventFormat,
    only: Vec<EventGroup>,
    batch: Option<u64>,
    secret: Option<Source>,
    scheme: Option<String>,
    username: Option<String>,
    header: Option<String>,
    compress: bool,
    tls: SinkTls,
    certificate: Option<String>,
    key: Option<String>,
    rotate_at: Option<u64>,
    keep: Option<u64>,
    confirm: Confirm,
    acknowledge: bool,
    index: Option<String>,
    body: WebhookBody,
    signing: Option<Box<Source>>,
}

impl Reader {
    pub(super) fn audit_sinks(&mut self, value: Value<'_, '_>) -> Vec<AuditSink> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type("sinks", "tables, each `[[audit.sinks]]`", value);
            return Vec::new();
        };
        let mut sinks: Vec<AuditSink> = Vec::new();
        for item in items {
            let Some(sink) = self.audit_sink(item) else {
                continue;
            };
            if sinks.iter().any(|other| other.name == sink.name) {
                let what = format!("`{}` is the name of another sink", sink.name);
                self.problem(
                    item.span().start,
                    what,
                    "give each a name of its own: files tell by it how far it is",
                );
            }
            sinks.push(sink);
        }
        sinks
    }

    fn audit_sink(&mut self, value: Value<'_, '_>) -> Option<AuditSink> {
        let before = self.problems.len();
        let kind = self.sink_kind(value)?;
        let said = self.sink_keys(kind, value);
        self.sink_needs(kind, value);
        if self.problems.len() > before {
            return None;
        }
        let line = self.place(value.span().start).line();
        let (format, only) = (said.format, said.only.clone());
        let batch = usize::try_from(said.batch.unwrap_or(DEFAULT_BATCH)).unwrap_or(usize::MAX);
        Some(AuditSink {
            name: said.name.clone()?,
            receiver: self.receiver(kind, said, value)?,
            format,
            only,
            batch,
            line,
        })
    }

    fn sink_kind(&mut self, value: Value<'_, '_>) -> Option<&'static str> {
        let kinds: Vec<(&str, &'static str)> = KINDS.iter().map(|(kind, _)| (*kind, *kind)).collect();
        for (key, value) in self.table("sinks", value) {
            if key.get_ref() == "kind" {
                return Some(self.word("kind", value, &kinds)?.value);
            }
        }
        if matches!(value.get_ref(), DeValue::Table(_)) {
            let all: Vec<String> = KINDS.iter().map(|(kind, _)| format!("\"{kind}\"")).collect();
            let remedy = format!("write kind = one of {}", all.join(", "));
            self.problem(value.span().start, "the sink has no `kind`", remedy);
        }
        None
    }

    fn sink_keys(&mut self, kind: &str, value: Value<'_, '_>) -> Said {
        let keys = keys_of(kind);
        let mut said = Said::default();
        for (key, value) in self.table("sinks", value) {
            let written: &str = key.get_ref();
            if keys.contains(&written) {
                self.sink_key(&mut said, written, value);
            } else {
                self.unknown_key(key, &format!("a sink of kind \"{kind}\""), &keys);
            }
        }
        said.tls.identity = said.certificate.clone().zip(said.key.clone());
        said
    }

    fn sink_key(&mut self, said: &mut Said, key: &str, value: Value<'_, '_>) {
        match key {
            "name" => said.name = self.sink_name(value),
            "url" => said.url = self.string(key, value),
            "path" => said.path = self.text(key, "the path of a file: path = \"audit.jsonl\"", value),
            "format" => {
                said.format = self
                    .word(key, value, &FORMATS)
                    .map(|of| of.value)
                    .unwrap_or_default();
            }
            "only" => said.only = self.event_groups(value),
            "batch" => said.batch = self.sink_batch(value),
            "secret" => said.secret = self.sink_secret(key, value),
            "signing_secret" => said.signing = self.sink_secret(key, value).map(Box::new),
            "scheme" => said.scheme = self.text(key, "one word: scheme = \"Bearer\"", value),
            "username" => {
                said.username = self.text(key, "whose password it is: username = \"outwall\"", value);
            }
            "header" => said.header = self.text(key, "the name of a header: header = \"x-api-key\"", value),
            "compress" => said.compress = self.boolean(key, value).is_some_and(|of| of.value),
            "roots" => said.tls.roots = self.text(key, "the path of a PEM file: roots = \"ca.pem\"", value),
            "certificate" => {
                said.certificate = self.text(key, "the path of a PEM file: certificate = \"c.pem\"", value);
            }
            "key" => said.key = self.text(key, "the path of a PEM file: key = \"c.key\"", value),
            "rotate_at" => said.rotate_at = self.bytes(key, value).map(|of| of.value),
            "keep" => said.keep = self.count(key, value).map(|of| of.value),
            "confirm" => {
                said.confirm = self
                    .word(key, value, &CONFIRMS)
                    .map(|of| of.value)
                    .unwrap_or_default();
            }
            "acknowledge" => said.acknowledge = self.boolean(key, value).is_some_and(|of| of.value),
            "index" => said.index = self.text(key, "the name of an index: index = \"security\"", value),
            "body" => {
                said.body = self
                    .word(key, value, &BODIES)
                    .map(|of| of.value)
                    .unwrap_or_default();
            }
            _ => {} // `kind`, which was read
        }
    }

    fn sink_name(&mut self, value: Value<'_, '_>) -> Option<CredentialName> {
        let name = self.string("name", value)?.value;
        let parsed = name.parse().ok().filter(|_| name.len() <= LONGEST_NAME);
        if parsed.is_none() {
            let what = format!("\"{}\" is no name for a sink", name.escape_debug());
            self.problem(
                value.span().start,
                what,
                "use 1 to 48 of a-z, 0-9, `_` and `-`, a letter or digit first",
            );
        }
        parsed
    }

    fn sink_batch(&mut self, value: Value<'_, '_>) -> Option<u64> {
        let batch = self.count("batch", value)?.value;
        if batch <= MOST_IN_BATCH {
            return Some(batch);
        }
        let what =
            format!("`batch` is {batch}: a receiver that refuses one event would get all of them again");
        self.problem(value.span().start, what, format!("write 1 to {MOST_IN_BATCH}"));
        None
    }

    fn event_groups(&mut self, value: Value<'_, '_>) -> Vec<EventGroup> {
        let words = self.some_strings("only", value);
        let known: Vec<String> = GROUPS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let mut groups = Vec::new();
        for written in words {
            match GROUPS.iter().find(|(word, _)| *word == written.value) {
                Some((_, group)) => groups.push(*group),
                None => self.problem(
                    value.span().start,
                    format!(
                        "`only` has \"{}\", which are no events",
                        written.value.escape_debug()
                    ),
                    format!("write some of {}", known.join(", ")),
                ),
            }
        }
        groups
    }

    /// What is written instead of a table may be the secret itself, and is not repeated.
    fn sink_secret(&mut self, key: &str, value: Value<'_, '_>) -> Option<Source> {
        let remedy = format!(
            "write {key} = {{ env = \"NAME\" }}, {{ file = \"PATH\" }}, {{ command = [\"PROGRAM\"] }} or {{ keyring = \"SERVICE\", account = \"ACCOUNT\" }}"
        );
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            let what = format!("`{key}` is written into the file, where others may read it");
            self.problem(value.span().start, what, remedy);
            return None;
        }
        match self.credential_source(value)?.value {
            Source::Vault { .. } | Source::GithubApp { .. } => {
                let what = format!("`{key}` of a sink cannot come from a service");
                self.problem(value.span().start, what, remedy);
                None
            }
            source => Some(source),
        }
    }

    fn sink_needs(&mut self, kind: &str, value: Value<'_, '_>) {
        let (place, example) = match kind {
            "file" => ("path", "write path = \"/var/log/outwall/audit.jsonl\""),
            "stdout" => ("name", ""),
            "syslog" => (
                "url",
                "write url = \"tls://syslog.corp:6514\", or tcp:// without encryption",
            ),
            "splunk" => ("url", "write url = \"https://splunk.corp:8088\""),
            "elasticsearch" => ("url", "write url = \"https://elastic.corp:9200/INDEX\""),
            "webhook" => ("url", "write url = \"https://hooks.corp/outwall\""),
            _ => ("url", "write url = \"https://collector.corp:4318\""),
        };
        let name = ("name", "give it a name for files and metrics: name = \"siem\"");
        let token = (
            "secret",
            "write where the token comes from: secret = { env = \"HEC_TOKEN\" }",
        );
        let splunk = (kind == "splunk").then_some(token);
        for (key, remedy) in [name, (place, example)].into_iter().chain(splunk) {
            if !has_key(value, key) && !remedy.is_empty() {
                let what = format!("the sink of kind \"{kind}\" has no `{key}`");
                self.problem(value.span().start, what, remedy);
            }
        }
        if has_key(value, "certificate") != has_key(value, "key") {
            let what = "a client certificate needs both `certificate` and `key`";
            self.problem(value.span().start, what, "write both, or none");
        }
        let shown = ["scheme", "username", "header"];
        let ways = shown.iter().filter(|way| has_key(value, way)).count();
        if ways > 1 || ways == 1 && !has_key(value, "secret") {
            let what = "`scheme`, `username` and `header` say how a `secret` is shown, in one way";
            self.problem(
                value.span().start,
                what,
                "write a `secret`, and one of them at most",
            );
        }
    }

    fn receiver(&mut self, kind: &str, said: Said, value: Value<'_, '_>) -> Option<Receiver> {
        let api = match kind {
            "file" => {
                return Some(Receiver::File {
                    path: said.path?,
                    rotate_at: said.rotate_at,
                    keep: said.keep.unwrap_or(DEFAULT_KEPT),
                });
            }
            "stdout" => return Some(Receiver::Stdout),
            "syslog" => return self.syslog(said, value),
            "splunk" => HttpApi::Splunk {
                acknowledge: said.acknowledge,
                index: said.index.clone(),
            },
            "elasticsearch" => HttpApi::Elasticsearch,
            "webhook" => HttpApi::Webhook {
                body: said.body,
                signing: said.signing.clone(),
            },
            "otlp-traces" => HttpApi::Otlp(Signal::Traces),
            _ => HttpApi::Otlp(Signal::Logs),
        };
        let url = self.sink_url(&said, value)?;
        if api == HttpApi::Elasticsearch && url.path().is_empty() {
            let what = "`url` names no index";
            self.problem(value.span().start, what, format!("write url = \"{url}/INDEX\""));
            return None;
        }
        Some(Receiver::Http(Box::new(HttpReceiver {
            shown: said.shown(&api),
            api,
            url,
            compress: said.compress,
            tls: said.tls,
        })))
    }

    fn syslog(&mut self, said: Said, value: Value<'_, '_>) -> Option<Receiver> {
        let Written { value: url, .. } = said.url?;
        let (rest, over_tls) = match (url.strip_prefix("tls://"), url.strip_prefix("tcp://")) {
            (Some(rest), _) => (rest, true),
            (_, Some(rest)) => (rest, false),
            (None, None) => ("", false),
        };
        let port = if over_tls { 6514 } else { 601 }; // RFC 5425 section 4.1, RFC 6587 section 5
        let target = Target::parse_with_default(rest.trim_end_matches('/'), port);
        let Ok(at) = target else {
            let what = format!("`url` is \"{}\", which is no place of syslog", url.escape_debug());
            let remedy = "write url = \"tls://syslog.corp:6514\", or tcp:// without encryption";
            self.problem(value.span().start, what, remedy);
            return None;
        };
        if !over_tls && said.tls != SinkTls::default() {
            let what = "`roots`, `certificate` and `key` are for TLS, and `url` is tcp://";
            self.problem(value.span().start, what, "write url = \"tls://…\"");
            return None;
        }
        Some(Receiver::Syslog {
            at,
            tls: over_tls.then_some(said.tls),
            confirm: said.confirm,
        })
    }

    /// Nothing that opens something is shown in the clear.
    fn sink_url(&mut self, said: &Said, value: Value<'_, '_>) -> Option<ServiceUrl> {
        let url = said.url.as_ref()?;
        let parsed = ServiceUrl::parse_exposed(&url.value);
        let shows = said.secret.is_some();
        let error = match parsed {
            Ok(parsed) if !(parsed.is_exposed() && shows) => return Some(parsed),
            Ok(_) => ServiceUrlError::PlainHttp,
            Err(error) => error,
        };
        let what = format!("`url` is no URL of a receiver: {error}");
        let remedy = match error {
            ServiceUrlError::PlainHttp => "write https://; or leave out the `secret`",
            _ => "write url = \"https://HOST:PORT/PATH\"",
        };
        self.problem(value.span().start, what, remedy);
        None
    }
}

impl Said {
    fn shown(&self, api: &HttpApi) -> Option<ShownSecret> {
        let usual = match api {
            HttpApi::Splunk { .. } => "Splunk",
            HttpApi::Elasticsearch => "ApiKey",
            HttpApi::Webhook { .. } | HttpApi::Otlp(_) => "Bearer",
        };
        let shown_as = match (&self.username, &self.header, &self.scheme) {
            (Some(user), _, _) => ShownAs::Basic(user.clone()),
            (_, Some(header), _) => ShownAs::Header(header.to_ascii_lowercase()),
            (_, _, scheme) => ShownAs::Scheme(scheme.clone().unwrap_or_else(|| usual.to_owned())),
        };
        let source = self.secret.clone()?;
        Some(ShownSecret { source, shown_as })
    }
}

fn keys_of(kind: &str) -> Vec<&'static str> {
    let own = KINDS.iter().find(|(name, _)| *name == kind);
    let own = own.map(|(_, keys)| *keys).unwrap_or_default();
    let by_http: &[&str] = match kind {
        "file" | "stdout" | "syslog" => &[],
        _ => &BY_HTTP,
    };
    [&EVERY_KIND, own, by_http].concat()
}

const FORMATS: [(&str, EventFormat); 2] = [("json", EventFormat::Json), ("ocsf", EventFormat::Ocsf)];
const CONFIRMS: [(&str, Confirm); 2] = [("close", Confirm::Close), ("sent", Confirm::Sent)];
const BODIES: [(&str, WebhookBody); 2] = [("array", WebhookBody::Array), ("lines", WebhookBody::Lines)];
const GROUPS: [(&str, EventGroup); 7] = [
    ("denied", EventGroup::Denied),
    ("findings", EventGroup::Findings),
    ("traffic", EventGroup::Traffic),
    ("dns", EventGroup::Dns),
    ("policy", EventGroup::Policy),
    ("credentials", EventGroup::Credentials),
    ("lifecycle", EventGroup::Lifecycle),
];
const DEFAULT_BATCH: u64 = 500; // some 300 kB: an answer within a second, and little to send again
const MOST_IN_BATCH: u64 = 10_000;
const DEFAULT_KEPT: u64 = 5;
const LONGEST_NAME: usize = 48; // what is made of it fits into the name of a credential
