//! Gists by git: `gist.github.com/ID.git`, with or without the owner.

use std::sync::Arc;

use hyper::Response;

use super::{Answer, Asked, Standing, git};
use crate::body::Outgoing;

pub(super) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let path = asked.path.clone();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let at = usize::from(!parts.first().is_some_and(|first| first.contains(".git")));
    let (Some(id), rest) = (parts.get(at), parts.get(at + 1..).unwrap_or_default().join("/")) else {
        return Answer::text(404, "Not Found").into();
    };
    let found = {
        let store = standing.store();
        let id = id.trim_end_matches(".git");
        let gist = store.of_kind("Gist").find(|gist| gist.text("name") == id);
        gist.map(|gist| {
            (
                super::disk::Disk::at(&store.root.join(format!("gist-{id}.git"))),
                store.owns(gist, &asked.caller),
            )
        })
    };
    let writes = asked.head.uri.to_string().contains("git-receive-pack");
    match found {
        Some((_, false)) if writes => Answer::who_are_you().into(),
        Some((disk, _)) => git::backend(standing, asked, &disk, &rest, None).await,
        None => Answer::text(404, "Not Found").into(),
    }
}
