//! What is pushed, and what is not.

use super::Desk;

#[test]
fn the_sessions_branch_is_pushed_and_main_is_not() {
    let desk = Desk::new();
    let before = desk.github.refs("acme/app");
    let ran = desk.work("set -e; git branch --show-current; echo new > new.txt; git add .; git commit -qm new; git push origin HEAD 2>&1; git rev-parse HEAD");
    eprintln!("{}\n{}", ran.stdout, ran.stderr);
    ran.succeeded();
    let after = desk.github.refs("acme/app");
    assert_eq!(after.get("refs/heads/main"), before.get("refs/heads/main"));
    assert!(after.contains_key("refs/heads/outwall/x"), "{after:?}");
}

#[test]
fn where_a_session_may_not_force_its_branch_only_moves_forward() {
    let desk = Desk::with("force_push = false");
    let ran = desk.work(
        "set -e; echo 1 > new.txt; git add .; git commit -qm one; git push -q origin HEAD; git tag one\n\
         echo 2 > new.txt; git commit -qam two; git push -q origin HEAD; git rev-parse HEAD > /tmp/two\n\
         git checkout -q --detach one; echo 3 > new.txt; git commit -qam three\n\
         git push --force origin HEAD:outwall/x && exit 9; cat /tmp/two",
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
    let desk = Desk::new();
    let ran = desk.work(
        "set -e; echo 1 > new.txt; git add .; git commit -qm one; git push -q origin HEAD\n\
         echo 3 > new.txt; git commit -q --amend -am three; git push -q --force origin HEAD; git rev-parse HEAD",
    );
    let ran = ran.succeeded();
    assert_eq!(
        desk.github.refs("acme/app")["refs/heads/outwall/x"],
        ran.stdout.trim()
    );
}
