//! How services are asked that give secrets: what is asked and answered, without a socket. Who opens one is the composition's choice.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use outwall_policy::brokered::ServiceUrl;
use thiserror::Error;
use zeroize::Zeroizing;

/// Asks services. Over verified TLS unless the URL is of this machine; follows no redirect; and ends within half a minute, having read
/// no more than [`LONGEST_ANSWER`].
pub trait Services: Send + Sync {
    /// Asks once.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>>;
}

impl<S: Services + ?Sized> Services for Arc<S> {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        (**self).ask(question)
    }
}

/// One question.
pub struct Question {
    /// `GET`, `POST`.
    pub method: &'static str,
    /// Whom.
    pub service: ServiceUrl,
    /// Goes behind the service's own path; begins with a slash, and is encoded.
    pub path: String,
    /// Names in lower case, with values that may be secret.
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    /// JSON, or nothing.
    pub body: Zeroizing<Vec<u8>>,
}

/// What was answered, whatever it is.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The field `Date`.
    pub date: Option<String>,
    /// The field `Location`, which is never followed.
    pub location: Option<String>,
    /// The field `X-OAuth-Scopes`: what a token of GitHub may, where it is of a kind that says so.
    pub scopes: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Those that are asked at present: they change with the policy, which sources outlive.
pub(crate) struct PresentServices(ArcSwap<Box<dyn Services>>);

impl PresentServices {
    pub(crate) fn replace(&self, services: Box<dyn Services>) {
        self.0.store(Arc::new(services));
    }
}

impl Default for PresentServices {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Box::new(NoServices)))
    }
}

impl Services for PresentServices {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        let services = self.0.load_full();
        Box::pin(async move { services.ask(question).await })
    }
}

/// Where nothing is asked over the network.
struct NoServices;

impl Services for NoServices {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        Box::pin(ready(Err(NotAnswered {
            service: question.service,
            why: "nothing is asked over the network here".into(),
        })))
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{service} cannot be asked")]
pub struct NotAnswered {
    /// Who.
    pub service: ServiceUrl,
    /// Why not. It names no header and no body.
    #[source]
    pub why: Box<dyn StdError + Send + Sync>,
}

/// In bytes.
pub const LONGEST_ANSWER: usize = 1024 * 1024;

impl Answer {
    /// How far the service's clock is ahead of ours; zero where it does not say.
    pub(crate) fn ahead(&self, now: Timestamp) -> jiff::SignedDuration {
        let date = self.date.as_deref().and_then(|date| rfc2822::parse(date).ok());
        date.map_or(jiff::SignedDuration::ZERO, |date| {
            date.timestamp().duration_since(now)
        })
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({} {}{})", self.method, self.service, self.path)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}
