//! The answer of a server to a batch, with tickets in place of what is not for a sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Uri, header};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::batch::{BatchRequest, Operation};
use super::file::LfsFile;
use super::transfer::{Transfer, TransferKind};

/// Why the answer to a batch is not passed on.
#[derive(Debug, Error)]
pub enum BatchAnswerError {
    /// It is not JSON as LFS has it.
    #[error("the LFS server's answer cannot be read")]
    Json(#[source] serde_json::Error),
    /// It is of another way of transfer than was asked for.
    #[error("the LFS server answers with the transfer `{}`, and was asked for `basic`", .0.escape_debug())]
    Transfer(String),
    /// It tells of a file that was not asked for.
    #[error("the LFS server answers with a file that it was not asked for")]
    NotAsked,
    /// It leads to where the gate does not follow.
    #[error("the LFS server sends a {0} to what is no https URL")]
    Href(&'static str),
    /// It has a header that is none.
    #[error("the LFS server sends a {0} with a header that is none")]
    Header(&'static str),
}

/// The server's answer, leniently: what is not known of it is left out.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    transfer: Option<String>,
    objects: Vec<AnsweredFile>,
    #[serde(default)]
    hash_algo: Option<String>,
}

#[derive(Deserialize)]
struct AnsweredFile {
    oid: super::FileId,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    actions: Option<BTreeMap<String, AnsweredAction>>,
    #[serde(default)]
    error: Option<FileError>,
}

#[derive(Deserialize)]
struct AnsweredAction {
    href: String,
    #[serde(default)]
    header: Option<BTreeMap<String, String>>,
    #[serde(default)]
    expires_in: Option<serde_json::Number>,
    #[serde(default)]
    expires_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FileError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Serialize)]
struct Sent {
    transfer: &'static str,
    objects: Vec<SentFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_algo: Option<String>,
}

/// Without `authenticated`: the client authenticates itself to the gate, as it did for the batch.
#[derive(Serialize)]
struct SentFile {
    #[serde(flatten)]
    file: LfsFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<BTreeMap<&'static str, SentAction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FileError>,
}

#[derive(Serialize)]
struct SentAction {
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<BTreeMap<&'static str, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// What a client is told of a transfer.
#[derive(Debug)]
pub struct BroughtBack {
    /// The URL of the repository, `/info/lfs/outwall/` and a [ticket](super::Tickets).
    pub href: String,
    /// What it shows there as `Authorization`, where it is to show what it showed for the batch: not every client asks its helper anew
    /// for each transfer.
    pub authorization: Option<String>,
}

impl From<String> for BroughtBack {
    fn from(href: String) -> Self {
        Self {
            href,
            authorization: None,
        }
    }
}

/// Brings the transfers of an answer with status 200 back through the gate. `ticket` gives what is sent in place of a transfer's URL, which
/// is good for the time that is given with it.
pub fn bring_back<T: Into<BroughtBack>>(
    answer: &[u8],
    asked: &BatchRequest,
    mut ticket: impl FnMut(Transfer, Duration) -> T,
) -> Result<Bytes, BatchAnswerError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(BatchAnswerError::Json)?;
    if let Some(other) = answer.transfer.filter(|name| !name.is_empty() && name != "basic") {
        return Err(BatchAnswerError::Transfer(other.chars().take(60).collect()));
    }
    let mut objects = Vec::with_capacity(answer.objects.len());
    for file in answer.objects {
        objects.push(bring_file_back(file, asked, &mut ticket)?);
    }
    let sent = Sent {
        transfer: "basic",
        objects,
        hash_algo: answer.hash_algo,
    };
    serde_json::to_vec(&sent)
        .map(Bytes::from)
        .map_err(BatchAnswerError::Json)
}

fn bring_file_back<T: Into<BroughtBack>>(
    answered: AnsweredFile,
    asked: &BatchRequest,
    ticket: &mut impl FnMut(Transfer, Duration) -> T,
) -> Result<SentFile, BatchAnswerError> {
    let file = LfsFile {
        oid: answered.oid,
        size: answered.size,
    };
    if !asked.files.iter().any(|asked| asked.oid == file.oid) {
        return Err(BatchAnswerError::NotAsked);
    }
    let mut sent = BTreeMap::new();
    for (name, action) in answered.actions.iter().flatten() {
        // What does not go with what was asked for is left out, as a client leaves it out.
        let Some(kind) = kind(name, asked.operation) else {
            continue;
        };
        let BroughtBack { href, authorization } =
            ticket(transfer(kind, &file, action)?, good_for(action)).into();
        let header = authorization.map(|shown| BTreeMap::from([("Authorization", shown)]));
        let (expires_in, expires_at) = (action.expires_in.clone(), action.expires_at.clone());
        sent.insert(
            kind.as_str(),
            SentAction {
                href,
                header,
                expires_in,
                expires_at,
            },
        );
    }
    let actions = answered.actions.is_some().then_some(sent);
    Ok(SentFile {
        file,
        actions,
        error: answered.error,
    })
}

fn kind(name: &str, operation: Operation) -> Option<TransferKind> {
    match (operation, name) {
        (Operation::Download, "download") => Some(TransferKind::Download),
        (Operation::Upload, "upload") => Some(TransferKind::Upload),
        (Operation::Upload, "verify") => Some(TransferKind::Verify),
        _ => None,
    }
}

fn transfer(
    kind: TransferKind,
    file: &LfsFile,
    action: &AnsweredAction,
) -> Result<Transfer, BatchAnswerError> {
    let href: Uri = action
        .href
        .parse()
        .map_err(|_| BatchAnswerError::Href(kind.as_str()))?;
    let https = href.scheme_str() == Some("https");
    let plain = href
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    if !https || !plain {
        return Err(BatchAnswerError::Href(kind.as_str()));
    }
    let mut headers = Vec::new();
    for (name, value) in action.header.iter().flatten() {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| BatchAnswerError::Header(kind.as_str()))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| BatchAnswerError::Header(kind.as_str()))?;
        value.set_sensitive(true);
        if !OF_THE_CONNECTION.contains(&name) {
            headers.push((name, value));
        }
    }
    Ok(Transfer {
        kind,
        file: file.clone(),
        href,
        headers,
    })
}

/// For how long a ticket is good. What the server says in seconds is taken at its word; a date is left to the server to judge.
fn good_for(action: &AnsweredAction) -> Duration {
    let seconds = action.expires_in.as_ref().and_then(serde_json::Number::as_f64);
    let seconds = seconds.filter(|seconds| *seconds != 0.0);
    seconds.map_or(UNSAID, |seconds| {
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    })
}

/// How the request is sent is not for a server to say.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
];

/// Where a server says nothing, or a date.
const UNSAID: Duration = Duration::from_hours(24);
