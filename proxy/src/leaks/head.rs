//! Credentials in a request's URL and fields.

use std::ops::Range;
use std::sync::Arc;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, Request, Uri};

use super::compiled::CompiledScan;
use super::place::Place;
use crate::dlp::Scan;

/// One that was found.
pub(super) struct Leak {
    pub(super) shape: usize,
    pub(super) place: Place,
    /// What of path and query holds it.
    hidden: Option<Range<usize>>,
}

/// Parts of a path and query, as one text, that must not be written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hidden(Arc<[Range<usize>]>);

impl Hidden {
    pub(super) fn of(leaks: &[Leak]) -> Self {
        Self(leaks.iter().filter_map(|leak| leak.hidden.clone()).collect())
    }

    /// Of a request that is told of without having been looked at.
    pub(crate) fn of_url(scan: &CompiledScan, url: &Uri) -> Self {
        let mut text = Text::default();
        text.url(url);
        Self::of(&text.leaks(scan))
    }

    /// The parts.
    pub(crate) fn parts(&self) -> &[Range<usize>] {
        &self.0
    }
}

/// Those of a request's head. What is meant for the gate itself does not leave, and is not looked at.
pub(super) fn leaks_of<B>(scan: &CompiledScan, request: &Request<B>) -> Vec<Leak> {
    let mut text = Text::default();
    text.url(request.uri());
    text.fields(request.headers(), Place::Header);
    text.leaks(scan)
}

/// Those of trailer fields.
pub(super) fn leaks_of_trailers(scan: &CompiledScan, trailers: &HeaderMap) -> Vec<Leak> {
    let mut text = Text::default();
    text.fields(trailers, Place::Trailer);
    text.leaks(scan)
}

/// All of a head as one text, so that it is scanned at once; each piece ends with a zero, which is in no credential.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// Where each piece begins, and what it is.
    pieces: Vec<(usize, Piece)>,
}

enum Piece {
    Url,
    Name,
    Value(Place),
}

impl Text {
    fn url(&mut self, url: &Uri) {
        self.push(Piece::Url, path_and_query(url).as_bytes());
    }

    fn fields(&mut self, fields: &HeaderMap, place: impl Fn(String) -> Place) {
        for (name, value) in fields {
            if name == HOST || name == PROXY_AUTHORIZATION {
                continue;
            }
            self.push(Piece::Name, name.as_str().as_bytes());
            self.push(Piece::Value(place(name.as_str().to_owned())), value.as_bytes());
        }
    }

    fn push(&mut self, piece: Piece, bytes: &[u8]) {
        self.pieces.push((self.bytes.len(), piece));
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(0);
    }

    fn leaks(&self, scan: &CompiledScan) -> Vec<Leak> {
        Scan::whole(&scan.shapes, &self.bytes)
            .into_iter()
            .map(|found| {
                let at = usize::try_from(found.start).unwrap_or(usize::MAX);
                let (place, hidden) = self.place(at);
                Leak {
                    shape: found.shape,
                    place,
                    hidden,
                }
            })
            .collect()
    }

    fn place(&self, at: usize) -> (Place, Option<Range<usize>>) {
        let index = self.pieces.partition_point(|(start, _)| *start <= at) - 1;
        let (start, piece) = &self.pieces[index];
        match piece {
            Piece::Name => (Place::HeaderName, None),
            Piece::Value(place) => (place.clone(), None),
            Piece::Url => {
                let (place, hidden) = self.place_in_url(*start, at);
                (place, Some(hidden))
            }
        }
    }

    /// The whole segment or parameter is hidden, and not only the bytes that were recognised.
    fn place_in_url(&self, start: usize, at: usize) -> (Place, Range<usize>) {
        let end = start
            + self.bytes[start..]
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(0);
        let query = self.bytes[start..end]
            .iter()
            .position(|byte| *byte == b'?')
            .map(|query| start + query + 1);
        match query {
            Some(query) if at >= query => {
                let range = piece_around(&self.bytes, query..end, at, b'&');
                let parameter = String::from_utf8_lossy(&self.bytes[range.clone()]);
                let place = match parameter.split_once('=') {
                    Some((name, _)) if at > range.start + name.len() => Place::query(name),
                    _ => Place::Query(None),
                };
                (place, range.start - start..range.end - start)
            }
            query => {
                let path = start..query.map_or(end, |query| query - 1);
                let range = piece_around(&self.bytes, path, at, b'/');
                (Place::Path, range.start - start..range.end - start)
            }
        }
    }
}

/// What lies between two delimiters around a position.
fn piece_around(bytes: &[u8], within: Range<usize>, at: usize, delimiter: u8) -> Range<usize> {
    let before = bytes[within.start..at]
        .iter()
        .rposition(|byte| *byte == delimiter);
    let after = bytes[at..within.end].iter().position(|byte| *byte == delimiter);
    before.map_or(within.start, |before| within.start + before + 1)
        ..after.map_or(within.end, |after| at + after)
}

fn path_and_query(url: &Uri) -> &str {
    url.path_and_query().map_or("", |whole| whole.as_str())
}
