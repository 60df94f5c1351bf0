//! The working directory and more mounts, and what in them the sandbox must not touch.
//!
//! Protected is what programs on the host execute or obey later: git's hooks and configuration (`git`), editors' and agents' settings, Outwall's own file.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::{Placeholder, Planner};
use crate::plan::FileStep;
use crate::spec::SpecError;

/// Directories and files that stay as they are. Those ending in `/` are kept from being made, too.
const PROTECTED: [&str; 10] = [
    ".claude/",
    ".vscode/",
    ".idea/",
    ".cursor/",
    ".devcontainer/",
    ".zed/",
    ".envrc",
    ".mcp.json",
    "outwall.toml",
    ".outwall",
];

/// How many directories are looked into for files to cover.
const DIRECTORIES: usize = 4096;

/// Directories that hold other people's code, where no secrets of the user are looked for.
const FOREIGN: [&str; 6] = [".git", "node_modules", "target", "vendor", ".venv", "venv"];

/// Names that begin with `.env` and hold no secrets by convention.
const EXAMPLES: [&str; 5] = [
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".envrc",
];

impl Planner<'_, '_> {
    pub(super) fn working_directory(&mut self) -> Result<Vec<Placeholder>, SpecError> {
        let directory = self.spec.working_directory.clone();
        let owners = self.owners_of(&directory);
        self.tree(&directory, true, owners);
        let spec = self.spec;
        for mount in &spec.mounts {
            let owners = self.owners_of(&mount.path);
            self.tree(&mount.path, mount.writable, owners);
        }
        let mut placeholders = Vec::new();
        for writable in spec.writable_directories() {
            self.protect(writable, &mut placeholders)?;
        }
        self.cover_secrets(&directory);
        self.links();
        Ok(placeholders)
    }

    fn cover_secrets(&mut self, directory: &Path) {
        let looked = not_for_sandboxes(directory);
        if !looked.complete {
            self.notices.push(format!(
                "`{}` has more than {DIRECTORIES} directories: `.env` files in those that were not looked into can be read in the sandbox",
                directory.display()
            ));
        }
        for secret in looked.found {
            // A link cannot be covered, but what it leads to can, where that is seen.
            let real = secret.canonicalize().unwrap_or_else(|_| secret.clone());
            let seen = real.starts_with(directory)
                || self.spec.mounts.iter().any(|mount| real.starts_with(&mount.path));
            let cover = FileStep::Cover { path: real.clone() };
            if seen && !self.is_left(&secret) && !self.is_left(&real) && !self.steps.contains(&cover) {
                self.steps.push(cover);
            }
        }
    }

    /// A mount appears by the name that it was asked for by, too. Where the host's directories are seen as they are, it does already.
    fn links(&mut self) {
        for (given, real) in &self.spec.links {
            let as_on_the_host = self.steps.iter().any(|step| match step {
                FileStep::Tree { source, path, .. } | FileStep::Overlay { source, path, .. } => {
                    source == path && given.starts_with(path)
                }
                _ => false,
            });
            if !as_on_the_host {
                self.link(given, real);
            }
        }
    }

    /// Whether the caller wants `path` as it is.
    pub(super) fn is_left(&self, path: &Path) -> bool {
        let unprotected = self
            .spec
            .unprotected
            .iter()
            .any(|left| path.starts_with(self.spec.working_directory.join(left)));
        unprotected || self.spec.mounts.iter().any(|mount| mount.path == path)
    }

    fn protect(&mut self, directory: &Path, placeholders: &mut Vec<Placeholder>) -> Result<(), SpecError> {
        for name in PROTECTED {
            self.keep(
                &directory.join(name.trim_end_matches('/')),
                name.ends_with('/'),
                placeholders,
            )?;
        }
        self.protect_git(directory, placeholders)
    }

    /// Keeps `path` as it is; when it does not exist and `even_absent`, that way.
    pub(super) fn keep(
        &mut self,
        path: &Path,
        even_absent: bool,
        placeholders: &mut Vec<Placeholder>,
    ) -> Result<(), SpecError> {
        if self.is_left(path) {
            return Ok(());
        }
        match kind(path) {
            Kind::Link => {
                return Err(SpecError::ProtectedLink {
                    path: path.to_owned(),
                });
            }
            Kind::Nothing if !even_absent => return Ok(()),
            Kind::Nothing => {
                if !placeholders.iter().any(|placeholder| placeholder.path == path) {
                    placeholders.push(Placeholder {
                        path: path.to_owned(),
                        contents: None,
                    });
                }
            }
            Kind::Directory | Kind::File => {}
        }
        self.steps.push(FileStep::Pin {
            path: path.to_owned(),
            writable: false,
        });
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Link,
    Directory,
    File,
}

pub(super) fn kind(path: &Path) -> Kind {
    match fs::symlink_metadata(path) {
        Err(_) => Kind::Nothing,
        Ok(found) if found.is_symlink() => Kind::Link,
        Ok(found) if found.is_dir() => Kind::Directory,
        Ok(_) => Kind::File,
    }
}

/// What was found, and whether everything was looked at.
struct Looked {
    found: Vec<PathBuf>,
    complete: bool,
}

/// Files of a project that a sandbox must not see: `.env` files and links by such names, and sockets, behind which programs of the host listen.
fn not_for_sandboxes(top: &Path) -> Looked {
    let mut looked = Looked {
        found: Vec::new(),
        complete: true,
    };
    let mut waiting = std::collections::VecDeque::from([top.to_owned()]);
    let mut known = 1;
    while let Some(directory) = waiting.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else {
                continue;
            };
            let name = name.to_string_lossy();
            if kind.is_socket() || !kind.is_dir() && is_env_file(&name) {
                looked.found.push(entry.path());
            } else if kind.is_dir() && !FOREIGN.contains(&name.as_ref()) {
                if known == DIRECTORIES {
                    looked.complete = false;
                    continue;
                }
                known += 1;
                waiting.push_back(entry.path());
            }
        }
    }
    looked
}

fn is_env_file(name: &str) -> bool {
    (name == ".env" || name.starts_with(".env.") || name.starts_with(".env-")) && !EXAMPLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_found_below_and_examples_and_foreign_code_are_left() {
        let top = tempfile::tempdir().expect("a directory");
        for (directory, file) in [
            ("", ".env"),
            ("", ".env.example"),
            ("api/src", ".env.local"),
            ("a/b/c/d/e", ".env.production"),
            ("node_modules/x", ".env"),
            ("", "env"),
        ] {
            let directory = top.path().join(directory);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join(file), "x").expect("a file");
        }
        let mut found = not_for_sandboxes(top.path()).found;
        found.sort();
        assert_eq!(
            found,
            [".env", "a/b/c/d/e/.env.production", "api/src/.env.local"].map(|path| top.path().join(path))
        );
    }
}
