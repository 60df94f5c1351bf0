//! A path as a record has it: what looked like a secret is not there, and nobody knows what was.

use std::fmt;

use outwall_policy::RequestPath;

/// A path, without the query, of which parts may be unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedPath {
    /// What is known, in order; between each two of them something is unknown.
    known: Vec<String>,
}

impl RecordedPath {
    /// Reads what an event has. `None` when it is no path.
    pub fn read(recorded: &str) -> Option<Self> {
        let path = recorded.split('?').next().unwrap_or_default();
        let (path, cut) = match path.strip_suffix(CUT) {
            Some(path) => (path, true),
            None => (path, recorded.ends_with(CUT) && !recorded.contains('?')),
        };
        let mut known: Vec<String> = path.split(MASK).map(str::to_owned).collect();
        if cut {
            known.push(String::new());
        }
        let read = Self { known };
        read.filled("x").map(|_| read)
    }

    /// The path, if all of it is known.
    pub fn whole(&self) -> Option<RequestPath> {
        match self.known.as_slice() {
            [only] => RequestPath::parse(only).ok(),
            _ => None,
        }
    }

    /// The path with this text for each part that is unknown.
    pub fn filled(&self, with: &str) -> Option<RequestPath> {
        RequestPath::parse(&self.known.join(with)).ok()
    }

    /// False only when the glob matches no path that this may have been. `*` and what is unknown may stand for anything here, so it
    /// is true more often than it has to be.
    pub fn may_match(&self, glob: &str) -> bool {
        let unknown = self.known.join("\u{0}");
        let path: Vec<Part> = parts(&unknown, '\u{0}');
        intersect(&parts(&glob.replace("/**", "*"), '*'), &path)
    }
}

/// A character of a pattern, or any text.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    One(char),
    Any,
}

fn parts(text: &str, any: char) -> Vec<Part> {
    let part = |character| {
        if character == any {
            Part::Any
        } else {
            Part::One(character)
        }
    };
    text.chars().map(part).collect()
}

/// Whether some text is matched by both patterns: which places of `b` can be reached with each prefix of `a`.
fn intersect(a: &[Part], b: &[Part]) -> bool {
    let mut reached = vec![false; b.len() + 1];
    reached[0] = true;
    spread(&mut reached, b);
    for part in a {
        let mut next = vec![false; b.len() + 1];
        match part {
            Part::Any => {
                // takes any number of what `b` has
                let mut open = false;
                for (at, reached) in reached.iter().enumerate() {
                    open |= *reached;
                    next[at] = open;
                }
            }
            Part::One(one) => {
                for (at, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
                    match b.get(at) {
                        Some(Part::One(other)) if one == other => next[at + 1] = true,
                        Some(Part::Any) => next[at] = true,
                        Some(Part::One(_)) | None => {}
                    }
                }
            }
        }
        spread(&mut next, b);
        reached = next;
    }
    reached[b.len()]
}

/// What is any text in `b` may be no text.
fn spread(reached: &mut [bool], b: &[Part]) {
    for (at, part) in b.iter().enumerate() {
        if reached[at] && *part == Part::Any {
            reached[at + 1] = true;
        }
    }
}

impl fmt::Display for RecordedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.known.join(MASK))
    }
}

/// What stands where a secret was.
const MASK: &str = "***";
/// What stands at the end of a text that was too long.
const CUT: char = '…';

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn may(path: &str, glob: &str) -> bool {
        RecordedPath::read(path).unwrap().may_match(glob)
    }

    #[test]
    fn a_glob_matches_what_an_unknown_part_may_have_been() {
        for (path, glob) in [
            ("/hooks/***", "/hooks/abc"),
            ("/hooks/***", "/hooks/*"),
            ("/hooks/***", "/**"),
            ("/a/***/c", "/a/b/c"),
            ("/a/***/c", "/a/x*/c"),
            ("/a/ghp_***", "/a/ghp_*"),
            ("/a/b", "/a/*"),
            ("/a", "/a/**"),
            ("/long…", "/longer/**"),
        ] {
            assert!(may(path, glob), "{path} {glob}");
        }
    }

    #[test]
    fn what_is_known_is_not_guessed() {
        for (path, glob) in [
            ("/hooks/***", "/other/*"),
            ("/hooks/***", "/hook"),
            ("/a/***/c", "/a/b/d"),
            ("/a/ghp_***", "/a/glpat-*"),
            ("/a/b", "/a/c"),
        ] {
            assert!(!may(path, glob), "{path} {glob}");
        }
    }

    #[test]
    fn the_query_is_no_part_and_what_is_no_path_is_none() {
        assert_eq!(
            RecordedPath::read("/a?b=*&c").unwrap().whole().unwrap().as_str(),
            "/a"
        );
        assert_eq!(RecordedPath::read("*").unwrap().whole().unwrap().as_str(), "*");
        assert!(RecordedPath::read("a").is_none() && RecordedPath::read("/a b").is_none());
        assert!(RecordedPath::read("/a/…").unwrap().whole().is_none());
        assert_eq!(RecordedPath::read("/a/***/b").unwrap().to_string(), "/a/***/b");
    }
}
