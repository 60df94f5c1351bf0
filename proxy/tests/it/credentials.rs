//! A proxy that many sandboxes share: who a client is, what is refused, and when it is over.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use outwall_broker::scoped::{Audience, Fresh, Overlap, Request, Revoke, Scope, Subject};
use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::client::{empty, handshake, read};
use crate::support::origin::greeter;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn document(plain: &Origin, tls: &Origin) -> String {
    format!(
        "default_environment = \"narrow\"\n\
         [environments.narrow]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\"]\ntcp = [\"stream.test:5432\"]\n\
         [environments.wide]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"other.test\"]\ntcp = [\"stream.test:5432\"]\n\
         [origins]\nhosts = {{ \"allowed.test:80\" = \"{0}\", \"other.test:80\" = \"{0}\", \"allowed.test\" = \"{1}\", \"other.test\" = \"{1}\", \"stream.test\" = \"{2}\" }}\n",
        plain.address,
        tls.address,
        greeter().await
    )
}

struct Place {
    gate: TestGate,
    plain: Origin,
    tls: Origin,
}

impl Place {
    async fn new() -> Self {
        Self::with(Limits::default(), "").await
    }

    async fn with(limits: Limits, more: &str) -> Self {
        let (plain, tls) = (
            Origin::start(OriginKind::Plain).await,
            Origin::start(OriginKind::H2).await,
        );
        let document = document(&plain, &tls).await + more;
        Self {
            gate: TestGate::shared(&document, limits).await,
            plain,
            tls,
        }
    }

    fn issue(&self, environment: &str) -> Fresh {
        self.issue_for(environment, Audience::Proxy, Timestamp::now(), HOUR)
    }

    fn issue_for(&self, environment: &str, audience: Audience, at: Timestamp, life: SignedDuration) -> Fresh {
        let request = Request {
            audience,
            subject: Subject::New,
            environment: environment.parse().unwrap(),
            scope: Scope::default(),
            life,
        };
        self.gate.issuer().issue(&request, at).unwrap()
    }

    /// The whole answer to a request in absolute form with these further fields.
    async fn ask(&self, host: &str, fields: &str) -> String {
        self.say(&format!(
            "GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        ))
        .await
    }

    async fn say(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.gate.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// CONNECT with a credential; the stream inside, or the refusal.
    async fn connect(&self, target: &str, token: &str) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(self.gate.address).await.unwrap();
        let head = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{}\r\n",
            bearer(token)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        if answer.starts_with(b"HTTP/1.1 200") {
            return Ok(stream);
        }
        Err(String::from_utf8(answer).unwrap())
    }

    async fn intercepted(&self, token: &str, via: Via) -> Client {
        let stream = self.connect("allowed.test:443", token).await.unwrap();
        Client::over(
            handshake(&self.gate, stream, "allowed.test", via).await.unwrap(),
            via,
        )
        .await
    }

    fn revoke(&self, fresh: &Fresh) {
        let what = Revoke::Credential(fresh.claims.id);
        self.gate.issuer().revoke(&what, Timestamp::now()).unwrap();
    }
}

fn bearer(token: &str) -> String {
    format!("Proxy-Authorization: Bearer {token}\r\n")
}

fn shown(fresh: &Fresh) -> String {
    bearer(fresh.token.expose())
}

/// `407 credential-expired`
fn outcome(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or("nothing");
    let reason = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-outwall-reason: "));
    format!("{status} {}", reason.unwrap_or("-"))
}

#[tokio::test]
async fn each_credential_has_its_own_decisions_and_records() {
    let place = Place::new().await;
    let (narrow, wide) = (place.issue("narrow"), place.issue("wide"));
    assert_eq!(
        outcome(&place.ask("other.test", &shown(&narrow)).await),
        "403 host-not-allowed"
    );
    assert_eq!(outcome(&place.ask("other.test", &shown(&wide)).await), "200 -");
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&narrow)).await),
        "200 -"
    );
    let refused = place
        .connect("other.test:443", narrow.token.expose())
        .await
        .unwrap_err();
    assert_eq!(outcome(&refused), "403 host-not-allowed");
    assert!(place.connect("other.test:443", wide.token.expose()).await.is_ok());
    let out = place.gate.events_of("exchange.going_out", 2).await;
    let who = |event: &serde_json::Value| format!("{} {}", event["sandbox"], event["environment"]);
    let sandbox = |fresh: &Fresh| format!("\"{}\" \"{}\"", fresh.claims.sandbox, fresh.claims.environment);
    assert_eq!(
        out.iter().map(who).collect::<Vec<_>>(),
        [sandbox(&wide), sandbox(&narrow)]
    );
    let denied = place.gate.events_of("denied", 2).await;
    assert!(
        denied.iter().all(|event| who(event) == sandbox(&narrow)),
        "{denied:?}"
    );
    let started = place.gate.events_of("sandbox.started", 2).await;
    assert_eq!(started[0]["program"], format!("credential {}", narrow.claims.id));
    for seen in place.plain.seen() {
        assert!(
            !seen.headers.contains_key("proxy-authorization"),
            "it is ours alone"
        );
    }
}

#[tokio::test]
async fn what_is_no_good_credential_opens_nothing_and_tells_no_more_than_that() {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    let place = Place::new().await;
    let good = place.issue("wide");
    let token = good.token.expose();
    let long_ago = Timestamp::now() - SignedDuration::from_hours(3);
    let expired = place.issue_for("wide", Audience::Proxy, long_ago, HOUR);
    let early = place.issue_for("wide", Audience::Proxy, Timestamp::now() + HOUR, HOUR);
    let git = place.issue_for("wide", Audience::Git, Timestamp::now(), HOUR);
    let revoked = place.issue("wide");
    place.revoke(&revoked);
    let payload = token.split('.').nth(1).unwrap();
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let tampered = token.replacen(
        &payload[10..12],
        if &payload[10..12] == "AA" { "BB" } else { "AA" },
        1,
    );
    let elsewhere = Place::new().await.issue("wide");
    let cases = [
        ("none at all", String::new(), "407 credential-required"),
        ("expired", shown(&expired), "407 credential-expired"),
        ("revoked", shown(&revoked), "407 credential-revoked"),
        ("not valid yet", shown(&early), "407 credential-refused"),
        ("for another door", shown(&git), "407 credential-refused"),
        (
            "of another installation",
            shown(&elsewhere),
            "407 credential-refused",
        ),
        ("changed", bearer(&tampered), "407 credential-refused"),
        ("cut", bearer(&token[..token.len() - 1]), "407 credential-refused"),
        (
            "unsigned",
            bearer(&format!("{none}.{payload}.")),
            "407 credential-refused",
        ),
        ("twice", bearer(token) + &bearer(token), "407 credential-refused"),
        ("two", bearer(token) + &shown(&expired), "407 credential-refused"),
        ("garbage", bearer("!"), "407 credential-refused"),
        (
            "another scheme",
            format!("Proxy-Authorization: Digest {token}\r\n"),
            "407 credential-refused",
        ),
        (
            "in another field",
            format!("Authorization: Bearer {token}\r\n"),
            "407 credential-required",
        ),
    ];
    for (what, fields, expected) in cases {
        let answer = place.ask("other.test", &fields).await;
        assert_eq!(outcome(&answer), expected, "{what}");
        assert!(
            answer.contains("\r\nproxy-authenticate: Basic realm=\"outwall\"\r\nproxy-authenticate: Bearer"),
            "{answer}"
        );
        assert!(answer.contains("to change this: "), "it teaches: {answer}");
        let connect = format!("CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n{fields}\r\n");
        assert_eq!(
            outcome(&place.say(&connect).await),
            expected,
            "{what}, by CONNECT"
        );
    }
    assert!(place.plain.seen().is_empty() && place.tls.seen().is_empty());
    let denied = place.gate.events_of("denied", 28).await;
    assert_eq!(denied.len(), 28, "every one is on record");
    for event in &denied {
        assert_eq!(
            (event["client"].as_str(), event.get("sandbox")),
            (Some("127.0.0.1"), None),
            "{event}"
        );
        assert!(!event.to_string().contains(payload), "{event}");
    }
    let basic = BASE64_STANDARD.encode(format!("anybody:{token}"));
    for fields in [shown(&good), format!("proxy-authorization: basic {basic}\r\n")] {
        assert_eq!(outcome(&place.ask("other.test", &fields).await), "200 -");
    }
}

#[tokio::test]
async fn a_connection_is_one_sandboxs_and_each_request_says_so() {
    let place = Place::new().await;
    let (one, two) = (place.issue("wide"), place.issue("narrow"));
    let request = |fields: &str| {
        format!("GET http://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\n{fields}\r\n")
    };
    let twice = |second: &str| request(&shown(&one)) + &request(&format!("Connection: close\r\n{second}"));
    let second = |answer: &str| outcome(&answer[answer.rfind("HTTP/1.1 ").unwrap()..]);
    assert_eq!(second(&place.say(&twice(&shown(&one))).await), "200 -");
    assert_eq!(
        second(&place.say(&twice(&shown(&two))).await),
        "407 credential-changed"
    );
    assert_eq!(second(&place.say(&twice("")).await), "407 credential-required");
    assert_eq!(
        second(&place.say(&twice(&bearer("a.b.c"))).await),
        "407 credential-changed"
    );
    assert_eq!(place.plain.seen().len(), 5);
}

#[tokio::test]
async fn what_runs_ends_when_its_credential_is_revoked_and_what_others_run_goes_on() {
    let place = Place::new().await;
    let (one, two) = (place.issue("wide"), place.issue("wide"));
    let mut tunnels = Vec::new();
    for fresh in [&one, &two] {
        let mut stream = place
            .connect("stream.test:5432", fresh.token.expose())
            .await
            .unwrap();
        let mut greeting = [0; 11];
        stream.read_exact(&mut greeting).await.unwrap();
        tunnels.push(stream);
    }
    let mut running = Vec::new();
    for via in [Via::Http1, Via::H2] {
        let mut client = place.intercepted(one.token.expose(), via).await;
        let request = client.request("GET", "allowed.test", "/events?1000000", empty());
        let body = client.send(request).await.unwrap().into_body();
        running.push((client, body));
    }
    place.revoke(&one);
    let mut rest = Vec::new();
    timeout(Duration::from_secs(30), tunnels[0].read_to_end(&mut rest))
        .await
        .expect("the tunnel ends")
        .ok();
    for (_client, body) in running {
        let ended = http_body_util::BodyExt::collect(body);
        let ended = timeout(Duration::from_secs(30), ended)
            .await
            .expect("the exchange ends");
        assert!(ended.is_err(), "it is cut off, not complete");
    }
    tunnels[1].write_all(b"abc").await.unwrap();
    let mut back = [0; 3];
    tunnels[1].read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"abc");
    let denied = place.gate.events_of("denied", 1).await;
    assert_eq!(denied[0]["reason"], "credential-revoked");
    assert_eq!(denied[0]["sandbox"], one.claims.sandbox.to_string());
    let ended = place.gate.events_of("sandbox.ended", 1).await;
    assert_eq!(ended[0]["sandbox"], one.claims.sandbox.to_string());
}

#[tokio::test]
async fn no_request_that_begins_after_a_revocation_passes() {
    let place = Place::new().await;
    for via in [Via::Http1, Via::H2] {
        let fresh = place.issue("wide");
        let mut client = place.intercepted(fresh.token.expose(), via).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        let before = place.tls.seen().len();
        place.revoke(&fresh);
        let request = client.request("GET", "allowed.test", "/hello", empty());
        if let Ok(response) = client.send(request).await {
            let (status, reason, _) = read(response).await;
            assert_eq!((status, reason.as_str()), (403, "credential-revoked"));
        }
        assert_eq!(place.tls.seen().len(), before, "{via:?}");
    }
}

#[tokio::test]
async fn what_runs_ends_when_its_credential_expires() {
    let place = Place::new().await;
    let fresh = place.issue_for(
        "wide",
        Audience::Proxy,
        Timestamp::now(),
        SignedDuration::from_secs(2),
    );
    let mut tunnel = place
        .connect("stream.test:5432", fresh.token.expose())
        .await
        .unwrap();
    let mut all = Vec::new();
    let ended = timeout(Duration::from_secs(5), tunnel.read_to_end(&mut all)).await;
    ended.expect("the tunnel ends").ok();
    assert_eq!(all, b"220 hello\r\n");
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&fresh)).await),
        "407 credential-expired"
    );
    assert_eq!(place.gate.events_of("sandbox.ended", 1).await.len(), 1);
}

#[tokio::test]
async fn a_new_key_harms_nobody_unless_it_is_to() {
    let place = Place::new().await;
    let before = place.issue("wide");
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&before)).await),
        "200 -"
    );
    let issuer = place.gate.issuer();
    issuer.rotate_key(Overlap::UntilExpiry, Timestamp::now()).unwrap();
    let after = place.issue("wide");
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&before)).await),
        "200 -"
    );
    assert_eq!(outcome(&place.ask("allowed.test", &shown(&after)).await), "200 -");
    issuer.rotate_key(Overlap::None, Timestamp::now()).unwrap();
    for fresh in [&before, &after] {
        assert!(outcome(&place.ask("allowed.test", &shown(fresh)).await).starts_with("407 "));
    }
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&place.issue("wide"))).await),
        "200 -"
    );
}

#[tokio::test]
async fn who_shows_nothing_is_served_only_where_the_policy_says_so_and_until_it_does_not() {
    let place = Place::with(Limits::default(), "[proxy]\nanonymous_environment = \"narrow\"\n").await;
    assert_eq!(outcome(&place.ask("allowed.test", "").await), "200 -");
    assert_eq!(
        outcome(&place.ask("other.test", "").await),
        "403 host-not-allowed"
    );
    let wide = place.issue("wide");
    assert_eq!(outcome(&place.ask("other.test", &shown(&wide)).await), "200 -");
    let wrong = place.ask("allowed.test", &bearer("a.b.c")).await;
    assert_eq!(
        outcome(&wrong),
        "407 credential-refused",
        "nobody is anonymous by mistake"
    );
    let request = "GET http://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\n\r\n";
    let second = format!(
        "GET http://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n{}\r\n",
        shown(&wide)
    );
    let answer = place.say(&(request.to_owned() + &second)).await;
    assert!(answer.contains("credential-changed"), "{answer}");

    let mut tunnel = {
        let mut stream = TcpStream::connect(place.gate.address).await.unwrap();
        let head = b"CONNECT stream.test:5432 HTTP/1.1\r\nHost: stream.test:5432\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream
    };
    let mut greeting = [0; 50];
    tunnel.read_exact(&mut greeting).await.unwrap();
    place.gate.replace(&document(&place.plain, &place.tls).await);
    let mut rest = Vec::new();
    timeout(Duration::from_secs(3), tunnel.read_to_end(&mut rest))
        .await
        .expect("a reload reaches who is inside")
        .ok();
    assert_eq!(
        outcome(&place.ask("allowed.test", "").await),
        "407 credential-required"
    );
    assert_eq!(outcome(&place.ask("other.test", &shown(&wide)).await), "200 -");
}

#[tokio::test]
async fn guesses_fill_neither_log_nor_room_and_harm_nobody_else_at_that_address() {
    let limits = Limits {
        unidentified_per_peer: 30,
        ..Limits::default()
    };
    let place = Place::with(limits, "").await;
    let good = place.issue("wide");
    let mut outcomes = Vec::new();
    for _ in 0..25 {
        outcomes.push(outcome(&place.ask("allowed.test", &bearer("a.b.c")).await));
    }
    assert_eq!(outcomes[..20], vec!["407 credential-refused"; 20]);
    assert_eq!(outcomes[20..], vec!["429 too-many-attempts"; 5]);
    assert_eq!(outcome(&place.ask("allowed.test", &shown(&good)).await), "200 -");
    let mut identified = Vec::new();
    for _ in 0..40 {
        identified.push(
            place
                .connect("stream.test:5432", good.token.expose())
                .await
                .unwrap(),
        );
    }
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(TcpStream::connect(place.gate.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        place.ask("allowed.test", &shown(&good)).await,
        "",
        "no room for one more that says nothing yet"
    );
    silent.clear();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(outcome(&place.ask("allowed.test", &shown(&good)).await), "200 -");
}

#[tokio::test]
async fn each_sandbox_has_limits_of_its_own() {
    let limits = Limits {
        connections: 1,
        sandboxes: 2,
        ..Limits::default()
    };
    let place = Place::with(limits, "").await;
    let (one, two) = (place.issue("wide"), place.issue("wide"));
    let held = place
        .connect("stream.test:5432", one.token.expose())
        .await
        .unwrap();
    let refused = place
        .connect("stream.test:5432", one.token.expose())
        .await
        .unwrap_err();
    assert_eq!(outcome(&refused), "429 limit-reached");
    let _other = place
        .connect("stream.test:5432", two.token.expose())
        .await
        .unwrap();
    let third = place.issue("wide");
    let refused = place
        .connect("stream.test:5432", third.token.expose())
        .await
        .unwrap_err();
    assert_eq!(
        outcome(&refused),
        "429 limit-reached",
        "and there are so many of them"
    );
    place.revoke(&one);
    drop(held);
    place.gate.events_of("sandbox.ended", 1).await;
    assert!(
        place
            .connect("stream.test:5432", third.token.expose())
            .await
            .is_ok(),
        "one has gone"
    );
}

#[tokio::test]
async fn a_probe_needs_no_credential_and_reaches_nothing() {
    let place = Place::new().await;
    let healthy = place
        .say("GET /healthz HTTP/1.1\r\nHost: 10.0.0.7:8080\r\n\r\n")
        .await;
    assert!(
        healthy.starts_with("HTTP/1.1 200 OK\r\n") && healthy.ends_with("\r\n\r\nok\n"),
        "{healthy}"
    );
    for other in ["GET /metrics", "GET http://allowed.test/healthz", "POST /healthz"] {
        let answer = place
            .say(&format!(
                "{other} HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(outcome(&answer), "407 credential-required", "{other}");
    }
    std::fs::remove_file(place.gate.directory.path().join("credentials/revoked.json")).unwrap();
    let ill = place.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(ill.starts_with("HTTP/1.1 503 "), "{ill}");
    assert!(place.plain.seen().is_empty());
}

#[tokio::test]
async fn who_cannot_tell_what_was_revoked_serves_nobody() {
    let limits = Limits {
        credentials_unavailable: Duration::from_millis(500),
        ..Limits::default()
    };
    let place = Place::with(limits, "").await;
    let fresh = place.issue("wide");
    let mut tunnel = place
        .connect("stream.test:5432", fresh.token.expose())
        .await
        .unwrap();
    let list = place.gate.directory.path().join("credentials/revoked.json");
    std::fs::rename(&list, list.with_extension("away")).unwrap();
    assert_eq!(
        outcome(&place.ask("allowed.test", &shown(&fresh)).await),
        "503 credentials-unavailable"
    );
    let mut all = Vec::new();
    let ended = timeout(Duration::from_secs(3), tunnel.read_to_end(&mut all)).await;
    ended.expect("what runs goes on for a while only").ok();
    std::fs::rename(list.with_extension("away"), &list).unwrap();
    assert_eq!(outcome(&place.ask("allowed.test", &shown(&fresh)).await), "200 -");
}
