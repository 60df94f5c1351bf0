//! What a door understood of a request.

use bytes::Bytes;
use outwall_policy::github::Actions;
use thiserror::Error;

use crate::asking::Question;
use crate::lfs::BatchRequest;

/// What a door makes of a request.
#[derive(Clone, Debug)]
pub enum Understanding {
    /// It knows what the request would do.
    Known(Understood),
    /// GitHub has to be asked first. With the answers among the facts the door is asked again.
    Ask(Vec<Question>),
}

/// A request that was understood: what it would do, and what is sent if that may be done.
#[derive(Clone, Debug)]
pub struct Understood {
    /// What it would do.
    pub actions: Actions,
    /// The path to send, written by us, without what comes before REST on a server of one's own; none for the path that was asked for.
    pub path: Option<String>,
    /// The query to send, written by us; none for none.
    pub query: Option<String>,
    /// The body to send.
    pub body: BodySent,
    /// What is done with the answer.
    pub answer: AnswerTreatment,
    /// What else a record of it should name: the operations of a GraphQL document, ids, numbers. Never anything secret, and nothing of
    /// what was written.
    pub details: Vec<String>,
}

/// The body that is sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodySent {
    /// None.
    Nothing,
    /// This one, in the media type of the door: JSON, and what git's protocol calls its own.
    These(Bytes),
    /// What the client sends, as it comes: bytes that mean nothing before a later request names them (a blob of LFS).
    AsItComes,
}

/// What is done with GitHub's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerTreatment {
    /// It goes to the client as it comes. A redirect is not followed, and loses its query where it leads elsewhere.
    AsItComes,
    /// A redirect is followed on the gate's side: its URL is signed, and not for the sandbox.
    FollowRedirects,
    /// JSON in which URLs lose their tokens (`download_url`).
    WithoutTokens,
    /// The answer of an LFS server to this batch: transfers are brought back through the gate ([`bring_back`](crate::lfs::bring_back)).
    LfsBatch(BatchRequest),
    /// Nothing is sent: this is the answer.
    Here(AnswerHere),
}

/// An answer of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHere {
    /// Its status.
    pub status: u16,
    /// Its media type.
    pub content_type: &'static str,
    /// Its body.
    pub body: Bytes,
}

/// A request that cannot be understood, which is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct NotUnderstood {
    /// What is wrong with it, for the one who sent it: `the body names "query" twice`.
    pub what: String,
}

impl NotUnderstood {
    /// For this reason, of which 500 bytes are said at most: it may name something that the sandbox wrote.
    pub fn because(what: impl Into<String>) -> Self {
        let mut what = what.into();
        if what.len() > LONGEST_REASON {
            what.truncate(what.floor_char_boundary(LONGEST_REASON));
            what.push('…');
        }
        Self { what }
    }
}

const LONGEST_REASON: usize = 500;
