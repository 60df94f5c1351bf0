//! Questions with known answers, derived from the document.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::written::{Named, WrittenEntry, target};
use crate::blocklist::Blocklist;
use crate::document::{
    EnvironmentDocument, NetworkLevel, OriginsDocument, PolicyDocument, RuleDocument, Written,
};
use crate::method::Method;
use crate::path::RequestPath;
use crate::sandbox::EnvironmentName;
use crate::target::Target;
use crate::trusted;

/// One question with its answer.
pub(super) struct Probe {
    pub(super) environment: EnvironmentName,
    pub(super) question: Question,
    pub(super) answer: Answer,
    /// The end of "…, but {because}".
    pub(super) because: String,
    /// One of many of its kind, which may be left out.
    pub(super) is_sample: bool,
}

pub(super) enum Question {
    Connect(Target),
    /// May this address be dialled, if the connection is allowed?
    Dial(Target, IpAddr),
    /// May this be sent, if the connection is allowed?
    Request {
        target: Target,
        method: Method,
        path: RequestPath,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    Refused,
}

impl Question {
    pub(super) fn target(&self) -> &Target {
        match self {
            Self::Connect(target) | Self::Dial(target, _) | Self::Request { target, .. } => target,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(target) => write!(f, "a connection to {target}"),
            Self::Dial(target, address) => write!(f, "a connection to {target} at the address {address}"),
            Self::Request { target, method, path } => write!(f, "{method} {path} to {target}"),
        }
    }
}

/// Entries of each list that are asked about, and rules of each environment.
const SAMPLES: usize = 64;
/// Environments whose entries are asked about beyond the first one of each list.
const SAMPLED_ENVIRONMENTS: usize = 32;

/// All questions: first those that are always asked.
pub(super) fn derive(
    document: &PolicyDocument,
    own: &[IpAddr],
    seed: u64,
    out_of_time: &mut dyn FnMut() -> bool,
) -> Vec<Probe> {
    let implied;
    let document = if document.environments.is_empty() {
        let mut clone = document.clone();
        clone.add_implied_environment();
        implied = clone;
        &implied
    } else {
        document
    };
    let mut probes = Vec::new();
    for (number, (name, written)) in document.environments.iter().enumerate() {
        let samples = if number < SAMPLED_ENVIRONMENTS { SAMPLES } else { 1 };
        let mut deriving = Deriving {
            name,
            written,
            document,
            origins: &document.origins,
            random: Random(seed ^ number as u64),
            samples,
            probes: &mut probes,
        };
        deriving.derive(own, out_of_time);
    }
    probes.sort_by_key(|probe| probe.is_sample); // stable
    probes
}

/// The questions about one environment, in the making.
struct Deriving<'a> {
    name: &'a EnvironmentName,
    written: &'a EnvironmentDocument,
    document: &'a PolicyDocument,
    origins: &'a OriginsDocument,
    random: Random,
    samples: usize,
    probes: &'a mut Vec<Probe>,
}

impl<'a> Deriving<'a> {
    fn derive(&mut self, own: &[IpAddr], out_of_time: &mut dyn FnMut() -> bool) {
        self.canary();
        let mut suspects = self.literals().to_vec();
        let mut reached = Vec::new();
        for list in self.lists() {
            for (number, entry) in self.sample(list).into_iter().enumerate() {
                let Some(read) = WrittenEntry::read(&entry.value) else {
                    continue;
                };
                reached.extend(self.reached(&read, &entry.value, number > 0));
                suspects.extend(self.tricks(&read));
            }
        }
        if self.includes_trusted() {
            reached.extend(self.trusted());
        }
        self.refused(suspects, out_of_time);
        self.at_level(&mut reached);
        reached.retain(|target| !self.is_blocked(target));
        self.addresses(&reached, own);
        self.rules();
        self.blocklists();
    }

    fn lists(&self) -> [&'a [Written<String>]; 4] {
        let written = self.written;
        [
            &written.always_reachable,
            &written.tunnelled_domains,
            &written.tcp,
            &written.allowed_domains,
        ]
    }

    fn level(&self) -> NetworkLevel {
        self.written.level()
    }

    fn includes_trusted(&self) -> bool {
        match self.level() {
            NetworkLevel::Trusted => true,
            NetworkLevel::Custom => self
                .written
                .include_trusted
                .as_ref()
                .is_some_and(|flag| flag.value),
            NetworkLevel::None | NetworkLevel::Full => false,
        }
    }

    /// The first, the last, and some between.
    fn sample<T>(&mut self, list: &'a [T]) -> Vec<&'a T> {
        if list.len() <= self.samples {
            return list.iter().collect();
        }
        let mut chosen: Vec<usize> = vec![0, list.len() - 1];
        chosen.extend((2..self.samples.max(2)).map(|_| self.random.below(list.len())));
        chosen.into_iter().filter_map(|index| list.get(index)).collect()
    }

    /// Each entry is reached at its ports; a wildcard at every depth.
    fn reached(&mut self, entry: &WrittenEntry, text: &str, is_sample: bool) -> Vec<Target> {
        let word = self.random.word();
        let hosts = if entry.below {
            vec![
                format!("{word}.{}", entry.host),
                format!("a.{word}.{}", entry.host),
            ]
        } else {
            vec![bracketed(&entry.host.to_string())]
        };
        let ports = entry.ports();
        let targets = hosts
            .iter()
            .flat_map(|host| ports.iter().filter_map(|port| target(host, *port)));
        let targets: Vec<Target> = targets.collect();
        for target in &targets {
            let because = format!("the file names \"{}\"", text.escape_debug());
            self.ask(
                Question::Connect(target.clone()),
                Answer::Allowed,
                because,
                is_sample,
            );
        }
        targets
    }

    /// What looks like an entry and is none: its apex, a sibling that shares its end, names around it, another port.
    fn tricks(&mut self, entry: &WrittenEntry) -> Vec<Target> {
        let word = self.random.word();
        let Some(name) = entry.host.name() else {
            return Vec::new(); // another address than the one that is written says nothing about patterns
        };
        let port = entry.ports()[0];
        let around = if entry.below {
            name.to_string()
        } else {
            format!("{word}.{name}")
        };
        let alike = [around, format!("{word}{name}"), format!("{name}.{word}.invalid")];
        let alike = alike.iter().filter_map(|host| target(host, port));
        let other_port = 20_000 + u16::try_from(self.random.below(40_000)).unwrap_or(0);
        let inside = if entry.below {
            format!("{word}.{name}")
        } else {
            name.to_string()
        };
        alike.chain(target(&inside, other_port)).collect()
    }

    /// Refused, unless some entry names it after all.
    fn refused(&mut self, suspects: Vec<Target>, out_of_time: &mut dyn FnMut() -> bool) {
        let trusted = self
            .includes_trusted()
            .then(trusted_entries)
            .into_iter()
            .flatten();
        let entries = self.lists().into_iter().flatten();
        let named = Named::among(entries, trusted, &suspects, out_of_time);
        for (number, suspect) in suspects.into_iter().enumerate() {
            let reached_at_full = self.level() == NetworkLevel::Full
                && suspect.literal().is_none()
                && [80, 443].contains(&suspect.port);
            let named = named.name(&suspect) && named.name_port(suspect.port);
            if !reached_at_full && !named {
                let because = "nothing in the file names it".to_owned();
                self.ask(
                    Question::Connect(suspect),
                    Answer::Refused,
                    because,
                    number > FIXED_SUSPECTS,
                );
            }
        }
    }

    /// A name in a top-level domain that nobody has: no entry names it, so it takes no look at them.
    fn canary(&mut self) {
        let port = if self.level() == NetworkLevel::Full {
            8443
        } else {
            443
        };
        let host = format!("{}.{}", self.random.word(), self.random.word());
        let canary = target(&host, port).expect("words are labels");
        let because = "nothing in the file names it".to_owned();
        self.ask(Question::Connect(canary), Answer::Refused, because, false);
    }

    fn literals(&mut self) -> [Target; 2] {
        let last = self.random.below(256);
        ["198.51.100", "203.0.113"].map(|net| target(&format!("{net}.{last}"), 443).expect("an address"))
    }

    fn at_level(&mut self, reached: &mut Vec<Target>) {
        if self.level() != NetworkLevel::Full {
            return;
        }
        for port in [443, 80] {
            let Some(canary) = target(&format!("{}.invalid", self.random.word()), port) else {
                continue;
            };
            let because = "network = \"full\" reaches every name".to_owned();
            self.ask(Question::Connect(canary.clone()), Answer::Allowed, because, false);
            reached.push(canary);
        }
    }

    fn trusted(&mut self) -> Vec<Target> {
        let all: Vec<String> = trusted_entries().collect();
        let mut reached = Vec::new();
        for number in 0..TRUSTED_SAMPLES {
            let text = &all[self.random.below(all.len())];
            if let Some(entry) = WrittenEntry::read(text) {
                let host = if entry.below {
                    format!("{}.{}", self.random.word(), entry.host)
                } else {
                    entry.host.to_string()
                };
                let Some(target) = target(&host, 443) else {
                    continue;
                };
                let because = format!("\"{text}\" is on the Trusted list");
                self.ask(
                    Question::Connect(target.clone()),
                    Answer::Allowed,
                    because,
                    number > 0,
                );
                reached.push(target);
            }
        }
        reached
    }

    /// What names resolve to is not believed: special addresses are refused, unless a range that is written covers them.
    fn addresses(&mut self, reached: &[Target], own: &[IpAddr]) {
        let by_name = |target: &&Target| target.literal().is_none() && !self.has_static_address(target);
        let Some(target) = reached.iter().find(by_name).cloned() else {
            return;
        };
        let written = self.written.allowed_addresses.iter();
        let ranges: Vec<IpNet> = written.filter_map(|range| read_range(&range.value)).collect();
        let special = SPECIAL
            .iter()
            .map(|text| text.parse::<IpAddr>().expect("a constant that is tested"));
        for address in special.chain(own.iter().copied()) {
            let covered = ranges
                .iter()
                .any(|range| range.contains(&address.to_canonical()) || range.contains(&address));
            if !covered {
                let because = format!("{address} is not to be reached by any name");
                self.ask(
                    Question::Dial(target.clone(), address),
                    Answer::Refused,
                    because,
                    false,
                );
            }
        }
        let public: IpAddr = PUBLIC.parse().expect("a constant that is tested");
        if !own.contains(&public) {
            let because = format!("{public} is a public address");
            self.ask(Question::Dial(target, public), Answer::Allowed, because, false);
        }
    }

    fn has_static_address(&self, target: &Target) -> bool {
        let mut keys = self
            .origins
            .hosts
            .iter()
            .filter_map(|(key, _)| WrittenEntry::read(&key.value));
        keys.any(|key| key.host == target.host)
    }

    /// The first rule that names a host decides on a request that is made from itself; what no rule lists is refused.
    fn rules(&mut self) {
        let rules: Vec<(&RuleDocument, WrittenEntry)> = self
            .written
            .rules
            .iter()
            .take(SAMPLED_RULES)
            .filter_map(|rule| Some((rule, WrittenEntry::read(&rule.host.value)?)))
            .collect();
        if rules.len() != self.written.rules.len() {
            return; // without all of them nothing is sure
        }
        for (number, (rule, entry)) in rules.iter().enumerate().take(self.samples) {
            let word = self.random.word();
            let host = if entry.below {
                format!("{word}.{}", entry.host)
            } else {
                bracketed(&entry.host.to_string())
            };
            let Some(target) = target(&host, entry.port.unwrap_or(443)) else {
                continue;
            };
            let naming = |(_, other): &&(&RuleDocument, WrittenEntry)| other.names(&target.host);
            let is_first = !rules[..number].iter().any(|rule| naming(&rule));
            if is_first && let Some(question) = example(rule, &target, &word) {
                let answer = if rule.allow {
                    Answer::Allowed
                } else {
                    Answer::Refused
                };
                let because = format!("rule {} of the environment decides on it", number + 1);
                self.ask(question, answer, because, number > 0);
            }
            let same_port = rules.iter().filter(naming).all(|(_, other)| other.port.is_none());
            let lists = |(rule, _): &(&RuleDocument, WrittenEntry)| !rule.allow || !rule.methods.is_empty();
            if same_port && rules.iter().filter(naming).all(lists) {
                let question = request(&target, UNLISTED, "/");
                let because = "no rule lists its method".to_owned();
                self.ask_maybe(question, Answer::Refused, because, number > 0);
            }
            let fixed = |(rule, _): &(&RuleDocument, WrittenEntry)| !rule.allow || begins_fixed(rule);
            if same_port && rules.iter().filter(naming).all(fixed) {
                let question = request(&target, "GET", &format!("/{word}"));
                let because = "no rule lists its path".to_owned();
                self.ask_maybe(question, Answer::Refused, because, number > 0);
            }
        }
    }

    /// Of each list, some names and names below them are refused.
    fn blocklists(&mut self) {
        for list in self.blocking() {
            for (number, name) in list.sample(self.samples).enumerate() {
                let below = format!("{}.{name}", self.random.word());
                for target in [name, &below].into_iter().filter_map(|host| target(host, 443)) {
                    let because = format!("{name} is on {}", list.origin());
                    self.ask(Question::Connect(target), Answer::Refused, because, number > 0);
                }
            }
        }
    }

    fn blocking(&self) -> Vec<&'a Blocklist> {
        let document = self.document;
        let written = document.blocklists.iter().chain(&self.written.blocklists);
        let contents = written.filter_map(|path| document.blocklist_contents.get(&path.value));
        contents.map(AsRef::as_ref).collect()
    }

    fn is_blocked(&self, target: &Target) -> bool {
        self.blocking()
            .iter()
            .any(|list| list.find(&target.host).is_some())
    }

    /// What a blocklist names is asked about as such, and not for another reason.
    fn ask(&mut self, question: Question, answer: Answer, because: String, is_sample: bool) {
        if answer == Answer::Allowed && self.is_blocked(question.target()) {
            return;
        }
        self.probes.push(Probe {
            environment: self.name.clone(),
            question,
            answer,
            because,
            is_sample,
        });
    }

    fn ask_maybe(&mut self, question: Option<Question>, answer: Answer, because: String, is_sample: bool) {
        if let Some(question) = question {
            self.ask(question, answer, because, is_sample);
        }
    }
}

/// A request that the rule is about.
fn example(rule: &RuleDocument, target: &Target, word: &str) -> Option<Question> {
    let method = rule.methods.first().map_or("GET", |method| method.value.as_str());
    let path = rule.paths.first().map_or("/", |path| path.value.as_str());
    if path.contains(['%', ';', '\\', ':']) || path.contains("//") {
        return None; // it has several readings
    }
    let segments = path.split('/').map(|segment| match segment {
        "**" => word.to_owned(),
        segment => segment.replace('*', "x"),
    });
    request(target, method, &segments.collect::<Vec<_>>().join("/"))
}

fn request(target: &Target, method: &str, path: &str) -> Option<Question> {
    Some(Question::Request {
        target: target.clone(),
        method: Method::parse(method).ok()?,
        path: RequestPath::parse(path).ok()?,
    })
}

/// All its paths have a first segment without a star.
fn begins_fixed(rule: &RuleDocument) -> bool {
    let fixed = |path: &Written<String>| {
        path.value
            .split('/')
            .nth(1)
            .is_some_and(|first| !first.contains('*'))
    };
    !rule.paths.is_empty() && rule.paths.iter().all(fixed)
}

fn trusted_entries() -> impl Iterator<Item = String> {
    trusted::list()
        .iter()
        .flat_map(|category| category.entries.iter().map(ToString::to_string))
}

fn read_range(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): samples need no secrecy, only variety.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    /// A label that nobody has written.
    fn word(&mut self) -> String {
        format!("probe-{:08x}", self.next() >> 32)
    }
}

/// The literals come first among the suspects.
const FIXED_SUSPECTS: usize = 2;
const TRUSTED_SAMPLES: usize = 16;
/// Rules that are read. More of them are not asked about: each question looks at all.
const SAMPLED_RULES: usize = 512;
/// A method that nobody lists.
const UNLISTED: &str = "OUTWALL-PROBE";
const PUBLIC: &str = "9.9.9.9";
const SPECIAL: [&str; 16] = [
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "0.0.0.0",
    "10.11.12.13",
    "192.168.77.1",
    "172.31.4.4",
    "fe80::1",
    "224.0.0.1",
    "255.255.255.255",
];
