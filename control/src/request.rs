//! What a gate is asked.

use std::time::Duration;

use outwall_policy::{EnvironmentName, HostPattern, SandboxId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::VERSION;

/// What is asked. Everything in it is a noun already: what could not be read is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How are you?
    Status,
    /// Your counters.
    Metrics,
    /// Let sandboxes reach hosts.
    Allow(Allow),
    /// Take such a grant back.
    Deny(Deny),
}

/// A grant that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The hosts.
    pub hosts: HostPattern,
    /// To sandboxes of this environment; none: the default one.
    pub environment: Option<EnvironmentName>,
    /// To this sandbox alone.
    pub sandbox: Option<SandboxId>,
    /// For so long; none: until the gate ends.
    pub span: Option<Duration>,
    /// Also where the level is `none`.
    pub although_none: bool,
}

/// A grant that is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// The hosts, as they were granted.
    pub hosts: HostPattern,
    /// From sandboxes of this environment; none: the default one.
    pub environment: Option<EnvironmentName>,
    /// From this sandbox alone.
    pub sandbox: Option<SandboxId>,
}

/// Why a line is no request.
#[derive(Debug, Error)]
pub enum RequestError {
    /// Not JSON of the right form.
    #[error("this is not a request")]
    Form(#[from] serde_json::Error),
    /// Another version.
    #[error("this gate speaks version {VERSION} of the control language")]
    Version,
    /// Not hosts.
    #[error("`{0}` is not a host")]
    Hosts(String),
    /// A span of nothing, or of more than [`Request::LONGEST_SPAN`].
    #[error("a grant is for 1 second to 30 days")]
    Span,
}

/// As it is written, beside the version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
enum WrittenAsked {
    Status {},
    Metrics {},
    Allow {
        hosts: String,
        environment: Option<EnvironmentName>,
        sandbox: Option<SandboxId>,
        seconds: Option<u64>,
        although_none: bool,
    },
    Deny {
        hosts: String,
        environment: Option<EnvironmentName>,
        sandbox: Option<SandboxId>,
    },
}

impl Request {
    /// More is for the policy file.
    pub const LONGEST_SPAN: Duration = Duration::from_hours(30 * 24);

    /// Reads a line, without its end.
    pub fn parse(line: &str) -> Result<Self, RequestError> {
        let mut written: Map<String, Value> = serde_json::from_str(line)?;
        let version = written.remove(KEY).and_then(|version| version.as_u64());
        if version != Some(VERSION.into()) {
            return Err(RequestError::Version);
        }
        match serde_json::from_value(Value::Object(written))? {
            WrittenAsked::Status {} => Ok(Self::Status),
            WrittenAsked::Metrics {} => Ok(Self::Metrics),
            WrittenAsked::Allow {
                hosts,
                environment,
                sandbox,
                seconds,
                although_none,
            } => Ok(Self::Allow(Allow {
                hosts: read_hosts(&hosts)?,
                environment,
                sandbox,
                span: seconds.map(read_span).transpose()?,
                although_none,
            })),
            WrittenAsked::Deny {
                hosts,
                environment,
                sandbox,
            } => Ok(Self::Deny(Deny {
                hosts: read_hosts(&hosts)?,
                environment,
                sandbox,
            })),
        }
    }

    /// The line, without its end.
    #[expect(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn to_line(&self) -> String {
        let asked = match self.clone() {
            Self::Status => WrittenAsked::Status {},
            Self::Metrics => WrittenAsked::Metrics {},
            Self::Allow(allow) => WrittenAsked::Allow {
                hosts: allow.hosts.to_string(),
                environment: allow.environment,
                sandbox: allow.sandbox,
                seconds: allow.span.map(|span| span.as_secs()),
                although_none: allow.although_none,
            },
            Self::Deny(deny) => WrittenAsked::Deny {
                hosts: deny.hosts.to_string(),
                environment: deny.environment,
                sandbox: deny.sandbox,
            },
        };
        let mut written = serde_json::to_value(asked).expect("plain data is JSON");
        written[KEY] = VERSION.into();
        written.to_string()
    }
}

/// Of the version.
const KEY: &str = "v";

fn read_hosts(text: &str) -> Result<HostPattern, RequestError> {
    HostPattern::parse(text).map_err(|_| RequestError::Hosts(text.to_owned()))
}

fn read_span(seconds: u64) -> Result<Duration, RequestError> {
    let span = Duration::from_secs(seconds);
    if span.is_zero() || span > Request::LONGEST_SPAN {
        return Err(RequestError::Span);
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    fn allow(hosts: &str) -> Request {
        Request::Allow(Allow {
            hosts: HostPattern::parse(hosts).unwrap(),
            environment: Some("web".parse().unwrap()),
            sandbox: Some("s-7f3a001d".parse().unwrap()),
            span: Some(Duration::from_hours(1)),
            although_none: false,
        })
    }

    #[test]
    fn a_request_reads_back_as_it_was_said() {
        let deny = Request::Deny(Deny {
            hosts: HostPattern::parse("[::1]:22").unwrap(),
            environment: None,
            sandbox: None,
        });
        for request in [
            Request::Status,
            Request::Metrics,
            allow("*.example.com:8443"),
            deny,
        ] {
            let line = request.to_line();
            assert!(!line.contains('\n'));
            assert_eq!(Request::parse(&line).unwrap(), request, "{line}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_request_is_refused() {
        let right = r#"{"v":1,"ask":"deny","hosts":"a.test","environment":null,"sandbox":null}"#;
        assert!(Request::parse(right).is_ok());
        for (part, wrong) in [
            ("a.test", "https://a.test/"),
            ("a.test", "*"),
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1,", ""),
            ("deny", "obey"),
            ("\"environment\":null", "\"environment\":\"A B\""),
            ("\"sandbox\":null", "\"sandbox\":\"x\""),
            ("\"sandbox\":null", "\"sandbox\":null,\"more\":1"),
        ] {
            let line = right.replace(part, wrong);
            assert!(Request::parse(&line).is_err(), "{line}");
        }
        for seconds in ["0", "2592001", "-1", "1.5"] {
            let line = allow("a.test").to_line().replace("3600", seconds);
            assert!(Request::parse(&line).is_err(), "{line}");
        }
        assert!(Request::parse("").is_err() && Request::parse("[]").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_and_what_it_takes_reads_back(text in ".{0,200}|\\{\"v\":1,\"ask\":\"[a-z]{3,7}\".{0,80}") {
            if let Ok(request) = Request::parse(&text) {
                prop_assert_eq!(Request::parse(&request.to_line()).unwrap(), request);
            }
        }
    }
}
