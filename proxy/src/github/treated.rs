//! What comes back from GitHub, treated as was understood.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use outwall_git_proxy::git::{Advertisement, OutcomeReader, RefOutcome, Service};
use outwall_git_proxy::lfs::Transfer;
use outwall_git_proxy::{AnswerTreatment, Door, NotUnderstood, Refusal, rest};
use outwall_policy::RequestPermit;
use outwall_policy::github::{GithubService, TokenFault, TokenUse};

use super::holding::Kept;
use super::push::Sending;
use super::rewritten::{Rewrite, Rewritten};
use super::visit::Visit;
use super::{led, lfs, told};
use crate::answer::Answer;
use crate::body::ResponseBody;
use crate::error::Error;
use crate::excerpt::AnswerShown;
use crate::exchange::Stopped;

/// What is done with an answer.
pub(super) enum Treatment {
    /// As a door says.
    Understood(AnswerTreatment),
    /// The list of refs of a service of git.
    Advertisement(Service),
    /// The report on a push, which is read as it passes.
    Push(Box<(OutcomeReader, Sending)>),
    /// A file of LFS goes to or from where GitHub said.
    Transfer(Box<Transfer>),
}

impl Treatment {
    /// What of the answer the sandbox is shown.
    pub(super) fn shown(&self) -> AnswerShown {
        match self {
            Self::Understood(AnswerTreatment::WithoutTokens) => AnswerShown::WithoutTokens,
            Self::Understood(AnswerTreatment::LfsBatch(_)) => AnswerShown::Another,
            Self::Understood(AnswerTreatment::FollowRedirects) => AnswerShown::UnlessItLeads,
            Self::Transfer(transfer) => lfs::treatment(transfer).shown(),
            Self::Understood(AnswerTreatment::AsItComes | AnswerTreatment::Here(_))
            | Self::Advertisement(_)
            | Self::Push(_) => AnswerShown::AsItComes,
        }
    }
}

impl Visit<'_> {
    /// Treats an answer, and leads its client to where it reaches GitHub.
    pub(super) async fn treat(
        &self,
        permit: &RequestPermit,
        treatment: Treatment,
        asks: &HeaderMap,
        answer: Answer,
    ) -> Result<Answer, Stopped> {
        let mut answer = self.treated(permit, treatment, asks, answer).await?;
        if let (Answer::Response(response), Some(here)) = (&mut answer, self.here()) {
            here.lead_back(response.headers_mut());
        }
        Ok(answer)
    }

    async fn treated(
        &self,
        permit: &RequestPermit,
        treatment: Treatment,
        asks: &HeaderMap,
        answer: Answer,
    ) -> Result<Answer, Stopped> {
        let Answer::Response(response) = answer else {
            return Ok(answer);
        };
        let mut response = response;
        for name in OF_THE_TOKEN {
            response.headers_mut().remove(name);
        }
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(refusal) = self.not_let_in(permit)
        {
            return Ok(self.exchanges.say(told::here(&refusal.answer(&self.door))));
        }
        let is_ok = response.status() == StatusCode::OK;
        let treated = match treatment {
            Treatment::Understood(AnswerTreatment::FollowRedirects) => {
                return led::follow(self, permit, asks, response).await;
            }
            Treatment::Understood(AnswerTreatment::WithoutTokens) => self.without_tokens(response).await?,
            Treatment::Understood(AnswerTreatment::LfsBatch(asked)) if is_ok => {
                self.whole_answer(response, |body| lfs::batch(self, &asked, body))
                    .await?
            }
            Treatment::Advertisement(service) if is_ok => {
                rewritten(response, RefList(Advertisement::of(service)))
            }
            Treatment::Push(push) if is_ok => {
                let (outcome, sending) = *push;
                let outcome = Some(outcome);
                rewritten(response, Report { outcome, sending })
            }
            Treatment::Understood(_)
            | Treatment::Advertisement(_)
            | Treatment::Push(_)
            | Treatment::Transfer(_) => self.led_nowhere(response),
        };
        Ok(Answer::Response(treated))
    }

    /// What GitHub's 401 means to git and git-lfs, which would ask a person for a password, and show the session's credential for what
    /// is sent without one.
    fn not_let_in(&self, permit: &RequestPermit) -> Option<Refusal> {
        let (Door::Git(repository, _) | Door::Lfs(repository, _)) = &self.door else {
            return None;
        };
        let ours = &self.grant.at().repository;
        match permit.github()?.token() {
            TokenUse::Anonymous => Some(Refusal {
                code: "github-repository-refused",
                message: format!("{repository} is not public, or not there"),
                remedy: format!(
                    "work in {ours}, or start a session for the other repository: this one reads others without a token"
                ),
            }),
            TokenUse::Session => Some(Refusal {
                code: "github-token-unfit",
                message: TokenFault::NotTaken.to_string(),
                remedy: TokenFault::NotTaken.remedy(),
            }),
        }
    }

    /// Whatever the status: what was created is answered with 201, and named with its URLs. A file passes as it comes.
    async fn without_tokens(
        &self,
        response: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Stopped> {
        let response = self.led_nowhere(response);
        let media = response.headers().get(CONTENT_TYPE).cloned();
        let media = media.as_ref().and_then(|media| media.to_str().ok());
        if response.body().is_end_stream() || !rest::may_have_tokens(media) {
            return Ok(response);
        }
        let write = |body: &[u8]| Ok(Bytes::from(rest::without_tokens(media, body).into_owned()));
        self.whole_answer(response, write).await
    }

    /// A redirect that leads to no service of this GitHub loses its query, where what it is signed with stands.
    pub(super) fn led_nowhere(&self, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        let headers = response.headers_mut();
        let led = headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let Some(led) = led else {
            return response;
        };
        if !self.is_of_service(&led) {
            let plain = rest::without_tokens_in_url(led.split('#').next().unwrap_or_default());
            match plain.parse() {
                Ok(plain) => headers.insert(LOCATION, plain),
                Err(_) => headers.remove(LOCATION),
            };
        }
        response
    }

    /// Whether a URL is one of a service that this proxy serves.
    pub(super) fn is_of_service(&self, url: &str) -> bool {
        let Some(target) = led::target_of(&url.parse::<Uri>().unwrap_or_default()) else {
            return url.starts_with('/') && !url.starts_with("//");
        };
        matches!(
            self.grant.at().host.service(&target),
            Some(GithubService::Web | GithubService::Api | GithubService::Uploads | GithubService::Raw)
        )
    }

    /// Holds an answer until all of it is there, and writes it anew.
    async fn whole_answer(
        &self,
        response: Response<ResponseBody>,
        write: impl FnOnce(&[u8]) -> Result<Bytes, NotUnderstood>,
    ) -> Result<Response<ResponseBody>, Stopped> {
        let (mut parts, mut body) = response.into_parts();
        let told = body
            .size_hint()
            .exact()
            .and_then(|length| usize::try_from(length).ok());
        let mut room = self.gate().at_github.holding.answer(told).await;
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if whole.len() + data.len() > LONGEST_ANSWER {
                return Err(Error::Proxy("GitHub's answer is longer than is held").into());
            }
            room.grow_to(whole.len() + data.len())?;
            whole.extend_from_slice(&data);
        }
        let written = write(&whole).map_err(|why| self.not_understood(&why))?;
        parts.headers.remove(CONTENT_LENGTH);
        let said = self.exchanges.say(Response::from_parts(parts, written));
        match said {
            Answer::Response(response) => Ok(rewritten(response, Kept(room))),
            Answer::Reset(_) | Answer::Socket(..) => {
                Err(Error::Proxy("an answer of ours is a response").into())
            }
        }
    }
}

fn rewritten(response: Response<ResponseBody>, rewrite: impl Rewrite + 'static) -> Response<ResponseBody> {
    let mut response = response.map(|body| ResponseBody::Rewritten(Rewritten::new(body, rewrite)));
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// A list of refs, without what leads round the gate.
struct RefList(Advertisement);

impl Rewrite for RefList {
    fn feed(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        self.0.feed(&piece).map(Bytes::from).map_err(Error::from)
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        self.0.end().map(|()| Bytes::new()).map_err(Error::from)
    }
}

/// A report on a push, which passes as it is. Some servers begin to answer before they have everything: the report on a push that is cut
/// off then follows what came.
struct Report {
    /// None when it is over.
    outcome: Option<OutcomeReader>,
    sending: Sending,
}

impl Rewrite for Report {
    fn feed(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        if let Some(outcome) = &mut self.outcome {
            outcome.feed(&piece);
        }
        Ok(piece)
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        if let Some(outcome) = self.outcome.take() {
            for (name, became) in outcome.end().refs {
                if let RefOutcome::Rejected(why) = became {
                    tracing::info!(%name, why, "GitHub did not take a ref of a push");
                }
            }
        }
        Ok(Bytes::new())
    }

    fn broken(&mut self, error: Error) -> Result<Bytes, Error> {
        let is_before_report = self
            .outcome
            .take()
            .is_some_and(|outcome| outcome.is_before_report());
        let told = self.sending.told_in_the_answer();
        told.filter(|_| is_before_report).ok_or(error)
    }
}

/// What says something of the token that was used.
const OF_THE_TOKEN: [&str; 5] = [
    "x-oauth-scopes",
    "x-accepted-oauth-scopes",
    "x-oauth-client-id",
    "x-accepted-github-permissions",
    "github-authentication-token-expiration",
];
/// What is held of an answer that is written anew: contents of files come with 100 MB at most, as base64.
const LONGEST_ANSWER: usize = 160 << 20;
