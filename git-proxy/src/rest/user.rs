//! Who works in a session, for clients that ask: the session, and nothing of the account whose token is used.

use serde_json::json;

use crate::understood::AnswerHere;

/// The login of every session.
pub const SESSION_LOGIN: &str = "outwall";

/// The answer to `GET /user`, with what gh and libraries read of it. It is nobody's: GitHub gives out no number 0.
pub(super) fn answer() -> AnswerHere {
    let user = json!({
        "login": SESSION_LOGIN,
        "id": 0,
        "node_id": "",
        "avatar_url": "",
        "gravatar_id": "",
        "url": "",
        "html_url": "",
        "type": "Bot",
        "user_view_type": "public",
        "site_admin": false,
        "name": "Outwall session",
        "company": null,
        "blog": "",
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "updated_at": "1970-01-01T00:00:00Z",
    });
    AnswerHere {
        status: 200,
        content_type: "application/json; charset=utf-8",
        body: user.to_string().into(),
    }
}
