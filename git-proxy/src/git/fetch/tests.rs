#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

const ID: &str = "db06ae6737e593a4a3fd3b038958e161273ff496";

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

fn sent_on(version: ProtocolVersion, bytes: &[u8]) -> Result<(FetchCommand, Vec<u8>), FetchError> {
    let in_pieces = |size: usize| {
        let mut reader = FetchReader::new(version);
        let mut sent = Vec::new();
        for piece in bytes.chunks(size) {
            sent.extend(reader.feed(piece)?);
        }
        reader.end().map(|asked| (asked, sent))
    };
    let whole = in_pieces(bytes.len().max(1));
    for size in [1, 7, 60] {
        assert_eq!(in_pieces(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn fetches_of_version_2_are_read_and_written_again() {
    let (want, have) = (format!("want {ID}"), format!("have {ID}"));
    let agent = "agent=git/2.47.3-Linux";
    for (asked, lines) in [
        (
            FetchCommand::LsRefs,
            vec![
                "command=ls-refs",
                agent,
                "object-format=sha1",
                "0001",
                "peel",
                "symrefs",
                "unborn",
                "ref-prefix refs/heads/",
                "0000",
            ],
        ),
        (
            FetchCommand::Fetch,
            vec![
                "command=fetch",
                agent,
                "0001",
                "thin-pack",
                "no-progress",
                "ofs-delta",
                "deepen 1",
                "filter blob:none",
                &want,
                &have,
                "done",
                "0000",
            ],
        ),
        (
            FetchCommand::ObjectInfo,
            vec!["command=object-info", "0001", "size", "0000"],
        ),
        (FetchCommand::Nothing, vec!["0000"]),
    ] {
        assert_eq!(
            sent_on(ProtocolVersion::V2, &framed(&lines)),
            Ok((asked, framed(&lines)))
        );
    }
    let session = sent_on(
        ProtocolVersion::V2,
        &framed(&["command=ls-refs", "session-id=x", "0001", "0000"]),
    );
    assert_eq!(
        session.unwrap().1,
        framed(&["command=ls-refs", "0001", "0000"]),
        "who asks is not told"
    );
}

#[test]
fn fetches_of_version_0_are_read_and_written_again() {
    let (want, have, again) = (
        format!("want {ID} multi_ack_detailed no-done side-band-64k thin-pack ofs-delta agent=git/2.39.5"),
        format!("have {ID}"),
        format!("want {ID}"),
    );
    for lines in [
        vec![want.as_str(), &again, "0000", "done"],
        vec![&want, "deepen 1", "0000", &have, &have, "0000"],
        vec![&want, "filter tree:0", "0000", &have, "0000", &have, "done"],
        vec![&want, "0000"],
        vec!["0000"],
    ] {
        let (_, sent) = sent_on(ProtocolVersion::V0, &framed(&lines)).unwrap();
        assert_eq!(sent, framed(&lines));
    }
}

#[test]
fn what_is_not_a_fetch_is_refused() {
    let v2 = |lines: &[&str]| sent_on(ProtocolVersion::V2, &framed(lines)).unwrap_err();
    assert!(matches!(v2(&["command=push", "0000"]), FetchError::Unknown(_)));
    assert!(matches!(
        v2(&["command=bundle-uri", "0000"]),
        FetchError::NotOffered("bundle-uri", _)
    ));
    assert!(matches!(
        v2(&["command=fetch", "0001", "packfile-uris https", "0000"]),
        FetchError::NotOffered("packfile-uris", _)
    ));
    assert!(matches!(
        v2(&["command=fetch", "server-option=x", "0000"]),
        FetchError::NotOffered("server-option", _)
    ));
    assert!(matches!(
        v2(&["command=ls-refs", "0001", "want x", "0000"]),
        FetchError::Unknown(_)
    ));
    assert!(matches!(
        v2(&["command=fetch", "0001", "want refs/heads/main", "0000"]),
        FetchError::Unknown(_)
    ));
    assert_eq!(v2(&["command=fetch", "0001"]), FetchError::CutOff);
    assert_eq!(
        v2(&["command=fetch", "0000", "command=ls-refs", "0000"]),
        FetchError::GoesOn
    );
    assert!(matches!(
        v2(&["command=fetch", "0001", "0001"]),
        FetchError::Unexpected(Packet::Delimiter)
    ));
    let v0 = |lines: &[&str]| sent_on(ProtocolVersion::V0, &framed(lines)).unwrap_err();
    assert!(matches!(v0(&["command=fetch", "0000"]), FetchError::Unknown(_)));
    assert!(matches!(
        v0(&[&format!("want {ID} push-options"), "0000"]),
        FetchError::Unknown(_)
    ));
    assert!(matches!(
        v0(&[&format!("want {ID}\u{7}"), "0000"]),
        FetchError::Unknown(_)
    ));
    assert_eq!(
        v0(&[&format!("want {ID}"), "0000", "done", "0000"]),
        FetchError::GoesOn
    );
    assert_eq!(v0(&[&format!("want {ID}")]), FetchError::CutOff);
}
