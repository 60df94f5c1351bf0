//! The variables of a command in a sandbox: complete, because nothing is inherited.
//!
//! The host's environment is full of credentials, and of sockets (`SSH_AUTH_SOCK`, `DBUS_*`,
//! `DOCKER_HOST`) that lead out. So what passes is a list, and everything else is asked for by name.
//! No proxy variables: the sandbox's traffic is captured, whether a program obeys them or not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use outwall_sandbox_runtime::Spec;

use crate::failure::Failure;
use crate::git_identity;
use crate::surroundings::Surroundings;

/// How the terminal and the person's language look, and where toolchains were put. None of these
/// carries a secret by its nature; a path among them is of use only where the sandbox shows it.
#[rustfmt::skip]
const PASSED: [&str; 32] = [
    "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM_PROGRAM", "COLUMNS", "LINES",
    "TZ", "LANG", "LANGUAGE", "EDITOR", "VISUAL", "PAGER", "LESS",
    "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "PYENV_ROOT", "PYENV_VERSION", "NVM_DIR", "VOLTA_HOME",
    "PNPM_HOME", "BUN_INSTALL", "DENO_INSTALL", "GOPATH", "GOROOT",
    "SDKMAN_DIR", "JAVA_HOME", "RBENV_ROOT", "ASDF_DATA_DIR", "DOTNET_ROOT",
];

/// Looked in after what the person's own `PATH` says.
const SYSTEM_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// `--env KEY` or `--env KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    name: OsString,
    /// None: the host's value.
    value: Option<OsString>,
}

impl Asked {
    pub(crate) fn parse(text: &OsStr) -> Result<Self, Failure> {
        let bytes = text.as_bytes();
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(at) => (&bytes[..at], Some(OsString::from_vec(bytes[at + 1..].to_vec()))),
            None => (bytes, None),
        };
        if name.is_empty() {
            return Err(Failure::new(format!("`--env {}` has no name", text.display()))
                .hint("write `--env KEY=VALUE`"));
        }
        Ok(Self {
            name: OsStr::from_bytes(name).to_owned(),
            value,
        })
    }

    fn value(&self, surroundings: &Surroundings) -> Result<OsString, Failure> {
        let found = self
            .value
            .clone()
            .or_else(|| surroundings.variables.get(&self.name).cloned());
        found.ok_or_else(|| {
            let name = self.name.display();
            Failure::new(format!("`--env {name}`: there is no such variable here"))
                .hint(format!("give a value: `--env {name}=VALUE`"))
        })
    }
}

/// Who the command is, and where.
#[derive(Clone, Debug)]
pub(crate) struct Account<'a> {
    pub(crate) home: &'a Path,
    pub(crate) user: &'a str,
    pub(crate) sandbox: String,
}

impl<'a> Account<'a> {
    /// The account of a sandbox: root when that was asked for, else who the person is on the host;
    /// and for a person who is root there, nobody in particular.
    pub(crate) fn of(spec: &'a Spec, surroundings: &'a Surroundings) -> Self {
        let own = surroundings
            .variable("USER")
            .and_then(OsStr::to_str)
            .filter(|user| *user != "root");
        let user = if spec.root { "root" } else { own.unwrap_or("user") };
        Self {
            home: &spec.home_path,
            user,
            sandbox: spec.id.to_string(),
        }
    }
}

/// The whole set, by name: the list, then who and where, then what makes clients trust the CA, then what stands for secrets, then
/// what was asked for, which may replace any of them but those: what is there to be no secret is not to become one by a habit.
pub(crate) fn variables<'a>(
    surroundings: &Surroundings,
    account: &Account<'_>,
    trust: Vec<(&'static str, String)>,
    placeholders: impl IntoIterator<Item = (&'a str, &'a str)>,
    asked: &[Asked],
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut set = BTreeMap::<OsString, OsString>::new();
    for (name, value) in &surroundings.variables {
        if PASSED.iter().any(|passed| name == passed) || name.as_bytes().starts_with(b"LC_") {
            set.insert(name.clone(), value.clone());
        }
    }
    let own: [(&str, OsString); 7] = [
        ("PATH", search_path(surroundings)),
        ("HOME", account.home.into()),
        ("USER", account.user.into()),
        ("LOGNAME", account.user.into()),
        ("SHELL", shell(surroundings)),
        ("GIT_CONFIG_SYSTEM", git_identity::PLACE.into()),
        ("OUTWALL_SANDBOX", account.sandbox.clone().into()),
    ];
    set.extend(own.map(|(name, value)| (name.into(), value)));
    set.extend(trust.into_iter().map(|(name, value)| (name.into(), value.into())));
    for asked in asked {
        set.insert(asked.name.clone(), asked.value(surroundings)?);
    }
    for (name, placeholder) in placeholders {
        if asked.iter().any(|asked| asked.name == name) {
            return Err(Failure::new(format!("`--env {name}` would take the place of a placeholder"))
                .hint("leave it out: a credential of the policy has that variable, and the gate puts the secret in"));
        }
        set.insert(name.into(), placeholder.into());
    }
    Ok(set.into_iter().collect())
}

/// The person's own directories that are absolute, each once, and the system's. Relative ones would
/// be looked up in a directory that the agent writes to. Whether a directory exists in the sandbox
/// is the sandbox's affair; one that does not is passed over by whoever searches.
fn search_path(surroundings: &Surroundings) -> OsString {
    let given = surroundings.variable("PATH").unwrap_or_default();
    let mut directories = Vec::<PathBuf>::new();
    for directory in std::env::split_paths(given).chain(SYSTEM_PATH.iter().map(PathBuf::from)) {
        if directory.is_absolute() && !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    std::env::join_paths(directories).unwrap_or_else(|_| SYSTEM_PATH.join(":").into())
}

/// The person's shell where it is one of the system's.
fn shell(surroundings: &Surroundings) -> OsString {
    let own = surroundings.variable("SHELL").map(Path::new);
    own.filter(|shell| shell.starts_with("/bin") || shell.starts_with("/usr/bin"))
        .map_or_else(|| "/bin/sh".into(), |shell| shell.as_os_str().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    fn set(host: &[(&str, &str)], asked: &[&str]) -> BTreeMap<String, String> {
        let surroundings = Surroundings::told(host, Path::new("/work"), Path::new("/home/ada"));
        let account = Account {
            home: Path::new("/home/ada"),
            user: "ada",
            sandbox: "s-00000001".to_owned(),
        };
        let asked: Vec<_> = asked
            .iter()
            .map(|asked| Asked::parse(OsStr::new(asked)).unwrap())
            .collect();
        let trust = vec![("SSL_CERT_FILE", "/bundle".to_owned())];
        let text = |os: OsString| os.into_string().unwrap();
        variables(
            &surroundings,
            &account,
            trust,
            [("MODEL_KEY", "sk-placeholder")],
            &asked,
        )
        .unwrap()
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
    }

    #[test]
    fn secrets_sockets_and_proxies_of_the_host_do_not_pass_and_its_language_does() {
        let host = [
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("GITHUB_TOKEN", "x"),
            ("SSH_AUTH_SOCK", "x"),
            ("HTTPS_PROXY", "x"),
            ("LD_PRELOAD", "x"),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "xterm"),
        ];
        let set = set(&host, &[]);
        let names: Vec<_> = set.keys().map(String::as_str).collect();
        let own = [
            "GIT_CONFIG_SYSTEM",
            "HOME",
            "LOGNAME",
            "OUTWALL_SANDBOX",
            "PATH",
            "SHELL",
            "USER",
        ];
        let mut expected: Vec<_> = own
            .into_iter()
            .chain(["LC_ALL", "MODEL_KEY", "SSL_CERT_FILE", "TERM"])
            .collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_variable_passes_when_it_is_asked_for() {
        let set = set(
            &[("GITHUB_TOKEN", "secret")],
            &["GITHUB_TOKEN", "A=b=c", "EMPTY="],
        );
        assert_eq!(set["GITHUB_TOKEN"], "secret");
        assert_eq!(set["A"], "b=c");
        assert_eq!(set["EMPTY"], "");
    }

    #[test]
    fn a_variable_that_is_asked_for_and_missing_is_an_error() {
        let surroundings = Surroundings::default();
        assert!(
            Asked::parse(OsStr::new("MISSING"))
                .unwrap()
                .value(&surroundings)
                .is_err()
        );
        assert!(Asked::parse(OsStr::new("=x")).is_err());
    }

    #[test]
    fn the_search_path_loses_relative_directories_and_gains_the_systems() {
        let set = set(&[("PATH", ".:/home/ada/.cargo/bin::/usr/bin:bin")], &[]);
        assert_eq!(
            set["PATH"],
            "/home/ada/.cargo/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"
        );
    }
}
