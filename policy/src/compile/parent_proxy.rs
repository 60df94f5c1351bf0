//! `[origins.parent_proxy]`.

use super::Compiler;
use super::lists::parse_range;
use crate::document::{ParentProxyDocument, SecretDocument, Written};
use crate::parent_proxy::{Bypass, ParentCredentials, ParentProxy, SecretSource};
use crate::pattern::HostPattern;
use crate::target::{Scheme, Target};

impl Compiler {
    /// None is always with a problem.
    pub(super) fn parent_proxy(&mut self, written: &ParentProxyDocument) -> Option<ParentProxy> {
        let credentials = self.credentials(written);
        let bypass = self.bypass(&written.bypass);
        let (scheme, target) = match parse_url(&written.url.value.0) {
            Ok(parent) => parent,
            Err((what, remedy)) => {
                self.problem(written.url.place, what, remedy);
                return None;
            }
        };
        Some(ParentProxy {
            scheme,
            target,
            credentials,
            bypass,
            resolve: written
                .resolve
                .as_ref()
                .map(|word| word.value)
                .unwrap_or_default(),
        })
    }

    fn credentials(&mut self, written: &ParentProxyDocument) -> Option<ParentCredentials> {
        match (&written.username, &written.password) {
            (None, None) => None,
            (Some(username), None) => {
                self.problem(
                    username.place,
                    "the parent proxy has a `username` and no `password`",
                    "write password = { env = \"PARENT_PROXY_PASSWORD\" }",
                );
                None
            }
            (None, Some(password)) => {
                self.problem(
                    password.place,
                    "the parent proxy has a `password` and no `username`",
                    "write username = \"NAME\"",
                );
                None
            }
            (Some(username), Some(password)) => {
                self.check_username(username);
                Some(ParentCredentials {
                    username: username.value.clone(),
                    password: self.source(password),
                    line: password.place.line(),
                })
            }
        }
    }

    /// A colon ends the name (RFC 7617 section 2).
    fn check_username(&mut self, username: &Written<String>) {
        let odd = |c: char| c == ':' || c.is_control();
        if username.value.is_empty() || username.value.contains(odd) {
            self.problem(
                username.place,
                format!(
                    "`username` is \"{}\", which no proxy can be told",
                    username.value.escape_debug()
                ),
                "write a name without colons and control characters",
            );
        }
    }

    fn source(&mut self, password: &Written<SecretDocument>) -> SecretSource {
        match &password.value {
            SecretDocument::Environment(name) => {
                if name.is_empty() || name.contains(['=', '\0']) {
                    self.problem(
                        password.place,
                        format!("\"{}\" is no name of a variable", name.escape_debug()),
                        "write password = { env = \"PARENT_PROXY_PASSWORD\" }",
                    );
                }
                SecretSource::Environment(name.clone())
            }
            SecretDocument::File(path) => {
                let path = Written {
                    value: path.clone(),
                    place: password.place,
                };
                SecretSource::File(self.file_named("password", &path))
            }
        }
    }

    /// Hosts, addresses and ranges of addresses.
    fn bypass(&mut self, written: &[Written<String>]) -> Bypass {
        let mut bypass = Bypass::default();
        for text in written {
            if let Some(range) = parse_range(&text.value) {
                bypass.ranges.push(range);
            } else if text.value.contains('/') {
                self.problem(
                    text.place,
                    format!(
                        "\"{}\" in `bypass` is no range of addresses",
                        text.value.escape_debug()
                    ),
                    "write an address and a prefix length with no bits after it: \"10.0.0.0/8\"",
                );
            } else if text.value == "*" {
                self.problem(
                    text.place,
                    "\"*\" in `bypass` leaves nothing to the parent proxy",
                    "leave `parent_proxy` out, if everything is reached directly",
                );
            } else if let Some(pattern) = self.bypassed_host(text) {
                bypass.hosts.push(pattern);
            }
        }
        bypass
    }

    /// A name after a dot is how other programs write a wildcard (`NO_PROXY`).
    fn bypassed_host(&mut self, text: &Written<String>) -> Option<HostPattern> {
        if let Some(base) = text.value.strip_prefix('.') {
            self.problem(
                text.place,
                format!("\"{}\" in `bypass` is no host", text.value.escape_debug()),
                format!("write \"*.{base}\" for every name below it, \"{base}\" for itself"),
            );
            return None;
        }
        self.pattern("bypass", text)
    }
}

/// What is wrong, and what to write. A URL with credentials is not repeated.
fn parse_url(url: &str) -> Result<(Scheme, Target), (String, String)> {
    let remedy = "write \"http://HOST:PORT\" or \"https://HOST:PORT\"";
    let Some((scheme, rest)) = url.split_once("://") else {
        let shown = if url.contains('@') {
            "(not shown)".to_owned()
        } else {
            quote(url)
        };
        return Err((
            format!("`parent_proxy` is {shown}, which is no URL"),
            remedy.into(),
        ));
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err((
            "the URL of `parent_proxy` holds a user name or password".into(),
            "write username = \"NAME\" and password = { env = \"PARENT_PROXY_PASSWORD\" } in [origins.parent_proxy]".into(),
        ));
    }
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => {
            return Err((
                format!(
                    "`parent_proxy` is {}, and only http and https proxies are spoken to",
                    quote(url)
                ),
                remedy.into(),
            ));
        }
    };
    match Target::parse(authority) {
        Ok(target) => Ok((scheme, target)),
        Err(error) => Err((
            format!("`parent_proxy` is {}, which is no proxy: {error}", quote(url)),
            remedy.into(),
        )),
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}
