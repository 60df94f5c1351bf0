//! Entries of a document as they are written, read for the self-check by comparing text: another way than the compiler's.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::document::Written;
use crate::host::Host;
use crate::target::Target;

/// `host`, `*.host`, `host:port`: its parts. The host is normalised by the parser of hosts, which the wire uses too.
pub(super) struct WrittenEntry {
    pub(super) below: bool,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
}

impl WrittenEntry {
    /// None for what this simple reading is not sure of.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if let Ok(address) = rest.parse::<IpAddr>() {
            let host = Host::from(address);
            return (!below).then_some(Self {
                below,
                host,
                port: None,
            });
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (rest, None),
        };
        let host = Host::parse(host).ok()?;
        Some(Self { below, host, port })
    }

    /// Its ports: the one that is written, or those of the web.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.port.map_or(vec![443, 80], |port| vec![port])
    }

    pub(super) fn names(&self, host: &Host) -> bool {
        if !self.below {
            return self.host == *host;
        }
        let (written, asked) = (self.host.to_string(), host.to_string());
        host.name().is_some() && asked.ends_with(&format!(".{written}"))
    }
}

/// A target of text; none where it would be too long for a name.
pub(super) fn target(host: &str, port: u16) -> Option<Target> {
    Some(Target::new(Host::parse(host).ok()?, port))
}

/// What entries name, as far as somebody asked: one pass over all of them, whatever their number.
pub(super) struct Named<'a> {
    wanted: HashSet<String>,
    hosts: HashSet<&'a str>,
    rewritten: HashSet<String>,
    ports: HashSet<u16>,
    /// Time was out before all entries were looked at: nothing is sure.
    is_cut_short: bool,
}

impl<'a> Named<'a> {
    /// Of these entries, what could name one of `suspects`, at whatever port.
    pub(super) fn among(
        entries: impl Iterator<Item = &'a Written<String>>,
        more: impl Iterator<Item = String>,
        suspects: &[Target],
        out_of_time: &mut dyn FnMut() -> bool,
    ) -> Self {
        let mut named = Self {
            wanted: suspects.iter().flat_map(keys).collect(),
            hosts: HashSet::new(),
            rewritten: HashSet::new(),
            ports: HashSet::from([80, 443]),
            is_cut_short: false,
        };
        for (number, entry) in entries.enumerate() {
            if number % LOOK_AT_THE_CLOCK == LOOK_AT_THE_CLOCK - 1 && out_of_time() {
                named.is_cut_short = true;
                break;
            }
            named.note(&entry.value);
        }
        for entry in more {
            named.note_rewritten(&entry);
        }
        named
    }

    /// True when some entry may name it.
    pub(super) fn name(&self, suspect: &Target) -> bool {
        self.is_cut_short
            || keys(suspect).any(|key| self.hosts.contains(key.as_str()) || self.rewritten.contains(&key))
    }

    /// Whether some entry may be for this port.
    pub(super) fn name_port(&self, port: u16) -> bool {
        self.is_cut_short || self.ports.contains(&port)
    }

    fn note(&mut self, text: &'a str) {
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*.".contains(&b));
        if plain && !text.ends_with('.') {
            if self.wanted.contains(text) {
                self.hosts.insert(text);
            }
        } else {
            self.note_rewritten(text);
        }
    }

    /// Upper case, a port, brackets, a trailing dot, letters beyond ASCII.
    fn note_rewritten(&mut self, text: &str) {
        let Some(entry) = WrittenEntry::read(text) else {
            return;
        };
        self.ports.extend(entry.port);
        let key = if entry.below {
            format!("*.{}", entry.host)
        } else {
            entry.host.to_string()
        };
        if self.wanted.contains(&key) {
            self.rewritten.insert(key);
        }
    }
}

/// How an entry that names the target would be written: itself, and a wildcard above it.
fn keys(target: &Target) -> impl Iterator<Item = String> + use<> {
    let own = target.host.to_string();
    let above: Vec<String> = match target.host {
        Host::Name(_) => own
            .match_indices('.')
            .map(|(dot, _)| format!("*{}", &own[dot..]))
            .collect(),
        Host::Address(_) => Vec::new(),
    };
    above.into_iter().chain([own])
}

/// Entries between two looks: some hundred microseconds.
const LOOK_AT_THE_CLOCK: usize = 4096;
