//! One connection of http/1.1 at a time, kept while it works. Redirects are not followed, and nothing is asked twice by itself.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use outwall_policy::Scheme;
use outwall_policy::audit_sinks::SinkTls;
use outwall_policy::brokered::ServiceUrl;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::super::dial::Dialer;
use super::super::{Failure, Means, Suspicion, told};

pub(super) struct Client {
    url: ServiceUrl,
    dialer: Dialer,
    patience: Duration,
    open: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(url: &ServiceUrl, tls: &SinkTls, means: &Means) -> Self {
        let tls = (url.scheme() == Scheme::Https).then_some(tls);
        Self {
            dialer: Dialer::new(url.target().clone(), tls, (&means.surroundings, &means.roots)),
            url: url.clone(),
            patience: means.patience,
            open: None,
        }
    }

    pub(super) async fn post(
        &mut self,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let mut connection = match self.open.take().filter(|open| open.sender.is_ready()) {
            Some(open) => open,
            None => self.connect().await?,
        };
        let request = self.request(path, headers, body)?;
        let replied = timeout(self.patience, reply(&mut connection.sender, request)).await;
        let why = match replied {
            Ok(Ok(reply)) => {
                self.open = Some(connection);
                return Ok(reply);
            }
            Ok(Err(error)) => format!("it broke off: {}", told(&*error)),
            Err(_) => format!("it did not answer within {} seconds", self.patience.as_secs()),
        };
        Err(Failure::Later {
            why,
            after: None,
            suspicion: Suspicion::Possible,
        })
    }

    async fn connect(&mut self) -> Result<Connection, Failure> {
        let stream = self.dialer.connect().await;
        let stream = stream.map_err(|error| Failure::later(told(&error)))?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| Failure::later(told(&error)))?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Connection { sender, driver })
    }

    fn request(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let whole = format!("{}{path}", self.url.path());
        let mut request = Request::post(if whole.is_empty() { "/" } else { &whole })
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::later(told(&error)))?;
        let host = HeaderValue::from_str(&self.url.authority());
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(HOST, host.map_err(|error| Failure::later(told(&error)))?);
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static("outwall"));
        Ok(request)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn reply(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body): (_, Incoming) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, LONGEST_REPLY).collect().await?.to_bytes();
    Ok(Reply {
        status: head.status,
        retry_after: head.headers.get(RETRY_AFTER).and_then(retry_after),
        body,
    })
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(Timestamp::now())).unwrap_or_default())
}

const LONGEST_REPLY: usize = 16 << 20;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_said_in_seconds_or_as_a_date() {
        let read = |text| retry_after(&HeaderValue::from_static(text));
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            read("Fri, 31 Dec 1999 23:59:59 GMT"),
            Some(Duration::ZERO),
            "it is over"
        );
        assert!(read("Tue, 31 Dec 2199 23:59:59 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(read("soon"), None);
    }
}
