//! The reviewed list of shapes. Data, compiled into the binary.

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::{Anchor, Check, CredentialShape, Expression, Joined, SharedShape};
use crate::pattern::HostPattern;

/// All shapes that are known without configuration, in the order of the file.
pub fn list() -> &'static [SharedShape] {
    &LIST
}

static LIST: LazyLock<Vec<SharedShape>> =
    LazyLock::new(|| read(include_str!("../../data/credential-shapes.toml")));

#[derive(Deserialize)]
struct Written {
    shape: Vec<WrittenShape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenShape {
    name: String,
    regex: String,
    anchors: Vec<String>,
    #[serde(default)]
    at: At,
    longest: Option<usize>,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    check: WrittenCheck,
    #[serde(default)]
    joined: WrittenJoined,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    head_hosts: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum At {
    Exactly(usize),
    Between(usize, usize),
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenCheck {
    #[default]
    Nothing,
    #[serde(rename = "base62-crc32")]
    Base62Crc32,
    Jwt,
    PrivateKey,
    DatabaseUrl,
    #[serde(rename = "openai")]
    OpenAi,
    Mixed,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenJoined {
    #[default]
    Apart,
    Before,
    Both,
}

impl Default for At {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

impl At {
    fn range(self) -> RangeInclusive<usize> {
        match self {
            Self::Exactly(at) => at..=at,
            Self::Between(least, most) => least..=most,
        }
    }
}

impl From<WrittenCheck> for Check {
    fn from(written: WrittenCheck) -> Self {
        match written {
            WrittenCheck::Nothing => Self::Nothing,
            WrittenCheck::Base62Crc32 => Self::Base62Crc32,
            WrittenCheck::Jwt => Self::Jwt,
            WrittenCheck::PrivateKey => Self::PrivateKey,
            WrittenCheck::DatabaseUrl => Self::DatabaseUrl,
            WrittenCheck::OpenAi => Self::OpenAi,
            WrittenCheck::Mixed => Self::Mixed,
        }
    }
}

fn read(text: &str) -> Vec<SharedShape> {
    let written: Written = toml::from_str(text).expect("the list is tested");
    written
        .shape
        .into_iter()
        .map(|shape| Arc::new(shape.into()))
        .collect()
}

impl From<WrittenShape> for CredentialShape {
    fn from(written: WrittenShape) -> Self {
        let at = written.at.range();
        let anchors = written
            .anchors
            .iter()
            .map(|text| Anchor::parse(text, at.clone()).expect("the list is tested"));
        Self {
            anchors: anchors.collect(),
            longest: written.longest.unwrap_or_else(|| longest(&written.regex)),
            expression: Expression::known(&written.regex),
            name: written.name.into(),
            least_entropy: written.entropy,
            check: written.check.into(),
            joined: match written.joined {
                WrittenJoined::Apart => Joined::Apart,
                WrittenJoined::Before => Joined::Before,
                WrittenJoined::Both => Joined::Both,
            },
            issuers: patterns(&written.hosts),
            head_issuers: patterns(&written.head_hosts),
        }
    }
}

fn longest(regex: &str) -> usize {
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(regex);
    hir.expect("the list is tested")
        .properties()
        .maximum_len()
        .expect("`longest` is written where the expression has no bound")
}

fn patterns(hosts: &[String]) -> Vec<HostPattern> {
    hosts
        .iter()
        .map(|host| HostPattern::parse(host).expect("the list is tested"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_shape_is_well_formed_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for shape in list() {
            assert!(names.insert(shape.name()), "{} twice", shape.name());
            assert!(shape.expression().walk(None).is_some(), "{}", shape.name());
            assert!(
                shape.longest() <= 6000 && !shape.anchors().is_empty(),
                "{}",
                shape.name()
            );
        }
        assert!(names.len() >= 75, "{}", names.len());
    }
}
