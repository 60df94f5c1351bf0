//! Repositories on disk, and git itself to work on them: nothing of git is imitated here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    path: PathBuf,
}

/// What git said when it would not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GitRefused(pub(super) String);

impl Disk {
    /// A new, empty repository at `path`, whose `HEAD` is `branch`.
    pub(super) fn create(path: &Path, branch: &str, object_format: &str, hooks: &Path) -> Self {
        let disk = Self {
            path: path.to_owned(),
        };
        let format = format!("--object-format={object_format}");
        let initial = format!("--initial-branch={branch}");
        let mut init = Command::new("git");
        surroundings(&mut init);
        let made = init
            .args(["init", "--quiet", "--bare", &format, &initial])
            .arg(path)
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "git makes no repository at {}",
            path.display()
        );
        let hooks = hooks.display().to_string();
        let config = SETTINGS
            .iter()
            .copied()
            .chain([("core.hooksPath", hooks.as_str())]);
        let mut text = fs::read_to_string(path.join("config")).expect("git made a configuration");
        for (key, value) in config {
            let (section, name) = key.split_once('.').expect("a section and a name");
            let _ = writeln!(text, "[{section}]\n\t{name} = {value}");
        }
        fs::write(path.join("config"), text).expect("the repository is ours");
        disk
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `git ARGUMENTS` with these bytes as its input: its output.
    pub(super) fn git_with(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, GitRefused> {
        self.git_in(arguments, input, &[])
    }

    fn git_in(
        &self,
        arguments: &[&str],
        input: &[u8],
        variables: &[(&str, String)],
    ) -> Result<Vec<u8>, GitRefused> {
        let mut command = Command::new("git");
        surroundings(&mut command);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.arg("-C").arg(&self.path).args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| GitRefused(error.to_string()))?;
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child
            .wait_with_output()
            .map_err(|error| GitRefused(error.to_string()))?;
        let _ = writing.join();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(GitRefused(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ))
        }
    }

    /// `git ARGUMENTS`: the line or lines it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, GitRefused> {
        let printed = self.git_with(arguments, b"")?;
        Ok(String::from_utf8_lossy(&printed).trim_end().to_owned())
    }

    /// What a ref, a name or an abbreviated id stands for.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        if name.starts_with('-') {
            return None;
        }
        self.git(&["rev-parse", "--verify", "--quiet", name])
            .ok()
            .filter(|id| !id.is_empty())
    }

    /// The commit at `branch`, or none.
    pub(super) fn branch(&self, branch: &str) -> Option<String> {
        self.resolve(&format!("refs/heads/{branch}"))
    }

    /// `commit`, `tree`, `blob` or `tag`.
    pub(super) fn kind(&self, id: &str) -> Option<String> {
        self.git(&["cat-file", "-t", "--end-of-options", id]).ok()
    }

    /// Moves, makes or (with no new id) deletes a ref, if it is where it is said to be.
    pub(super) fn update(&self, name: &str, new: Option<&str>, old: Option<&str>) -> Result<(), GitRefused> {
        let mut arguments = vec!["update-ref"];
        match new {
            Some(new) => arguments.extend([name, new]),
            None => arguments.extend(["-d", name]),
        }
        arguments.extend(old);
        self.git(&arguments).map(drop)
    }

    /// How many digits an object's id has.
    pub(super) fn id_length(&self) -> usize {
        let format = self
            .git(&["rev-parse", "--show-object-format"])
            .unwrap_or_default();
        if format == "sha256" { 64 } else { 40 }
    }

    /// The tree of `base` with `entries` (as `git update-index --index-info` reads them) put into it.
    pub(super) fn tree(&self, base: Option<&str>, entries: &[u8]) -> Result<String, GitRefused> {
        let index =
            tempfile::NamedTempFile::new_in(&self.path).map_err(|error| GitRefused(error.to_string()))?;
        let path = index.path().with_extension("index"); // git makes it itself: an empty file is no index
        let variable = [("GIT_INDEX_FILE", path.display().to_string())];
        self.git_in(&["read-tree", base.unwrap_or("--empty")], b"", &variable)?;
        self.git_in(&["update-index", "--index-info"], entries, &variable)?;
        let tree = self.git_in(&["write-tree"], b"", &variable)?;
        let _ = fs::remove_file(&path);
        Ok(String::from_utf8_lossy(&tree).trim().to_owned())
    }

    /// Every ref and what it holds, `HEAD` included, read from the files: a broken or a hidden one, too.
    pub(super) fn refs(&self) -> BTreeMap<String, String> {
        let mut refs = BTreeMap::new();
        let packed = fs::read_to_string(self.path.join("packed-refs")).unwrap_or_default();
        for line in packed.lines().filter(|line| !line.starts_with(['#', '^'])) {
            if let Some((id, name)) = line.split_once(' ') {
                refs.insert(name.to_owned(), id.to_owned());
            }
        }
        loose(&self.path.join("refs"), "refs", &mut refs);
        let head = fs::read_to_string(self.path.join("HEAD")).unwrap_or_default();
        refs.insert("HEAD".to_owned(), head.trim_end().to_owned());
        refs
    }
}

fn loose(directory: &Path, prefix: &str, refs: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            loose(&entry.path(), &name, refs);
        } else if let Ok(id) = fs::read_to_string(entry.path()) {
            refs.insert(name, id.trim_end().to_owned());
        }
    }
}

/// As a large forge has them: partial clones, any object by its id, push certificates and options; what it keeps for
/// itself is hidden from pushes.
const SETTINGS: [(&str, &str); 13] = [
    ("http.receivepack", "true"),
    ("http.uploadarchive", "true"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("receive.advertisePushOptions", "true"),
    ("receive.certNonceSeed", "a seed of the tests"),
    ("receive.certNonceSlop", "60"),
    ("receive.hideRefs", "refs/pull"),
    ("receive.autogc", "false"),
    ("gc.auto", "0"),
    ("repack.writeBitmaps", "false"),
    ("user.name", "GitHub"),
    ("user.email", "noreply@github.com"),
];

/// Nothing of whoever runs the tests: no configuration, no locale, no directory owner's check.
pub(super) fn surroundings(command: &mut Command) {
    for (name, value) in SURROUNDINGS {
        command.env(name, value);
    }
    command
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE");
}

pub(super) const SURROUNDINGS: [(&str, &str); 7] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", "safe.directory"),
    ("GIT_CONFIG_VALUE_0", "*"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];

/// The hooks that every repository has: GitHub's own refusals.
pub(super) fn write_hooks(directory: &Path) {
    fs::create_dir_all(directory).expect("the directory is ours");
    for (name, script) in [("update", UPDATE), ("post-receive", POST_RECEIVE)] {
        let hook = directory.join(name);
        fs::write(&hook, script).expect("the directory is ours");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    }
}

/// Refuses what changes a workflow when the token may not; the words are GitHub's.
const UPDATE: &str = r#"#!/bin/sh
test "$STANDIN_WORKFLOWS" = refused || exit 0
case $3 in *[!0]*) ;; *) exit 0 ;; esac
changed=$(git rev-list "$3" --not --all | git diff-tree --stdin -r -m --root --no-commit-id --name-only -- .github/workflows | head -n 1)
test -n "$changed" || exit 0
echo "$1 refusing to allow $STANDIN_BEARER to create or update workflow \`$changed\` without \`$STANDIN_LACKS" >>"$STANDIN_REFUSALS"
exit 1
"#;

/// Says what GitHub says of a new branch.
const POST_RECEIVE: &str = r#"#!/bin/sh
while read -r old new name; do
    case $old,$new,$name in
    *[!0]*,*,*) ;;
    *,*,refs/heads/*)
        branch=${name#refs/heads/}
        printf '\nCreate a pull request for '\''%s'\'' on GitHub by visiting:\n     %s/pull/new/%s\n\n' "$branch" "$STANDIN_PAGE" "$branch" >&2
        ;;
    esac
done
"#;
