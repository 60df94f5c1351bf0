//! REST and GraphQL.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use hyper::body::Body as _;
use outwall_git_proxy::graphql::{self, GraphqlRequest};
use outwall_git_proxy::rest::{self, BodyWanted, RestRequest};
use outwall_git_proxy::{BodySent, Door, Facts, NotUnderstood, Understanding, Understood};
use tokio::sync::OwnedSemaphorePermit;

use super::visit::{Asked, Sent, Visit};
use crate::arriving::Arriving;
use crate::brokering::{Read, hold};
use crate::error::Error;
use crate::exchange::Stopped;

/// A request with all of its body, and the room that it takes.
pub(super) struct Whole {
    pub(super) request: Request<()>,
    pub(super) body: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Whole {
    fn nothing_of(request: Request<Arriving>) -> Self {
        Self {
            request: request.map(drop),
            body: Bytes::new(),
            room: None,
        }
    }
}

impl Visit<'_> {
    /// Reads the request whole, and asks GitHub what has to be known until it is understood.
    pub(super) async fn understand_api(&self, request: Request<Arriving>) -> Result<Asked, Stopped> {
        let most = match &self.door {
            Door::Rest(root, path) => rest::body_wanted(*root, &self.asked.method, path),
            _ => BodyWanted::Whole {
                at_most: graphql::LARGEST_BODY,
            },
        };
        let Whole { request, body, room } = match most {
            BodyWanted::Nothing => Whole::nothing_of(request), // it is not sent
            BodyWanted::Whole { at_most } => self.whole(request, at_most).await?,
        };
        let mut facts = Facts::default();
        for _round in 0..MOST_ROUNDS {
            match self
                .read_api(&request, &body, &facts)
                .map_err(|why| self.not_understood(&why))?
            {
                Understanding::Known(understood) => return Ok(self.known(&request, understood, room)),
                Understanding::Ask(questions) => self.learn(&mut facts, questions).await?,
            }
        }
        Err(self.not_understood(&NotUnderstood::because(
            "it leads from one thing to the next without an end",
        )))
    }

    fn read_api(
        &self,
        request: &Request<()>,
        body: &Bytes,
        facts: &Facts,
    ) -> Result<Understanding, NotUnderstood> {
        let (query, content_type) = (request.uri().query(), content_type(request.headers()));
        let method = &self.asked.method;
        if let Door::Rest(root, path) = &self.door {
            let asked = RestRequest {
                root: *root,
                method,
                path,
                query,
                content_type,
                body,
            };
            return rest::understand(&asked, &self.grant, facts);
        }
        let asked = GraphqlRequest {
            method: method.as_str(),
            query,
            content_type,
            body,
        };
        graphql::understand(&asked, &self.grant, facts)
    }

    pub(super) fn known(
        &self,
        request: &Request<()>,
        understood: Understood,
        room: Option<OwnedSemaphorePermit>,
    ) -> Asked {
        let body = match &understood.body {
            BodySent::These(bytes) => Sent::These(bytes.clone()),
            BodySent::Nothing | BodySent::AsItComes => Sent::Nothing,
        };
        Asked {
            room,
            ..self.asked(request, understood, body)
        }
    }

    /// The request with all of its body, without a coding.
    pub(super) async fn whole(&self, request: Request<Arriving>, most: usize) -> Result<Whole, Stopped> {
        let (parts, body) = request.into_parts();
        if parts.headers.contains_key(http::header::CONTENT_ENCODING) {
            return Err(self.not_understood(&NotUnderstood::because(
                "its body is coded; send it without a Content-Encoding",
            )));
        }
        let told = body
            .size_hint()
            .exact()
            .and_then(|length| usize::try_from(length).ok());
        let room = self
            .gate()
            .at_github
            .holding
            .request(told.unwrap_or(most).min(most))
            .await;
        let held = hold(body, most).await.map_err(Error::ClientHttp)?;
        match held {
            Read::Whole(body, _trailers) => Ok(Whole {
                request: Request::from_parts(parts, ()),
                body,
                room: Some(room),
            }),
            Read::TooLong => Err(self.not_understood(&NotUnderstood::because(format!(
                "its body is longer than the {most} bytes that this may have"
            )))),
        }
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// A node leads to a repository, and that to its number: nothing leads further.
const MOST_ROUNDS: usize = 4;
