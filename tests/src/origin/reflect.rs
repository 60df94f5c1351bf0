//! Answers with the fields of the request, in every way in which an origin may write them.

use std::fmt::Write as _;

use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE, SET_COOKIE, TRAILER,
};
use hyper::{Request, Response, StatusCode};
use tokio::sync::mpsc;

use crate::body::Outgoing;
use crate::credentials::{STANDARD, base64};

/// What `as` may be: the codings, the encodings, the places.
pub const REFLECTIONS: [&str; 18] = [
    "plain", "pieces", "gzip", "deflate", "br", "zstd", "base64-0", "base64-1", "base64-2", "percent",
    "json", "hex", "upper", "header", "location", "cookie", "trailer", "part",
];

pub(super) fn reflect<B>(request: &Request<B>) -> Response<Outgoing> {
    let query = request.uri().query().unwrap_or_default();
    let way = query.strip_prefix("as=").unwrap_or("plain");
    let text = fields(request.headers());
    match way {
        "pieces" => Response::new(Outgoing::pieces(
            &text
                .as_bytes()
                .chunks(3)
                .map(Bytes::copy_from_slice)
                .collect::<Vec<_>>(),
        )),
        "gzip" => coded("gzip", gzip(text.as_bytes())),
        "deflate" => coded(
            "deflate",
            miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6),
        ),
        "br" => coded("br", stored_brotli(text.as_bytes())),
        "zstd" => coded("zstd", stored_zstd(text.as_bytes())),
        "base64-0" => whole(base64(text.as_bytes(), STANDARD)),
        "base64-1" => whole(base64(format!("x{text}").as_bytes(), STANDARD)),
        "base64-2" => whole(base64(format!("xx{text}").as_bytes(), STANDARD)),
        "percent" => whole(each(&text, |byte| format!("%{byte:02X}"))),
        "json" => whole(each(&text, |byte| format!("\\u{byte:04x}"))),
        "hex" => whole(each(&text, |byte| format!("{byte:02x}"))),
        "upper" => whole(text.to_ascii_uppercase()),
        "header" => with_field(HeaderName::from_static("x-reflected"), &joined(&text)),
        "cookie" => with_field(SET_COOKIE, &format!("seen={}", joined(&text))),
        "location" => located(&joined(&text)),
        "trailer" => behind(&joined(&text)),
        "part" => part(&text, request.headers()),
        _ => whole(text),
    }
}

fn fields(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

fn whole(text: String) -> Response<Outgoing> {
    Response::new(Outgoing::whole(text))
}

fn joined(text: &str) -> String {
    text.trim().replace('\n', "; ")
}

fn each(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn coded(coding: &'static str, bytes: Vec<u8>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(bytes));
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    response
}

fn with_field(name: HeaderName, text: &str) -> Response<Outgoing> {
    let mut response = whole("in a field".to_owned());
    let value = HeaderValue::from_str(text).expect("what came as a field is one");
    response.headers_mut().insert(name, value);
    response
}

fn located(text: &str) -> Response<Outgoing> {
    let mut response = with_field(LOCATION, &format!("/?{}", text.replace(' ', "+")));
    *response.status_mut() = StatusCode::FOUND;
    response
}

fn behind(text: &str) -> Response<Outgoing> {
    let (sender, frames) = mpsc::channel(2);
    let mut trailers = HeaderMap::new();
    trailers.insert(
        "x-reflected",
        HeaderValue::from_str(text).expect("it came as fields"),
    );
    let body = [
        Frame::data(Bytes::from_static(b"body")),
        Frame::trailers(trailers),
    ];
    for frame in body {
        sender.try_send(frame).expect("there is room for both");
    }
    let mut response = Response::new(Outgoing::Frames(frames));
    response
        .headers_mut()
        .insert(TRAILER, HeaderValue::from_static("x-reflected"));
    response
}

/// The part that is asked for, `bytes=FROM-TO`.
fn part(text: &str, headers: &HeaderMap) -> Response<Outgoing> {
    let asked = headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let bounds = asked.and_then(|asked| {
        let (from, to) = asked.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
    });
    let Some((from, to)) = bounds.filter(|(from, to)| from <= to && *to < text.len()) else {
        return whole(text.to_owned());
    };
    let mut response = whole(text[from..=to].to_owned());
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let range = format!("bytes {from}-{to}/{}", text.len());
    response
        .headers_mut()
        .insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("digits"));
    response
}

/// RFC 1952.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    coded.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
    coded.extend(crc32(text).to_le_bytes());
    coded.extend(u32::try_from(text.len()).expect("it is short").to_le_bytes());
    coded
}

fn crc32(text: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !text.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

/// One meta-block that is not compressed, and an empty last one (RFC 7932 section 9.2).
fn stored_brotli(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("it is short");
    let head = ((length - 1) << 4) | (1 << 20);
    [&head.to_le_bytes()[..3], text, &[3]].concat()
}

/// A single segment of one raw block (RFC 8878 section 3.1.1).
fn stored_zstd(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("it is short");
    let block = (length << 3) | 1;
    [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xa0][..],
        &length.to_le_bytes(),
        &block.to_le_bytes()[..3],
        text,
    ]
    .concat()
}
