//! One request, from its door to its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::Authority;
use http::{Extensions, HeaderMap, Request};
use outwall_git_proxy::{AnswerTreatment, BodySent, Door, LfsDoor, NotUnderstood, Understood, route};
use outwall_policy::github::{Actions, AskedAtGithub, GithubAction, SessionGrant, TokenUse, Undecided};
use outwall_policy::{Denial, Reason, RequestPermit};
use tokio::sync::OwnedSemaphorePermit;

use super::front::Here;
use super::push::{Push, Sending};
use super::shown::Shown;
use super::treated::Treatment;
use super::{git, lfs, sent, told};
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::Held;
use crate::brokering::{Examined, Ready};
use crate::client_gate::ClientGate;
use crate::excerpt::Excerpt;
use crate::exchange::{Exchanges, Stopped};

/// One request, at its door.
pub(super) struct Visit<'a> {
    pub(super) exchanges: &'a Exchanges,
    pub(super) door: Door,
    pub(super) grant: Arc<SessionGrant>,
    pub(super) asked: AskedAtGithub,
    /// Where its client reaches GitHub; none where that is GitHub by its own names.
    here: Option<Here>,
    /// What is recorded of it besides; none where nothing is.
    pub(super) excerpt: Option<Arc<Excerpt>>,
}

/// What a request asks, as it was understood.
pub(super) struct Asked {
    pub(super) actions: Actions,
    pub(super) details: Vec<String>,
    /// The head of what is sent, its path and query written by us.
    pub(super) head: Request<()>,
    pub(super) body: Sent,
    pub(super) treatment: Treatment,
    /// Room for what of the request is held.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// The body of what is sent.
pub(super) enum Sent {
    Nothing,
    These(Bytes),
    Streamed(Arriving),
    Push(Box<Push>),
}

impl<'a> Visit<'a> {
    /// Tells the door, or refuses what has none.
    pub(super) fn at_its_door<B>(
        exchanges: &'a Exchanges,
        undecided: &Undecided<()>,
        request: &Request<B>,
    ) -> Result<Self, Stopped> {
        let asked = undecided.asked();
        let grant = Arc::clone(undecided.grant());
        let service = undecided.service();
        let (path, query) = (asked.path.as_str(), request.uri().query());
        match route(&grant.at().host, service, &asked.method, path, query) {
            Ok(door) => Ok(Self {
                exchanges,
                door,
                grant,
                asked,
                here: request.extensions().get().cloned(),
                excerpt: Excerpt::of(request),
            }),
            Err(why) => {
                let reason = Reason::GithubNotUnderstood {
                    target: asked.target.clone(),
                    what: why.to_string(),
                };
                let denial = undecided.denial(reason);
                let answer = told::without_a_door(&denial, service);
                Err(Stopped::Told(denial, Box::new(answer)))
            }
        }
    }

    pub(super) fn gate(&self) -> &Arc<ClientGate> {
        self.exchanges.gate()
    }

    /// What the request would do.
    pub(super) async fn understand(&self, request: Request<Arriving>) -> Result<Asked, Stopped> {
        match &self.door {
            Door::Rest(..) | Door::Graphql => self.understand_api(request).await,
            Door::Git(repository, door) => git::understand(self, repository, *door, request).await,
            Door::Lfs(repository, door) => lfs::understand(self, repository, door, request).await,
            Door::Page(repository) => Ok(self.page(&request, GithubAction::Read(repository.clone()))),
            Door::Storage => {
                Err(self.not_understood(&NotUnderstood::because("it is a store, and no service")))
            }
        }
    }

    fn page<B>(&self, request: &Request<B>, read: GithubAction) -> Asked {
        let understood = Understood {
            actions: Actions {
                operation: "read a page or a file".to_owned(),
                all: vec![read],
            },
            path: None,
            query: request.uri().query().map(ToOwned::to_owned),
            body: BodySent::Nothing,
            answer: AnswerTreatment::FollowRedirects,
            details: Vec::new(),
        };
        self.asked(request, understood, Sent::Nothing)
    }

    /// What was understood, with the head that is sent.
    pub(super) fn asked<B>(&self, request: &Request<B>, understood: Understood, body: Sent) -> Asked {
        let head = sent::head(self, request, &understood, &body);
        Asked {
            actions: understood.actions,
            details: understood.details,
            head,
            body,
            treatment: Treatment::Understood(understood.answer),
            room: None,
        }
    }

    /// Policy decides on what was understood. A refusal is told in the words of the door.
    pub(super) async fn decide(
        &self,
        undecided: Undecided<()>,
        mut asked: Asked,
        shown: &Shown,
    ) -> Result<(RequestPermit, Asked), Stopped> {
        match undecided.decide(asked.actions.clone(), asked.details.clone()) {
            Ok(permitted) => {
                let permit = permitted.into_parts().0;
                self.expect_shown(&permit, shown)?;
                if let (Sent::Push(push), Shown::Session(standing)) = (&mut asked.body, shown) {
                    push.standing = Some(standing.clone());
                }
                Ok((permit, asked))
            }
            Err(denial) => Err(self.refuse(denial, asked.body).await),
        }
    }

    /// What is for the session's token has to show the session's credential; who does not know that is asked for it.
    fn expect_shown(&self, permit: &RequestPermit, shown: &Shown) -> Result<(), Stopped> {
        let used = permit.github().expect("it was decided on as one");
        match (used.token(), shown) {
            (TokenUse::Anonymous, _) | (TokenUse::Session, Shown::Session(_)) => Ok(()),
            (TokenUse::Session, Shown::Nothing) if self.may_be_anonymous(used.actions()) => Ok(()),
            // A ticket is a credential by itself: nobody else has it.
            (TokenUse::Session, Shown::Nothing)
                if matches!(self.door, Door::Lfs(_, LfsDoor::Transfer(_))) =>
            {
                Ok(())
            }
            (TokenUse::Session, Shown::Nothing) => {
                Err(Stopped::Answered(Box::new(told::challenge(&self.door))))
            }
        }
    }

    /// Reading pages and the API without a credential is what everybody may; GitHub says what is public.
    pub(super) fn may_be_anonymous(&self, actions: &Actions) -> bool {
        let reads = |action: &GithubAction| {
            matches!(
                action,
                GithubAction::Read(_) | GithubAction::ReadPullRequests(_) | GithubAction::ReadCommon
            )
        };
        matches!(self.door, Door::Page(_) | Door::Rest(..)) && actions.all.iter().all(reads)
    }

    /// Refuses, a push in the form of its own report.
    pub(super) async fn refuse(&self, denial: Denial, body: Sent) -> Stopped {
        if let Sent::Push(push) = body {
            return push.refuse(denial).await;
        }
        self.told(denial)
    }

    /// Refuses in the words of the door.
    pub(super) fn told(&self, denial: Denial) -> Stopped {
        let answer = told::answer(&told::refusal(&denial).answer(&self.door), denial.code());
        Stopped::Told(denial, Box::new(answer))
    }

    /// Refuses what cannot be understood.
    pub(super) fn not_understood(&self, why: &NotUnderstood) -> Stopped {
        let reason = Reason::GithubNotUnderstood {
            target: self.asked.target.clone(),
            what: why.to_string(),
        };
        self.told(self.gate().denial(reason))
    }

    /// Sends what was decided on, and treats what comes back.
    pub(super) async fn send(
        &self,
        permit: RequestPermit,
        asked: Asked,
        ready: Option<Ready>,
        authority: Authority,
        held: Held,
    ) -> Result<Answer, Stopped> {
        if let Treatment::Understood(AnswerTreatment::Here(here)) = &asked.treatment {
            return Ok(self.exchanges.say(told::here(here)));
        }
        if let Some(excerpt) = &self.excerpt {
            excerpt.answer_is(asked.treatment.shown());
        }
        let _room = asked.room; // until it was sent
        held.interims.body_is_here();
        let asks: HeaderMap = asked.head.headers().clone();
        if let Treatment::Transfer(transfer) = asked.treatment {
            let treatment = lfs::treatment(&transfer);
            let answer = lfs::transfer(self, &permit, *transfer, (asked.head, asked.body), held).await?;
            return self.treat(&permit, treatment, &asks, answer).await;
        }
        let way = self.exchanges.way_elsewhere(&permit, authority);
        let pushing = match &asked.body {
            Sent::Push(push) => Some(push.sending(self)),
            Sent::Nothing | Sent::These(_) | Sent::Streamed(_) => None,
        };
        let body = match asked.body {
            Sent::Nothing => Arriving::Nothing,
            Sent::These(bytes) => Arriving::held(bytes, None),
            Sent::Streamed(body) => body,
            Sent::Push(push) => push.body(self, &permit),
        };
        let mut request = asked.head.map(|()| body);
        request.extensions_mut().extend(self.travelling());
        let answered = self
            .exchanges
            .forward(permit.clone(), Examined { request, ready }, way, held)
            .await;
        let answer = answered.map_err(|stopped| {
            let cut_off = pushing.as_ref().and_then(Sending::told);
            cut_off.unwrap_or(stopped)
        })?;
        self.treat(&permit, asked.treatment, &asks, answer).await
    }

    /// What goes with what is sent for this request.
    pub(super) fn travelling(&self) -> Extensions {
        let mut travelling = Extensions::new();
        if let Some(excerpt) = &self.excerpt {
            travelling.insert(Arc::clone(excerpt));
        }
        travelling
    }

    /// The URL of git's doors, as the client has it.
    pub(super) fn web(&self) -> String {
        match &self.here {
            Some(here) => here.base().to_owned(),
            None => format!("https://{}", self.grant.at().host),
        }
    }

    /// Where its client reaches GitHub, if that is not by its own names.
    pub(super) fn here(&self) -> Option<&Here> {
        self.here.as_ref()
    }
}
