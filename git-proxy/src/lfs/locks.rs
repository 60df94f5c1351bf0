//! Locks ("Git LFS File Locking API"). They are read: git-lfs asks for them before every push.
//!
//! None is made and none is given up. A lock is of a path in the whole repository, whatever ref is named with it: it keeps everyone from
//! pushing a file, on every branch, and so is more than a session may write. Whose it is, is told by the credential, which is the same for
//! all sessions, so that one could take away the lock of another.

use outwall_policy::github::{GithubAction, OtherKind, RepositoryName};
use serde::{Deserialize, Serialize};

use super::batch::{AskedRef, SentRef};
use crate::understood::{AnswerTreatment, BodySent, NotUnderstood, Understood};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedLocks {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default, rename = "ref")]
    named: Option<AskedRef>,
}

#[derive(Serialize)]
struct SentLocks<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    named: Option<SentRef<'a>>,
}

/// `POST locks/verify`
pub(super) fn understand_verify(
    repository: &RepositoryName,
    body: &[u8],
) -> Result<Understood, NotUnderstood> {
    let asked: AskedLocks = super::read(body)?;
    let named = AskedRef::read(asked.named)?;
    let sent = SentLocks {
        cursor: asked.cursor.as_deref().filter(|cursor| !cursor.is_empty()),
        limit: asked.limit,
        named: SentRef::of(named.as_ref()),
    };
    let all = vec![GithubAction::Read(repository.clone())];
    Ok(super::known(
        "lfs/locks/verify",
        all,
        super::written(&sent),
        AnswerTreatment::AsItComes,
    ))
}

/// `GET locks`
pub(super) fn understand_list(
    repository: &RepositoryName,
    query: Option<&str>,
) -> Result<Understood, NotUnderstood> {
    let all = vec![GithubAction::Read(repository.clone())];
    let mut understood = super::known(
        "lfs/locks/list",
        all,
        BodySent::Nothing,
        AnswerTreatment::AsItComes,
    );
    understood.query = query.map(list_query).transpose()?;
    Ok(understood)
}

/// `POST locks` and `POST locks/ID/unlock`
pub(super) fn refused(operation: &str) -> Understood {
    let other = GithubAction::Other {
        operation: operation.to_owned(),
        kind: OtherKind::Settings,
    };
    super::known(
        operation,
        vec![other],
        BodySent::Nothing,
        AnswerTreatment::AsItComes,
    )
}

/// Parameters that are known, each once, in characters that mean themselves.
fn list_query(query: &str) -> Result<String, NotUnderstood> {
    let mut seen = Vec::new();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !LIST_PARAMETERS.contains(&name) || seen.contains(&name) {
            return Err(NotUnderstood::because(
                "its query has a parameter that is not known, or one twice",
            ));
        }
        if !value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%+/:".contains(&byte))
        {
            return Err(NotUnderstood::because(
                "its query has a character that has to be written as `%XX`",
            ));
        }
        seen.push(name);
    }
    Ok(query.to_owned())
}

const LIST_PARAMETERS: [&str; 5] = ["path", "id", "cursor", "limit", "refspec"];
