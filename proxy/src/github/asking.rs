//! Asks GitHub what has to be known before a request is decided on, with the session's token, on a connection of the gate's own.

use outwall_broker::{Answer, NotAnswered, Question as ServiceQuestion, Secret, Services as _, Unavailable};
use outwall_git_proxy::asking::{Fact, NoFact};
use outwall_git_proxy::{Facts, Question};
use outwall_policy::Reason;
use outwall_policy::brokered::{ServiceUrl, ServiceUrlError};
use outwall_policy::github::GithubHost;
use thiserror::Error;
use zeroize::Zeroizing;

use super::visit::Visit;
use crate::error::chain;
use crate::exchange::Stopped;
use crate::gate::Shared;

/// Why GitHub did not say what was asked.
#[derive(Debug, Error)]
pub enum NotAsked {
    /// There is no token to ask with.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// It has no URL.
    #[error(transparent)]
    Url(#[from] ServiceUrlError),
    /// It is not reached.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
    /// Its answer says nothing.
    #[error(transparent)]
    NoFact(#[from] NoFact),
    /// It answered something else.
    #[error("GitHub answered {0}")]
    Status(u16),
}

impl Visit<'_> {
    /// Adds to what is known for this request, asking what nobody has asked lately.
    pub(super) async fn learn(&self, facts: &mut Facts, questions: Vec<Question>) -> Result<(), Stopped> {
        for question in questions {
            let fact = match self.gate().at_github.known(&question) {
                Some(fact) => fact,
                None => self.ask(&question).await.map_err(|why| {
                    let target = self.asked.target.clone();
                    let why = chain(&why);
                    self.told(self.gate().denial(Reason::GithubNotAsked { target, why }))
                })?,
            };
            self.gate().at_github.remember(question.clone(), fact.clone());
            facts.learn(question, fact);
        }
        Ok(())
    }

    async fn ask(&self, question: &Question) -> Result<Fact, NotAsked> {
        let secret = self.secret().await?;
        let answer = send(&self.gate().shared, &self.grant.at().host, question, &secret).await?;
        Ok(question.read(answer.status, &answer.body)?)
    }
}

/// Asks one question, as whoever has this secret.
pub(super) async fn send(
    shared: &Shared,
    host: &GithubHost,
    question: &Question,
    secret: &Secret,
) -> Result<Answer, NotAsked> {
    let token = Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let request = question.request(host);
    let plain = |text: &str| Zeroizing::new(text.to_owned());
    let asked = ServiceQuestion {
        method: request.method,
        service: ServiceUrl::parse(&format!("https://{}", host.api_host()))?,
        path: request.path,
        headers: vec![
            ("authorization", Zeroizing::new(format!("Bearer {}", *token))),
            ("accept", plain("application/vnd.github+json")),
            ("content-type", plain("application/json")),
            ("x-github-api-version", plain("2022-11-28")),
        ],
        body: Zeroizing::new(request.body.to_vec()),
    };
    Ok(shared.services.ask(asked).await?)
}
