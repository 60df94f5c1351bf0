//! Reads what a request asks for: method, host and path, each from every place that names it, and all of them must agree.
//!
//! A gate that decides on one spelling and sends another has decided nothing. So the request leaves with the path that was
//! decided on, and with one `Host`, written by us.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method as HttpMethod, Request, Uri, Version};
use hyper::body::Body;
use outwall_policy::{Action, Method, Reason, RequestPath, Scheme, Target};

use crate::disguise;
use crate::websocket::Handshake;

/// The target of a connection with the two ways in which a request may spell it, so that the usual spelling costs no parsing.
#[derive(Clone)]
pub(crate) struct Expected {
    pub(crate) scheme: Scheme,
    pub(crate) target: Target,
    /// `host:port`.
    full: Authority,
    /// `host`, when the port is the scheme's own.
    bare: Option<Authority>,
}

impl Expected {
    pub(crate) fn new(scheme: Scheme, target: Target) -> Self {
        let full = authority(&target.to_string());
        let bare = (target.port == scheme.default_port()).then(|| {
            let full = full.as_str();
            authority(&full[..full.len() - ":".len() - target.port.to_string().len()])
        });
        Self {
            scheme,
            target,
            full,
            bare,
        }
    }

    /// What is sent as `Host` or `:authority` for a request that spelled it `named`. A spelling that is normal stays, since
    /// some clients sign it.
    pub(crate) fn authority_for(&self, named: &[u8]) -> &Authority {
        match &self.bare {
            Some(bare) if named != self.full.as_str().as_bytes() => bare,
            _ => &self.full,
        }
    }

    /// Whether `named` is this target.
    fn is_named_by(&self, named: &[u8]) -> Result<(), Mismatch> {
        let normal = |authority: &Authority| named == authority.as_str().as_bytes();
        if normal(&self.full) || self.bare.as_ref().is_some_and(normal) {
            return Ok(());
        }
        let text = std::str::from_utf8(named).map_err(|_| Mismatch::Unreadable("not ASCII".to_owned()))?;
        let target = Target::parse_with_default(text, self.scheme.default_port())
            .map_err(|error| Mismatch::Unreadable(error.to_string()))?;
        if target == self.target {
            Ok(())
        } else {
            Err(Mismatch::Other(target))
        }
    }
}

enum Mismatch {
    Unreadable(String),
    Other(Target),
}

/// Reads the action of a request, or says what is wrong with it.
pub(crate) fn read<B: Body>(
    mut request: Request<B>,
    expected: &Expected,
) -> Result<Action<Request<B>>, Reason> {
    let handshake = Handshake::read(&request)?;
    check_scheme(&request, expected)?;
    check_names(&request, expected)?;
    let method = match handshake {
        None => Method::parse(request.method().as_str()).map_err(|error| malformed(&error))?,
        Some(handshake) => {
            *request.method_mut() = HttpMethod::GET; // which in h2's form it is not
            request.extensions_mut().insert(handshake);
            Method::GET
        }
    };
    let path = RequestPath::parse(request.uri().path()).map_err(|error| malformed(&error))?;
    send_what_is_decided(&mut request, &path)?;
    Ok(Action {
        scheme: expected.scheme,
        target: expected.target.clone(),
        method,
        acts_as: disguise::acts_as(request.method(), request.headers())?,
        writing: disguise::writing(&request),
        path,
        carried: request,
    })
}

/// What is wrong with a head that got this status.
pub(crate) fn malformed_head(status: u16) -> &'static str {
    match status {
        414 | 431 => "its head is too large, or has too many fields",
        _ => {
            "its head is not HTTP/1.1 that every reader takes alike: look for line breaks, spaces and lengths in it"
        }
    }
}

fn check_scheme<B>(request: &Request<B>, expected: &Expected) -> Result<(), Reason> {
    match request.uri().scheme_str() {
        Some(scheme) if scheme != expected.scheme.as_str() => Err(Reason::MalformedRequest {
            what: format!("it says {scheme} on a connection for {}", expected.scheme),
        }),
        _ => Ok(()),
    }
}

/// `Host` and `:authority`, or the authority of an absolute form. On http/1.1 there must be exactly one `Host`
/// (RFC 9112 section 3.2), on h2 an `:authority` or a `Host`.
fn check_names<B>(request: &Request<B>, expected: &Expected) -> Result<(), Reason> {
    let h2 = request.version() == Version::HTTP_2;
    let authority = request.uri().authority();
    if let Some(authority) = authority {
        let place = if h2 { ":authority" } else { "the request target" };
        named(authority.as_str().as_bytes(), place, expected)?;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Reason::MalformedRequest {
            what: "more than one Host".to_owned(),
        }),
        (Some(host), None) => named(host.as_bytes(), "Host", expected),
        (None, _) if h2 && authority.is_some() => Ok(()),
        (None, _) => Err(Reason::MalformedRequest {
            what: "no Host".to_owned(),
        }),
    }
}

fn named(name: &[u8], place: &'static str, expected: &Expected) -> Result<(), Reason> {
    expected.is_named_by(name).map_err(|mismatch| match mismatch {
        Mismatch::Unreadable(what) => Reason::MalformedRequest {
            what: format!("{place}: {what}"),
        },
        Mismatch::Other(other) => Reason::Fronting {
            target: expected.target.clone(),
            named: other.to_string(),
            place,
        },
    })
}

fn send_what_is_decided<B>(request: &mut Request<B>, path: &RequestPath) -> Result<(), Reason> {
    if request.uri().path() == path.as_str() {
        return Ok(());
    }
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let whole =
        PathAndQuery::try_from(format!("{}{query}", path.as_str())).map_err(|error| malformed(&error))?;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(whole);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| malformed(&error))?;
    Ok(())
}

/// The spelling of a request's host: `Host`, else `:authority`.
pub(crate) fn spelled_host<B>(request: &Request<B>) -> &[u8] {
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    host.or_else(|| {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str().as_bytes())
    })
    .unwrap_or_default()
}

/// The host that an absolute-form request names, for a connection that has no target of its own.
pub(crate) fn absolute_target(uri: &Uri) -> Result<Target, Reason> {
    let what = |what: &str| Reason::MalformedTarget {
        what: what.to_owned(),
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) if !authority.as_str().contains('@') => {
            Target::parse_with_default(authority.as_str(), Scheme::Http.default_port())
                .map_err(|error| what(&error.to_string()))
        }
        (Some("http"), Some(_)) => Err(what("the request target has user information")),
        (Some(_), _) => Err(what(
            "only http:// URLs are asked for in absolute form; https:// takes CONNECT",
        )),
        (None, _) => Err(what(
            "this is a proxy: requests name their host, as http:// URL or by CONNECT",
        )),
    }
}

fn malformed(error: &impl std::fmt::Display) -> Reason {
    Reason::MalformedRequest {
        what: error.to_string(),
    }
}

fn authority(text: &str) -> Authority {
    Authority::try_from(text).expect("a target in normal form is an authority")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use bytes::Bytes;
    use http_body_util::Empty;

    use super::*;

    fn expected() -> Expected {
        Expected::new(Scheme::Https, Target::parse("api.example.com:443").unwrap())
    }

    fn request(uri: &str, hosts: &[&str]) -> Request<Empty<Bytes>> {
        let mut builder = Request::builder().uri(uri);
        for host in hosts {
            builder = builder.header("host", *host);
        }
        builder.body(Empty::new()).unwrap()
    }

    fn code(request: Request<Empty<Bytes>>) -> &'static str {
        match read(request, &expected()) {
            Ok(_) => "ok",
            Err(reason) => reason.code(),
        }
    }

    #[test]
    fn every_spelling_of_the_host_is_the_host() {
        for host in [
            "api.example.com",
            "api.example.com:443",
            "API.Example.COM",
            "api.example.com.",
        ] {
            assert_eq!(code(request("/", &[host])), "ok", "{host}");
        }
        assert_eq!(
            code(request("https://api.example.com/", &["api.example.com"])),
            "ok"
        );
    }

    #[test]
    fn another_host_or_port_anywhere_is_fronting() {
        for host in [
            "evil.com",
            "api.example.com:80",
            "api.example.com.evil.com",
            "192.0.2.1",
        ] {
            assert_eq!(code(request("/", &[host])), "fronting", "{host}");
        }
        assert_eq!(
            code(request("https://evil.com/", &["api.example.com"])),
            "fronting"
        );
        assert_eq!(
            code(request("https://api.example.com/", &["evil.com"])),
            "fronting"
        );
    }

    #[test]
    fn no_host_two_hosts_and_odd_hosts_are_malformed() {
        for hosts in [
            &[][..],
            &["api.example.com", "api.example.com"],
            &["api.example.com@evil.com"],
            &["a b"],
            &[""],
        ] {
            assert_eq!(code(request("/", hosts)), "malformed-request", "{hosts:?}");
        }
    }

    #[test]
    fn a_connection_for_tls_does_not_take_requests_for_http() {
        assert_eq!(
            code(request("http://api.example.com/", &["api.example.com"])),
            "malformed-request"
        );
    }

    #[test]
    fn a_websocket_is_a_get_in_both_forms_and_another_upgrade_is_refused() {
        let upgrade = |protocol: &'static str| {
            let mut request = request("/chat", &["api.example.com"]);
            for (name, value) in [
                ("connection", "Upgrade"),
                ("upgrade", protocol),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ] {
                request
                    .headers_mut()
                    .insert(name, HeaderValue::from_static(value));
            }
            request
        };
        let mut connect = request("https://api.example.com/chat", &[]);
        *connect.method_mut() = HttpMethod::CONNECT;
        *connect.version_mut() = Version::HTTP_2;
        connect
            .extensions_mut()
            .insert(h2::ext::Protocol::from_static("websocket"));
        for request in [upgrade("websocket"), connect] {
            let action = read(request, &expected())
                .map_err(|reason| reason.code())
                .unwrap();
            assert_eq!(action.method, Method::GET);
            assert!(action.carried.extensions().get::<Handshake>().is_some());
        }
        assert_eq!(code(upgrade("x-tunnel")), "upgrade-refused");
        let java = read(upgrade("h2c"), &expected())
            .map_err(|reason| reason.code())
            .unwrap();
        assert!(java.carried.extensions().get::<Handshake>().is_none());
    }

    #[test]
    fn a_normal_spelling_is_sent_as_it_came_and_another_in_normal_form() {
        let expected = expected();
        assert_eq!(
            expected.authority_for(b"api.example.com:443").as_str(),
            "api.example.com:443"
        );
        assert_eq!(
            expected.authority_for(b"api.example.com").as_str(),
            "api.example.com"
        );
        assert_eq!(
            expected.authority_for(b"API.example.com.:443").as_str(),
            "api.example.com"
        );
        let odd = Expected::new(Scheme::Https, Target::parse("[2001:db8::1]:8443").unwrap());
        assert_eq!(odd.authority_for(b"x").as_str(), "[2001:db8::1]:8443");
    }

    #[test]
    fn only_http_urls_are_taken_in_absolute_form() {
        let target = |uri: &str| absolute_target(&uri.parse().unwrap());
        assert_eq!(target("http://a.test/x").unwrap().to_string(), "a.test:80");
        for uri in ["https://a.test/", "/x", "http://user@a.test/"] {
            assert_eq!(target(uri).unwrap_err().code(), "malformed-target", "{uri}");
        }
    }
}
