use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::TestOrigin;

/// The simplest gate: it allows everything and reads nothing, except for `refused.test`.
fn relay_to(origin: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || relay(client, origin));
        }
    });
    address
}

fn relay(mut client: TcpStream, origin: SocketAddr) {
    let mut head = vec![0; 1024];
    let length = client.read(&mut head).expect("a request");
    if head[..length].starts_with(b"CONNECT refused.test:443 ") {
        let refusal = b"HTTP/1.1 403 Forbidden\r\nx-outwall-reason: because\r\ncontent-length: 3\r\n\r\nno\n";
        client.write_all(refusal).expect("the client listens");
        return;
    }
    client
        .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
        .expect("the client listens");
    let mut server = TcpStream::connect(origin).expect("the origin listens");
    let (mut from_client, mut to_server) = (
        client.try_clone().expect("a socket"),
        server.try_clone().expect("a socket"),
    );
    thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let _ = std::io::copy(&mut server, &mut client);
}

#[test]
fn it_speaks_both_versions_over_tls_as_alpn_settles_it() {
    for speaks in [Versions::Http1Only, Versions::Http2Only] {
        let origin = TestOrigin::speaking(speaks);
        let ca = std::fs::read_to_string(origin.ca_file()).expect("the CA is readable");
        let client = Client::through(relay_to(origin.tls_address()), &ca);
        let echo = client
            .send("POST", "https://api.example.test/echo?a=1", "hello")
            .into_json();
        assert_eq!(echo["body"], "hello");
        assert_eq!(
            echo["version"],
            if speaks == Versions::Http1Only {
                "HTTP/1.1"
            } else {
                "HTTP/2.0"
            }
        );
        let uploaded = client
            .upload("https://api.example.test/upload", 1_000_000)
            .into_json();
        assert_eq!(
            (&uploaded["bytes"], &uploaded["intact"]),
            (&1_000_000.into(), &true.into())
        );
        let request = &origin.requests()[0];
        assert_eq!(request.header("host"), "api.example.test");
        assert_eq!(request.server_name.as_deref(), Some("api.example.test"));
    }
}

#[test]
fn one_connection_takes_several_requests() {
    for versions in [Versions::Http1Only, Versions::Http2Only] {
        let origin = TestOrigin::start();
        let ca = std::fs::read_to_string(origin.ca_file()).expect("the CA is readable");
        let client = Client::through(relay_to(origin.tls_address()), &ca).speaking(versions);
        let mut connection = client.open("https://api.example.test/");
        for status in [200, 204, 404] {
            let response = connection.get(&format!("https://api.example.test/status/{status}"));
            assert_eq!(response.status(), status);
            response.into_text();
        }
        assert_eq!(origin.connections(), 1);
    }
}

#[test]
fn a_refused_connect_is_a_response_and_a_stranger_is_an_error() {
    let origin = TestOrigin::start();
    let relay = relay_to(origin.tls_address());
    let stranger = std::fs::read_to_string(TestOrigin::start().ca_file()).expect("the CA is readable");
    let client = Client::through(relay, &stranger);
    let refused = client.get("https://refused.test/");
    assert_eq!((refused.status(), refused.reason()), (403, "because"));
    assert_eq!(refused.answered_by(), AnsweredBy::Connect);
    assert_eq!(refused.into_text(), "no\n");
    assert!(client.try_get("https://api.example.test/").is_err());
}

#[test]
fn raw_bytes_inside_tls_reach_the_origin_as_written() {
    let origin = TestOrigin::start();
    let ca = std::fs::read_to_string(origin.ca_file()).expect("the CA is readable");
    let mut raw = Client::through(relay_to(origin.tls_address()), &ca).raw("api.example.test");
    raw.send("GET /echo HTTP/1.1\r\nhost: api.example.test\r\nX-Odd:   spaces  \r\n\r\n");
    assert!(raw.read_head().starts_with("HTTP/1.1 200"));
    assert!(raw.read_for(Duration::from_millis(200)).contains("spaces"));
}
