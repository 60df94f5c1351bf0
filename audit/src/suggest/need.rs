//! What one target is needed for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use outwall_policy::{AddressClass, Policy, Target, Treatment, classify, host_ports};

use crate::traffic::{Fate, Passage, Reached, Wish};

/// What was seen of one target.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// How it was reached, the one that bears all others.
    pub(super) way: Option<Way>,
    pub(super) passed: u64,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) methods: BTreeSet<String>,
    /// A few of those that asked. Hostile text.
    pub(super) programs: BTreeSet<String>,
    pub(super) credentials: BTreeSet<String>,
    /// Addresses of refused classes that were dialled for it.
    pub(super) addresses: BTreeSet<IpAddr>,
    pub(super) learned: bool,
    /// One passage of each kind, up to a number.
    samples: BTreeMap<String, Passage>,
    more: bool,
}

/// Which list a target is for. Where one target was reached in several ways, the last of them bears the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Allowed,
    Always,
    Tunnelled,
    Tcp,
    HostPort,
}

impl Need {
    pub(super) fn add(&mut self, passage: &Passage, in_force: &Policy) {
        self.way = self.way.max(Some(Way::of(passage)));
        self.count(passage);
        let address = dialled(passage, in_force);
        let ip = passage.target.literal().or(address.map(|address| address.ip()));
        let refused = ip.filter(|ip| in_force.classify(*ip).is_refused() && !is_nobodys(*ip));
        self.addresses.extend(refused.map(|ip| ip.to_canonical()));
        let sample = Passage {
            address,
            ..passage.clone()
        };
        let key = key(&sample);
        if self.samples.len() < MOST_SAMPLES {
            self.samples.entry(key).or_insert(sample);
        } else {
            self.more |= !self.samples.contains_key(&key);
        }
    }

    fn count(&mut self, passage: &Passage) {
        match &passage.outcome {
            Fate::Passed { rule } => {
                self.passed += passage.times;
                self.learned |= rule == "learn";
            }
            Fate::Refused { reason } => *self.refused.entry(reason.clone()).or_default() += passage.times,
        }
        if self.first.is_empty() || passage.at < self.first {
            self.first.clone_from(&passage.at);
        }
        if passage.at > self.last {
            self.last.clone_from(&passage.at);
        }
        if let Some(request) = passage.request() {
            if self.methods.len() < MOST_NAMED {
                self.methods.insert(request.method.to_string());
                self.methods
                    .extend(request.acts_as.as_ref().map(ToString::to_string));
            } else {
                self.more |= !self.methods.contains(request.method.as_str());
            }
        }
        let few = |named: &mut BTreeSet<String>, name: &Option<String>| {
            if named.len() < MOST_NAMED {
                named.extend(name.clone());
            }
        };
        few(&mut self.programs, &passage.program);
        few(&mut self.credentials, &passage.credential);
    }

    /// What has to pass.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Passage> {
        self.samples.values()
    }

    /// There was more than is kept one by one.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    pub(super) fn way(&self) -> Way {
        self.way.unwrap_or(Way::Allowed)
    }
}

impl Way {
    fn of(passage: &Passage) -> Self {
        if host_ports::is_host(&passage.target.host) {
            return Self::HostPort;
        }
        match (&passage.what, &passage.outcome) {
            (Wish::Stream, _) => Self::Tcp,
            (Wish::Tunnel, _) => Self::Tunnelled,
            (_, Fate::Passed { rule }) if rule.starts_with("always_reachable ") => Self::Always,
            (Wish::Request(_) | Wish::Connection, _) => Self::Allowed,
        }
    }

    /// How its connections are treated.
    pub(super) fn treatment(self) -> Treatment {
        match self {
            Self::Allowed | Self::Always => Treatment::Intercept,
            Self::Tunnelled => Treatment::Tunnel,
            Self::Tcp | Self::HostPort => Treatment::Stream,
        }
    }
}

/// The address that was dialled because the name leads there: not the parent proxy's, and not one that a file gives it.
fn dialled(passage: &Passage, in_force: &Policy) -> Option<SocketAddr> {
    let Target { host, port } = &passage.target;
    let led = |address: &SocketAddr| {
        address.port() == *port
            && in_force.static_address(&passage.target) != Some(*address)
            && in_force.parent_for(&passage.target).is_none()
            && !host_ports::is_host(host)
    };
    passage.address.filter(led)
}

fn key(passage: &Passage) -> String {
    match &passage.what {
        Wish::Connection => "connection".to_owned(),
        Wish::Tunnel => "tunnel".to_owned(),
        Wish::Stream => "stream".to_owned(),
        Wish::Request(request) => format!(
            "{} {} {:?} {:?} {}",
            request.method, request.scheme, request.acts_as, request.writing, request.path
        ),
    }
}

/// Whether an entry of a list lets it pass what was refused for this reason. A port of the host, and an address that is not public, are
/// never suggested because a sandbox asked for them in vain.
pub(super) fn is_curable(reason: &str, passage: &Passage, in_force: &Policy) -> bool {
    let literal = passage.target.literal();
    let public = literal.is_none_or(|address| !in_force.classify(address).is_refused());
    CURABLE.contains(&reason) && public && !host_ports::is_host(&passage.target.host)
}

/// Whether it names an address that is nobody's, which no policy lets pass; or one that is not public, of which it is not sure that it
/// was ever reached.
pub(super) fn leads_nowhere(passage: &Passage, in_force: &Policy) -> bool {
    let Some(address) = passage.target.literal() else {
        return false;
    };
    is_nobodys(address) || passage.reached == Reached::Unsure && in_force.classify(address).is_refused()
}

fn is_nobodys(address: IpAddr) -> bool {
    let class = classify(address);
    matches!(
        class,
        AddressClass::Multicast | AddressClass::Broadcast | AddressClass::Unspecified
    )
}

const CURABLE: [&str; 7] = [
    "host-not-allowed",
    "network-none",
    "port-not-allowed",
    "literal-not-allowed",
    "rule-refused",
    "trusted-write-refused",
    "withdrawn",
];

/// Of one target; what is beyond is counted, and no rule is made that would have to know it.
const MOST_SAMPLES: usize = 2048;
/// Methods, programs, credentials.
const MOST_NAMED: usize = 12;
