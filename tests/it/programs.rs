//! Which program asked: each event names the one that did, or says why it is not known. Never another.

use std::collections::{BTreeMap, BTreeSet};

use outwall_tests::{Outwall, TestOrigin};
use serde_json::Value;

use crate::as_each_user;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";

fn reaching(outwall: Outwall, origin: &TestOrigin) -> Outwall {
    outwall
        .allowing(&[HOST, OTHER])
        .origin(HOST, origin)
        .origin(OTHER, origin)
}

fn text<'a>(process: &'a Value, name: &str) -> &'a str {
    process[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {process}"))
}

/// Events whose program was found in time: on a machine that is busy with other things, the first record of a connection may not
/// wait long enough. Most of those that there are have it; and what is named is right in all of them.
fn in_time(events: &[Value]) -> Vec<&Value> {
    let late = |event: &Value| event["process"]["unknown"] == "it took too long to find out";
    let known: Vec<_> = events.iter().filter(|event| !late(event)).collect();
    assert!(!known.is_empty(), "{events:#?}");
    known
}

/// A few times, so that not all of them are late.
const OFTEN: &str = "for n in 1 2 3 4 5 6; do";

/// The name of the executable, without its directory and version: `python3`.
fn program(process: &Value) -> &str {
    let name = text(process, "executable").rsplit('/').next().unwrap();
    if name.starts_with("python3") {
        "python3"
    } else {
        name
    }
}

#[test]
fn curl_and_python_are_named_with_what_started_them() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let script = format!(
            "{OFTEN} curl -sS https://{HOST}/a; python3 -c \"import urllib.request as u; u.urlopen('http://{HOST}/b').read()\"; done"
        );
        outwall.shell(&["--quiet"], &script).succeeded();
        let out = outwall.audit_of("exchange.going_out");
        let out = in_time(&out);
        for event in &out {
            let process = &event["process"];
            let expected = if event["path"] == "/a" { "curl" } else { "python3" };
            assert_eq!(program(process), expected, "{event:#}");
            let ancestors = process["ancestors"].as_array().unwrap();
            assert!(
                ancestors.len() == 1 && ancestors[0].as_str().unwrap().ends_with("sh"),
                "{event:#}"
            );
            assert!(process["pid"].as_u64().unwrap() > 1);
        }
        let both: BTreeSet<_> = out.iter().map(|event| program(&event["process"])).collect();
        assert_eq!(both.len(), 2, "{out:#?}");
    });
}

#[test]
fn the_digest_is_that_of_the_file() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let script =
            format!("{OFTEN} curl -sS https://{HOST}/a >/dev/null; done; sha256sum $(command -v curl)");
        let said = outwall.shell(&["--quiet"], &script).succeeded().stdout;
        let digest = said.trim().split(' ').next().unwrap();
        let out = outwall.audit_of("exchange.going_out");
        let out = in_time(&out);
        let told: BTreeSet<_> = out
            .iter()
            .filter_map(|event| event["process"]["sha256"].as_str())
            .collect();
        assert_eq!(told, BTreeSet::from([digest]), "{out:#?}");
    });
}

#[test]
fn what_is_refused_names_the_program_too() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let script = format!(
            "{OFTEN} curl -sS -o /dev/null https://denied.example.test/; curl -sS -o /dev/null http://{HOST}/; done"
        );
        outwall.shell(&["--quiet"], &script).succeeded();
        for kind in ["denied", "exchange.going_out"] {
            let events = outwall.audit_of(kind);
            assert_eq!(events.len(), 6);
            for event in in_time(&events) {
                assert_eq!(program(&event["process"]), "curl", "{event:#}");
            }
        }
    });
}

#[test]
fn a_name_in_argv_deceives_nobody() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let script = format!(
            "cp $(command -v curl) ./not-git; {OFTEN} bash -c 'exec -a /usr/bin/git ./not-git -sS http://{HOST}/'; done"
        );
        outwall.shell(&["--quiet"], &script).succeeded();
        for event in in_time(&outwall.audit_of("exchange.going_out")) {
            assert_eq!(program(&event["process"]), "not-git", "{event:#}");
        }
    });
}

#[test]
fn a_program_cannot_take_the_name_of_another_and_one_that_is_deleted_or_in_memory_says_so() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let finished = outwall
            .sandbox(&["--quiet"], &["python3", "-c", &IN_MEMORY.replace("HOST", HOST)])
            .succeeded();
        assert!(finished.stdout.contains("PR_SET_MM: 1"), "{finished:?}");
        let out = outwall.audit_of("exchange.going_out");
        let out = in_time(&out);
        for event in &out {
            let executable = text(&event["process"], "executable");
            let expected = if event["path"] == "/gone" {
                "/gone (deleted)"
            } else {
                "/memfd:x (deleted)"
            };
            assert!(executable.ends_with(expected), "{event:#}");
        }
    });
}

/// Tries to give itself another executable; then runs curl from a file that is deleted meanwhile, and from memory.
const IN_MEMORY: &str = r#"
import ctypes, os, shutil, subprocess
libc = ctypes.CDLL(None, use_errno=True)
# PR_SET_MM_MAP_SIZE: anybody may ask that, unless all of PR_SET_MM is refused.
libc.prctl(35, 15, ctypes.create_string_buffer(8), 0, 0)
print("PR_SET_MM:", ctypes.get_errno(), flush=True)
curl = open(shutil.which("curl"), "rb").read()
memory = os.memfd_create("x", 0)
os.write(memory, curl)
for n in range(6):
    with open("gone", "wb") as gone: gone.write(curl)
    os.chmod("gone", 0o755)
    # Its configuration comes when it is deleted.
    running = subprocess.Popen(["./gone", "-K", "-", "-sS", "-o", "/dev/null"], stdin=subprocess.PIPE)
    while os.readlink(f"/proc/{running.pid}/exe").split("/")[-1] != "gone": pass
    os.unlink("gone")
    running.communicate(b"url = http://HOST/gone\n")
    subprocess.run([f"/proc/self/fd/{memory}", "-sS", "-o", "/dev/null", "http://HOST/memory"], pass_fds=[memory])
"#;

#[test]
fn a_socket_that_two_programs_hold_is_nobodys_and_one_that_a_child_holds_is_its_parents() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let finished = outwall.sandbox(&["--quiet"], &["python3", "-c", &SHARED.replace("HOST", HOST)]);
        let said = finished.succeeded().stdout;
        let out = outwall.audit_of("exchange.going_out");
        let out = in_time(&out);
        let by_path: BTreeMap<_, _> = out
            .iter()
            .map(|event| (event["path"].as_str().unwrap(), &event["process"]))
            .collect();
        assert!(
            text(by_path["/shared"], "unknown").starts_with("its socket is shared by /"),
            "{out:#?}"
        );
        assert!(by_path["/shared"]["executable"].is_null());
        assert_eq!(program(by_path["/forked"]), "python3", "{out:#?}");
        assert_eq!(
            by_path["/forked"]["pid"].as_u64(),
            said.trim().parse().ok(),
            "the one that was there first: {out:#?}"
        );
    });
}

/// Two holders of one connection before anything is sent on it: another program, and a child of this one.
const SHARED: &str = r#"
import os, socket, subprocess, time
def ask(s, path):
    time.sleep(0.5) # it is looked for from the moment when it is accepted
    s.sendall(f"GET {path} HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n".encode())
    while s.recv(4096): pass
def unconnected():
    s = socket.socket(); s.set_inheritable(True); return s
address = socket.getaddrinfo("HOST", 80, socket.AF_INET, socket.SOCK_STREAM)[0][4]
s = unconnected()
child = subprocess.Popen(["sleep", "60"], close_fds=False)
time.sleep(0.2)
s.connect(address[:2]); ask(s, "/shared"); child.kill(); child.wait(); s.close()
s = unconnected()
print(os.getpid(), flush=True)
pid = os.fork()
if pid == 0:
    time.sleep(60); os._exit(0)
s.connect(address[:2]); ask(s, "/forked"); os.kill(pid, 9); os.wait()
"#;

#[test]
fn a_program_that_is_gone_is_unknown_and_the_next_one_is_named() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        outwall
            .sandbox(&["--quiet"], &["python3", "-c", &GONE.replace("HOST", HOST)])
            .succeeded();
        for event in in_time(&outwall.audit_of("exchange.going_out")) {
            let process = &event["process"];
            match (event["path"].as_str(), process["unknown"].as_str()) {
                (Some("/gone"), Some(why)) => assert!(
                    ["closed", "ended", "no process"]
                        .iter()
                        .any(|word| why.contains(word)),
                    "{event:#}"
                ),
                _ => assert_eq!(program(process), "python3", "{event:#}"),
            }
        }
    });
}

/// Children that connect, ask and are gone, and then a request as usual.
const GONE: &str = r#"
import os, socket, time
address = socket.getaddrinfo("HOST", 80, type=socket.SOCK_STREAM)[0][4][:2]
for n in range(20):
    pid = os.fork()
    if pid == 0:
        s = socket.create_connection(address)
        s.sendall(b"GET /gone HTTP/1.1\r\nhost: HOST\r\n\r\n")
        os._exit(0)
    os.waitpid(pid, 0)
s = socket.create_connection(address)
time.sleep(0.5)
s.sendall(b"GET /stays HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n")
while s.recv(4096): pass
"#;

#[test]
#[ignore = "a measurement: of the time that it takes to find out, per connection and per request"]
fn what_it_costs() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        for (idle, connections, requests) in [(10, 500, 1), (500, 500, 1), (10, 1, 500)] {
            let script = format!(
                "for n in $(seq {idle}); do sleep 600 & done; python3 -c '{COST}' {HOST} {connections} {requests}; sleep 600"
            );
            let sandbox = outwall.start_sandbox(&["--quiet"], &["bash", "-c", &script]);
            sandbox.wait_for_output("before");
            let before = thread_time(sandbox.pid());
            sandbox.wait_for_output("after");
            let spent = thread_time(sandbox.pid()) - before;
            println!(
                "{idle} other processes, {connections} connections, {requests} requests each: {} us per connection",
                spent / 1000 / connections
            );
            sandbox.signal("TERM");
            sandbox.finish();
        }
        let unknown = outwall.audit_of("exchange.going_out");
        let unknown = unknown
            .iter()
            .filter(|event| event["process"]["unknown"].is_string());
        println!("unknown: {}", unknown.count());
    });
}

/// Nanoseconds of processor time of the threads that ask.
fn thread_time(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let thread = thread.unwrap().path();
        let name = std::fs::read_to_string(thread.join("comm")).unwrap();
        let times = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        let spent: u64 = times.split(' ').next().unwrap().parse().unwrap();
        if name.starts_with("outwall-asker") || name.starts_with("outwall-diges") {
            spent
        } else {
            0
        }
    };
    threads.map(of).sum()
}

/// Connections, one after the other, with requests on each.
const COST: &str = r#"
import http.client, sys, time
def connect(requests):
    c = http.client.HTTPConnection(sys.argv[1])
    for n in range(requests): c.request("GET", "/"); c.getresponse().read()
    c.close()
connect(1)
time.sleep(1); print("before", flush=True); time.sleep(1)
for n in range(int(sys.argv[2])): connect(int(sys.argv[3]))
time.sleep(1); print("after", flush=True)
"#;

#[test]
fn in_a_race_of_two_programs_none_is_taken_for_the_other() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = reaching(outwall, &origin);
        let script = format!(
            "cp $(command -v curl) ./one; cp $(command -v curl) ./two
             for n in $(seq 60); do
               ./one -sS -o /dev/null http://{HOST}/ & ./two -sS -o /dev/null http://{OTHER}/ &
               ./one -sS -o /dev/null --max-time 0.05 http://{HOST}/ 2>/dev/null & ./two -sS -o /dev/null --max-time 0.05 http://{OTHER}/ 2>/dev/null &
               [ $((n % 6)) = 0 ] && wait
             done; wait; true"
        );
        outwall.shell(&["--quiet"], &script).succeeded();
        let out = outwall.audit_of("exchange.going_out");
        let (mut right, mut unknown) = (0, BTreeMap::<&str, u32>::new());
        for event in &out {
            let process = &event["process"];
            let expected = if event["target"].as_str().unwrap().starts_with(HOST) {
                "one"
            } else {
                "two"
            };
            if let Some(why) = process["unknown"].as_str() {
                *unknown.entry(why).or_default() += 1;
            } else {
                assert_eq!(program(process), expected, "{event:#}");
                right += 1;
            }
        }
        println!(
            "{} events: {right} right, 0 wrong, unknown: {unknown:?}",
            out.len()
        );
        assert!(out.len() >= 120, "{}", out.len());
        assert!(right > 0);
    });
}
