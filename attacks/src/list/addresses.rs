//! Names and literals that lead where none may lead. The name is allowed: where it leads is what counts.

use crate::attack::{Attack, Inside, Opening, Port, Section, resolved};
use crate::build::{Draft, attack as draft, direct, talk, to_victim};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Addresses, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = by_name();
    list.extend(several_answers());
    list.extend(literals());
    list
}

const REFUSED: &[&str] = &["address-refused"];

/// The name that leads to the stand-in for a public address.
const PUBLIC: &str = "127-66-77-88";

impl Draft {
    fn leading_to(self, labels: &[&str]) -> Attack {
        let twin = to_victim(&resolved(PUBLIC, &format!("{}--twin", self.class())));
        labels
            .iter()
            .fold(self, |draft, label| draft.resolving(label))
            .beside("a name that leads to an address that may be dialled", twin)
            .refused(REFUSED)
    }
}

fn by_name() -> Vec<Attack> {
    vec![
        attack(
            "name-to-loopback",
            "an allowed name that resolves to this machine",
        )
        .known("GHSA-r2x7-427f-rq69")
        .leading_to(&["127-0-0-1", "127-8-8-8", "0--1"]),
        attack(
            "name-to-mapped",
            "the same as an IPv4-mapped or IPv4-compatible IPv6 address",
        )
        .known("CVE-2026-33480")
        .leading_to(&["0--ffff-7f00-1", "0--7f00-1", "0--ffff-0-7f00-1"]),
        attack("name-to-nat64", "the same through a NAT64 prefix")
            .known("CVE-2026-33480")
            .leading_to(&["64-ff9b--7f00-1", "64-ff9b-1--7f00-1", "64-ff9b--a9fe-a9fe"]),
        attack("name-to-6to4", "the same through 6to4")
            .known("CVE-2026-33480")
            .leading_to(&["2002-7f00-1--1", "2002-a00-1--1"]),
        attack("name-to-teredo", "the same through Teredo")
            .known("CVE-2026-33480")
            .leading_to(&["2001-0-808-808--80ff-fffe", "2001-0-a00-1--f7f7-f7f7"]),
        attack(
            "name-to-private",
            "an allowed name that resolves into a private network",
        )
        .known("CWE-918")
        .leading_to(&["10-0-0-1", "172-16-0-1", "192-168-1-1"]),
        attack(
            "name-to-metadata",
            "an allowed name that resolves to a cloud's metadata service",
        )
        .known("Capital One, 2019")
        .leading_to(&[
            "169-254-169-254",
            "100-100-100-200",
            "168-63-129-16",
            "fd00-ec2--254",
            "fd20-ce--254",
        ]),
        attack(
            "name-to-alias",
            "an allowed name that is an alias of another, which leads here or to a metadata service",
        )
        .known("CNAME")
        .beside(
            "an alias of a name that leads to an address that may be dialled",
            to_victim(&resolved(&format!("alias_{PUBLIC}"), "name-to-alias--twin")),
        )
        .leading_to(&[
            "alias_127-0-0-1",
            "alias_169-254-169-254",
            "alias_localhost",
            "alias_0--ffff-7f00-1",
        ]),
        attack("name-to-link-local", "an allowed name that resolves to the link").leading_to(&[
            "169-254-1-1",
            "fe80--1",
            "fec0--1",
        ]),
        attack(
            "name-to-unique-local",
            "an allowed name that resolves to a unique local address",
        )
        .leading_to(&["fc00--1", "fd12-3456--1"]),
        attack(
            "name-to-carrier",
            "an allowed name that resolves into a carrier's shared space",
        )
        .leading_to(&["100-64-0-1", "100-127-255-1"]),
        attack(
            "name-to-unspecified",
            "0.0.0.0 and ::, which systems take for themselves",
        )
        .known("0.0.0.0 day, 2024")
        .leading_to(&["0-0-0-0", "0-1-2-3", "0--0"]),
        attack("name-to-many", "multicast and broadcast").leading_to(&[
            "224-0-0-1",
            "239-1-1-1",
            "255-255-255-255",
            "ff02--1",
        ]),
        attack(
            "name-to-synthetic",
            "the gate's own synthetic addresses, and what nobody was given",
        )
        .leading_to(&["198-18-0-1", "198-19-255-1", "240-0-0-1", "2001-2--1"]),
    ]
}

fn several_answers() -> Vec<Attack> {
    let stand_in = |draft: Draft, what: &'static str| {
        let twin = to_victim(&resolved(PUBLIC, &format!("{}--twin", draft.class())));
        draft
            .beside("a name that leads to one address that may be dialled", twin)
            .arrives(what, |arrival| arrival.place == "stand-in")
    };
    vec![
        stand_in(
            attack("mixed-answers", "a private address among public ones in one answer")
                .resolving("127-0-0-1_and_127-66-77-88")
                .resolving("127-66-77-88_and_127-0-0-1")
                .resolving("127-66-77-88_and_0--ffff-7f00-1"),
            "at the public address only",
        ),
        stand_in(
            attack("rebinding", "a name server that answers well when it is checked and otherwise when it is dialled, with a lifetime of zero")
                .known("DNS rebinding")
                .resolving("127-66-77-88_then_127-0-0-1"),
            "at the address that was checked",
        ),
        stand_in(
            attack("rebinding-between-connections", "the same name leads elsewhere for the second connection")
                .resolving("127-66-77-88_then_127-0-0-1_then_127-0-0-1")
                .resolving("127-66-77-88_then_127-0-0-1_then_127-0-0-1")
                .resolving("127-66-77-88_then_127-0-0-1_then_127-0-0-1"),
            "at an address that was checked, each time",
        ),
    ]
}

/// What a literal is told, whatever the level.
const NO_LITERAL: &[&str] = &[
    "literal-not-allowed",
    "network-none",
    "own-listener",
    "address-refused",
    "malformed-target",
    "host-not-allowed",
];

#[expect(clippy::too_many_lines, reason = "a table")]
fn literals() -> Vec<Attack> {
    let to = |draft: Draft, addresses: &[&str]| {
        addresses.iter().fold(draft, |draft, address| {
            draft
                .proxy(format!("CONNECT {address} HTTP/1.1\r\n\r\n"))
                .proxy(format!(
                    "GET http://{address}/echo/a HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
                ))
        })
    };
    vec![
        to(
            attack(
                "literal-loopback",
                "this machine by its address: v4, v6, mapped, unspecified",
            ),
            &[
                "127.0.0.1:{victim}",
                "[::1]:{victim}",
                "[::ffff:127.0.0.1]:{victim}",
                "0.0.0.0:{victim}",
                "[::]:{victim}",
                "127.8.8.8:{victim}",
            ],
        )
        .refused(NO_LITERAL),
        to(
            attack(
                "literal-translated",
                "this machine through NAT64, 6to4, Teredo and compatible addresses",
            )
            .known("CVE-2026-33480"),
            &[
                "[64:ff9b::7f00:1]:80",
                "[2002:7f00:1::1]:80",
                "[2001:0:808:808::80ff:fffe]:80",
                "[::7f00:1]:80",
            ],
        )
        .refused(NO_LITERAL),
        captured(
            to(
                attack("literal-metadata", "a cloud's metadata service by its address"),
                &[
                    "169.254.169.254:80",
                    "100.100.100.200:80",
                    "168.63.129.16:80",
                    "[fd00:ec2::254]:80",
                ],
            ),
            &[
                "169.254.169.254",
                "100.100.100.200",
                "168.63.129.16",
                "fd00:ec2::254",
            ],
        )
        .refused(NO_LITERAL),
        captured(
            to(
                attack("literal-private", "a private network by its addresses"),
                &[
                    "10.0.0.1:80",
                    "172.16.0.1:80",
                    "192.168.1.1:443",
                    "[fd12:3456::1]:80",
                ],
            ),
            &["10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12:3456::1"],
        )
        .refused(NO_LITERAL),
        to(
            attack(
                "host-port-by-name",
                "this machine by the name under which single ports of it may be allowed",
            ),
            &[
                "host.outwall.internal:{victim}",
                "HOST.outwall.internal.:{victim}",
            ],
        )
        .refused(&["host-port-not-allowed"]),
        to(
            attack(
                "gates-own-listener",
                "the gate itself, by the address that it listens on",
            )
            .known("CWE-918"),
            &["{proxy}", "localhost:{victim}"],
        )
        .refused(&[
            "own-listener",
            "literal-not-allowed",
            "network-none",
            "host-not-allowed",
            "port-not-allowed",
            "unresolved-name",
        ]),
        attack(
            "hosts-loopback-from-inside",
            "a service on the host's loopback, from inside by every address that means here",
        )
        .inside_at("127.0.0.1")
        .inside_at("::1")
        .inside_at("0.0.0.0")
        .inside_at("::ffff:127.0.0.1")
        .inside_at("10.99.0.2")
        .inside_at("localhost")
        .inside_at("127.8.8.8")
        .nothing(),
        attack(
            "gates-listeners-from-inside",
            "the gate's listeners, connected to directly from inside",
        )
        .port_at("127.0.0.1", 15001)
        .port_at("127.0.0.1", 15053)
        .port_at("192.0.2.1", 15001)
        .nothing(),
        attack(
            "forged-synthetic-address",
            "an address of the gate's synthetic range that stands for no name",
        )
        .port_at("198.18.255.1", 443)
        .port_at("198.19.255.254", 80)
        .nothing(),
        attack(
            "other-port-of-a-host",
            "a port that no entry names, of a host that is allowed",
        )
        .proxy("CONNECT {host}:22 HTTP/1.1\r\n\r\n")
        .proxy("CONNECT {host}:8443 HTTP/1.1\r\n\r\n")
        .proxy("GET http://{host}:8080/echo/a HTTP/1.1\r\nhost: {host}:8080\r\nconnection: close\r\n\r\n")
        .refused(&["port-not-allowed"]),
    ]
}

fn captured(draft: Draft, addresses: &[&str]) -> Draft {
    addresses
        .iter()
        .fold(draft, |draft, address| draft.port_at(address, 80))
}

impl Draft {
    /// From inside a sandbox to this address at the victim's port.
    fn inside_at(self, address: &str) -> Self {
        self.tried(to_victim(address))
    }

    /// From inside a sandbox to this address and port.
    fn port_at(self, address: &str, port: u16) -> Self {
        let text = b"GET /echo/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec();
        let opening: Opening = direct(address, Port::Number(port));
        self.tried(talk(opening, Inside::Clear, vec![text]))
    }
}
