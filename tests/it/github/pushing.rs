//! Where a session may not force, its branch only moves forward.

use super::Desk;

#[test]
fn where_a_session_may_not_force_its_branch_only_moves_forward() {
    let Some(desk) = Desk::with("force_push = false") else {
        return;
    };
    let ran = desk.work(
        "set -e; commit 1 new.txt; git push -q; git tag one; commit 2 new.txt; git push -q; git rev-parse HEAD > /tmp/two\n\
         git checkout -q --detach one; commit 3 new.txt; git push --force origin HEAD:outwall/x && exit 9; cat /tmp/two",
    );
    let ran = ran.succeeded();
    let here = desk.github.refs("acme/app")["refs/heads/outwall/x"].clone();
    assert_eq!(here, ran.stdout.trim(), "{ran:?}");
    assert!(
        ran.stderr
            .contains("[remote rejected] HEAD -> outwall/x (this session may not force-push)"),
        "{ran:?}"
    );
}

#[test]
fn where_a_session_may_force_its_branch_is_rewritten() {
    let Some(desk) = Desk::new() else { return };
    let ran = desk.work(
        "set -e; commit 1 new.txt; git push -q; echo 3 > new.txt; git commit -q --amend -am three; git push -q --force; git rev-parse HEAD",
    );
    let ran = ran.succeeded();
    assert_eq!(
        desk.github.refs("acme/app")["refs/heads/outwall/x"],
        ran.stdout.trim()
    );
}

/// Git waits for ever where libcurl asks for more of an upload that has ended, which it does over h2.
#[test]
fn git_speaks_http_1_in_a_session_unless_it_is_told_otherwise() {
    let Some(desk) = Desk::new() else { return };
    let asked = |setting: &str| {
        let script = format!(
            "GIT_TRACE_CURL=1 git {setting} ls-remote origin 2>&1 | grep -o 'Recv header: HTTP/[0-9.]*' | sort -u"
        );
        desk.work(&script).succeeded().stdout
    };
    assert_eq!(asked(""), "Recv header: HTTP/1.1\n");
    let told = asked("-c http.https://github.com/.version=HTTP/2");
    assert!(told.contains("HTTP/2"), "the gate speaks both: {told}");
}

#[test]
#[ignore = "some minutes: a pack of 100 MiB"]
fn a_pack_of_100_mib_is_pushed_and_comes_back() {
    let Some(desk) = Desk::new() else { return };
    let ran = desk.work(
        "set -e; for n in 0 1 2 3 4 5 6 7 8 9; do head -c 10485760 /dev/urandom > large$n; done\n\
         git add .; git commit -qm Large; git push; git clone -q --branch outwall/x https://github.com/acme/app /tmp/again\n\
         for n in 0 1 2 3 4 5 6 7 8 9; do cmp large$n /tmp/again/large$n; done; git rev-parse HEAD",
    );
    let ran = ran.succeeded();
    let here = desk.github.refs("acme/app")["refs/heads/outwall/x"].clone();
    assert_eq!(here, ran.stdout.trim(), "{ran:?}");
    let requests = desk.github.requests();
    let pushed = requests
        .iter()
        .filter(|request| request.path.ends_with("/git-receive-pack"));
    assert!(
        pushed.map(|request| request.length).max() > Some(100 << 20),
        "as one push"
    );
}
