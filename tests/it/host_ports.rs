//! `--host-port`: one port of the host's loopback is reached from inside, by name and as `localhost`, and no other.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use crate::as_each_user;

/// A server of the host that speaks first, says back what it hears, and hangs up when the client does.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = connection.write_all(b"220 ");
                let mut heard = Vec::new();
                let _ = connection.read_to_end(&mut heard);
                let _ = connection.write_all(&heard);
            });
        }
    });
    port
}

/// Says hello to every `HOST PORT` and prints what comes back, or which error.
const SAY_HELLO: &str = r#"
import socket, sys
for host, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(b"hello"); s.shutdown(socket.SHUT_WR)
            said = b""
            while part := s.recv(4096): said += part
            print(host, "220 hello" if said == b"220 hello" else "refused")
    except OSError as error:
        print(host, type(error).__name__)
"#;

#[test]
fn one_port_of_the_host_is_reached_by_name_and_as_localhost_and_no_other() {
    as_each_user(|outwall| {
        let (open, shut) = (greeter().to_string(), greeter().to_string());
        let reached = ["localhost", "127.0.0.1", "::1", "host.outwall.internal"];
        let not_there = ["127.0.0.1", "::1", "127.0.0.2", "10.99.0.2"];
        let asked = reached.iter().flat_map(|host| [*host, &open]);
        let asked = asked.chain(not_there.iter().flat_map(|host| [*host, &shut]));
        let asked = asked.chain(["host.outwall.internal", &shut]);
        let command: Vec<&str> = ["/usr/bin/python3", "-c", SAY_HELLO]
            .into_iter()
            .chain(asked)
            .collect();
        let options = ["--quiet", "--network", "none", "--host-port", &open];
        let finished = outwall.sandbox(&options, &command);
        let expected: Vec<String> = reached
            .iter()
            .map(|host| format!("{host} 220 hello"))
            .chain(
                not_there
                    .iter()
                    .map(|host| format!("{host} ConnectionRefusedError")),
            )
            .chain(["host.outwall.internal refused".to_owned()])
            .collect();
        assert_eq!(
            finished.stdout.lines().collect::<Vec<_>>(),
            expected,
            "{finished:?}"
        );
        let out = outwall.audit_of("connection.going_out");
        assert_eq!(out.len(), reached.len(), "{out:#?}");
        for event in &out {
            assert_eq!(event["target"], format!("host.outwall.internal:{open}"));
            assert_eq!(event["rule"], format!("host_ports {open}"));
        }
        for event in outwall.audit_of("connection.came_back") {
            assert_eq!((&event["bytes_up"], &event["bytes_down"]), (&5.into(), &9.into()));
        }
        let denied = outwall.audit_of("denied");
        assert_eq!(denied.len(), 1, "{denied:#?}");
        assert_eq!(denied[0]["reason"], "host-port-not-allowed");
        assert!(
            denied[0]["remedy"]
                .as_str()
                .unwrap()
                .contains(&format!("--host-port {shut}"))
        );
    });
}

#[test]
fn without_it_the_hosts_loopback_is_out_of_reach_by_any_name() {
    as_each_user(|outwall| {
        let port = greeter().to_string();
        let outwall = outwall.allowing(&["*.internal", "*.example.test", &format!("x.example.test:{port}")]);
        let hosts = ["127.0.0.1", "::1", "host.outwall.internal", "x.example.test"];
        let asked = hosts.iter().flat_map(|host| [*host, &port]);
        let command: Vec<&str> = ["/usr/bin/python3", "-c", SAY_HELLO]
            .into_iter()
            .chain(asked)
            .collect();
        let finished = outwall.sandbox(&["--quiet"], &command);
        assert!(!finished.stdout.contains("220"), "{finished:?}");
        assert_eq!(finished.stdout.lines().count(), hosts.len(), "{finished:?}");
        assert_eq!(outwall.audit_of("connection.going_out").len(), 0);
    });
}

#[test]
fn a_policy_file_names_host_ports_too_and_a_proxy_keeps_to_them() {
    let (open, shut) = (greeter(), greeter());
    let outwall = crate::outwall().policy(&format!("[environments.default]\nhost_ports = [{open}]\n"));
    let gate = outwall.gate();
    for (port, status) in [
        (open, "HTTP/1.1 200"),
        (shut, "HTTP/1.1 403"),
        (gate.address().port(), "HTTP/1.1 403"),
    ] {
        let mut raw = gate.raw();
        let target = format!("host.outwall.internal:{port}");
        raw.send(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n"));
        assert!(raw.read_head().starts_with(status), "{port}");
    }
    let shown = outwall.run(&["policy", "show"]).succeeded();
    assert!(
        shown.stdout.contains(&format!("host.outwall.internal:{open}")),
        "{shown:?}"
    );
}

/// PostgreSQL's own programs, where they are installed.
fn postgresql() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.flatten().map(|version| version.path().join("bin"));
    programs.filter(|bin| bin.join("initdb").exists()).max()
}

#[test]
fn a_database_of_the_host_is_used_from_inside() {
    let Some(bin) = postgresql() else {
        eprintln!(
            "SKIPPED: a database of the host is used from inside: there is no PostgreSQL in /usr/lib/postgresql"
        );
        return;
    };
    as_each_user(|outwall| {
        let outwall = outwall.as_ordinary_user(); // the server refuses to be root
        let port = free_port();
        let data = outwall.home_dir().join("data");
        let run = |program: &str, arguments: &[&str]| {
            let program = bin.join(program);
            outwall.start_other(program.to_str().unwrap(), arguments)
        };
        let folder = data.to_str().unwrap();
        run("initdb", &["-D", folder, "-A", "trust", "-U", "ada", "--no-sync"])
            .finish()
            .succeeded();
        let settings =
            format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off");
        let started = run(
            "pg_ctl",
            &["-D", folder, "-w", "-o", &settings, "-l", "/dev/null", "start"],
        );
        started.finish().succeeded();
        let query = format!(
            "psql -h localhost -p {port} -U ada -d postgres -Atc 'select 6*7'; \
             psql -h host.outwall.internal -p {port} -U ada -d postgres -Atc 'select count(*) from generate_series(1, 100000)'"
        );
        let finished = outwall.shell(&["--quiet", "--host-port", &port.to_string()], &query);
        run("pg_ctl", &["-D", folder, "-m", "immediate", "stop"])
            .finish()
            .succeeded();
        assert_eq!(finished.stdout, "42\n100000\n", "{finished:?}");
    });
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
