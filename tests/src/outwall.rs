//! A place of its own for one story: a policy file, a state directory, a home, a user.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::github::{ENTERPRISE, GitHub, HOSTS};
use crate::process::{Finished, Running, TIME_LIMIT, TestSandbox};
use crate::{TestGate, TestOrigin, TestResolver, is_root};

/// The `outwall` binary with a policy file, a state directory, a home and a working
/// directory that no other story shares. Nothing of the caller's environment but `PATH`
/// reaches it.
pub struct Outwall {
    binary: PathBuf,
    story: TempDir,
    policy: String,
    hosts: Vec<(String, String)>,
    roots: Vec<PathBuf>,
    resolver: Option<String>,
    variables: Vec<(String, String)>,
    user: User,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    Same,
    Ordinary,
}

impl Outwall {
    /// The binary at `path`: in a story, `env!("CARGO_BIN_EXE_outwall")`.
    pub fn at(path: impl AsRef<Path>) -> Self {
        let story = tempfile::Builder::new()
            .prefix("outwall-story-")
            .tempdir_in("/tmp")
            .expect("a temporary directory can be made");
        for room in ["state", "home", "work"] {
            let room = story.path().join(room);
            fs::create_dir(&room).expect("a new directory takes entries");
            fs::set_permissions(&room, Permissions::from_mode(0o700)).expect("the directory is ours");
        }
        Self {
            binary: path.as_ref().to_owned(),
            story,
            policy: String::new(),
            hosts: Vec::new(),
            roots: Vec::new(),
            resolver: None,
            variables: Vec::new(),
            user: User::Same,
        }
    }

    /// The policy file, all but its `[origins]`.
    #[must_use]
    pub fn policy(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.policy);
        self.write_policy();
        self
    }

    /// A policy file with one environment, `custom`, that allows these domains.
    #[must_use]
    pub fn allowing(self, domains: &[&str]) -> Self {
        self.policy(&format!(
            "default_environment = \"test\"\n\n[environments.test]\nnetwork = \"custom\"\nallowed_domains = {domains:?}\n"
        ))
    }

    /// Points `host` at `origin` in `[origins]`, TLS and plaintext, and trusts its CA there.
    #[must_use]
    pub fn origin(mut self, host: &str, origin: &TestOrigin) -> Self {
        let host = host.to_ascii_lowercase();
        self.hosts
            .retain(|(target, _)| target.rsplit_once(':').is_none_or(|(name, _)| name != host));
        self.hosts
            .push((format!("{host}:443"), origin.tls_address().to_string()));
        self.hosts
            .push((format!("{host}:80"), origin.plain_address().to_string()));
        if !self.roots.iter().any(|root| root == origin.ca_file()) {
            self.roots.push(origin.ca_file().to_owned());
        }
        self.write_policy();
        self
    }

    /// Points every name of `github` at it in `[origins]`, and trusts its CA there.
    #[must_use]
    pub fn github(mut self, github: &GitHub) -> Self {
        for host in HOSTS.into_iter().chain([ENTERPRISE]) {
            self.hosts
                .push((format!("{host}:443"), github.address().to_string()));
            self.hosts
                .push((format!("{host}:80"), github.proxy_address().to_string()));
        }
        self.root(github.ca_file())
    }

    /// Points `target` (`host` or `host:port`) at an address in `[origins]`.
    #[must_use]
    pub fn host(mut self, target: &str, address: &str) -> Self {
        self.hosts.push((target.to_owned(), address.to_owned()));
        self.write_policy();
        self
    }

    /// Origins are verified against this CA, too.
    #[must_use]
    pub fn root(mut self, ca_file: &Path) -> Self {
        self.roots.push(ca_file.to_owned());
        self.write_policy();
        self
    }

    /// Names of origins are looked up at this resolver.
    #[must_use]
    pub fn resolver(mut self, resolver: &TestResolver) -> Self {
        self.resolver = Some(resolver.address().to_string());
        self.write_policy();
        self
    }

    /// Sets a variable in `outwall`'s own environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Everything of this story runs as uid 1000 when the tests run as root; as the same
    /// user otherwise. The binary is copied to where that user can reach it, if need be.
    #[must_use]
    pub fn as_ordinary_user(mut self) -> Self {
        if is_root() {
            self.user = User::Ordinary;
            if !reachable_by_all(&self.binary) {
                let copy = self.story.path().join("outwall");
                fs::copy(&self.binary, &copy).expect("the binary can be copied");
                self.binary = copy;
            }
            give_away(self.story.path());
        }
        self
    }

    /// `outwall ARGS`, run to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        Running::start(self.command(arguments)).finish(TIME_LIMIT)
    }

    /// As [`run`](Self::run), for what keeps both cores busy by itself, and takes minutes where others do too.
    #[track_caller]
    pub fn run_patiently(&self, arguments: &[&str]) -> Finished {
        self.run_within(5 * TIME_LIMIT, arguments)
    }

    /// As [`run`](Self::run), for what takes as long as the story has it do.
    #[track_caller]
    pub fn run_within(&self, limit: Duration, arguments: &[&str]) -> Finished {
        Running::start(self.command(arguments)).finish(limit)
    }

    /// `outwall run OPTIONS -- COMMAND`, run to its end.
    #[track_caller]
    pub fn sandbox(&self, options: &[&str], command: &[&str]) -> Finished {
        self.start_sandbox(options, command).finish()
    }

    /// `outwall ARGS`, in the background.
    pub fn start(&self, arguments: &[&str]) -> TestSandbox {
        TestSandbox::start(self.command(arguments))
    }

    /// `outwall run OPTIONS -- COMMAND`, in the background.
    pub fn start_sandbox(&self, options: &[&str], command: &[&str]) -> TestSandbox {
        let arguments = [&["run"], options, &["--"], command].concat();
        TestSandbox::start(self.command(&arguments))
    }

    /// A command of [`Outwall::command`], in the background.
    pub fn start_command(&self, command: Command) -> TestSandbox {
        TestSandbox::start(command)
    }

    /// Another program in the background, as this story's user and in its surroundings.
    pub fn start_other(&self, program: &str, arguments: &[&str]) -> TestSandbox {
        let mut command = Command::new(program);
        command.args(arguments);
        self.surround(&mut command);
        TestSandbox::start(command)
    }

    /// `outwall run OPTIONS -- sh -c SCRIPT`, run to its end.
    #[track_caller]
    pub fn shell(&self, options: &[&str], script: &str) -> Finished {
        self.sandbox(options, &["sh", "-c", script])
    }

    /// `outwall proxy`, once it listens, for whoever connects.
    #[track_caller]
    pub fn gate(&self) -> TestGate {
        self.gate_with(&[])
    }

    /// `outwall proxy` with more arguments, once it listens. Clients need no credential.
    #[track_caller]
    pub fn gate_with(&self, arguments: &[&str]) -> TestGate {
        let says_who = arguments
            .iter()
            .any(|argument| argument.starts_with("--anonymous"));
        let anonymous: &[&str] = if says_who { &[] } else { &["--anonymous"] };
        self.shared_gate(&[anonymous, arguments].concat())
    }

    /// `outwall proxy` with more arguments, once it listens: only for clients with a credential, unless these say otherwise.
    #[track_caller]
    pub fn shared_gate(&self, arguments: &[&str]) -> TestGate {
        self.gate_by(&[&["proxy", "--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// `outwall ARGS`, once it says where it listens.
    #[track_caller]
    pub fn gate_by(&self, arguments: &[&str]) -> TestGate {
        TestGate::start(self.command(arguments), self.state_dir())
    }

    /// `outwall proxy` in a process whose files cannot grow beyond `kib`: as on a full disk.
    #[track_caller]
    pub fn gate_with_files_up_to(&self, kib: u32) -> TestGate {
        // dash counts in blocks of 512 bytes. A full disk sends no signal, so neither does this.
        let limit = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$@\"", kib * 2);
        let wrapper = ["dash", "-c", &limit, "dash"];
        TestGate::start(
            self.wrapped(&wrapper, &["proxy", "--listen", "127.0.0.1:0", "--anonymous"]),
            self.state_dir(),
        )
    }

    /// `outwall proxy` in a process that may have so many open files and no more.
    #[track_caller]
    pub fn gate_with_open_files(&self, most: u32) -> TestGate {
        let limit = format!("ulimit -n {most}; exec \"$@\"");
        let wrapper = ["dash", "-c", &limit, "dash"];
        TestGate::start(
            self.wrapped(&wrapper, &["proxy", "--listen", "127.0.0.1:0", "--anonymous"]),
            self.state_dir(),
        )
    }

    /// Every audit record, oldest first, as `outwall audit` prints them.
    #[track_caller]
    pub fn audit(&self) -> Vec<Value> {
        self.audit_with(&[])
    }

    /// The audit records that `outwall audit ARGS` prints.
    #[track_caller]
    pub fn audit_with(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["audit", "--format", "json"], arguments].concat();
        let printed = self.run(&arguments).succeeded().stdout;
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        printed
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(parse)
            .collect()
    }

    /// The audit records of one kind, such as `exchange.going_out`.
    #[track_caller]
    pub fn audit_of(&self, kind: &str) -> Vec<Value> {
        self.audit()
            .into_iter()
            .filter(|record| record["kind"] == kind)
            .collect()
    }

    /// A command that is `outwall ARGS` as this story's user, in its working directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(&[], arguments)
    }

    fn wrapped(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let mut line = wrapper.iter().map(OsStr::new).chain([self.binary.as_os_str()]);
        let mut command = Command::new(line.next().expect("the binary at least"));
        command
            .args(line)
            .arg("--state-dir")
            .arg(self.state_dir())
            .args(arguments);
        self.surround(&mut command);
        command
    }

    /// The story's directory, variables and user.
    fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.work_dir())
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
            )
            .env("HOME", self.home_dir())
            .env("LANG", "C.UTF-8")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        if self.policy_file().exists() {
            command.env("OUTWALL_CONFIG", self.policy_file());
        }
        if self.user == User::Ordinary {
            command.uid(ORDINARY).gid(ORDINARY).env("USER", "ordinary");
        }
    }

    /// Where the CA and the audit log live.
    pub fn state_dir(&self) -> PathBuf {
        self.story.path().join("state")
    }

    /// `$HOME` of whoever runs `outwall`.
    pub fn home_dir(&self) -> PathBuf {
        self.story.path().join("home")
    }

    /// The directory that `outwall` is started in.
    pub fn work_dir(&self) -> PathBuf {
        self.story.path().join("work")
    }

    /// The policy file of this story.
    pub fn policy_file(&self) -> PathBuf {
        self.story.path().join("policy.toml")
    }

    /// Writes a file below the working directory, owned by whoever runs `outwall`.
    pub fn write_work_file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.work_dir().join(name);
        let parent = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(parent).expect("the working directory takes entries");
        fs::write(&path, contents).expect("the working directory takes files");
        if self.user == User::Ordinary {
            give_away(self.story.path());
        }
        path
    }

    fn write_policy(&self) {
        let text = format!("{}\n[origins]\n{}", self.policy, self.origins());
        fs::write(self.policy_file(), text).expect("the story's directory takes files");
        if self.user == User::Ordinary {
            give_away(self.story.path());
        }
    }

    fn origins(&self) -> String {
        let mut text = String::new();
        if let Some(resolver) = &self.resolver {
            writeln!(text, "resolver = {resolver:?}").expect("a string takes text");
        }
        if !self.roots.is_empty() {
            let roots: Vec<_> = self.roots.iter().map(|root| root.display().to_string()).collect();
            writeln!(text, "extra_roots = {roots:?}").expect("a string takes text");
        }
        if !self.hosts.is_empty() {
            text.push_str("\n[origins.hosts]\n");
        }
        for (host, address) in &self.hosts {
            writeln!(text, "{host:?} = {address:?}").expect("a string takes text");
        }
        text
    }
}

/// What this story's gates wrote is what the schema says: so each kind, and each field, is described.
impl Drop for Outwall {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            crate::schema::check(&self.state_dir().join("audit"));
        }
    }
}

/// Whether everybody can run it where it is: the checkout may lie in a 0700 home.
fn reachable_by_all(binary: &Path) -> bool {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|of| of.permissions().mode() & 0o001 != 0);
    binary
        .canonicalize()
        .is_ok_and(|binary| binary.ancestors().all(open))
}

fn give_away(path: &Path) {
    chown(path, Some(ORDINARY), Some(ORDINARY)).expect("root may give files away");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("the story's directory can be read") {
            give_away(&entry.expect("the story's directory can be read").path());
        }
    }
}

/// The user that stands for a developer when the tests run as root.
const ORDINARY: u32 = 1000;
