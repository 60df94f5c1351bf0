//! The head of what is sent to GitHub: written by us, with the fields of the client that are known to be harmless.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PRAGMA, RANGE, USER_AGENT,
};
use http::{Request, Uri, Version};
use outwall_git_proxy::{AnswerTreatment, ApiRoot, BodySent, Door, Understood};

use super::visit::{Sent, Visit};

/// The head of what is sent: the client's method, the path and query that were understood, and only fields that say nothing of who asks.
pub(super) fn head<B>(
    visit: &Visit<'_>,
    request: &Request<B>,
    understood: &Understood,
    body: &Sent,
) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.version_mut() = Version::HTTP_11;
    *head.uri_mut() = target_of(visit, request.uri(), understood);
    let sent = head.headers_mut();
    for name in FIELDS.iter().chain(GITHUBS.iter()) {
        for value in request.headers().get_all(name) {
            sent.append(name, value.clone());
        }
    }
    if !matches!(body, Sent::Nothing) {
        let media = media_type(&visit.door, &understood.body, request.headers().get(CONTENT_TYPE));
        sent.extend(media.map(|media| (CONTENT_TYPE, media)));
    }
    if matches!(understood.answer, AnswerTreatment::WithoutTokens) {
        sent.remove(RANGE); // a piece of it could be a token without what tells that it is one
        sent.remove(IF_RANGE);
    }
    if !matches!(understood.answer, AnswerTreatment::AsItComes) {
        sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    head
}

fn target_of(visit: &Visit<'_>, asked: &Uri, understood: &Understood) -> Uri {
    let path = match &understood.path {
        Some(path) => format!("{}{path}", prefix(visit)),
        None => asked.path().to_owned(),
    };
    let whole = match &understood.query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    whole.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// What comes before the path of an operation on a server of one's own.
fn prefix(visit: &Visit<'_>) -> &'static str {
    match (&visit.door, visit.grant.at().host.has_api_host()) {
        (Door::Rest(ApiRoot::Uploads, _), false) => "/api/uploads",
        (Door::Rest(ApiRoot::Api, _), false) => "/api/v3",
        _ => "",
    }
}

fn media_type(door: &Door, body: &BodySent, asked: Option<&HeaderValue>) -> Option<HeaderValue> {
    match (door, body) {
        (Door::Rest(..) | Door::Graphql, BodySent::These(_)) => {
            Some(HeaderValue::from_static("application/json; charset=utf-8"))
        }
        (Door::Lfs(..), BodySent::These(_)) => Some(HeaderValue::from_static("application/vnd.git-lfs+json")),
        _ => asked.cloned(),
    }
}

const FIELDS: [HeaderName; 13] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    PRAGMA,
    RANGE,
    USER_AGENT,
    HeaderName::from_static("git-protocol"),
];
/// Of the API: version, features in preview, the time zone of dates.
const GITHUBS: [HeaderName; 4] = [
    HeaderName::from_static("x-github-api-version"),
    HeaderName::from_static("graphql-features"),
    HeaderName::from_static("x-github-next-global-id"),
    HeaderName::from_static("time-zone"),
];
