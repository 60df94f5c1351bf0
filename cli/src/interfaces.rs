//! The addresses of this machine's own interfaces, which no sandbox may be let through to.
//!
//! Read from `/proc/net`: no permission and no `unsafe` needed. Addresses that appear after a command
//! has started are not known to it; the private and loopback ranges are refused whatever they are.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address that this machine answers to, without duplicates.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut own: Vec<IpAddr> = local_v4(&v4)
        .map(IpAddr::V4)
        .chain(local_v6(&v6).map(IpAddr::V6))
        .collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// In `fib_trie` a `|-- ADDRESS` line is followed by what the address is; ours say `/32 host LOCAL`.
fn local_v4(fib_trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut last = None;
    fib_trie.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        }
        (line == "/32 host LOCAL").then_some(last).flatten()
    })
}

/// Each line of `if_inet6` starts with the address as 32 hexadecimal digits.
fn local_v6(if_inet6: &str) -> impl Iterator<Item = Ipv6Addr> {
    if_inet6.lines().filter_map(|line| {
        let digits = line
            .split_ascii_whitespace()
            .next()
            .filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_read_and_broadcasts_are_not() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 127.255.255.255\n        /32 link BROADCAST\n     |-- 192.168.7.9\n        /32 host LOCAL\n";
        assert_eq!(
            local_v4(table).collect::<Vec<_>>(),
            [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 168, 7, 9)]
        );
    }

    #[test]
    fn version_six_addresses_are_read() {
        let table = "00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000a0b1c2fffed3e4f5 02 40 20 80     eth0\n";
        let read: Vec<_> = local_v6(table).map(|address| address.to_string()).collect();
        assert_eq!(read, ["::1", "fe80::a0b1:c2ff:fed3:e4f5"]);
    }

    #[test]
    fn this_machine_has_a_loopback() {
        assert!(own_addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
