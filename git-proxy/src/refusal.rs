//! How each door says no, so that the client shows it to a person.

use bytes::Bytes;
use serde_json::json;

use crate::git;
use crate::route::{Door, GitDoor};
use crate::understood::AnswerHere;

/// What is said to who is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: &'static str,
    /// What was refused, and why.
    pub message: String,
    /// What to do instead.
    pub remedy: String,
}

impl Refusal {
    /// The answer that clients of this door show. A push is refused with
    /// [`git::PushRefusal`] instead, where its client can read a report.
    pub fn answer(&self, door: &Door) -> AnswerHere {
        match door {
            Door::Graphql => self.graphql(),
            Door::Rest(..) => self.json("application/json; charset=utf-8"),
            Door::Lfs(..) => self.json("application/vnd.git-lfs+json"),
            Door::Git(_, GitDoor::UploadPack) => git::fetch_refused(&self.sentence()),
            Door::Git(_, GitDoor::UploadArchive) => git::archive_refused(&self.sentence()),
            Door::Git(
                _,
                GitDoor::AdvertiseUploadPack | GitDoor::AdvertiseReceivePack | GitDoor::ReceivePack,
            )
            | Door::Page(_)
            | Door::Storage => self.text(),
        }
    }

    /// gh shows the messages of `errors`, whose status is 200 ("Forming calls with GraphQL", GitHub Docs).
    fn graphql(&self) -> AnswerHere {
        let error =
            json!({"type": "FORBIDDEN", "message": self.sentence(), "extensions": {"code": self.code}});
        AnswerHere {
            status: 200,
            content_type: "application/json; charset=utf-8",
            body: json!({"data": null, "errors": [error]}).to_string().into(),
        }
    }

    /// gh and git-lfs show `message`.
    fn json(&self, content_type: &'static str) -> AnswerHere {
        AnswerHere {
            status: 403,
            content_type,
            body: json!({"message": self.sentence(), "code": self.code})
                .to_string()
                .into(),
        }
    }

    /// git shows it line by line behind `remote:`, when it asked for `info/refs`.
    fn text(&self) -> AnswerHere {
        AnswerHere {
            status: 403,
            content_type: "text/plain; charset=utf-8",
            body: Bytes::from(format!(
                "Outwall: {}\nOutwall: {}\n",
                printable(&self.message),
                printable(&self.remedy)
            )),
        }
    }

    fn sentence(&self) -> String {
        printable(&format!("Outwall: {} ({})", self.message, self.remedy))
    }
}

/// Without what a terminal obeys, and without what turns or hides text: git prints it raw.
pub(crate) fn printable(text: &str) -> String {
    let unseen = |one: char| matches!(one, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let shown = |one: char| if one.is_control() || unseen(one) { '?' } else { one };
    text.chars().map(shown).collect()
}
