//! A sandbox for a test: its directories, its command's output, and what arrived at its listeners.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;

use outwall_policy::SandboxId;
use outwall_sandbox_runtime::{Exit, Listeners, Mount, Prepared, Spec};

/// The directories of one test; removed with it.
pub(crate) struct Ground {
    _all: tempfile::TempDir,
    /// The working directory.
    pub(crate) project: PathBuf,
    /// The host user's home.
    pub(crate) home: PathBuf,
    /// Outwall's state.
    pub(crate) state: PathBuf,
}

/// How a command in a sandbox went.
#[derive(Debug)]
pub(crate) struct Went {
    pub(crate) exit: Exit,
    pub(crate) output: String,
    /// Where its captured connections were meant to go.
    pub(crate) captured: Vec<SocketAddr>,
    /// How many DNS queries came.
    pub(crate) asked: usize,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        let made = ["project", "home", "state"].map(|name| {
            let path = all.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        });
        let [project, home, state] = made;
        Self {
            _all: all,
            project,
            home,
            state,
        }
    }

    /// A sandbox for `sh -c SCRIPT` here, in which `$ME` is this test program.
    pub(crate) fn spec(&self, script: &str) -> Spec {
        let id = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos();
        let command = ["/bin/sh", "-c", script].map(OsString::from).to_vec();
        let mut spec = Spec::new(
            SandboxId::from_random(id.to_ne_bytes()),
            command,
            self.project.clone(),
            self.state.clone(),
        );
        spec.home_path.clone_from(&self.home);
        let me = std::env::current_exe().unwrap();
        let variables = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into()),
            ("HOME", self.home.clone().into()),
            ("ME", me.clone().into_os_string()),
        ];
        spec.variables = variables.map(|(name, value)| (name.into(), value)).to_vec();
        spec.mounts.push(Mount {
            path: me,
            writable: false,
        });
        spec
    }

    /// Runs `sh -c SCRIPT` in a sandbox.
    pub(crate) fn run(&self, script: &str) -> Went {
        run(self.spec(script))
    }

    pub(crate) fn write(&self, path: &str, contents: &str) -> PathBuf {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }
}

/// Runs the sandbox `spec` to its end. Its output goes to a file in its working directory, which this process's own streams cannot be.
pub(crate) fn run(mut spec: Spec) -> Went {
    let path = spec.working_directory.join("output");
    std::fs::write(&path, "").unwrap();
    let owner = std::fs::metadata(&spec.working_directory).unwrap();
    std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    let script = spec.command.pop().unwrap();
    spec.command.extend([
        OsString::from("exec >output 2>&1 </dev/null; exec sh -c \"$0\""),
        script,
    ]);
    let mut prepared = Prepared::new(spec).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let arrivals = serve(prepared.listeners());
    let running = prepared
        .start()
        .unwrap_or_else(|error| panic!("{}", chain(&error)));
    let exit = running.wait().unwrap();
    let output = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let arrived: Vec<Arrival> = arrivals.try_iter().collect();
    let captured = arrived.iter().filter_map(|arrival| {
        if let Arrival::Connection(target) = arrival {
            Some(*target)
        } else {
            None
        }
    });
    Went {
        exit,
        output,
        captured: captured.collect(),
        asked: arrived
            .iter()
            .filter(|arrival| matches!(arrival, Arrival::Query))
            .count(),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

enum Arrival {
    Connection(SocketAddr),
    Query,
}

/// Answers connections with `captured`, and queries with their own bytes, and tells of both.
fn serve(listeners: Listeners) -> mpsc::Receiver<Arrival> {
    let (tell, arrivals) = mpsc::channel();
    for listener in listeners.tcp {
        let tell = tell.clone();
        thread::spawn(move || serve_tcp(&listener, &tell));
    }
    for socket in listeners.dns_udp {
        let tell = tell.clone();
        thread::spawn(move || serve_dns(&socket, &tell));
    }
    arrivals
}

fn serve_tcp(listener: &TcpListener, tell: &mpsc::Sender<Arrival>) {
    listener.set_nonblocking(false).unwrap();
    for mut stream in listener.incoming().flatten() {
        let socket = socket2::SockRef::from(&stream);
        let target = socket
            .original_dst_v4()
            .or_else(|_| socket.original_dst_v6())
            .ok()
            .and_then(|target| target.as_socket());
        // A connection made to the listener itself has no other destination.
        tell.send(Arrival::Connection(
            target.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
        ))
        .ok();
        stream.set_nonblocking(false).ok();
        stream.write_all(b"captured\n").ok();
    }
}

fn serve_dns(socket: &UdpSocket, tell: &mpsc::Sender<Arrival>) {
    socket.set_nonblocking(false).unwrap();
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        tell.send(Arrival::Query).ok();
        socket.send_to(&buffer[..length], from).ok();
    }
}

/// For the tests of sudden death: launches a sandbox that sleeps in the directories of `$GROUND`, says so, and stays.
pub(crate) fn launch_and_stay() -> ExitCode {
    let ground = PathBuf::from(std::env::var_os("GROUND").unwrap());
    let marker = std::env::var_os("MARKER").unwrap();
    let mut spec = Spec::new(
        SandboxId::from_random([7; 4]),
        Vec::new(),
        ground.join("project"),
        ground.join("state"),
    );
    spec.command = ["/bin/sh", "-c", "sleep $0 & setsid sleep $0 & exec sleep $0"]
        .map(OsString::from)
        .to_vec();
    spec.command.push(marker);
    spec.variables = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let running = Prepared::new(spec).unwrap().start().unwrap();
    println!("running");
    running.wait().unwrap();
    ExitCode::SUCCESS
}

/// For the tests of standard streams: runs the script `$SCRIPT` in a sandbox in the directories of `$GROUND`, with the streams of this process.
pub(crate) fn launch_script() -> ExitCode {
    let ground = PathBuf::from(std::env::var_os("GROUND").unwrap());
    let mut spec = Spec::new(
        SandboxId::from_random([8; 4]),
        Vec::new(),
        ground.join("project"),
        ground.join("state"),
    );
    spec.command = ["/bin/sh".into(), "-c".into(), std::env::var_os("SCRIPT").unwrap()].to_vec();
    spec.variables = vec![("PATH".into(), "/usr/bin:/bin".into())];
    match Prepared::new(spec) {
        Ok(prepared) => {
            prepared.start().unwrap().wait().unwrap();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", chain(&error));
            ExitCode::from(125)
        }
    }
}

/// A process like this one that launched a sandbox in `ground` whose processes have `marker` among their words.
pub(crate) fn launcher(ground: &Path, marker: &str) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--launch")
        .env("GROUND", ground)
        .env("MARKER", marker)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    child
}
