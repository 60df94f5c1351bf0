//! Templates of paths: `/repos/{owner}/{repo}/git/refs/{ref}`.

use super::path::{encode, parse_number};

/// A template of paths.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

/// A segment of a template. The order is that of preference: what is said is before what is left open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Literal(String),
    /// A parameter that is a number.
    Number(String),
    /// One that is one segment.
    One(String),
    /// One that is segments: the name of a ref or a file.
    Rest(String),
    /// Behind the last one, so that of two templates that begin alike the longer is preferred.
    End,
}

/// Where operations are looked up: the first segment of a path, and the fourth below `/repos`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(String, String);

impl Place {
    /// Of a path.
    pub(super) fn of(path: &[String]) -> Self {
        let segment = |at: usize| path.get(at).cloned().unwrap_or_default();
        let first = segment(0);
        let word = if first == REPOSITORIES {
            segment(3)
        } else {
            String::new()
        };
        Self(first, word)
    }
}

const REPOSITORIES: &str = "repos";

/// How many segments a [`Part::Rest`] has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtLeast {
    /// None: `contents/` is the root of a repository.
    Zero,
    /// One.
    One,
}

/// Which parameters are numbers, and which have slashes.
pub(super) struct ParameterKinds {
    pub(super) numbers: Vec<String>,
    pub(super) rests: Vec<String>,
}

/// What a path has for the parameters of a template, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments(Vec<(String, String)>);

impl Template {
    /// Of a template as GitHub writes it.
    pub(super) fn parse(template: &str, kinds: &ParameterKinds) -> Self {
        let segments = template.split('/').filter(|segment| !segment.is_empty());
        let parts = segments.map(|segment| Part::parse(segment, kinds));
        Self {
            parts: parts.chain([Part::End]).collect(),
        }
    }

    /// What a path has for its parameters, if it is of this template.
    pub(super) fn arguments(&self, path: &[String], at_least: AtLeast) -> Option<Arguments> {
        let mut found = Vec::new();
        matches(&self.parts, path, at_least, &mut found).then_some(Arguments(found))
    }

    /// Where paths of it are looked up. What is below a repository has a word there: `/repos/OWNER/NAME/WORD`.
    pub(super) fn place(&self) -> Option<Place> {
        let literal = |at: usize| match self.parts.get(at) {
            Some(Part::Literal(text)) => Some(text.clone()),
            Some(Part::End) | None => Some(String::new()),
            Some(_) => None,
        };
        let first = literal(0)?;
        let word = if first == REPOSITORIES {
            literal(3)?
        } else {
            String::new()
        };
        Some(Place(first, word))
    }

    /// Whether it is to be preferred before another that a path is of, too.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.parts < other.parts
    }

    /// The path with these arguments, encoded in one way.
    pub(super) fn path(&self, arguments: &Arguments) -> String {
        let mut path = String::new();
        for part in &self.parts {
            let (text, kept): (&str, &[u8]) = match part {
                Part::Literal(text) => (text, b""),
                Part::Number(name) | Part::One(name) => (arguments.of(name), b""),
                Part::Rest(name) => (arguments.of(name), b"/"),
                Part::End => continue,
            };
            if !text.is_empty() {
                path.push('/');
                encode(text, kept, &mut path);
            }
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }
}

impl Part {
    fn parse(segment: &str, kinds: &ParameterKinds) -> Self {
        if segment.contains("}...{") {
            return Self::Rest("basehead".to_owned()); // the same operation in two spellings
        }
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return Self::Literal(segment.to_owned());
        };
        let is_in = |names: &[String]| names.iter().any(|known| known == name);
        match () {
            () if is_in(&kinds.numbers) => Self::Number(name.to_owned()),
            () if is_in(&kinds.rests) => Self::Rest(name.to_owned()),
            () => Self::One(name.to_owned()),
        }
    }
}

fn matches(parts: &[Part], path: &[String], at_least: AtLeast, found: &mut Vec<(String, String)>) -> bool {
    let Some((part, others)) = parts.split_first() else {
        return path.is_empty();
    };
    let one = |found: &mut Vec<_>, name: &String, value: &String, rest: &[String]| {
        found.push((name.clone(), value.clone()));
        matches(others, rest, at_least, found) || {
            found.pop();
            false
        }
    };
    match (part, path.split_first()) {
        (Part::End, None) => true,
        (Part::Literal(text), Some((first, rest))) if text == first => matches(others, rest, at_least, found),
        (Part::Number(name), Some((first, rest))) if parse_number(first).is_some() => {
            one(found, name, first, rest)
        }
        (Part::One(name), Some((first, rest))) => one(found, name, first, rest),
        (Part::Rest(name), _) => {
            let fewest = usize::from(at_least == AtLeast::One);
            (fewest..=path.len())
                .rev()
                .any(|taken| one(found, name, &path[..taken].join("/"), &path[taken..]))
        }
        _ => false,
    }
}

impl Arguments {
    /// The argument for a parameter; empty if there is none.
    pub(super) fn of(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether one has no segment.
    pub(super) fn has_empty(&self) -> bool {
        self.0.iter().any(|(_, value)| value.is_empty())
    }

    /// The argument for a parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        parse_number(self.of(name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        let kinds = ParameterKinds {
            numbers: vec!["n".to_owned()],
            rests: vec!["ref".to_owned()],
        };
        Template::parse(text, &kinds)
    }

    fn found(of: &str, path: &str) -> Option<String> {
        let path: Vec<String> = path
            .split('/')
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect();
        let arguments = template(of).arguments(&path, AtLeast::One)?;
        let pairs: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(pairs.join(" "))
    }

    #[test]
    fn parameters_take_what_they_may() {
        assert_eq!(found("/a/{x}/b", "a/1/b").as_deref(), Some("x=1"));
        assert_eq!(found("/a/{n}", "a/12").as_deref(), Some("n=12"));
        assert_eq!(found("/a/{n}", "a/x"), None);
        assert_eq!(found("/a/{ref}", "a/b/c/d").as_deref(), Some("ref=b/c/d"));
        assert_eq!(
            found("/a/{ref}/status", "a/b/status/status").as_deref(),
            Some("ref=b/status")
        );
        assert_eq!(found("/a/{ref}/status", "a/status"), None);
        assert_eq!(found("/a", "a/b"), None);
        assert_eq!(found("/", "").as_deref(), Some(""));
        assert_eq!(
            found("/c/{base}...{head}", "c/x...y").as_deref(),
            Some("basehead=x...y")
        );
    }

    #[test]
    fn what_is_said_is_preferred() {
        for (first, second) in [
            ("/a/comments", "/a/{n}"),
            ("/a/{n}", "/a/{x}"),
            ("/a/{x}", "/a/{ref}"),
            ("/a/{ref}/status", "/a/{ref}"),
            ("/a/b/{x}", "/a/{n}/b"),
        ] {
            assert!(template(first).is_before(&template(second)), "{first} {second}");
            assert!(!template(second).is_before(&template(first)), "{first} {second}");
        }
    }

    #[test]
    fn a_path_is_written_in_one_way() {
        let path = ["a", "b/c", "d", "e%"].map(str::to_owned);
        let of = template("/a/{x}/{ref}");
        let written = of
            .arguments(&path, AtLeast::One)
            .map(|arguments| of.path(&arguments));
        assert_eq!(written.as_deref(), Some("/a/b%2Fc/d/e%25"));
    }
}
