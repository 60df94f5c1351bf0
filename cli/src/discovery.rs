//! Where a policy file counts, and which one does.
//!
//! The order; the first file that counts is the whole policy, nothing is merged:
//! 1. `--config FILE`
//! 2. `$OUTWALL_CONFIG`
//! 3. `outwall.toml` in the working directory or above it, up to the repository's root, *if trusted*
//! 4. the user's: `$XDG_CONFIG_HOME/outwall/outwall.toml`
//! 5. the system's: `outwall/outwall.toml` below `$XDG_CONFIG_DIRS` (`/etc/xdg`), then `/etc/outwall/outwall.toml`
//! 6. none: one environment, `default`, at `trusted`
//!
//! A file named in 1 or 2 that cannot be read is an error, and nothing below it is tried.
//! Knows nothing of what is written in the file.

use std::fmt::{self, Display};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::failure::{Explain, Failure};
use crate::surroundings::Surroundings;
use crate::trust_store::{Standing, TrustStore, Trusted};

/// The name of a policy file.
pub(crate) const FILE_NAME: &str = "outwall.toml";

/// Who says that a file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Option,
    Variable,
    Project,
    User,
    System,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Option => "--config",
            Self::Variable => "$OUTWALL_CONFIG",
            Self::Project => "project",
            Self::User => "user",
            Self::System => "system",
        })
    }
}

/// The file that counts, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PolicyFile {
    pub(crate) place: Place,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Of a project's file: what was trusted with it.
    pub(crate) trusted: Option<Trusted>,
}

/// What the search came to.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    /// None: the built-in policy.
    pub(crate) counts: Option<PolicyFile>,
    /// Project files that exist and do not count, nearest first, and why.
    pub(crate) ignored: Vec<(PathBuf, Standing)>,
}

impl Discovery {
    /// Searches in the order above.
    pub(crate) fn search(
        given: Option<&Path>,
        surroundings: &Surroundings,
        trust: &TrustStore,
    ) -> Result<Self, Failure> {
        if let Some(path) = given {
            return Self::named(Place::Option, &surroundings.absolute(path));
        }
        if let Some(path) = surroundings.variable("OUTWALL_CONFIG") {
            return Self::named(Place::Variable, &surroundings.absolute(Path::new(path)));
        }
        let mut discovery = Self::default();
        discovery.search_project(&surroundings.working_directory, trust)?;
        if discovery.counts.is_none() {
            discovery.search_configuration(surroundings)?;
        }
        Ok(discovery)
    }

    fn named(place: Place, path: &Path) -> Result<Self, Failure> {
        let text = read_policy(path).explain(format!("cannot read `{}` ({place})", path.display()))?;
        Ok(Self {
            counts: Some(PolicyFile {
                place,
                path: path.to_path_buf(),
                text,
                trusted: None,
            }),
            ignored: Vec::new(),
        })
    }

    /// The nearest *trusted* file counts. A nearer one that is not trusted must not hide it: an agent
    /// could then shake off a project's strict policy by writing a file into a folder below.
    fn search_project(&mut self, working_directory: &Path, trust: &TrustStore) -> Result<(), Failure> {
        for directory in project_directories(working_directory) {
            let Some((path, text)) = read_if_there(&directory.join(FILE_NAME))? else {
                continue;
            };
            let path = path.canonicalize().unwrap_or(path);
            match trust.trusted(&path, text.as_bytes()) {
                Ok(trusted) => {
                    self.counts = Some(PolicyFile {
                        place: Place::Project,
                        path,
                        text,
                        trusted: Some(trusted),
                    });
                    return Ok(());
                }
                Err(standing) => self.ignored.push((path, standing)),
            }
        }
        Ok(())
    }

    fn search_configuration(&mut self, surroundings: &Surroundings) -> Result<(), Failure> {
        for (place, path) in configuration_files(surroundings) {
            if let Some((path, text)) = read_if_there(&path)? {
                self.counts = Some(PolicyFile {
                    place,
                    path,
                    text,
                    trusted: None,
                });
                return Ok(());
            }
        }
        Ok(())
    }

    /// One line for each project file that was ignored, with the way to let it count.
    pub(crate) fn notices(&self) -> impl Iterator<Item = String> {
        self.ignored.iter().map(|(path, standing)| {
            let why = match standing {
                Standing::Changed => "it is different from what was trusted",
                Standing::Unknown => "nobody has trusted it",
            };
            let shown = path.display();
            format!("outwall: ignoring `{shown}`: {why} (read it, then `outwall trust {shown}`)")
        })
    }
}

/// The working directory and those above it up to the repository's root; outside a repository only
/// the working directory, so that a file in a shared `/tmp` is nobody's project.
fn project_directories(working_directory: &Path) -> impl Iterator<Item = &Path> {
    let root = working_directory
        .ancestors()
        .position(|directory| directory.join(".git").exists());
    working_directory.ancestors().take(root.unwrap_or(0) + 1)
}

/// The project file nearest to the working directory, trusted or not.
pub(crate) fn nearest_project_file(working_directory: &Path) -> Option<PathBuf> {
    project_directories(working_directory)
        .map(|directory| directory.join(FILE_NAME))
        .find(|path| path.exists())
}

/// Where a policy file may be, that counts or comes to count: what a search would look at.
pub(crate) fn policy_paths(given: Option<&Path>, surroundings: &Surroundings) -> Vec<PathBuf> {
    let named = given.or_else(|| surroundings.variable("OUTWALL_CONFIG").map(Path::new));
    if let Some(path) = named {
        return vec![surroundings.absolute(path)];
    }
    let project = project_directories(&surroundings.working_directory);
    let project = project.map(|directory| directory.join(FILE_NAME));
    let configuration = configuration_files(surroundings)
        .into_iter()
        .map(|(_, path)| path);
    project.chain(configuration).collect()
}

/// The user's file, then the system's.
pub(crate) fn configuration_files(surroundings: &Surroundings) -> Vec<(Place, PathBuf)> {
    let below = |base: &Path| base.join("outwall").join(FILE_NAME);
    let user = user_directory(surroundings).map(|directory| (Place::User, directory.join(FILE_NAME)));
    let listed = surroundings
        .variable("XDG_CONFIG_DIRS")
        .unwrap_or("/etc/xdg".as_ref());
    let shared = std::env::split_paths(listed)
        .filter(|base| base.is_absolute())
        .collect::<Vec<_>>();
    let shared = shared
        .iter()
        .map(|base| below(base))
        .chain([below(Path::new("/etc"))]);
    user.into_iter()
        .chain(shared.map(|path| (Place::System, path)))
        .collect()
}

/// The folder of the user's own policy file.
pub(crate) fn user_directory(surroundings: &Surroundings) -> Option<PathBuf> {
    Some(
        surroundings
            .base_directory("XDG_CONFIG_HOME", ".config")?
            .join("outwall"),
    )
}

/// None where there is no file. One that is there and cannot be read is an error: going on without
/// it would be going on with another policy.
fn read_if_there(path: &Path) -> Result<Option<(PathBuf, String)>, Failure> {
    match read_policy(path) {
        Ok(text) => Ok(Some((path.to_path_buf(), text))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).explain(format!("cannot read `{}`", path.display())),
    }
}

/// More than any policy that a person could read.
const LONGEST: u64 = 16 << 20;

/// Reads a policy file. A repository, or an earlier sandbox, may have left something else by that name: a pipe that never ends,
/// or a link to a device that always goes on.
pub(crate) fn read_policy(path: &Path) -> io::Result<String> {
    let bytes = read_regular_file(path, LONGEST)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Reads a file that says what is allowed, if it is a regular one and not longer than that.
pub(crate) fn read_regular_file(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let open = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, open, rustix::fs::Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if found.len() > longest {
        return Err(io::Error::other(format!("it is longer than {longest} bytes")));
    }
    let mut bytes = Vec::new();
    file.take(longest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    /// A home with a configuration folder, and a repository with a folder `sub` below its root.
    struct Story {
        directory: tempfile::TempDir,
        trust: TrustStore,
    }

    impl Story {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            for folder in ["home/.config/outwall", "repo/.git", "repo/sub", "xdg/outwall"] {
                fs::create_dir_all(directory.path().join(folder)).unwrap();
            }
            let trust = TrustStore::new(directory.path().join("trusted"));
            Self { directory, trust }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.directory.path().canonicalize().unwrap().join(path)
        }

        fn write(&self, path: &str, text: &str) -> PathBuf {
            let path = self.path(path);
            fs::write(&path, text).unwrap();
            path
        }

        fn trust(&self, path: &Path) {
            self.trust.record(path, &fs::read(path).unwrap(), &[]).unwrap();
        }

        fn search(
            &self,
            given: Option<&str>,
            variables: &[(&str, &str)],
            from: &str,
        ) -> Result<Discovery, Failure> {
            let xdg = self.path("xdg").display().to_string();
            let variables: Vec<_> = [("XDG_CONFIG_DIRS", xdg.as_str())]
                .into_iter()
                .chain(variables.iter().copied())
                .collect();
            let surroundings = Surroundings::told(&variables, &self.path(from), &self.path("home"));
            Discovery::search(given.map(Path::new), &surroundings, &self.trust)
        }

        fn found(&self, given: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
            self.search(given, variables, "repo/sub")
                .unwrap()
                .counts
                .map(|file| file.text)
        }
    }

    #[test]
    fn each_place_comes_before_the_next() {
        let story = Story::new();
        assert_eq!(story.found(None, &[]), None);
        story.write("xdg/outwall/outwall.toml", "system");
        assert_eq!(story.found(None, &[]).unwrap(), "system");
        story.write("home/.config/outwall/outwall.toml", "user");
        assert_eq!(story.found(None, &[]).unwrap(), "user");
        let project = story.write("repo/outwall.toml", "project");
        story.trust(&project);
        assert_eq!(story.found(None, &[]).unwrap(), "project");
        let named = story.write("named.toml", "variable").display().to_string();
        let variables = [("OUTWALL_CONFIG", named.as_str())];
        assert_eq!(story.found(None, &variables).unwrap(), "variable");
        story.write("repo/sub/given.toml", "option");
        assert_eq!(story.found(Some("given.toml"), &variables).unwrap(), "option");
    }

    #[test]
    fn a_project_file_that_nobody_trusted_is_ignored_with_a_line_that_says_so() {
        let story = Story::new();
        story.write("home/.config/outwall/outwall.toml", "user");
        let project = story.write("repo/outwall.toml", "project");
        let found = story.search(None, &[], "repo/sub").unwrap();
        assert_eq!(found.counts.as_ref().unwrap().text, "user");
        let shown = project.display();
        assert_eq!(
            found.notices().collect::<Vec<_>>(),
            [format!(
                "outwall: ignoring `{shown}`: nobody has trusted it (read it, then `outwall trust {shown}`)"
            )]
        );
    }

    #[test]
    fn a_trusted_file_that_changed_is_ignored_again() {
        let story = Story::new();
        let project = story.write("repo/outwall.toml", "project");
        story.trust(&project);
        story.write("repo/outwall.toml", "project, wider");
        let found = story.search(None, &[], "repo").unwrap();
        assert_eq!(found.counts, None);
        assert_eq!(found.ignored, [(project, Standing::Changed)]);
    }

    #[test]
    fn a_nearer_file_that_is_not_trusted_does_not_hide_a_trusted_one() {
        let story = Story::new();
        let project = story.write("repo/outwall.toml", "strict");
        story.trust(&project);
        story.write("repo/sub/outwall.toml", "planted");
        assert_eq!(story.found(None, &[]).unwrap(), "strict");
    }

    #[test]
    fn what_is_not_a_regular_file_is_an_error_at_once() {
        let story = Story::new();
        let path = story.path("repo/outwall.toml");
        for device in ["/dev/zero", "/dev/full"] {
            std::os::unix::fs::symlink(device, &path).unwrap();
            assert!(story.search(None, &[], "repo").is_err());
            fs::remove_file(&path).unwrap();
        }
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        assert!(story.search(None, &[], "repo").is_err());
        fs::remove_file(&path).unwrap();
        assert!(story.search(None, &[], "repo").is_ok());
    }

    #[test]
    fn outside_a_repository_nothing_above_the_working_directory_is_looked_at() {
        let story = Story::new();
        fs::create_dir_all(story.path("plain/sub")).unwrap();
        let above = story.write("plain/outwall.toml", "above");
        story.trust(&above);
        assert!(story.search(None, &[], "plain/sub").unwrap().counts.is_none());
        assert_eq!(
            story.search(None, &[], "plain").unwrap().counts.unwrap().text,
            "above"
        );
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error_and_not_the_next_file() {
        let story = Story::new();
        story.write("home/.config/outwall/outwall.toml", "user");
        assert!(story.search(Some("missing.toml"), &[], "repo").is_err());
        assert!(
            story
                .search(None, &[("OUTWALL_CONFIG", "missing.toml")], "repo")
                .is_err()
        );
    }
}
