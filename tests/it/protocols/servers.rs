//! The servers: other people's, started on loopback as an ordinary user, gone when they are dropped.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use outwall_tests::{ServerIdentity, is_root, skip};

use super::{clients_dir, programs};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Grpc,
    Websockets,
    /// h2 and http/1.1.
    Web,
    /// h2 and nothing else.
    WebH2,
    Postgres,
    Ssh,
}

impl Server {
    const ALL: [Self; 6] = [
        Self::Grpc,
        Self::Websockets,
        Self::Web,
        Self::WebH2,
        Self::Postgres,
        Self::Ssh,
    ];

    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Grpc => "grpc-python",
            Self::Websockets => "Python websockets",
            Self::Web => "hypercorn",
            Self::WebH2 => "node's http2 with ws, h2 only",
            Self::Postgres => "PostgreSQL",
            Self::Ssh => "OpenSSH",
        }
    }
}

/// All of them, running.
pub(super) struct Servers {
    identity: ServerIdentity,
    directory: tempfile::TempDir,
    running: Vec<(Server, SocketAddr, Child)>,
}

/// Starts them; none where they are not installed, with a line that says so.
pub(super) fn start() -> Option<Servers> {
    if !clients_dir().join("venv-protocols/bin/python3").exists() {
        skip(
            "the table of protocols",
            "its clients are not installed. hint: `bash tests/clients/install.sh`",
        );
        return None;
    }
    let identity = ServerIdentity::of(&["web.example.test", "grpc.example.test", "model.example.test"]);
    let mut servers = Servers {
        identity,
        directory: tempfile::Builder::new()
            .prefix("outwall-servers-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory can be made"),
        running: Vec::new(),
    };
    servers.prepare_postgres();
    servers.prepare_ssh();
    for server in Server::ALL {
        servers.start(server);
    }
    servers
        .running
        .iter()
        .for_each(|(server, address, _)| wait_for(*server, *address));
    Some(servers)
}

impl Servers {
    pub(super) fn ca_file(&self) -> &Path {
        self.identity.ca_file()
    }

    pub(super) fn address(&self, server: Server) -> String {
        let mut running = self.running.iter();
        let (_, address, _) = running
            .find(|(which, ..)| *which == server)
            .expect("all are started");
        address.to_string()
    }

    /// Puts into a client's directory what only the servers know.
    pub(super) fn give_client_files(&self, directory: &Path) {
        for (from, name) in [
            (self.ca_file().to_owned(), "origin-ca.pem"),
            (self.path("ssh-key"), "ssh-key"),
        ] {
            fs::copy(from, directory.join(name)).expect("it can be copied");
        }
        fs::write(directory.join("ssh-user"), user()).expect("the directory takes files");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&mut self, server: Server) {
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = free.local_addr().expect("a listener has an address");
        drop(free);
        let mut command = self.command(server, &address.port().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let log = fs::File::create(self.path(&format!("{server:?}.log"))).expect("the directory takes files");
        command.stderr(log);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{server:?}: {error}"));
        self.running.push((server, address, child));
    }

    fn command(&self, server: Server, port: &str) -> Command {
        let python = |program: &str, protocols: &[&str]| {
            let mut command = Command::new(clients_dir().join("venv-protocols/bin/python3"));
            command.arg(programs().join(program));
            command.args([self.identity.certificate_file(), self.identity.key_file()]);
            command.arg(port).args(protocols);
            command
        };
        match server {
            Server::Grpc => python("grpc_server.py", &[]),
            Server::Websockets => python("websockets_server.py", &[]),
            Server::Web => python("asgi_server.py", &["h2", "http/1.1"]),
            Server::WebH2 => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", clients_dir().join("npm/node_modules"));
                command.arg(programs().join("h2_server.cjs"));
                command.args([self.identity.certificate_file(), self.identity.key_file()]);
                command.arg(port);
                command
            }
            Server::Postgres => {
                let mut command = as_user(&postgres("postgres"));
                command.arg("-D").arg(self.path("postgres")).args(["-p", port]);
                command.args([
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "unix_socket_directories=",
                ]);
                command
            }
            Server::Ssh => {
                let mut command = as_user("/usr/sbin/sshd");
                command
                    .args(["-D", "-e", "-p", port, "-f"])
                    .arg(self.path("sshd_config"));
                command
            }
        }
    }

    fn prepare_postgres(&self) {
        let directory = self.path("postgres");
        fs::create_dir(&directory).expect("a new directory takes entries");
        give_to_user(&directory);
        let mut initdb = as_user(&postgres("initdb"));
        initdb
            .args(["-A", "trust", "-U", "outwall", "--no-sync", "-D"])
            .arg(&directory);
        run(initdb);
    }

    fn prepare_ssh(&self) {
        for key in ["ssh-host-key", "ssh-key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(self.path(key));
            run(keygen);
            give_to_user(&self.path(key));
        }
        fs::rename(self.path("ssh-key.pub"), self.path("authorized-keys")).expect("it was just made");
        let config = format!(
            "ListenAddress 127.0.0.1\nHostKey {0}/ssh-host-key\nAuthorizedKeysFile {0}/authorized-keys\nStrictModes no\n\
             UsePAM no\nPidFile none\nPasswordAuthentication no\n",
            self.directory.path().display()
        );
        fs::write(self.path("sshd_config"), config).expect("the directory takes files");
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (_, _, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Who runs the servers that will not be run by root.
fn user() -> String {
    if is_root() {
        return "postgres".to_owned(); // Debian's package makes it
    }
    let said = Command::new("id").arg("-un").output().expect("`id` can be run");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

fn ids_of(user: &str) -> (u32, u32) {
    let id = |flag: &str| {
        let said = Command::new("id")
            .args([flag, user])
            .output()
            .expect("`id` can be run");
        String::from_utf8_lossy(&said.stdout)
            .trim()
            .parse()
            .expect("it prints a number")
    };
    (id("-u"), id("-g"))
}

fn as_user(program: &str) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        let (uid, gid) = ids_of(&user());
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

fn give_to_user(path: &Path) {
    if is_root() {
        let (uid, gid) = ids_of(&user());
        chown(path, Some(uid), Some(gid)).expect("root may give files away");
    }
}

/// A program of the newest PostgreSQL that is installed.
fn postgres(program: &str) -> String {
    let installed = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let versions = installed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().expect("PostgreSQL is installed");
    format!("/usr/lib/postgresql/{newest}/bin/{program}")
}

fn run(mut command: Command) {
    let said = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(said.status.success(), "{command:?}: {said:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for its server is no gate"
)]
fn wait_for(server: Server, address: SocketAddr) {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{server:?} does not listen"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
