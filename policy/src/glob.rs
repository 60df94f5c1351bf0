//! Globs over paths: `*` is any text within one segment, `**` is any number of segments, none included. Nothing else is
//! special, so that a glob can be read without a manual.

use std::fmt;

use thiserror::Error;

use crate::path::{RequestPath, normalise_escapes};

/// A glob over normalised paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    written: Box<str>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    AnyNumber,
    One(Box<str>),
}

/// Why a text is no glob. Each says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum GlobError {
    #[error("begin it with `/`; `/**` is every path")]
    Start,
    #[error("write `**` as a segment of its own, as in `/v1/**`")]
    Stars,
    #[error("write the path without query; rules decide on paths only")]
    Query,
    #[error("write `*` or `**`; brackets and braces are not globs here")]
    Brackets,
    #[error("write the path without `.`, `..` and empty segments; requests are matched in that form")]
    Segment,
    #[error("write `%` with two hexadecimal digits, and no control characters")]
    Escape,
}

impl Glob {
    pub(crate) fn parse(text: &str) -> Result<Self, GlobError> {
        let path = text.strip_prefix('/').ok_or(GlobError::Start)?;
        if text.contains(['?', '#']) {
            return Err(GlobError::Query);
        }
        if text.contains(['[', ']', '{', '}', '\\']) {
            return Err(GlobError::Brackets);
        }
        let normal = normalise_escapes(path).map_err(|_| GlobError::Escape)?;
        let mut segments = Vec::new();
        let mut rest = normal.split('/').peekable();
        while let Some(segment) = rest.next() {
            let last = rest.peek().is_none();
            segments.push(Segment::parse(segment, last)?);
        }
        Ok(Self {
            written: text.into(),
            segments,
        })
    }

    /// The same glob, spelled as the paths are that it is asked about.
    pub(crate) fn in_normal_form(&self) -> String {
        let spelled = |segment: &Segment| match segment {
            Segment::AnyNumber => "/**".to_owned(),
            Segment::One(text) => format!("/{text}"),
        };
        self.segments.iter().map(spelled).collect()
    }

    /// Linear in the path for each `**`: only the last one is ever widened.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut rest = match path.strip_prefix('/') {
            Some(first) => Some(first),
            None => return false, // the `*` of OPTIONS
        };
        let mut at = 0;
        let mut widened: Option<(usize, Option<&str>)> = None;
        loop {
            match (self.segments.get(at), rest) {
                (None, None) => return true,
                (Some(Segment::AnyNumber), _) => {
                    widened = Some((at, rest));
                    at += 1;
                    continue;
                }
                (Some(Segment::One(glob)), Some(text)) => {
                    let (segment, after) = first_segment(text);
                    if matches_segment(glob.as_bytes(), segment.as_bytes()) {
                        rest = after;
                        at += 1;
                        continue;
                    }
                }
                (Some(Segment::One(_)), None) | (None, Some(_)) => {}
            }
            let Some((star, Some(text))) = widened else {
                return false;
            };
            rest = first_segment(text).1;
            widened = Some((star, rest));
            at = star + 1;
        }
    }
}

/// Whether a glob, as a rule may have it, matches a path. A text that is no glob matches nothing.
pub fn glob_matches(glob: &str, path: &RequestPath) -> bool {
    Glob::parse(glob).is_ok_and(|glob| glob.matches(path.as_str()))
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Segment {
    fn parse(text: &str, last: bool) -> Result<Self, GlobError> {
        match text {
            "**" => Ok(Self::AnyNumber),
            "." | ".." => Err(GlobError::Segment),
            "" if !last => Err(GlobError::Segment),
            _ if text.contains("**") => Err(GlobError::Stars),
            _ => Ok(Self::One(text.into())),
        }
    }
}

fn first_segment(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((segment, after)) => (segment, Some(after)),
        None => (text, None),
    }
}

fn matches_segment(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, t));
            g += 1;
        } else if glob.get(g) == Some(&text[t]) {
            g += 1;
            t += 1;
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            g = at + 1;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_whole_paths() {
        for (glob, matched, not_matched) in [
            ("/**", &["/", "/a", "/a/b/", "//"][..], &["*"][..]),
            ("/", &["/"], &["/a", "//"]),
            (
                "/v1/**",
                &["/v1", "/v1/", "/v1/a", "/v1/a/b"],
                &["/v10", "/", "/v1%2Fa", "/V1/a"],
            ),
            (
                "/v1/*",
                &["/v1/", "/v1/a", "/v1/a%2Fb"],
                &["/v1", "/v1/a/b", "/v1/a/"],
            ),
            (
                "/a/**/z",
                &["/a/z", "/a/b/z", "/a/z/z"],
                &["/a", "/a/b", "/a/z/y"],
            ),
            ("/**/b/**/d", &["/b/d", "/a/b/c/d", "/b/x/b/d"], &["/a/b", "/d/b"]),
            ("/*.json", &["/.json", "/a.json"], &["/a.jsonx", "/a/b.json"]),
            ("/a*b*c", &["/abc", "/axbbxc"], &["/ab", "/acb"]),
            ("/%7euser/%2f", &["/~user/%2F"], &["/~user/"]),
        ] {
            let glob = Glob::parse(glob).unwrap();
            for path in matched {
                assert!(glob.matches(path), "{glob} should match {path}");
            }
            for path in not_matched {
                assert!(!glob.matches(path), "{glob} should not match {path}");
            }
        }
    }

    #[test]
    fn what_would_never_match_as_meant_is_refused() {
        for (text, error) in [
            ("v1/**", GlobError::Start),
            ("**", GlobError::Start),
            ("/v1/**.json", GlobError::Stars),
            ("/search?q=*", GlobError::Query),
            ("/{a,b}", GlobError::Brackets),
            ("/a//b", GlobError::Segment),
            ("/a/../b", GlobError::Segment),
            ("/a/%2e%2e/b", GlobError::Segment),
            ("/%zz", GlobError::Escape),
        ] {
            assert_eq!(Glob::parse(text), Err(error), "{text}");
        }
    }

    /// The obvious, exponential way.
    fn slowly(glob: &[&str], path: &[&str]) -> bool {
        match (glob.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", more)), _) => slowly(more, path) || (!path.is_empty() && slowly(glob, &path[1..])),
            (Some((one, more)), Some((segment, rest))) => {
                matches_segment(one.as_bytes(), segment.as_bytes()) && slowly(more, rest)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn the_quick_match_agrees_with_the_obvious_one(
            glob in proptest::collection::vec(prop_oneof![Just("**"), Just("a"), Just("b*"), Just("*")], 1..6),
            path in proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("bb"), Just("")], 1..6),
        ) {
            let parsed = Glob::parse(&format!("/{}", glob.join("/"))).unwrap();
            let text = format!("/{}", path.join("/"));
            prop_assert_eq!(parsed.matches(&text), slowly(&glob, &path));
        }
    }
}
