//! Git LFS: files beside git, stored under the hash of what is in them ("Git LFS API", git-lfs's documentation).
//!
//! A client asks for a batch, and the server answers where each file is up- or downloaded, with which headers: URLs that are signed, and
//! lead to other hosts. Those do not reach the sandbox: [`bring_back`] puts a [ticket](Tickets) in place of each, and the gate follows it.
//!
//! What a session may upload is what its branch may name: a batch that uploads says for which ref, and that ref is decided on as a push
//! to it would be.

mod batch;
mod batch_answer;
mod file;
mod locks;
mod tickets;
mod transfer;

use outwall_policy::github::{Actions, GithubAction, RepositoryName};

pub use batch::{BatchRequest, Operation};
pub use batch_answer::{BatchAnswerError, BroughtBack, bring_back};
pub use file::{FileId, LfsFile};
pub use tickets::{TicketError, Tickets};
pub use transfer::{Transfer, TransferKind};

use crate::route::LfsDoor;
use crate::understood::{AnswerTreatment, BodySent, NotUnderstood, Understanding, Understood};

/// Understands a request to an LFS server. A [transfer](LfsDoor::Transfer) is none: its ticket tells what it is ([`Tickets::redeem`]).
pub fn understand(
    repository: &RepositoryName,
    door: &LfsDoor,
    query: Option<&str>,
    body: &[u8],
) -> Result<Understanding, NotUnderstood> {
    if query.is_some() && *door != LfsDoor::Locks {
        return Err(NotUnderstood::because("it has a query, which it takes none of"));
    }
    let understood = match door {
        LfsDoor::Batch => batch::understand(repository, body)?,
        LfsDoor::Verify => file::understand_verify(repository, body)?,
        LfsDoor::Locks => locks::understand_list(repository, query)?,
        LfsDoor::VerifyLocks => locks::understand_verify(repository, body)?,
        LfsDoor::Lock => locks::refused("git lfs lock"),
        LfsDoor::Unlock => locks::refused("git lfs unlock"),
        LfsDoor::Transfer(_) => return Err(NotUnderstood::because("a transfer is known by its ticket")),
    };
    Ok(Understanding::Known(understood))
}

/// A request with a body of JSON that we wrote.
fn known(operation: &str, all: Vec<GithubAction>, body: BodySent, answer: AnswerTreatment) -> Understood {
    Understood {
        actions: Actions {
            operation: operation.to_owned(),
            all,
        },
        path: None,
        query: None,
        body,
        answer,
        details: Vec::new(),
    }
}

/// JSON of one shape: unknown members, and members named twice, are refused.
fn read<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, NotUnderstood> {
    serde_json::from_slice(body)
        .map_err(|error| NotUnderstood::because(format!("the body is not as LFS has it: {error}")))
}

/// JSON of a type of ours, whose members are texts, numbers and lists.
fn written<T: serde::Serialize>(value: &T) -> BodySent {
    BodySent::These(
        serde_json::to_vec(value)
            .expect("texts, numbers and lists are JSON")
            .into(),
    )
}

#[cfg(test)]
mod tests;
