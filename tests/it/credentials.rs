//! Machines that others run: each shows its credential to one proxy, with clients that know nothing of us.

use std::path::Path;
use std::time::Duration;

use outwall_tests::{Finished, Outwall, RawConnection, TestGate, TestOrigin, skip};
use serde_json::Value;

use crate::outwall;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";

fn two_environments(origin: &TestOrigin) -> Outwall {
    outwall()
        .policy(&format!(
            "default_environment = \"narrow\"\n\
             [environments.narrow]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n\
             [environments.wide]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\", \"{OTHER}\"]\n"
        ))
        .origin(HOST, origin)
        .origin(OTHER, origin)
}

fn issue(outwall: &Outwall, arguments: &[&str]) -> Value {
    let arguments = [&["credential", "issue", "--format", "json"], arguments].concat();
    serde_json::from_str(&outwall.run(&arguments).succeeded().stdout).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// CONNECT to a host: the status line and the reason.
fn connect(gate: &TestGate, host: &str, fields: &str) -> (RawConnection, String) {
    let mut raw = gate.raw();
    raw.send(format!(
        "CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n{fields}\r\n"
    ));
    let head = raw.read_head();
    let status = head.split(' ').nth(1).unwrap_or("nothing");
    let reason = head
        .lines()
        .find_map(|line| line.strip_prefix("x-outwall-reason: "));
    let said = format!("{status} {}", reason.unwrap_or("-"));
    (raw, said)
}

fn shown(credential: &Value) -> String {
    format!("proxy-authorization: Bearer {}\r\n", text(credential, "token"))
}

/// A program with the variables that `outwall credential issue --format env` prints.
fn with_variables(outwall: &Outwall, gate: &TestGate, environment: &str, script: &str) -> Finished {
    let bundle = outwall.work_dir().join("ca-bundle.pem");
    let pem = outwall
        .run(&["ca", "export", "--format", "bundle"])
        .succeeded()
        .stdout;
    std::fs::write(&bundle, pem).unwrap();
    let issued = outwall.run(&[
        "credential",
        "issue",
        "--environment",
        environment,
        "--format",
        "env",
        "--proxy",
        &gate.address().to_string(),
        "--ca-bundle",
        bundle.to_str().unwrap(),
    ]);
    let script = format!("{}{script}", issued.succeeded().stdout);
    outwall.start_other("sh", &["-c", &script]).finish()
}

/// What a client runs to fetch `$URL`, and what the machine needs for it.
struct Fetcher {
    name: &'static str,
    needs: &'static str,
    command: &'static str,
}

const FETCHERS: [Fetcher; 6] = [
    Fetcher {
        name: "curl",
        needs: "curl --version",
        command: "curl --silent --show-error --fail --output /dev/null \"$URL\"",
    },
    Fetcher {
        name: "curl that waits for 407",
        needs: "curl --version",
        command: "curl --proxy-anyauth --silent --show-error --fail --output /dev/null \"$URL\"",
    },
    Fetcher {
        name: "python requests",
        needs: "python3 -c 'import requests'",
        command: "python3 -c 'import os, requests; requests.get(os.environ[\"URL\"]).raise_for_status()'",
    },
    Fetcher {
        name: "python urllib",
        needs: "python3 --version",
        command: "python3 -c 'import os, urllib.request; urllib.request.urlopen(os.environ[\"URL\"]).read()'",
    },
    Fetcher {
        // The answer lists no refs, which is no error.
        name: "git",
        needs: "git --version",
        command: "git ls-remote \"$URL\"",
    },
    Fetcher {
        name: "node undici's ProxyAgent",
        needs: "node -e 'require(\"undici\").ProxyAgent'",
        command: "node -e 'const { ProxyAgent, request } = require(\"undici\");\n\
                  const dispatcher = new ProxyAgent({ uri: process.env.HTTPS_PROXY, requestTls: { ca: require(\"fs\").readFileSync(process.env.NODE_EXTRA_CA_CERTS) } });\n\
                  request(process.env.URL, { dispatcher }).then(({ statusCode }) => process.exit(statusCode == 200 ? 0 : 1), () => process.exit(1));'",
    },
];

#[test]
fn clients_that_know_nothing_of_us_show_the_credential_in_the_proxys_url() {
    let origin = TestOrigin::start();
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/npm/node_modules");
    let outwall = two_environments(&origin).variable("NODE_PATH", modules.to_str().unwrap());
    let gate = outwall.shared_gate(&[]);
    for Fetcher { name, needs, command } in FETCHERS {
        if outwall.start_other("sh", &["-c", needs]).finish().code() != 0 {
            skip(
                name,
                "it is not on this machine (tests/clients/install.sh installs it)",
            );
            continue;
        }
        let fetch = |environment: &str, before: &str, host: &str| {
            let script = format!("{before}\nexport URL=https://{host}/echo\n{command}");
            with_variables(&outwall, &gate, environment, &script).code()
        };
        assert_eq!(fetch("wide", "", OTHER), 0, "{name}");
        assert_eq!(fetch("narrow", "", HOST), 0, "{name}");
        assert_ne!(
            fetch("narrow", "", OTHER),
            0,
            "{name}: its environment has no such host"
        );
        let nobody = format!(
            "export HTTPS_PROXY=http://{0} https_proxy=http://{0}",
            gate.address()
        );
        assert_ne!(fetch("wide", &nobody, HOST), 0, "{name}: it shows nothing");
        let mut seen = origin.requests().into_iter().rev();
        assert!(
            seen.next()
                .is_some_and(|last| last.header("host").starts_with(HOST)),
            "{name}"
        );
    }
    let requests = origin.requests();
    assert!(requests.len() >= 4, "at least curl and python were there");
    assert!(
        requests
            .iter()
            .all(|request| request.header("proxy-authorization").is_empty())
    );
}

#[test]
fn two_credentials_are_two_sandboxes_with_decisions_and_records_of_their_own() {
    let origin = TestOrigin::start();
    let outwall = two_environments(&origin);
    let gate = outwall.shared_gate(&[]);
    let narrow = issue(&outwall, &["--sandbox", "builder"]);
    let wide = issue(&outwall, &["--environment", "wide", "--ttl", "10m"]);
    assert_eq!(connect(&gate, OTHER, &shown(&narrow)).1, "403 host-not-allowed");
    assert_eq!(connect(&gate, OTHER, &shown(&wide)).1, "200 -");
    assert_eq!(connect(&gate, HOST, &shown(&narrow)).1, "200 -");
    assert_eq!(connect(&gate, HOST, "").1, "407 credential-required");
    gate.stop();
    let denied = outwall.audit_with(&["--denied", "--sandbox", text(&narrow, "sandbox")]);
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(denied[0]["environment"], "narrow");
    let stranger = outwall.audit_with(&["--denied"]);
    assert!(
        stranger
            .iter()
            .any(|event| event["client"] == "127.0.0.1" && event["reason"] == "credential-required")
    );
    let issued = outwall.audit_of("credential.issued");
    assert_eq!(issued.len(), 2);
    assert_eq!(
        (&issued[0]["credential"], &issued[0]["sandbox"]),
        (&narrow["id"], &narrow["sandbox"])
    );
    let all = outwall.run(&["audit", "--format", "json"]).succeeded().stdout;
    for credential in [&narrow, &wide] {
        assert!(
            !all.contains(text(credential, "token")),
            "the record does not have it"
        );
    }
}

#[test]
fn a_credential_is_listed_revoked_and_replaced_while_the_gate_runs() {
    let origin = TestOrigin::start();
    let outwall = two_environments(&origin);
    let gate = outwall.shared_gate(&[]);
    let credential = issue(&outwall, &["--environment", "wide", "--sandbox", "builder"]);
    let (mut tunnel, said) = connect(&gate, HOST, &shown(&credential));
    assert_eq!(said, "200 -");
    let listed = outwall.run(&["credential", "list"]).succeeded().stdout;
    assert!(
        listed.contains(text(&credential, "id")) && listed.contains("builder") && listed.contains("valid"),
        "{listed}"
    );
    assert!(!listed.contains(text(&credential, "token")));
    outwall.run(&["credential", "revoke", "builder"]).succeeded();
    assert_eq!(
        connect(&gate, HOST, &shown(&credential)).1,
        "407 credential-revoked"
    );
    assert!(
        tunnel.closes_within(Duration::from_secs(2)),
        "what runs with it ends"
    );
    std::thread::sleep(Duration::from_secs(1)); // what is issued in the second of the revocation is revoked too
    let next = issue(&outwall, &["--environment", "wide", "--sandbox", "builder"]);
    assert_eq!(connect(&gate, HOST, &shown(&next)).1, "200 -");
    let token = text(&next, "token").to_owned();
    outwall.run(&["credential", "revoke", &token]).succeeded();
    assert_eq!(connect(&gate, HOST, &shown(&next)).1, "407 credential-revoked");

    outwall.run(&["credential", "rotate-key"]).succeeded();
    let last = issue(&outwall, &["--environment", "wide"]);
    assert_eq!(connect(&gate, HOST, &shown(&last)).1, "200 -");
    outwall
        .run(&["credential", "rotate-key", "--revoke-all"])
        .succeeded();
    // A gate that has forgotten the client meanwhile cannot tell its credential from a forged one: the key is gone.
    let said = connect(&gate, HOST, &shown(&last)).1;
    assert!(
        ["407 credential-revoked", "407 credential-refused"].contains(&said.as_str()),
        "{said}"
    );
    outwall
        .run(&["credential", "revoke", "c-00112233445566778899aabb"])
        .succeeded();
    outwall.run(&["credential", "revoke", "nobody"]).exited_with(1);
}

#[test]
fn what_cannot_be_issued_is_said_with_what_can() {
    let origin = TestOrigin::start();
    let outwall = two_environments(&origin);
    let refused = |arguments: &[&str]| {
        let arguments = [&["credential", "issue"], arguments].concat();
        let finished = outwall.run(&arguments);
        assert_ne!(finished.code(), 0);
        finished.stderr
    };
    let unknown = refused(&["--environment", "wid"]);
    assert!(unknown.contains("narrow, wide"), "{unknown}");
    assert!(refused(&["--ttl", "8d"]).contains("168 hours"));
    assert!(refused(&["--ttl", "soon"]).contains("2h"));
    issue(&outwall, &["--sandbox", "builder"]);
    let other = refused(&["--sandbox", "builder", "--environment", "wide"]);
    assert!(other.contains("`narrow`"), "{other}");
    assert!(refused(&["--sandbox", "a b"]).contains("63"));
    issue(&outwall, &["--ttl", "7d"]);
}

#[test]
fn a_proxy_that_other_machines_can_reach_is_not_open_by_mistake() {
    let origin = TestOrigin::start();
    let outwall = two_environments(&origin);
    let open = ["proxy", "--listen", "0.0.0.0:0", "--anonymous"];
    let refused = outwall.run(&open).exited_with(1).stderr;
    assert!(
        refused.contains("credential issue") && refused.contains("--anonymous-from-anywhere"),
        "{refused}"
    );
    let meant = outwall.gate_with(&[
        "--listen",
        "0.0.0.0:0",
        "--anonymous=wide",
        "--anonymous-from-anywhere",
    ]);
    assert_eq!(connect(&meant, OTHER, "").1, "200 -");
    let shared = outwall.shared_gate(&["--listen", "0.0.0.0:0"]);
    assert_eq!(connect(&shared, HOST, "").1, "407 credential-required");
    assert_eq!(connect(&shared, HOST, &shown(&issue(&outwall, &[]))).1, "200 -");
    let mut raw = shared.raw();
    raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(raw.read_head().starts_with("HTTP/1.1 200"));
}
