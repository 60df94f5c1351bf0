//! Bodies and sockets, searched as they come.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use hyper::body::{Frame, SizeHint};
use outwall_broker::scrub::Scrubber;

use super::{BodyScrub, MessageScrub, NoFrames, Scrubbing, Unsearchable};
use crate::coding::Unreadable;

const SECRET: &str = "sk-ant-api03-Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0Tc";

type Reports = Arc<Mutex<Vec<String>>>;

fn scrubbing_for(secret: &str) -> (Arc<Scrubbing>, Reports) {
    let scrubber = Scrubber::new([("model".parse().unwrap(), secret.as_bytes())]).unwrap();
    let reports = Reports::default();
    let reported = Arc::clone(&reports);
    let scrubbing = Scrubbing::reporting(Arc::new(scrubber), move |whose, place| {
        reported.lock().unwrap().push(format!("{whose}: {place}"));
    });
    (scrubbing, reports)
}

fn head(fields: &[(&'static str, &str)]) -> response::Parts {
    let mut response = Response::new(()).into_parts().0;
    for (name, value) in fields {
        response.headers.append(*name, value.parse().unwrap());
    }
    response
}

/// What a client gets of a body in these pieces.
fn given(scrub: &mut BodyScrub, body: &[u8], at_once: usize) -> Result<Vec<u8>, Unsearchable> {
    let mut all = Vec::new();
    let mut take = |scrub: &mut BodyScrub| {
        while let Some(frame) = scrub.next()? {
            all.extend_from_slice(frame.data_ref().unwrap());
        }
        Ok::<_, Unsearchable>(())
    };
    for piece in body.chunks(at_once) {
        scrub.push(Frame::data(Bytes::copy_from_slice(piece)));
        take(scrub)?;
    }
    scrub.end();
    take(scrub)?;
    assert!(scrub.is_over());
    Ok(all)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    coded.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
    coded.extend_from_slice(&crate::dlp::crc32(text).to_le_bytes());
    coded.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
    coded
}

/// Brotli that compresses nothing (RFC 7932 section 9.2).
fn brotli(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    for (number, block) in text.chunks(1 << 16).enumerate() {
        let header = u32::try_from(block.len() - 1).unwrap() << 3 | 1 << 19;
        let header = if number == 0 { header << 1 } else { header };
        coded.extend_from_slice(&header.to_le_bytes()[..3]);
        coded.extend_from_slice(block);
    }
    coded.push(3);
    coded
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn a_body_is_searched_in_every_coding_and_whatever_its_pieces() {
    let filler = "{\"n\": 1, \"text\": \"something else\"}\n".repeat(400);
    let text = format!("{filler}{{\"headers\": {{\"x-api-key\": \"{SECRET}\"}}}}\n{filler}");
    let clean = text.replace(SECRET, &"*".repeat(SECRET.len()));
    let (text, at) = (text.as_bytes(), filler.len() + 27);
    for (coding, coded) in [
        ("identity", text.to_vec()),
        ("gzip", gzip(text)),
        ("br", brotli(text)),
        ("zstd", zstd(text)),
        ("gzip, br", brotli(&gzip(text))),
        ("br, zstd, gzip", gzip(&zstd(&brotli(text)))),
    ] {
        for at_once in [1, 77, 16 << 10, usize::MAX] {
            let (scrubbing, reports) = scrubbing_for(SECRET);
            let mut head = head(&[("content-encoding", coding), ("content-length", "9")]);
            let mut scrub = scrubbing.of_response(&mut head, false).unwrap().unwrap();
            let given = given(&mut scrub, &coded, at_once).unwrap();
            assert!(given == clean.as_bytes(), "{coding} by {at_once}");
            assert_eq!(
                *reports.lock().unwrap(),
                [format!("model: the body at byte {at}")]
            );
            assert_eq!(head.headers.contains_key("content-length"), coding == "identity");
            // The twin: for another secret, the same shows this one.
            let (scrubbing, reports) = scrubbing_for("another-secret-0123456789-ABCdefGHI");
            let mut scrub = scrubbing.of_response(&mut head.clone(), false).unwrap().unwrap();
            if coding == "identity" {
                assert!(self::given(&mut scrub, &coded, at_once).unwrap() == text);
                assert!(reports.lock().unwrap().is_empty());
            }
        }
    }
}

#[test]
fn what_is_not_in_its_coding_or_ends_early_is_cut() {
    let (scrubbing, _) = scrubbing_for(SECRET);
    let coded = |body: &[u8]| {
        let mut scrub = scrubbing
            .of_response(&mut head(&[("content-encoding", "gzip")]), false)
            .unwrap()
            .unwrap();
        given(&mut scrub, body, 10)
    };
    let whole = gzip(b"some text");
    assert_eq!(coded(&whole).unwrap(), b"some text");
    assert_eq!(
        coded(&whole[..whole.len() - 9]),
        Err(Unsearchable::Coding(Unreadable::Truncated { coding: "gzip" }))
    );
    assert_eq!(
        coded(SECRET.as_bytes()),
        Err(Unsearchable::Coding(Unreadable::Broken { coding: "gzip" }))
    );
    assert_eq!(coded(b"").unwrap(), b"");
}

#[test]
fn a_coding_that_nobody_can_read_is_refused_unless_there_is_nothing_to_read() {
    let (scrubbing, _) = scrubbing_for(SECRET);
    let unknown = || head(&[("content-encoding", "compress"), ("content-length", "7")]);
    assert!(scrubbing.of_response(&mut unknown(), false).is_err());
    let mut head = unknown(); // the answer to a HEAD
    assert!(matches!(scrubbing.of_response(&mut head, true), Ok(None)));
    assert_eq!(head.headers["content-length"], "7");
}

#[test]
fn a_head_without_a_body_is_that_of_its_body() {
    let (scrubbing, reports) = scrubbing_for(SECRET);
    let mut head = head(&[
        ("content-encoding", "gzip"),
        ("content-length", "70"),
        ("etag", "\"1\""),
        ("accept-ranges", "bytes"),
        ("location", SECRET),
    ]);
    assert!(matches!(scrubbing.of_response(&mut head, true), Ok(None)));
    let mut fields: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [("etag", "W/\"1\""), ("location", &*"*".repeat(SECRET.len()))]
    );
    assert_eq!(*reports.lock().unwrap(), ["model: the header field \"location\""]);
}

#[test]
fn trailers_are_searched_and_come_last() {
    let (scrubbing, reports) = scrubbing_for(SECRET);
    let mut scrub = scrubbing.of_response(&mut head(&[]), false).unwrap().unwrap();
    scrub.push(Frame::data(Bytes::from_static(&SECRET.as_bytes()[..30])));
    assert!(scrub.next().unwrap().is_some());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-message", SECRET.parse().unwrap());
    scrub.push(Frame::trailers(trailers));
    assert!(!scrub.is_over());
    let frame = scrub.next().unwrap().unwrap();
    let trailers = frame.into_trailers().unwrap();
    assert_eq!(trailers["grpc-message"], "*".repeat(SECRET.len()));
    assert!(scrub.is_over());
    let reports = reports.lock().unwrap();
    assert!(
        reports.contains(&"model: the trailer field \"grpc-message\"".to_owned()),
        "{reports:?}"
    );
}

#[test]
fn an_event_passes_before_the_next_comes_and_a_length_stays_right() {
    let (scrubbing, _) = scrubbing_for(SECRET);
    for coding in ["identity", "br"] {
        let mut head = head(&[("content-encoding", coding)]);
        let mut scrub = scrubbing.of_response(&mut head, false).unwrap().unwrap();
        for number in 0..5 {
            let event = format!("event: delta\ndata: {{\"text\": \"{number} sk-ant\"}}\n\n");
            let coded = match (coding, number) {
                ("identity", _) => event.clone().into_bytes(),
                (_, 0) => brotli(event.as_bytes()).split_last().unwrap().1.to_vec(),
                // Not the first block, whose header has one bit more.
                _ => brotli(&[&vec![0; 1 << 16], event.as_bytes()].concat())[3 + (1 << 16)..]
                    .split_last()
                    .unwrap()
                    .1
                    .to_vec(),
            };
            scrub.push(Frame::data(Bytes::from(coded)));
            let frame = scrub.next().unwrap().unwrap();
            assert_eq!(frame.data_ref().unwrap(), &event, "{coding}");
            assert!(scrub.next().unwrap().is_none());
        }
    }
    let mut scrub = scrubbing.of_response(&mut head(&[]), false).unwrap().unwrap();
    scrub.push(Frame::data(Bytes::from_static(b"0123 sk-ant")));
    assert_eq!(scrub.next().unwrap().unwrap().data_ref().unwrap(), "0123 ");
    assert_eq!(scrub.size_hint(&SizeHint::with_exact(100)).exact(), Some(106));
    assert_eq!(scrub.size_hint(&SizeHint::default()).exact(), None);
}

/// A frame of a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(u8::try_from(short).unwrap()),
        long => {
            frame.push(126);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

fn passed(scrub: &mut MessageScrub, bytes: &[u8], at_once: usize) -> Result<Vec<u8>, NoFrames> {
    let mut passed = Vec::new();
    for piece in bytes.chunks(at_once) {
        scrub.look(piece, &mut |bytes| passed.extend_from_slice(bytes))?;
    }
    Ok(passed)
}

#[test]
fn messages_are_searched_within_their_frames_across_them_and_whatever_their_pieces() {
    let socket = |secret: &str| {
        let (one, other) = secret.split_at(17);
        [
            frame(0x81, format!("{{\"key\": \"{secret}\"}}").as_bytes()),
            frame(0x01, format!("a message in {one}").as_bytes()),
            frame(0x89, b"ping"),
            frame(0x00, other.as_bytes()),
            frame(0x80, b" frames"),
            frame(0x82, &[b"\0".repeat(300), secret.as_bytes().to_vec()].concat()),
            frame(0x8a, secret.as_bytes()),
            frame(0x81, b""),
            frame(0x88, format!("\x03\u{8}{secret}").as_bytes()),
        ]
        .concat()
    };
    let (came, clean) = (socket(SECRET), socket(&"*".repeat(SECRET.len())));
    for at_once in [1, 2, 3, 7, 100, usize::MAX] {
        let (scrubbing, reports) = scrubbing_for(SECRET);
        let passed = passed(&mut MessageScrub::new(scrubbing), &came, at_once).unwrap();
        assert!(
            passed == clean,
            "by {at_once}: {}",
            String::from_utf8_lossy(&passed)
        );
        assert_eq!(*reports.lock().unwrap(), ["model: a WebSocket message at byte 9"]);
    }
    // The twin: for another secret, the same shows this one.
    let (scrubbing, _) = scrubbing_for("another-secret-0123456789-ABCdefGHI");
    assert!(passed(&mut MessageScrub::new(scrubbing), &came, 5).unwrap() == came);
}

#[test]
fn a_message_does_not_wait_for_the_next() {
    let (scrubbing, _) = scrubbing_for(SECRET);
    let mut scrub = MessageScrub::new(scrubbing);
    let message = frame(0x81, b"ends like one: sk-ant-api03-Zq8");
    assert_eq!(passed(&mut scrub, &message, usize::MAX).unwrap(), message);
    // What goes on may become one, so that its end waits.
    let goes_on = frame(0x01, b"goes on: sk-ant-api03-Zq8");
    let waiting = passed(&mut scrub, &goes_on, usize::MAX).unwrap();
    assert_eq!(waiting, goes_on[..goes_on.len() - 16]);
    let rest = passed(&mut scrub, &frame(0x80, b"!"), usize::MAX).unwrap();
    assert_eq!(
        rest,
        [&goes_on[goes_on.len() - 16..], &frame(0x80, b"!")].concat()
    );
}

#[test]
fn what_nobody_can_read_does_not_pass() {
    for (bytes, broken) in [
        (frame(0xc1, b"compressed"), false),
        (frame(0x91, b"of an extension"), false),
        (frame(0x83, b"of no kind"), true),
        (vec![0x81, 0x81, 0, 0, 0, 0, b'x'], true),
    ] {
        let (scrubbing, _) = scrubbing_for(SECRET);
        let failed = passed(&mut MessageScrub::new(scrubbing), &bytes, usize::MAX).unwrap_err();
        assert_eq!(matches!(failed, NoFrames::Broken(_)), broken, "{failed}");
    }
}
