//! Names that disagree: the connection is for one host and something inside it names another. Both hosts are allowed, so that
//! nothing but the disagreement is refused.

use crate::attack::{Attack, Attempt, Inside, Opening, Port, Section, Side, Speaks, host1, twin_of};
use crate::build::{Draft, attack as draft, direct, frames_to, http1, of_host, talk};
use crate::hello;
use crate::{h2, tls};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Fronting, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = server_names();
    list.extend(hosts());
    list.extend(second_ways());
    list.extend(hellos());
    list
}

impl Draft {
    /// Another allowed host than the class's own.
    fn other(&self) -> String {
        twin_of(&host1(self.class()))
    }

    fn own(&self) -> String {
        host1(self.class())
    }

    /// By CONNECT, then TLS with this name, then a request that names this host.
    fn through_proxy(self, name: Option<&str>, host: &str) -> Self {
        let own = self.own();
        let mut attempt = inside_tls(&own, name, Speaks::Http1, get(host));
        attempt.from = Side::Proxy;
        if let crate::attack::Act::Talk(talk) = &mut attempt.act {
            talk.opening = Opening::Proxy {
                connect: Some(format!("{own}:443")),
                fields: String::new(),
            };
        }
        self.tried(attempt)
    }

    /// Captured, then TLS with this name, then a request that names this host.
    fn captured(self, name: Option<&str>, host: &str) -> Self {
        let attempt = inside_tls(&self.own(), name, Speaks::Http1, get(host));
        self.tried(attempt)
    }

    /// A first message of these bytes, to the class's own host.
    fn hello(self, bytes: Vec<u8>) -> Self {
        let opening = direct(&self.own(), Port::Number(443));
        self.tried(talk(opening, Inside::Clear, vec![bytes]))
    }
}

fn get(host: &str) -> Vec<u8> {
    format!("GET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

fn inside_tls(to: &str, name: Option<&str>, speaks: Speaks, text: Vec<u8>) -> Attempt {
    let inside = Inside::Tls {
        name: name.map(str::to_owned),
        speaks,
    };
    talk(direct(to, Port::Number(443)), inside, vec![text])
}

fn server_names() -> Vec<Attack> {
    let sni = attack(
        "sni-is-not-the-target",
        "a name in SNI that is not the one connected to, with a Host that agrees with either",
    );
    let (own, other) = (sni.own(), sni.other());
    let sni = sni
        .through_proxy(Some(&other), &other)
        .through_proxy(Some(&other), &own)
        .captured(Some(&other), &other)
        .captured(Some(&other), &own)
        .refused(&["fronting"]);
    let missing = attack(
        "no-sni-and-another-host",
        "no name in SNI, so that only Host says where to",
    );
    let (own, other) = (missing.own(), missing.other());
    let twin = inside_tls(&twin_of(&own), None, Speaks::Http1, get(&other));
    let missing = missing
        .through_proxy(None, &other)
        .captured(None, &other)
        .beside("no name in SNI, and the host that was connected to", twin)
        .refused(&["fronting"]);
    let unlisted = attack(
        "sni-of-an-unlisted-host",
        "an allowed host is connected to and an unlisted one named inside, as domain fronting does",
    )
    .known("domain fronting");
    let own = unlisted.own();
    let unlisted = unlisted
        .through_proxy(Some("cdn.evil.outwall.test"), "cdn.evil.outwall.test")
        .captured(Some("cdn.evil.outwall.test"), "cdn.evil.outwall.test")
        .captured(Some(&own), "cdn.evil.outwall.test")
        .refused(&["fronting"]);
    vec![sni, missing, unlisted]
}

fn hosts() -> Vec<Attack> {
    let host = attack(
        "host-is-not-the-connections",
        "Host names another allowed host than SNI and the connection",
    );
    let other = host.other();
    let own = host.own();
    let host = host
        .captured(Some(&own), &other)
        .clear(get(&other))
        .refused(&["fronting"]);

    let authority = attack(
        "authority-is-not-the-connections",
        "a client that coalesces h2 connections, or an attacker who looks like one",
    );
    let other = authority.other();
    let authority = authority
        .fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", &other),
            (":path", "/echo/a"),
        ])
        .seen("421, so that a coalescing client reconnects", |seen| {
            seen.answers
                .first()
                .is_some_and(|answer| (answer.status, answer.reason.as_str()) == (421, "fronting"))
        });

    let both = attack(
        "host-beside-authority",
        "h2 with an allowed :authority and another host field",
    );
    let other = both.other();
    let both = both
        .fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "{host}"),
            (":path", "/echo/a"),
            ("host", &other),
        ])
        .nothing();

    let absolute = attack(
        "absolute-form-against-host",
        "a request target that is a URL of another host than Host",
    )
    .known("RFC 9112 section 3.2.2");
    let other = absolute.other();
    let absolute = absolute
        .http1(format!(
            "GET https://{other}/echo/a HTTP/1.1\r\nhost: {{host}}\r\n\r\n"
        ))
        .http1(format!(
            "GET https://{{host}}/echo/a HTTP/1.1\r\nhost: {other}\r\n\r\n"
        ))
        .proxy(format!(
            "GET http://{{host}}/echo/a HTTP/1.1\r\nhost: {other}\r\nconnection: close\r\n\r\n"
        ))
        .twin_http1(
            "a request target that is a URL of the same host",
            "GET https://{host}/echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
        .refused(&["fronting"]);

    let connect = attack(
        "connect-against-host",
        "CONNECT to an allowed host with another in Host",
    );
    let other = connect.other();
    let connect = connect
        .proxy(format!(
            "CONNECT {{host}}:443 HTTP/1.1\r\nhost: {other}:443\r\n\r\n"
        ))
        .proxy("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:80\r\n\r\n")
        .refused(&["fronting"]);
    let scheme = attack(
        "another-scheme",
        "http:// on a connection for https, javascript:, and a scheme that carries a host",
    )
    .http1("GET http://{host}/echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
    .fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "{host}"),
        (":path", "/echo/a"),
    ])
    .fields(&[
        (":method", "GET"),
        (":scheme", "https://evil.outwall.test/?"),
        (":authority", "{host}"),
        (":path", "/echo/a"),
    ])
    .fields(&[
        (":method", "GET"),
        (":scheme", "file"),
        (":authority", "{host}"),
        (":path", "/echo/a"),
    ])
    .nothing();
    vec![host, authority, both, absolute, connect, scheme]
}

fn second_ways() -> Vec<Attack> {
    vec![
        attack("connect-within", "a second CONNECT inside a connection that was decided on")
            .http1("CONNECT evil.outwall.test:443 HTTP/1.1\r\nhost: evil.outwall.test:443\r\n\r\n")
            .http1("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n")
            .clear("CONNECT evil.outwall.test:443 HTTP/1.1\r\nhost: evil.outwall.test:443\r\n\r\n")
            .fields(&[(":method", "CONNECT"), (":authority", "evil.outwall.test:443")])
            .nothing(),
        attack("extended-connect", "extended CONNECT of h2 to another host, or for another protocol than WebSocket")
            .known("RFC 8441")
            .fields(&[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "evil.outwall.test"), (":path", "/echo/a")])
            .fields(&[(":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", "https"), (":authority", "{host}"), (":path", "/echo/a")])
            .fields(&[(":method", "CONNECT"), (":protocol", "connect-ip"), (":scheme", "https"), (":authority", "{host}"), (":path", "/echo/a")])
            .nothing(),
        attack("h2c-upgrade", "an upgrade to h2c, behind which requests are not read one by one")
            .known("h2c smuggling, 2020")
            .http1("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
            .clear("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
            .arrives("without upgrade and http2-settings", |arrival| {
                ["upgrade", "http2-settings", "connection"].iter().all(|name| arrival.fields(name).is_empty())
            }),
        attack("h2-prior-knowledge", "h2 where http/1.1 was agreed on, or nothing was").clear(preface()).http1(preface()).proxy(preface()).nothing(),
        attack("one-answer-for-two-hosts", "a request for another host on an h2 connection takes the next one with it")
            .h2(|host| {
                let other = twin_of(host);
                let fields = [(":method", "GET"), (":scheme", "https"), (":authority", other.as_str()), (":path", "/forbidden")];
                vec![h2::request(1, &fields), h2::request(3, &of_host(crate::build::PLAIN, host))]
            })
            .answers(2)
            .arrives("the second request only", |arrival| arrival.path() == "/echo/a"),
    ]
}

fn preface() -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "evil.outwall.test"),
        (":path", "/forbidden"),
    ];
    h2::opening(&[h2::request(1, &fields)])
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn hellos() -> Vec<Attack> {
    let split = attack(
        "split-hello",
        "a ClientHello in records of a few bytes, so that the first packet holds no name",
    );
    let (own, other) = (split.own(), split.other());
    let twin = split_tls(&twin_of(&own), &other, get(&other));
    let fronted = split_tls(&own, &other, get(&other));
    let split = split
        .tried(fronted)
        .beside("the same hello with the name of the host", twin)
        .refused(&["fronting"]);

    let names = attack(
        "odd-sni",
        "a NUL, an address, two names, no name and another kind of name in SNI",
    )
    .known("RFC 6066 section 3");
    let other = names.other();
    let own = names.own();
    let list = |names: &[&[u8]]| hello::with_server_names(&tls::hello(&own), names);
    let nul = format!("{own}\0.evil.outwall.test");
    let names = names
        .hello(list(&[nul.as_bytes()]))
        .hello(list(&[b"127.0.0.1"]))
        .hello(list(&[own.as_bytes(), other.as_bytes()]))
        .hello(list(&[other.as_bytes(), own.as_bytes()]))
        .hello(list(&[b""]))
        .hello(hello::with_server_name_extension(
            &tls::hello(&own),
            &[0, 4, 7, 0, 1, b'a'],
        ))
        .unanswered()
        .nothing();

    let twice = attack(
        "sni-twice",
        "two server_name extensions, of which readers take one or the other",
    )
    .known("RFC 8446 section 4.2");
    let (own, other) = (twice.own(), twice.other());
    let twice = twice
        .hello(hello::with_second_server_name(
            &tls::hello(&own),
            other.as_bytes(),
        ))
        .unanswered()
        .nothing();

    let encrypted = attack(
        "encrypted-hello",
        "ECH: an outer name that is allowed hides an inner one",
    )
    .known("RFC 9849");
    let (own, other) = (encrypted.own(), encrypted.other());
    let outer = hello::with_server_names(&tls::hello(&other), &[other.as_bytes()]);
    let _ = own;
    let encrypted = encrypted
        .hello(hello::with_encrypted_hello(&outer))
        .unanswered()
        .nothing();

    let old = attack("old-tls", "SSL 3.0, TLS 1.0 and TLS 1.1").known("RFC 8996");
    let own = old.own();
    let old = old
        .hello(hello::of_version(&own, 0x0300))
        .hello(hello::of_version(&own, 0x0301))
        .hello(hello::of_version(&own, 0x0302))
        .unanswered()
        .nothing();

    let broken = attack(
        "broken-hello",
        "hellos that end too soon, lie about their length, or never end",
    );
    let own = broken.own();
    let whole = tls::hello(&own);
    let broken = broken
        .hello(whole[..whole.len() / 2].to_vec())
        .hello(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00".to_vec())
        .hello([b"\x16\x03\x01\x40\x00\x01\x00\xff\xff".to_vec(), vec![0; 20_000]].concat())
        .hello(vec![0x16; 64])
        .hello(b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10".to_vec())
        .unanswered()
        .nothing();

    let unknown = attack(
        "unknown-alpn",
        "only protocols that are not read: h3 and one that nobody has",
    );
    let own = unknown.own();
    let attempt = inside_tls(&own, Some(&own), Speaks::Unknown, get(&own));
    let unknown = unknown.tried(attempt).nothing();

    let other_protocol = attack(
        "other-protocol-on-443",
        "SSH, SMTP or nothing known where TLS or HTTP is expected",
    )
    .hello(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())
    .hello(b"EHLO evil\r\nMAIL FROM:<a@evil.outwall.test>\r\n".to_vec())
    .hello(vec![0; 64])
    .hello(b"\x05\x01\x00".to_vec())
    .unanswered()
    .nothing();

    let frames = attack(
        "alpn-against-bytes",
        "http/1.1 inside a connection that agreed on h2, and the other way round",
    );
    let (own, other) = (frames.own(), frames.other());
    let text = inside_tls(&own, Some(&own), Speaks::H2, get(&own));
    let twin = frames_to(&other, &[h2::request(1, &of_host(crate::build::PLAIN, &other))]);
    let second_twin = http1(&other, &[&get(&other)]);
    let frames = frames
        .tried(text)
        .beside("each protocol where it was agreed on", twin)
        .beside("each protocol where it was agreed on", second_twin)
        .nothing();
    vec![
        split,
        names,
        twice,
        encrypted,
        old,
        broken,
        unknown,
        other_protocol,
        frames,
    ]
}

fn split_tls(to: &str, name: &str, text: Vec<u8>) -> Attempt {
    talk(
        direct(to, Port::Number(443)),
        Inside::SplitTls {
            name: name.to_owned(),
        },
        vec![text],
    )
}
