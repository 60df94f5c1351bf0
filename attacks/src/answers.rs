//! What came back, read out of its bytes: statuses, reasons, and how it ended.

use crate::attack::{Answer, Seen, Speaks};
use crate::h2::{self, Blocks, Frame, GOAWAY, HEADERS, RST_STREAM};

pub(crate) fn read(bytes: &[u8], closed: bool, speaks: Speaks) -> Seen {
    let mut seen = match speaks {
        Speaks::H2 => of_frames(bytes),
        Speaks::Http1 | Speaks::Unknown => of_text(bytes),
    };
    if closed && seen.ended.is_none() {
        seen.ended = Some("closed".to_owned());
    }
    seen
}

/// How many answers are among what came so far, interim ones aside. An end is as good as all of them.
pub(crate) fn count(bytes: &[u8], speaks: Speaks) -> usize {
    match speaks {
        Speaks::Http1 | Speaks::Unknown => {
            let answers = of_text(bytes).answers;
            answers.iter().filter(|answer| answer.status >= 200).count()
        }
        Speaks::H2 => {
            let mut unread = bytes;
            let frames = std::iter::from_fn(|| h2::take_frame(&mut unread));
            let worth = |frame: Frame| match frame.kind {
                HEADERS | RST_STREAM => 1,
                GOAWAY => 1000,
                _ => 0,
            };
            frames.map(worth).sum()
        }
    }
}

fn of_text(bytes: &[u8]) -> Seen {
    let mut answers = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let Some(status) = head
            .strip_prefix("HTTP/1.")
            .and_then(|head| head.get(2..5)?.parse().ok())
        else {
            break;
        };
        let field = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| {
                line.split_once(':')
                    .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            })
        };
        let value = |name: &str| {
            field(name)
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        answers.push(Answer {
            status,
            reason: value("x-outwall-reason"),
        });
        let length: usize = value("content-length").parse().unwrap_or(0);
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
    Seen {
        answers,
        text: start(bytes),
        ..Seen::default()
    }
}

fn of_frames(mut bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut blocks = Blocks::default();
    while let Some(frame) = h2::take_frame(&mut bytes) {
        match frame.kind {
            RST_STREAM => seen.ended = Some(format!("stream reset: {}", h2::error_name(frame.code()))),
            GOAWAY => seen.ended = Some(format!("connection ended: {}", h2::error_name(frame.code()))),
            _ => {}
        }
        let Some(fields) = blocks.add(&frame) else {
            continue;
        };
        let value = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name.as_bytes());
            found
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                .unwrap_or_default()
        };
        if let Ok(status) = value(":status").parse() {
            seen.answers.push(Answer {
                status,
                reason: value("x-outwall-reason"),
            });
        }
    }
    seen
}

fn start(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}
