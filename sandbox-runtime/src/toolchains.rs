//! Which directories of the user's home hold the programs that `PATH` leads to, by the reviewed list `data/toolchains.json`.
//!
//! It knows nothing of mounts. Start with [`toolchains`].

use std::path::{Path, PathBuf};

use serde::Deserialize;

const LIST: &str = include_str!("../data/toolchains.json");

#[derive(Deserialize)]
struct List {
    toolchains: Vec<Toolchain>,
}

#[derive(Deserialize)]
struct Toolchain {
    on_path: Vec<String>,
    show: Vec<String>,
    hide: Vec<String>,
}

/// A directory to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Where it is, on the host and inside.
    pub(crate) path: PathBuf,
    /// Its real path on the host.
    pub(crate) source: PathBuf,
    /// What does not exist in it, relative to it.
    pub(crate) hidden: Vec<PathBuf>,
}

/// Where things are for one user: the home, `PATH`, and the variables that move toolchains.
pub(crate) struct Surroundings<'a> {
    pub(crate) home: &'a Path,
    pub(crate) search_path: &'a str,
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The directories of the list that exist below the home and that `PATH` leads to. Of two nested ones only the outer is named.
pub(crate) fn toolchains(of: &Surroundings<'_>) -> Vec<Shown> {
    let list: List = serde_json::from_str(LIST).expect("the list of toolchains is checked by a test");
    let mut shown: Vec<Shown> = Vec::new();
    for toolchain in list
        .toolchains
        .iter()
        .filter(|toolchain| toolchain.is_on_path(of))
    {
        for path in toolchain.show.iter().map(|pattern| of.expand(pattern)) {
            // Below the home only: elsewhere a variable could name any directory of the host.
            let below_home = path.starts_with(of.home) && path != of.home;
            if !below_home || shown.iter().any(|other| path.starts_with(&other.path)) {
                continue;
            }
            let Some(source) = list.programs_at(&path, of) else {
                continue;
            };
            let hidden = toolchain.hide.iter();
            let hidden = hidden.flat_map(|pattern| matches(&source, pattern)).collect();
            shown.push(Shown { path, source, hidden });
        }
    }
    shown.sort_by(|a, b| a.path.cmp(&b.path));
    shown
}

impl List {
    /// The real directory at `path`, unless a link leads to what may be anything: a directory around the home, or a hidden one in it that is not on the list.
    fn programs_at(&self, path: &Path, of: &Surroundings<'_>) -> Option<PathBuf> {
        let real = path.canonicalize().ok().filter(|real| real.is_dir())?;
        let home = of.home.canonicalize().unwrap_or_else(|_| of.home.to_owned());
        let below = real.strip_prefix(&home).ok();
        let hidden = below.is_some_and(|below| below.as_os_str().as_encoded_bytes().starts_with(b"."));
        let mut listed = self.toolchains.iter().flat_map(|toolchain| &toolchain.show);
        let listed = listed.any(|show| {
            let show = of.expand(show);
            let show = show
                .strip_prefix(of.home)
                .map(|below| home.join(below))
                .unwrap_or(show);
            real.starts_with(show)
        });
        (!home.starts_with(&real) && (!hidden || listed)).then_some(real)
    }
}

impl Toolchain {
    fn is_on_path(&self, of: &Surroundings<'_>) -> bool {
        self.on_path.iter().map(|pattern| of.expand(pattern)).any(|root| {
            of.search_path
                .split(':')
                .any(|entry| Path::new(entry).starts_with(&root))
        })
    }
}

impl Surroundings<'_> {
    /// The path that a pattern of the list means here.
    fn expand(&self, pattern: &str) -> PathBuf {
        let Some((variable, rest)) = pattern.strip_prefix('{').and_then(|inner| inner.split_once(':')) else {
            return self.at_home(pattern);
        };
        let (default, below) = rest.split_once('}').unwrap_or((rest, ""));
        let root = (self.variable)(variable)
            .filter(|value| !value.is_empty())
            .map_or_else(|| self.at_home(default), PathBuf::from);
        let below = below.trim_start_matches('/');
        if below.is_empty() { root } else { root.join(below) }
    }

    fn at_home(&self, path: &str) -> PathBuf {
        path.strip_prefix("~/")
            .map_or_else(|| PathBuf::from(path), |below| self.home.join(below))
    }
}

/// What exists below `top` and matches `pattern`, in which a part `*` is anything; relative to `top`. Not through symbolic links: hiding something behind
/// one would put a directory in its place.
fn matches(top: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.split('/') {
        found = found
            .into_iter()
            .filter(|at| at.as_os_str().is_empty() || !top.join(at).is_symlink())
            .flat_map(|at| {
                if part != "*" {
                    return vec![at.join(part)];
                }
                let entries = std::fs::read_dir(top.join(&at)).into_iter().flatten().flatten();
                entries.map(|entry| at.join(entry.file_name())).collect()
            })
            .filter(|path| top.join(path).symlink_metadata().is_ok())
            .collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(home: &Path, search_path: &str) -> Vec<Shown> {
        toolchains(&Surroundings {
            home,
            search_path,
            variable: &|_| None,
        })
    }

    #[test]
    fn a_toolchain_shows_when_path_leads_to_it_and_not_otherwise() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(home.path().join(".cargo/bin")).expect("a directory");
        std::fs::write(home.path().join(".cargo/credentials.toml"), "token").expect("a file");
        let bin = home.path().join(".cargo/bin");
        assert_eq!(
            shown(home.path(), &format!("/usr/bin:{}", bin.display())),
            [Shown {
                source: bin.canonicalize().expect("a real path"),
                path: bin,
                hidden: vec![]
            }]
        );
        assert_eq!(shown(home.path(), "/usr/bin"), []);
    }

    #[test]
    fn files_that_could_hold_credentials_are_hidden() {
        let home = tempfile::tempdir().expect("a directory");
        let node = home.path().join(".nvm/versions/node/v22/etc");
        std::fs::create_dir_all(&node).expect("a directory");
        std::fs::write(node.join("npmrc"), "token").expect("a file");
        let path = home.path().join(".nvm/versions/node/v22/bin");
        let [nvm] = &shown(home.path(), &path.display().to_string())[..] else {
            panic!("one toolchain")
        };
        assert_eq!(nvm.hidden, [PathBuf::from("versions/node/v22/etc/npmrc")]);
    }

    #[test]
    fn the_program_that_an_agents_installer_links_to_shows_and_its_login_does_not() {
        let home = tempfile::tempdir().expect("a directory");
        let bin = home.path().join(".local/bin");
        let release = home.path().join(".codex/packages/standalone/releases/1.0/bin");
        for directory in [&bin, &release] {
            std::fs::create_dir_all(directory).expect("a directory");
        }
        std::fs::write(home.path().join(".codex/auth.json"), "token").expect("a file");
        let found = shown(home.path(), &bin.display().to_string());
        let paths: Vec<_> = found.iter().map(|shown| shown.path.as_path()).collect();
        assert_eq!(paths, [home.path().join(".codex/packages/standalone"), bin]);
    }

    #[test]
    fn a_link_shows_programs_and_no_keys() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().expect("a directory");
        let (home, bin) = (home.path(), home.path().join("bin"));
        for directory in [".ssh", "dotfiles/bin", ".local/bin", ".local/share/keyrings"] {
            std::fs::create_dir_all(home.join(directory)).expect("a directory");
        }
        for (to, shows) in [
            (".ssh", false),
            (".", false),
            ("/", false),
            (".local/share/keyrings", false),
            ("dotfiles/bin", true),
            (".local/bin", true),
            ("/usr/bin", true),
        ] {
            symlink(to, &bin).expect("a link");
            let found = shown(home, &bin.display().to_string());
            assert_eq!(found.iter().any(|shown| shown.path == bin), shows, "{to}");
            std::fs::remove_file(&bin).expect("removed");
        }
    }

    #[test]
    fn nothing_is_hidden_through_a_link() {
        let home = tempfile::tempdir().expect("a directory");
        let maven = home.path().join(".sdkman/candidates/maven");
        std::fs::create_dir_all(maven.join("3.9/conf")).expect("a directory");
        std::fs::write(maven.join("3.9/conf/settings.xml"), "token").expect("a file");
        std::os::unix::fs::symlink("3.9", maven.join("current")).expect("a link");
        let path = maven.join("current/bin").display().to_string();
        let found = shown(home.path(), &path);
        let hidden: Vec<_> = found.iter().flat_map(|shown| &shown.hidden).collect();
        assert_eq!(hidden, [Path::new("maven/3.9/conf/settings.xml")]);
    }

    #[test]
    fn no_entry_shows_a_file_known_to_hold_credentials() {
        let list: List = serde_json::from_str(LIST).expect("the list is JSON");
        let credentials = [
            "~/.cargo/credentials.toml",
            "~/.npmrc",
            "~/.pypirc",
            "~/.netrc",
            "~/.m2/settings.xml",
            "~/.ssh",
            "~/.aws",
            "~/.config/gh",
            "~/.gnupg",
            "~/.docker",
            "~/.codex/auth.json",
            "~/.claude/.credentials.json",
            "~/.local/share/opencode/auth.json",
        ];
        let home = Surroundings {
            home: Path::new("/h"),
            search_path: "",
            variable: &|_| None,
        };
        for show in list
            .toolchains
            .iter()
            .flat_map(|toolchain| &toolchain.show)
            .map(|show| home.expand(show))
        {
            for secret in credentials.map(|secret| home.expand(secret)) {
                assert!(
                    !secret.starts_with(&show),
                    "{} shows {}",
                    show.display(),
                    secret.display()
                );
            }
        }
    }
}
