//! Reads what a client wants to reach: from its first request, or from where its connection was going when it was captured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Buf as _;
use http::Uri;
use outwall_broker::scoped::{Presented, Unreadable, presented};
use outwall_policy::{Host, Reason, Target, classify, host_ports};
use tokio::time::timeout;

use crate::action;
use crate::client::{Client, Entrance, FirstBytes};
use crate::connection::Accepted;
use crate::error::Error;
use crate::limits::Limits;
use crate::refusal::Format;
use crate::sandbox_gate::SandboxGate;

/// What a client asks for, or why that cannot be said.
pub(crate) type Asked = Result<Target, Reason>;

/// The first request of a client that knows that it speaks to a proxy.
pub(crate) struct FirstRequest {
    pub(crate) asked: Asked,
    /// What it shows to say who it is, where the request could be read that far.
    pub(crate) shown: Result<Presented, Unreadable>,
    /// It asks whether the proxy is there, and for nothing behind it.
    pub(crate) is_probe: bool,
}

/// A head that was read to its end.
struct Head {
    entrance: Entrance,
    first: FirstRequest,
    length: usize,
}

/// Reads the first request of a client of a door that one sandbox alone has.
pub(crate) async fn explicit(
    accepted: Accepted,
    gate: &SandboxGate,
) -> Result<Option<(Client, Asked)>, Error> {
    let read = first_request(accepted, &gate.shared.limits).await?;
    Ok(read.map(|(client, first)| (client, first.asked.and_then(|target| not_own(target, gate)))))
}

/// The gate itself is nobody's target.
pub(crate) fn not_own(target: Target, gate: &SandboxGate) -> Asked {
    if own_listener(&target, gate) {
        return Err(Reason::OwnListener { target });
    }
    Ok(target)
}

/// Reads the first request. None: nothing was said, and an open connection is not an attempt.
pub(crate) async fn first_request(
    accepted: Accepted,
    limits: &Limits,
) -> Result<Option<(Client, FirstRequest)>, Error> {
    let mut client = Client::new(accepted, Entrance::Connect);
    let reading = read_first_head(&mut client, limits.head_bytes, limits.head_fields);
    match timeout(limits.handshake, reading).await {
        Err(_elapsed) => Ok(None),
        Ok(read) => Ok(read?.map(|first| (client, first))),
    }
}

async fn read_first_head(
    client: &mut Client,
    longest: usize,
    most_fields: usize,
) -> Result<Option<FirstRequest>, Error> {
    loop {
        let read = client.read_more().await?;
        if read == 0 {
            return Ok(None);
        }
        match parse_first_head(&client.seen, most_fields) {
            Ok(Some(head)) => {
                client.entrance = head.entrance;
                if head.entrance == Entrance::Connect {
                    client.seen.advance(head.length); // the rest is what goes through
                }
                return Ok(Some(head.first));
            }
            Ok(None) if client.seen.len() >= longest => {
                let reason = malformed("the head of the request is too long");
                return Ok(Some(FirstRequest::unreadable(reason)));
            }
            Ok(None) => {}
            Err(reason) => return Ok(Some(FirstRequest::unreadable(reason))),
        }
    }
}

impl FirstRequest {
    /// Nothing that could be read says who asks.
    fn unreadable(reason: Reason) -> Self {
        Self {
            asked: Err(reason),
            shown: Ok(Presented::Nothing),
            is_probe: false,
        }
    }
}

/// The head at the start of `bytes`; nothing while it is not complete.
fn parse_first_head(bytes: &[u8], most_fields: usize) -> Result<Option<Head>, Reason> {
    if bytes.first() == Some(&TLS) {
        return Err(malformed("TLS to the proxy itself; it is spoken to in the clear"));
    }
    if bytes.starts_with(H2_PREFACE) {
        return Err(malformed("h2 without a negotiation"));
    }
    let mut fields = vec![httparse::EMPTY_HEADER; most_fields];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&error.to_string())),
    };
    let target = request.path.unwrap_or_default();
    let method = request.method.unwrap_or_default();
    let (entrance, asked) = if method == "CONNECT" {
        (Entrance::Connect, connect_target(target, request.headers))
    } else {
        let format = accepted(request.headers);
        (Entrance::AbsoluteForm { format }, absolute_target(target))
    };
    let first = FirstRequest {
        asked,
        shown: shown(request.headers),
        is_probe: target == PROBE && method == "GET",
    };
    Ok(Some(Head {
        entrance,
        first,
        length,
    }))
}

fn absolute_target(text: &str) -> Asked {
    let uri: Uri = text
        .parse()
        .map_err(|_| malformed("the request target is no URL"))?;
    action::absolute_target(&uri)
}

fn shown(fields: &[httparse::Header<'_>]) -> Result<Presented, Unreadable> {
    let ours = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case("proxy-authorization");
    presented(fields.iter().filter(ours).map(|field| field.value))
}

/// The same for the fuzz target, which has no client.
#[cfg(fuzzing)]
pub(crate) fn first_head(bytes: &[u8], most_fields: usize) -> Result<Option<(Target, usize)>, Reason> {
    let Some(head) = parse_first_head(bytes, most_fields)? else {
        return Ok(None);
    };
    Ok(Some((head.first.asked?, head.length)))
}

/// CONNECT names host and port; a `Host` beside it must name the same, and a body has no meaning (RFC 9110 section 9.3.6).
fn connect_target(text: &str, fields: &[httparse::Header<'_>]) -> Result<Target, Reason> {
    let target = Target::parse(text).map_err(|error| Reason::MalformedTarget {
        what: error.to_string(),
    })?;
    for field in fields {
        if field.name.eq_ignore_ascii_case("host") {
            check_host(field.value, &target)?;
        }
        let framed = field.name.eq_ignore_ascii_case("transfer-encoding")
            || (field.name.eq_ignore_ascii_case("content-length") && field.value != b"0");
        if framed {
            return Err(malformed("CONNECT with a body"));
        }
    }
    Ok(target)
}

fn check_host(value: &[u8], target: &Target) -> Result<(), Reason> {
    let text = std::str::from_utf8(value).map_err(|_| malformed("Host is not ASCII"))?;
    let named = Target::parse_with_default(text, target.port)
        .map_err(|error| malformed(&format!("Host: {error}")))?;
    if named == *target {
        return Ok(());
    }
    Err(Reason::Fronting {
        target: target.clone(),
        named: named.to_string(),
        place: "Host",
    })
}

fn accepted(fields: &[httparse::Header<'_>]) -> Format {
    fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("accept"))
        .and_then(|field| std::str::from_utf8(field.value).ok())
        .map_or(Format::Text, Format::named_first)
}

/// Finds out where a captured connection was going. A synthetic address stands for a name; another is a literal, unless the
/// client names its host in TLS: then that is decided on and resolved by us, and the address is not used.
pub(crate) async fn captured(
    accepted: Accepted,
    original: SocketAddr,
    gate: &SandboxGate,
) -> Result<(Client, Asked), Error> {
    let mut client = Client::new(accepted, Entrance::Captured { original });
    let ip = original.ip().to_canonical();
    let literal = Target::new(Host::from(ip), original.port());
    if let Some(name) = gate.names.as_ref().and_then(|names| names.name_of(ip)) {
        return Ok((client, Ok(Target::new(Host::from(name), original.port()))));
    }
    if ip.is_loopback() || ip.is_unspecified() || own_listener(&literal, gate) {
        return Ok((client, Err(Reason::OwnListener { target: literal })));
    }
    let patience = patience(original.port(), gate);
    let named = match client.first_bytes(patience, &gate.shared.limits).await? {
        // An address in SNI is compared with the one that is connected to, and takes nothing's place.
        Ok(FirstBytes::Tls(hello)) => hello.server_name.filter(|host| host.name().is_some()),
        Ok(FirstBytes::Other | FirstBytes::Nothing) | Err(_) => None,
    };
    let target = named.map_or(literal, |name| Target::new(name, original.port()));
    Ok((client, Ok(target)))
}

/// A connection to a loopback port of the sandbox that stands for the host's: the same as by the host's name.
pub(crate) fn host_port(accepted: Accepted, port: u16) -> (Client, Asked) {
    let original = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let client = Client::new(accepted, Entrance::Captured { original });
    (client, Ok(host_ports::target(port)))
}

/// How long a client is waited for that may be one that lets the server speak first.
pub(crate) fn patience(port: u16, gate: &SandboxGate) -> std::time::Duration {
    match port {
        80 | 443 => gate.shared.limits.handshake, // the client speaks first, however long it takes to start
        _ => gate.shared.limits.refusal_patience,
    }
}

/// Whether a target is one of the gate's own listeners, by address; by name it is found when dialling. A listener for every
/// address is met at the machine's own ones, none of which is public.
fn own_listener(target: &Target, gate: &SandboxGate) -> bool {
    let leads_to = |own: &SocketAddr, ip: IpAddr| {
        let met = own.ip().to_canonical() == ip || own.ip().is_unspecified() && classify(ip).is_refused();
        own.port() == target.port && met
    };
    let loopback = host_ports::is_host(&target.host).then(|| Ipv4Addr::LOCALHOST.into());
    target
        .host
        .address()
        .or(loopback)
        .is_some_and(|ip| gate.own_listeners.iter().any(|own| leads_to(own, ip)))
}

fn malformed(what: &str) -> Reason {
    Reason::MalformedTarget {
        what: what.to_owned(),
    }
}

/// What an orchestrator asks to learn whether a proxy is there.
const PROBE: &str = "/healthz";
const TLS: u8 = 0x16;
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn target(head: &str) -> Result<String, &'static str> {
        match parse_first_head(head.as_bytes(), 16) {
            Ok(Some(head)) => match head.first.asked {
                Ok(target) => Ok(target.to_string()),
                Err(reason) => Err(reason.code()),
            },
            Ok(None) => Err("incomplete"),
            Err(reason) => Err(reason.code()),
        }
    }

    #[test]
    fn connect_names_host_and_port() {
        assert_eq!(
            target("CONNECT Example.com:443 HTTP/1.1\r\n\r\n").unwrap(),
            "example.com:443"
        );
        assert_eq!(
            target("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
            Err("fronting")
        );
        assert_eq!(
            target("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:DB8::1]:443\r\n\r\n").unwrap(),
            "[2001:db8::1]:443"
        );
        for odd in [
            "example.com",
            "example.com:0",
            "example.com:443.evil.com",
            "a@b:443",
            "0x7f.1:443",
            ":443",
        ] {
            assert_eq!(
                target(&format!("CONNECT {odd} HTTP/1.1\r\n\r\n")),
                Err("malformed-target"),
                "{odd}"
            );
        }
    }

    #[test]
    fn host_beside_connect_must_agree() {
        let with = |host: &str| target(&format!("CONNECT a.test:443 HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(with("a.test:443").is_ok() && with("A.test").is_ok());
        assert_eq!(with("evil.test"), Err("fronting"));
        assert_eq!(with("a.test:80"), Err("fronting"));
    }

    #[test]
    fn connect_has_no_body() {
        let with = |field: &str| target(&format!("CONNECT a.test:443 HTTP/1.1\r\n{field}\r\n\r\n"));
        assert!(with("Content-Length: 0").is_ok());
        assert_eq!(with("Content-Length: 5"), Err("malformed-target"));
        assert_eq!(with("Transfer-Encoding: chunked"), Err("malformed-target"));
    }

    #[test]
    fn an_absolute_form_names_its_host() {
        assert_eq!(
            target("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap(),
            "a.test:80"
        );
        assert_eq!(
            target("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n"),
            Err("malformed-target")
        );
        assert_eq!(target("GET http://a.te"), Err("incomplete"));
    }

    #[test]
    fn who_asks_is_read_even_where_what_is_asked_cannot_be() {
        let shown = |head: &str| {
            parse_first_head(head.as_bytes(), 16)
                .ok()
                .flatten()
                .unwrap()
                .first
                .shown
        };
        let bearer = "Proxy-Authorization: Bearer a.b.c\r\n";
        assert_eq!(shown("CONNECT x HTTP/1.1\r\n\r\n"), Ok(Presented::Nothing));
        for line in [
            "CONNECT x HTTP/1.1",
            "CONNECT a.test:443 HTTP/1.1",
            "GET http://a.test/ HTTP/1.1",
        ] {
            assert!(
                matches!(shown(&format!("{line}\r\n{bearer}\r\n")), Ok(Presented::Token(_))),
                "{line}"
            );
            assert_eq!(
                shown(&format!("{line}\r\n{bearer}{bearer}\r\n")),
                Err(Unreadable::More),
                "{line}"
            );
        }
    }

    #[test]
    fn a_probe_is_a_plain_request_for_one_path() {
        let probe = |line: &str| {
            let head = format!("{line} HTTP/1.1\r\nHost: a.test\r\n\r\n");
            parse_first_head(head.as_bytes(), 16)
                .ok()
                .flatten()
                .unwrap()
                .first
                .is_probe
        };
        assert!(probe("GET /healthz"));
        for other in [
            "HEAD /healthz",
            "POST /healthz",
            "GET /healthz/",
            "GET http://a.test/healthz",
            "CONNECT /healthz",
            "GET /",
        ] {
            assert!(!probe(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_request_in_the_clear_is_refused_at_once() {
        assert_eq!(target("\u{16}\u{3}\u{1}"), Err("malformed-target"));
        assert_eq!(
            target("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            Err("malformed-target")
        );
    }
}
