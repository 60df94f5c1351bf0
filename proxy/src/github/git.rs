//! Git over HTTP.

use http::Request;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue};
use outwall_git_proxy::git::{
    ArchiveRequest, FetchReader, OutcomeReader, ProtocolVersion, Service, probe_answer,
};
use outwall_git_proxy::{AnswerTreatment, BodySent, GitDoor, NotUnderstood, Understood};
use outwall_policy::Reason;
use outwall_policy::github::{Actions, GithubAction, RepositoryName};

use super::api::Whole;
use super::fetch;
use super::push::{self, Begun, Push, Unread};
use super::told;
use super::treated::Treatment;
use super::visit::{Asked, Sent, Visit};
use crate::arriving::Arriving;
use crate::error::Error;
use crate::exchange::Stopped;

/// What a request of git's would do.
pub(super) async fn understand(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    door: GitDoor,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    match door {
        GitDoor::AdvertiseUploadPack => Ok(advertise(visit, repository, &request, Service::UploadPack)),
        GitDoor::AdvertiseReceivePack => Ok(advertise(visit, repository, &request, Service::ReceivePack)),
        GitDoor::UploadPack => fetch(visit, repository, request),
        GitDoor::UploadArchive => archive(visit, repository, request).await,
        GitDoor::ReceivePack => receive(visit, repository, request).await,
    }
}

/// The list of refs. That somebody may push is decided on when they do, and is said earlier where nothing may be pushed at all: to another
/// repository.
fn advertise<B>(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    request: &Request<B>,
    service: Service,
) -> Asked {
    let read = GithubAction::Read(repository.clone());
    let all = match service {
        Service::UploadPack => vec![read],
        Service::ReceivePack => vec![read, GithubAction::StoreObjects(repository.clone())],
    };
    let understood = Understood {
        actions: Actions {
            operation: format!("{} (refs)", service.as_str()),
            all,
        },
        path: None,
        query: Some(format!("service={}", service.as_str())),
        body: BodySent::Nothing,
        answer: AnswerTreatment::AsItComes,
        details: Vec::new(),
    };
    let mut asked = visit.asked(request, understood, Sent::Nothing);
    if service == Service::ReceivePack {
        asked.head.headers_mut().remove(GIT_PROTOCOL);
    }
    asked
        .head
        .headers_mut()
        .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    asked.treatment = Treatment::Advertisement(service);
    asked
}

/// A fetch, which reads, whatever it asks for.
fn fetch(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, ());
    let refused =
        |why: &dyn std::error::Error| visit.not_understood(&NotUnderstood::because(why.to_string()));
    let version = ProtocolVersion::read(text(&request, "git-protocol")).map_err(|why| refused(&why))?;
    let coding = text(&request, "content-encoding");
    let target = &visit.asked.target;
    let body = fetch::body(visit.gate(), target, version, coding, body).map_err(|why| refused(&why))?;
    let understood = reads(FetchReader::actions(repository), BodySent::AsItComes);
    let mut asked = visit.asked(&request, understood, Sent::Streamed(body));
    let sent = version.header(Service::UploadPack).map(HeaderValue::from_static);
    let headers = asked.head.headers_mut();
    headers.remove(GIT_PROTOCOL);
    headers.extend(sent.map(|version| (GIT_PROTOCOL, version)));
    Ok(asked)
}

/// `git archive --remote`.
async fn archive(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    let Whole { request, body, room } = visit.whole(request, LONGEST_ARCHIVE_REQUEST).await?;
    let read = ArchiveRequest::read(&body);
    let read = read.map_err(|why| visit.not_understood(&NotUnderstood::because(why.to_string())))?;
    let understood = reads(
        ArchiveRequest::actions(repository),
        BodySent::These(read.serialise()),
    );
    Ok(visit.known(&request, understood, room))
}

fn reads(actions: Actions, body: BodySent) -> Understood {
    Understood {
        actions,
        path: None,
        query: None,
        body,
        answer: AnswerTreatment::AsItComes,
        details: Vec::new(),
    }
}

fn text<'r, B>(request: &'r Request<B>, name: &str) -> Option<&'r str> {
    request
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap_or("?"))
}

/// A push: its commands are read, the pack is not waited for.
async fn receive(
    visit: &Visit<'_>,
    repository: &RepositoryName,
    request: Request<Arriving>,
) -> Result<Asked, Stopped> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, ());
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(visit.not_understood(&NotUnderstood::because(
            "a push with a Content-Encoding, which git does not send",
        )));
    }
    let push = match Push::begin(body).await {
        Ok(Begun::Push(push)) => push,
        Ok(Begun::Probe) => return Ok(probe(visit, repository, &request)),
        Err(Unread::Lost(error)) => return Err(Error::ClientHttp(error).into()),
        Err(Unread::Malformed(why, rest)) => {
            let answer = push::refuse_unread(&why, *rest).await;
            let target = visit.asked.target.clone();
            let what = why.to_string();
            let denial = visit.gate().denial(Reason::GithubNotUnderstood { target, what });
            let answer = told::answer(&answer, denial.code());
            return Err(Stopped::Told(denial, Box::new(answer)));
        }
    };
    let understood = Understood {
        actions: push.commands.actions(repository),
        path: None,
        query: None,
        body: BodySent::AsItComes,
        answer: AnswerTreatment::AsItComes,
        details: push.details(),
    };
    let (outcome, sending) = (OutcomeReader::new(&push.commands), push.sending(visit));
    let mut asked = visit.asked(&request, understood, Sent::Push(push));
    asked
        .head
        .headers_mut()
        .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    asked.treatment = Treatment::Push(Box::new((outcome, sending)));
    Ok(asked)
}

/// Whether one may push is what a probe asks, and what shows there is looked at like for a push.
fn probe(visit: &Visit<'_>, repository: &RepositoryName, request: &Request<()>) -> Asked {
    let understood = Understood {
        actions: Actions {
            operation: "git-receive-pack (probe)".to_owned(),
            all: vec![GithubAction::StoreObjects(repository.clone())],
        },
        path: None,
        query: None,
        body: BodySent::Nothing,
        answer: AnswerTreatment::Here(probe_answer()),
        details: Vec::new(),
    };
    visit.asked(request, understood, Sent::Nothing)
}

const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
/// Some arguments and paths.
const LONGEST_ARCHIVE_REQUEST: usize = 64 << 10;
