//! Unmodified git, gh (Debian's, and the newest of them) and git-lfs against this GitHub, with nothing between.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod clients;
mod interfaces;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{GIT_OVER_HTTP_1, GitHub};
use crate::process::{Finished, Running, TIME_LIMIT};
use crate::skip;

/// A GitHub with the repositories of these tests, and a person's home whose tools reach it.
struct Desk {
    github: GitHub,
    home: TempDir,
}

const TOKEN: &str = "ghp_ofTheTests";

impl Desk {
    fn new() -> Self {
        let github = GitHub::start();
        let app = github.repository("acme/app").private();
        app.file("README.md", "# app\n")
            .file("src/main.rs", "fn main() {}\n")
            .create();
        github.accept(TOKEN, "mona", &["repo", "workflow", "read:org", "gist"]);
        let home = tempfile::tempdir().unwrap();
        let helper = format!("!f() {{ echo username=x-access-token; echo password={TOKEN}; }}; f");
        let config = format!(
            "[user]\n\tname = Mona\n\temail = mona@example.com\n[credential]\n\thelper = \"{helper}\"\n[init]\n\tdefaultBranch = main\n\
             [protocol \"file\"]\n\tallow = always\n[lfs]\n\tconcurrenttransfers = 2\n"
        );
        fs::write(home.path().join(".gitconfig"), config).unwrap();
        Self { github, home }
    }

    /// A program with these arguments, in a directory below the home.
    fn run(&self, directory: &str, program: impl AsRef<Path>, arguments: &[&str]) -> Finished {
        let ca = self.github.ca_file();
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .current_dir(self.home.path().join(directory))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("HTTPS_PROXY", format!("http://{}", self.github.proxy_address()))
            .envs([("SSL_CERT_FILE", ca), ("GIT_SSL_CAINFO", ca)])
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_TERMINAL_PROMPT", "0"),
                ("LC_ALL", "C.UTF-8"),
            ])
            .envs(GIT_OVER_HTTP_1)
            .envs([
                ("GH_TOKEN", TOKEN),
                ("GH_ENTERPRISE_TOKEN", TOKEN),
                ("GH_PROMPT_DISABLED", "1"),
                ("NO_COLOR", "1"),
            ])
            .envs([("GH_NO_UPDATE_NOTIFIER", "1"), ("GH_TELEMETRY", "false")]);
        Running::start(command).finish(TIME_LIMIT)
    }

    #[track_caller]
    fn git(&self, directory: &str, arguments: &[&str]) -> String {
        self.run(directory, "git", arguments)
            .succeeded()
            .stdout
            .trim_end()
            .to_owned()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.home.path().join(path), content).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.home.path().join(path)).unwrap()
    }

    /// A clone of `acme/app` in `app`, with a commit on the branch `session`.
    fn with_a_commit(&self) {
        self.git("", &["clone", "--quiet", "https://github.com/acme/app"]);
        self.git("app", &["checkout", "--quiet", "-b", "session"]);
        self.write("app/new.txt", "new\n");
        self.git("app", &["add", "."]);
        self.git("app", &["commit", "--quiet", "-m", "Something new"]);
    }
}

/// Both of gh, as far as they are installed; said loudly where they are not.
fn ghs(story: &str) -> Vec<PathBuf> {
    let here = std::env::current_exe().unwrap();
    let target = here.ancestors().nth(3).unwrap();
    let newest = target.join("clients/venv-gh/bin/gh");
    let all = [PathBuf::from("/usr/bin/gh"), newest];
    let (there, absent): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| path.exists());
    for path in absent {
        skip(
            story,
            &format!(
                "no {} (`bash tests/clients/install.sh github` installs it)",
                path.display()
            ),
        );
    }
    there
}
