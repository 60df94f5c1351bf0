//! A file of names into a blocklist.

use std::net::IpAddr;
use std::sync::Arc;

use super::Blocklist;
use crate::document::{Problem, Warning};
use crate::host::Host;

pub(super) fn read(bytes: &[u8], origin: &str) -> Blocklist {
    let mut reader = Reader {
        list: Blocklist::empty(origin),
        line: 0,
        unread: 0,
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes); // a byte order mark
    for line in bytes.split(|byte| *byte == b'\n') {
        reader.line = reader.line.saturating_add(1);
        match std::str::from_utf8(line) {
            Ok(line) => reader.line(line),
            Err(_) => reader.warn("it is not text"),
        }
    }
    reader.finish()
}

struct Reader {
    list: Blocklist,
    line: u32,
    /// Lines that are not understood.
    unread: usize,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let line = line.split('#').next().unwrap_or_default();
        let line = if line.starts_with(['!', ';']) { "" } else { line };
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { return };
        match address(first) {
            Some(address) => self.after_address(address, words),
            None if words.next().is_some() => {
                self.warn("it has several words, and does not begin with an address");
            }
            None => self.name(first),
        }
    }

    /// As in `/etc/hosts`; an address alone is an entry itself.
    fn after_address<'a>(&mut self, address: IpAddr, names: impl Iterator<Item = &'a str>) {
        let mut alone = true;
        for name in names {
            alone = false;
            let is_local = LOCAL.contains(&name) || name.parse() == Ok(IpAddr::from([0, 0, 0, 0]));
            if !is_local {
                self.name(name);
            }
        }
        if alone {
            self.list
                .addresses
                .entry(address.to_canonical())
                .or_insert(self.line);
        }
    }

    /// `*.a.test` and `.a.test` are other ways to write that everything below is meant too.
    fn name(&mut self, written: &str) {
        let name = written.strip_prefix('*').unwrap_or(written);
        let name = name.strip_prefix('.').unwrap_or(name);
        match Host::parse(name) {
            Ok(Host::Name(name)) => {
                if !name.as_str().contains('.') {
                    self.warn(&format!("\"{name}\" blocks a whole top-level domain"));
                }
                if !self.list.insert(name.as_str(), self.line) {
                    self.warn("there is no room for more");
                }
            }
            Ok(Host::Address(address)) => {
                self.list.addresses.entry(address).or_insert(self.line);
            }
            Err(error) => {
                let shown: String = written.chars().take(80).collect();
                self.warn(&format!("\"{}\" is no host: {error}", shown.escape_debug()));
            }
        }
    }

    fn warn(&mut self, what: &str) {
        self.unread += 1;
        if self.unread <= MOST_WARNINGS {
            let place = (Arc::clone(&self.list.origin), Some(self.line));
            let remedy = "write a line as `0.0.0.0 ads.example.com` or `ads.example.com`";
            self.list
                .warnings
                .push(Warning(Problem::new(place, what, remedy)));
        }
    }

    fn finish(mut self) -> Blocklist {
        let untold = self.unread.saturating_sub(MOST_WARNINGS);
        if untold > 0 {
            let place = (Arc::clone(&self.list.origin), None);
            let what = format!("{untold} more of its lines are no entries");
            let remedy = "look whether it is in the format of hosts files";
            self.list
                .warnings
                .push(Warning(Problem::new(place, what, remedy)));
        }
        self.list.settle();
        self.list
    }
}

/// An address, without the zone that some have.
fn address(word: &str) -> Option<IpAddr> {
    word.split('%').next().unwrap_or_default().parse().ok()
}

/// What hosts files have for the machine itself.
const LOCAL: [&str; 12] = [
    "localhost",
    "localhost.localdomain",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "localhost6",
];

/// A file of another format has as many as lines.
const MOST_WARNINGS: usize = 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let list = Blocklist::parse(text.as_bytes(), "ads.hosts");
        assert!(list.warnings().is_empty(), "{:?}", list.warnings());
        list.sample(usize::MAX).map(str::to_owned).collect()
    }

    #[test]
    fn hosts_lines_and_plain_names_are_read_and_comments_are_not() {
        let text = "\u{feff}# a comment\n\n0.0.0.0 a.test b.test # why\r\n127.0.0.1\tC.Test.\n::1 d.test\n\
            e.test\n  *.f.test\n.g.test\n! not this\n; nor this\n0.0.0.0 b\u{fc}cher.test\na.test\n";
        assert_eq!(
            names(text),
            [
                "a.test",
                "b.test",
                "c.test",
                "d.test",
                "e.test",
                "f.test",
                "g.test",
                "xn--bcher-kva.test"
            ]
        );
    }

    #[test]
    fn what_hosts_files_say_of_the_machine_itself_blocks_nothing() {
        let text = "127.0.0.1 localhost localhost.localdomain local\n255.255.255.255 broadcasthost\n\
            fe80::1%lo0 localhost\n0.0.0.0 0.0.0.0\nff02::2 ip6-allrouters\n";
        assert_eq!(Blocklist::parse(text.as_bytes(), "ads.hosts").len(), 0);
    }

    #[test]
    fn an_address_alone_is_an_entry() {
        let list = Blocklist::parse(b"192.0.2.7\n::ffff:192.0.2.8\n2001:db8::1\n", "ads.hosts");
        for (address, line) in [("192.0.2.7", 1), ("192.0.2.8", 2), ("2001:db8::1", 3)] {
            assert_eq!(list.find(&Host::parse(address).unwrap()).unwrap().line, line);
        }
        assert_eq!(list.find(&Host::parse("192.0.2.9").unwrap()), None);
    }

    #[test]
    fn a_line_that_is_no_entry_is_a_warning_with_its_number() {
        let list = Blocklist::parse(
            b"good.test\n||ads.test^\nhttps://x.test/\nname and words\n\xff\ncom\n",
            "ads.hosts",
        );
        let said: Vec<String> = list
            .warnings()
            .iter()
            .map(|warning| warning.to_string().lines().next().unwrap().to_owned())
            .collect();
        assert_eq!(
            said,
            [
                "ads.hosts:2: \"||ads.test^\" is no host: the host has a character that no host name has",
                "ads.hosts:3: \"https://x.test/\" is no host: the host has a character that no host name has",
                "ads.hosts:4: it has several words, and does not begin with an address",
                "ads.hosts:5: it is not text",
                "ads.hosts:6: \"com\" blocks a whole top-level domain",
            ]
        );
        assert_eq!(
            list.len(),
            2,
            "the good one, and the top-level domain all the same"
        );
    }

    #[test]
    fn a_file_of_another_format_is_told_in_few_words() {
        let list = Blocklist::parse("||x.test^\n".repeat(1_000).as_bytes(), "ads.txt");
        assert_eq!(list.warnings().len(), MOST_WARNINGS + 1);
        let told = list.warnings().last().unwrap().to_string();
        assert!(told.contains("990 more of its lines"), "{told}");
    }
}
