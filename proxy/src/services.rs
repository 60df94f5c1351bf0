//! Asks services for secrets, on behalf of the broker, which opens no sockets: one request of http/1.1 on a connection of its own.
//! Redirects are not followed, and neither heads nor bodies are told to anybody.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{DATE, HOST, HeaderName, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use outwall_broker::{Answer, LONGEST_ANSWER, NotAnswered, Question, Services};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::current::CurrentPolicy;
use crate::dialer::ServiceDialer;
use crate::trust::InForce;

/// Asks them as the policy in force says that origins are met.
pub struct GateServices(ServiceDialer);

/// What goes wrong beside the connection.
#[derive(Debug, Error)]
enum Failure {
    #[error("it did not answer within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    #[error("a header cannot be sent to it")]
    Header,
    #[error("its answer is longer than {LONGEST_ANSWER} bytes, or broke off")]
    Body,
}

type Cause = Box<dyn StdError + Send + Sync>;

impl GateServices {
    pub(crate) fn new(dialer: ServiceDialer) -> Self {
        Self(dialer)
    }

    /// For who has no gate, and goes by this.
    pub fn of(in_force: InForce) -> Self {
        let policy = Arc::new(CurrentPolicy::new(in_force));
        Self(ServiceDialer::new(policy, Arc::default(), Arc::default()))
    }

    async fn answer(&self, question: &Question) -> Result<Answer, Cause> {
        let request = request(question)?;
        let stream = self.0.connect(&question.service).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driven = tokio::spawn(connection);
        let answered = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await;
            let body = body.map_err(|_| Failure::Body)?.to_bytes();
            let text = |name| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
            Ok(Answer {
                status: head.status.as_u16(),
                date: text(DATE),
                location: text(LOCATION),
                scopes: text(HeaderName::from_static("x-oauth-scopes")),
                body: Zeroizing::new(body.into()),
            })
        };
        let answered = answered.await;
        driven.abort();
        answered
    }
}

impl Services for GateServices {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        Box::pin(async move {
            let answered = tokio::time::timeout(PATIENCE, self.answer(&question)).await;
            answered
                .unwrap_or_else(|_| Err(Failure::TooSlow.into()))
                .map_err(|why| NotAnswered {
                    service: question.service,
                    why,
                })
        })
    }
}

fn request(question: &Question) -> Result<Request<Full<Bytes>>, Cause> {
    let mut request = Request::new(Full::new(Bytes::from(question.body.to_vec())));
    *request.method_mut() = question.method.parse()?;
    *request.uri_mut() = format!("{}{}", question.service.path(), question.path).parse()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&question.service.authority())?);
    headers.insert(USER_AGENT, HeaderValue::from_static("outwall"));
    add(headers, question)?;
    Ok(request)
}

fn add(headers: &mut HeaderMap, question: &Question) -> Result<(), Failure> {
    for (name, text) in &question.headers {
        let mut value = HeaderValue::from_str(text).map_err(|_| Failure::Header)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(20);
