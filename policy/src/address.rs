//! Classes of addresses. After a name is resolved, every address is classified before it is dialled, and only public ones are
//! dialled without an exception: a public name that resolves to a private address is the oldest way past a gate.
//!
//! An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo) is of the carried address's class,
//! because that is where the packets arrive.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is. All but [`Public`](Self::Public) and [`Documentation`](Self::Documentation) are refused
/// unless the environment makes an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Reachable on the Internet.
    Public,
    /// 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, `2001:db8::/32`, `3fff::/20`. Not refused: nothing private lives there.
    Documentation,
    /// This machine: 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// 169.254.0.0/16, `fe80::/10`, and the deprecated site-local `fec0::/10`.
    LinkLocal,
    /// Where clouds hand out credentials: 169.254.169.254, 100.100.100.200, 168.63.129.16, `fd00:ec2::254`, `fd20:ce::254`.
    Metadata,
    /// `fc00::/7`.
    UniqueLocal,
    /// 100.64.0.0/10, shared by carriers' customers (RFC 6598).
    CarrierShared,
    /// 224.0.0.0/4, `ff00::/8`.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// 0.0.0.0/8 and `::`, which systems take for themselves.
    Unspecified,
    /// 198.18.0.0/15, where the gate's own synthetic addresses are, and `2001:2::/48`.
    Benchmark,
    /// `64:ff9b:1::/48`: translation to IPv4 of a network's own making (RFC 8215), so nobody can say to which address.
    LocalTranslation,
    /// Not assigned to anybody, or to protocols.
    Reserved,
    /// An address of the machine that the gate runs on.
    Own,
}

impl AddressClass {
    /// True when nothing of this class is dialled without an exception.
    pub fn is_refused(self) -> bool {
        !matches!(self, Self::Public | Self::Documentation)
    }

    /// The stable code, in kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Documentation => "documentation",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::UniqueLocal => "unique-local",
            Self::CarrierShared => "carrier-shared",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Benchmark => "benchmark",
            Self::LocalTranslation => "local-translation",
            Self::Reserved => "reserved",
            Self::Own => "own",
        }
    }
}

/// As in "it leads to 10.0.0.1, which is a private address".
impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Documentation => "a documentation address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud's metadata service",
            Self::UniqueLocal => "a unique local address",
            Self::CarrierShared => "a carrier's shared address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Unspecified => "the unspecified address",
            Self::Benchmark => "a benchmarking address",
            Self::LocalTranslation => "a local translation address",
            Self::Reserved => "a reserved address",
            Self::Own => "an address of the gate's own machine",
        })
    }
}

/// Classifies an address by itself; [`AddressClass::Own`] is the policy's to add.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// Order: the exact metadata addresses, then the IANA special-purpose registry.
fn classify_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] => AddressClass::Metadata,
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [169, 254, ..] => AddressClass::LinkLocal,
        [100, 64..=127, ..] => AddressClass::CarrierShared,
        [198, 18..=19, ..] => AddressClass::Benchmark,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [255, 255, 255, 255] => AddressClass::Broadcast,
        [224..=239, ..] => AddressClass::Multicast,
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if address == METADATA_AWS || address == METADATA_GCP {
        return AddressClass::Metadata;
    }
    let s = address.segments();
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // Compatible and SIIT: nothing on the Internet answers to these; only software that unwraps them would.
        [0, 0, 0, 0, 0 | 0xffff, 0, high, low] => never_public(classify_v4(carried(high, low))),
        // Mapped, NAT64 (RFC 6052), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => classify_v4(carried(high, low)),
        [0x64, 0xff9b, 1, ..] => AddressClass::LocalTranslation,
        [0x2001, 0, ..] => teredo(s),
        [0x2001, 2, 0, ..] => AddressClass::Benchmark,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Documentation,
        [0x2001, 0..=0x1ff, ..] => AddressClass::Reserved, // IETF protocol assignments, RFC 2928
        [0x2000..=0x3fff, ..] => AddressClass::Public,     // global unicast
        [0xfc00..=0xfdff, ..] => AddressClass::UniqueLocal,
        [0xfe80..=0xfeff, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        _ => AddressClass::Reserved,
    }
}

/// The IPv4 address that an IPv6 address leads to, for the forms that name just one.
pub(crate) fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(carried(high, low)),
        _ => None,
    }
}

fn carried(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

fn never_public(class: AddressClass) -> AddressClass {
    if class.is_refused() {
        class
    } else {
        AddressClass::Reserved
    }
}

/// A Teredo address carries its server and, inverted, its client (RFC 4380 section 4). Either may be what is meant.
fn teredo(segments: [u16; 8]) -> AddressClass {
    let [_, _, server_high, server_low, _, _, high, low] = segments;
    let client = classify_v4(carried(!high, !low));
    if client.is_refused() {
        return client;
    }
    classify_v4(carried(server_high, server_low))
}

const METADATA_AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const METADATA_GCP: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn every_special_range_has_its_class_and_its_neighbours_do_not() {
        use AddressClass::*;
        for (text, class) in [
            ("8.8.8.8", Public),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("1.0.0.1", Public),
            ("127.0.0.1", Loopback),
            ("127.255.255.255", Loopback),
            ("128.0.0.1", Public),
            ("10.1.2.3", Private),
            ("11.0.0.1", Public),
            ("172.15.255.255", Public),
            ("172.16.0.0", Private),
            ("172.31.255.255", Private),
            ("172.32.0.0", Public),
            ("192.168.0.1", Private),
            ("192.169.0.1", Public),
            ("169.254.169.253", LinkLocal),
            ("169.254.169.254", Metadata),
            ("169.254.170.2", LinkLocal),
            ("100.63.255.255", Public),
            ("100.64.0.0", CarrierShared),
            ("100.100.100.200", Metadata),
            ("100.127.255.255", CarrierShared),
            ("100.128.0.0", Public),
            ("168.63.129.16", Metadata),
            ("168.63.129.17", Public),
            ("198.17.255.255", Public),
            ("198.18.0.0", Benchmark),
            ("198.19.255.255", Benchmark),
            ("198.20.0.0", Public),
            ("192.0.2.1", Documentation),
            ("198.51.100.1", Documentation),
            ("203.0.113.1", Documentation),
            ("192.0.0.192", Reserved),
            ("192.88.99.1", Reserved),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("240.0.0.1", Reserved),
            ("255.255.255.254", Reserved),
            ("255.255.255.255", Broadcast),
            ("::", Unspecified),
            ("::1", Loopback),
            ("2606:4700::1111", Public),
            ("2001:db8::1", Documentation),
            ("3fff:0fff::1", Documentation),
            ("3fff:1000::1", Public),
            ("2001:2::1", Benchmark),
            ("2001:10::1", Reserved),
            ("2001:200::1", Public),
            ("fd00:ec2::254", Metadata),
            ("fd20:ce::254", Metadata),
            ("fd00:ec2::255", UniqueLocal),
            ("fc00::1", UniqueLocal),
            ("fe80::1", LinkLocal),
            ("fec0::1", LinkLocal),
            ("ff02::1", Multicast),
            ("100::1", Reserved),
            ("5f00::1", Reserved),
            ("4000::1", Reserved),
        ] {
            assert_eq!(classify(text.parse().unwrap()), class, "{text}");
        }
    }

    #[test]
    fn an_address_that_carries_another_is_of_its_class() {
        use AddressClass::*;
        for (text, class) in [
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:169.254.169.254", Metadata),
            ("::ffff:8.8.8.8", Public),
            ("::127.0.0.1", Loopback),
            ("::10.0.0.1", Private),
            ("::8.8.8.8", Reserved),
            ("::ffff:0:10.0.0.1", Private),
            ("64:ff9b::127.0.0.1", Loopback),
            ("64:ff9b::169.254.169.254", Metadata),
            ("64:ff9b::8.8.8.8", Public),
            ("64:ff9b:1::8.8.8.8", LocalTranslation),
            ("2002:7f00:1::1", Loopback),
            ("2002:a9fe:a9fe::1", Metadata),
            ("2002:808:808::1", Public),
            ("2001:0:808:808::80ff:fffe", Loopback), // client 127.0.0.1, inverted
            ("2001:0:a00:1::f7f7:f7f7", Private),    // server 10.0.0.1, client 8.8.8.8
            ("2001:0:808:808::f7f7:f7f7", Public),
        ] {
            assert_eq!(classify(text.parse().unwrap()), class, "{text}");
        }
    }
}
