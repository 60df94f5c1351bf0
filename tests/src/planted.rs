//! Requests with something planted in them: in every part of a request, in everything that it may be written in.

use bytes::Bytes;

use crate::credentials::{STANDARD, Seeded, URL_SAFE, base64};

/// A request, but for its host.
#[derive(Clone, Debug)]
pub struct Planted {
    /// Where the text is, in words.
    pub place: &'static str,
    /// Path and query.
    pub path: String,
    /// Header fields besides the client's own.
    pub fields: Vec<(String, String)>,
    /// The body, piece by piece; one piece has a length, several have none.
    pub pieces: Vec<Bytes>,
}

/// The places that [`Planted::new`] knows.
pub const PLACES: usize = 15;

impl Planted {
    /// A request with `text` in it, at one of [`PLACES`].
    pub fn new(place: usize, text: &str, seeded: &mut Seeded) -> Self {
        let prose = prose(seeded);
        let json = serde_json::json!({ "model": "m", "messages": [{ "role": "user", "content": format!("{prose} {text} {prose}") }] }).to_string();
        let coded = base64(format!("{prose}\n{text}\n{prose}").as_bytes(), STANDARD);
        match place % PLACES {
            0 => Self::head("a header field", "/echo".to_owned(), text),
            1 => Self::head(
                "a query parameter",
                format!("/echo?page=2&key={}", escaped(text)),
                "",
            ),
            2 => Self::head("a path", format!("/echo/{}/x", escaped(text)), ""),
            3 => Self::body("JSON", "application/json", json),
            4 => Self::body(
                "a form",
                FORM,
                format!("a=1&text={}&b=2", escaped(&format!("{prose} {text}"))),
            ),
            5 => Self::body(
                "multipart",
                "multipart/form-data; boundary=b0",
                multipart(text, &prose),
            ),
            6 => Self::body(
                "base64 in JSON",
                "application/json",
                format!("{{\"content\":\"{coded}\"}}"),
            ),
            7 => Self::body("base64 as MIME has it", "text/plain", lines(&coded, 76, "\r\n")),
            8 => Self::body(
                "wrapped base64 in JSON",
                "application/json",
                format!("{{\"content\":\"{}\"}}", lines(&coded, 60, "\\n")),
            ),
            9 => Self::body(
                "base64url",
                "text/plain",
                base64(format!("{prose} {text}").as_bytes(), URL_SAFE),
            ),
            10 => Self::zipped("gzip", json.as_bytes()),
            11 => Self::zipped("base64 in gzip", coded.as_bytes()),
            12 => Self::body("JSON", "application/json", json).split("JSON in pieces", seeded),
            13 => Self::body("", "text/plain", coded).split("base64 in pieces", seeded),
            _ => Self::zipped("", json.as_bytes()).split("gzip in pieces", seeded),
        }
    }

    fn head(place: &'static str, path: String, field: &str) -> Self {
        let field = if field.contains('\n') {
            base64(field.as_bytes(), STANDARD)
        } else {
            field.to_owned()
        };
        Self {
            place,
            path,
            fields: vec![("x-note".to_owned(), field)],
            pieces: Vec::new(),
        }
    }

    fn body(place: &'static str, media: &str, body: impl Into<Bytes>) -> Self {
        Self {
            place,
            path: "/echo".to_owned(),
            fields: vec![("content-type".to_owned(), media.to_owned())],
            pieces: vec![body.into()],
        }
    }

    fn zipped(place: &'static str, body: &[u8]) -> Self {
        let mut zipped = Self::body(place, "application/json", gzip(body));
        zipped
            .fields
            .push(("content-encoding".to_owned(), "gzip".to_owned()));
        zipped
    }

    fn split(mut self, place: &'static str, seeded: &mut Seeded) -> Self {
        let mut whole = self.pieces.remove(0);
        while !whole.is_empty() {
            let length = (1 + seeded.below(60)).min(whole.len());
            self.pieces.push(whole.split_to(length));
        }
        self.place = place;
        self
    }
}

/// As RFC 1952 has it, without a checksum that anybody looks at here.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    coded.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
    coded.extend([0; 8]);
    coded
}

fn prose(seeded: &mut Seeded) -> String {
    const WORDS: [&str; 12] = [
        "the", "key", "deploy", "config", "please", "rotate", "token:", "value", "=", "in", "service", "log",
    ];
    let count = 1 + seeded.below(30);
    let words: Vec<&str> = (0..count).map(|_| seeded.pick(&WORDS)).collect();
    words.join(" ")
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn multipart(text: &str, prose: &str) -> String {
    format!(
        "--b0\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n{prose}\r\n--b0\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"env\"\r\nContent-Type: text/plain\r\n\r\nA=1\nKEY={text}\n\r\n--b0--\r\n"
    )
}

fn lines(text: &str, width: usize, line_break: &str) -> String {
    let lines = text.as_bytes().chunks(width).map(String::from_utf8_lossy);
    lines.collect::<Vec<_>>().join(line_break)
}

const FORM: &str = "application/x-www-form-urlencoded";
