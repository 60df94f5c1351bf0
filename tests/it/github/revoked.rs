//! What takes a session's right away while it pushes: the push fails so that one can read why, and the ref does not move.

use std::fs;
use std::time::{Duration, Instant};

use super::Desk;

/// Pushes 4 MiB of which the second half waits for a file.
const SLOW_PUSH: &str = r#"
mkdir ~/exec; ln -s "$(git --exec-path)"/* ~/exec/; rm -f ~/exec/git
cat > ~/exec/git <<END
#!/bin/sh
if test "\$1" = pack-objects; then
    $(command -v git) "\$@" | { head -c 2000000; touch $PWD/begun; while ! test -e $PWD/go; do sleep 0.05; done; cat; }
else
    exec $(command -v git) "\$@"
fi
END
chmod +x ~/exec/git
head -c 4000000 /dev/urandom > large; git add large; git commit --quiet -m large
GIT_EXEC_PATH=$HOME/exec x git push origin HEAD
"#;

/// What a push says during which `happens` does.
#[track_caller]
fn pushed_while(desk: &Desk, happens: impl FnOnce(&Desk)) -> String {
    let sandbox = desk.begin(SLOW_PUSH);
    let work = desk.outwall.work_dir().join("app");
    wait_until("the push has begun", || work.join("begun").exists());
    happens(desk);
    fs::write(work.join("go"), "").unwrap();
    sandbox.finish_within(Duration::from_mins(3)).stdout
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within two minutes: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_push_that_nothing_disturbs_arrives() {
    let Some(desk) = Desk::with("push = \"session-branch\"") else {
        return;
    };
    let said = pushed_while(&desk, |_| ());
    assert!(said.contains("[new branch]"), "{said}");
    assert!(desk.github.refs("acme/app").contains_key("refs/heads/outwall/x"));
}

#[test]
fn a_push_ends_when_its_credential_is_revoked() {
    let Some(desk) = Desk::new() else { return };
    let said = pushed_while(&desk, |desk| {
        let issued = desk.outwall.audit_of("credential.issued");
        let sandbox = issued.last().unwrap()["sandbox"].as_str().unwrap();
        desk.outwall.run(&["credential", "revoke", sandbox]).succeeded();
    });
    assert!(
        said.contains("Outwall: push refused") && said.contains("revoked"),
        "{said}"
    );
    assert!(!desk.github.refs("acme/app").contains_key("refs/heads/outwall/x"));
}

#[test]
fn a_push_ends_when_the_policy_takes_it_back() {
    let Some(desk) = Desk::with("push = \"session-branch\"") else {
        return;
    };
    let said = pushed_while(&desk, |desk| {
        let file = desk.outwall.policy_file();
        let none = fs::read_to_string(&file)
            .unwrap()
            .replace("push = \"session-branch\"", "push = \"none\"");
        fs::write(&file, none).unwrap();
        wait_until("the new policy counts", || {
            !desk.outwall.audit_of("policy.changed").is_empty()
        });
    });
    assert!(said.contains("Outwall: push refused"), "{said}");
    assert!(!desk.github.refs("acme/app").contains_key("refs/heads/outwall/x"));
}
