//! An address is refused exactly when a second reading of the registries says so, and no IPv6 form of an IPv4 address is more
//! welcome than the address that it carries.
#![no_main]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use outwall_policy::classify;

fuzz_target!(|bytes: [u8; 16]| {
    let v6 = Ipv6Addr::from(bytes);
    assert_eq!(
        classify(v6.into()).is_refused(),
        plainly_refused_v6(v6),
        "{v6} is {:?}",
        classify(v6.into())
    );
    let v4 = Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    let refused = classify(v4.into()).is_refused();
    assert_eq!(refused, plainly_refused_v4(v4), "{v4}");
    for form in carrying(v4) {
        assert!(
            !refused || classify(form.into()).is_refused(),
            "{form} carries {v4}, which is refused"
        );
    }
    assert_eq!(
        classify(IpAddr::from(v4)),
        classify(IpAddr::from(v4.to_ipv6_mapped())),
        "a mapped address is the address"
    );
});

/// IANA's special-purpose registry of IPv4, and what clouds answer at, as prefixes. Documentation ranges are left out: they
/// lead nowhere.
const REFUSED_V4: [(&str, u32); 16] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("100.100.100.200", 32),
    ("127.0.0.0", 8),
    ("168.63.129.16", 32),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    ("255.255.255.255", 32),
    ("169.254.169.254", 32),
];

fn plainly_refused_v4(address: Ipv4Addr) -> bool {
    REFUSED_V4.iter().any(|(network, length)| {
        let network: Ipv4Addr = network.parse().expect("a network");
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        address.to_bits() & mask == network.to_bits()
    })
}

/// Global unicast is `2000::/3`; within it some blocks are special, and some carry an IPv4 address.
fn plainly_refused_v6(address: Ipv6Addr) -> bool {
    let within = |network: &str, length: u32| {
        let network: Ipv6Addr = network.parse().expect("a network");
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        address.to_bits() & mask == network.to_bits()
    };
    let v4_at = |shift: u32| {
        let bits = u32::try_from(address.to_bits() >> shift & u128::from(u32::MAX)).expect("32 bits");
        Ipv4Addr::from_bits(bits)
    };
    if within("::ffff:0:0", 96) || within("64:ff9b::", 96) {
        return plainly_refused_v4(v4_at(0));
    }
    if within("2002::", 16) {
        return plainly_refused_v4(v4_at(80));
    }
    if within("2001::", 32) {
        let client = Ipv4Addr::from_bits(!v4_at(0).to_bits());
        return plainly_refused_v4(client) || plainly_refused_v4(v4_at(64));
    }
    if within("2001:db8::", 32) || within("3fff::", 20) {
        return false; // documentation
    }
    !within("2000::", 3) || within("2001::", 23)
}

/// The forms in which IPv6 carries an IPv4 address (RFC 4291, 6052, 3056, 4380, 2765).
fn carrying(address: Ipv4Addr) -> [Ipv6Addr; 6] {
    let bits = u128::from(address.to_bits());
    let inverted = u128::from(!address.to_bits());
    [
        Ipv6Addr::from_bits(bits),
        Ipv6Addr::from_bits(0xffff << 32 | bits),
        Ipv6Addr::from_bits(0xffff << 48 | bits),
        Ipv6Addr::from_bits(0x0064_ff9b << 96 | bits),
        Ipv6Addr::from_bits(0x2002 << 112 | bits << 80),
        Ipv6Addr::from_bits(0x2001 << 112 | 0x0808_0808 << 64 | inverted),
    ]
}
