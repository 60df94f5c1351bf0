//! After a long session: the real token is in no byte that the sandbox received, and the session's credential in none that GitHub did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Desk, Gh, TOKEN};

#[test]
fn no_token_is_seen_on_the_other_side() {
    for gh in Gh::installed("the traces of gh in a session") {
        let Some(desk) = Desk::new() else { return };
        let desk = desk.having(gh);
        desk.github.watch(TOKEN);
        desk.github.issue("acme/app", "mona", "An issue");
        desk.github
            .workflow_run("acme/app", "main", "CI", Some("FAILURE"));
        desk.github.release("acme/app", "v1", "app.txt", b"an asset\n");
        let ran = desk.work(EVERYTHING).succeeded();
        let received = format!("{}{}", ran.stdout, ran.stderr);
        for said in [
            "authorization",
            "AUTHORIZATION",
            "> GET ",
            "an asset",
            "GH_TOKEN=",
        ] {
            assert!(
                received.to_lowercase().contains(&said.to_lowercase()),
                "the trace holds {said}: {received}"
            );
        }
        let basic = STANDARD.encode(format!("x-access-token:{TOKEN}"));
        for secret in [TOKEN, &basic, &basic.trim_end_matches('=')[4..], "ghs_"] {
            assert!(!received.contains(secret), "{secret}");
        }
        let scoped = received
            .lines()
            .find_map(|line| line.strip_prefix("GH_TOKEN="))
            .unwrap();
        let parts: Vec<&str> = scoped.split('.').collect();
        for request in desk.github.requests() {
            for part in parts.iter().skip(1).chain([&scoped]) {
                assert!(!request.holds(part), "{request:?}");
            }
        }
        assert!(
            desk.github.requests().iter().any(|request| request.holds(TOKEN)),
            "it is found where it is"
        );
        hygiene(&desk, scoped);
    }
}

/// Every door with all that its client tells, then everything that can be read of processes and files.
const EVERYTHING: &str = r#"
export GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=0 GIT_TRACE_REDACT=0 GIT_CURL_VERBOSE=1 GH_DEBUG=api
commit new new.txt
x git push origin HEAD
x git fetch
x git push origin HEAD:main
x git clone --depth 1 https://github.com/acme/app ~/shallow
x gh pr create --title T --body B
x gh pr view
x gh pr diff
x gh api repos/acme/app/contents/README.md
x gh api repos/acme/app/contents
x gh api graphql -f query='{ repository(owner: "acme", name: "app") { object(expression: "main:README.md") { ... on Blob { text } } } }'
x gh run list
x gh run view --log $(gh run list --json databaseId --jq '.[0].databaseId' 2>/dev/null)
x gh release download v1 --dir got
cat got/app.txt
x curl -sSi -H "Authorization: Bearer $GH_TOKEN" https://api.github.com/repos/acme/app
x curl -sSi -H "Authorization: Bearer $GH_TOKEN" https://api.github.com/repos/acme/app/tarball/main
x curl -sSiL -H "Authorization: Bearer $GH_TOKEN" https://github.com/acme/app/archive/refs/heads/main.tar.gz --output ~/main.tar.gz
x gh auth status --show-token
x gh auth token
x gh gist create README.md
cat /proc/*/environ 2>/dev/null | tr '\0' '\n'
cat /proc/*/cmdline 2>/dev/null | tr '\0' '\n'
env
cat ~/.gitconfig ~/.config/gh/* /etc/gitconfig /etc/outwall/* .git/config 2>/dev/null
grep -rl ghp_ ~ /etc /tmp . 2>/dev/null
true
"#;

/// What a session leaves: its clone, and nothing that still counts.
fn hygiene(desk: &Desk, scoped: &str) {
    let work = desk.outwall.work_dir();
    let left: Vec<_> = std::fs::read_dir(work)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["app"]);
    let listed = desk
        .outwall
        .run(&["credential", "list", "--format", "json"])
        .succeeded()
        .stdout;
    let of_git = listed
        .lines()
        .filter(|line| line.contains("outwall-git") || line.contains("acme/app"));
    for line in of_git {
        assert!(line.contains("revoked"), "{line}");
    }
    assert!(!listed.contains(scoped));
    let issued = desk.outwall.audit_of("credential.issued").len();
    assert_eq!(desk.outwall.audit_of("credential.revoked").len(), issued);
}
