//! Git LFS: batches are understood, transfers come back through the gate by tickets.

use std::sync::Arc;

use aws_lc_rs::rand;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RANGE, USER_AGENT};
use http::{Method, Request, Version};
use outwall_broker::scrub::Scrubber;
use outwall_git_proxy::lfs::{self, BatchRequest, BroughtBack, Transfer, TransferKind};
use outwall_git_proxy::{AnswerTreatment, BodySent, Door, LfsDoor, NotUnderstood, Understanding, Understood};
use outwall_policy::RequestPermit;
use outwall_policy::github::{Actions, GithubAction, RepositoryName};

use super::api::Whole;
use super::front::Here;
use super::led::{self, Going};
use super::treated::Treatment;
use super::visit::{Asked, Sent, Visit};
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::Held;
use crate::error::Error;
use crate::exchange::Stopped;

/// What a request of git-lfs would do.
pub(super) async fn understand(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    door: &LfsDoor,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    if let LfsDoor::Transfer(ticket) = door {
        return by_ticket(visit, repository, ticket, request);
    }
    let Whole { request, body, room } = visit.whole(request, LONGEST_BODY).await?;
    let understood = lfs::understand(repository, door, request.uri().query(), &body);
    match understood.map_err(|why| visit.not_understood(&why))? {
        Understanding::Known(understood) => Ok(visit.known(&request, understood, room)),
        Understanding::Ask(_) => {
            Err(visit.not_understood(&NotUnderstood::because("it asks for what nothing tells")))
        }
    }
}

/// A transfer, which its ticket tells all of.
fn by_ticket(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    ticket: &str,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    let transfer = visit.gate().at_github.redeem(ticket, &visit.asked.method);
    let transfer = transfer.map_err(|why| visit.not_understood(&NotUnderstood::because(why.to_string())))?;
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).cloned();
    let request = Request::from_parts(parts, ());
    let body = match transfer.kind {
        TransferKind::Download => Sent::Nothing,
        TransferKind::Upload => Sent::Streamed(body),
        TransferKind::Verify => Sent::These(transfer.verify_body()),
    };
    let mut asked = visit.asked(&request, understood(repository, &transfer), body);
    if transfer.kind == TransferKind::Upload {
        // A store refuses a body whose length it is not told.
        asked
            .head
            .headers_mut()
            .extend(length.map(|length| (CONTENT_LENGTH, length)));
    }
    asked.treatment = Treatment::Transfer(Box::new(transfer));
    Ok(asked)
}

/// What a transfer does. For which branch an upload is was decided on when its batch was.
fn understood(repository: &RepositoryName, transfer: &Transfer) -> Understood {
    let action = match transfer.kind {
        TransferKind::Download => GithubAction::Read(repository.clone()),
        TransferKind::Upload | TransferKind::Verify => GithubAction::StoreObjects(repository.clone()),
    };
    Understood {
        actions: Actions {
            operation: format!("git-lfs {}", transfer.kind.as_str()),
            all: vec![action],
        },
        path: None,
        query: None,
        body: BodySent::Nothing,
        answer: AnswerTreatment::AsItComes,
        details: vec![format!("{} {}", transfer.file.oid, transfer.file.size)],
    }
}

/// Sends a transfer to where GitHub said, with the headers that it gave for it.
pub(super) async fn transfer(
    visit: &Visit<'_>,
    permit: &RequestPermit,
    transfer: Transfer,
    (asked, body): (Request<()>, Sent),
    held: Held,
) -> Result<Answer, Stopped> {
    let mut request = Request::new(match body {
        Sent::Nothing | Sent::Push(_) => Arriving::Nothing,
        Sent::These(bytes) => Arriving::held(bytes, None),
        Sent::Streamed(body) => body,
    });
    *request.method_mut() = asked.method().clone();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = transfer.href.clone();
    let headers = request.headers_mut();
    for name in [ACCEPT, CONTENT_LENGTH, RANGE, USER_AGENT] {
        headers.extend(asked.headers().get(&name).map(|value| (name, value.clone())));
    }
    headers.insert(CONTENT_TYPE, media_type(&transfer, asked.method()));
    let scrubber = scrubber(visit, &transfer.headers)?;
    for (name, value) in &transfer.headers {
        headers.insert(name, value.clone());
    }
    request.extensions_mut().extend(visit.travelling());
    let going = Going { request, scrubber };
    led::send(visit, permit, going, held).await
}

/// What is done with a store's answer: where it leads is signed, as what led there was.
pub(super) fn treatment(transfer: &Transfer) -> Treatment {
    Treatment::Understood(match transfer.kind {
        TransferKind::Download => AnswerTreatment::FollowRedirects,
        TransferKind::Upload | TransferKind::Verify => AnswerTreatment::AsItComes,
    })
}

/// What is masked in what a store answers: the credentials that it was sent.
fn scrubber(visit: &Visit<'_>, sent: &[(HeaderName, HeaderValue)]) -> Result<Option<Arc<Scrubber>>, Stopped> {
    let secret = |value: &&(HeaderName, HeaderValue)| value.0 == http::header::AUTHORIZATION;
    let name = visit.grant.credential();
    let secrets: Vec<_> = sent
        .iter()
        .filter(secret)
        .map(|(_, value)| (name.clone(), value.as_bytes()))
        .collect();
    if secrets.is_empty() {
        return Ok(None);
    }
    let made = Scrubber::new(secrets);
    match made {
        Ok(scrubber) => Ok(Some(Arc::new(scrubber))),
        Err(_) => Err(Error::Proxy("what GitHub gave for a transfer cannot be masked").into()),
    }
}

fn media_type(transfer: &Transfer, method: &Method) -> HeaderValue {
    match (transfer.kind, method) {
        (TransferKind::Verify, _) => HeaderValue::from_static("application/vnd.git-lfs+json"),
        _ => HeaderValue::from_static("application/octet-stream"),
    }
}

/// The answer to a batch, whose transfers lead through the gate.
pub(super) fn batch(visit: &Visit<'_>, asked: &BatchRequest, body: &[u8]) -> Result<Bytes, NotUnderstood> {
    let Door::Lfs(repository, _) = &visit.door else {
        return Err(NotUnderstood::because("it is no batch"));
    };
    let mut unlucky = false;
    let written = lfs::bring_back(body, asked, |transfer, good_for| {
        let mut random = [0; 16];
        unlucky |= rand::fill(&mut random).is_err();
        let ticket = visit.gate().at_github.issue(random, transfer, good_for);
        BroughtBack {
            href: format!("{}/{repository}.git/info/lfs/outwall/{ticket}", visit.web()),
            authorization: visit.here().and_then(Here::shown).map(ToOwned::to_owned),
        }
    });
    match written {
        Ok(written) if !unlucky => Ok(written),
        Ok(_) => Err(NotUnderstood::because("the system gives no random numbers")),
        Err(why) => Err(NotUnderstood::because(why.to_string())),
    }
}

/// Of a batch of 100 files, 200 bytes each, many times over.
const LONGEST_BODY: usize = 1 << 20;
