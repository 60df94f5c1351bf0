//! What GitHub is called at a listener: how a request's URL is read there, and how a URL that leads to GitHub is written for its client.

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, LINK, LOCATION};
use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri};
use outwall_policy::github::{GithubHost, GithubService};
use outwall_policy::{Reason, Scheme, Target};

/// What GitHub is called at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// As one server, whose API is below `/api`, as on a GitHub Enterprise Server.
    OneServer,
    /// By the names of its own hosts: gh goes by a socket as it would by the network.
    Hosts,
}

/// Where a client reaches GitHub when that is not GitHub itself. Goes with its request.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// Where git's doors are, as the client has it: `http://127.0.0.1:3000`.
    base: String,
    /// URLs of GitHub, and the same here.
    prefixes: Vec<(String, String)>,
    /// What it shows there.
    shown: Option<HeaderValue>,
}

impl Names {
    /// The target of a request, which is written anew as GitHub itself is asked it.
    ///
    /// 1. It names one `Host`; what is asked for in absolute form names the same there.
    /// 2. By its hosts: that is one of GitHub's that is served here. As one server: the path says which service it is for; in absolute
    ///    form, which is how git asks a proxy for `http://github.com/`, the host does here too.
    pub(super) fn enter<B>(self, at: &GithubHost, request: &mut Request<B>) -> Result<Target, Reason> {
        let named = named(request.headers())?;
        let asked = request.uri().clone();
        let shown = request.headers().get(AUTHORIZATION).cloned();
        let (target, path, here) = match (self, asked.authority()) {
            (Self::Hosts, None) => (host_of(at, &named, HTTPS)?, asked.path().to_owned(), None),
            (Self::Hosts, Some(_)) => {
                return Err(malformed("it is asked as of a proxy, and this is GitHub itself"));
            }
            (Self::OneServer, None) => {
                let (target, path) = service_of(at, asked.path());
                (target, path, Some(Here::one_server(at, &named, shown)?))
            }
            (Self::OneServer, Some(authority)) => {
                let is_http = asked.scheme_str() == Some("http");
                if !is_http || !authority.as_str().eq_ignore_ascii_case(&named) {
                    return Err(malformed(
                        "it is asked as of a proxy, for something else than its Host",
                    ));
                }
                let target = host_of(at, &named, HTTP)?;
                (target, asked.path().to_owned(), Some(Here::hosts(at, shown)))
            }
        };
        if let Some(here) = here {
            request.extensions_mut().insert(here);
        }
        *request.uri_mut() = uri(&path, asked.query())?;
        let host =
            HeaderValue::try_from(target.host.to_string()).map_err(|_| malformed("its Host is none"))?;
        request.headers_mut().insert(HOST, host);
        Ok(target)
    }
}

impl Here {
    /// At a listener, by the name that its client has for it.
    fn one_server(at: &GithubHost, named: &str, shown: Option<HeaderValue>) -> Result<Self, Reason> {
        let authority = Authority::try_from(named)
            .ok()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(|| malformed("its Host is none"))?;
        let base = format!("http://{authority}");
        let below = |path: &str| format!("{base}{path}/");
        let mut prefixes = vec![(itself(at.as_str()), below(""))];
        if at.has_api_host() {
            prefixes.push((itself(&at.api_host()), below(API)));
            prefixes.push((itself(&uploads_host(at)), below(UPLOADS)));
        }
        Ok(Self {
            base,
            prefixes,
            shown,
        })
    }

    /// By the names of its hosts, without TLS.
    fn hosts(at: &GithubHost, shown: Option<HeaderValue>) -> Self {
        let hosts = [at.to_string(), at.api_host(), uploads_host(at)];
        Self {
            base: format!("http://{at}"),
            prefixes: hosts
                .map(|host| (itself(&host), format!("http://{host}/")))
                .into(),
            shown,
        }
    }

    /// The URL of git's doors, as the client has it.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What it shows, for where it is to show it again.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.shown.as_ref().and_then(|shown| shown.to_str().ok())
    }

    /// Where an answer leads to GitHub (`Location`, and the pages of `Link`, RFC 8288), it leads here.
    pub(crate) fn lead_back(&self, headers: &mut HeaderMap) {
        for (name, before) in [(LOCATION, ""), (LINK, "<")] {
            let led = headers
                .get(&name)
                .and_then(|value| self.led(value.to_str().ok()?, before));
            if let Some(led) = led {
                headers.insert(name, led);
            }
        }
    }

    /// A field in which each URL stands behind this; behind nothing: the field is one URL.
    fn led(&self, text: &str, before: &str) -> Option<HeaderValue> {
        let mut text = text.to_owned();
        for (theirs, ours) in &self.prefixes {
            if before.is_empty() {
                if let Some(rest) = text.strip_prefix(theirs) {
                    return HeaderValue::try_from(format!("{ours}{rest}")).ok();
                }
            } else {
                text = text.replace(&format!("{before}{theirs}"), &format!("{before}{ours}"));
            }
        }
        HeaderValue::try_from(text).ok()
    }
}

fn named(headers: &HeaderMap) -> Result<String, Reason> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => match host.to_str() {
            Ok(host) if !host.is_empty() => Ok(host.to_owned()),
            _ => Err(malformed("its Host is none")),
        },
        (None, _) => Err(malformed("no Host")),
        (Some(_), Some(_)) => Err(malformed("more than one Host")),
    }
}

/// The service that a path of the one server is for, and its path there.
fn service_of(at: &GithubHost, path: &str) -> (Target, String) {
    let web = || target(at.as_str());
    if !at.has_api_host() {
        return (web(), path.to_owned());
    }
    let below = |prefix: &str| match path.strip_prefix(prefix) {
        Some("") => Some("/".to_owned()),
        Some(rest) if rest.starts_with('/') => Some(rest.to_owned()),
        _ => None,
    };
    if path == GRAPHQL {
        (target(&at.api_host()), "/graphql".to_owned())
    } else if let Some(rest) = below(API) {
        (target(&at.api_host()), rest)
    } else if let Some(rest) = below(UPLOADS) {
        (target(&uploads_host(at)), rest)
    } else {
        (web(), path.to_owned())
    }
}

/// The host of GitHub that a request names, with the port of its scheme or without.
fn host_of(at: &GithubHost, named: &str, scheme: Scheme) -> Result<Target, Reason> {
    let port = scheme.default_port();
    let target = Target::parse_with_default(named, port).map_err(|_| malformed("its Host is none"))?;
    let is_served = !matches!(at.service(&target), None | Some(GithubService::Storage));
    if target.port == port && is_served {
        return Ok(Target::new(target.host, HTTPS.default_port()));
    }
    Err(Reason::MalformedRequest {
        what: format!("its Host is `{target}`, and only the hosts of {at} are served here"),
    })
}

fn uri(path: &str, query: Option<&str>) -> Result<Uri, Reason> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    PathAndQuery::try_from(format!("{path}{query}"))
        .map(Uri::from)
        .map_err(|_| malformed("its path is none"))
}

fn target(host: &str) -> Target {
    let port = Scheme::Https.default_port();
    Target::parse_with_default(host, port).expect("the host of a GitHub")
}

fn itself(host: &str) -> String {
    format!("https://{host}/")
}

fn uploads_host(at: &GithubHost) -> String {
    format!("uploads.{at}")
}

fn malformed(what: &str) -> Reason {
    Reason::MalformedRequest {
        what: what.to_owned(),
    }
}

const HTTP: Scheme = Scheme::Http;
const HTTPS: Scheme = Scheme::Https;
const API: &str = "/api/v3";
const GRAPHQL: &str = "/api/graphql";
const UPLOADS: &str = "/api/uploads";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn enter(names: Names, at: &str, host: &str, asked: &str) -> Result<(String, Request<()>), Reason> {
        let mut request = Request::builder()
            .uri(asked)
            .header(HOST, host)
            .header(AUTHORIZATION, "token a.b.c")
            .body(())
            .unwrap();
        let target = names.enter(&at.parse().unwrap(), &mut request)?;
        Ok((target.to_string(), request))
    }

    fn asked(names: Names, at: &str, host: &str, path: &str) -> Option<String> {
        let (target, request) = enter(names, at, host, path).ok()?;
        assert_eq!(
            format!("{}:443", request.headers()[HOST].to_str().unwrap()),
            target
        );
        Some(format!("{target}{}", request.uri()))
    }

    #[test]
    fn the_one_server_is_many_hosts() {
        let asked = |path: &str| asked(Names::OneServer, "github.com", "127.0.0.1:3000", path).unwrap();
        for (path, there) in [
            (
                "/acme/app.git/info/refs?service=x",
                "github.com:443/acme/app.git/info/refs?service=x",
            ),
            (
                "/api/v3/repos/acme/app?page=2",
                "api.github.com:443/repos/acme/app?page=2",
            ),
            ("/api/v3", "api.github.com:443/"),
            ("/api/graphql", "api.github.com:443/graphql"),
            ("/api/uploads/repos/x", "uploads.github.com:443/repos/x"),
            ("/api/v3x/y", "github.com:443/api/v3x/y"),
            ("/api/graphql/x", "github.com:443/api/graphql/x"),
        ] {
            assert_eq!(asked(path), there);
        }
    }

    #[test]
    fn a_server_of_ones_own_has_the_same_paths() {
        let asked = |path| asked(Names::OneServer, "ghe.example.com", "localhost:3000", path);
        assert_eq!(
            asked("/api/v3/user").as_deref(),
            Some("ghe.example.com:443/api/v3/user")
        );
        assert_eq!(
            asked("/acme/app").as_deref(),
            Some("ghe.example.com:443/acme/app")
        );
    }

    #[test]
    fn by_its_names_only_githubs_own_are_served() {
        let asked = |host| asked(Names::Hosts, "github.com", host, "/x?y=1");
        for (host, there) in [
            ("api.github.com", "api.github.com:443/x?y=1"),
            ("GitHub.com:443", "github.com:443/x?y=1"),
            ("uploads.github.com", "uploads.github.com:443/x?y=1"),
        ] {
            assert_eq!(asked(host).as_deref(), Some(there));
        }
        for other in [
            "example.com",
            "api.github.com:80",
            "api.github.com.example.com",
            "objects.githubusercontent.com",
            "127.0.0.1:3000",
            "api.github.com@example.com",
            "",
        ] {
            assert_eq!(asked(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_a_proxy_for_github_alone_and_has_one_host() {
        let asked = |host, url| asked(Names::OneServer, "github.com", host, url);
        assert_eq!(
            asked("github.com", "http://github.com/acme/app?x").as_deref(),
            Some("github.com:443/acme/app?x")
        );
        assert_eq!(asked("example.com", "http://example.com/x"), None);
        assert_eq!(asked("github.com", "http://api.github.com/x"), None);
        assert_eq!(asked("github.com:8080", "http://github.com:8080/x"), None);
        assert_eq!(asked("github.com", "https://github.com/x"), None);
        assert!(enter(Names::Hosts, "github.com", "github.com", "http://github.com/x").is_err());
        assert!(enter(Names::OneServer, "github.com", "user@localhost", "/x").is_err());
        assert!(enter(Names::OneServer, "github.com", "localhost", "/x").is_ok());
        let mut two = Request::builder()
            .uri("/x")
            .header(HOST, "github.com")
            .header(HOST, "github.com")
            .body(())
            .unwrap();
        assert!(
            Names::Hosts
                .enter(&"github.com".parse().unwrap(), &mut two)
                .is_err()
        );
    }

    #[test]
    fn what_leads_to_github_leads_here_and_what_does_not_stays() {
        let (_, request) = enter(Names::OneServer, "github.com", "localhost:3000", "/x").unwrap();
        let here = request.extensions().get::<Here>().unwrap();
        assert_eq!(here.shown(), Some("token a.b.c"));
        let back = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            here.lead_back(&mut headers);
            headers[name].to_str().unwrap().to_owned()
        };
        assert_eq!(
            back("location", "https://api.github.com/repositories/1"),
            "http://localhost:3000/api/v3/repositories/1"
        );
        assert_eq!(
            back("location", "https://github.com/acme/new"),
            "http://localhost:3000/acme/new"
        );
        assert_eq!(
            back(
                "link",
                "<https://api.github.com/x?page=2>; rel=\"next\", <https://api.github.com/x?page=9>; rel=\"last\""
            ),
            "<http://localhost:3000/api/v3/x?page=2>; rel=\"next\", <http://localhost:3000/api/v3/x?page=9>; rel=\"last\""
        );
        let (_, request) = enter(
            Names::OneServer,
            "github.com",
            "github.com",
            "http://github.com/x",
        )
        .unwrap();
        let by_hosts = request.extensions().get::<Here>().unwrap();
        assert_eq!(by_hosts.base(), "http://github.com");
        for other in [
            "https://github.com.example.com/x",
            "https://example.com/?https://github.com/",
            "/acme/app",
        ] {
            assert_eq!(back("location", other), other);
        }
    }
}
