//! `outwall github`: the same GitHub for sandboxes that others run, with unmodified git, git-lfs and gh, by HTTP on loopback and by a
//! socket. Every story runs what `outwall credential issue` prints.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use outwall_tests::github::GitHub;
use outwall_tests::{Finished, Outwall, TestGate};
use serde_json::Value;

use super::desk::planted;
use super::{POLICY, TOKEN};

/// A GitHub, and an Outwall that makes no sandboxes.
struct Desk {
    github: GitHub,
    outwall: Outwall,
}

impl Desk {
    fn new() -> Self {
        let github = planted(|app| app);
        let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
            .policy(POLICY)
            .github(&github)
            .variable("REAL_TOKEN", TOKEN);
        Self { github, outwall }
    }
}

/// A desk with `outwall github` in front of its GitHub.
struct Front {
    desk: Desk,
    gate: TestGate,
}

impl Front {
    fn new() -> Self {
        Self::before(Desk::new())
    }

    fn before(desk: Desk) -> Self {
        let socket = desk.outwall.work_dir().join("gh.sock");
        let socket = socket.to_str().expect("a path in UTF-8");
        let gate = desk
            .outwall
            .gate_by(&["github", "--listen", "127.0.0.1:0", "--socket", socket]);
        Self { desk, gate }
    }

    fn url(&self) -> String {
        format!("http://{}", self.gate.address())
    }

    fn socket(&self) -> PathBuf {
        self.desk.outwall.work_dir().join("gh.sock")
    }

    /// What `outwall credential issue` prints for `acme/app` and this branch.
    #[track_caller]
    fn issue(&self, branch: &str, more: &[&str]) -> String {
        let url = self.url();
        let arguments = [
            "credential",
            "issue",
            "--repository",
            "acme/app",
            "--session-branch",
            branch,
            "--github",
            &url,
        ];
        let issued = self.desk.outwall.run(&[&arguments, more].concat());
        issued.succeeded().stdout
    }

    #[track_caller]
    fn token(&self, branch: &str) -> String {
        self.issue(branch, &[]).trim().to_owned()
    }

    /// A script in a machine of somebody else's that was given a credential for the branch `fix`: nothing but variables, and no proxy.
    fn script(&self, script: &str) -> Finished {
        let env = self.issue("fix", &["--format", "env"]);
        self.script_with(&env, script)
    }

    fn script_with(&self, env: &str, script: &str) -> Finished {
        let socket = self.socket();
        let gh = format!("gh config set http_unix_socket '{}'\n", socket.display());
        let setting =
            "export GIT_TERMINAL_PROMPT=0 GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1 NO_COLOR=1\n";
        let script = format!("set -e\n{env}\n{setting}{IDENTITY}{gh}exec 2>&1\n{script}");
        self.desk.outwall.start_other("sh", &["-c", &script]).finish()
    }

    /// The whole answer to these bytes, once the connection is closed.
    fn say(&self, text: &str) -> String {
        let mut raw = self.gate.raw();
        raw.send(text);
        raw.read_for(PATIENCE)
    }

    /// The same at the socket.
    fn say_at_socket(&self, text: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("the socket is served");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket has a timeout");
        stream.write_all(text.as_bytes()).expect("it takes a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers and closes");
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn refusals(&self, reason: &str) -> usize {
        let denied = self.desk.outwall.audit_of("denied");
        denied.iter().filter(|record| record["reason"] == reason).count()
    }
}

/// Nobody has one in a story.
const IDENTITY: &str = "export GIT_AUTHOR_NAME=Mona GIT_AUTHOR_EMAIL=mona@example.com GIT_COMMITTER_NAME=Mona GIT_COMMITTER_EMAIL=mona@example.com\n";
const PATIENCE: Duration = Duration::from_secs(30);

fn get(path: &str, host: &str, token: Option<&str>) -> String {
    let shown = token.map(|token| format!("Authorization: token {token}\r\n"));
    let shown = shown.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{shown}\r\n")
}

#[track_caller]
fn status(answer: &str) -> u16 {
    let line = answer.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status in `{answer}`"))
}

#[test]
fn git_clones_and_pushes_its_branch_and_no_other() {
    let front = Front::new();
    let before = front.desk.github.refs("acme/app");
    let ran = front.script(
        "git clone -q https://github.com/acme/app && cd app && git switch -qc fix
         echo new > new.txt && git add . && git commit -qm new
         git push origin fix
         git push origin HEAD:main && exit 1
         git remote set-url origin git@github.com:acme/app.git && git fetch origin && git branch -a",
    );
    let said = ran.succeeded().stdout;
    assert!(said.contains("fix -> fix"), "{said}");
    assert!(
        said.contains("! [remote rejected] HEAD -> main (only refs/heads/fix may be pushed in this session)"),
        "{said}"
    );
    let after = front.desk.github.refs("acme/app");
    assert_eq!(after.get("refs/heads/main"), before.get("refs/heads/main"));
    assert!(after.contains_key("refs/heads/fix"), "{after:?}");
    assert!(front.refusals("github-ref-refused") > 0);
    assert_eq!(
        front.refusals("credential-required"),
        0,
        "git asks once before it asks its helper"
    );
}

#[test]
fn gh_works_by_the_socket() {
    let front = Front::new();
    let ran = front.script(
        "git clone -q https://github.com/acme/app && cd app && git switch -qc fix
         echo new > new.txt && git add . && git commit -qm new && git push -q origin fix
         git remote -v
         gh pr create --head fix --base main --title 'A fix' --body 'It fixes.'
         gh pr view fix
         gh api repos/acme/app --jq .full_name
         gh pr merge 1 --merge && exit 1
         gh api repos/acme/other && exit 1; true",
    );
    let said = ran.succeeded().stdout;
    for expected in ["A fix", "It fixes.", "acme/app\n", "Outwall: "] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
}

#[test]
fn large_files_go_through_the_listener_both_ways() {
    let front = Front::new();
    let ran = front.script(
        "git clone -q https://github.com/acme/app && cd app && git switch -qc fix
         git lfs install --local && git lfs track '*.bin'
         head -c 300000 /dev/urandom > big.bin && git add . && git commit -qm big
         git push origin fix
         sha256sum < big.bin
         cd .. && git clone -qb fix https://github.com/acme/app again && cd again && git lfs install --local && git lfs pull
         sha256sum < big.bin",
    );
    let said = ran.succeeded().stdout;
    let sums: Vec<&str> = said.lines().filter(|line| line.ends_with("  -")).collect();
    assert!(sums.len() == 2 && sums[0] == sums[1], "{said}");
}

#[test]
fn the_api_is_below_a_path_at_the_listener() {
    let front = Front::new();
    let token = front.token("fix");
    let host = front.gate.address().to_string();
    let read = front.say(&get("/api/v3/repos/acme/app", &host, Some(&token)));
    assert_eq!(status(&read), 200, "{read}");
    let document = r#"{"query":"{ viewer { login } }"}"#;
    let asked = front.say(&format!(
        "POST /api/graphql HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    ));
    assert_eq!(status(&asked), 200, "{asked}");
    let other = front.say(&get("/api/v3/repos/acme/other", &host, Some(&token)));
    assert_eq!(status(&other), 403, "{other}");
}

#[test]
fn who_shows_nothing_is_asked_and_who_shows_another_thing_is_turned_away() {
    let front = Front::new();
    let host = front.gate.address().to_string();
    let path = "/acme/app.git/info/refs?service=git-upload-pack";
    let nothing = front.say(&get(path, &host, None));
    assert_eq!(status(&nothing), 401);
    assert!(
        nothing
            .to_ascii_lowercase()
            .contains("www-authenticate: basic realm=")
            && nothing.contains("outwall credential issue"),
        "{nothing}"
    );
    let proxy = front
        .desk
        .outwall
        .run(&["credential", "issue"])
        .succeeded()
        .stdout;
    for wrong in ["e30.e30.e30", TOKEN, proxy.trim()] {
        let answer = front.say(&get(path, &host, Some(wrong)));
        assert_eq!(status(&answer), 401, "{answer}");
        assert!(
            answer.contains("x-outwall-reason: credential-refused"),
            "{answer}"
        );
    }
    let right = front.token("fix");
    assert_eq!(status(&front.say(&get(path, &host, Some(&right)))), 200);
    assert_eq!(front.refusals("credential-refused"), 3);
    let to_github = front.desk.github.requests();
    assert!(to_github.iter().all(|request| !request.holds(&right)));
}

#[test]
fn a_flood_of_wrong_credentials_is_slowed_and_a_right_one_is_not() {
    let front = Front::new();
    let host = front.gate.address().to_string();
    let slowed = (0..40)
        .map(|_| status(&front.say(&get("/acme/app", &host, Some("e30.e30.e30")))))
        .filter(|status| *status == 429)
        .count();
    assert!(slowed > 0);
    let right = front.token("fix");
    let path = "/acme/app.git/info/refs?service=git-upload-pack";
    assert_eq!(status(&front.say(&get(path, &host, Some(&right)))), 200);
}

#[test]
fn what_is_revoked_or_over_is_refused_and_a_new_one_is_not() {
    let front = Front::new();
    let host = front.gate.address().to_string();
    let path = "/acme/app.git/info/refs?service=git-upload-pack";
    let ask = |token: &str| front.say(&get(path, &host, Some(token)));
    let revoked = front.token("fix");
    assert_eq!(status(&ask(&revoked)), 200);
    front
        .desk
        .outwall
        .run(&["credential", "revoke", &revoked])
        .succeeded();
    let answer = ask(&revoked);
    assert!(
        status(&answer) == 401 && answer.contains("credential-revoked"),
        "{answer}"
    );
    let short = front.issue("fix", &["--ttl", "1s"]);
    std::thread::sleep(Duration::from_millis(1_100));
    let answer = ask(short.trim());
    assert!(
        status(&answer) == 401 && answer.contains("credential-expired"),
        "{answer}"
    );
    assert_eq!(status(&ask(&front.token("fix"))), 200);
}

#[test]
fn what_is_revoked_ends_a_push_that_runs() {
    let front = Front::new();
    let token = front.token("fix");
    let before = front.desk.github.refs("acme/app");
    let main = before.get("refs/heads/main").expect("a branch");
    let command = format!(
        "{} {main} refs/heads/fix\0 report-status side-band-64k object-format=sha1 agent=git/2.47.3",
        "0".repeat(40)
    );
    let mut push = front.gate.raw();
    push.send(format!(
        "POST /acme/app.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: token {token}\r\n\
         Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n{:04x}{command}0000PACK",
        command.len() + 4
    ));
    let begun = || front.desk.outwall.audit_of("exchange.going_out").len();
    while begun() == 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    front
        .desk
        .outwall
        .run(&["credential", "revoke", &token])
        .succeeded();
    assert!(push.closes_within(PATIENCE), "it goes on");
    assert_eq!(front.desk.github.refs("acme/app"), before);
    assert!(front.refusals("credential-revoked") > 0);
}

#[test]
fn each_request_of_a_connection_is_whoevers_it_shows() {
    let front = Front::new();
    let (one, other) = (front.token("one"), front.token("other"));
    let host = front.gate.address();
    let ask = |token: Option<&str>, last: bool| {
        let shown = token.map(|token| format!("Authorization: token {token}\r\n"));
        let close = if last { "Connection: close\r\n" } else { "" };
        format!(
            "GET /api/v3/repos/acme/app HTTP/1.1\r\nHost: {host}\r\n{close}{}\r\n",
            shown.unwrap_or_default()
        )
    };
    let all = [
        ask(None, false),
        ask(Some(&one), false),
        ask(None, false),
        ask(Some(&other), false),
        ask(Some("e30.e30.e30"), false),
        ask(Some(&one), true),
    ];
    let answers = front.say(&all.concat());
    let statuses: Vec<&str> = answers
        .match_indices("HTTP/1.1 ")
        .map(|(at, found)| &answers[at + found.len()..][..3])
        .collect();
    assert_eq!(statuses, ["401", "200", "401", "200", "401", "200"], "{answers}");
    let sandboxes: Vec<Value> = front
        .desk
        .outwall
        .audit_of("exchange.going_out")
        .into_iter()
        .map(|record| record["sandbox"].clone())
        .collect();
    assert_eq!(sandboxes.len(), 3);
    assert!(
        sandboxes[0] == sandboxes[2] && sandboxes[0] != sandboxes[1],
        "{sandboxes:?}"
    );
}

#[test]
fn the_socket_is_for_githubs_hosts_and_for_its_owner() {
    let front = Front::new();
    let token = front.token("fix");
    let mode = fs::metadata(front.socket())
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let api = front.say_at_socket(&get("/repos/acme/app", "api.github.com", Some(&token)));
    assert_eq!(status(&api), 200, "{api}");
    for other in ["example.com", "169.254.169.254", "objects.githubusercontent.com"] {
        let answer = front.say_at_socket(&get("/repos/acme/app", other, Some(&token)));
        assert!(
            status(&answer) == 400 && answer.contains("only the hosts of github.com"),
            "{answer}"
        );
    }
    let proxied = front.say_at_socket(&get(
        "http://api.github.com/repos/acme/app",
        "api.github.com",
        Some(&token),
    ));
    assert_eq!(status(&proxied), 400, "{proxied}");
}

#[test]
fn it_says_that_it_is_there_and_ends_when_told() {
    let front = Front::new();
    assert!(front.say(&get("/healthz", "x", None)).ends_with("\r\n\r\nok\n"));
    assert!(
        front
            .say_at_socket(&get("/healthz", "x", None))
            .ends_with("\r\n\r\nok\n")
    );
    let socket = front.socket();
    front.gate.stop().succeeded();
    assert!(!socket.exists());
}

#[test]
fn where_others_may_reach_it_is_said_twice_and_somewhere_sessions_work() {
    let desk = Desk::new();
    let refused = desk
        .outwall
        .run(&["github", "--listen", "0.0.0.0:0"])
        .exited_with(1);
    assert!(refused.stderr.contains("--from-anywhere"), "{}", refused.stderr);
    drop(
        desk.outwall
            .gate_by(&["github", "--listen", "0.0.0.0:0", "--from-anywhere"]),
    );
    let without = Outwall::at(env!("CARGO_BIN_EXE_outwall")).allowing(&["example.com"]);
    let refused = without.run(&["github", "--listen", "127.0.0.1:0"]).exited_with(1);
    assert!(refused.stderr.contains("[[github]]"), "{}", refused.stderr);
}

#[test]
fn through_the_proxy_a_machine_needs_one_command() {
    let desk = Desk::new();
    let proxy = desk.outwall.shared_gate(&[]);
    let address = proxy.address().to_string();
    let bundle = desk.outwall.work_dir().join("bundle.pem");
    let exported = desk.outwall.run(&["ca", "export", "--format", "bundle"]);
    fs::write(&bundle, exported.succeeded().stdout).expect("the directory takes files");
    let env = desk.outwall.run(&[
        "credential",
        "issue",
        "--repository",
        "acme/app",
        "--session-branch",
        "fix",
        "--proxy",
        &address,
        "--ca-bundle",
        bundle.to_str().expect("a path in UTF-8"),
        "--format",
        "env",
    ]);
    let env = env.succeeded().stdout;
    let script = format!(
        "set -e\n{env}\nexport GIT_TERMINAL_PROMPT=0\n{IDENTITY}exec 2>&1
         git clone -q https://github.com/acme/app && cd app && git switch -qc fix
         echo new > new.txt && git add . && git commit -qm new
         git push origin fix
         git push origin HEAD:main && exit 1
         gh api repos/acme/app --jq .full_name"
    );
    let ran = desk.outwall.start_other("sh", &["-c", &script]).finish();
    let said = ran.succeeded().stdout;
    assert!(
        said.contains("fix -> fix") && said.contains("[remote rejected] HEAD -> main"),
        "{said}"
    );
    assert!(said.ends_with("acme/app\n"), "{said}");
    let listed = desk.outwall.run(&["credential", "list"]).succeeded().stdout;
    let both = listed.lines().filter(|line| line.contains("acme/app fix"));
    assert_eq!(both.count(), 2, "{listed}");
}

#[test]
fn the_listener_is_a_git_server_by_its_own_url_too() {
    let front = Front::new();
    let url = front.url();
    let ran = front.script(&format!(
        "git clone -q {url}/acme/app.git && cd app && git fetch && ls"
    ));
    assert!(ran.succeeded().stdout.contains("README.md"));
}

#[test]
fn a_git_configuration_is_enough_for_git() {
    let front = Front::new();
    let file = front.desk.outwall.work_dir().join("given.gitconfig");
    fs::write(&file, front.issue("fix", &["--format", "git"])).expect("the directory takes files");
    let mut git = Command::new("git");
    git.args(["ls-remote", "git@github.com:acme/app.git"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_GLOBAL", &file)
        .env("GIT_TERMINAL_PROMPT", "0");
    let listed = git.output().expect("git runs");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.contains("refs/heads/main"), "{listed:?}");
}
