//! A repository to push to: real git, with everything switched on that it knows.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The session's branch.
pub(crate) const BRANCH: &str = "outwall/x";

/// A repository, and what is needed to make pushes to it.
pub(crate) struct Scratch {
    folder: TempDir,
    /// Commits that it has.
    pub(crate) commits: Vec<String>,
    /// A commit that it has not, and a pack that brings it.
    pub(crate) new_commit: (String, Vec<u8>),
    /// A pack of nothing.
    pub(crate) empty_pack: Vec<u8>,
    /// How many digits its ids have.
    pub(crate) digits: usize,
}

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The session's branch.
    pub(crate) session: Option<Vec<u8>>,
    /// Every other ref, and what else of the repository a push could change: `HEAD`, `config`, `shallow`.
    pub(crate) others: BTreeMap<PathBuf, Vec<u8>>,
}

impl Scratch {
    pub(crate) fn new(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Self {
            folder,
            commits: Vec::new(),
            new_commit: (String::new(), Vec::new()),
            empty_pack: Vec::new(),
            digits: if format == "sha1" { 40 } else { 64 },
        };
        scratch.git(
            &[
                "init",
                "-q",
                "--bare",
                "-b",
                "main",
                &format!("--object-format={format}"),
                ".",
            ],
            b"",
        );
        for setting in SETTINGS {
            let (name, value) = setting.split_once('=').unwrap();
            scratch.git(&["config", name, value], b"");
        }
        scratch.make_history();
        for (name, at) in [
            ("refs/heads/main", 2),
            (SESSION, 4),
            ("refs/heads/other", 5),
            ("refs/tags/v1", 1),
            ("refs/heads/outwall/y", 3),
        ] {
            scratch.git(&["update-ref", name, &scratch.commits[at]], b"");
        }
        scratch.git(&["update-ref", "refs/pull/1/head", &scratch.commits[5]], b"");
        scratch
    }

    /// A line of commits with one that leaves it, and one that is taken away into a pack.
    fn make_history(&mut self) {
        let tree = self.git(&["mktree"], b"");
        let mut parent: Option<String> = None;
        for at in 0..24 {
            let parents = parent.iter().flat_map(|parent| ["-p".to_owned(), parent.clone()]);
            let mut arguments = vec![
                "commit-tree".to_owned(),
                tree.clone(),
                "-m".to_owned(),
                format!("{at}"),
            ];
            arguments.extend(parents);
            let commit = self.git(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
            parent = (at != 3).then(|| commit.clone()).or(parent);
            self.commits.push(commit);
        }
        let last = self.commits[4].clone();
        let new = self.git(&["commit-tree", &tree, "-m", "new", "-p", &last], b"");
        let pack = self.run(
            &["pack-objects", "-q", "--stdout", "--revs"],
            format!("{new}\n^{last}\n").as_bytes(),
        );
        self.empty_pack = self.run(&["pack-objects", "-q", "--stdout"], b"");
        fs::remove_file(self.folder.path().join("objects").join(&new[..2]).join(&new[2..])).unwrap();
        self.new_commit = (new, pack);
    }

    /// Many commits that say nearly the same, so that git packs them as changes of one another, on top of `commits[4]`, with a merge of
    /// `commits[3]`: the last of them, and a pack of them all.
    pub(crate) fn long_history(&self, deltas: &[&str]) -> (String, Vec<u8>) {
        let tree = self.git(&["rev-parse", &format!("{}^{{tree}}", self.commits[4])], b"");
        let mut last = self.commits[4].clone();
        for at in 0..60 {
            let message = format!(
                "{}\n\nNumber {at}",
                "A message that is as long as its like. ".repeat(20)
            );
            let merged = if at == 30 { &self.commits[3] } else { &last };
            let mut arguments = vec!["commit-tree", &tree, "-m", &message, "-p", merged];
            if at == 30 {
                arguments.extend(["-p", &last]);
            }
            last = self.git(&arguments, b"");
        }
        let asked = format!("{last}\n^{}\n", self.commits[4]);
        let arguments = [
            &[
                "pack-objects",
                "-q",
                "--stdout",
                "--revs",
                "--window=50",
                "--depth=50",
            ],
            deltas,
        ]
        .concat();
        let pack = self.run(&arguments, asked.as_bytes());
        (last, pack)
    }

    /// How many objects of a pack are changes of others.
    pub(crate) fn count_deltas(&self, pack: &[u8]) -> usize {
        let path = self.folder.path().join("counted.pack");
        fs::write(&path, pack).unwrap();
        self.git(&["index-pack", "counted.pack"], b"");
        // A delta has its depth and its base behind the five words of any object.
        let listed = self.git(&["verify-pack", "-v", "counted.idx"], b"");
        listed
            .lines()
            .filter(|line| line.contains(" commit ") && line.split_whitespace().count() == 7)
            .count()
    }

    /// A commit that was made in a shallow clone, on top of the session's branch, and the pack that git makes of it.
    pub(crate) fn shallow_push(&self) -> (String, String, Vec<u8>) {
        let url = format!("file://{}", self.folder.path().display());
        let clone = self.folder.path().join("clone");
        self.git(
            &[
                "clone",
                "-q",
                "--bare",
                "--depth=1",
                "--branch",
                BRANCH,
                &url,
                "clone",
            ],
            b"",
        );
        let old = self.commits[4].clone();
        let tree = self.git(&["rev-parse", &format!("{old}^{{tree}}")], b"");
        let within = format!("--git-dir={}", clone.display());
        let new = self.git(&[&within, "commit-tree", &tree, "-m", "shallow", "-p", &old], b"");
        let asked = format!("{new}\n^{old}\n");
        let pack = ["pack-objects", "-q", "--stdout", "--revs", "--thin", "--shallow"];
        let pack = self.run(&[&[within.as_str()], &pack[..]].concat(), asked.as_bytes());
        assert!(clone.join("shallow").exists());
        (old, new, pack)
    }

    /// What a server does with a push (gitprotocol-http(5)).
    pub(crate) fn receive(&self, body: &[u8]) {
        let mut child = self
            .command(&["receive-pack", "--stateless-rpc", "."])
            .spawn()
            .unwrap();
        // A server that dislikes the beginning reads no more.
        let _ = child.stdin.take().unwrap().write_all(body);
        child.wait_with_output().unwrap();
    }

    pub(crate) fn state(&self) -> State {
        let mut others = BTreeMap::new();
        for name in ["HEAD", "config", "shallow", "packed-refs"] {
            if let Ok(content) = fs::read(self.folder.path().join(name)) {
                others.insert(name.into(), content);
            }
        }
        files_below(&self.folder.path().join("refs"), &mut |path, content| {
            others.insert(path.strip_prefix(self.folder.path()).unwrap().to_owned(), content);
        });
        State {
            session: others.remove(Path::new(SESSION)),
            others,
        }
    }

    /// Puts the session's branch back to where it was.
    pub(crate) fn restore(&self, state: &State) {
        let path = self.folder.path().join(SESSION);
        match &state.session {
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            None => drop(fs::remove_file(path)),
        }
    }

    /// The refs and where they are.
    pub(crate) fn refs(&self) -> Vec<(String, String)> {
        let listed = self.git(&["for-each-ref", "--format=%(refname) %(objectname)"], b"");
        listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, id)| (name.to_owned(), id.to_owned()))
            .collect()
    }

    fn git(&self, arguments: &[&str], input: &[u8]) -> String {
        String::from_utf8(self.run(arguments, input))
            .unwrap()
            .trim()
            .to_owned()
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self.command(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        output.stdout
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "A")
                .env(format!("GIT_{who}_EMAIL"), "a@example.com");
            command.env(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }
}

fn files_below(folder: &Path, seen: &mut impl FnMut(&Path, Vec<u8>)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, seen);
        } else {
            seen(&path, fs::read(&path).unwrap());
        }
    }
}

const SESSION: &str = "refs/heads/outwall/x";

const SETTINGS: [&str; 7] = [
    "receive.advertisePushOptions=true",
    "receive.certNonceSeed=x",
    "receive.shallowUpdate=true",
    "receive.denyDeleteCurrent=ignore",
    "receive.autogc=false",
    "core.fsync=none",
    "gc.auto=0",
];
