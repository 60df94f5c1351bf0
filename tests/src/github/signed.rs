//! URLs that are credentials: short-lived signatures over a path, and the files behind them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use hyper::Response;
use hyper::header::AUTHORIZATION;

use super::tokens::Wanted;
use super::{Answer, Asked, Standing};
use crate::body::Outgoing;

/// How long a signature is good, in seconds.
const LIFETIME: u64 = 900;

/// Signs paths, and knows its own signatures.
pub(super) struct Signer(hmac::Key);

impl Signer {
    pub(super) fn new() -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        Self(hmac::Key::generate(hmac::HMAC_SHA256, &random).expect("the system has randomness"))
    }

    /// `END.MAC`, good for this path until then.
    pub(super) fn sign(&self, path: &str) -> String {
        let end = now() + LIFETIME;
        format!("{end}.{}", self.mac(path, end))
    }

    /// Whether the request carries a signature for `path`: as `RemoteAuth`, or in its query.
    pub(super) fn allows(&self, head: &http::request::Parts, path: &str) -> bool {
        let field = head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let field = field.and_then(|value| value.strip_prefix("RemoteAuth "));
        let named = |pair: &'_ str| {
            let (name, value) = pair.split_once('=')?;
            matches!(name, "X-Amz-Signature" | "token" | "sig").then(|| value.to_owned())
        };
        let query = head.uri.query().unwrap_or_default().split('&').find_map(named);
        let Some(shown) = field.map(str::to_owned).or(query) else {
            return false;
        };
        let Some((end, mac)) = shown.split_once('.') else {
            return false;
        };
        let end: u64 = end.parse().unwrap_or_default();
        end > now() && mac == self.mac(path, end)
    }

    fn mac(&self, path: &str, end: u64) -> String {
        let mac = hmac::sign(&self.0, format!("{end} {path}").as_bytes());
        hex(mac.as_ref())
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Serves archives, logs, assets and raw contents. Those of public repositories need no signature, but for logs.
pub(super) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let Asked {
        head, caller, path, ..
    } = asked;
    let standing = Arc::clone(standing);
    let made = tokio::task::spawn_blocking(move || {
        let signed = standing.signer.allows(&head, &path);
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let store = standing.store();
        match parts.as_slice() {
            [kind @ ("codeload" | "raw"), owner, name, rest @ ..] => {
                let repository = store.repository_named(owner, name)?.id;
                let may = signed || store.may(&caller, Wanted::Read, "contents", repository);
                let disk = store.disks.get(&repository).filter(|_| may)?.clone();
                drop(store);
                if *kind == "raw" {
                    raw(&disk, rest)
                } else {
                    archive(&disk, rest, &format!("{owner}-{name}"))
                }
            }
            ["objects", "assets", id] if signed => {
                let record = store.records.get(&("ReleaseAsset", id.parse().ok()?))?;
                let content = std::fs::read(store.root.join(format!("asset-{id}"))).unwrap_or_default();
                Some(Answer::new(200, record.text("contentType"), content))
            }
            ["objects", "logs", id] if signed => Some(Answer::text(
                200,
                &format!("2026-10-01T00:00:00.0000000Z log of {id}\n"),
            )),
            ["objects", "logs.zip", id] if signed => Some(Answer::new(
                200,
                "application/zip",
                super::zip::of("1_build.txt", format!("log of {id}\n").as_bytes()),
            )),
            ["objects", "artifacts", id] if signed => Some(Answer::new(
                200,
                "application/zip",
                super::zip::of("result.txt", format!("artifact {id}\n").as_bytes()),
            )),
            ["gist", _, id, "raw", .., name] => {
                let gist = store.of_kind("Gist").find(|gist| gist.text("name") == *id)?;
                Some(Answer::text(200, gist.field("contents")[name].as_str()?))
            }
            _ => None,
        }
    });
    let made = made.await.expect("nothing panics in it");
    made.unwrap_or_else(|| Answer::text(404, "404: Not Found")).into()
}

/// `BRANCH/PATH…`, where a branch's name may have slashes, or `refs/heads/BRANCH/PATH…`.
fn raw(disk: &super::disk::Disk, rest: &[&str]) -> Option<Answer> {
    let split = (1..rest.len()).find_map(|at| {
        let id = disk.resolve(&rest[..at].join("/"))?;
        disk.git_with(
            &["cat-file", "blob", &format!("{id}:{}", rest[at..].join("/"))],
            b"",
        )
        .ok()
    });
    split.map(|content| Answer::text(200, "").with_body(content))
}

/// `legacy.tar.gz/REF…`, `tar.gz/REF…`, `zip/REF…`.
fn archive(disk: &super::disk::Disk, rest: &[&str], name: &str) -> Option<Answer> {
    let (kind, named) = rest.split_first()?;
    let (format, media) = if kind.contains("zip") {
        ("zip", "application/zip")
    } else {
        ("tar.gz", "application/x-gzip")
    };
    let id = disk.resolve(&named.join("/"))?;
    let prefix = format!("--prefix={name}-{}/", &id[..7]);
    let content = disk
        .git_with(&["archive", &format!("--format={format}"), &prefix, &id], b"")
        .ok()?;
    let file = format!("attachment; filename={name}-{}.{format}", &id[..7]);
    Some(Answer::new(200, media, content).field("content-disposition", file))
}
