#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::time::Duration;

use super::*;
use crate::audit_settings::{AuditSettings, Durability};
use crate::gate_settings::GateSetting;
use crate::policy::Policy;

/// What is said about a file named `outwall.toml`.
fn said(text: &str) -> String {
    match PolicyDocument::parse(text, "outwall.toml") {
        Ok(document) => match Policy::compile(&document) {
            Ok(_) => "nothing".into(),
            Err(errors) => errors.to_string(),
        },
        Err(errors) => errors.to_string(),
    }
}

const COMPLETE: &str = include_str!("complete.toml");

fn complete() -> PolicyDocument {
    let mut document = PolicyDocument::parse(COMPLETE, "outwall.toml").unwrap();
    let named: Vec<String> = document.blocklists().map(str::to_owned).collect();
    assert_eq!(named, ["ads.hosts", "tracking.hosts"]);
    for path in named {
        document.add_blocklist(&path, Blocklist::parse(b"ads.test", &path));
    }
    document
}

#[test]
fn clients_without_a_credential_have_an_environment_that_there_is_or_none() {
    assert_eq!(said("[proxy]\nanonymous_environment = \"default\""), "nothing");
    insta::assert_snapshot!(
        said("[environments.web]\n\n[proxy]\nanonymous_environment = \"wbe\"\nlisten = \"x\""),
        @r"
        outwall.toml:5: `listen` is not a key of [proxy]
          hint: the keys are anonymous_environment
        "
    );
    insta::assert_snapshot!(said("[environments.web]\n[proxy]\nanonymous_environment = \"wbe\""), @r#"
    outwall.toml:3: clients without a credential are to have the environment "wbe", and there is no [environments.wbe]
      hint: write one of web, or leave it out: then they are refused
    "#);
    let overrides = |anonymous| Overrides {
        anonymous,
        ..Overrides::default()
    };
    let anonymous = |text: &str, clients| {
        let document = PolicyDocument::parse(text, "outwall.toml").unwrap();
        let document = document.with_overrides(None, &overrides(clients)).unwrap();
        let policy = Policy::compile(&document).unwrap();
        policy.anonymous_environment().map(ToString::to_string)
    };
    let written = "[environments.web]\n[environments.open]\n[proxy]\nanonymous_environment = \"open\"";
    let written = format!("default_environment = \"web\"\n{written}");
    assert_eq!(anonymous("", AnonymousClients::AsWritten), None);
    assert_eq!(
        anonymous("", AnonymousClients::InDefault).as_deref(),
        Some("default")
    );
    assert_eq!(
        anonymous(&written, AnonymousClients::AsWritten).as_deref(),
        Some("open")
    );
    assert_eq!(
        anonymous(&written, AnonymousClients::InDefault).as_deref(),
        Some("web")
    );
    let open = "open".parse().unwrap();
    assert_eq!(
        anonymous("[environments.open]", AnonymousClients::In(open)).as_deref(),
        Some("open")
    );
}

#[test]
fn a_document_with_every_key_compiles() {
    let policy = Policy::compile(&complete()).unwrap();
    let set: Vec<GateSetting> = policy.gate().iter().map(|(setting, _)| setting).collect();
    assert_eq!(set, GateSetting::ALL, "every setting of the gate is there too");
}

#[test]
fn how_the_audit_is_kept_is_as_written_and_else_as_it_is_without() {
    let mut written = Policy::compile(&complete()).unwrap().audit().clone();
    assert_eq!(written.sinks.len(), 9);
    written.sinks.clear();
    assert_eq!(
        written,
        AuditSettings {
            durability: Durability::Power,
            segment_size: 16 << 20,
            segment_age: Duration::from_hours(12),
            compress: false,
            keep_for: Some(Duration::from_hours(400 * 24)),
            keep_at_most: Some(50 << 30),
            checkpoint_every_events: 1000,
            checkpoint_every: Duration::from_secs(10),
            export_checkpoints: Some("checkpoints.jsonl".into()),
            sinks: Vec::new(),
        }
    );
    let text = format!("[audit]\n{written}");
    let again = Policy::compile(&PolicyDocument::parse(&text, "shown").unwrap()).unwrap();
    assert_eq!(*again.audit(), written, "what is shown reads back");
    let without = Policy::compile(&PolicyDocument::default()).unwrap();
    assert_eq!(*without.audit(), AuditSettings::default());
}

#[test]
fn how_the_audit_cannot_be_kept_is_named_with_how_it_can() {
    let text = "[audit]\ndurability = \"disk\"\nsegment_size = \"1 KiB\"\nkeep_for = 90\ncompress = \"zstd\"\n\
        checkpoint_every_events = 0\nkep_at_most = \"1 GiB\"\nexport_checkpoints = \"\"\n";
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `durability` is "disk", which it cannot be
      hint: write one of "process", "power"
    outwall.toml:3: `segment_size` is "1 KiB", which is out of its range
      hint: write "64 KiB" to "1 GiB"
    outwall.toml:4: `keep_for` is 90, and has to be a length of time such as "15s"
      hint: write a length of time such as "15s"
    outwall.toml:5: `compress` is "zstd", and has to be true or false
      hint: write true or false
    outwall.toml:6: `checkpoint_every_events` is 0, and has to be a whole number above 0
      hint: write a whole number above 0
    outwall.toml:7: `kep_at_most` is not a key of [audit]
      hint: did you mean `keep_at_most`?
    outwall.toml:8: `export_checkpoints` is an empty path
      hint: write the path of a file, or leave the key out
    "#);
    insta::assert_snapshot!(said("[audit]\nkeep_at_most = \"1 MiB\"\n"), @"
    outwall.toml:1: `keep_at_most` is less than `segment_size`, and the file that is being written always stays
      hint: write at least twice the `segment_size`
    ");
}

#[test]
fn what_the_gate_cannot_be_set_to_is_named_with_what_it_can() {
    let text = "[gate]\nhead_timeout = 15\nidle_timeout = \"a while\"\nmax_head = \"10 MiB\"\nthreads = 0\n\
        request_timout = \"1h\"\nhandshake_timeout = \"10ms\"\n";
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `head_timeout` is 15, and has to be a length of time such as "15s"
      hint: write a length of time such as "15s"
    outwall.toml:3: `idle_timeout` is "a while", which is no length of time
      hint: write a whole number and a unit: "80ms", "15s", "5min", "4h", "1d"
    outwall.toml:4: `max_head` is "10 MiB", which is out of its range
      hint: write "8 KiB" to "1 MiB"
    outwall.toml:5: `threads` is 0, and has to be a whole number above 0
      hint: write a whole number above 0
    outwall.toml:6: `request_timout` is not a key of [gate]
      hint: did you mean `request_timeout`?
    outwall.toml:7: `handshake_timeout` is "10ms", which is out of its range
      hint: write "1s" to "1h"
    "#);
}

#[test]
fn a_sink_that_cannot_be_delivered_to_is_named_with_its_line_and_a_remedy() {
    let text = r#"
[[audit.sinks]]
name = "a"
kind = "kafka"

[[audit.sinks]]
name = "B"
kind = "splunk"
url = "http://splunk.corp:8088"
token = "hunter2"

[[audit.sinks]]
name = "c"
kind = "webhook"
url = "http://hooks.corp"
secret = { env = "TOKEN" }

[[audit.sinks]]
name = "d"
kind = "webhook"
url = "https://u:hunter2@hooks.corp"
secret = "hunter2"

[[audit.sinks]]
name = "e"
kind = "syslog"
url = "udp://syslog.corp"

[[audit.sinks]]
name = "f"
kind = "elasticsearch"
url = "https://elastic.corp:9200"
only = ["refusals"]
certificate = "c.pem"

[[audit.sinks]]
name = "g"
kind = "file"
batch = 1000000

[[audit.sinks]]
name = "h"
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:4: `kind` is "kafka", which it cannot be
      hint: write one of "file", "stdout", "syslog", "splunk", "elasticsearch", "webhook", "otlp", "otlp-traces"
    outwall.toml:6: the sink of kind "splunk" has no `secret`
      hint: write where the token comes from: secret = { env = "HEC_TOKEN" }
    outwall.toml:7: "B" is no name for a sink
      hint: use 1 to 48 of a-z, 0-9, `_` and `-`, a letter or digit first
    outwall.toml:10: `token` is not a key of a sink of kind "splunk"
      hint: did you mean `key`?
    outwall.toml:12: `url` is no URL of a receiver: it is `http://` to another machine, where the gate's own secret could be read on the way
      hint: write https://; or leave out the `secret`
    outwall.toml:22: `secret` is written into the file, where others may read it
      hint: write secret = { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] } or { keyring = "SERVICE", account = "ACCOUNT" }
    outwall.toml:24: `url` is "udp://syslog.corp", which is no place of syslog
      hint: write url = "tls://syslog.corp:6514", or tcp:// without encryption
    outwall.toml:29: a client certificate needs both `certificate` and `key`
      hint: write both, or none
    outwall.toml:33: `only` has "refusals", which are no events
      hint: write some of "denied", "findings", "traffic", "dns", "policy", "credentials", "lifecycle"
    outwall.toml:36: the sink of kind "file" has no `path`
      hint: write path = "/var/log/outwall/audit.jsonl"
    outwall.toml:39: `batch` is 1000000: a receiver that refuses one event would get all of them again
      hint: write 1 to 10000
    outwall.toml:41: the sink has no `kind`
      hint: write kind = one of "file", "stdout", "syslog", "splunk", "elasticsearch", "webhook", "otlp", "otlp-traces"
    "#);
}

#[test]
fn a_receiver_on_another_machine_is_spoken_to_in_the_clear_only_without_a_secret() {
    let text = |more: &str, url: &str| {
        said(&format!(
            "[[audit.sinks]]\nname = \"a\"\nkind = \"otlp\"\nurl = \"{url}\"\n{more}"
        ))
    };
    assert_eq!(text("", "http://collector.corp:4318"), "nothing");
    assert_eq!(
        text("secret = { env = \"A\" }", "https://collector.corp:4318"),
        "nothing"
    );
    assert_eq!(
        text("secret = { env = \"A\" }", "http://127.0.0.1:4318"),
        "nothing"
    );
    assert_ne!(
        text("secret = { env = \"A\" }", "http://collector.corp:4318"),
        "nothing"
    );
}

#[test]
fn every_mistake_is_named_at_once_with_its_line_its_value_and_a_remedy() {
    let text = r#"
default_enviroment = "web"

[environments.web]
network = "everything"
allowed_domain = ["a.test"]
nested_namespaces = "yes"

[environments.Web]

[[environments.web.rules]]
methods = []
action = "permit"

[environments.web.limits]
requests_per_minute = -1
upload_bytes_per_hour = "a lot"
download_byte_per_hour = 1
hosts = [{ host = "a.test" }, { requests_per_minute = 1 }]

[environments.web.limits.each_host]
host = "a.test"

[[environments.web.sizes]]
host = "a.test"
max_bodies = 1

[origins]
proxy = "x"
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `default_enviroment` is not a key of the file
      hint: did you mean `default_environment`?
    outwall.toml:5: `network` is "everything", which it cannot be
      hint: write one of "none", "trusted", "full", "custom"
    outwall.toml:6: `allowed_domain` is not a key of [environments.web]
      hint: did you mean `allowed_domains`?
    outwall.toml:7: `nested_namespaces` is "yes", and has to be true or false
      hint: write true or false
    outwall.toml:9: `Web` is not a name for an environment
      hint: use 1 to 64 of a-z, 0-9, `_` and `-`, a letter or digit first
    outwall.toml:11: the rule has no `host`
      hint: write which host it narrows: host = "api.example.com"
    outwall.toml:12: `methods` is an empty list, so the rule could never match
      hint: leave `methods` out to mean all of them
    outwall.toml:13: `action` is "permit", which it cannot be
      hint: write one of "allow", "deny"
    outwall.toml:16: `requests_per_minute` is -1, and has to be a whole number above 0
      hint: write a whole number above 0
    outwall.toml:17: `upload_bytes_per_hour` is "a lot", which is not an amount of bytes
      hint: write a whole number and a unit: "1 GiB", "500 MiB", "64 KiB", "1 GB"
    outwall.toml:18: `download_byte_per_hour` is not a key of limits
      hint: did you mean `download_bytes_per_hour`?
    outwall.toml:19: the entry of `limits.hosts` limits nothing
      hint: give it one of requests_per_minute, connections_per_minute, concurrent_requests, upload_bytes_per_hour, download_bytes_per_hour
    outwall.toml:19: the entry of `limits.hosts` has no `host`
      hint: write which host it is for: host = "*.example.com"; or use [environments.NAME.limits.each_host]
    outwall.toml:22: `host` is not a key of limits.each_host
      hint: the keys are requests_per_minute, connections_per_minute, concurrent_requests, upload_bytes_per_hour, download_bytes_per_hour
    outwall.toml:24: the entry of `sizes` limits nothing
      hint: give it one of max_body, max_url, max_headers: max_body = "10 MiB"
    outwall.toml:26: `max_bodies` is not a key of sizes
      hint: did you mean `max_body`?
    outwall.toml:29: `proxy` is not a key of [origins]
      hint: the keys are extra_roots, hosts, resolver, client_certificates, parent_proxy
    "#);
}

#[test]
fn what_is_recorded_of_messages_is_as_written_and_nothing_by_default() {
    let policy = Policy::compile(&complete()).unwrap();
    let recording = |name| policy.environment(Some(name)).unwrap().recording();
    assert!(recording("web").is_nothing());
    let watched = recording("watched");
    assert_eq!(
        watched.request().to_string(),
        "the header fields content-type, user-agent; the first 16 KiB of bodies"
    );
    assert_eq!(
        watched.response().to_string(),
        "every header field; the first 4 KiB of bodies"
    );
    assert!(watched.request().fields().has("user-agent") && !watched.request().fields().has("accept"));
    assert!(watched.response().fields().has("accept"));
    assert_eq!(
        (watched.request().body(), watched.response().body()),
        (16 << 10, 4 << 10)
    );
}

#[test]
fn a_wrong_name_or_amount_of_what_is_recorded_is_named_with_what_to_write() {
    let text = "[environments.a.record]\nresponse_bodies = \"all\"\nbodies = true\nrequest_headers = true\n";
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `response_bodies` is "all", which is not an amount of bytes
      hint: write a whole number and a unit: "1 GiB", "500 MiB", "64 KiB", "1 GB"
    outwall.toml:3: `bodies` is not a key of record
      hint: the keys are request_headers, response_headers, request_bodies, response_bodies
    outwall.toml:4: `request_headers` is true, and has to be a list of strings
      hint: write a list of strings
    "#);
    let text = "[environments.a.record]\nrequest_headers = [\"*\", \"accept\"]\n\
                response_headers = [\":status\", \"x-*\", \"a b\", \"\"]\nrequest_bodies = \"65 KiB\"\n";
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `request_headers` has "*", which is every field, and others beside it
      hint: write ["*"] alone, or the names without it
    outwall.toml:3: ":status" in `response_headers` is no name of a header field
      hint: leave it out: method, path and target are always recorded
    outwall.toml:3: "x-*" in `response_headers` is no name of a header field
      hint: write whole names, or ["*"] for every field
    outwall.toml:3: "a b" in `response_headers` is no name of a header field
      hint: write names of header fields: "user-agent", "content-type"
    outwall.toml:3: "" in `response_headers` is no name of a header field
      hint: write names of header fields: "user-agent", "content-type"
    outwall.toml:4: `request_bodies` is 65 KiB, and no more than 64 KiB of a body are recorded
      hint: write request_bodies = "64 KiB", or less
    "#);
    let right = "[environments.a.record]\nrequest_bodies = \"64 KiB\"\nrequest_headers = []\n";
    assert_eq!(said(right), "nothing");
}

#[test]
fn a_field_of_credentials_may_be_named_and_who_names_it_is_told_that_its_value_is_not_recorded() {
    let text = "[environments.a.record]\nrequest_headers = [\"Authorization\", \"accept\"]\n";
    let policy = Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap()).unwrap();
    assert!(
        policy
            .environment(None)
            .unwrap()
            .recording()
            .request()
            .fields()
            .has("authorization")
    );
    let warnings: Vec<String> = policy
        .warnings()
        .iter()
        .map(|warning| warning.problem().to_string())
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @r#"
    outwall.toml:2: the value of "authorization" in `request_headers` is not recorded, since it holds credentials
      hint: nothing need be done: that the field was there is recorded, with [redacted] as its value
    "#);
}

#[test]
fn a_secret_is_never_written_into_the_file_and_never_repeated() {
    let text = |password: &str| {
        said(&format!(
            "[origins.parent_proxy]\nurl = \"http://p.test:1\"\nusername = \"u\"\npassword = {password}\n"
        ))
    };
    insta::assert_snapshot!(text("\"hunter2\""), @r#"
    outwall.toml:4: `password` is written into the file, where others may read it
      hint: write password = { env = "PARENT_PROXY_PASSWORD" } or password = { file = "PATH" }
    "#);
    insta::assert_snapshot!(text("{ env = \"A\", file = \"b\" }"), @r#"
    outwall.toml:4: `password` has not one source
      hint: write password = { env = "PARENT_PROXY_PASSWORD" } or password = { file = "PATH" }
    "#);
    assert_eq!(text("{ env = \"A\" }"), "nothing");
}

#[test]
fn a_client_certificate_needs_all_its_keys() {
    insta::assert_snapshot!(said("[[origins.client_certificates]]\n"), @r#"
    outwall.toml:1: the client certificate has no `hosts`
      hint: write which hosts it is shown to: hosts = ["api.example.com"]
    outwall.toml:1: the client certificate has no `certificate`
      hint: write the path of a PEM file: certificate = "client.pem"
    outwall.toml:1: the client certificate has no `key`
      hint: write the path of a PEM file: key = "client.key"
    outwall.toml:1: the client certificate has no `environments`
      hint: write which environments may use it, it is for none by default: environments = ["api"]
    "#);
}

#[test]
fn a_syntax_error_is_named_with_its_line() {
    insta::assert_snapshot!(said("[environments.web\nnetwork = 1\n"), @r#"
    outwall.toml:1: unclosed table, expected `]`
      hint: the file is TOML: https://toml.io
    "#);
}

#[test]
fn the_same_key_twice_is_an_error() {
    insta::assert_snapshot!(said("[environments.a]\nnetwork = \"none\"\nnetwork = \"full\"\n"), @r#"
    outwall.toml:3: duplicate key
      hint: the file is TOML: https://toml.io
    "#);
}

#[test]
fn allow_with_trusted_means_custom_with_the_trusted_list() {
    let overrides = Overrides {
        allow: vec!["a.test".into()],
        ..Overrides::default()
    };
    let changed = PolicyDocument::default()
        .with_overrides(None, &overrides)
        .unwrap();
    let policy = Policy::compile(&changed).unwrap();
    let environment = policy.environment(None).unwrap();
    assert_eq!(environment.network(), NetworkLevel::Custom);
    assert_eq!(environment.entries().count(), 202);
    assert!(environment.reaches(&"a.test".parse().unwrap()));
    assert!(environment.reaches(&"pypi.org".parse().unwrap()));
    assert!(!environment.reaches(&"b.test".parse().unwrap()));
}

#[test]
fn allow_with_custom_adds_to_what_is_written_and_to_nothing_else() {
    let text = "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"a.test\"]\n";
    let document = PolicyDocument::parse(text, "outwall.toml").unwrap();
    let overrides = Overrides {
        allow: vec!["b.test".into()],
        ..Overrides::default()
    };
    let policy = Policy::compile(&document.with_overrides(Some("a"), &overrides).unwrap()).unwrap();
    let hosts: Vec<String> = policy
        .environment(None)
        .unwrap()
        .entries()
        .map(|entry| entry.hosts)
        .collect();
    assert_eq!(hosts, ["a.test", "b.test"]);
}

#[test]
fn allow_with_none_or_full_is_an_error_that_names_the_remedy() {
    for network in [NetworkLevel::None, NetworkLevel::Full] {
        let overrides = Overrides {
            network: Some(network),
            allow: vec!["a.test".into()],
            ..Overrides::default()
        };
        let errors = PolicyDocument::default()
            .with_overrides(None, &overrides)
            .unwrap_err();
        let [problem] = errors.problems() else {
            panic!("one problem: {errors}");
        };
        assert_eq!((problem.origin(), problem.line()), ("command line", None));
        assert!(
            problem
                .what()
                .contains(&format!("`--allow a.test` adds nothing to the level `{network}`"))
        );
        assert!(!problem.remedy().is_empty());
    }
}

#[test]
fn a_mistake_on_the_command_line_is_not_blamed_on_the_file() {
    let overrides = Overrides {
        allow: vec!["https://a.test/".into()],
        ..Overrides::default()
    };
    let document = PolicyDocument::parse("[environments.web]\n", "outwall.toml").unwrap();
    let errors = Policy::compile(&document.with_overrides(None, &overrides).unwrap()).unwrap_err();
    assert_eq!(errors.problems()[0].origin(), "command line");
}

#[test]
fn the_command_line_may_replace_the_level_of_any_environment() {
    let document = complete();
    for network in [
        NetworkLevel::None,
        NetworkLevel::Trusted,
        NetworkLevel::Full,
        NetworkLevel::Custom,
    ] {
        for name in ["web", "api", "closed", "open"] {
            let overrides = Overrides {
                network: Some(network),
                nested_namespaces: true,
                ..Overrides::default()
            };
            let changed = document.with_overrides(Some(name), &overrides).unwrap();
            let policy = Policy::compile(&changed).unwrap();
            let environment = policy.environment(Some(name)).unwrap();
            assert_eq!(environment.network(), network);
            assert!(environment.nested_namespaces());
        }
    }
}

#[test]
fn changing_an_environment_that_is_not_there_is_an_error() {
    let document = PolicyDocument::default();
    assert!(
        document
            .with_overrides(Some("web"), &Overrides::default())
            .is_err()
    );
    assert!(
        document
            .with_overrides(Some("default"), &Overrides::default())
            .is_ok()
    );
}

#[test]
fn the_default_environment_is_the_written_one_or_the_only_one() {
    let default = |text: &str| {
        let document = PolicyDocument::parse(text, "outwall.toml").unwrap();
        Policy::compile(&document).map(|policy| policy.environment(None).unwrap().name().to_string())
    };
    assert_eq!(default("").unwrap(), "default");
    assert_eq!(default("[environments.web]").unwrap(), "web");
    assert_eq!(
        default("default_environment = \"b\"\n[environments.a]\n[environments.b]").unwrap(),
        "b"
    );
    assert!(default("[environments.a]\n[environments.b]").is_err());
    assert!(default("default_environment = \"c\"\n[environments.a]\n[environments.b]").is_err());
    // An implied `default` beside it would reach more than anything that is written.
    assert!(default("default_environment = \"default\"\n[environments.a]\nnetwork = \"none\"").is_err());
}

#[test]
fn what_cannot_be_looked_for_is_refused_with_its_line_and_a_remedy() {
    let text = r#"
[environments.web.dlp]
action = "blok"
patterns = [
    { name = "Acme", regex = "acme_[0-9a-f]{32}" },
    { name = "jwt", regex = "acme_[0-9a-f]+" },
    { name = "hex", regex = "[0-9a-f]{32}" },
    { name = "open", regex = "acme_(" },
    { name = "long", regex = "acme_.{4000}" },
    { regex = "acme_x", host = "a.test" },
]
except = [{ shape = "jvt" }, { shape = "jwt", hosts = [] }]
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:3: `dlp.action` is "blok", which it cannot be
      hint: write one of "off", "report", "block"
    outwall.toml:10: `host` is not a key of dlp.patterns
      hint: did you mean `hosts`?
    outwall.toml:10: the entry of `dlp.patterns` has no `name`
      hint: write name = "acme-token"
    outwall.toml:12: `hosts` is an empty list, so the exception is for nowhere
      hint: leave `hosts` out to mean everywhere
    "#);
    let right = text
        .replace("blok", "block")
        .replace(", host = \"a.test\"", "")
        .replace("{ regex", "{ name = \"x\", regex")
        .replace(", hosts = []", "");
    insta::assert_snapshot!(said(&right), @r#"
    outwall.toml:5: "Acme" is no name for a pattern
      hint: use 1 to 64 of a-z, 0-9 and `-`
    outwall.toml:6: "acme_[0-9a-f]+" cannot be looked for: it has no upper bound on the length of what it matches
      hint: give every repetition an upper bound: acme_[0-9a-f]{32}, not acme_[0-9a-f]+
    outwall.toml:6: "jwt" is the name of another pattern or known shape
      hint: give it a name of its own
    outwall.toml:7: "[0-9a-f]{32}" cannot be looked for: it does not begin with a literal of at least 3 bytes
      hint: let it begin with what all of them begin with: acme_[0-9a-f]{32}
    outwall.toml:8: "acme_(" cannot be looked for: it is no regular expression: unclosed group
      hint: the syntax is that of https://docs.rs/regex, for bytes
    outwall.toml:9: "acme_.{4000}" cannot be looked for: it matches up to 4005 bytes, and at most 1024 are held back
      hint: give every repetition an upper bound: acme_[0-9a-f]{32}, not acme_[0-9a-f]+
    outwall.toml:12: "jvt" in `dlp.except` is no shape
      hint: write the name that a finding says, such as "jwt", or that of a pattern
    "#);
}
