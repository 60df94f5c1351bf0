//! A session at a repository of GitHub: unmodified git, gh and git-lfs in a sandbox, and what they are refused.

use outwall_tests::Outwall;
use outwall_tests::github::GitHub;

mod pushing;
mod sweep;

/// What GitHub takes, and no sandbox sees.
const TOKEN: &str = "ghp_Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0Tc";

const POLICY: &str = r#"
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
struct Desk {
    github: GitHub,
    outwall: Outwall,
}

impl Desk {
    fn new() -> Self {
        Self::with("")
    }

    /// With this below `[github.sessions]`.
    fn with(rules: &str) -> Self {
        Self::at(POLICY, rules)
    }

    fn at(policy: &str, rules: &str) -> Self {
        let github = GitHub::start();
        let app = github.repository("acme/app").private();
        app.file("README.md", "# app\n")
            .file("src/main.rs", "fn main() {}\n")
            .create();
        github.accept(TOKEN, "mona", &["repo", "read:org"]);
        let policy = format!("{policy}\n[github.sessions]\n{rules}\n");
        let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
            .policy(&policy)
            .github(&github)
            .variable("REAL_TOKEN", TOKEN);
        Self { github, outwall }
    }

    /// A script in the clone of `acme/app`, on the session's branch `outwall/x`.
    fn work(&self, script: &str) -> outwall_tests::Finished {
        let script = format!("{IDENTITY}{script}");
        self.outwall.run(&[
            "run",
            "--quiet",
            "--repository",
            "https://github.com/acme/app",
            "--session-branch",
            "outwall/x",
            "--",
            "sh",
            "-c",
            &script,
        ])
    }
}

/// Nobody has one in a story.
const IDENTITY: &str = "export GIT_AUTHOR_NAME=Mona GIT_AUTHOR_EMAIL=mona@example.com GIT_COMMITTER_NAME=Mona GIT_COMMITTER_EMAIL=mona@example.com\n";
