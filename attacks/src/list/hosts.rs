//! Names that are not what they seem, in every place where a host can stand: CONNECT, the absolute form, `Host`, `:authority`.

use crate::attack::{Attack, EVIL, Section, host1};
use crate::build::{Draft, attack as draft};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Hosts, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = odd_bytes();
    list.extend(odd_forms());
    list.extend(look_alikes());
    list
}

/// A name that is no name is malformed; one that is another name is not the connection's, or not on any list.
const NO_HOST: &[&str] = &[
    "malformed-target",
    "malformed-request",
    "fronting",
    "host-not-allowed",
    "network-none",
];

impl Draft {
    /// `name` in every place. `{host}` in it is the class's own, which is allowed.
    fn spelled(self, name: &str) -> Self {
        self.proxy(format!("CONNECT {name}:443 HTTP/1.1\r\nhost: {name}:443\r\n\r\n"))
            .proxy(format!(
                "GET http://{name}/echo/a HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n"
            ))
            .inside(name)
    }

    /// `name` where a request within a connection names its host.
    fn inside(self, name: &str) -> Self {
        let host = host1(self.class());
        self.http1(format!("GET /echo/a HTTP/1.1\r\nhost: {name}\r\n\r\n"))
            .fields(&[
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", &name.replace("{host}", &host)),
                (":path", "/echo/a"),
            ])
    }
}

fn odd_bytes() -> Vec<Attack> {
    vec![
        attack(
            "nul-in-name",
            "a NUL that ends the name for some readers: evil\\0.allowed",
        )
        .known("Claude Code 2.0.24 to 2.1.89")
        .spelled(&format!("{EVIL}\0.{{host}}"))
        .spelled(&format!("{{host}}\0.{EVIL}"))
        .nothing(),
        attack(
            "escaped-byte-in-name",
            "%2e and %00 in a name, which a later reader decodes",
        )
        .spelled("evil%2e{host}")
        .spelled(&format!("{{host}}%00.{EVIL}"))
        .spelled(&format!("{{host}}%2f.{EVIL}"))
        .nothing(),
        attack(
            "line-break-in-name",
            "a line break in a name adds a line of the attacker's",
        )
        .known("CWE-113")
        .proxy("CONNECT {host}\rx-evil: 1:443 HTTP/1.1\r\n\r\n")
        .proxy("GET http://{host}\r/echo/a HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .h2(|host| {
            let name = format!("{host}\r\nx-evil: 1");
            vec![crate::h2::request(
                1,
                &[
                    (":method", "GET"),
                    (":scheme", "https"),
                    (":authority", &name),
                    (":path", "/echo/a"),
                ],
            )]
        })
        .nothing(),
        attack("userinfo", "allowed@evil: what stands before the @ is no host")
            .known("CWE-918")
            .spelled(&format!("{{host}}@{EVIL}"))
            .spelled(&format!("{EVIL}@{{host}}"))
            .spelled(&format!("{{host}}:443@{EVIL}"))
            .nothing(),
        attack(
            "separator-in-name",
            "characters that end a host in a URL: / ? # \\ , ; and a space",
        )
        .inside(&format!("{{host}}/{EVIL}"))
        .inside(&format!("{{host}}?{EVIL}"))
        .inside(&format!("{{host}}#{EVIL}"))
        .inside(&format!("{EVIL}\\{{host}}"))
        .inside(&format!("{{host}},{EVIL}"))
        .inside(&format!("{{host}};{EVIL}"))
        .inside(&format!("{{host}} {EVIL}"))
        .nothing(),
        attack(
            "high-byte-in-name",
            "bytes that are no UTF-8, and full-width characters that map to separators",
        )
        .http1(b"GET /echo/a HTTP/1.1\r\nhost: {host}\xff\r\n\r\n")
        .inside("{host}\u{ff0f}x")
        .inside("{host}\u{2100}x")
        .nothing(),
    ]
}

fn odd_forms() -> Vec<Attack> {
    let long = "a".repeat(64);
    let longest = format!("{}{{host}}", "abcdefgh.".repeat(26));
    vec![
        attack(
            "port-in-the-middle",
            "evil:443.allowed: a suffix match sees the allowed end",
        )
        .spelled(&format!("{EVIL}:443.{{host}}"))
        .spelled(&format!("{EVIL}:443:{{host}}"))
        .nothing(),
        attack(
            "port-that-is-none",
            "ports that readers take differently: 0, 65979, +443, 0x1bb, two of them",
        )
        .proxy("CONNECT {host}:0 HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host}:65979 HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host}:+443 HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host}:0x1bb HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host}:443:443 HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host} HTTP/1.1\r\n\r\n")
        .inside("{host}:+443")
        .inside("{host}:443:443")
        .nothing(),
        attack(
            "long-label",
            "labels of more than 63 bytes, names of more than 253",
        )
        .spelled(&format!("{long}.{{host}}"))
        .spelled(&longest)
        .refused(NO_HOST),
        attack("empty-label", "an empty host, empty labels, a dot too many")
            .inside("")
            .spelled("..{host}")
            .spelled("a..{host}")
            .spelled("{host}..")
            .nothing(),
        attack(
            "zone-and-brackets",
            "brackets around what is no IPv6 address, and zone ids",
        )
        .spelled("[fe80::1%25lo]")
        .spelled("[::1%lo]")
        .spelled("[{host}]")
        .spelled("[::1")
        .spelled("[::1]]")
        .nothing(),
        attack("leading-hyphen", "a name that a program takes for an option")
            .known("CVE-2017-1000117")
            .spelled("-oProxyCommand.{host}")
            .refused(NO_HOST),
        attack(
            "trailing-dot-and-case",
            "the same host spelled otherwise must be decided and sent in one spelling",
        )
        .inside("{host}.")
        .http1("GET /echo/a HTTP/1.1\r\nhost: {HOST}.:443\r\n\r\n")
        .http1("GET /echo/a HTTP/1.1\r\nHOST: {HOST}\r\n\r\n")
        .arrives("with the host in lower case and without its dot", |arrival| {
            is_plain(arrival.host())
        }),
    ]
}

/// Lower case, no trailing dot.
fn is_plain(host: &str) -> bool {
    !host.is_empty()
        && !host.bytes().any(|byte| byte.is_ascii_uppercase())
        && !host.trim_end_matches(":443").ends_with('.')
}

/// A name that is on no list is refused, or (where any public name is allowed) has no address.
const NOT_LISTED: &[&str] = &[
    "host-not-allowed",
    "network-none",
    "unresolved-name",
    "fronting",
    "malformed-target",
    "malformed-request",
];

fn look_alikes() -> Vec<Attack> {
    vec![
        attack(
            "suffix-of-the-name",
            "names that end or begin like an allowed one: evil-allowed, allowed.evil",
        )
        .spelled("evilattack.outwall.test")
        .spelled("attack.outwall.test.evil.outwall.test")
        .spelled("h1.attack.outwall.test.evil.outwall.test")
        .refused(NOT_LISTED),
        attack(
            "apex-of-a-wildcard",
            "the domain itself, of which only the subdomains are allowed",
        )
        .spelled("attack.outwall.test")
        .refused(NOT_LISTED),
        attack(
            "confusable-name",
            "a letter of another alphabet that looks the same",
        )
        .known("UTS 39")
        .spelled("x.h1.\u{430}ttack.outwall.test")
        .spelled("x.h1.xn--ttack-3ve.outwall.test")
        .nothing(),
        attack(
            "broken-punycode",
            "punycode that decodes to nothing, or to what it would not be encoded from",
        )
        .spelled("xn--a.{host}")
        .spelled("xn--.{host}")
        .spelled("xn--attack-.outwall.test")
        .refused(NOT_LISTED),
        attack(
            "ipv4-spelled-oddly",
            "127.0.0.1 as octal, hexadecimal, dword, shortened, full-width",
        )
        .known("CVE-2021-28918")
        .spelled_address("0177.0.0.1")
        .spelled_address("0x7f.0.0.1")
        .spelled_address("0x7f000001")
        .spelled_address("2130706433")
        .spelled_address("017700000001")
        .spelled_address("127.1")
        .spelled_address("127.0.0.1.")
        .spelled_address("\u{ff11}\u{ff12}\u{ff17}.0.0.1")
        .nothing(),
    ]
}

impl Draft {
    /// An address of this machine in odd spelling, at the victim's port.
    fn spelled_address(self, address: &str) -> Self {
        self.proxy(format!("CONNECT {address}:{{victim}} HTTP/1.1\r\n\r\n"))
            .proxy(format!("GET http://{address}:{{victim}}/echo/a HTTP/1.1\r\nhost: {address}:{{victim}}\r\nconnection: close\r\n\r\n"))
            .inside(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_hosts_are_told_from_others() {
        assert!(is_plain("a.test") && is_plain("a.test:443"));
        assert!(!is_plain("A.test") && !is_plain("a.test.") && !is_plain("a.test.:443") && !is_plain(""));
    }
}
