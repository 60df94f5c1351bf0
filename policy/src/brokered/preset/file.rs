//! The file of presets, as written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scope::Requests;
use super::{CountedPlace, Preset, Role};
use crate::brokered::{Alphabet, CredentialPlace, Injection, Placeholder};
use crate::glob::Glob;
use crate::pattern::HostPattern;
use crate::trusted_writes;

/// Reads the file. It is compiled in and tested, so what is wrong with it is wrong with the build.
pub(super) fn read(text: &str) -> Vec<Preset> {
    let file: File = toml::from_str(text).expect(TESTED);
    let mut presets: Vec<Preset> = Vec::with_capacity(file.preset.len());
    for written in file.preset {
        let base = written.like.as_ref().map(|like| {
            let base = presets.iter().position(|preset| preset.name == *like);
            base.expect(TESTED)
        });
        let base = base.map(|base| &presets[base]);
        let preset = written.compile(base);
        presets.push(preset);
    }
    presets
}

const TESTED: &str = "the file is tested";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    preset: Vec<WrittenPreset>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPreset {
    name: String,
    like: Option<String>,
    hosts: Vec<String>,
    #[serde(default)]
    watched: Vec<String>,
    inject: Vec<WrittenInjection>,
    placeholder: Option<WrittenPlaceholder>,
    source: String,
    #[serde(default, rename = "place")]
    places: Vec<WrittenPlace>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WrittenInjection {
    Header { header: String, scheme: Option<String> },
    Basic { basic: String },
    Query { query: String },
    Sign { sign: Signature },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Signature {
    Aws4,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlaceholder {
    env: Vec<String>,
    prefix: String,
    length: usize,
    #[serde(default)]
    alphabet: WrittenAlphabet,
    #[serde(default)]
    companions: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenAlphabet {
    #[default]
    Alphanumeric,
    Base32,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlace {
    header: Option<String>,
    scheme: Option<String>,
    listed: Option<String>,
    prefix: Option<String>,
    query: Option<String>,
    cookie: Option<String>,
    body: Option<String>,
    form: Option<Form>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    writes: bool,
    why: String,
    source: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Multipart,
}

impl WrittenPreset {
    fn compile(self, base: Option<&Preset>) -> Preset {
        let mut watched = patterns(&self.watched);
        let mut places: Vec<CountedPlace> = self.places.into_iter().map(WrittenPlace::compile).collect();
        if let Some(base) = base {
            watched.extend(base.hosts.iter().chain(&base.watched).cloned());
            places.extend(base.places.iter().map(CountedPlace::again));
        }
        Preset {
            name: self.name,
            hosts: patterns(&self.hosts),
            watched,
            inject: self.inject.into_iter().map(Injection::from).collect(),
            placeholder: self.placeholder.map(Placeholder::from),
            places,
            source: self.source,
            role: base.map_or(Role::Base, |_base| Role::Variant),
        }
    }
}

impl WrittenPlace {
    fn compile(self) -> CountedPlace {
        CountedPlace {
            hosts: patterns(&self.hosts),
            paths: self
                .paths
                .iter()
                .map(|path| Glob::parse(path).expect(TESTED))
                .collect(),
            requests: if self.writes {
                Requests::Writes
            } else {
                Requests::All
            },
            why: self.why.clone(),
            source: self.source.clone(),
            place: self.place(),
        }
    }

    fn place(self) -> CredentialPlace {
        let header = self.header.map(|name| CredentialPlace::Header {
            name,
            scheme: self.scheme,
        });
        let prefix = self.prefix;
        let listed = self.listed.map(|header| CredentialPlace::Listed {
            header,
            prefix: prefix.expect(TESTED),
        });
        let mut named = [
            header,
            listed,
            self.query.map(CredentialPlace::Query),
            self.cookie.map(CredentialPlace::Cookie),
            self.body.map(CredentialPlace::Body),
            self.form.map(|Form::Multipart| CredentialPlace::Multipart),
        ]
        .into_iter()
        .flatten();
        let place = named.next().expect(TESTED);
        assert!(named.next().is_none(), "{place} is not the only one of its entry");
        place
    }
}

impl CountedPlace {
    fn again(&self) -> Self {
        Self {
            place: self.place.clone(),
            hosts: self.hosts.clone(),
            paths: self.paths.clone(),
            requests: self.requests,
            why: self.why.clone(),
            source: self.source.clone(),
        }
    }
}

impl From<WrittenInjection> for Injection {
    fn from(written: WrittenInjection) -> Self {
        match written {
            WrittenInjection::Header { header: name, scheme } => Self::Header { name, scheme },
            WrittenInjection::Basic { basic: user } => Self::Basic { user },
            WrittenInjection::Query { query } => Self::Query(query),
            WrittenInjection::Sign {
                sign: Signature::Aws4,
            } => Self::Aws4,
        }
    }
}

impl From<WrittenPlaceholder> for Placeholder {
    fn from(written: WrittenPlaceholder) -> Self {
        let random = written.length.checked_sub(written.prefix.len());
        Self {
            variables: written.env,
            random: random.expect(TESTED),
            prefix: written.prefix,
            alphabet: match written.alphabet {
                WrittenAlphabet::Alphanumeric => Alphabet::Alphanumeric,
                WrittenAlphabet::Base32 => Alphabet::Base32,
            },
            companions: written.companions.into_iter().collect(),
        }
    }
}

fn patterns(hosts: &[String]) -> Vec<HostPattern> {
    let hosts = hosts.iter().flat_map(|host| trusted_writes::in_regions(host));
    hosts
        .map(|host| HostPattern::parse(&host).expect(TESTED))
        .collect()
}
