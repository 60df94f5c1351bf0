//! What a sandbox is asked to be, as plain values, and which askings are refused.
//!
//! It knows nothing of how a sandbox is made. Start with [`Spec`].

use std::ffi::OsString;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use outwall_policy::SandboxId;
use thiserror::Error;

use crate::identity::is_real_root;
use crate::way::way_to;

/// What a sandbox is asked to be.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub id: SandboxId,
    /// The program, looked up in the `PATH` of `variables` *inside* the sandbox, and its arguments. Never empty.
    pub command: Vec<OsString>,
    /// The one directory of the host that is writable inside, at its own path; the command starts in it.
    pub working_directory: PathBuf,
    /// Where the home is inside: the path of the host user's home, so that paths mean the same in both.
    pub home_path: PathBuf,
    /// What the home holds.
    pub home: Home,
    /// The complete environment of the command; nothing is inherited. Its `PATH` also decides which toolchain directories appear.
    pub variables: Vec<(OsString, OsString)>,
    /// More of the host's files. Each appears at its own path.
    pub mounts: Vec<Mount>,
    /// Files of ours, over whatever would be there otherwise.
    pub files: Vec<PlacedFile>,
    /// The command is root in the sandbox, with `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `SETUID`, `SETGID` and no more.
    pub root: bool,
    /// The command may make user namespaces, which Chromium's own sandbox needs.
    pub nested_namespaces: bool,
    /// Loopback ports on which the asking process listens inside, for what it has outside at the same port. Those that are taken
    /// there by the capture itself are left out.
    pub host_ports: Vec<u16>,
    /// The asking process wants to connect to servers inside.
    pub inner_sockets: bool,
    /// Protected or masked files of the working directory to leave as they are, relative to it: `.vscode`, `.env`.
    pub unprotected: Vec<PathBuf>,
    /// Where a run keeps its files; never visible inside.
    pub state_dir: PathBuf,
    /// Directories that the working directory and writable mounts may neither be, hold nor lie in.
    pub refused_directories: Vec<PathBuf>,
    /// Limits on what the sandbox may use.
    pub limits: Limits,
    /// Paths by which mounts were asked for, where they differ from the real ones, and the real ones.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
}

/// What the home of a sandbox holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// Nothing; it is gone when the sandbox is.
    Fresh,
    /// The contents of this directory, which is ours (made when missing) and keeps what the sandbox writes.
    Kept(PathBuf),
}

/// A file or directory of the host that the sandbox sees at its own path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is, on the host and inside.
    pub path: PathBuf,
    /// Whether the sandbox may write to it.
    pub writable: bool,
}

/// A file that exists only in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFile {
    /// Where; absolute. Missing directories are made.
    pub path: PathBuf,
    /// Its bytes. Files with equal bytes share their memory.
    pub contents: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Limits on what one sandbox may use. They hold where the host offers cgroups to us; the number of processes is limited in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processes and threads at once.
    pub processes: Option<u32>,
    /// Bytes of memory, the files of the sandbox's home and `/tmp` included.
    pub memory_bytes: Option<u64>,
}

/// Why a sandbox that is asked for is refused before anything is made.
#[derive(Debug, Error)]
pub enum SpecError {
    /// No command.
    #[error("there is no command to run")]
    NoCommand,
    /// A path that is not absolute.
    #[error("`{}` is not an absolute path", path.display())]
    Relative {
        /// The path.
        path: PathBuf,
    },
    /// A path that is not UTF-8.
    #[error("`{}` is not valid UTF-8, which paths of a sandbox must be", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// A directory or file of the host that cannot be read.
    #[error("cannot open `{}`", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A socket, behind which a program of the host listens.
    #[error("`{}` is a socket of the host, which must not be reachable from a sandbox", path.display())]
    Socket {
        /// The path.
        path: PathBuf,
    },
    /// The working directory is a file.
    #[error("`{}` is not a directory", path.display())]
    NotDirectory {
        /// The path.
        path: PathBuf,
    },
    /// A directory that must not be writable in a sandbox.
    #[error("`{}` cannot be {role} of a sandbox: it is {why}\n  hint: {}", path.display(), why.remedy())]
    Refused {
        /// The path.
        path: PathBuf,
        /// "the working directory" or "a writable mount".
        role: &'static str,
        /// Why.
        why: Refusal,
    },
    /// Root that may make namespaces, asked for by the host's root: in a namespace of its own it could mount an overlay that copies the system's setuid files to
    /// directories of the host.
    #[error(
        "the host's root cannot have a sandbox whose command is root and may make namespaces as well\n  hint: leave out `--root`, or `nested_namespaces` of the environment"
    )]
    RootWithNamespaces,
    /// A protected path that is a symbolic link, so that it could be replaced by another.
    #[error(
        "`{}` is a symbolic link, so it cannot be kept from the sandbox\n  hint: replace it by what it points to, or leave it unprotected on purpose",
        path.display()
    )]
    ProtectedLink {
        /// The path.
        path: PathBuf,
    },
    /// A directory as a standard stream: through it everything around it could be reached.
    #[error(
        "the standard {stream} is a directory, which cannot be handed to a sandbox\n  hint: show it with `--mount`"
    )]
    DirectoryAsStream {
        /// "input", "output" or "error".
        stream: &'static str,
    },
    /// The configuration of git names a whole directory that the sandbox writes to.
    #[error(
        "git's configuration has programs of `{}` run as hooks, where the sandbox can write\n  hint: keep the hooks in a directory of their own, such as `.githooks`",
        path.display()
    )]
    Obeyed {
        /// The directory.
        path: PathBuf,
    },
}

/// Why a directory must not be writable in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is `/`.
    Root,
    /// It is somebody's home directory or holds one.
    Home,
    /// It is a directory that many share, such as `/tmp`.
    Shared,
    /// It is a directory of the system, or holds one.
    System(PathBuf),
    /// It is, holds, or lies in a directory that the caller refuses, such as Outwall's state.
    State(PathBuf),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("the root of the file system"),
            Self::Home => {
                f.write_str("somebody's home directory or holds one, with its keys and shell start-up files")
            }
            Self::Shared => f.write_str("shared by many, with files and sockets that are not this project's"),
            Self::System(path) => write!(f, "`{}` of the system, or holds it", path.display()),
            Self::State(path) => write!(
                f,
                "in, or holds, `{}`, which Outwall itself trusts",
                path.display()
            ),
        }
    }
}

impl Refusal {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Root | Self::Home | Self::Shared | Self::System(_) => {
                "start in the directory of one project, such as `cd ~/my-project`"
            }
            Self::State(_) => "start in another directory, or keep the state elsewhere with `--state-dir`",
        }
    }
}

/// Directories of the system, which are never writable in a sandbox as themselves.
const SYSTEM: [&str; 11] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr",
];

/// Directories that many share: other people's files, and sockets of the host's programs.
const SHARED: [&str; 9] = [
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/srv",
    "/tmp",
    "/usr/local",
    "/var",
    "/var/tmp",
];

impl Spec {
    /// A sandbox for `command` in `working_directory` with everything else at its default: an empty home at `/home/user`, no variables, no more files.
    pub fn new(
        id: SandboxId,
        command: Vec<OsString>,
        working_directory: PathBuf,
        state_dir: PathBuf,
    ) -> Self {
        Self {
            id,
            command,
            working_directory,
            home_path: PathBuf::from("/home/user"),
            home: Home::Fresh,
            variables: Vec::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            root: false,
            nested_namespaces: false,
            host_ports: Vec::new(),
            inner_sockets: false,
            unprotected: Vec::new(),
            state_dir,
            refused_directories: Vec::new(),
            limits: Limits::default(),
            links: Vec::new(),
        }
    }

    /// The same with every path of the host in its canonical form, or why it is refused.
    pub(crate) fn checked(mut self) -> Result<Self, SpecError> {
        if self.command.is_empty() {
            return Err(SpecError::NoCommand);
        }
        if self.root && self.nested_namespaces && is_real_root() {
            return Err(SpecError::RootWithNamespaces);
        }
        self.home_path = absolute(&self.home_path)?;
        self.working_directory = canonical(&self.working_directory)?;
        if !self.working_directory.is_dir() {
            return Err(SpecError::NotDirectory {
                path: self.working_directory,
            });
        }
        self.refuse(&self.working_directory, "the working directory")?;
        for mount in &mut self.mounts {
            let real = canonical(&mount.path)?;
            if let Ok(given) = absolute(&mount.path)
                && given != real
            {
                self.links.push((given, real.clone()));
            }
            mount.path = real;
            let found = mount.path.metadata();
            if found.is_ok_and(|file| file.file_type().is_socket()) {
                return Err(SpecError::Socket {
                    path: mount.path.clone(),
                });
            }
        }
        for mount in &self.mounts {
            self.refuse_state(&mount.path)?;
            if mount.writable {
                self.refuse(&mount.path, "a writable mount")?;
            }
        }
        for file in &mut self.files {
            file.path = absolute(&file.path)?;
        }
        Ok(self)
    }

    /// The directories of the host that the sandbox can write to. A file that it can write to holds nothing.
    pub(crate) fn writable_directories(&self) -> impl Iterator<Item = &Path> {
        let mounts = self.mounts.iter().filter(|mount| mount.writable);
        std::iter::once(self.working_directory.as_path())
            .chain(mounts.map(|mount| mount.path.as_path()))
            .filter(|path| path.is_dir())
    }

    fn refuse(&self, path: &Path, role: &'static str) -> Result<(), SpecError> {
        self.refusal(path).map_or(Ok(()), |why| {
            Err(SpecError::Refused {
                path: path.to_owned(),
                role,
                why,
            })
        })
    }

    /// Where the state really is.
    pub(crate) fn real_state_dir(&self) -> PathBuf {
        let absolute = std::path::absolute(&self.state_dir);
        let way = absolute.map(|path| way_to(&path)).unwrap_or_default();
        way.last().cloned().unwrap_or_else(|| self.state_dir.clone())
    }

    /// The state holds the key of the CA: it must not be seen either.
    fn refuse_state(&self, path: &Path) -> Result<(), SpecError> {
        let state = self.real_state_dir();
        if state.starts_with(path) || path.starts_with(&state) {
            return Err(SpecError::Refused {
                path: path.to_owned(),
                role: "a mount",
                why: Refusal::State(state),
            });
        }
        Ok(())
    }

    /// Why `path` (canonical) must not be writable in the sandbox.
    fn refusal(&self, path: &Path) -> Option<Refusal> {
        if path == Path::new("/") {
            return Some(Refusal::Root);
        }
        let home = self
            .home_path
            .canonicalize()
            .unwrap_or_else(|_| self.home_path.clone());
        if home.starts_with(path) || self.home_path.starts_with(path) {
            return Some(Refusal::Home);
        }
        if homes_of_people().any(|home| home.starts_with(path)) {
            return Some(Refusal::Home);
        }
        if SHARED.iter().any(|shared| path == Path::new(shared)) {
            return Some(Refusal::Shared);
        }
        let system = SYSTEM
            .iter()
            .map(Path::new)
            .find(|system| path == *system || path.starts_with(system) && *system != Path::new("/run"));
        if let Some(system) = system {
            return Some(Refusal::System(system.to_owned()));
        }
        let trusted = self.refused_directories.iter().chain([&self.state_dir]);
        trusted
            .filter_map(|trusted| Some((trusted, std::path::absolute(trusted).ok()?)))
            .find(|(_, absolute)| leads_through(absolute, path))
            .map(|(trusted, _)| Refusal::State(trusted.clone()))
    }
}

/// The homes of people, and of whoever asks, as `/etc/passwd` has them: `HOME` may say something else. Daemons' homes are directories of data.
fn homes_of_people() -> impl Iterator<Item = PathBuf> {
    const FIRST_PERSON: u32 = 1000;
    const NOBODY: u32 = 65534;
    let own = rustix::process::geteuid().as_raw();
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let homes: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let uid: u32 = fields.next()?.parse().ok()?;
            let home = PathBuf::from(fields.nth(2)?);
            let person = uid == 0 || uid == own || uid >= FIRST_PERSON && uid != NOBODY;
            (person && home.is_absolute() && home != Path::new("/")).then_some(home)
        })
        .map(|home| home.canonicalize().unwrap_or(home))
        .collect();
    homes.into_iter()
}

/// Whether who can write in `directory` can change what is at `trusted`, or where that path leads.
fn leads_through(trusted: &Path, directory: &Path) -> bool {
    let way = way_to(trusted);
    let within = way.last().is_some_and(|real| directory.starts_with(real));
    within
        || way
            .iter()
            .any(|station| station.starts_with(directory) && station != directory)
}

/// `path` when it is absolute and text, without `.` and `..` (which could lead a file of ours out of where it is meant to be).
fn absolute(path: &Path) -> Result<PathBuf, SpecError> {
    use std::path::Component;
    if path.to_str().is_none() {
        return Err(SpecError::NotText {
            path: path.to_owned(),
        });
    }
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && plain {
        Ok(path.components().collect())
    } else {
        Err(SpecError::Relative {
            path: path.to_owned(),
        })
    }
}

fn canonical(path: &Path) -> Result<PathBuf, SpecError> {
    let found = path.canonicalize().map_err(|source| SpecError::Missing {
        path: path.to_owned(),
        source,
    })?;
    absolute(&found)
}
