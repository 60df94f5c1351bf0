#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;
use crate::credential::Part;
use crate::parent_proxy::Resolve;
use crate::target::Target;

fn compile(text: &str) -> Result<Policy, DocumentErrors> {
    Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap())
}

fn said(text: &str) -> String {
    compile(text).map_or_else(|errors| errors.to_string(), |_| "nothing".into())
}

fn warned(text: &str) -> Vec<String> {
    compile(text)
        .unwrap()
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_is_written_takes_effect_or_is_an_error() {
    let text = r#"
default_environment = "nowhere"
[environments.a]
allowed_domains = ["a.test"]
include_trusted = true
tcp = ["github.com:22"]
tunnelled_domains = ["github.com", "a.test"]
[[environments.a.limits.hosts]]
host = "*.github.com"
upload_bytes_per_hour = "1 GiB"
[[environments.a.limits.hosts]]
host = "github.com"
requests_per_minute = 1
[[environments.a.sizes]]
host = "github.com:22"
max_body = "1 MiB"
[environments.b]
network = "none"
tunnelled_domains = ["github.com"]
[environments.c]
network = "full"
allowed_domains = []
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:2: `default_environment` is "nowhere", and there is no [environments.nowhere]
      hint: write one of a, b, c, or add that table
    outwall.toml:4: `allowed_domains` has no effect at network = "trusted" in [environments.a]
      hint: write network = "custom" and include_trusted = true to have both
    outwall.toml:5: `include_trusted` has no effect at network = "trusted" in [environments.a]
      hint: leave it out, or write network = "custom"
    outwall.toml:6: "github.com:22" in `tcp` is more than network = "trusted" reaches in [environments.a]
      hint: write network = "custom" (and include_trusted = true to keep the Trusted list)
    outwall.toml:7: "a.test" in `tunnelled_domains` is more than network = "trusted" reaches in [environments.a]
      hint: write network = "custom" (and include_trusted = true to keep the Trusted list)
    outwall.toml:12: `requests_per_minute` for "github.com" cannot be counted at "github.com", which is relayed unread
      hint: limit its connections_per_minute or bytes instead, or name the host without wildcard
    outwall.toml:14: the entry of `sizes` for "github.com:22" cannot be enforced on "github.com", which is relayed unread
      hint: use limits.upload_bytes_per_hour for what is relayed unread
    outwall.toml:19: "github.com" in `tunnelled_domains` is more than network = "none" reaches in [environments.b]
      hint: write network = "custom" (and include_trusted = true to keep the Trusted list)
    outwall.toml:22: `allowed_domains` has no effect at network = "full" in [environments.c]
      hint: leave it out: "full" reaches every public host; or write network = "custom"
    "#);
}

#[test]
fn the_hosts_loopback_is_named_by_host_ports_and_nothing_else() {
    let text = r#"
[environments.a]
network = "custom"
allowed_domains = ["host.outwall.internal"]
tcp = ["host.outwall.internal:5432"]
host_ports = [5432, 70000]
publish = ["3000", "3000:host:80"]
[[environments.a.rules]]
host = "host.outwall.internal"
action = "allow"
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:4: "host.outwall.internal" in `allowed_domains` has no effect: it is the host's loopback
      hint: write the port in host_ports = [5432]; it is relayed unread
    outwall.toml:5: "host.outwall.internal:5432" in `tcp` has no effect: it is the host's loopback
      hint: write the port in host_ports = [5432]; it is relayed unread
    outwall.toml:6: 70000 in `host_ports` is no port
      hint: write ports from 1 to 65535: host_ports = [5432]
    outwall.toml:7: `3000:host:80` is not PORT, PORT:HOSTPORT or PORT:ADDRESS:HOSTPORT, such as 3000, 3000:8080 or 3000:0.0.0.0:8080, in `publish`
      hint: write such as publish = ["3000", "8000:8080"]
    outwall.toml:9: "host.outwall.internal" in `host` has no effect: it is the host's loopback
      hint: write the port in host_ports = [5432]; it is relayed unread
    outwall.toml:9: the rule for "host.outwall.internal" cannot be enforced on "host.outwall.internal:5432", which is relayed unread
      hint: take the host out of tunnelled_domains and tcp, or give the rule another port or host
    "#);
}

#[test]
fn every_wrong_value_is_named_with_what_to_write() {
    let text = r#"
[environments.a]
network = "custom"
allowed_domains = [
    "https://a.test/x", "*", "a.*.test", "*a.test", "*.10.0.0.1", "a.test:0", "a b", "127.1", "evil\u0000.test", "",
]
allowed_addresses = ["10.0.0.0/33", "10.20.1.0/16", "ten", "::ffff:10.0.0.0/104"]
tcp = ["db.test"]
always_reachable = ["both.test"]
tunnelled_domains = ["both.test", "unread.test"]
[[environments.a.rules]]
host = "*.test"
methods = ["get", "G T"]
paths = ["v1/**", "/a?b=*", "/{a,b}"]
action = "allow"
[origins]
hosts = { "*.a.test" = "127.0.0.1", "b.test" = "localhost:1", "c.test" = "127.0.0.1:0", "D.test" = "::1", "d.test." = "::1" }
resolver = "dns.test"
parent_proxy = "socks5://proxy"
extra_roots = [""]
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:5: "https://a.test/x" in `allowed_domains` is no host: a pattern is a host, not a URL
      hint: write the host only, without scheme and path: "example.com"; paths go into rules
    outwall.toml:5: "*" in `allowed_domains` is no host: `*` alone names every host
      hint: write network = "full" to reach every public host
    outwall.toml:5: "a.*.test" in `allowed_domains` is no host: a wildcard is `*.` before a name, and nowhere else
      hint: write "*.example.com" for every name below example.com, "example.com" for itself
    outwall.toml:5: "*a.test" in `allowed_domains` is no host: a wildcard is `*.` before a name, and nowhere else
      hint: write "*.example.com" for every name below example.com, "example.com" for itself
    outwall.toml:5: "*.10.0.0.1" in `allowed_domains` is no host: a wildcard is `*.` before a name, and nowhere else
      hint: write "*.example.com" for every name below example.com, "example.com" for itself
    outwall.toml:5: "a.test:0" in `allowed_domains` is no host: the port is not a number from 1 to 65535
      hint: write a port from 1 to 65535 after the host, or none: "example.com:8443"
    outwall.toml:5: "a b" in `allowed_domains` is no host: the host has a character that no host name has
      hint: write a name or an address: "example.com", "*.example.com", "192.0.2.1"
    outwall.toml:5: "127.1" in `allowed_domains` is no host: the host reads as an IPv4 address, but is not four decimal numbers
      hint: write a name or an address: "example.com", "*.example.com", "192.0.2.1"
    outwall.toml:5: "evil\0.test" in `allowed_domains` is no host: the host has a character that no host name has
      hint: write a name or an address: "example.com", "*.example.com", "192.0.2.1"
    outwall.toml:5: "" in `allowed_domains` is no host: the host is empty
      hint: write a name or an address: "example.com", "*.example.com", "192.0.2.1"
    outwall.toml:7: "10.0.0.0/33" in `allowed_addresses` is no range of addresses
      hint: write an address and a prefix length with no bits after it, such as "10.20.0.0/16" or "fd00::/8"
    outwall.toml:7: "10.20.1.0/16" in `allowed_addresses` is no range of addresses
      hint: write an address and a prefix length with no bits after it, such as "10.20.0.0/16" or "fd00::/8"
    outwall.toml:7: "ten" in `allowed_addresses` is no range of addresses
      hint: write an address and a prefix length with no bits after it, such as "10.20.0.0/16" or "fd00::/8"
    outwall.toml:7: "::ffff:10.0.0.0/104" in `allowed_addresses` is no range of addresses
      hint: write an address and a prefix length with no bits after it, such as "10.20.0.0/16" or "fd00::/8"
    outwall.toml:8: "db.test" in `tcp` names no port
      hint: write host and port, such as "db.test:5432"
    outwall.toml:10: "both.test" in `tunnelled_domains` is also in `always_reachable` ("both.test"), whose hosts are always intercepted
      hint: take it out of one of the two
    outwall.toml:12: the rule for "*.test" cannot be enforced on "both.test", which is relayed unread
      hint: take the host out of tunnelled_domains and tcp, or give the rule another port or host
    outwall.toml:12: the rule for "*.test" cannot be enforced on "unread.test", which is relayed unread
      hint: take the host out of tunnelled_domains and tcp, or give the rule another port or host
    outwall.toml:12: the rule for "*.test" cannot be enforced on "db.test", which is relayed unread
      hint: take the host out of tunnelled_domains and tcp, or give the rule another port or host
    outwall.toml:13: "get" in `methods` is no method
      hint: write "GET": methods have upper case
    outwall.toml:13: "G T" in `methods` is no method
      hint: write one such as "GET"
    outwall.toml:14: "v1/**" in `paths` would never match as meant
      hint: begin it with `/`; `/**` is every path
    outwall.toml:14: "/a?b=*" in `paths` would never match as meant
      hint: write the path without query; rules decide on paths only
    outwall.toml:14: "/{a,b}" in `paths` would never match as meant
      hint: write `*` or `**`; brackets and braces are not globs here
    outwall.toml:17: "*.a.test" in `hosts` is a wildcard, and a static address is for one host
      hint: name each host
    outwall.toml:17: "localhost:1" is no address for "b.test"
      hint: write an address, with or without port: "127.0.0.1:8443", "[::1]:8443"
    outwall.toml:17: "127.0.0.1:0" is no address for "c.test"
      hint: write an address, with or without port: "127.0.0.1:8443", "[::1]:8443"
    outwall.toml:17: "d.test" has two static addresses
      hint: leave one of them
    outwall.toml:18: `resolver` is "dns.test", which is no address
      hint: write the address of a DNS server: "10.0.0.53:53"
    outwall.toml:19: `parent_proxy` is "socks5://proxy", and only http and https proxies are spoken to
      hint: write "http://HOST:PORT" or "https://HOST:PORT"
    outwall.toml:20: "" in `extra_roots` is no file
      hint: write the path of a PEM file
    "#);
}

#[test]
fn a_wildcard_over_other_peoples_storage_is_a_warning() {
    let text = r#"
[environments.a]
network = "custom"
allowed_domains = ["*.amazonaws.com", "bucket.s3.amazonaws.com", "*.example.com", "*.com"]
always_reachable = ["*.blob.core.windows.net"]
"#;
    insta::assert_snapshot!(warned(text).join("\n"), @r#"
    outwall.toml:4: "*.amazonaws.com" covers storage and servers that anybody can rent, so data can leave through it
      hint: name the hosts that are needed, such as your own bucket's
    outwall.toml:4: "*.com" covers a whole top-level domain
      hint: name the domains that are needed
    outwall.toml:5: "*.blob.core.windows.net" covers storage and servers that anybody can rent, so data can leave through it
      hint: name the hosts that are needed, such as your own bucket's
    "#);
}

#[test]
fn a_literal_that_stays_refused_is_a_warning() {
    let text = |addresses| {
        format!(
            "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"10.0.0.1\"]\nallowed_addresses = {addresses}\n"
        )
    };
    assert_eq!(warned(&text("[]")).len(), 1);
    assert!(warned(&text("[\"10.0.0.0/8\"]")).is_empty());
}

#[test]
fn a_rule_for_a_host_that_nothing_allows_is_a_warning() {
    let text =
        |host| format!("[environments.a]\n[[environments.a.rules]]\nhost = \"{host}\"\naction = \"allow\"\n");
    assert_eq!(warned(&text("x.test")).len(), 1);
    assert!(warned(&text("pypi.org")).is_empty());
}

#[test]
fn a_range_that_is_always_refused_cannot_be_an_exception() {
    for (range, fine) in [
        ("224.0.0.0/4", false),
        ("0.0.0.0/8", false),
        ("ff00::/8", false),
        ("0.0.0.0/0", true),
        ("127.0.0.0/8", true),
    ] {
        let text = format!("[environments.a]\nallowed_addresses = [\"{range}\"]\n");
        assert_eq!(compile(&text).is_ok(), fine, "{range}");
    }
}

#[test]
fn rules_and_exceptions_can_be_shown() {
    let text = "[environments.a]\nnetwork = \"full\"\nallowed_addresses = [\"10.0.0.1\", \"fd00::/8\"]\n[[environments.a.rules]]\nhost = \"a.test\"\nmethods = [\"GET\"]\naction = \"deny\"\n";
    let policy = compile(text).unwrap();
    let environment = policy.environment(None).unwrap();
    let rules: Vec<String> = environment
        .rules()
        .map(|rule| format!("{} {} {}", rule.rule, rule.allows, rule.requests))
        .collect();
    assert_eq!(rules, ["rule 1 for \"a.test\" false GET of every path"]);
    assert_eq!(
        environment.allowed_addresses().collect::<Vec<_>>(),
        ["10.0.0.1/32", "fd00::/8"]
    );
}

#[test]
fn entries_say_where_they_come_from() {
    let text = "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\n  \"a.test\",\n  \"*.b.test:8443\",\n]\ntcp = [\"db.test:5432\"]\n";
    let policy = compile(text).unwrap();
    let entries: Vec<String> = policy
        .environment(None)
        .unwrap()
        .entries()
        .map(|entry| {
            format!(
                "{} {} {:?} {:?}",
                entry.hosts, entry.rule, entry.treatment, entry.line
            )
        })
        .collect();
    assert_eq!(
        entries,
        [
            "db.test:5432 tcp \"db.test:5432\" Stream Some(7)",
            "a.test allowed_domains \"a.test\" Intercept Some(4)",
            "*.b.test:8443 allowed_domains \"*.b.test:8443\" Intercept Some(5)",
        ]
    );
}

#[test]
fn the_origins_are_what_is_written() {
    let text = r#"
[origins]
extra_roots = ["corporate-ca.pem"]
hosts = { "API.example.com" = "127.0.0.1:8443", "api.example.com:80" = "127.0.0.1:8080", "b.test" = "[::1]" }
resolver = "10.0.0.53"
"#;
    let policy = compile(text).unwrap();
    let fixed = |target: &str| {
        policy
            .static_address(&target.parse().unwrap())
            .map(|address| address.to_string())
            .unwrap_or_default()
    };
    assert_eq!(fixed("api.example.com:443"), "127.0.0.1:8443");
    assert_eq!(fixed("api.example.com:80"), "127.0.0.1:8080");
    assert_eq!(fixed("b.test:443"), "[::1]:443");
    assert_eq!(fixed("c.test:443"), "");
    assert_eq!(policy.origins().resolver().unwrap().to_string(), "10.0.0.53:53");
    assert_eq!(policy.origins().extra_roots().len(), 1);
}

#[test]
fn a_limit_that_another_makes_void_and_a_size_that_does_not_reach_everything_are_warnings() {
    let text = r#"
[environments.a]
network = "custom"
allowed_domains = ["a.test"]
tunnelled_domains = ["unread.test"]
[environments.a.limits]
requests_per_minute = 10
[environments.a.limits.each_host]
requests_per_minute = 10
connections_per_minute = 10
[[environments.a.sizes]]
max_body = "1 MiB"
"#;
    assert_eq!(
        warned(text),
        [
            "outwall.toml:9: `requests_per_minute` of `limits.each_host` is not less than the sandbox's own, which counts\n  \
             hint: make it less, or leave it out",
            "outwall.toml:11: the entry of `sizes` does not reach \"unread.test\", which is relayed unread\n  \
             hint: use limits.upload_bytes_per_hour for what is relayed unread",
        ]
    );
}

#[test]
fn an_environment_without_limits_has_none_at_all() {
    let policy = compile("[environments.a.limits]\nnames_below_one_wildcard = 5\n").unwrap();
    assert!(policy.environment(None).unwrap().allowances().is_none());
    let policy = compile("[environments.a.limits.each_host]\nrequests_per_minute = 5\n").unwrap();
    assert!(policy.environment(None).unwrap().allowances().is_some());
}

fn with_list(text: &str, list: &str) -> Result<Policy, DocumentErrors> {
    let mut document = PolicyDocument::parse(text, "outwall.toml").unwrap();
    document.add_blocklist("ads.hosts", Blocklist::parse(list.as_bytes(), "ads.hosts"));
    Policy::compile(&document)
}

#[test]
fn a_blocklist_that_was_not_read_is_an_error() {
    let text = "blocklists = [\"ads.hosts\"]\n[environments.a]\nblocklists = [\"other.hosts\"]\n";
    let errors = with_list(text, "ads.test").unwrap_err().to_string();
    assert_eq!(
        errors,
        "outwall.toml:3: the blocklist \"other.hosts\" was not read\n  hint: write the path of a file with names to block"
    );
    let policy = with_list("blocklists = [\"ads.hosts\"]\n", "ads.test").unwrap();
    let files: Vec<_> = policy.files().collect();
    assert_eq!(files, [std::path::Path::new("ads.hosts")]);
}

#[test]
fn entries_that_a_blocklist_makes_void_and_its_bad_lines_are_warnings() {
    let text = "blocklists = [\"ads.hosts\"]\n[environments.a]\nnetwork = \"custom\"\n\
        allowed_domains = [\n\"x.ads.test\",\n\"*.ads.test\",\n\"*.test.example\"]\n";
    let warnings: Vec<String> = with_list(text, "||x^\nads.test\n")
        .unwrap()
        .warnings()
        .iter()
        .map(|warning| warning.problem().what().to_owned())
        .collect();
    assert_eq!(
        warnings,
        [
            "\"||x^\" is no host: the host has a character that no host name has",
            "\"x.ads.test\" in `allowed_domains` is never reached: ads.test on the blocklist ads.hosts, line 2",
            "\"*.ads.test\" in `allowed_domains` is never reached: ads.test on the blocklist ads.hosts, line 2",
        ]
    );
}

const API: &str = r#"
default_environment = "api"
[environments.api]
network = "custom"
allowed_domains = ["*.example.com", "*.internal.example.com:8443"]
tunnelled_domains = ["pinned.example.com"]
[environments.other]
network = "none"
"#;

#[test]
fn a_client_certificate_says_for_whom_and_for_which_environments() {
    let policy = compile(&format!(
        "{API}{}",
        r#"
[[origins.client_certificates]]
hosts = ["api.example.com", "*.internal.example.com:8443"]
certificate = "client.pem"
key = "client.key"
environments = ["api"]
[[origins.client_certificates]]
hosts = ["api.example.com"]
certificate = "other.pem"
key = "/etc/outwall/other.key"
environments = ["other"]
"#
    ))
    .unwrap();
    let [first, second] = policy.origins().client_certificates() else {
        panic!("two are written");
    };
    assert_eq!(
        (first.name(), first.number(), first.line()),
        ("client.pem", 0, Some(10))
    );
    assert_eq!(second.number(), 1);
    let files: Vec<_> = policy.files().map(|file| file.display().to_string()).collect();
    assert_eq!(
        files,
        ["client.pem", "other.pem", "client.key", "/etc/outwall/other.key"]
    );
    assert_eq!(policy.origins().secret_files().count(), 2);
    insta::assert_snapshot!(policy.warnings().iter().map(ToString::to_string).collect::<String>(), @r#"
    outwall.toml:16: "other.pem" is never shown to "api.example.com" in [environments.other], which does not reach it
      hint: allow the host there, or take it out of `hosts`
    "#);
}

#[test]
fn every_mistake_in_a_client_certificate_is_named() {
    let text = format!(
        "{API}{}",
        r#"
[[origins.client_certificates]]
hosts = ["*.example.com"]
certificate = "a.pem"
key = "a.key"
environments = ["api", "nowhere"]
[[origins.client_certificates]]
hosts = ["api.example.com", "https://b.test"]
certificate = "b.pem"
key = ""
environments = ["api"]
[[origins.client_certificates]]
hosts = []
certificate = "c.pem"
key = "c.key"
environments = []
"#
    );
    insta::assert_snapshot!(said(&text), @r#"
    outwall.toml:14: there is no environment "nowhere"
      hint: the environments are: api, other
    outwall.toml:16: "https://b.test" in `hosts` is no host: a pattern is a host, not a URL
      hint: write the host only, without scheme and path: "example.com"; paths go into rules
    outwall.toml:16: "api.example.com" is shown two client certificates in [environments.api]: "a.pem" for "*.example.com", and "b.pem"
      hint: leave one of them, or give them other hosts or environments
    outwall.toml:18: "" in `key` is no file
      hint: write the path of a file
    outwall.toml:20: the client certificate "c.pem" is for no environment
      hint: name the environments that may use it: environments = ["api"]
    outwall.toml:20: the client certificate "c.pem" has no host in `hosts`
      hint: name the hosts that it is shown to: hosts = ["api.example.com"]
    "#);
    let unread = format!(
        "{API}[[origins.client_certificates]]\nhosts = [\"pinned.example.com\"]\ncertificate = \"a\"\nkey = \"b\"\nenvironments = [\"api\"]\n"
    );
    insta::assert_snapshot!(warned(&unread).concat(), @r#"
    outwall.toml:10: "a" is never shown to "pinned.example.com" in [environments.api], which relays it unread (tunnelled_domains "pinned.example.com")
      hint: take the host out of that list, or leave it to the client to show a certificate
    "#);
}

#[test]
fn a_parent_proxy_is_a_url_or_a_table() {
    let short = compile("[origins]\nparent_proxy = \"http://Proxy.corp:3128/\"\n").unwrap();
    let parent = short.origins().parent_proxy().unwrap();
    assert_eq!(parent.target().to_string(), "proxy.corp:3128");
    assert!(parent.credentials().is_none() && parent.bypass().count() == 0);
    assert_eq!(parent.resolve(), Resolve::Parent);
    let table = r#"
[origins.parent_proxy]
url = "https://[2001:db8::1]:3129"
username = "outwall"
password = { file = "proxy-password" }
bypass = ["*.internal.example.com", "10.0.0.0/8", "db.example.com:5432", "192.0.2.7"]
resolve = "gate"
"#;
    let policy = compile(table).unwrap();
    let parent = policy.origins().parent_proxy().unwrap();
    assert_eq!(parent.scheme(), crate::Scheme::Https);
    assert_eq!(parent.credentials().unwrap().username(), "outwall");
    assert_eq!(parent.resolve(), Resolve::Gate);
    assert_eq!(
        parent.bypass().collect::<Vec<_>>(),
        [
            "*.internal.example.com",
            "db.example.com:5432",
            "10.0.0.0/8",
            "192.0.2.7/32"
        ]
    );
    let secrets: Vec<_> = policy.origins().secret_files().collect();
    assert_eq!(secrets, [std::path::Path::new("proxy-password")]);
    let through = |target: &str| policy.parent_for(&target.parse().unwrap()).is_some();
    for (target, expected) in [
        ("example.com:443", true),
        ("a.internal.example.com:8080", false),
        ("internal.example.com:443", true),
        ("10.1.2.3:22", false),
        ("11.1.2.3:22", true),
        ("192.0.2.7:80", false),
        ("db.example.com:5432", false),
        ("db.example.com:443", true),
    ] {
        assert_eq!(through(target), expected, "{target}");
    }
}

#[test]
fn every_mistake_in_a_parent_proxy_is_named_and_no_password_is_repeated() {
    for url in ["http://u:hunter2@proxy.corp:3128", "u:hunter2@proxy.corp:3128"] {
        let text = said(&format!("[origins]\nparent_proxy = \"{url}\"\n"));
        assert!(
            text.contains("outwall.toml:2: ") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let text = r#"
[origins.parent_proxy]
url = "http://proxy.corp"
username = "a:b"
password = { env = "A=B" }
bypass = ["*", ".corp", "10.0.0.1/8", "a b", "ok.test"]
"#;
    insta::assert_snapshot!(said(text), @r#"
    outwall.toml:3: `parent_proxy` is "http://proxy.corp", which is no proxy: the port is missing
      hint: write "http://HOST:PORT" or "https://HOST:PORT"
    outwall.toml:4: `username` is "a:b", which no proxy can be told
      hint: write a name without colons and control characters
    outwall.toml:5: "A=B" is no name of a variable
      hint: write password = { env = "PARENT_PROXY_PASSWORD" }
    outwall.toml:6: "*" in `bypass` leaves nothing to the parent proxy
      hint: leave `parent_proxy` out, if everything is reached directly
    outwall.toml:6: ".corp" in `bypass` is no host
      hint: write "*.corp" for every name below it, "corp" for itself
    outwall.toml:6: "10.0.0.1/8" in `bypass` is no range of addresses
      hint: write an address and a prefix length with no bits after it: "10.0.0.0/8"
    outwall.toml:6: "a b" in `bypass` is no host: the host has a character that no host name has
      hint: write a name or an address: "example.com", "*.example.com", "192.0.2.1"
    "#);
    let alone = |key: &str| {
        said(&format!(
            "[origins.parent_proxy]\nurl = \"http://p.test:1\"\n{key}\n"
        ))
    };
    insta::assert_snapshot!(alone("username = \"a\"") + "\n" + &alone("password = { file = \"p\" }"), @r#"
    outwall.toml:3: the parent proxy has a `username` and no `password`
      hint: write password = { env = "PARENT_PROXY_PASSWORD" }
    outwall.toml:3: the parent proxy has a `password` and no `username`
      hint: write username = "NAME"
    "#);
}

#[test]
fn a_scan_knows_where_a_credential_is_at_home() {
    let text = r#"
[environments.web]
[environments.web.dlp]
action = "block"
patterns = [{ name = "acme-token", regex = "acme_[0-9a-f]{32}", hosts = ["api.acme.example"] }]
except = [{ shape = "jwt", hosts = ["pypi.org"] }]
"#;
    let policy = Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap()).unwrap();
    let scan = policy.environment(None).unwrap().leak_scan();
    let excepts = |shape: &str, target: &str, part: Part| {
        let shape = scan.shapes().find(|known| known.name() == shape).unwrap();
        scan.excepts(shape, &Target::parse(target).unwrap(), part)
    };
    for (shape, home) in [
        ("acme-token", "api.acme.example:443"),
        ("jwt", "pypi.org:443"),
        ("github-token", "api.github.com:443"),
        ("anthropic-key", "api.anthropic.com:443"),
    ] {
        assert!(excepts(shape, home, Part::Body), "{shape}");
        assert!(!excepts(shape, "elsewhere.example:443", Part::Head), "{shape}");
        assert!(
            !excepts(shape, &home.replace(":443", ":8443"), Part::Head),
            "{shape}"
        );
    }
    let bucket = "anybodys.s3.amazonaws.com:443";
    assert!(excepts("aws-access-key-id", bucket, Part::Head), "a signature");
    assert!(
        !excepts("aws-access-key-id", bucket, Part::Body),
        "somebody's data"
    );
}
