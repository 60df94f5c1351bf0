//! Credentials that leave, each with the twin that is none: found, reported or kept, and never written down.

#![expect(clippy::format_collect, reason = "short texts")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::intercepted::ALL;
use crate::support::client::{Body, empty, full, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

#[path = "../../../tests/src/credentials.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the stories")]
mod credentials;

use credentials::{STANDARD, Seeded, Shape, base64};

fn document(origin: &Origin, action: &str) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"api.github.com\"]\n\
         [environments.default.dlp]\naction = \"{action}\"\n\
         patterns = [{{ name = \"acme-token\", regex = \"acme_[0-9a-f]{{32}}\", hosts = [\"api.github.com\"] }}]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{0}\", \"api.github.com\" = \"{0}\" }}\n",
        origin.address
    )
}

async fn origin(kind: OriginKind) -> Origin {
    Origin::named(kind, &["allowed.test", "api.github.com"]).await
}

fn shape(name: &str) -> Shape {
    let list = include_str!("../../../policy/data/credential-shapes.toml");
    let all = credentials::shapes(list);
    all.into_iter().find(|shape| shape.name == name).unwrap()
}

/// A token as GitHub makes them, and one with a wrong checksum.
fn token() -> (String, String) {
    let shape = shape("github-token");
    (
        shape.credential(&mut Seeded::new(7)),
        shape.twin(&mut Seeded::new(7)),
    )
}

fn acme() -> String {
    format!("acme_{}", "0f".repeat(16))
}

/// What the log must not have: any six characters of it in a row.
fn assert_unwritten(gate: &TestGate, secret: &str) {
    let written: String = gate.events().iter().map(ToString::to_string).collect();
    let tail = &secret[secret.len() / 2..];
    for at in 0..tail.len() - 6 {
        assert!(!written.contains(&tail[at..at + 6]), "{written}");
    }
}

/// Pieces with time between them.
fn slowly(pieces: &[&str]) -> Body {
    let pieces: Vec<Bytes> = pieces
        .iter()
        .map(|piece| Bytes::from((*piece).to_owned()))
        .collect();
    let frames = stream::iter(pieces).then(|piece| async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(Frame::data(piece))
    });
    http_body_util::BodyExt::boxed(StreamBody::new(frames))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    coded.extend(miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6));
    coded.extend([0; 8]); // nobody here looks at the checksum
    coded
}

#[tokio::test]
async fn a_credential_in_a_head_is_refused_before_anything_goes_out() {
    let (secret, twin) = token();
    for (via, kind) in ALL {
        let origin = origin(kind).await;
        let gate = TestGate::explicit(&document(&origin, "block")).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let send = async |client: &mut Client, path: &str, field: Option<&str>| {
            let mut request = client.request("GET", "allowed.test", path, empty());
            if let Some(field) = field {
                request.headers_mut().insert("x-note", field.parse().unwrap());
            }
            read(client.send(request).await.unwrap()).await
        };
        let basic = format!("Basic {}", base64(format!("x:{secret}").as_bytes(), STANDARD));
        let escaped: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for (path, field) in [
            ("/hello", Some(secret.as_str())),
            ("/hello", Some(basic.as_str())),
            (format!("/{secret}/x").as_str(), None),
            (format!("/hello?a=1&key={secret}").as_str(), None),
            (format!("/hello?{escaped}").as_str(), None),
        ] {
            let (status, reason, text) = send(&mut client, path, field).await;
            assert_eq!(
                (status, reason.as_str()),
                (403, "credential-leaving"),
                "{via:?} {kind:?} {path}"
            );
            assert!(
                text.contains("github-token") && text.contains("dlp.except"),
                "{text}"
            );
            assert!(!text.contains(&secret[4..12]), "{text}");
        }
        assert_eq!(origin.seen().len(), 0);
        assert_eq!(gate.events_of("exchange.going_out", 0).await.len(), 0);
        let findings = gate.events_of("finding", 4).await;
        assert_eq!(findings[0]["reason"], "credential-leaving");
        assert_eq!(findings[0]["target"], "allowed.test:443");
        assert_eq!(findings[0]["path"], "/hello");
        let said = findings[0]["message"].as_str().unwrap();
        assert!(said.contains("the header field \"x-note\""), "{said}");
        assert_unwritten(&gate, &secret);
        let twin_path = format!("/hello?key={twin}");
        assert_eq!(
            send(&mut client, &twin_path, Some(&twin)).await.0,
            200,
            "{via:?} {kind:?}"
        );
    }
}

#[tokio::test]
async fn reporting_changes_nothing_and_says_it_once() {
    let (secret, _) = token();
    for (via, kind) in ALL {
        let origin = origin(kind).await;
        let gate = TestGate::explicit(&document(&origin, "report")).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for _ in 0..9 {
            let text = format!("{{\"note\":\"{secret}\"}}");
            let length = text.len();
            let request = client.request("POST", "allowed.test", "/count", full(text));
            let (status, _, count) = read(client.send(request).await.unwrap()).await;
            assert_eq!((status, count), (200, length.to_string()), "{via:?} {kind:?}");
        }
        let findings = gate.events_of("finding", 1).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        let said = findings[0]["message"].as_str().unwrap();
        assert!(
            said.contains("was sent to allowed.test") && said.contains("the body at byte 9"),
            "{said}"
        );
        assert_unwritten(&gate, &secret);
    }
}

#[tokio::test]
async fn a_small_body_is_refused_before_anything_goes_out() {
    let (secret, twin) = token();
    let key = shape("private-key").credential(&mut Seeded::new(1));
    for (via, kind) in ALL {
        let origin = origin(kind).await;
        let gate = TestGate::explicit(&document(&origin, "block")).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for (coding, body) in [
            (None, format!("token={secret}").into_bytes()),
            (
                None,
                format!(
                    "{{\"file\":\"{}\"}}",
                    base64(format!("x {secret}").as_bytes(), STANDARD)
                )
                .into_bytes(),
            ),
            (
                None,
                format!("{{\"key\":{}}}", serde_json::to_string(&key).unwrap()).into_bytes(),
            ),
            (Some("gzip"), gzip(&format!("{{\"note\":\"{secret}\"}}"))),
        ] {
            let mut request = client.request("POST", "allowed.test", "/count", full(body));
            if let Some(coding) = coding {
                request
                    .headers_mut()
                    .insert("content-encoding", coding.parse().unwrap());
            }
            let (status, reason, _) = read(client.send(request).await.unwrap()).await;
            assert_eq!(
                (status, reason.as_str()),
                (403, "credential-leaving"),
                "{via:?} {kind:?} {coding:?}"
            );
        }
        assert_eq!(origin.seen().len(), 0);
        assert_eq!(gate.events_of("exchange.going_out", 0).await.len(), 0);
        let mut request = client.request("POST", "allowed.test", "/count", full(gzip(&twin)));
        request
            .headers_mut()
            .insert("content-encoding", "gzip".parse().unwrap());
        assert_eq!(read(client.send(request).await.unwrap()).await.0, 200);
        assert_eq!(origin.bytes_received(), gzip(&twin).len(), "the coding stays");
    }
}

#[tokio::test]
async fn a_running_body_is_cut_before_the_secret_leaves() {
    let (secret, twin) = token();
    for (via, kind) in ALL {
        let origin = origin(kind).await;
        let gate = TestGate::explicit(&document(&origin, "block")).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let (head, tail) = twin.split_at(20);
        let request = client.request(
            "POST",
            "allowed.test",
            "/count",
            slowly(&["before ", head, tail, " after"]),
        );
        let (status, _, count) = read(client.send(request).await.unwrap()).await;
        assert_eq!(
            (status, count),
            (200, (13 + twin.len()).to_string()),
            "{via:?} {kind:?}"
        );
        let before = origin.bytes_received();
        let (head, tail) = secret.split_at(20);
        let request = client.request(
            "POST",
            "allowed.test",
            "/count",
            slowly(&["before ", head, tail, " after"]),
        );
        let (status, reason, _) = read(client.send(request).await.unwrap()).await;
        assert_eq!(
            (status, reason.as_str()),
            (403, "credential-leaving"),
            "{via:?} {kind:?}"
        );
        origin.sees_a_body_end_badly().await;
        let left = origin.bytes_received() - before;
        assert!(left <= "before ".len(), "{left} bytes left");
        let ended = gate.events_of("exchange.came_back", 2).await;
        assert_eq!(ended[1]["outcome"], "failed");
        let said = ended[1]["error"].as_str().unwrap();
        assert!(
            said.contains("github-token") && said.contains("the body at byte 7"),
            "{said}"
        );
        assert_eq!(
            gate.events_of("denied", 1).await[0]["reason"],
            "credential-leaving"
        );
        assert_unwritten(&gate, &secret);
    }
}

#[tokio::test]
async fn a_conversation_is_not_held_up() {
    let origin = origin(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, "block")).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    let (say, said) = mpsc::channel::<Bytes>(1);
    let frames = stream::unfold(said, |mut said| async move {
        said.recv().await.map(|bytes| (Ok(Frame::data(bytes)), said))
    });
    let body = http_body_util::BodyExt::boxed(StreamBody::new(frames));
    let request = client.request("POST", "allowed.test", "/echo", body);
    let mut response = client.send(request).await.unwrap().into_body();
    for word in ["hello", "Z2hw", "ghp", "AKI", "eyJ", "sk-", "\\", "%", "x\n"] {
        say.send(Bytes::from(word)).await.unwrap();
        let echoed = tokio::time::timeout(Duration::from_secs(10), response.frame()).await;
        let echoed = echoed.unwrap().unwrap().unwrap().into_data().unwrap();
        assert_eq!(echoed, word);
    }
}

#[tokio::test]
async fn a_credential_goes_home() {
    let (secret, _) = token();
    for text in [secret, acme()] {
        let origin = origin(OriginKind::H2).await;
        let own = "[environments.default.foreign_credentials]\n\"api.github.com\" = \"allow\"\n";
        let gate = TestGate::explicit(&format!("{}{own}", document(&origin, "block"))).await;
        for (host, expected) in [("api.github.com", 200), ("allowed.test", 403)] {
            let mut client = Client::to(&gate, host, Via::H2).await;
            let mut request = client.request("POST", host, "/count", full(text.clone()));
            request
                .headers_mut()
                .insert("authorization", format!("Bearer {text}").parse().unwrap());
            assert_eq!(
                read(client.send(request).await.unwrap()).await.0,
                expected,
                "{host}"
            );
        }
    }
}

#[tokio::test]
async fn a_jwt_is_presented_in_authorization_and_leaks_elsewhere() {
    let jwt = shape("jwt").credential(&mut Seeded::new(3));
    let origin = origin(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, "block")).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    for (name, expected) in [("authorization", 200), ("cookie", 200), ("x-note", 403)] {
        let mut request = client.request("GET", "allowed.test", "/hello", empty());
        request
            .headers_mut()
            .insert(name, format!("Bearer {jwt}").parse().unwrap());
        assert_eq!(
            read(client.send(request).await.unwrap()).await.0,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_where_credentials_are_kept_refused() {
    for (action, expected) in [("block", 403), ("report", 200), ("off", 200)] {
        let origin = origin(OriginKind::Http1).await;
        let gate = TestGate::explicit(&document(&origin, action)).await;
        let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
        for coding in ["aes128gcm", "gzip"] {
            let mut request = client.request("POST", "allowed.test", "/count", full("no coding at all"));
            request
                .headers_mut()
                .insert("content-encoding", coding.parse().unwrap());
            let (status, reason, count) = read(client.send(request).await.unwrap()).await;
            assert_eq!(status, expected, "{action} {coding}");
            match expected {
                403 => assert_eq!(reason, "unreadable-coding"),
                _ => assert_eq!(count, "16"),
            }
        }
        let findings = gate.events_of("finding", usize::from(action != "off")).await;
        assert_eq!(findings.len(), usize::from(action != "off"), "{findings:?}");
    }
}

#[tokio::test]
async fn a_configured_pattern_is_not_written_down_either() {
    for (action, expected) in [("block", 403), ("report", 404)] {
        let origin = origin(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin, action)).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let path = format!("/before/{}/after?{}=1", acme(), acme());
        assert_eq!(client.get("allowed.test", &path).await.0, expected, "{action}");
        let findings = gate.events_of("finding", 1).await;
        assert_eq!(findings[0]["path"], "/before/***/after?***");
        assert_unwritten(&gate, &acme());
    }
}

#[tokio::test]
async fn a_credential_in_a_trailer_is_found() {
    let (secret, twin) = token();
    let origin = origin(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, "block")).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    for (value, expected) in [(twin, 200), (secret, 403)] {
        let trailers =
            [("x-sum", value)].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let frames = [
            Ok(Frame::data(Bytes::from("text"))),
            Ok(Frame::trailers(trailers.into_iter().collect())),
        ];
        let body = http_body_util::BodyExt::boxed(StreamBody::new(stream::iter(frames)));
        let request = client.request("POST", "allowed.test", "/count", body);
        assert_eq!(read(client.send(request).await.unwrap()).await.0, expected);
    }
    assert_eq!(origin.trailers().len(), 1);
}

/// Else whoever is refused could go on trying what passes for as long as it likes, at the cost of a scan each time.
#[tokio::test]
async fn a_request_that_is_refused_for_what_it_carries_has_been_counted() {
    let origin = origin(OriginKind::H2).await;
    for (limit, last) in [(2, 429), (3, 200)] {
        let limits = format!("[environments.default.limits]\nrequests_per_minute = {limit}\n");
        let gate = TestGate::explicit(&(document(&origin, "block") + &limits)).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        let mut request = client.request("GET", "allowed.test", "/hello", empty());
        request.headers_mut().insert("x-note", acme().parse().unwrap());
        let (status, reason, _) = read(client.send(request).await.unwrap()).await;
        assert_eq!((status, reason.as_str()), (403, "credential-leaving"));
        assert_eq!(
            client.get("allowed.test", "/hello").await.0,
            last,
            "limit {limit}"
        );
    }
}
