//! What works, with output equal to that without a proxy: the same script in a sandbox, and with the token at an equal GitHub with
//! nothing between. Hashes differ, as the first commits of two repositories have different times; nothing else may.

use std::collections::BTreeMap;

use outwall_tests::github::{GitHub, NewRepository};
use outwall_tests::{Finished, skip};

use super::desk::{planted, shown};
use super::{Desk, Gh, POLICY};

/// Tells the story twice and compares what was printed, and what it came to.
#[track_caller]
fn alike(desk: &Desk, twin: &GitHub, script: &str) -> String {
    let (before, twin_before) = (desk.github.state(), twin.state());
    let through = printed(desk.work(script));
    let directly = printed(desk.directly(twin, script));
    assert_eq!(
        through, directly,
        "in a sandbox (left), and with nothing between (right)"
    );
    let all = |differences: Vec<_>| {
        differences
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
            .join("\n")
    };
    let became = shown(&all(before.differences(&desk.github.state())));
    assert_eq!(became, shown(&all(twin_before.differences(&twin.state()))));
    assert_eq!(trees(&desk.github), trees(twin), "the content of the branches");
    through
}

fn printed(ran: Finished) -> String {
    shown(&ran.succeeded().stdout)
}

/// The tree of every branch, whose hash is the same where its content is.
fn trees(github: &GitHub) -> BTreeMap<String, String> {
    let refs = github.refs("acme/app").into_iter();
    refs.filter(|(name, _)| name.starts_with("refs/heads/"))
        .map(|(name, id)| {
            let tree = format!("{id}^{{tree}}");
            let output = std::process::Command::new("git")
                .args(["-c", "safe.directory=*", "--git-dir"])
                .arg(github.git_dir("acme/app"))
                .args(["rev-parse", &tree])
                .output()
                .unwrap();
            (name, String::from_utf8(output.stdout).unwrap())
        })
        .collect()
}

#[test]
fn git_pulls_and_pushes_the_sessions_branch() {
    let Some(desk) = Desk::new() else { return };
    let printed = alike(&desk, &planted(|app| app), WORK);
    for said in [
        "[new branch]",
        "non-fast-forward",
        "(forced update)",
        "Fast-forward",
        "README.md",
    ] {
        assert!(printed.contains(said), "{said}: {printed}");
    }
}

/// New, fast-forward, forced, atomic; pulled back; by the URL of SSH; of 2 MiB, which git sends in pieces after a probe; as an archive.
const WORK: &str = r"
x git branch
commit new new.txt
x git push --dry-run
x git push
x git push
x git pull
commit newer new.txt
x git push
git reset --quiet --hard HEAD~1
x git pull
git commit --quiet --amend -m amended
x git push
x git push --force
x git push --force-with-lease
commit atomic atomic.txt
x git push --atomic origin HEAD
x git ls-remote git@github.com:acme/app
x git push git@github.com:acme/app.git HEAD
yes 'What does not shrink by itself.' | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null | head -c 2097152 > large
git add .; git commit --quiet -m large
x git push origin outwall/x
x git fetch --prune
x git log --format=%s origin/outwall/x
git archive --remote=https://github.com/acme/app main README.md | tar t
";

#[test]
fn git_clones_in_every_way() {
    let Some(desk) = Desk::new() else { return };
    let twin = planted(|app| app);
    for github in [&desk.github, &twin] {
        github.commit("acme/app", "main", &[("src/lib.rs", "//! A library.\n")]);
    }
    let printed = alike(&desk, &twin, CLONES);
    assert!(
        printed.contains("A shallow commit\nA commit\nThe first commit\n"),
        "{printed}"
    );
    assert!(printed.contains("# app\n[0]"), "{printed}");
}

const CLONES: &str = r#"
x git clone --depth 1 https://github.com/acme/app ~/shallow
cd ~/shallow; git checkout --quiet -B outwall/x; commit "A shallow commit" shallow.txt
x git push origin HEAD
x git fetch --unshallow
git log --format=%s
x git clone --filter=blob:none --no-checkout https://github.com/acme/app.git ~/partial
cd ~/partial
x git checkout main
x git show HEAD~1:README.md
x git clone --single-branch --no-tags --branch outwall/x https://github.com/acme/app ~/single
x git -C ~/single log --format=%s
x git -c protocol.version=0 clone https://github.com/ACME/App/ ~/v0
x git -c protocol.version=1 ls-remote https://github.com/acme/app
"#;

fn with_sha256(app: NewRepository<'_>) -> NewRepository<'_> {
    app.sha256()
}

#[test]
fn a_repository_of_sha256_is_worked_in_like_any_other() {
    let policy = format!("{POLICY}\n[github.sessions]\n");
    let Some(desk) = Desk::of(&policy, with_sha256) else {
        return;
    };
    let script = "git rev-parse --show-object-format; commit new new.txt; x git push; x git clone https://github.com/acme/app ~/again\n\
        git commit --quiet --amend -m amended; x git push --force; x git pull";
    let printed = alike(&desk, &planted(with_sha256), script);
    assert!(
        printed.starts_with("sha256\n") && printed.contains("(forced update)"),
        "{printed}"
    );
}

#[test]
fn gh_works_on_pull_requests_issues_and_runs() {
    for gh in Gh::installed("gh in a session") {
        let Some(desk) = Desk::new() else { return };
        let desk = desk.having(gh);
        let twin = planted(|app| app);
        for github in [&desk.github, &twin] {
            github.commit("acme/app", "outwall/x", &[("new.txt", "new\n")]);
            github.issue("acme/app", "mona", "An issue of old");
            github.label("acme/app", "bug");
            github.workflow_run("acme/app", "outwall/x", "CI", Some("SUCCESS"));
            github.release("acme/app", "v1", "app.txt", b"an asset\n");
        }
        let printed = alike(&desk, &twin, GH);
        for said in [
            "/pull/2",
            "A body",
            "+new",
            "A comment",
            "build",
            "an asset",
            "Reopened",
            "https://api.github.com/repos/acme/app",
        ] {
            assert!(printed.contains(said), "{said}: {printed}");
        }
        assert!(!printed.contains("Outwall"), "{printed}");
    }
}

const GH: &str = r#"
x gh repo view
x gh pr create --draft --title "A title" --body "A body"
x gh pr create --fill
x gh pr view
x gh pr view 2 --json number,title,state,isDraft,headRefName,files
x gh pr list
x gh pr status
x gh pr checks
x gh pr diff
x gh pr comment --body "A comment"
x gh pr view --comments
x gh pr edit 2 --title "Another title" --add-label bug
x gh pr ready
x gh pr review --comment --body "Read"
x gh pr close 2
x gh pr reopen 2
x gh pr view 2 --json title,labels,isDraft,reviews,comments
x gh issue list
x gh issue view 1
x gh run list
run=$(gh run list --json databaseId --jq '.[0].databaseId')
x gh run view $run
x gh run view --log $run
x gh api repos/acme/app --jq .url
x gh api repos/acme/app/pulls/2 --jq .head.ref
x gh api --paginate repos/acme/app/commits --jq '.[].commit.message'
x gh api graphql -F owner=acme -F name=app -f query='query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { pullRequests(first: 1) { nodes { title } } } }'
x gh release list
x gh release download v1 --dir got
cat got/app.txt
x gh pr checkout 2
x gh repo clone acme/app ~/again
"#;

#[test]
fn git_lfs_pushes_and_pulls() {
    if !std::path::Path::new("/usr/bin/git-lfs").exists() {
        skip("git lfs in a session", "git-lfs is not installed");
        return;
    }
    let Some(desk) = Desk::new() else { return };
    let printed = alike(&desk, &planted(|app| app), LFS);
    assert_eq!(desk.github.state().lfs["acme/app"].len(), 1, "{printed}");
    assert!(printed.ends_with("The files are the same\n"), "{printed}");
    let asked = desk.github.requests();
    let mirrored = asked.iter().filter(|request| request.path.contains("mirror=1"));
    assert_eq!(mirrored.count(), 1, "the store led elsewhere, and was followed");
}

/// A session's own clone keeps its hooks and configuration; so this is told in another one.
const LFS: &str = r#"
x git clone https://github.com/acme/app ~/app
cd ~/app; git checkout --quiet -B outwall/x
git lfs install --local >/dev/null
git lfs track '*.bin' >/dev/null
yes large | head -c 300000 > large.bin
git add .; git commit --quiet -m "A large file"
quick() { x "$@" | grep -v 'LFS objects:'; } # progress, where it takes long enough
quick git push origin outwall/x
quick git lfs push origin outwall/x
x git lfs ls-files
GIT_LFS_SKIP_SMUDGE=1 git clone --quiet --branch outwall/x https://github.com/acme/app ~/pulled
cd ~/pulled; git lfs install --local >/dev/null
quick git lfs pull
cmp large.bin ~/app/large.bin && echo The files are the same
"#;
