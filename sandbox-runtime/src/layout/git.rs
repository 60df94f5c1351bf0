//! What git on the host obeys, kept as it is: a repository's configuration and hooks, where they lie and where its configuration says that they lie.
//!
//! git executes what configuration names (hooks, `core.fsmonitor`), at a mere `git status`. So a directory that is no repository must not become one either:
//! neither by a `.git`, nor by being laid out as one itself, which git takes for a repository without a `.git`.
//! Out of reach are repositories in directories below, of which git asks the configuration when somebody works in them, or when the index of the one above
//! names them. What is read here is the host's: nothing in it is executed, and no symbolic link that the sandbox could replace is followed.
//! Start with `Planner::protect_git`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::project::{Kind, kind};
use super::{Placeholder, Planner};
use crate::plan::FileStep;
use crate::spec::SpecError;

/// Files and directories of a repository that stay as they are. Those ending in `/` are kept from being made, too.
const PROTECTED: [&str; 2] = ["hooks/", "modules"];

/// A directory with all of `HEAD`, `objects` and `refs` is a repository: one of them, of those that are not there, is kept from being made.
const MARKS: [&str; 3] = ["refs", "objects", "HEAD"];

/// How far configuration files may include each other.
const INCLUDES: usize = 8;

impl Planner<'_, '_> {
    /// Protects the repository in `directory`, or keeps it from becoming one.
    pub(super) fn protect_git(
        &mut self,
        directory: &Path,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        let git = directory.join(".git");
        if self.is_left(&git) {
            return Ok(());
        }
        match kind(&git) {
            // No repository, and perhaps held as it is by another sandbox.
            Kind::Directory if is_empty(&git) => self.keep(&git, true, placeholders)?,
            Kind::Directory => self.protect_repository(&git, placeholders)?,
            // A file leads git to another directory, and must not be made to lead elsewhere.
            Kind::File | Kind::Link => self.keep(&git, false, placeholders)?,
            Kind::Nothing => self.keep(&git, true, placeholders)?,
        }
        if MARKS.iter().all(|name| directory.join(name).exists()) && directory.join("HEAD").is_file() {
            self.protect_repository(directory, placeholders)?;
        } else {
            self.keep_from_being_a_repository(directory, placeholders)?;
        }
        for obeyed in obeyed(directory, &self.spec.home_path) {
            self.keep_obeyed(&obeyed, placeholders)?;
        }
        Ok(())
    }

    /// Without a valid `.git` git looks whether the directory itself is laid out as a repository. A sandbox can make its `.git` invalid, so this counts always.
    fn keep_from_being_a_repository(
        &mut self,
        directory: &Path,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        let absent = MARKS.iter().map(|name| directory.join(name));
        if let Some(mark) = absent.into_iter().find(|mark| is_absent_or_empty(mark)) {
            self.keep(&mark, true, placeholders)?;
        }
        // A file of this name would lead git to the rest of a repository; with a directory in its place git gives up.
        let common = directory.join("commondir");
        if is_absent_or_empty(&common) {
            self.keep(&common, true, placeholders)?;
        }
        Ok(())
    }

    fn protect_repository(
        &mut self,
        git: &Path,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        // Without this the whole directory could be renamed and another one put in its place.
        self.pin(git);
        for name in PROTECTED {
            self.keep(
                &git.join(name.trim_end_matches('/')),
                name.ends_with('/'),
                placeholders,
            )?;
        }
        self.keep_file(&git.join("config"), "", placeholders)?;
        // With a file of this name git takes configuration and hooks from wherever it says. "Here" is what its absence means.
        self.keep_file(&git.join("commondir"), ".\n", placeholders)?;
        self.keep_file(&git.join("config.worktree"), "", placeholders)?;
        self.protect_worktrees(&git.join("worktrees"), placeholders)
    }

    /// Worktrees elsewhere on the host, whose configuration is found through files here.
    fn protect_worktrees(
        &mut self,
        worktrees: &Path,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        if kind(worktrees) != Kind::Directory {
            return Ok(());
        }
        self.pin(worktrees);
        for worktree in fs::read_dir(worktrees).into_iter().flatten().flatten() {
            let worktree = worktree.path();
            if kind(&worktree) == Kind::Directory {
                self.pin(&worktree);
                self.keep(&worktree.join("commondir"), false, placeholders)?;
                self.keep_file(&worktree.join("config.worktree"), "", placeholders)?;
            }
        }
        Ok(())
    }

    /// Keeps a file as it is; one that does not exist as one that holds `contents`.
    fn keep_file(
        &mut self,
        path: &Path,
        contents: &'static str,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        if kind(path) == Kind::Nothing && !self.is_left(path) {
            placeholders.push(Placeholder {
                path: path.to_owned(),
                contents: Some(contents),
            });
        }
        self.keep(path, true, placeholders)
    }

    /// Keeps what the configuration names as it is, when it lies where the sandbox can write.
    fn keep_obeyed(&mut self, obeyed: &Obeyed, placeholders: &mut Vec<Placeholder>) -> Result<(), SpecError> {
        let path = &obeyed.path;
        let Some(top) = self.writable_around(path) else {
            return Ok(());
        };
        let kept = self
            .steps
            .iter()
            .any(|step| matches!(step, FileStep::Pin { path: pinned, writable: false } if path.starts_with(pinned)));
        if kept || self.is_left(path) {
            return Ok(());
        }
        let Ok(below) = path.strip_prefix(&top) else {
            return Ok(());
        };
        if below.as_os_str().is_empty() {
            return Err(SpecError::Obeyed { path: path.clone() });
        }
        let mut at = top.clone();
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            match kind(&at) {
                Kind::Link => return Err(SpecError::ProtectedLink { path: at }),
                Kind::Directory if parts.peek().is_some() => self.pin(&at),
                // What is missing on the way is enough to keep.
                Kind::Nothing if parts.peek().is_none() && !obeyed.directory => {
                    return self.keep_file(&at, "", placeholders);
                }
                Kind::Nothing | Kind::File | Kind::Directory => return self.keep(&at, true, placeholders),
            }
        }
        Ok(())
    }

    /// The innermost directory around `path` that the sandbox can write to.
    fn writable_around(&self, path: &Path) -> Option<PathBuf> {
        let writable = self.spec.writable_directories();
        writable
            .filter(|directory| path.starts_with(directory))
            .max_by_key(|directory| directory.components().count())
            .map(Path::to_owned)
    }

    /// Keeps a directory in its place.
    fn pin(&mut self, path: &Path) {
        let pin = FileStep::Pin {
            path: path.to_owned(),
            writable: true,
        };
        if !self.steps.contains(&pin) {
            self.steps.push(pin);
        }
    }
}

/// Nothing, or a directory that is empty: another sandbox may hold it.
fn is_absent_or_empty(path: &Path) -> bool {
    match kind(path) {
        Kind::Nothing => true,
        Kind::Directory => is_empty(path),
        Kind::Link | Kind::File => false,
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

/// A path that the configuration makes git obey.
#[derive(Debug, PartialEq, Eq)]
struct Obeyed {
    path: PathBuf,
    /// A directory of hooks; else a file.
    directory: bool,
}

/// What the configuration names that concerns a program that runs git in `directory`: that of the repository around it, the user's and the system's.
fn obeyed(directory: &Path, home: &Path) -> Vec<Obeyed> {
    let top = directory
        .ancestors()
        .find(|above| kind(&above.join(".git")) != Kind::Nothing);
    let mut reader = Reader {
        top: top.unwrap_or(directory),
        home,
        obeyed: Vec::new(),
    };
    if let Some((git, common)) = top.and_then(repository) {
        reader.read(&common.join("config"), 0);
        reader.read(&git.join("config.worktree"), 0);
    }
    reader.read(&home.join(".gitconfig"), 0);
    reader.read(&home.join(".config/git/config"), 0);
    reader.read(Path::new("/etc/gitconfig"), 0);
    reader.obeyed
}

/// The directory of the repository whose worktree is `top`, and the one that holds what its worktrees share.
fn repository(top: &Path) -> Option<(PathBuf, PathBuf)> {
    let place = top.join(".git");
    let git = if place.is_dir() {
        place
    } else {
        let text = fs::read_to_string(&place).ok()?;
        top.join(text.strip_prefix("gitdir:")?.trim())
    };
    let common =
        fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |text| git.join(text.trim()));
    Some((git, common))
}

struct Reader<'a> {
    top: &'a Path,
    home: &'a Path,
    obeyed: Vec<Obeyed>,
}

impl Reader<'_> {
    /// Reads one configuration file and those it includes. Conditions are taken to be met.
    fn read(&mut self, file: &Path, depth: usize) {
        let Ok(text) = fs::read_to_string(file) else {
            return;
        };
        for (section, key, value) in settings(&text) {
            match (section.as_str(), key.as_str()) {
                ("core", "hookspath") => {
                    let mut path = self.path(self.top, &value);
                    // husky keeps the hooks that it writes itself in `_`, and they call those beside it.
                    if path.ends_with("_") {
                        path.pop();
                    }
                    self.note(path, true);
                }
                ("core", "fsmonitor") if !is_truth(&value) => {
                    let path = self.path(self.top, value.split_whitespace().next().unwrap_or_default());
                    self.note(path, false);
                }
                ("include" | "includeif", "path") => {
                    let path = self.path(file.parent().unwrap_or(self.top), &value);
                    if depth < INCLUDES {
                        self.read(&path, depth + 1);
                    }
                    self.note(path, false);
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, path: PathBuf, directory: bool) {
        let obeyed = Obeyed { path, directory };
        if !self.obeyed.contains(&obeyed) {
            self.obeyed.push(obeyed);
        }
    }

    /// The path that `value` means from `base`, without `.` and `..`.
    fn path(&self, base: &Path, value: &str) -> PathBuf {
        let path = value
            .strip_prefix("~/")
            .map_or_else(|| base.join(value), |below| self.home.join(below));
        path.components().fold(PathBuf::new(), |mut path, part| {
            match part {
                Component::ParentDir => drop(path.pop()),
                Component::CurDir => {}
                part => path.push(part),
            }
            path
        })
    }
}

fn is_truth(value: &str) -> bool {
    ["", "true", "false", "yes", "no", "on", "off", "1", "0"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

/// The settings of a configuration file: section and key in lower case, and the value without quotes. Subsections are left out.
fn settings(text: &str) -> impl Iterator<Item = (String, String, String)> {
    let mut section = String::new();
    text.lines().filter_map(move |line| {
        let mut line = line.trim();
        if let Some((header, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let name = header.split([' ', '\t', '.', '"']).next().unwrap_or_default();
            section = name.to_ascii_lowercase();
            line = rest.trim();
        }
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let value = value.split([';', '#']).next().unwrap_or_default().trim();
        Some((
            section.clone(),
            key.trim().to_ascii_lowercase(),
            value.trim_matches('"').to_owned(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let text = "[core]\n\tbare = false\n\tHooksPath = \"hooks dir\" ; mine\n# fsmonitor = x\n[Include]path=../more\n[includeIf \"gitdir:~/w]\"]\n path = ~/w.inc\n";
        let found: Vec<_> = settings(text).collect();
        let wanted = [
            ("core", "bare", "false"),
            ("core", "hookspath", "hooks dir"),
            ("include", "path", "../more"),
        ];
        for (found, wanted) in found.iter().zip(wanted) {
            assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), wanted);
        }
        assert_eq!(found.last().map(|last| last.2.as_str()), Some("~/w.inc"));
    }

    #[test]
    fn what_configuration_names_is_found_through_includes() {
        let all = tempfile::tempdir().expect("a directory");
        let (top, home) = (all.path().join("repo"), all.path().join("home"));
        for directory in [top.join(".git"), top.join("sub"), home.clone()] {
            fs::create_dir_all(directory).expect("a directory");
        }
        fs::write(top.join(".git/config"), "[include]\npath = ../team.inc\n").expect("a file");
        fs::write(
            top.join("team.inc"),
            "[core]\nhooksPath = .husky/_\nfsmonitor = true\n",
        )
        .expect("a file");
        fs::write(home.join(".gitconfig"), "[core]\nfsmonitor = tools/watch 2\n").expect("a file");
        let found = obeyed(&top.join("sub"), &home);
        let file = |path: &str| Obeyed {
            path: top.join(path),
            directory: false,
        };
        let hooks = Obeyed {
            path: top.join(".husky"),
            directory: true,
        };
        assert_eq!(found, [hooks, file("team.inc"), file("tools/watch")]);
    }
}
