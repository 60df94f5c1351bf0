//! Tunnels, whose bytes are not read: what a client that pins certificates may do is still for one host, one port, in TLS.

use crate::attack::{Attack, Inside, Section, Speaks, host1, resolved, twin_of};
use crate::build::{Draft, attack as draft, bearer, shared, shared_connect};
use crate::{hello, tls};

/// The credential of the environment all of whose hosts are tunnelled.
const TOKEN: &str = "tunnel";

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Tunnels, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    vec![
        sni_of_another(),
        without_tls(),
        odd_hellos(),
        to_another_port(),
        to_refused_addresses(),
        to_a_literal(),
    ]
}

fn get(host: &str) -> Vec<Vec<u8>> {
    vec![format!("GET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()]
}

fn named(name: Option<&str>) -> Inside {
    Inside::Tls {
        name: name.map(str::to_owned),
        speaks: Speaks::Http1,
    }
}

impl Draft {
    /// By CONNECT to a target of the class's host, then this.
    fn tunnelled(self, port: u16, inside: Inside, pieces: Vec<Vec<u8>>) -> Self {
        let target = format!("{}:{port}", host1(self.class()));
        self.tried(shared_connect(&target, TOKEN, inside, pieces))
    }

    fn tunnel_twin(self) -> Self {
        let host = twin_of(&host1(self.class()));
        let twin = shared_connect(&format!("{host}:443"), TOKEN, named(Some(&host)), get(&host));
        self.beside("TLS to its own host, which ends at the origin", twin)
    }
}

fn sni_of_another() -> Attack {
    let draft = attack(
        "tunnel-sni-of-another",
        "a name in SNI that is not the tunnel's: another tunnelled one, and one that no list names",
    )
    .known("domain fronting");
    let other = twin_of(&host1(draft.class()));
    draft
        .tunnelled(443, named(Some(&other)), get(&other))
        .tunnelled(
            443,
            named(Some("cdn.evil.outwall.test")),
            get("cdn.evil.outwall.test"),
        )
        .tunnel_twin()
        .refused(&["fronting"])
}

fn without_tls() -> Attack {
    let draft = attack(
        "tunnel-without-tls",
        "HTTP in the clear, SSH and nothing known in a tunnel, whose name nothing would vouch for",
    );
    let host = host1(draft.class());
    draft
        .tunnelled(443, Inside::Clear, get(&host))
        .tunnelled(443, Inside::Clear, vec![b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()])
        .tunnelled(443, Inside::Clear, vec![vec![0; 64]])
        .answers(0)
        .tunnel_twin()
        .recorded(&["plain-connection-not-allowed", "not-http"])
}

fn odd_hellos() -> Attack {
    let draft = attack(
        "tunnel-odd-hello",
        "hellos of which two readers take two names, or none and an address, in a tunnel",
    )
    .known("RFC 8446 section 4.2");
    let own = host1(draft.class());
    let other = twin_of(&own);
    let names = [own.as_bytes(), other.as_bytes()];
    let hellos = [
        hello::with_second_server_name(&tls::hello(&own), other.as_bytes()),
        hello::with_server_names(&tls::hello(&own), &names),
        hello::with_server_names(
            &tls::hello(&own),
            &[format!("{own}\0.evil.outwall.test").as_bytes()],
        ),
        hello::with_server_names(&tls::hello(&own), &[b"192.0.2.1"]),
        hello::with_server_names(&tls::hello(&own), &[b"2001:db8::1"]),
    ];
    hellos
        .into_iter()
        .fold(draft, |draft, bytes| {
            draft.tunnelled(443, Inside::Clear, vec![bytes])
        })
        .answers(0)
        .tunnel_twin()
        .recorded(&["malformed-request", "fronting"])
}

fn to_another_port() -> Attack {
    let draft = attack(
        "tunnel-to-another-port",
        "a port of a tunnelled host that no entry names",
    );
    let host = host1(draft.class());
    draft
        .tunnelled(22, named(Some(&host)), get(&host))
        .tunnelled(8443, named(Some(&host)), get(&host))
        .tunnel_twin()
        .refused(&["port-not-allowed"])
}

/// The handshake ends before anything can be told within it, so the record says why.
fn to_refused_addresses() -> Attack {
    let draft = attack(
        "tunnel-to-refused-addresses",
        "a tunnelled name that leads to this machine, to a private network or to a metadata service",
    )
    .known("GHSA-r2x7-427f-rq69");
    ["127-0-0-1", "0--ffff-7f00-1", "10-0-0-1", "169-254-169-254"]
        .into_iter()
        .fold(draft, |draft, label| {
            let name = resolved(label, draft.class());
            let target = format!("{name}:{{victim}}");
            let attempt = shared_connect(&target, TOKEN, named(Some(&name)), get(&name));
            draft.tried(attempt)
        })
        .tunnel_twin()
        .recorded(&["address-refused"])
}

fn to_a_literal() -> Attack {
    let draft = attack("tunnel-to-a-literal", "an address where only names are tunnelled");
    ["127.0.0.1:{victim}", "[::1]:{victim}", "169.254.169.254:443"]
        .into_iter()
        .fold(draft, |draft, target| {
            let head = format!(
                "CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{}\r\n",
                bearer(TOKEN)
            );
            draft.tried(shared("", head.as_bytes()))
        })
        .tunnel_twin()
        .refused(&["literal-not-allowed"])
}
