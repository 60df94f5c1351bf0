//! What an exchange looks like on the other side of the gate: what is passed on, what is
//! the connection's own and stays, and what a client learns when something breaks.

use std::thread;
use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";
const BOTH: [Versions; 2] = [Versions::Http1Only, Versions::Http2Only];

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

#[test]
fn fields_of_the_request_are_passed_on_and_the_connections_own_are_not() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    raw.send(format!(
        "GET /echo HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer theirs\r\nX-Twice: 1\r\nX-Twice: 2\r\n\
         Connection: keep-alive, x-hop\r\nX-Hop: secret\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic Zm9v\r\n\
         Proxy-Connection: keep-alive\r\nTE: trailers, deflate\r\n\r\n"
    ));
    assert!(raw.read_head().starts_with("HTTP/1.1 200"));
    let request = origin.requests().remove(0);
    assert_eq!(request.header("authorization"), "Bearer theirs");
    assert_eq!(request.headers.get_all("x-twice").iter().count(), 2);
    for own in ["x-hop", "keep-alive", "proxy-authorization", "proxy-connection"] {
        assert!(!request.headers.contains_key(own), "{own}: {request:?}");
    }
    for revealing in ["via", "x-forwarded-for", "forwarded", "x-outwall-sandbox"] {
        assert!(
            !request.headers.contains_key(revealing),
            "{revealing}: {request:?}"
        );
    }
    assert!(matches!(request.header("te"), "" | "trailers"), "{request:?}");
}

#[test]
fn fields_of_the_response_are_passed_on_and_the_connections_own_are_not() {
    for speaks in BOTH {
        let origin = TestOrigin::speaking(speaks);
        let (_outwall, gate) = story(&origin);
        for asks in BOTH {
            let response = gate
                .client()
                .speaking(asks)
                .get(&format!("https://{HOST}/cookies"));
            assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
            assert_eq!(response.header("keep-alive"), "");
            assert_eq!(response.reason(), "");
            assert_eq!(response.into_text(), "ok");
        }
    }
}

#[test]
fn responses_without_a_body_have_none() {
    for speaks in BOTH {
        let origin = TestOrigin::speaking(speaks);
        let (_outwall, gate) = story(&origin);
        for asks in BOTH {
            let client = gate.client().speaking(asks);
            let head = client.try_send("HEAD", &format!("https://{HOST}/bytes/1000"));
            let head = head.unwrap_or_else(|error| panic!("{asks:?} to {speaks:?}: {error:#}"));
            assert_eq!((head.status(), head.header("content-length")), (200, "1000"));
            assert_eq!(head.into_text(), "");
            for status in [204, 304] {
                let response = client.get(&format!("https://{HOST}/status/{status}"));
                assert_eq!(response.status(), status);
                assert_eq!(response.into_text(), "");
            }
        }
    }
}

#[test]
fn methods_and_their_bodies_arrive_as_they_were_sent() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    for asks in BOTH {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let echo = gate.client().speaking(asks).send(
                method,
                &format!("https://{HOST}/echo/a%20b?x=%2F&y"),
                "body",
            );
            let echo = echo.into_json();
            assert_eq!((&echo["method"], &echo["body"]), (&method.into(), &"body".into()));
            assert_eq!(
                (&echo["path"], &echo["query"]),
                (&"/echo/a%20b".into(), &"x=%2F&y".into())
            );
        }
    }
}

#[test]
fn a_body_that_breaks_off_does_not_look_whole() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (outwall, gate) = story(&origin);
    for asks in BOTH {
        let mut response = gate
            .client()
            .speaking(asks)
            .get(&format!("https://{HOST}/broken"));
        assert_eq!(response.status(), 200);
        let whole = loop {
            match response.piece() {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert!(!whole, "{asks:?}");
    }
    gate.stop();
    let back = outwall.audit_of("exchange.came_back");
    assert_eq!(back.len(), 2);
    assert!(
        back.iter().all(|record| record["outcome"] != "complete"),
        "{back:#?}"
    );
}

#[test]
fn a_refused_upload_is_told_why_and_not_cut_off() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    for asks in BOTH {
        for length in [100, 20_000_000] {
            let refused = gate
                .client()
                .speaking(asks)
                .upload("https://other.example.test/upload", length);
            assert_eq!(
                (refused.status(), refused.reason()),
                (403, "host-not-allowed"),
                "{asks:?}, {length} bytes"
            );
            assert!(refused.into_text().contains("other.example.test"));
        }
    }
    let allowed = gate
        .client()
        .upload(&format!("https://{HOST}/upload"), 20_000_000)
        .into_json();
    assert_eq!(allowed["bytes"], 20_000_000);
}

#[test]
fn one_slow_exchange_of_a_connection_holds_up_no_other() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    let client = gate.client().speaking(Versions::Http2Only);
    let slow = {
        let client = client.clone();
        thread::spawn(move || client.get(&format!("https://{HOST}/slow?ms=3000")).status())
    };
    let mut held = client.get(&format!("https://{HOST}/bytes/100000000"));
    held.piece().unwrap();
    let started = Instant::now();
    for number in 0..20 {
        client.get(&format!("https://{HOST}/n/{number}")).into_text();
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(slow.join().unwrap(), 200);
}

#[test]
fn a_client_that_leaves_takes_its_request_with_it() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    for asks in BOTH {
        let mut response = gate
            .client()
            .speaking(asks)
            .get(&format!("https://{HOST}/sse?count=1000&ms=20"));
        response.piece().unwrap();
    }
    thread::sleep(Duration::from_millis(500));
    let back = outwall.audit_of("exchange.came_back");
    assert_eq!(
        back.len(),
        2,
        "closed when the client left, not when the origin is done: {back:#?}"
    );
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);
}

#[test]
fn an_origin_that_closes_an_idle_connection_is_asked_again() {
    // An origin that has gone and come back: the pooled connection is dead when it is used.
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    for round in 0..3 {
        let status = gate.client().get(&format!("https://{HOST}/n/{round}")).status();
        assert_eq!(status, 200);
        origin.hang_up();
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "waits for the time in which a head must be whole"]
fn a_head_that_never_ends_is_not_waited_for() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    let mut plain = gate.raw();
    plain.send("GET http://api.example.test/ HTTP/1.1\r\nx-a: ");
    let mut inside = gate.client().raw(HOST);
    inside.send("GET / HTTP/1.1\r\nx-a: ");
    assert!(plain.closes_within(Duration::from_secs(40)));
    assert!(inside.closes_within(Duration::from_secs(40)));
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);
}
