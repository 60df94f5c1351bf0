//! What `github.com` has for people, as far as tools follow links to it.

use super::tokens::Wanted;
use super::{Answer, Asked, Standing};

/// A page of a repository, or a redirect to a file.
pub(super) fn serve(standing: &Standing, asked: &Asked, repository: Option<u64>, rest: &[&str]) -> Answer {
    let store = standing.store();
    let Some(id) = repository.filter(|id| store.may(&asked.caller, Wanted::Read, "metadata", *id)) else {
        return Answer::text(404, "Not Found");
    };
    let name = store.full_name(id);
    let signed = |kind: &str, path: String| {
        let url = format!(
            "{}{path}?token={}",
            asked.site.files(kind),
            standing.signer.sign(&format!("/{kind}{path}"))
        );
        Answer::elsewhere(&url)
    };
    match rest {
        ["archive", reference @ ..] => {
            let reference = reference.join("/");
            let (reference, kind) = reference.strip_suffix(".zip").map_or_else(
                || (reference.strip_suffix(".tar.gz").unwrap_or(&reference), "tar.gz"),
                |reference| (reference, "zip"),
            );
            signed("codeload", format!("/{name}/{kind}/{reference}"))
        }
        ["raw", path @ ..] => signed("raw", format!("/{name}/{}", path.join("/"))),
        ["releases", "download", tag, file] => {
            let release = store
                .within("Release", id)
                .find(|release| release.text("tagName") == *tag);
            let asset = release.and_then(|release| {
                let of = store.link(release.key());
                store
                    .within("ReleaseAsset", id)
                    .find(|asset| *asset.field("release") == of && asset.text("name") == *file)
            });
            asset.map_or_else(
                || Answer::text(404, "Not Found"),
                |asset| signed("objects", format!("/assets/{}", asset.id)),
            )
        }
        _ => Answer::new(
            200,
            "text/html; charset=utf-8",
            format!("<html><title>{name}</title></html>"),
        ),
    }
}
