//! Where large files are kept: by their SHA-256, beside the repository, behind signatures.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::body::Outgoing;
use crate::github::disk::Disk;
use crate::github::signed::hex;
use crate::github::{Answer, Asked, Standing};

pub(super) fn is_id(id: &str) -> bool {
    id.len() == 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

pub(super) fn path(disk: &Disk, id: &str) -> PathBuf {
    disk.path().join("lfs").join(id)
}

pub(super) fn size(disk: &Disk, id: &str) -> Option<u64> {
    is_id(id)
        .then(|| fs::metadata(path(disk, id)).ok())?
        .map(|metadata| metadata.len())
}

pub(super) fn all(disk: &Disk) -> Vec<String> {
    let entries = fs::read_dir(disk.path().join("lfs"))
        .into_iter()
        .flatten()
        .flatten();
    let mut ids: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ids.retain(|id| is_id(id));
    ids.sort();
    ids
}

/// `PUT` and `GET` of `/alambic/media/REPOSITORY/OID`.
pub(in crate::github) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let denied = || Answer::new(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>").into();
    if !standing.signer.allows(&asked.head, &asked.path) {
        return denied();
    }
    let parts: Vec<&str> = asked.path.split('/').collect();
    let (Some(repository), Some(id)) = (parts.get(3).and_then(|id| id.parse::<u64>().ok()), parts.get(4))
    else {
        return denied();
    };
    let disk = standing.store().disks.get(&repository).cloned();
    let Some(disk) = disk.filter(|_| is_id(id)) else {
        return denied();
    };
    let id = (*id).to_owned();
    match asked.head.method.as_str() {
        "PUT" => put(asked, &disk, &id).await.into(),
        "GET" | "HEAD" if !asked.head.uri.query().is_some_and(|query| query.contains(MIRROR)) => {
            led_to_mirror(standing, &asked).into()
        }
        "GET" | "HEAD" => fetched(&disk, &id).await,
        _ => denied(),
    }
}

/// Stores lead to one another, by URLs that are signed, too.
fn led_to_mirror(standing: &Standing, asked: &Asked) -> Answer {
    let host = asked.head.uri.authority().map(ToString::to_string);
    let named = || Some(asked.head.headers.get("host")?.to_str().ok()?.to_owned());
    let host = host.or_else(named).unwrap_or_default();
    let (path, signature) = (asked.head.uri.path(), standing.signer.sign(&asked.path));
    let led = format!("https://{host}{path}?X-Amz-Signature={signature}&{MIRROR}");
    Answer::nothing(302).field("location", &led)
}

const MIRROR: &str = "mirror=1";

async fn put(mut asked: Asked, disk: &Disk, id: &str) -> Answer {
    let target = path(disk, id);
    let partial = target.with_extension("partial");
    let parent = target.parent().expect("it lies in a directory");
    fs::create_dir_all(parent).expect("the repository is ours");
    let mut file = tokio::fs::File::create(&partial)
        .await
        .expect("the repository is ours");
    let mut digest = Context::new(&SHA256);
    while let Some(piece) = asked.body.piece().await {
        let Ok(piece) = piece else {
            return Answer::text(400, "the body broke off");
        };
        digest.update(&piece);
        file.write_all(&piece).await.expect("the disk has room");
    }
    file.flush().await.expect("the disk has room");
    if hex(digest.finish().as_ref()) != id {
        let _ = fs::remove_file(&partial);
        return Answer::new(
            400,
            "application/xml",
            "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>",
        );
    }
    fs::rename(&partial, &target).expect("the repository is ours");
    Answer::nothing(200)
}

async fn fetched(disk: &Disk, id: &str) -> Response<Outgoing> {
    let Ok(mut file) = tokio::fs::File::open(path(disk, id)).await else {
        return Answer::new(404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>").into();
    };
    let length = size(disk, id).unwrap_or_default();
    let (sender, frames) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let mut buffer = vec![0; 64 * 1024];
            let length = file.read(&mut buffer).await.unwrap_or(0);
            buffer.truncate(length);
            if length == 0 || sender.send(Frame::data(Bytes::from(buffer))).await.is_err() {
                return;
            }
        }
    });
    let response = Response::builder()
        .header("content-type", "application/octet-stream")
        .header("content-length", length);
    response.body(Outgoing::Frames(frames)).expect("fields of ours")
}
