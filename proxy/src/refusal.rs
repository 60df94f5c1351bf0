//! The response that a denied client gets: it says what was refused, by whom, what is allowed instead, and how that is changed.
//!
//! What the client sent is repeated only as far as it was parsed, and escaped for the format that it asked for.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, RETRY_AFTER,
};
use http::{Response, StatusCode};
use outwall_policy::brokered::BrokerRefusal;
use outwall_policy::{CredentialFault, Denial, Excess, Reason, SizedPart};
use serde_json::json;

use crate::error::Error;
use crate::grpc;

/// A format that a refusal can be read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
    /// A status and a message for a client of gRPC.
    Grpc,
}

impl Format {
    /// The one that the client prefers by naming it first. Who accepts anything and sends JSON gets JSON, of which npm shows
    /// the error; else text.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        if grpc::is_call(headers) {
            return Self::Grpc;
        }
        headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .and_then(Self::first_of)
            .unwrap_or(match headers.get(CONTENT_TYPE) {
                Some(sent) if sent.as_bytes().starts_with(b"application/json") => Self::Json,
                Some(_) | None => Self::Text,
            })
    }

    /// The first media type of an `Accept` value that is one of ours, else text.
    pub(crate) fn named_first(accept: &str) -> Self {
        Self::first_of(accept).unwrap_or(Self::Text)
    }

    fn first_of(accept: &str) -> Option<Self> {
        accept.split(',').find_map(|range| {
            let media = range.split(';').next().unwrap_or_default().trim();
            match media {
                "application/json" => Some(Self::Json),
                "text/html" | "application/xhtml+xml" => Some(Self::Html),
                "text/plain" => Some(Self::Text),
                _ if media.ends_with("+json") => Some(Self::Json),
                _ => None,
            }
        })
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Grpc => "application/grpc",
        }
    }
}

/// What a refused or failed request is answered.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    message: String,
    environment: Option<String>,
    rule: Option<String>,
    allowed: Option<String>,
    remedy: Option<String>,
    retry_after: Option<u64>,
}

impl Refusal {
    /// Policy, or the gate's own checks, said no.
    pub(crate) fn of_denial(denial: &Denial) -> Self {
        let allowed = denial.allowed_instead().to_string();
        Self {
            status: status_of(denial.reason()),
            code: denial.reason().code(),
            title: "Refused by Outwall",
            message: denial.to_string(),
            environment: Some(denial.environment().to_string()),
            rule: denial.rule().map(ToString::to_string),
            allowed: (!allowed.is_empty()).then_some(allowed),
            remedy: denial.remedy(),
            retry_after: denial.reason().retry_after(),
        }
    }

    /// Something failed on the way.
    pub(crate) fn of_error(error: &Error) -> Self {
        if let Error::Address(denial) | Error::CutOff(denial) = error {
            return Self::of_denial(denial);
        }
        Self {
            status: error.status(),
            code: error.code(),
            title: "Outwall could not do this",
            message: error.chain(),
            environment: None,
            rule: None,
            allowed: None,
            remedy: None,
            retry_after: None,
        }
    }

    /// On h2, a client that coalesced connections is asked to open another one (RFC 9110 section 15.5.20).
    pub(crate) fn misdirected(mut self) -> Self {
        self.status = StatusCode::MISDIRECTED_REQUEST;
        self
    }

    /// For a client that does not know that a proxy answers.
    pub(crate) fn forbidden(mut self) -> Self {
        self.status = StatusCode::FORBIDDEN;
        self
    }

    /// Somebody of whom it cannot be said who it is.
    pub(crate) fn of_stranger(reason: &Reason) -> Self {
        Self {
            status: status_of(reason),
            code: reason.code(),
            title: "Refused by Outwall",
            message: reason.to_string(),
            environment: None,
            rule: None,
            allowed: None,
            remedy: match reason {
                Reason::Credential(fault) => fault.remedy(None),
                _ => None,
            },
            retry_after: reason.retry_after(),
        }
    }

    /// What a client is told whose head could not be read: hyper has chosen this status.
    pub(crate) fn of_malformed_head(denial: &Denial, status: u16) -> Self {
        Self::of_denial(denial).with_status(status)
    }

    /// The same with a status that was chosen elsewhere.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(self.status);
        self
    }

    /// The response, in the format asked for.
    pub(crate) fn response(&self, format: Format) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body(format)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(&REASON, HeaderValue::from_static(self.code));
        if format == Format::Grpc {
            grpc::tell(headers, self.status, &self.text());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            for challenge in CHALLENGES {
                headers.append(PROXY_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        response
    }

    /// The same as bytes of http/1.1, for a client whose connection ends with it.
    pub(crate) fn to_http1(&self, format: Format) -> Vec<u8> {
        let response = self.response(format);
        let mut text = format!(
            "HTTP/1.1 {} {}\r\n",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or("Refused")
        )
        .into_bytes();
        for (name, value) in response.headers() {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        let tail = format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            response.body().len()
        );
        text.extend_from_slice(tail.as_bytes());
        text.extend_from_slice(response.body());
        text
    }

    fn body(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json(),
            Format::Html => self.html(),
            Format::Grpc => String::new(),
        }
    }

    /// What there is to say besides the message, each with its heading.
    fn details(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("environment", self.environment.as_deref()),
            ("rule", self.rule.as_deref()),
            ("allowed instead", self.allowed.as_deref()),
            ("to change this", self.remedy.as_deref()),
        ]
        .into_iter()
        .filter_map(|(heading, said)| said.map(|said| (heading, said)))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}\nreason: {}\n",
            self.title,
            one_line(&self.message),
            self.code
        );
        for (heading, said) in self.details() {
            writeln!(text, "{heading}: {}", plain(said)).expect("a string takes all");
        }
        text
    }

    fn json(&self) -> String {
        let body = json!({
            "error": format!("{}: {}", self.title, self.message),
            "reason": self.code,
            "message": self.message,
            "environment": self.environment,
            "rule": self.rule,
            "allowed_instead": self.allowed,
            "remedy": self.remedy,
        });
        format!("{body}\n")
    }

    fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{0}</title>\n<h1>{0}</h1>\n<p>{1}</p>\n<dl>\n<dt>reason</dt><dd><code>{2}</code></dd>\n",
            self.title,
            escape_html(&self.message),
            self.code
        );
        for (heading, said) in self.details() {
            writeln!(
                html,
                "<dt>{heading}</dt><dd><pre>{}</pre></dd>",
                escape_html(said)
            )
            .expect("a string takes all");
        }
        html.push_str("</dl>\n");
        html
    }
}

/// A denial is 403, except where the client did something that has a status of its own.
pub(crate) fn status_of(reason: &Reason) -> StatusCode {
    match reason {
        Reason::MalformedTarget { .. } | Reason::MalformedRequest { .. } => StatusCode::BAD_REQUEST,
        Reason::UpgradeRefused { .. } => StatusCode::NOT_IMPLEMENTED,
        Reason::LimitReached { .. }
        | Reason::TooManyNames { .. }
        | Reason::Credential(CredentialFault::TooManyAttempts) => StatusCode::TOO_MANY_REQUESTS,
        Reason::OverLimit { excess, .. } => match excess {
            Excess::For(_) => StatusCode::TOO_MANY_REQUESTS,
            Excess::Forever => StatusCode::PAYLOAD_TOO_LARGE, // coming back would not help
        },
        Reason::TooLarge { limit, .. } => match limit.part() {
            SizedPart::Body => StatusCode::PAYLOAD_TOO_LARGE,
            SizedPart::Url => StatusCode::URI_TOO_LONG,
            SizedPart::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        },
        Reason::UnresolvedName { .. } => StatusCode::BAD_GATEWAY,
        Reason::AuditUnavailable | Reason::Credential(CredentialFault::Unavailable) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Reason::Broker(refusal) => match **refusal {
            BrokerRefusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        },
        Reason::Credential(_) => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        _ => StatusCode::FORBIDDEN,
    }
}

/// Hostile text must not add lines to ours, nor move a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The same for texts that have lines.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// How a client may say who it is (RFC 9110 section 11.7.1). `Basic` first: it is what clients can do by the proxy's URL alone.
const CHALLENGES: [&str; 2] = ["Basic realm=\"outwall\"", "Bearer realm=\"outwall\""];

/// The stable code of why something was refused or failed.
pub(crate) static REASON: HeaderName = HeaderName::from_static("x-outwall-reason");

#[cfg(test)]
mod tests {
    use outwall_policy::{EnvironmentName, Target};

    use super::*;

    fn refusal() -> Refusal {
        let environment: EnvironmentName = "web".parse().expect("a name");
        let target = Target::parse("example.com:443").expect("a target");
        let named = "<b>\"evil\"\r\nx: y</b>".to_owned();
        Refusal::of_denial(&Denial::new(
            &environment,
            Reason::Fronting {
                target,
                named,
                place: "Host",
            },
        ))
    }

    #[test]
    fn the_format_is_the_first_of_ours_that_the_client_names() {
        let cases = [
            ("*/*", Format::Text),
            ("", Format::Text),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Format::Html,
            ),
            ("application/json, text/html", Format::Json),
            (
                "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8",
                Format::Json,
            ),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::named_first(accept), format, "{accept}");
        }
    }

    #[test]
    fn who_sends_json_and_accepts_anything_reads_json() {
        let format = |accept: &'static str, sent: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(sent));
            Format::accepted(&headers)
        };
        assert_eq!(format("*/*", "application/json"), Format::Json);
        assert_eq!(format("*/*", "application/json; charset=utf-8"), Format::Json);
        assert_eq!(format("*/*", "text/xml"), Format::Text);
        assert_eq!(format("text/plain", "application/json"), Format::Text);
    }

    #[test]
    fn a_refusal_names_its_reason_in_every_format() {
        for format in [Format::Text, Format::Json, Format::Html] {
            let response = refusal().response(format);
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert_eq!(response.headers()["x-outwall-reason"], "fronting");
            assert!(String::from_utf8_lossy(response.body()).contains("fronting"));
        }
    }

    #[test]
    fn hostile_text_is_shown_and_does_nothing() {
        let html = refusal().body(Format::Html);
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
        let text = refusal().body(Format::Text);
        assert!(!text.contains("\nx: y"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&refusal().body(Format::Json)).expect("JSON");
        assert_eq!(json["reason"], "fronting");
    }

    #[test]
    fn the_raw_form_says_how_long_it_is_and_that_the_connection_ends() {
        let raw = String::from_utf8(refusal().to_http1(Format::Text)).expect("text");
        let (head, body) = raw.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(head.ends_with("connection: close"), "{head}");
    }
}
