//! `--publish`: a server in a sandbox is reached from the host's loopback, by whoever is on record, and from nowhere else.

#![expect(
    clippy::disallowed_methods,
    reason = "these are clients of the host, and none of the gate's"
)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::Duration;

use crate::as_each_user;

/// Serves on every `ADDRESS PORT`: says back what it hears, in the pieces that it hears.
const ECHO: &str = r#"
import socket, sys, threading
def serve(connection):
    with connection:
        while part := connection.recv(65536): connection.sendall(part)
def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port)); listener.listen(512)
    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
for address, port in zip(sys.argv[1::2], sys.argv[2::2]): listen(address, int(port))
print("ready", flush=True)
sys.stdin.read()
"#;

fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn dial(ip: impl Into<IpAddr>, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::new(ip.into(), port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Sends, reads as much back, and says whether it is the same.
fn echoes(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut back = vec![0; text.len()];
    stream.write_all(text).is_ok() && stream.read_exact(&mut back).is_ok() && back == text
}

/// Whether a connection that nobody serves inside ends without a byte.
fn is_hung_up(mut stream: TcpStream) -> bool {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said.is_empty()
}

#[test]
fn a_server_inside_is_reached_whatever_address_it_listens_on() {
    as_each_user(|outwall| {
        let addresses = ["127.0.0.1", "0.0.0.0", "::", "::1", "10.99.0.2"];
        let ports = free_ports::<5>();
        let published: Vec<String> = (3000..)
            .zip(ports)
            .map(|(inside, port)| format!("{inside}:{port}"))
            .collect();
        let options: Vec<&str> = published
            .iter()
            .flat_map(|published| ["--publish", published])
            .collect();
        let inside: Vec<String> = (3000..3005).map(|port: u16| port.to_string()).collect();
        let listening = addresses
            .iter()
            .zip(&inside)
            .flat_map(|(address, port)| [*address, port]);
        let command: Vec<&str> = ["/usr/bin/python3", "-c", ECHO]
            .into_iter()
            .chain(listening)
            .collect();
        let mut sandbox = outwall.start_sandbox(&options, &command);
        sandbox.wait_for_output("ready");
        for (address, port) in addresses.iter().zip(ports) {
            for from in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
                let mut stream = dial(from, port).unwrap();
                assert!(echoes(&mut stream, b"hello"), "{address} from {from}");
            }
        }
        assert_listens_on_loopback_only(ports[0]);
        sandbox.write("");
        sandbox.signal("TERM");
        let finished = sandbox.finish();
        assert!(
            finished.stderr.contains(&format!(
                "port 3000 of the sandbox is at http://localhost:{}",
                ports[0]
            )),
            "{finished:?}"
        );
        assert!(
            dial(Ipv4Addr::LOCALHOST, ports[0]).is_err(),
            "it is gone with the sandbox"
        );
        let came_in = outwall.audit_of("published.came_in");
        assert_eq!(came_in.len(), 10, "{came_in:#?}");
        assert_eq!(came_in[0]["target"], "localhost:3000");
        assert_eq!(came_in[0]["rule"], "publish 3000");
        assert_eq!(came_in[0]["address"], format!("127.0.0.1:{}", ports[0]));
        let us = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(came_in[0]["user"], us, "{came_in:#?}");
        let ended = outwall.audit_of("published.ended");
        assert_eq!(ended.len(), 10, "{ended:#?}");
        assert_eq!(
            (&ended[0]["bytes_up"], &ended[0]["bytes_down"]),
            (&5.into(), &5.into())
        );
        assert_eq!(
            outwall.audit_of("port.published").len(),
            10,
            "both addresses of each"
        );
    });
}

fn assert_listens_on_loopback_only(port: u16) {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let wanted = format!(":{port:04X}");
    let listening: Vec<&str> = table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
            (local.ends_with(&wanted) && state == "0A").then_some(local)
        })
        .collect();
    assert_eq!(listening, [format!("0100007F{wanted}")]);
}

#[test]
fn a_server_may_start_later_and_until_then_its_clients_are_hung_up_on() {
    as_each_user(|outwall| {
        let [port] = free_ports();
        let outwall = outwall.policy(&format!("[environments.default]\npublish = [\"8000:{port}\"]\n"));
        let serve = "echo up; read go; exec /usr/bin/python3 -m http.server 8000 --bind 127.0.0.1";
        let mut sandbox = outwall.start_sandbox(&[], &["sh", "-c", serve]);
        sandbox.wait_for_output("up");
        assert!(is_hung_up(dial(Ipv4Addr::LOCALHOST, port).unwrap()));
        sandbox.write("go\n");
        let page = (0..100).find_map(|_| {
            thread::sleep(Duration::from_millis(100));
            let mut stream = dial(Ipv4Addr::LOCALHOST, port).ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let mut page = String::new();
            stream.read_to_string(&mut page).ok()?;
            (!page.is_empty()).then_some(page)
        });
        assert!(
            page.as_deref()
                .is_some_and(|page| page.starts_with("HTTP/1.0 200")),
            "{page:?}"
        );
        sandbox.signal("TERM");
        sandbox.finish();
        let failed = outwall.audit_of("published.ended");
        assert_eq!(failed[0]["outcome"], "failed", "{failed:#?}");
    });
}

#[test]
fn many_connections_and_long_conversations_pass_and_all_are_on_record() {
    const MANY: usize = 150;
    as_each_user(|outwall| {
        let [port] = free_ports();
        let published = format!("3000:{port}");
        let command = ["/usr/bin/python3", "-c", ECHO, "0.0.0.0", "3000"];
        let sandbox = outwall.start_sandbox(&["--quiet", "--publish", &published], &command);
        sandbox.wait_for_output("ready");
        let mut open: Vec<TcpStream> = (0..MANY)
            .map(|_| dial(Ipv4Addr::LOCALHOST, port).unwrap())
            .collect();
        let bulk = vec![b'x'; 256 * 1024];
        for stream in &mut open {
            assert!(echoes(stream, b"first"), "they are all open at once");
        }
        for (round, stream) in open.iter_mut().enumerate().take(20) {
            // What a page and its server say to each other while somebody edits.
            assert!(echoes(stream, format!("{{\"update\":{round}}}").as_bytes()));
        }
        let mut reader = open[0].try_clone().unwrap();
        let sent = bulk.clone();
        let sending = thread::spawn(move || reader.write_all(&sent).is_ok());
        let mut back = vec![0; bulk.len()];
        open[0].read_exact(&mut back).unwrap();
        assert!(sending.join().unwrap() && back == bulk);
        // The command ends while they are open: so do they, and the run.
        sandbox.signal("TERM");
        sandbox.finish();
        for stream in open {
            assert!(is_hung_up(stream));
        }
        assert_eq!(outwall.audit_of("published.came_in").len(), MANY);
        assert_eq!(outwall.audit_of("published.ended").len(), MANY);
        outwall.run(&["audit", "verify"]).exited_with(0);
    });
}

#[test]
fn what_cannot_be_published_is_said_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let outwall = crate::outwall();
    for (options, said) in [
        (
            vec!["--publish".to_owned(), format!("3000:{port}")],
            "is taken on this machine",
        ),
        (
            vec!["--publish".to_owned(), "15001".to_owned()],
            "is the gate's own",
        ),
        (
            ["--host-port", "5432", "--publish", "5432:0"]
                .map(str::to_owned)
                .to_vec(),
            "stands for the host's",
        ),
    ] {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let finished = outwall
            .sandbox(&options, &["sh", "-c", "echo ran"])
            .exited_with(125);
        assert!(
            finished.stderr.contains(said) && finished.stderr.contains("hint:"),
            "{finished:?}"
        );
        assert_eq!(finished.stdout, "");
    }
}
