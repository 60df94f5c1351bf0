//! The sweep of a canary: a program in the sandbox reads all that it can, whatever any request returned included, and nothing of it
//! says more of a secret than seven bytes in a row.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use outwall_tests::credentials::{STANDARD, base64};
use outwall_tests::{Outwall, REFLECTIONS, TestOrigin, skip};
use tempfile::{TempDir, tempdir};

use crate::outwall;

const SECRETS: usize = 20;
/// From this one on they come from the keyring, where there is one.
const OF_KEYRING: usize = 17;
/// Where no credential is: what is sent there comes back.
const OPEN: &str = "open.canary.test";
/// Of the random part of a secret, in bytes: fewer in a row say nothing.
const WINDOW: usize = 8;

/// One host each, from every source: Vault and GitHub are the stand-in at `services`; the keyring is a real one where one is
/// installed.
fn story(origin: &TestOrigin, directory: &Path, services: &str, desktop: Option<&Desktop>) -> Outwall {
    fs::write(directory.join("app.pem"), rsa_key()).unwrap();
    let app = directory.join("app.pem").display().to_string();
    let mut policy =
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"*.canary.test\"]\n".to_owned();
    let mut outwall = outwall().origin(OPEN, origin).variable("VAULT_TOKEN", "canary");
    if let Some(desktop) = desktop {
        outwall = outwall.variable("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
    }
    for number in 0..SECRETS {
        let source = match number % 5 {
            _ if number >= OF_KEYRING && desktop.is_some() => {
                format!("{{ keyring = \"canary\", account = \"{number}\" }}")
            }
            0 => format!("{{ env = \"CANARY_{number}\" }}"),
            1 => {
                let file = directory.join(number.to_string());
                fs::write(&file, secret(number)).unwrap();
                format!("{{ file = \"{}\" }}", file.display())
            }
            2 => format!("{{ command = [\"/bin/echo\", \"{}\"] }}", secret(number)),
            3 => format!("{{ vault = \"c{number}\", key = \"key\", address = \"{services}\" }}"),
            _ => format!(
                "{{ github_app = 1, installation = {number}, private_key = {{ file = \"{app}\" }}, repositories = [42], api = \"{services}\" }}"
            ),
        };
        let inject = match number % 4 {
            0 => "{ header = \"x-api-key\" }",
            1 => "{ header = \"authorization\", scheme = \"Bearer\" }",
            2 => "{ basic = \"user\" }",
            _ => "{ header = \"x-token\", scheme = \"token\" }",
        };
        let _ = write!(
            policy,
            "[[credentials]]\nname = \"c{number}\"\nsource = {source}\nhosts = [\"{}\"]\ninject = [{inject}]\n\
             placeholder = {{ env = \"KEY_{number}\" }}\nenvironments = [\"default\"]\n",
            host(number)
        );
        outwall = outwall
            .origin(&host(number), origin)
            .variable(&format!("CANARY_{number}"), &secret(number));
    }
    let outwall = outwall.policy(&policy);
    outwall.write_work_file("sweep.py", SWEEP);
    outwall
}

/// A desktop session of its own, whose keyring has the last of the secrets.
struct Desktop {
    session: Child,
    address: String,
    _home: TempDir,
}

impl Desktop {
    /// None, said loudly, where the machine has none.
    fn start() -> Option<Self> {
        let has = |program: &&str| Command::new(program).arg("--version").output().is_ok();
        if let Some(missing) = ["gnome-keyring-daemon", "secret-tool", "dbus-run-session"]
            .iter()
            .find(|program| !has(program))
        {
            skip(
                "the keyring of the sweep",
                &format!("`{missing}` is not installed"),
            );
            return None;
        }
        let home = tempdir().unwrap();
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "sh", "-c", SESSION, "sh"]);
        command.args((OF_KEYRING..SECRETS).flat_map(|number| [number.to_string(), secret(number)]));
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
            command.env(variable, home.path());
        }
        let mut session = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(session.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        assert!(!address.is_empty(), "the session did not start");
        Some(Self {
            session,
            address,
            _home: home,
        })
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        drop(self.session.stdin.take()); // which it waits for
        let _ = self.session.wait();
    }
}

/// Unlocks a keyring, stores pairs of account and secret, says where its bus is, and stays until its input ends.
const SESSION: &str = r#"
set -e
printf 'a password\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
while [ $# -gt 0 ]; do
    printf '%s' "$2" | secret-tool store --label=canary service canary username "$1"
    shift 2
done
echo "$DBUS_SESSION_BUS_ADDRESS"
cat >/dev/null
"#;

/// As GitHub gives one to the owner of an app.
fn rsa_key() -> Vec<u8> {
    let made = Command::new("openssl").args(["genrsa", "2048"]).output();
    made.expect("openssl is there").stdout
}

/// What answers as Vault's KV version 2 and as GitHub's API do, with the secrets by number.
struct Services {
    server: Child,
    url: String,
}

impl Services {
    fn start() -> Self {
        let secrets: Vec<String> = (0..SECRETS).map(secret).collect();
        let mut server = Command::new("python3")
            .args(["-c", SERVICES, &secrets.join(",")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        Self { server, url }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

const SERVICES: &str = r#"
import http.server, json, sys
secrets = sys.argv[1].split(",")

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("x-vault-token") != "canary":
            return self.say(403, {"errors": ["permission denied"]})
        if self.path == "/v1/auth/token/lookup-self":
            return self.say(200, {"data": {"ttl": 3600, "renewable": False}})
        number = int(self.path.removeprefix("/v1/secret/data/c"))
        metadata = {"version": 1, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}
        self.say(200, {"data": {"data": {"key": secrets[number]}, "metadata": metadata}})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        assert self.headers["authorization"].startswith("Bearer ey"), "signed by the app"
        number = int(self.path.split("/")[3])
        self.say(201, {"token": secrets[number], "expires_at": "2099-01-01T00:00:00Z", "repositories": [{"id": 42}]})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"#;

fn host(number: usize) -> String {
    format!("h{number}.canary.test")
}

/// The same in each run, and random enough to be found nowhere by chance.
fn secret(number: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(STANDARD[(state >> 58) as usize % 62])
    };
    format!("canary-{}", (0..40).map(|_| letter()).collect::<String>())
}

/// Every way in which eight bytes of the random part of a secret may stand in a dump.
struct Windows {
    by_length: BTreeMap<usize, HashSet<Vec<u8>>>,
    /// Whether one begins with these two bytes.
    begins: Vec<bool>,
}

impl Windows {
    fn of(secrets: &[String]) -> Self {
        let mut windows = Self {
            by_length: BTreeMap::new(),
            begins: vec![false; 1 << 16],
        };
        for secret in secrets {
            let random = secret.strip_prefix("canary-").unwrap().as_bytes();
            random.windows(WINDOW).for_each(|window| windows.add_all(window));
            // Nine bytes are three whole groups, wherever the text around them begins.
            let groups = random
                .windows(9)
                .map(|window| base64(window, STANDARD).into_bytes());
            groups.for_each(|group| windows.add(group));
        }
        windows
    }

    fn add_all(&mut self, window: &[u8]) {
        let each = |write: fn(u8) -> String| window.iter().map(|byte| write(*byte)).collect::<String>();
        self.add(window.to_vec());
        self.add(window.to_ascii_uppercase());
        self.add(each(|byte| format!("{byte:02x}")).into_bytes());
        self.add(each(|byte| format!("%{byte:02X}")).into_bytes());
        self.add(each(|byte| format!("\\u{byte:04x}")).into_bytes());
    }

    fn add(&mut self, window: Vec<u8>) {
        self.begins[beginning(&window)] = true;
        self.by_length.entry(window.len()).or_default().insert(window);
    }

    /// The first that stands in a dump.
    fn find(&self, dump: &[u8]) -> Option<String> {
        let places = (0..dump.len().saturating_sub(1)).filter(|at| self.begins[beginning(&dump[*at..])]);
        let found = |at: usize| {
            let mut lengths = self.by_length.iter();
            lengths.find_map(|(length, known)| {
                dump.get(at..at + length).filter(|window| known.contains(*window))
            })
        };
        places
            .into_iter()
            .find_map(found)
            .map(|window| String::from_utf8_lossy(window).into_owned())
    }
}

fn beginning(window: &[u8]) -> usize {
    usize::from(window[0]) << 8 | usize::from(window[1])
}

/// What `sweep.py` wrote, by the part.
fn parts(outwall: &Outwall) -> Vec<(String, Vec<u8>)> {
    let dump = fs::read(outwall.work_dir().join("dump")).unwrap();
    let mut parts = Vec::new();
    for part in dump.split_inclusive_at(b"\n=== ") {
        let end = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        parts.push((
            String::from_utf8_lossy(&part[..end]).into_owned(),
            part[end..].to_vec(),
        ));
    }
    parts
}

trait SplitAt {
    fn split_inclusive_at(&self, mark: &[u8]) -> Vec<&[u8]>;
}

impl SplitAt for Vec<u8> {
    fn split_inclusive_at(&self, mark: &[u8]) -> Vec<&[u8]> {
        let mut starts: Vec<usize> = (0..self.len().saturating_sub(mark.len()))
            .filter(|at| self[*at..].starts_with(mark))
            .collect();
        starts.push(self.len());
        starts
            .windows(2)
            .map(|pair| &self[pair[0] + mark.len()..pair[1]])
            .collect()
    }
}

#[test]
fn a_sweep_of_everything_finds_no_secret_and_would_find_one() {
    let (origin, directory) = (TestOrigin::start(), tempdir().unwrap());
    let services = Services::start();
    let desktop = Desktop::start();
    let outwall = story(&origin, directory.path(), &services.url, desktop.as_ref());
    let hosts: Vec<String> = (0..SECRETS).map(host).collect();
    let swept = format!("python3 sweep.py {} {}", REFLECTIONS.join(","), hosts.join(" "));
    let finished = outwall.shell(&[], &swept).succeeded();
    let injected = origin.requests();
    for number in 0..SECRETS {
        let secret = secret(number);
        let pair = base64(format!("user:{secret}").as_bytes(), STANDARD);
        let has = |request: &&outwall_tests::Received| {
            let fields = format!("{:?}", request.headers);
            fields.contains(&secret) || fields.contains(&pair)
        };
        let asked = injected
            .iter()
            .filter(|request| request.header("host").starts_with(&host(number)));
        let asked: Vec<_> = asked.collect();
        assert!(
            asked.len() > REFLECTIONS.len() && asked.iter().all(has),
            "{number} was not used"
        );
    }
    let windows = Windows::of(&(0..SECRETS).map(secret).collect::<Vec<_>>());
    for (name, part) in parts(&outwall) {
        assert_eq!(windows.find(&part), None, "{name} says something of a secret");
    }
    assert!(finished.stdout.contains("swept"), "{finished:?}");
    let found = outwall.audit_of("finding");
    let reflected = found.iter().filter(|event| event["reason"] == "secret-reflected");
    assert!(reflected.count() >= SECRETS, "what was masked is a finding");
}

#[test]
fn the_same_sweep_finds_what_a_sandbox_has() {
    let (origin, directory) = (TestOrigin::start(), tempdir().unwrap());
    let services = Services::start();
    let desktop = Desktop::start();
    let outwall = story(&origin, directory.path(), &services.url, desktop.as_ref());
    let own = secret(99);
    let swept = format!("python3 sweep.py {} {OPEN}", REFLECTIONS.join(","));
    outwall
        .shell(&["--env", &format!("OWN={own}")], &swept)
        .succeeded();
    let (parts, windows) = (parts(&outwall), Windows::of(&[own]));
    let says = |part: &[u8]| windows.find(part).is_some();
    for way in REFLECTIONS {
        let of_way = parts
            .iter()
            .filter(|(name, _)| name.ends_with(&format!(" {way}")));
        let mut of_way = of_way.peekable();
        assert!(of_way.peek().is_some(), "{way} was not swept");
        assert!(
            if way == "part" {
                of_way.any(|(_, part)| says(part))
            } else {
                of_way.all(|(_, part)| says(part))
            },
            "{way} is a way that the sweep does not see"
        );
    }
    for place in ["memory", "environment"] {
        assert!(
            parts.iter().any(|(name, part)| name == place && says(part)),
            "{place}"
        );
    }
}

/// Asks each host in each way by both versions of HTTP, with `$OWN` in a field where there is one, and writes down what came back;
/// then what is in the memory of every process, in the environment and in files.
const SWEEP: &str = r#"
import os, subprocess, sys
ways, hosts = sys.argv[1].split(","), sys.argv[2:]
own = os.environ.get("OWN")
dump = open("dump", "wb")

def part(name, data):
    dump.write(b"\n=== " + name.encode() + b"\n" + data)

# What is read of memory and files has marks of ours in it.
def unmarked(data):
    return data.replace(b"\n=== ", b"\n==_ ")

def transfers(host):
    for way in ways:
        url = f"https://{host}/reflect?as={way}"
        ranges = range(0, 300, 20) if way == "part" else [None]
        for start in ranges:
            yield way, url, start

# One curl for each host and version, so that connections are used again; what it writes behind one answer names the next.
for host in hosts:
    for version in ["http1.1", "http2"]:
        asked = list(transfers(host))
        config = []
        for number, (way, url, start) in enumerate(asked):
            following = asked[number + 1][0] if number + 1 < len(asked) else "end"
            lines = [f'url = "{url}"', "include", "compressed", "silent", "show-error", "max-time = 30", version, 'header = "te: trailers"']
            lines += [f'header = "x-own: {own}"'] if own else []
            lines += [f'range = "{start}-{start + 30}"'] if start is not None else []
            lines += [f'write-out = "\\n=== {host} {version} {following}\\n"']
            config.append("\n".join(lines))
        done = subprocess.run(["curl", "-K", "-"], input="\nnext\n".join(config).encode(), capture_output=True, check=True)
        part(f"{host} {version} {asked[0][0]}", done.stdout)

def memory(process):
    found = b""
    try:
        maps = open(f"/proc/{process}/maps").read().splitlines()
        mem = open(f"/proc/{process}/mem", "rb", 0)
    except OSError:
        return found
    for line in maps:
        places, rights = line.split()[:2]
        if "r" not in rights or "[v" in line:
            continue
        start, end = (int(place, 16) for place in places.split("-"))
        try:
            mem.seek(start)
            found += mem.read(min(end - start, 64 << 20))
        except (OSError, ValueError, OverflowError):
            pass
    return found

processes = [name for name in os.listdir("/proc") if name.isdigit()]
environment = b""
for process in processes:
    try:
        environment += open(f"/proc/{process}/environ", "rb").read()
        environment += open(f"/proc/{process}/cmdline", "rb").read()
    except OSError:
        pass
part("environment", unmarked(environment))
for process in processes:
    part("memory" if process == str(os.getpid()) else f"memory of {process}", unmarked(memory(process)))
for root in ["/tmp", "/run", "/var/tmp", "/dev/shm", "/etc", os.environ["HOME"], os.getcwd()]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if name == "dump" or not os.path.isfile(path) or os.path.getsize(path) > 1 << 20:
                continue
            try:
                part(f"file {path}", unmarked(open(path, "rb").read()))
            except OSError:
                pass
dump.close()
print("swept")
"#;
