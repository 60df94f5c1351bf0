//! Header fields and bodies on record where an environment asks for them, at GitHub: neither the real token nor the session's credential, nor
//! what GitHub signs.

use std::fs;

use super::{Desk, POLICY, TOKEN};

const RECORD: &str = "\n[environments.web.record]\nrequest_headers = [\"*\"]\nresponse_headers = [\"*\"]\n\
                      request_bodies = \"64 KiB\"\nresponse_bodies = \"64 KiB\"\n";

#[test]
fn what_a_session_says_is_on_record_without_its_tokens() {
    let Some(desk) = Desk::at(&format!("{POLICY}{RECORD}")) else {
        return;
    };
    let ran = desk.work(
        "git clone --quiet https://github.com/acme/app ~/app; cd ~/app; git checkout --quiet -B outwall/x\n\
         git lfs install --local; git lfs track '*.bin'; yes large | head -c 3000 > large.bin; commit attributes x.txt\n\
         git push origin outwall/x; git lfs push origin outwall/x\n\
         gh api repos/acme/app/contents/README.md; gh api repos/acme/app; gh api -X POST repos/acme/app/issues -f title=told\n\
         curl -sS -L https://codeload.github.com/acme/app/zip/HEAD -o zip; curl -sS -u x:THEIRS-secret https://api.github.com/user\n\
         printf 'protocol=https\\nhost=github.com\\n\\n' | git credential fill",
    );
    let ran = ran.succeeded();
    let password = ran.stdout.lines().find_map(|line| line.strip_prefix("password="));
    let scoped = password.unwrap_or_else(|| panic!("{ran:?}"));

    let entries = fs::read_dir(desk.outwall.state_dir().join("audit")).unwrap();
    let files: Vec<Vec<u8>> = entries
        .filter_map(|entry| fs::read(entry.unwrap().path()).ok())
        .collect();
    let kept = String::from_utf8_lossy(&files.concat()).into_owned();
    let signature = scoped.rsplit('.').next().unwrap(); // what it says is no secret: sandbox, repository, branch
    for secret in [&TOKEN["ghp_".len()..], signature, "THEIRS-secret"] {
        for window in secret.as_bytes().windows(12) {
            let window = str::from_utf8(window).unwrap();
            assert!(!kept.contains(window), "{window}");
        }
    }
    let events = desk.outwall.audit();
    let went = |operation: &str| {
        let id = events
            .iter()
            .find(|event| event["github"]["operation"] == operation && event["kind"] == "exchange.going_out");
        let id = &id.unwrap_or_else(|| panic!("no {operation}"))["id"];
        let back = events.iter().find(|event| event["for"] == *id).unwrap();
        (back["request"]["body"].clone(), back["response"]["body"].clone())
    };
    assert!(kept.contains("{\"name\":\"authorization\",\"value\":\"[redacted]\"}"));
    assert!(kept.contains("\"value\":\"git/"), "the client's own fields");
    let contents = went("repos/get-content").1;
    assert!(
        contents["text"]
            .as_str()
            .unwrap()
            .contains("\"name\":\"README.md\""),
        "{contents}"
    );
    let push = went("git-receive-pack").0;
    assert!(
        push["unrecorded"]
            .as_str()
            .unwrap()
            .contains("a pack of git is in it"),
        "{push}"
    );
    let (asked, batch) = went("lfs/batch upload");
    assert!(
        asked["text"]
            .as_str()
            .unwrap()
            .contains("\"operation\":\"upload\""),
        "{asked}"
    );
    assert!(
        batch["unrecorded"]
            .as_str()
            .unwrap()
            .contains("the sandbox is shown another one"),
        "{batch}"
    );
    let denied = events.iter().filter(|event| event["kind"] == "denied");
    assert!(
        denied
            .into_iter()
            .any(|event| event["request"]["headers"].is_array()),
        "a refusal says what was asked"
    );
}
