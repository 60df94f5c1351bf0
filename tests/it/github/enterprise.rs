//! A GitHub Enterprise Server: another host, other paths, the same session.

use insta::assert_snapshot;

use super::desk::shown;
use super::{Desk, Gh, POLICY};

#[test]
fn a_session_works_at_an_enterprise_server_as_at_github() {
    for gh in Gh::installed("gh at an enterprise server") {
        let policy = POLICY.replace("host = \"github.com\"", "host = \"ghe.example.com\"");
        let policy = policy.replace(
            "preset = \"github\"",
            "hosts = [\"ghe.example.com\"]\ninject = [{ header = \"authorization\", scheme = \"Bearer\" }]",
        );
        let Some(desk) = Desk::at(&policy) else { return };
        let desk = desk.having(gh);
        let main = desk.github.refs("acme/app")["refs/heads/main"].clone();
        let ran = desk
            .work_at("https://ghe.example.com/acme/app", SCRIPT)
            .succeeded();
        if gh == Gh::Debian {
            assert_snapshot!(shown(&ran.stdout), @r#"
            $ git push
            remote:
            remote: Create a pull request for 'outwall/x' on GitHub by visiting:
            remote:      https://ghe.example.com/acme/app/pull/new/outwall/x
            remote:
            To https://ghe.example.com/acme/app
             * [new branch]      outwall/x -> outwall/x
            [0]
            $ git ls-remote --heads git@ghe.example.com:acme/app outwall/x
            [HASH]	refs/heads/outwall/x
            [0]
            $ gh pr create --title A title --body A body
            https://ghe.example.com/acme/app/pull/1
            [0]
            $ gh pr view --json number,url
            {"number":1,"url":"https://ghe.example.com/acme/app/pull/1"}
            [0]
            $ gh api repos/acme/app --jq .full_name
            acme/app
            [0]
            $ gh api graphql -f query={ repository(owner: "acme", name: "app") { name } }
            {"data":{"repository":{"name":"app"}}}[0]
            $ gh pr diff 1
            diff --git a/new.txt b/new.txt
            new file mode 100644
            index [HASH]..[HASH]
            --- /dev/null
            +++ b/new.txt
            @@ -0,0 +1 @@
            +new
            [0]
            $ git push origin HEAD:main
            remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
            remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
            To https://ghe.example.com/acme/app
             ! [remote rejected] HEAD -> main (only refs/heads/outwall/x may be pushed in this session)
            error: failed to push some refs to 'https://ghe.example.com/acme/app'
            [1]
            $ gh pr merge 1 --merge
            Message: Outwall: mutation mergePullRequest: no session may merge (open a pull request, and let a person review and merge it), Locations: []
            [1]
            $ gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== --silent
            gh: Outwall: repos/create-or-update-file-contents: only refs/heads/outwall/x may be pushed in this session (update HEAD of acme/app) (name the session's branch in the request: "branch": "outwall/x") (HTTP 403)
            [1]
            "#);
        }
        assert_eq!(ran.stdout.matches("[0]").count(), 7, "{}", ran.stdout);
        let refs = desk.github.refs("acme/app");
        assert_eq!(refs["refs/heads/main"], main);
        assert!(refs.contains_key("refs/heads/outwall/x"));
        assert!(
            desk.github
                .requests()
                .iter()
                .all(|request| request.host == "ghe.example.com")
        );
    }
}

const SCRIPT: &str = r#"
commit new new.txt
x git push
x git ls-remote --heads git@ghe.example.com:acme/app outwall/x
x gh pr create --title "A title" --body "A body"
x gh pr view --json number,url
x gh api repos/acme/app --jq .full_name
x gh api graphql -f query='{ repository(owner: "acme", name: "app") { name } }'
x gh pr diff 1
x git push origin HEAD:main
x gh pr merge 1 --merge
x gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== --silent
"#;
