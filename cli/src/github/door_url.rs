//! Where a sandbox reaches `outwall github`.

use std::fmt;
use std::str::FromStr;

use outwall_policy::Target;

/// `http://HOST:PORT`, or `https://` where something in front of it ends TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoorUrl {
    scheme: &'static str,
    host: String,
    authority: String,
}

impl DoorUrl {
    /// Its host, for lists of hosts that no proxy is asked for.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl Default for DoorUrl {
    fn default() -> Self {
        Self {
            scheme: "http",
            host: "127.0.0.1".to_owned(),
            authority: "127.0.0.1:3000".to_owned(),
        }
    }
}

impl FromStr for DoorUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not where `outwall github` is reached; write `http://127.0.0.1:3000`");
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            _ => return Err(wrong()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let port = if scheme == "http" { 80 } else { 443 };
        let target = Target::parse_with_default(authority, port).map_err(|_| wrong())?;
        Ok(Self {
            scheme,
            host: target.host.to_string(),
            authority: authority.to_owned(),
        })
    }
}

/// Without a slash at its end.
impl fmt::Display for DoorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_host_and_a_port_and_no_path() {
        let read = |text: &str| text.parse::<DoorUrl>().map(|url| url.to_string());
        for text in [
            "http://127.0.0.1:3000",
            "http://gate",
            "https://git.corp.example:8443",
            "http://[::1]:3000",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
            assert_eq!(read(&format!("{text}/")).as_deref(), Ok(text));
        }
        for wrong in [
            "127.0.0.1:3000",
            "ftp://gate",
            "http://gate/x",
            "http://user@gate",
            "http://",
            "http://gate:0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            DoorUrl::default(),
            "http://127.0.0.1:3000".parse().expect("a URL")
        );
    }
}
