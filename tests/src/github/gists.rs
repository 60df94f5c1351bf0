//! Gists by git: `gist.github.com/ID.git`, with or without the owner.

use std::sync::Arc;

use hyper::Response;

use super::{Answer, Asked, Standing, git};
use crate::body::Outgoing;

pub(super) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let path = asked.path.clone();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let found = {
        let store = standing.store();
        let named = |part: &str| {
            let id = part.trim_end_matches(".git");
            store.of_kind("Gist").find(|gist| gist.text("name") == id)
        };
        let at = parts.iter().take(2).position(|part| named(part).is_some());
        at.and_then(|at| {
            let gist = named(parts[at])?;
            let disk = store.disks.get(&gist.id)?.clone();
            Some((disk, store.owns(gist, &asked.caller), parts[at + 1..].join("/")))
        })
    };
    let writes = asked.head.uri.to_string().contains("git-receive-pack");
    match found {
        Some((_, false, _)) if writes => Answer::who_are_you().into(),
        Some((disk, _, rest)) => git::backend(standing, asked, &disk, &rest, None).await,
        None => Answer::text(404, "Not Found").into(),
    }
}
