//! Decides what a sandbox sees: the file steps of its plan, from the spec and a look at the host.
//!
//! It makes nothing; `mounts` does. The parts, each in a file: the system and its `/etc` (`layout/system.rs`, `layout/unreadable.rs`), the working directory with what is protected
//! in it (`layout/project.rs`, `layout/git.rs`); here the order of everything. Start with [`lay_out`].

mod git;
mod project;
mod system;
mod unreadable;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::identity::{Identity, Ids, Outer};
use crate::plan::{Contents, FileStep, Owner, Owners, Placed};
use crate::spec::{Home, PlacedFile, Spec, SpecError};
use crate::toolchains::{Surroundings, toolchains};

/// What was decided, and what has to exist on the host for it.
pub(crate) struct Layout {
    /// In the order in which they are to be taken.
    pub(crate) steps: Vec<FileStep>,
    /// Paths of the host to mount over that do not exist: to be made before, and removed afterwards.
    pub(crate) placeholders: Vec<Placeholder>,
    /// What whoever asked should know, a sentence each.
    pub(crate) notices: Vec<String>,
}

/// Something of the host's that must exist while the sandbox does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) path: PathBuf,
    /// The contents when it is a file.
    pub(crate) contents: Option<&'static str>,
}

/// Decides what the sandbox sees. `spec` has been checked.
pub(crate) fn lay_out<'a>(
    spec: &'a Spec,
    identity: &Identity,
    contents: &mut Contents<'a>,
) -> Result<Layout, SpecError> {
    let mut plan = Planner {
        spec,
        identity,
        contents,
        steps: Vec::with_capacity(96),
        notices: Vec::new(),
    };
    plan.devices(); // first: mapping the owners of trees needs the sandbox's own /proc
    plan.system();
    plan.scratch();
    plan.home();
    plan.toolchains();
    let placeholders = plan.working_directory()?;
    for file in &spec.files {
        plan.place(file);
    }
    plan.cover_state();
    if !spec.root {
        plan.steps.push(FileStep::Seal);
    }
    plan.limits_of_root();
    Ok(Layout {
        steps: plan.steps,
        placeholders,
        notices: plan.notices,
    })
}

struct Planner<'p, 'a> {
    spec: &'a Spec,
    identity: &'p Identity,
    contents: &'p mut Contents<'a>,
    steps: Vec<FileStep>,
    notices: Vec<String>,
}

impl<'a> Planner<'_, 'a> {
    fn directory(&mut self, path: &str, mode: u32) {
        self.steps.push(FileStep::Directory {
            path: path.into(),
            mode,
        });
    }

    fn link(&mut self, path: impl Into<PathBuf>, to: impl Into<PathBuf>) {
        self.steps.push(FileStep::Link {
            path: path.into(),
            to: to.into(),
        });
    }

    fn file(&mut self, path: &str, text: String) {
        let placed = self.contents.add_owned(text.into_bytes(), 0o644);
        self.steps.push(FileStep::File {
            path: path.into(),
            placed,
        });
    }

    fn fresh(&mut self, path: impl Into<PathBuf>, mode: u32, owner: Owner) {
        self.steps.push(FileStep::Fresh {
            path: path.into(),
            mode,
            owner,
        });
    }

    fn devices(&mut self) {
        self.steps.push(FileStep::Processes {
            path: "/proc".into(),
            covered: !self.spec.nested_namespaces,
        });
        self.directory("/dev", 0o755);
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            self.steps.push(FileStep::Device {
                path: Path::new("/dev").join(name),
            });
        }
        self.steps.push(FileStep::Terminals {
            path: "/dev/pts".into(),
        });
        self.fresh("/dev/shm", 0o1777, Owner::System);
        for (path, to) in [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "fd/0"),
            ("stdout", "fd/1"),
            ("stderr", "fd/2"),
            ("core", "/proc/kcore"),
        ] {
            self.link(Path::new("/dev").join(path), to);
        }
        let processors = Path::new("/sys/devices/system/cpu");
        if processors.is_dir() {
            self.tree(processors, false, Owners::AsTheyAre);
        }
    }

    fn scratch(&mut self) {
        self.fresh("/tmp", 0o1777, Owner::System);
        self.fresh("/var/tmp", 0o1777, Owner::System);
        self.fresh("/run", 0o755, Owner::System);
        self.directory("/run/lock", 0o1777);
        self.link("/var/run", "/run");
        self.link("/var/lock", "/run/lock");
        if let Ok(system) = std::fs::read_link("/run/current-system") {
            self.link("/run/current-system", system); // NixOS: PATH leads there
        }
    }

    fn home(&mut self) {
        let path = self.spec.home_path.clone();
        match &self.spec.home {
            Home::Fresh => self.fresh(path, 0o700, Owner::User),
            Home::Kept(source) => {
                let owners = self.owners_of(source);
                self.steps.push(FileStep::Tree {
                    source: source.clone(),
                    path,
                    writable: true,
                    owners,
                });
            }
        }
    }

    fn toolchains(&mut self) {
        let spec = self.spec;
        let variable = |name: &str| {
            spec.variables
                .iter()
                .find(|(known, _)| known == name)
                .and_then(|(_, value)| value.to_str().map(str::to_owned))
        };
        let search_path = variable("PATH").unwrap_or_default();
        for shown in toolchains(&Surroundings {
            home: &spec.home_path,
            search_path: &search_path,
            variable: &variable,
        }) {
            let source = shown.source;
            let owners = self.owners_of(&source);
            self.steps.push(FileStep::Overlay {
                source,
                path: shown.path,
                writable: true,
                owners,
                placed: Vec::new(),
                hidden: shown.hidden,
            });
        }
    }

    /// The state holds the key of the CA, and may lie in a directory that every sandbox sees, such as `/opt`.
    fn cover_state(&mut self) {
        let state = self.spec.real_state_dir();
        let shown = self.steps.iter().filter_map(|step| match step {
            FileStep::Tree { source, path, .. } | FileStep::Overlay { source, path, .. } => {
                Some(path.join(state.strip_prefix(source).ok()?))
            }
            _ => None,
        });
        let covers: Vec<FileStep> = shown.map(|path| FileStep::Cover { path }).collect();
        self.steps.extend(covers);
    }

    /// Says what root of this sandbox cannot do and people expect of it.
    fn limits_of_root(&mut self) {
        if self.spec.root && matches!(self.identity.outer, Outer::UserOnly(_)) {
            self.notices.push(
                "with `--root` here, system packages cannot be installed: root of the sandbox is the only user in it (the program `newuidmap`, in the package uidmap, and a line for you in /etc/subuid and /etc/subgid change that)"
                    .to_owned(),
            );
        }
    }

    /// A tree of the host at its own path.
    fn tree(&mut self, path: &Path, writable: bool, owners: Owners) {
        self.steps.push(FileStep::Tree {
            source: path.to_owned(),
            path: path.to_owned(),
            writable,
            owners,
        });
    }

    /// What belongs to the owner of `path` is to be the sandbox's user's. An ordinary user is that owner already, or has no business there.
    fn owners_of(&self, path: &Path) -> Owners {
        match path.metadata() {
            Ok(file) if self.identity.by_real_root() => Owners::Swapped(Ids {
                uid: file.uid(),
                gid: file.gid(),
            }),
            _ => Owners::AsTheyAre,
        }
    }

    /// Places a file of the caller's over everything else.
    fn place(&mut self, file: &'a PlacedFile) {
        let placed = self.contents.add(&file.contents, file.mode);
        let covering = self.steps.iter().rposition(|step| {
            file.path.starts_with(step.path())
                && !matches!(
                    step,
                    FileStep::Directory { .. }
                        | FileStep::Link { .. }
                        | FileStep::Pin { .. }
                        | FileStep::Cover { .. }
                        | FileStep::Seal
                )
        });
        let Some(index) = covering else {
            return self.place_new(file, placed);
        };
        if let FileStep::Overlay {
            path, placed: files, ..
        } = &mut self.steps[index]
            && let Ok(relative) = file.path.strip_prefix(path)
        {
            files.push((relative.to_owned(), placed));
            return;
        }
        match &self.steps[index] {
            FileStep::Tree {
                source,
                path,
                writable: false,
                ..
            } => {
                let below = file.path.strip_prefix(path).unwrap_or(Path::new(""));
                let step = over_read_only(&source.join(below), &file.path, placed);
                self.steps.extend(step);
            }
            // What the host has there stays: our file lies over it, or else is not there at all.
            FileStep::Tree { source, path, .. } if !self.is_kept_home(source) => {
                let below = file.path.strip_prefix(path).unwrap_or(Path::new(""));
                if source
                    .join(below)
                    .symlink_metadata()
                    .is_ok_and(|found| found.is_file())
                {
                    self.steps.push(FileStep::FileOver {
                        path: file.path.clone(),
                        placed,
                    });
                }
            }
            _ => self.place_new(file, placed),
        }
    }

    /// Whether `source` is a directory of ours, which may keep what we place.
    fn is_kept_home(&self, source: &Path) -> bool {
        matches!(&self.spec.home, Home::Kept(kept) if kept == source)
    }

    fn place_new(&mut self, file: &PlacedFile, placed: Placed) {
        self.steps.push(FileStep::File {
            path: file.path.clone(),
            placed,
        });
    }
}

/// How a file gets to `path`, which shows `source` of the host read-only: over the file there, or in a layer over the nearest directory that exists.
fn over_read_only(source: &Path, path: &Path, placed: Placed) -> Option<FileStep> {
    if source.symlink_metadata().is_ok_and(|file| file.is_file()) {
        return Some(FileStep::FileOver {
            path: path.to_owned(),
            placed,
        });
    }
    let steps_up = source.ancestors().skip(1).zip(path.ancestors().skip(1));
    let (source, directory) = steps_up.into_iter().find(|(source, _)| source.is_dir())?;
    let relative = path.strip_prefix(directory).ok()?.to_owned();
    let source = source.canonicalize().ok()?;
    Some(FileStep::Overlay {
        source,
        path: directory.to_owned(),
        writable: false,
        owners: Owners::AsTheyAre,
        placed: vec![(relative, placed)],
        hidden: Vec::new(),
    })
}
