//! What came back, and from where.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::within_limit;
use crate::body::Pattern;

/// Which conversation a response belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The gate answered CONNECT itself: there was no tunnel.
    Connect,
    /// It came as the answer to the request, inside TLS when the URL is `https`.
    Exchange,
}

/// A response, its body yet to be read.
#[derive(Debug)]
pub struct Response {
    answered_by: AnsweredBy,
    status: u16,
    version: Version,
    headers: HeaderMap,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Read(Option<Bytes>),
    Streaming { incoming: Incoming, trailers: HeaderMap },
}

impl Response {
    pub(super) fn over_http(response: hyper::Response<Incoming>) -> Self {
        let (head, incoming) = response.into_parts();
        Self {
            answered_by: AnsweredBy::Exchange,
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            body: Body::Streaming {
                incoming,
                trailers: HeaderMap::new(),
            },
        }
    }

    pub(super) async fn to_connect(head: &str, stream: &mut (impl AsyncRead + Unpin)) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').context("a header field has a colon")?;
            headers.append(
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_bytes(value.trim().as_bytes())?,
            );
        }
        let length = headers
            .get("content-length")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream
            .read_exact(&mut body)
            .await
            .context("the body of a refusal")?;
        Ok(Self {
            answered_by: AnsweredBy::Connect,
            status: status_of(head)?,
            version: Version::HTTP_11,
            headers,
            body: Body::Read(Some(body.into())),
        })
    }

    /// Whether the gate answered CONNECT, or the exchange was answered.
    pub fn answered_by(&self) -> AnsweredBy {
        self.answered_by
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The HTTP version on this side of the gate.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header field as text, or empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The stable code of the gate's reason, or empty: it did not refuse.
    pub fn reason(&self) -> &str {
        self.header("x-outwall-reason")
    }

    /// The next piece of the body as it arrives; `None` at its end.
    pub fn piece(&mut self) -> Result<Option<Bytes>> {
        within_limit(self.body.piece())
    }

    /// The whole body as text; fails the story when it breaks off.
    #[track_caller]
    pub fn into_text(mut self) -> String {
        let mut text = Vec::new();
        while let Some(piece) = self
            .piece()
            .unwrap_or_else(|error| panic!("body broke off: {error:#}"))
        {
            text.extend_from_slice(&piece);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The whole body as JSON.
    #[track_caller]
    pub fn into_json(self) -> Value {
        let text = self.into_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Reads a body of the origin's `/bytes/N`: its length, provided every byte is right.
    #[track_caller]
    pub fn into_intact_length(mut self) -> u64 {
        let mut pattern = Pattern::default();
        while let Some(piece) = self
            .piece()
            .unwrap_or_else(|error| panic!("body broke off: {error:#}"))
        {
            pattern.check(&piece);
        }
        assert!(pattern.intact(), "the body was changed on its way");
        pattern.seen()
    }

    /// Reads to the end and gives the trailers.
    #[track_caller]
    pub fn into_trailers(mut self) -> HeaderMap {
        while self
            .piece()
            .unwrap_or_else(|error| panic!("body broke off: {error:#}"))
            .is_some()
        {}
        match self.body {
            Body::Read(_) => HeaderMap::new(),
            Body::Streaming { trailers, .. } => trailers,
        }
    }
}

impl Body {
    async fn piece(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Read(bytes) => Ok(bytes.take()),
            Self::Streaming { incoming, trailers } => loop {
                let Some(frame) = incoming.frame().await else {
                    return Ok(None);
                };
                match frame?.into_data() {
                    Ok(piece) => return Ok(Some(piece)),
                    Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
                }
            },
        }
    }
}

pub(super) fn status_of(head: &str) -> Result<u16> {
    let status = head
        .split(' ')
        .nth(1)
        .with_context(|| format!("no status in `{head}`"))?;
    status.parse().with_context(|| format!("no status in `{head}`"))
}
