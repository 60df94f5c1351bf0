//! The network of a sandbox: loopback only, every address local, every connection redirected to listeners that the host serves.
//!
//! It runs inside the new network namespace, before anything else does. It knows nothing of what is served on the listeners.
//! The shape: `lo` with [`ADDRESS_V4`] and [`ADDRESS_V6`]; a `local` default route on it for both families, so the kernel answers other UDP at once with
//! port unreachable; and the ruleset of [`ruleset`]. Without the ruleset there is still no way out, so it is not what confines.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use crate::failure::{Doing, Part, Step};
use crate::netlink::{
    ACKNOWLEDGE, APPEND, Attributes, CREATE, EXCLUSIVE, Messages, NETFILTER, REQUEST, ROUTE,
};
use crate::programs::diagnosis;
use crate::wire::ListenerKind;

/// The sandbox's own IPv4 address: servers inside reach one another on it, uncaptured.
pub const ADDRESS_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// The sandbox's own IPv6 address.
pub const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd5b, 0, 0, 0, 0, 0, 0, 2);
/// The resolver that `/etc/resolv.conf` names. Any address would do: port 53 is redirected.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Where captured TCP connections arrive, on the loopback address of their family.
pub const TCP_PORT: u16 = 15001;
/// Where captured DNS arrives, UDP and TCP.
pub const DNS_PORT: u16 = 15053;

/// Connections that may wait to be accepted: a package installer opens hundreds at once, and one that finds no room waits a second.
const BACKLOG: i32 = 4096;

/// The index of `lo` in every new network namespace.
const LOOPBACK: u32 = 1;

/// Brings up the network and opens the listeners in it, among them some for `host_ports`.
pub(crate) fn set_up(host_ports: &[u16]) -> Step<Vec<(ListenerKind, OwnedFd)>> {
    let v6 = std::path::Path::new("/proc/sys/net/ipv6").exists();
    loopback(v6)
        .send(ROUTE)
        .doing(Part::Network, "bring up the loopback interface and its routes")?;
    ruleset().send(NETFILTER).doing(Part::Network, "load the redirection (nf_tables)").map_err(|failure| {
        failure.remedy("the kernel needs nf_tables with nat and redirect: `modprobe nf_tables nft_redir nft_chain_nat`")
    })?;
    // Servers in the sandbox may use low ports; ours are taken already. A read-only /proc/sys is no reason to fail.
    drop(std::fs::write(
        "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        "0",
    ));
    let mut open = listeners(v6).doing(Part::Network, "open the listeners")?;
    let own = |port: &&u16| ![TCP_PORT, DNS_PORT].contains(*port);
    for &port in host_ports.iter().filter(own) {
        let sockets = host_port(port, v6).doing(Part::Network, "open the listener of a host port")?;
        open.extend(
            sockets
                .into_iter()
                .map(|socket| (ListenerKind::HostPort(port), socket)),
        );
    }
    let diagnosis = diagnosis().doing(Part::Network, "open what knows the sockets")?;
    open.push((ListenerKind::Diagnosis, diagnosis));
    Ok(open)
}

/// A port of the sandbox's loopback that stands for the host's.
fn host_port(port: u16, v6: bool) -> io::Result<Vec<OwnedFd>> {
    let listen = |address: IpAddr| {
        let tcp = TcpListener::bind(SocketAddr::new(address, port))?;
        tcp.set_nonblocking(true)?;
        Ok(tcp.into())
    };
    loopback_addresses(v6)
        .iter()
        .map(|address| listen(*address))
        .collect()
}

fn loopback_addresses(v6: bool) -> &'static [IpAddr] {
    const BOTH: &[IpAddr] = &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    &BOTH[..if v6 { 2 } else { 1 }]
}

fn listeners(v6: bool) -> io::Result<Vec<(ListenerKind, OwnedFd)>> {
    let mut open = Vec::with_capacity(6);
    for &address in loopback_addresses(v6) {
        let tcp = TcpListener::bind(SocketAddr::new(address, TCP_PORT))?;
        let dns_udp = UdpSocket::bind(SocketAddr::new(address, DNS_PORT))?;
        let dns_tcp = TcpListener::bind(SocketAddr::new(address, DNS_PORT))?;
        rustix::net::listen(&tcp, BACKLOG)?;
        tcp.set_nonblocking(true)?;
        dns_udp.set_nonblocking(true)?;
        dns_tcp.set_nonblocking(true)?;
        open.push((ListenerKind::Tcp, tcp.into()));
        open.push((ListenerKind::DnsUdp, dns_udp.into()));
        open.push((ListenerKind::DnsTcp, dns_tcp.into()));
    }
    Ok(open)
}

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `lo` up, its addresses, and the routes that make every address local.
fn loopback(v6: bool) -> Messages {
    const RTM_NEWLINK: u16 = 16;
    let mut messages = Messages::default();
    let up = [
        &[0u8; 4][..],
        &LOOPBACK.to_ne_bytes(),
        &1u32.to_ne_bytes(),
        &1u32.to_ne_bytes(),
    ]
    .concat();
    messages.message(RTM_NEWLINK, REQUEST | ACKNOWLEDGE, &up, |_| {});
    add_family(&mut messages, AF_INET, 32, &ADDRESS_V4.octets());
    if v6 {
        add_family(&mut messages, AF_INET6, 128, &ADDRESS_V6.octets());
    }
    messages
}

fn add_family(messages: &mut Messages, family: u8, prefix: u8, address: &[u8]) {
    const RTM_NEWADDR: u16 = 20;
    const RTM_NEWROUTE: u16 = 24;
    const IFA_F_NODAD: u8 = 0x02;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const RT_TABLE_LOCAL: u8 = 255;
    const RTPROT_BOOT: u8 = 3;
    const RT_SCOPE_HOST: u8 = 254;
    const RTN_LOCAL: u8 = 2;
    const RTA_OIF: u16 = 4;
    const RTA_PREFSRC: u16 = 7;
    let flags = REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE;
    let nodad = if family == AF_INET6 { IFA_F_NODAD } else { 0 };
    let body = [&[family, prefix, nodad, 0][..], &LOOPBACK.to_ne_bytes()].concat();
    messages.message(RTM_NEWADDR, flags, &body, |a| {
        a.bytes(IFA_LOCAL, address);
        a.bytes(IFA_ADDRESS, address);
    });
    let body = [
        family,
        0,
        0,
        0,
        RT_TABLE_LOCAL,
        RTPROT_BOOT,
        RT_SCOPE_HOST,
        RTN_LOCAL,
        0,
        0,
        0,
        0,
    ];
    messages.message(RTM_NEWROUTE, flags, &body, |a| {
        a.bytes(RTA_OIF, &LOOPBACK.to_ne_bytes());
        a.bytes(RTA_PREFSRC, address);
    });
}

/// The redirection, as one batch:
///
/// ```text
/// table inet outwall {
///   chain out { type nat hook output priority -100; policy accept;
///     ip daddr 127.0.0.0/8 return       ip6 daddr ::1 return
///     ip daddr 10.99.0.2 return         ip6 daddr fd5b::2 return
///     tcp dport 53 redirect to :15053   udp dport 53 redirect to :15053
///     meta l4proto tcp redirect to :15001
///   }
/// }
/// ```
fn ruleset() -> Messages {
    let mut batch = Messages::default();
    batch.message(
        BATCH_BEGIN,
        REQUEST,
        &netfilter_header(0, NFNL_SUBSYS_NFTABLES),
        |_| {},
    );
    let create = REQUEST | CREATE | ACKNOWLEDGE;
    batch.message(NEWTABLE, create, &netfilter_header(NFPROTO_INET, 0), |a| {
        a.text(NFTA_TABLE_NAME, TABLE);
    });
    batch.message(NEWCHAIN, create, &netfilter_header(NFPROTO_INET, 0), chain);
    rule(&mut batch, |e| {
        destined_to(e, AF_INET, 16, &[255, 0, 0, 0], &[127, 0, 0, 0]);
    });
    rule(&mut batch, |e| {
        destined_to(e, AF_INET6, 24, &[255; 16], &Ipv6Addr::LOCALHOST.octets());
    });
    rule(&mut batch, |e| {
        destined_to(e, AF_INET, 16, &[255; 4], &ADDRESS_V4.octets());
    });
    rule(&mut batch, |e| {
        destined_to(e, AF_INET6, 24, &[255; 16], &ADDRESS_V6.octets());
    });
    for protocol in [IPPROTO_TCP, IPPROTO_UDP] {
        rule(&mut batch, |e| {
            protocol_is(e, protocol);
            port_is(e, 53);
            redirect_to(e, DNS_PORT);
        });
    }
    rule(&mut batch, |e| {
        protocol_is(e, IPPROTO_TCP);
        redirect_to(e, TCP_PORT);
    });
    batch.message(
        BATCH_END,
        REQUEST,
        &netfilter_header(0, NFNL_SUBSYS_NFTABLES),
        |_| {},
    );
    batch
}

const TABLE: &str = "outwall";
const CHAIN: &str = "out";
const NFPROTO_INET: u8 = 1;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEWTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8;
const NEWCHAIN: u16 = (NFNL_SUBSYS_NFTABLES << 8) | 3;
const NEWRULE: u16 = (NFNL_SUBSYS_NFTABLES << 8) | 6;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;

/// `struct nfgenmsg`.
fn netfilter_header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn chain(a: &mut Attributes<'_>) {
    const NFTA_CHAIN_TABLE: u16 = 1;
    const NFTA_CHAIN_NAME: u16 = 3;
    const NFTA_CHAIN_HOOK: u16 = 4;
    const NFTA_CHAIN_POLICY: u16 = 5;
    const NFTA_CHAIN_TYPE: u16 = 7;
    const NFTA_HOOK_HOOKNUM: u16 = 1;
    const NFTA_HOOK_PRIORITY: u16 = 2;
    const NF_INET_LOCAL_OUT: u32 = 3;
    const NF_ACCEPT: u32 = 1;
    a.text(NFTA_CHAIN_TABLE, TABLE);
    a.text(NFTA_CHAIN_NAME, CHAIN);
    a.nested(NFTA_CHAIN_HOOK, |a| {
        a.be32(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
        a.bytes(NFTA_HOOK_PRIORITY, &(-100i32).to_be_bytes());
    });
    a.be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
    a.text(NFTA_CHAIN_TYPE, "nat");
}

fn rule(batch: &mut Messages, expressions: impl FnOnce(&mut Attributes<'_>)) {
    const NFTA_RULE_TABLE: u16 = 1;
    const NFTA_RULE_CHAIN: u16 = 2;
    const NFTA_RULE_EXPRESSIONS: u16 = 4;
    let flags = REQUEST | CREATE | APPEND | ACKNOWLEDGE;
    batch.message(NEWRULE, flags, &netfilter_header(NFPROTO_INET, 0), |a| {
        a.text(NFTA_RULE_TABLE, TABLE);
        a.text(NFTA_RULE_CHAIN, CHAIN);
        a.nested(NFTA_RULE_EXPRESSIONS, expressions);
    });
}

fn expression(a: &mut Attributes<'_>, name: &str, inner: impl FnOnce(&mut Attributes<'_>)) {
    a.nested(NFTA_LIST_ELEM, |a| {
        a.text(NFTA_EXPR_NAME, name);
        a.nested(NFTA_EXPR_DATA, inner);
    });
}

/// `ip daddr …/mask return`: the family, then the address at `offset` of the network header.
fn destined_to(e: &mut Attributes<'_>, family: u8, offset: u32, mask: &[u8], address: &[u8]) {
    const NFT_META_NFPROTO: u32 = 15;
    const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
    let length = u32::try_from(address.len()).expect("an address is short");
    meta_is(e, NFT_META_NFPROTO, family);
    payload(e, NFT_PAYLOAD_NETWORK_HEADER, offset, length);
    expression(e, "bitwise", |a| {
        a.be32(1, REGISTER_1); // source
        a.be32(2, REGISTER_1); // destination
        a.be32(3, length);
        a.nested(4, |a| a.bytes(NFTA_DATA_VALUE, mask));
        a.nested(5, |a| a.bytes(NFTA_DATA_VALUE, &[0; 16][..address.len()])); // xor
    });
    compare(e, address);
    expression(e, "immediate", |a| {
        const NFT_RETURN: i32 = -5;
        a.be32(1, REGISTER_VERDICT);
        a.nested(2, |a| {
            a.nested(NFTA_DATA_VERDICT, |a| a.bytes(1, &NFT_RETURN.to_be_bytes()));
        });
    });
}

fn protocol_is(e: &mut Attributes<'_>, protocol: u8) {
    const NFT_META_L4PROTO: u32 = 16;
    meta_is(e, NFT_META_L4PROTO, protocol);
}

fn port_is(e: &mut Attributes<'_>, port: u16) {
    const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
    payload(e, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    compare(e, &port.to_be_bytes());
}

fn redirect_to(e: &mut Attributes<'_>, port: u16) {
    const NFTA_REDIR_REG_PROTO_MIN: u16 = 1;
    const NFTA_REDIR_FLAGS: u16 = 3;
    const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 2;
    expression(e, "immediate", |a| {
        a.be32(1, REGISTER_1);
        a.nested(2, |a| a.bytes(NFTA_DATA_VALUE, &port.to_be_bytes()));
    });
    expression(e, "redir", |a| {
        a.be32(NFTA_REDIR_REG_PROTO_MIN, REGISTER_1);
        a.be32(NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
    });
}

fn meta_is(e: &mut Attributes<'_>, key: u32, value: u8) {
    expression(e, "meta", |a| {
        a.be32(1, REGISTER_1);
        a.be32(2, key);
    });
    compare(e, &[value]);
}

fn payload(e: &mut Attributes<'_>, base: u32, offset: u32, length: u32) {
    expression(e, "payload", |a| {
        a.be32(1, REGISTER_1);
        a.be32(2, base);
        a.be32(3, offset);
        a.be32(4, length);
    });
}

fn compare(e: &mut Attributes<'_>, value: &[u8]) {
    const NFT_CMP_EQ: u32 = 0;
    expression(e, "cmp", |a| {
        a.be32(1, REGISTER_1);
        a.be32(2, NFT_CMP_EQ);
        a.nested(3, |a| a.bytes(NFTA_DATA_VALUE, value));
    });
}
