//! Every request, as it arrived: for a test to look in it for what must not be there.

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use memchr::memmem::find;

/// How much of a body is kept: of a push of a large pack, its beginning.
const KEPT: usize = 4 << 20;

/// A request that arrived, as much of it as has come.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which of all requests, counted from 0.
    pub number: usize,
    /// The name it was sent to, without a port.
    pub host: String,
    /// `GET`, …
    pub method: String,
    /// Path and query, byte for byte as sent.
    pub path: String,
    /// All header fields.
    pub headers: HeaderMap<HeaderValue>,
    /// How many bytes of its body came.
    pub length: u64,
    /// The first 4 MiB of its body, as sent.
    pub body: Vec<u8>,
    /// The status that was answered, once it was.
    pub status: Option<u16>,
    watched: Vec<Vec<u8>>,
    tail: Vec<u8>,
    seen: bool,
}

impl Recorded {
    /// A header field as text, or empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text, decompressed if it was gzipped.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.plain_body()).into_owned()
    }

    /// Whether `secret` is anywhere in it: as it is, in base64 at any offset, within gzip.
    pub fn holds(&self, secret: &str) -> bool {
        let forms = forms(secret);
        let holds = |bytes: &[u8]| forms.iter().any(|form| find(bytes, form).is_some());
        self.seen
            || holds(self.path.as_bytes())
            || holds(self.host.as_bytes())
            || self
                .headers
                .iter()
                .any(|(name, value)| holds(name.as_str().as_bytes()) || holds(value.as_bytes()))
            || holds(&self.body)
            || holds(&self.plain_body())
    }

    fn plain_body(&self) -> Vec<u8> {
        let gzipped = self
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|coding| coding == "gzip");
        if gzipped {
            gunzip(&self.body).unwrap_or_default()
        } else {
            self.body.clone()
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        let room = KEPT - self.body.len();
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        let longest = self.watched.iter().map(Vec::len).max().unwrap_or(0);
        if longest > 0 && !self.seen {
            self.tail.extend_from_slice(piece);
            self.seen = self.watched.iter().any(|form| find(&self.tail, form).is_some());
            self.tail.drain(..self.tail.len().saturating_sub(longest));
        }
    }
}

/// A secret, and what base64 makes of it at each of three offsets, without what its neighbours touch.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let coded = (0..3).map(|offset| {
        let coded = STANDARD.encode([&vec![0; offset], secret.as_bytes()].concat());
        let whole = (offset + secret.len()) / 3 * 4;
        coded.as_bytes()[offset.div_ceil(3) * 4..whole].to_vec()
    });
    let coded: Vec<_> = coded.filter(|form| form.len() > 8).collect();
    let url_safe = coded.iter().map(|form| {
        let letter = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        form.iter().map(letter).collect()
    });
    let url_safe: Vec<Vec<u8>> = url_safe.collect();
    [vec![secret.as_bytes().to_vec()], coded, url_safe].concat()
}

/// The content of one member of gzip (RFC 1952), with no optional field but a name.
pub(super) fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let flags = *bytes.get(3)?;
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    miniz_oxide::inflate::decompress_to_vec(bytes.get(at..)?).ok()
}

/// All requests, oldest first, and what every body is searched for as it streams by.
#[derive(Default)]
pub(super) struct Requests {
    all: Mutex<Vec<Arc<Mutex<Recorded>>>>,
    watched: Mutex<Vec<Vec<u8>>>,
}

impl Requests {
    pub(super) fn watch(&self, secret: &str) {
        self.watched
            .lock()
            .expect("nobody panics with it")
            .extend(forms(secret));
    }

    pub(super) fn open(&self, host: &str, head: &http::request::Parts) -> Note {
        let watched = self.watched.lock().expect("nobody panics with it").clone();
        let mut all = self.all.lock().expect("nobody panics with it");
        let note = Arc::new(Mutex::new(Recorded {
            number: all.len(),
            host: host.to_owned(),
            method: head.method.to_string(),
            path: head
                .uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            headers: head.headers.clone(),
            length: 0,
            body: Vec::new(),
            status: None,
            watched,
            tail: Vec::new(),
            seen: false,
        }));
        all.push(Arc::clone(&note));
        Note(note)
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        let all = self.all.lock().expect("nobody panics with it");
        all.iter()
            .map(|note| note.lock().expect("nobody panics with it").clone())
            .collect()
    }

    pub(super) fn with(&self, secret: &str) -> Vec<Recorded> {
        let all = self.all.lock().expect("nobody panics with it").clone();
        let notes = all.iter().map(|note| note.lock().expect("nobody panics with it"));
        notes
            .filter(|note| note.holds(secret))
            .map(|note| note.clone())
            .collect()
    }

    pub(super) fn forget(&self) {
        self.all.lock().expect("nobody panics with it").clear();
    }
}

/// A record that is still being written.
#[derive(Clone)]
pub(super) struct Note(Arc<Mutex<Recorded>>);

impl Note {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().expect("nobody panics with it")
    }

    pub(super) fn answered(&self, status: u16) {
        self.recorded().status = Some(status);
    }
}

/// A request's body that is recorded while it is read.
pub(super) struct Heard {
    incoming: Incoming,
    note: Note,
}

/// The body broke off before its end.
#[derive(Debug)]
pub(super) struct BrokenOff;

impl Heard {
    pub(super) fn new(incoming: Incoming, note: Note) -> Self {
        Self { incoming, note }
    }

    pub(super) async fn piece(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        loop {
            let Ok(frame) = self.incoming.frame().await? else {
                return Some(Err(BrokenOff));
            };
            if let Ok(piece) = frame.into_data() {
                self.note.recorded().take(&piece);
                return Some(Ok(piece));
            }
        }
    }

    /// All of it, decompressed if `headers` say that it is gzipped.
    pub(super) async fn whole(mut self, headers: &HeaderMap) -> Result<Vec<u8>, BrokenOff> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await {
            whole.extend_from_slice(&piece?);
        }
        let gzipped = headers
            .get(CONTENT_ENCODING)
            .is_some_and(|coding| coding == "gzip");
        if gzipped {
            gunzip(&whole).ok_or(BrokenOff)
        } else {
            Ok(whole)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Recorded {
        Recorded {
            number: 0,
            host: "github.com".to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: HeaderMap::new(),
            length: 0,
            body: Vec::new(),
            status: None,
            watched: forms("scoped-credential"),
            tail: Vec::new(),
            seen: false,
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_is_and_in_whatever_it_is_written() {
        for padding in ["", "x", "xx"] {
            let mut request = recorded();
            let coded = STANDARD.encode(format!("{padding}:scoped-credential:x"));
            let value = format!("Basic {coded}");
            request
                .headers
                .insert("authorization", value.parse().expect("a value"));
            assert!(request.holds("scoped-credential"), "{padding:?}");
            assert!(!request.holds("another-credential"), "{padding:?}");
        }
        let mut cut = recorded();
        cut.body = vec![0; KEPT];
        cut.take(b"beyond what is kept: scoped-");
        cut.take(b"credential");
        assert!(cut.holds("scoped-credential"));
        assert!(!recorded().holds("scoped-credential"));
    }
}
