//! How large a request may be, by host and method.

use std::fmt;

use crate::amount::Bytes;
use crate::method::Method;
use crate::pattern::HostPattern;
use crate::target::Target;

/// A part of a request that has a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizedPart {
    /// The body, as it is framed: chunk sizes and the like not counted.
    Body,
    /// Path and query.
    Url,
    /// Names and values of all header fields, as they were sent.
    Headers,
}

/// How much of one part a request may have, and which line says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SizeLimit {
    pub(crate) part: SizedPart,
    pub(crate) most: u64,
    /// Which entry of `sizes`, from 1.
    pub(crate) entry: usize,
    pub(crate) line: Option<u32>,
}

/// How large one request may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeLimits([Option<SizeLimit>; SizedPart::ALL.len()]);

/// `[[environments.NAME.sizes]]`, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes(pub(crate) Vec<SizeEntry>);

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct SizeEntry {
    /// None: every host. Without a port it is for every port.
    pub(crate) host: Option<HostPattern>,
    /// Empty: every method.
    pub(crate) methods: Vec<Method>,
    /// By the part's place in [`SizedPart::ALL`], with its line.
    pub(crate) most: [Option<(u64, Option<u32>)>; SizedPart::ALL.len()],
}

impl SizedPart {
    /// All of them, in the order of their declaration.
    pub(crate) const ALL: [Self; 3] = [Self::Body, Self::Url, Self::Headers];

    /// Its key in a policy file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Body => "max_body",
            Self::Url => "max_url",
            Self::Headers => "max_headers",
        }
    }

    /// The stable code of a refusal of what is too large.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Body => "body-too-large",
            Self::Url => "url-too-large",
            Self::Headers => "headers-too-large",
        }
    }
}

impl fmt::Display for SizedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "body",
            Self::Url => "path and query",
            Self::Headers => "header fields",
        })
    }
}

impl SizeLimits {
    /// The tighter of both, part by part.
    pub(crate) fn and(self, other: Self) -> Self {
        let tighter = |part: SizedPart| {
            let both = [self.of(part), other.of(part)].into_iter().flatten();
            both.min_by_key(|limit| limit.most)
        };
        Self(SizedPart::ALL.map(tighter))
    }

    /// The limit of a part, if it has one.
    pub fn of(&self, part: SizedPart) -> Option<SizeLimit> {
        self.0[part as usize]
    }
}

impl SizeLimit {
    /// In bytes. So many may be sent, and not one more.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Which part it is of.
    pub fn part(&self) -> SizedPart {
        self.part
    }

    pub(crate) fn as_written(&self) -> String {
        format!(
            "sizes entry {}, {} = \"{}\"",
            self.entry,
            self.part.key(),
            Bytes(self.most)
        )
    }
}

impl Sizes {
    /// For each part, the first entry that names the request and has the part's key decides.
    pub(crate) fn of(&self, target: &Target, method: &Method) -> SizeLimits {
        let mut limits = SizeLimits::default();
        let naming = (1..)
            .zip(&self.0)
            .filter(|(_, entry)| entry.names(target, method));
        for (entry, sizes) in naming {
            for part in SizedPart::ALL {
                let limit = sizes.most[part as usize].map(|(most, line)| SizeLimit {
                    part,
                    most,
                    entry,
                    line,
                });
                limits.0[part as usize] = limits.of(part).or(limit);
            }
        }
        limits
    }

    /// For people to read, in the order of the document.
    pub(crate) fn entries(&self) -> impl Iterator<Item = SizeListing> + '_ {
        self.0.iter().map(|entry| SizeListing {
            hosts: entry
                .host
                .as_ref()
                .map_or_else(|| "every host".to_owned(), ToString::to_string),
            methods: if entry.methods.is_empty() {
                "every method".to_owned()
            } else {
                let methods: Vec<&str> = entry.methods.iter().map(Method::as_str).collect();
                methods.join(", ")
            },
            most: entry.most_in_words(),
        })
    }
}

/// One entry of `sizes`, for people to read.
#[derive(Clone, Debug)]
pub struct SizeListing {
    /// A pattern, or `every host`.
    pub hosts: String,
    /// `POST, PUT`, or `every method`.
    pub methods: String,
    /// `body 10 MiB`.
    pub most: String,
}

impl SizeEntry {
    fn names(&self, target: &Target, method: &Method) -> bool {
        self.host.as_ref().is_none_or(|host| host.names(target))
            && (self.methods.is_empty() || self.methods.contains(method))
    }

    fn most_in_words(&self) -> String {
        let parts = SizedPart::ALL.into_iter().zip(&self.most);
        let words: Vec<String> = parts
            .filter_map(|(part, most)| most.map(|(most, _)| format!("{part} {}", Bytes(most))))
            .collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn entry(host: Option<&str>, methods: &[&str], most: [Option<u64>; 3]) -> SizeEntry {
        SizeEntry {
            host: host.map(|host| HostPattern::parse(host).unwrap()),
            methods: methods
                .iter()
                .map(|method| Method::parse(method).unwrap())
                .collect(),
            most: most.map(|most| most.map(|most| (most, None))),
        }
    }

    #[test]
    fn the_first_entry_that_names_a_request_and_has_the_key_decides() {
        let sizes = Sizes(vec![
            entry(Some("big.test"), &["PUT"], [Some(1_000), None, None]),
            entry(Some("*.test"), &[], [Some(100), None, Some(50)]),
            entry(None, &["POST"], [Some(10), Some(5), None]),
        ]);
        let most = |target: &str, method: &str, part| {
            let limits = sizes.of(&Target::parse(target).unwrap(), &Method::parse(method).unwrap());
            limits.of(part).map(|limit| (limit.most, limit.entry))
        };
        assert_eq!(most("big.test:8443", "PUT", SizedPart::Body), Some((1_000, 1)));
        assert_eq!(most("big.test:443", "PUT", SizedPart::Headers), Some((50, 2)));
        assert_eq!(most("big.test:443", "POST", SizedPart::Body), Some((100, 2)));
        assert_eq!(most("big.test:443", "POST", SizedPart::Url), Some((5, 3)));
        assert_eq!(most("other.example:443", "POST", SizedPart::Body), Some((10, 3)));
        assert_eq!(most("other.example:443", "GET", SizedPart::Body), None);
    }
}
