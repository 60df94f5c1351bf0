//! Networks whose only way out is a proxy: what is said about it, and that the one that most of them run is one for us.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use outwall_tests::{TestOrigin, TestResolver, skip};

use crate::outwall;

const POLICY: &str = "\
[environments.default]
network = \"custom\"
allowed_domains = [\"api.example.test\"]
[origins.parent_proxy]
url = \"http://proxy.example.test:3128\"
username = \"outwall\"
password = { env = \"STORY_PASSWORD\" }
bypass = [\"10.0.0.0/8\"]
";

#[test]
fn a_password_that_is_not_there_stops_the_gate_and_one_that_is_is_not_shown() {
    let without = outwall().policy(POLICY);
    let refused = without.run(&["proxy", "--listen", "127.0.0.1:0"]).exited_with(1);
    assert!(
        refused
            .stderr
            .contains("policy.toml:7: the parent proxy's password")
            && refused.stderr.contains("`STORY_PASSWORD` is not set"),
        "{}",
        refused.stderr
    );
    let with = outwall().policy(POLICY).variable("STORY_PASSWORD", "hunter2");
    let gate = with.gate();
    assert!(!gate.stderr().contains("hunter2"), "{}", gate.stderr());
    let shown = with.run(&["policy", "show"]).exited_with(0);
    for part in [
        "http://proxy.example.test:3128",
        "`outwall`",
        "$STORY_PASSWORD",
        "10.0.0.0/8",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("hunter2"));
}

#[test]
fn doctor_says_that_a_proxy_variable_is_not_obeyed_and_nothing_when_the_policy_names_a_parent() {
    let told = |policy: &str| {
        let outwall = outwall()
            .policy(policy)
            .variable("HTTPS_PROXY", "http://user:hunter2@proxy.example.test:3128");
        outwall.run(&["doctor"]).stdout
    };
    let without = told("[environments.default]\n");
    assert!(
        without.contains("`HTTPS_PROXY` is set") && without.contains("parent_proxy"),
        "{without}"
    );
    assert!(!without.contains("hunter2"), "{without}");
    let with = told(POLICY);
    assert!(!with.contains("`HTTPS_PROXY` is set"), "{with}");
}

/// A real squid with passwords, as Debian packages it.
struct Squid {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Squid {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const HELPER: &str = "/usr/lib/squid/basic_ncsa_auth";

impl Squid {
    /// Lets `outwall` with the password `hunter2` CONNECT to the origin's TLS port and to no other.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that waits for its server is no gate"
    )]
    fn start(origin: &TestOrigin) -> Option<Self> {
        let program = ["/usr/sbin/squid", "/usr/local/sbin/squid"]
            .into_iter()
            .find(|path| Path::new(path).exists())?;
        if !Path::new(HELPER).exists() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = port.expect("a free port");
        let hash = Command::new("openssl")
            .args(["passwd", "-apr1", "hunter2"])
            .output()
            .ok()?;
        let hash = String::from_utf8(hash.stdout).expect("a hash is text");
        fs::write(at("passwords"), format!("outwall:{hash}")).expect("a file");
        fs::write(at("hosts"), "127.0.0.1 api.example.test\n").expect("a file");
        let shown = folder.path().display();
        let configuration = format!(
            "http_port {address}\nhosts_file {shown}/hosts\npid_filename none\ncache deny all\ncache_log {shown}/cache.log\n\
             access_log stdio:{shown}/access.log\ncoredump_dir {shown}\nshutdown_lifetime 0 seconds\n\
             auth_param basic program {HELPER} {shown}/passwords\nauth_param basic children 1\n\
             acl known proxy_auth REQUIRED\nacl tls port {}\nacl CONNECT method CONNECT\n\
             http_access deny CONNECT !tls\nhttp_access allow known\nhttp_access deny all\n",
            origin.tls_address().port()
        );
        fs::write(at("squid.conf"), configuration).expect("a file");
        open_to_everybody(folder.path());
        let child = Command::new(program)
            .arg("-N")
            .arg("-f")
            .arg(at("squid.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let squid = Self {
            child,
            address,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(
                Instant::now() < deadline,
                "squid does not listen: {}",
                squid.log("cache.log")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(squid)
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// Started as root, squid becomes another user.
fn open_to_everybody(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("it is ours");
}

#[test]
#[ignore = "needs squid (Debian: squid-openssl); tests/all.sh runs it"]
fn squid_is_a_parent_for_http_and_https_and_refuses_who_has_the_wrong_password() {
    let origin = TestOrigin::start();
    let Some(squid) = Squid::start(&origin) else {
        skip(
            "squid as a parent proxy",
            "squid or its basic_ncsa_auth is not installed",
        );
        return;
    };
    let resolver = TestResolver::start(&[]);
    let (tls, plain) = (origin.tls_address().port(), origin.plain_address().port());
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\n\
         allowed_domains = [\"api.example.test:{tls}\", \"api.example.test:{plain}\"]\n\
         [origins]\nresolver = \"{}\"\nextra_roots = [\"{}\"]\n\
         [origins.parent_proxy]\nurl = \"http://{}\"\nusername = \"outwall\"\npassword = {{ env = \"STORY_PASSWORD\" }}\n",
        resolver.address(),
        origin.ca_file().display(),
        squid.address
    );
    let fetch = |password: &str, url: &str| {
        let outwall = outwall().variable("STORY_PASSWORD", password);
        let file = outwall.write_work_file("parent.toml", &policy);
        let gate = outwall.gate_with(&["--config", file.to_str().expect("a path is text")]);
        let fetched = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--include",
                "--max-time",
                "20",
                "--cacert",
            ])
            .arg(gate.ca_file())
            .args(["--proxy", &format!("http://{}", gate.address()), url])
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&fetched.stdout).into_owned() + &String::from_utf8_lossy(&fetched.stderr)
    };
    for url in [
        format!("https://api.example.test:{tls}/over-tls"),
        format!("http://api.example.test:{plain}/in-the-clear"),
    ] {
        let right = fetch("hunter2", &url);
        assert!(
            right.contains(" 200"),
            "{url}: {right}\n{}",
            squid.log("cache.log")
        );
        let wrong = fetch("hunter3", &url);
        assert!(
            wrong.contains("x-outwall-reason: parent-proxy-credentials"),
            "{url}: {wrong}"
        );
    }
    assert_eq!(origin.paths(), ["/over-tls", "/in-the-clear"]);
    let log = squid.log("access.log");
    assert!(
        log.contains(&format!("CONNECT api.example.test:{tls} outwall")),
        "{log}"
    );
    assert!(
        log.contains(&format!(
            "GET http://api.example.test:{plain}/in-the-clear outwall"
        )),
        "{log}"
    );
}
