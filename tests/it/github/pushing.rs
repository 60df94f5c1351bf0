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
