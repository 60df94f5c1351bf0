//! A blocklist: names that are refused whatever allows them. Start at [`Blocklist`]; `read` turns a file into one.
//!
//! A million names is a normal size, so they lie in one text, one after another, and a table of numbers finds them: about 35 bytes
//! a name. A lookup hashes a name and each of its parents once, as the matcher does.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use crate::document::Warning;
use crate::host::Host;

mod read;

/// The names and addresses of one file. A name stands for itself and for every name below it.
#[derive(Clone)]
pub struct Blocklist {
    origin: Arc<str>,
    /// All names, without anything between them.
    text: String,
    entries: Vec<Entry>,
    /// Numbers of entries, from 1, by the hash of their name; 0 is empty. Its length is a power of two.
    slots: Vec<u32>,
    hasher: RandomState,
    addresses: HashMap<IpAddr, u32>,
    warnings: Vec<Warning>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Where its name ends in the text; it begins where the one before ends.
    end: u32,
    line: u32,
}

/// The entry that blocks a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The name or address as it is in the list.
    pub entry: String,
    /// The file.
    pub list: Arc<str>,
    /// The line in it, from 1.
    pub line: u32,
}

impl Blocklist {
    /// Reads a file in the format of `/etc/hosts` (an address, then names; the address says nothing), or with one name or address
    /// a line. `#` begins a comment. Lines that are neither are skipped, and each is a warning that names it. `origin` is the name
    /// of the file.
    pub fn parse(bytes: &[u8], origin: &str) -> Self {
        read::read(bytes, origin)
    }

    fn empty(origin: &str) -> Self {
        Self {
            origin: origin.into(),
            text: String::new(),
            entries: Vec::new(),
            slots: vec![0; 16],
            hasher: RandomState::new(),
            addresses: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// The file.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many names and addresses it has.
    pub fn len(&self) -> usize {
        self.entries.len() + self.addresses.len()
    }

    /// True when it blocks nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lines that are not understood, the first of them.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The entry that blocks a host: its own, or that of the nearest name above it.
    pub fn find(&self, host: &Host) -> Option<Blocked> {
        let (entry, line) = match host {
            Host::Address(address) => (address.to_string(), *self.addresses.get(address)?),
            Host::Name(name) => {
                let mut names = std::iter::once(name.as_str()).chain(name.parents());
                let number = names.find_map(|name| self.number(name))?;
                (self.name(number).to_owned(), self.entries[number].line)
            }
        };
        Some(Blocked {
            entry,
            list: Arc::clone(&self.origin),
            line,
        })
    }

    /// Some of its names, spread over all of it.
    pub(crate) fn sample(&self, most: usize) -> impl Iterator<Item = &str> {
        let step = self.entries.len().div_ceil(most.max(1)).max(1);
        (0..self.entries.len())
            .step_by(step)
            .map(|number| self.name(number))
    }

    fn name(&self, number: usize) -> &str {
        let start = number
            .checked_sub(1)
            .map_or(0, |before| self.entries[before].end as usize);
        &self.text[start..self.entries[number].end as usize]
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.slot(name).1
    }

    /// The slot of a name, and its number if it is there.
    fn slot(&self, name: &str) -> (usize, Option<usize>) {
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(name);
        let mut slot = usize::try_from(hash & mask as u64).unwrap_or(0);
        loop {
            match self.slots[slot].checked_sub(1).map(|number| number as usize) {
                None => return (slot, None),
                Some(number) if self.name(number) == name => return (slot, Some(number)),
                Some(_) => slot = (slot + 1) & mask,
            }
        }
    }

    /// False when there is no room for it.
    fn insert(&mut self, name: &str, line: u32) -> bool {
        if self.number(name).is_some() {
            return true; // lists repeat themselves
        }
        let number = u32::try_from(self.entries.len() + 1);
        let end = u32::try_from(self.text.len() + name.len());
        let (Ok(number), Ok(end)) = (number, end) else {
            return false;
        };
        if (self.entries.len() + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let (slot, _) = self.slot(name);
        self.text.push_str(name);
        self.entries.push(Entry { end, line });
        self.slots[slot] = number;
        true
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for number in 0..self.entries.len() {
            let (slot, _) = self.slot(self.name(number));
            self.slots[slot] = u32::try_from(number + 1).expect("it was inserted with this number");
        }
    }

    /// What growing left over is given back.
    fn settle(&mut self) {
        self.text.shrink_to_fit();
        self.entries.shrink_to_fit();
    }
}

/// Its size, for a million lines help nobody.
impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocklist")
            .field("origin", &self.origin)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on the blocklist {}, line {}",
            self.entry, self.list, self.line
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn blocks(list: &Blocklist, host: &str) -> Option<(String, u32)> {
        list.find(&Host::parse(host).unwrap())
            .map(|blocked| (blocked.entry, blocked.line))
    }

    #[test]
    fn a_name_stands_for_itself_and_for_what_is_below_it() {
        let list = Blocklist::parse(b"ads.test\n0.0.0.0 deep.track.test\n", "a.hosts");
        assert_eq!(blocks(&list, "ads.test"), Some(("ads.test".to_owned(), 1)));
        assert_eq!(blocks(&list, "x.y.ads.test").unwrap().1, 1);
        assert_eq!(blocks(&list, "deep.track.test").unwrap().1, 2);
        for free in [
            "test",
            "track.test",
            "badads.test",
            "ads.test.example",
            "192.0.2.1",
        ] {
            assert_eq!(blocks(&list, free), None, "{free}");
        }
    }

    #[test]
    fn the_nearest_entry_is_named() {
        let list = Blocklist::parse(b"test\na.test\n", "a.hosts");
        assert_eq!(blocks(&list, "x.a.test").unwrap().0, "a.test");
        assert_eq!(blocks(&list, "b.test").unwrap().0, "test");
    }

    #[test]
    fn many_names_are_all_found_and_take_little_room() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for number in 0..100_000 {
            writeln!(text, "0.0.0.0 host-{number}.example-{}.test", number % 7_919).unwrap();
        }
        let list = Blocklist::parse(text.as_bytes(), "many.hosts");
        assert_eq!(list.len(), 100_000);
        for number in (0..100_000).step_by(997) {
            let host = format!("x.host-{number}.example-{}.test", number % 7_919);
            assert_eq!(blocks(&list, &host).unwrap().1, number + 1);
        }
        assert_eq!(blocks(&list, "host-100000.example-0.test"), None);
        let room = list.text.capacity()
            + list.entries.capacity() * size_of::<Entry>()
            + list.slots.capacity() * size_of::<u32>();
        let text = text.len() / 100_000;
        assert!(
            room / 100_000 < text + 16,
            "{} bytes a name of {text}",
            room / 100_000
        );
    }
}
