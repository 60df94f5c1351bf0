//! Whose a client on this machine is: the user that its socket belongs to, as `/proc/net/tcp` has it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// The user of the socket at `client` that is connected to `to`; nothing for a client of another machine.
pub(super) fn of(client: SocketAddr, to: SocketAddr) -> Option<u32> {
    let table = if client.is_ipv4() {
        "/proc/net/tcp"
    } else {
        "/proc/net/tcp6"
    };
    find(&std::fs::read_to_string(table).ok()?, client, to)
}

/// A line is `sl local remote state queues timers retransmits uid …`.
fn find(table: &str, client: SocketAddr, to: SocketAddr) -> Option<u32> {
    let (client, to) = (written(client), written(to));
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_it = fields.next()? == client && fields.next()? == to;
        is_it.then(|| fields.nth(4)?.parse().ok()).flatten()
    })
}

/// `0100007F:1F90`: each 32 bits of the address as a number of this machine's, then the port.
fn written(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut text = String::with_capacity(37);
    for word in octets.chunks_exact(4) {
        let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        let _ = write!(text, "{word:08X}");
    }
    let _ = write!(text, ":{:04X}", address.port());
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
    fn the_user_of_a_client_on_this_machine_is_known() {
        use std::os::unix::fs::MetadataExt as _;
        let us = std::fs::metadata("/proc/self").unwrap().uid();
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(at) else {
                continue;
            };
            let to = listener.local_addr().unwrap();
            let client = std::net::TcpStream::connect(to).unwrap();
            assert_eq!(of(client.local_addr().unwrap(), to), Some(us), "{at}");
            assert_eq!(of(to, to), None, "{at}");
        }
    }

    #[test]
    fn a_line_of_the_table_is_read_by_its_columns() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     \x20  0: 0100007F:C350 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 20 4 30 10 -1\n";
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        if cfg!(target_endian = "little") {
            assert_eq!(
                find(table, at("127.0.0.1:50000"), at("127.0.0.1:3000")),
                Some(1000)
            );
        }
        assert_eq!(find(table, at("127.0.0.1:50001"), at("127.0.0.1:3000")), None);
        assert_eq!(find("", at("127.0.0.1:1"), at("127.0.0.1:2")), None);
    }
}
