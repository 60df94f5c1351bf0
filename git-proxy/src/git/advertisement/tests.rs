#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

const ID: &str = "db06ae6737e593a4a3fd3b038958e161273ff496";

/// As git writes it; `0000` and `0001` are themselves.
fn framed(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        match *line {
            "0000" | "0001" => bytes.extend_from_slice(line.as_bytes()),
            _ => write_line(&mut bytes, format!("{line}\n").as_bytes()),
        }
    }
    bytes
}

/// What is sent on, whatever the pieces.
fn sent_on(service: Service, bytes: &[u8]) -> Result<Vec<u8>, AdvertisementError> {
    let in_pieces = |size: usize| {
        let mut advertisement = Advertisement::of(service);
        let mut sent = Vec::new();
        for piece in bytes.chunks(size) {
            sent.extend(advertisement.feed(piece)?);
        }
        advertisement.end().map(|()| sent)
    };
    let whole = in_pieces(bytes.len().max(1));
    for size in [1, 3, 50] {
        assert_eq!(in_pieces(size), whole, "in pieces of {size}");
    }
    whole
}

fn check(service: Service, offered: &[&str], expected: &[&str]) {
    let sent = sent_on(service, &framed(offered)).unwrap();
    assert_eq!(
        sent.escape_ascii().to_string(),
        framed(expected).escape_ascii().to_string()
    );
}

#[test]
fn a_push_is_offered_what_moves_refs_and_no_more() {
    let named = format!("{ID} refs/heads/main");
    let other = format!("{ID} refs/tags/v1");
    let offered = format!(
        "{named}\0report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-cert=1795659166-fe \
         push-options session-id=2026-H0a object-format=sha1 agent=git/2.47.3 new-thing"
    );
    let kept = format!(
        "{named}\0report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1 agent=git/2.47.3"
    );
    let service = "# service=git-receive-pack";
    check(
        Service::ReceivePack,
        &[service, "0000", &offered, &other, "0000"],
        &[service, "0000", &kept, &other, "0000"],
    );
    check(
        Service::ReceivePack,
        &[service, "0000", "version 1", &offered, "0000"],
        &[service, "0000", "version 1", &kept, "0000"],
    );
    let empty = "0000000000000000000000000000000000000000 capabilities^{}\0report-status";
    check(
        Service::ReceivePack,
        &[service, "0000", empty, "0000"],
        &[service, "0000", empty, "0000"],
    );
}

#[test]
fn a_fetch_is_not_led_elsewhere() {
    let service = "# service=git-upload-pack";
    let v2 = [
        "version 2",
        "agent=git/2.47.3",
        "ls-refs=unborn",
        "fetch=shallow wait-for-done filter",
        "object-format=sha256",
        "0000",
    ];
    let offered = [
        "version 2",
        "agent=git/2.47.3",
        "ls-refs=unborn new",
        "fetch=shallow packfile-uris wait-for-done filter",
        "server-option",
        "object-format=sha256",
        "session-id=1",
        "bundle-uri",
        "promisor-remote=name=a,url=https://elsewhere.example",
        "0000",
    ];
    check(Service::UploadPack, &offered, &v2);
    let with_service = |lines: &[&'static str]| [&[service, "0000"], lines].concat();
    check(Service::UploadPack, &with_service(&offered), &with_service(&v2));
    check(
        Service::UploadPack,
        &["version 2", "fetch=packfile-uris", "0000"],
        &["version 2", "fetch", "0000"],
    );
    let v0 =
        format!("{ID} HEAD\0multi_ack side-band-64k symref=HEAD:refs/heads/main object-format=sha1 agent=x");
    check(
        Service::UploadPack,
        &[service, "0000", &v0, "0000"],
        &[service, "0000", &v0, "0000"],
    );
    check(
        Service::UploadPack,
        &[service, "0000", "0000"],
        &[service, "0000", "0000"],
    );
}

#[test]
fn what_is_no_advertisement_is_refused() {
    let service = "# service=git-receive-pack";
    let first = format!("{ID} refs/heads/main\0report-status");
    let refused = |lines: &[&str]| sent_on(Service::ReceivePack, &framed(lines)).unwrap_err();
    assert_eq!(
        refused(&["# service=git-upload-pack", "0000"]),
        AdvertisementError::NotSmart(Service::ReceivePack)
    );
    assert_eq!(
        refused(&["version 2", "0000"]),
        AdvertisementError::NotSmart(Service::ReceivePack)
    );
    assert_eq!(
        refused(&[service, "0000", "version 2", "0000"]),
        AdvertisementError::Unexpected
    );
    assert_eq!(refused(&[service, "0000", &first]), AdvertisementError::CutOff);
    assert_eq!(
        refused(&[service, "0000", &first, "0000", &first]),
        AdvertisementError::CutOff
    );
    assert_eq!(
        refused(&[service, "0000", &first, &first, "0000"]),
        AdvertisementError::Unexpected
    );
    assert_eq!(
        refused(&[service, "0000", &first, "", "0000"]),
        AdvertisementError::Unexpected
    );
    assert_eq!(
        refused(&[service, "0000", "0000"]),
        AdvertisementError::Unexpected
    );
    let dumb = format!("{ID}\trefs/heads/main\n");
    assert!(sent_on(Service::ReceivePack, dumb.as_bytes()).is_err());
    assert!(sent_on(Service::ReceivePack, b"").is_err());
    check(
        Service::ReceivePack,
        &[service, "0000", "ERR no such repository"],
        &[service, "0000", "ERR no such repository"],
    );
}

#[test]
fn memory_stays_flat() {
    let service = framed(&[
        "# service=git-upload-pack",
        "0000",
        &format!("{ID} HEAD\0multi_ack"),
    ]);
    let mut advertisement = Advertisement::of(Service::UploadPack);
    advertisement.feed(&service).unwrap();
    let line = framed(&[&format!("{ID} refs/heads/{}", "x".repeat(100))]);
    for _ in 0..100_000 {
        advertisement.feed(&line).unwrap();
        assert!(advertisement.lines.is_empty());
    }
    advertisement.feed(FLUSH).unwrap();
    assert_eq!(advertisement.end(), Ok(()));
}
