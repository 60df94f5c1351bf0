//! Clients that know that they speak to a proxy: requests in absolute form, and what is no request.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Origin, OriginKind, TestGate};

fn document(origin: &Origin) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"other.test\"]\n\
         [origins]\nhosts = {{ \"allowed.test:80\" = \"{0}\", \"other.test:80\" = \"{0}\" }}\n",
        origin.address
    )
}

async fn say(gate: &TestGate, text: &str) -> String {
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_in_absolute_form_goes_to_the_host_that_it_names() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let answer = say(
        &gate,
        "GET http://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\n\r\n\
         GET http://other.test/hello HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    let seen = origin.seen();
    assert_eq!(
        (seen[0].uri.as_str(), seen[0].headers["host"].to_str().unwrap()),
        ("/hello", "allowed.test")
    );
    assert_eq!(
        (seen[1].uri.as_str(), seen[1].headers["host"].to_str().unwrap()),
        ("/hello", "other.test")
    );
}

#[tokio::test]
async fn each_request_of_a_connection_is_decided_by_itself() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let answer = say(
        &gate,
        "GET http://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\n\r\n\
         GET http://denied.test/hello HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("HTTP/1.1 403 Forbidden"), "{answer}");
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_flood_of_requests_is_refused_to_the_last_and_recorded_as_a_number() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let ask = |host: &str| format!("GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let flood = ask("allowed.test") + &ask("denied.test").repeat(1500) + &ask("allowed.test");
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answers = String::new();
    let reading = async {
        let mut buffer = vec![0; 64 * 1024];
        while answers.matches("HTTP/1.1 200 OK").count() < 2 {
            let read = reader.read(&mut buffer).await.unwrap();
            assert!(read > 0, "closed");
            answers += std::str::from_utf8(&buffer[..read]).unwrap();
        }
    };
    let (written, ()) = tokio::join!(writer.write_all(flood.as_bytes()), reading);
    written.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 403 Forbidden").count(), 1500);
    assert_eq!(
        origin.seen().len(),
        2,
        "what is allowed goes on, and nothing else"
    );
    let denied = gate.events_of("denied", 1000).await;
    let repeated: u64 = denied
        .iter()
        .map(|event| event["repeated"].as_u64().unwrap_or(1))
        .sum();
    assert_eq!(repeated, 1500);
    assert!(denied.len() < 1100, "{}", denied.len());
    assert_eq!(gate.events_of("exchange.going_out", 2).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_forwarded_nowhere() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    for (text, reason) in [
        (
            "GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n",
            "host-not-allowed",
        ),
        (
            "GET /hello HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
            "malformed-target",
        ),
        (
            "GET https://allowed.test/hello HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
            "malformed-target",
        ),
        (
            "CONNECT allowed.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
            "fronting",
        ),
        ("CONNECT allowed.test HTTP/1.1\r\n\r\n", "malformed-target"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed-target"),
        ("\u{16}\u{3}\u{1}\u{0}", "malformed-target"),
        ("\r\n\r\nrubbish \u{1}\r\n\r\n", "malformed-target"),
    ] {
        let answer = say(&gate, text).await;
        assert!(
            answer.contains(&format!("x-outwall-reason: {reason}\r\n")),
            "{text:?}: {answer}"
        );
    }
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn the_gates_own_listener_is_no_target() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let answer = say(&gate, &format!("CONNECT {} HTTP/1.1\r\n\r\n", gate.address)).await;
    assert!(answer.contains("x-outwall-reason: own-listener"), "{answer}");
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_unless_the_operator_says_so() {
    let origin = Origin::start(OriginKind::Plain).await;
    // Twice the same origin on loopback: by the operator's word, and by the literal alone.
    let gate = TestGate::explicit(&format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"localhost\"]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{}\" }}\n",
        origin.address
    ))
    .await;
    let ask =
        |host: &str| format!("GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let refused = say(&gate, &ask("localhost")).await;
    assert!(refused.contains("x-outwall-reason: address-refused"), "{refused}");
    let answered = say(&gate, &ask("allowed.test")).await;
    assert!(answered.starts_with("HTTP/1.1 200 OK"), "{answered}");
    assert_eq!(gate.events_of("denied", 1).await[0]["reason"], "address-refused");
}
