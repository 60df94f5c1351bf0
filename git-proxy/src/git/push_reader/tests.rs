#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::super::pkt_line::write_line;
use super::*;

const A: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const B: &str = "1111111111111111111111111111111111111111";
const NULL: &str = "0000000000000000000000000000000000000000";
const CAPABILITIES: &str = " report-status-v2 side-band-64k object-format=sha1 agent=git/2.47.3";

/// Frames lines, and a flush behind them.
fn framed(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        write_line(&mut bytes, line.as_bytes());
    }
    bytes.extend_from_slice(b"0000");
    bytes
}

fn read(bytes: &[u8]) -> Result<(PushCommands, BytesMut), PushFault> {
    let mut reader = PushReader::default();
    match reader.feed(bytes) {
        Ok(Some(commands)) => Ok((commands, reader.rest())),
        Ok(None) => Err(reader
            .end()
            .map_or_else(|error| error.why, |Probe| PushFault::NoCommands)),
        Err(error) => Err(error.why),
    }
}

fn fault(lines: &[&str]) -> PushFault {
    read(&framed(lines)).unwrap_err()
}

#[test]
fn a_push_is_read_and_written_again() {
    let mut body = framed(&[
        &format!("shallow {B}\n"),
        &format!("{A} {B} refs/heads/outwall/x\0{CAPABILITIES} quiet"),
        &format!("{NULL} {A} refs/tags/v1"),
        &format!("{A} {NULL} refs/heads/old\n"),
    ]);
    body.extend_from_slice(b"PACK...");
    let (commands, rest) = read(&body).unwrap();
    assert_eq!(&rest[..], b"PACK...");
    let names: Vec<&str> = commands
        .updates
        .iter()
        .map(|update| update.name.as_str())
        .collect();
    assert_eq!(names, ["refs/heads/outwall/x", "refs/tags/v1", "refs/heads/old"]);
    let sent = commands.serialise();
    assert!(
        !sent.starts_with(b"0035shallow"),
        "that is the client's own affair"
    );
    let (again, rest) = read(&sent).unwrap();
    assert_eq!((again, rest.len()), (commands, 0));
}

#[test]
fn pieces_of_any_size_read_the_same() {
    let mut body = framed(&[
        &format!("{A} {B} refs/heads/x\0{CAPABILITIES}"),
        &format!("{NULL} {A} refs/heads/y"),
    ]);
    body.extend_from_slice(b"PACK and more");
    let (whole, _) = read(&body).unwrap();
    for size in 1..body.len() {
        let mut reader = PushReader::default();
        let mut pieces = body.chunks(size);
        let commands = pieces
            .by_ref()
            .find_map(|piece| reader.feed(piece).unwrap())
            .unwrap();
        assert_eq!(commands, whole);
        let rest = [
            &reader.rest()[..],
            &pieces.flatten().copied().collect::<Vec<u8>>(),
        ]
        .concat();
        assert_eq!(rest, b"PACK and more", "in pieces of {size}");
    }
}

#[test]
fn ids_are_of_the_hash_that_is_agreed_on() {
    let (a, b) = (format!("{A}{}", &A[..24]), "2".repeat(64));
    let line = |format: &str| format!("{a} {b} refs/heads/x\0 report-status{format}");
    assert!(read(&framed(&[&line(" object-format=sha256")])).is_ok());
    assert!(
        read(&framed(&[
            &format!("shallow {a}"),
            &line(" object-format=sha256")
        ]))
        .is_ok()
    );
    let mixed = [&*format!("shallow {A}"), &line(" object-format=sha256")];
    assert_eq!(fault(&mixed), PushFault::Shallow(1));
    assert_eq!(
        fault(&[mixed[0], &format!("shallow {a}"), mixed[1]]),
        PushFault::Shallow(2)
    );
    assert_eq!(fault(&["shallow x", mixed[1]]), PushFault::Shallow(1));
    for wrong in [
        fault(&[&line("")]),
        fault(&[&format!("{A} {B} refs/heads/x\0 object-format=sha256")]),
        fault(&[&format!("{} {B} refs/heads/x", A.to_uppercase())]),
        fault(&[&format!("{A} {B} refs/heads/x"), &format!("{A} {b} refs/heads/y")]),
    ] {
        assert!(matches!(wrong, PushFault::Id { .. }), "{wrong}");
    }
}

#[test]
fn what_hides_a_command_is_refused() {
    let first = format!("{A} {B} refs/heads/x\0{CAPABILITIES}");
    let second = format!("{A} {B} refs/heads/main");
    assert!(
        read(&framed(&[&first, &second])).is_ok(),
        "seen, it is not hidden"
    );
    assert_eq!(
        fault(&[&first, &format!("{A} {B} refs/heads/y\0{second}")]),
        PushFault::Nul(2)
    );
    assert_eq!(fault(&[&format!("{first}\0{second}")]), PushFault::Nul(1));
    assert_eq!(
        fault(&[&format!("push-cert\0{CAPABILITIES}\n")]),
        PushFault::Certificate
    );
    assert!(matches!(fault(&[&first, "push-cert"]), PushFault::NotACommand(2)));
    assert!(matches!(
        fault(&[&first, &format!("shallow {A}")]),
        PushFault::NotACommand(2)
    ));
    assert!(matches!(
        fault(&[&format!("{A} {B} refs/heads/x\n{second}\0")]),
        PushFault::Ref { line: 1, .. }
    ));
    assert!(matches!(
        fault(&[&format!("{A}  {B} refs/heads/x")]),
        PushFault::Id { .. }
    ));
    assert!(matches!(
        fault(&[&format!("{A} {B}  refs/heads/x")]),
        PushFault::Ref { .. }
    ));
    assert!(matches!(
        fault(&[&format!("{A} {B} refs/heads/x\r\n")]),
        PushFault::Ref { .. }
    ));
    assert_eq!(
        fault(&[&first, &format!("{B} {A} refs/heads/x")]).to_string(),
        "it names refs/heads/x twice"
    );
    assert_eq!(
        fault(&[&format!("{NULL} {NULL} refs/heads/x")]),
        PushFault::Nothing(1)
    );
    let options = fault(&[&format!("{A} {B} refs/heads/x\0{CAPABILITIES} push-options")]);
    assert!(options.to_string().contains("push-options"), "{options}");
}

#[test]
fn what_is_not_framed_as_git_frames_is_refused() {
    let line = format!("{A} {B} refs/heads/x\0{CAPABILITIES}");
    let delimited = [&framed(&[&line])[..line.len() + 4], b"0001"].concat();
    assert_eq!(
        read(&delimited).unwrap_err(),
        PushFault::Unexpected(Packet::Delimiter)
    );
    let body = framed(&[&line]);
    assert_eq!(read(&body[..body.len() - 4]).unwrap_err(), PushFault::CutOff);
    let upper = [
        format!("{:04X}", line.len() + 4).as_bytes(),
        line.as_bytes(),
        b"0000",
    ]
    .concat();
    let length = u8::is_ascii_uppercase;
    assert!(upper[..4].iter().any(length), "it shows nothing otherwise");
    assert!(matches!(
        read(&upper),
        Err(PushFault::Framing(PktLineError::Length(_)))
    ));
    assert!(
        read(&framed(&[&line, ""])).is_ok(),
        "nothing is written for nothing"
    );
    let empty = [&body[..body.len() - 4], b"00040000"].concat();
    assert_eq!(read(&empty).unwrap_err(), PushFault::NotACommand(2));
}

#[test]
fn a_probe_is_a_flush_and_nothing_else() {
    let mut probe = PushReader::default();
    assert_eq!(probe.feed(b"00"), Ok(None));
    assert_eq!(probe.feed(b"00"), Ok(None));
    assert_eq!(probe.end(), Ok(Probe));
    assert!(PushReader::default().end().is_err());
    assert_eq!(read(b"0000P").unwrap_err(), PushFault::NoCommands);
    assert_eq!(
        read(&framed(&[&format!("shallow {A}")])).unwrap_err(),
        PushFault::NoCommands
    );
    let mut later = PushReader::default();
    assert_eq!(later.feed(b"0000"), Ok(None));
    assert!(later.feed(b"PACK").is_err());
}

#[test]
fn memory_is_bounded() {
    let first = format!("{A} {B} refs/heads/x\0{CAPABILITIES}");
    let names: Vec<String> = (0..MOST_LINES)
        .map(|at| format!("{A} {B} refs/heads/{at}"))
        .collect();
    let mut lines = vec![first.as_str()];
    lines.extend(names.iter().map(String::as_str));
    assert_eq!(read(&framed(&lines)).unwrap_err(), PushFault::TooMuch);
    assert!(read(&framed(&lines[..MOST_LINES])).is_ok());
    let shallow = framed(&vec![
        "shallow 4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        MOST_LINES + 1
    ]);
    assert_eq!(read(&shallow).unwrap_err(), PushFault::TooMuch);
}

#[test]
fn who_is_refused_is_told_in_the_form_that_it_reads() {
    let error = |list: &str| {
        let body = framed(&[&format!("{A} {B} refs/heads/a..b\0{list}")]);
        PushReader::default().feed(&body).unwrap_err().form
    };
    assert_eq!(error(CAPABILITIES), ReportForm::SideBand);
    assert_eq!(error("report-status"), ReportForm::Plain);
    assert_eq!(error("side-band-64k"), ReportForm::None);
}
