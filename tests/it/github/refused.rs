//! What is refused, as a person sees it. After each, nothing has changed at GitHub; and each ends with what is allowed.

#![expect(clippy::too_many_lines, reason = "what a person sees is as long as it is")]

use insta::assert_snapshot;
use outwall_tests::github::Difference;
use outwall_tests::skip;

use super::desk::shown;
use super::{Desk, Gh, POLICY};

/// What a script printed at a desk, where only the session's branch has changed.
#[track_caller]
fn printed(desk: &Desk, script: &str) -> String {
    let before = desk.github.state();
    let ran = desk.work(script).succeeded();
    let others: Vec<_> = before
        .differences(&desk.github.state())
        .into_iter()
        .filter(|one| !is_of_the_session(one))
        .collect();
    assert_eq!(others, [], "{}", ran.stdout);
    shown(&ran.stdout)
}

fn is_of_the_session(difference: &Difference) -> bool {
    matches!(difference, Difference::Ref { repository, name, .. } if repository == "acme/app" && name == "refs/heads/outwall/x")
}

#[test]
fn no_ref_but_the_sessions_branch_is_pushed() {
    let Some(desk) = Desk::new() else { return };
    desk.github
        .commit("acme/app", "other", &[("other.txt", "other\n")]);
    let said = printed(
        &desk,
        "commit new new.txt; git tag v9\nx git push origin HEAD:main\nx git push --force origin HEAD:other\nx git push origin v9\n\
        x git push origin HEAD HEAD:main\nx git push --atomic origin HEAD HEAD:refs/heads/new\nx git push --mirror\nx git push origin --delete other\n\
        x git push origin HEAD:refs/pull/1/head\nx git push --dry-run origin HEAD:main\nx git push\nx git push origin --delete outwall/x\nx git push --tags",
    );
    assert_snapshot!(said, @r#"
    $ git push origin HEAD:main
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] HEAD -> main (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push --force origin HEAD:other
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] HEAD -> other (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin v9
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] v9 -> v9 (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin HEAD HEAD:main
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] HEAD -> main (only refs/heads/outwall/x may be pushed in this session)
     ! [remote rejected] HEAD -> outwall/x (refused: another ref in this push is not allowed)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push --atomic origin HEAD HEAD:refs/heads/new
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] HEAD -> outwall/x (refused: another ref in this push is not allowed)
     ! [remote rejected] HEAD -> new (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push --mirror
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] other (only refs/heads/outwall/x may be pushed in this session)
     ! [remote rejected] outwall/x -> outwall/x (refused: another ref in this push is not allowed)
     ! [remote rejected] origin/HEAD -> origin/HEAD (only refs/heads/outwall/x may be pushed in this session)
     ! [remote rejected] origin/main -> origin/main (only refs/heads/outwall/x may be pushed in this session)
     ! [remote rejected] origin/other -> origin/other (only refs/heads/outwall/x may be pushed in this session)
     ! [remote rejected] v9 -> v9 (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin --delete other
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] other (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin HEAD:refs/pull/1/head
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] HEAD -> refs/pull/1/head (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push --dry-run origin HEAD:main
    To https://github.com/acme/app
       [HASH]..[HASH]  HEAD -> main
    [0]
    $ git push
    remote:
    remote: Create a pull request for 'outwall/x' on GitHub by visiting:
    remote:      https://github.com/acme/app/pull/new/outwall/x
    remote:
    To https://github.com/acme/app
     * [new branch]      outwall/x -> outwall/x
    [0]
    $ git push origin --delete outwall/x
    remote: Outwall: push refused: this session may not delete its branch (github-ref-refused)
    remote: Outwall: an operator allows it with `delete_branch = true` in [github.sessions]
    To https://github.com/acme/app
     ! [remote rejected] outwall/x (this session may not delete its branch)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push --tags
    remote: Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    remote: Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    To https://github.com/acme/app
     ! [remote rejected] v9 -> v9 (only refs/heads/outwall/x may be pushed in this session)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    "#);
    assert!(desk.github.refs("acme/app").contains_key("refs/heads/outwall/x"));
}

#[test]
fn another_repository_is_neither_read_nor_written_where_the_environment_does_not_reach_github() {
    let Some(desk) = Desk::new() else { return };
    let said = printed(
        &desk,
        "x git ls-remote https://github.com/acme/lib\nx git push https://github.com/acme/lib HEAD:main\n\
        x git clone https://github.com/acme/secret ~/secret\nx git ls-remote git@github.com:acme/lib.git\nx gh api repos/acme/lib\n\
        x curl -sS https://raw.githubusercontent.com/acme/lib/main/lib.txt\nx git ls-remote https://github.com/acme/app",
    );
    assert_snapshot!(said, @r#"
    $ git ls-remote https://github.com/acme/lib
    remote: Outwall: git-upload-pack (refs): the environment does not allow github.com, so that only acme/app is reached there (read acme/lib)
    remote: Outwall: an operator adds "github.com" to `allowed_domains` of the environment
    fatal: unable to access 'https://github.com/acme/lib/': The requested URL returned error: 403
    [128]
    $ git push https://github.com/acme/lib HEAD:main
    remote: Outwall: git-receive-pack (refs): the environment does not allow github.com, so that only acme/app is reached there (read acme/lib)
    remote: Outwall: an operator adds "github.com" to `allowed_domains` of the environment
    fatal: unable to access 'https://github.com/acme/lib/': The requested URL returned error: 403
    [128]
    $ git clone https://github.com/acme/secret [STORY]/home/secret
    Cloning into '[STORY]/home/secret'...
    remote: Outwall: git-upload-pack (refs): the environment does not allow github.com, so that only acme/app is reached there (read acme/secret)
    remote: Outwall: an operator adds "github.com" to `allowed_domains` of the environment
    fatal: unable to access 'https://github.com/acme/secret/': The requested URL returned error: 403
    [128]
    $ git ls-remote git@github.com:acme/lib.git
    remote: Outwall: git-upload-pack (refs): the environment does not allow github.com, so that only acme/app is reached there (read acme/lib)
    remote: Outwall: an operator adds "github.com" to `allowed_domains` of the environment
    fatal: unable to access 'https://github.com/acme/lib.git/': The requested URL returned error: 403
    [128]
    $ gh api repos/acme/lib
    {"code":"github-repository-refused","message":"Outwall: repos/get: the environment does not allow github.com, so that only acme/app is reached there (read acme/lib) (an operator adds \"github.com\" to `allowed_domains` of the environment)"}gh: Outwall: repos/get: the environment does not allow github.com, so that only acme/app is reached there (read acme/lib) (an operator adds "github.com" to `allowed_domains` of the environment) (HTTP 403)
    [1]
    $ curl -sS https://raw.githubusercontent.com/acme/lib/main/lib.txt
    Outwall: read a page or a file: the environment does not allow github.com, so that only acme/app is reached there (read acme/lib)
    Outwall: an operator adds "github.com" to `allowed_domains` of the environment
    [0]
    $ git ls-remote https://github.com/acme/app
    [HASH]	HEAD
    [HASH]	refs/heads/main
    [0]
    "#);
    assert!(
        desk.github
            .requests()
            .iter()
            .all(|request| !request.path.contains("acme/lib") && !request.path.contains("acme/secret"))
    );
}

/// An environment that reaches GitHub, too.
fn reaching_github() -> String {
    POLICY.replace(
        "network = \"none\"",
        "network = \"custom\"\nallowed_domains = [\"github.com\", \"api.github.com\", \"raw.githubusercontent.com\"]",
    )
}

#[test]
fn what_is_public_is_read_without_a_token_where_the_environment_reaches_github() {
    let Some(desk) = Desk::at(&reaching_github()) else {
        return;
    };
    let said = printed(
        &desk,
        "x git clone https://github.com/acme/lib ~/lib\nx cat ~/lib/lib.txt\nx gh api repos/acme/lib --jq .full_name\n\
        x curl -sS https://raw.githubusercontent.com/acme/lib/main/lib.txt\nx git push https://github.com/acme/lib HEAD:main\n\
        x git ls-remote https://github.com/acme/secret\nx gh api repos/acme/secret --silent\nx gh api -X POST repos/acme/lib/issues -f title=t --silent\n\
        x gh pr list -R acme/lib",
    );
    assert_snapshot!(said, @r#"
    $ git clone https://github.com/acme/lib [STORY]/home/lib
    Cloning into '[STORY]/home/lib'...
    [0]
    $ cat [STORY]/home/lib/lib.txt
    a library
    [0]
    $ gh api repos/acme/lib --jq .full_name
    acme/lib
    [0]
    $ curl -sS https://raw.githubusercontent.com/acme/lib/main/lib.txt
    a library
    [0]
    $ git push https://github.com/acme/lib HEAD:main
    remote: Outwall: git-receive-pack (refs): this session works in acme/app only (store objects in acme/lib)
    remote: Outwall: work in acme/app, or start a session for the other repository
    fatal: unable to access 'https://github.com/acme/lib/': The requested URL returned error: 403
    [128]
    $ git ls-remote https://github.com/acme/secret
    remote: Outwall: acme/secret is not public, or not there
    remote: Outwall: work in acme/app, or start a session for the other repository: this one reads others without a token
    fatal: unable to access 'https://github.com/acme/secret/': The requested URL returned error: 403
    [128]
    $ gh api repos/acme/secret --silent
    gh: Not Found (HTTP 404)
    [1]
    $ gh api -X POST repos/acme/lib/issues -f title=t --silent
    gh: Outwall: issues/create: this session works in acme/app only (open an issue in acme/lib) (work in acme/app, or start a session for the other repository) (HTTP 403)
    [1]
    $ gh pr list -R acme/lib
    GraphQL: Outwall: query PullRequestList: it reaches beyond the session's repository (read acme/lib with GraphQL) (ask for the session's repository only: `repository(owner:, name:)`, `repo:OWNER/NAME`)
    [1]
    "#);
    let others = desk
        .github
        .requests()
        .into_iter()
        .filter(|request| !request.path.contains("acme/app"));
    let with_token: Vec<_> = others
        .filter(|request| request.path.contains("acme/") && !request.header("authorization").is_empty())
        .collect();
    assert!(with_token.is_empty(), "{with_token:?}");
}

#[test]
fn submodules_are_there_as_far_as_the_session_reaches_them() {
    for (policy, reached) in [(reaching_github(), true), (POLICY.to_owned(), false)] {
        let Some(desk) = Desk::at(&policy) else { return };
        let lib = desk.github.refs("acme/lib")["refs/heads/main"].clone();
        let modules = "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib\n[submodule \"secret\"]\n\tpath = secret\n\turl = https://github.com/acme/secret\n";
        desk.github
            .commit("acme/app", "main", &[(".gitmodules", modules)]);
        let link = format!(
            "git update-index --add --cacheinfo 160000,{lib},lib --cacheinfo 160000,{lib},secret; git commit --quiet -m Parts; git push --quiet origin HEAD:main"
        );
        desk.directly(&desk.github, &link).succeeded();
        let ran = desk.work("ls lib secret; git status --short").succeeded();
        let expected = if reached {
            "lib:\nlib.txt\n\nsecret:\n"
        } else {
            "lib:\n\nsecret:\n"
        };
        assert_eq!(ran.stdout, expected, "{}", ran.stderr);
        let taught = if reached {
            "acme/secret is not public, or not there"
        } else {
            "the environment does not allow github.com"
        };
        assert!(ran.stderr.contains(taught), "{}", ran.stderr);
    }
}

#[test]
fn dumb_http_is_refused_and_git_itself_never_asks_for_it() {
    let Some(desk) = Desk::new() else { return };
    let said = printed(
        &desk,
        "x curl -sS https://github.com/acme/app.git/info/refs\nx curl -sS -o /dev/null -w '%{http_code}' \
        'https://github.com/acme/app.git/info/refs?service=git-upload-pack'\nx curl -sS https://github.com/acme/app/objects/info/packs",
    );
    assert_snapshot!(said, @r#"
    $ curl -sS https://github.com/acme/app.git/info/refs
    Outwall: the request to GitHub is not understood: git's "dumb" protocol is not served; use a client that speaks the smart one (git 1.6.6 and newer)
    Outwall: use git, gh or git-lfs as usual: what the gate cannot read it does not send
    [0]
    $ curl -sS -o /dev/null -w %{http_code} https://github.com/acme/app.git/info/refs?service=git-upload-pack
    401[0]
    $ curl -sS https://github.com/acme/app/objects/info/packs
    Outwall: the request to GitHub is not understood: git's "dumb" protocol is not served; use a client that speaks the smart one (git 1.6.6 and newer)
    Outwall: use git, gh or git-lfs as usual: what the gate cannot read it does not send
    [0]
    "#);
}

#[test]
fn what_belongs_to_people_is_refused_to_gh() {
    for gh in Gh::installed("what gh is refused") {
        let Some(desk) = Desk::new() else { return };
        let desk = desk.having(gh);
        desk.github
            .commit("acme/app", "outwall/x", &[("new.txt", "new\n")]);
        desk.github
            .commit("acme/app", "other", &[("other.txt", "other\n")]);
        desk.github
            .pull_request("acme/app", "mona", "outwall/x", "main", "Of the session");
        desk.github
            .pull_request("acme/app", "mona", "other", "main", "Of somebody else");
        let main = desk.github.ref_node_id("acme/app", "refs/heads/main");
        let run = desk
            .github
            .workflow_run("acme/app", "main", "CI", Some("FAILURE"));
        let script = REFUSED_TO_GH
            .replace("MAIN", &main)
            .replace("RUN", &run.to_string());
        let said = desk.refused(&script);
        if gh == Gh::Debian {
            assert_snapshot!(said, @r#"
            $ gh pr merge 1 --merge
            Message: Outwall: mutation mergePullRequest: no session may merge (open a pull request, and let a person review and merge it), Locations: []
            [1]
            $ gh pr merge 1 --squash --auto
            Message: Outwall: mutation mergePullRequest: no session may merge (open a pull request, and let a person review and merge it), Locations: []
            [1]
            $ gh pr merge 1 --merge --admin
            Message: Outwall: mutation mergePullRequest: no session may merge (open a pull request, and let a person review and merge it), Locations: []
            [1]
            $ gh pr review 1 --approve
            failed to create review: Message: Outwall: mutation addPullRequestReview: no session may approve or block a pull request (mutation addPullRequestReview with APPROVE) (review with a comment (`gh pr review --comment`), and let a person decide), Locations: []
            [1]
            $ gh pr edit 2 --title Taken over
            Message: Outwall: mutation updatePullRequest: only pull requests of the branch outwall/x may be written in this session (change the pull request of acme/app:other in acme/app) (open a pull request of your own: gh pr create --head outwall/x), Locations: []
            [1]
            $ gh pr close 2
            API call failed: Message: Outwall: mutation closePullRequest: only pull requests of the branch outwall/x may be written in this session (change the pull request of acme/app:other in acme/app) (open a pull request of your own: gh pr create --head outwall/x), Locations: []
            [1]
            $ gh issue create --title T --body B
            GraphQL: Outwall: mutation createIssue: this session may not open issues (open an issue in acme/app) (an operator allows it with `create_issues = true` in [github.sessions])
            [1]
            $ gh gist create README.md
            - Creating gist README.md
            X Failed to create gist: HTTP 403: Outwall: gists/create: no session may publish, or make repositories and gists (let a person do it) (https://api.github.com/gists)
            [1]
            $ gh secret set NAME --body value
            failed to fetch public key: HTTP 403: Outwall: actions/get-repo-public-key: no session may use secrets and variables of a repository (let a person do it) (https://api.github.com/repos/acme/app/actions/secrets/public-key)
            [1]
            $ gh workflow run CI
            could not create workflow dispatch event: HTTP 403: Outwall: actions/create-workflow-dispatch: no session may start workflows or report checks (push to the session's branch: workflows that run on pushes and pull requests run as usual) (https://api.github.com/repos/acme/app/actions/workflows/[HASH]/dispatches)
            [1]
            $ gh run rerun [HASH]
            run [HASH] cannot be rerun; its workflow file may be broken
            [1]
            $ gh release create v2 --notes N
            HTTP 403: Outwall: repos/create-release: no session may publish, or make repositories and gists (let a person do it) (https://api.github.com/repos/acme/app/releases)
            [1]
            $ gh repo fork --clone=false
            failed to fork: HTTP 403: Outwall: repos/create-fork: no session may publish, or make repositories and gists (let a person do it) (https://api.github.com/repos/acme/app/forks)
            [1]
            $ gh repo create acme/new --private
            HTTP 403: Outwall: users/get-by-username: no session may use what belongs to an account or an organization (let a person do it) (https://api.github.com/users/acme)
            [1]
            $ gh repo edit --visibility public
            HTTP 403: Outwall: repos/update: no session may change settings of a repository (let a person do it) (https://api.github.com/repos/acme/app)
            [1]
            $ gh repo delete --yes acme/app
            HTTP 403: Outwall: repos/delete: no session may change settings of a repository (let a person do it) (https://api.github.com/repos/acme/app)
            [1]
            $ gh label create new
            HTTP 403: Outwall: issues/create-label: no session may organize issues, projects and discussions (let a person do it) (https://api.github.com/repos/acme/app/labels)
            [1]
            $ gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== --silent
            gh: Outwall: repos/create-or-update-file-contents: only refs/heads/outwall/x may be pushed in this session (update HEAD of acme/app) (name the session's branch in the request: "branch": "outwall/x") (HTTP 403)
            [1]
            $ gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== -f branch=main --silent
            gh: Outwall: repos/create-or-update-file-contents: only refs/heads/outwall/x may be pushed in this session (update refs/heads/main of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x) (HTTP 403)
            [1]
            $ gh api -X PATCH repos/acme/app/git/refs/heads/main -f sha=[HASH] -F force=true --silent
            gh: Outwall: git/update-ref: only refs/heads/outwall/x may be pushed in this session (force refs/heads/main of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x) (HTTP 403)
            [1]
            $ gh api -X POST repos/acme/app/git/refs -f ref=refs/heads/new -f sha=[HASH] --silent
            gh: Outwall: git/create-ref: only refs/heads/outwall/x may be pushed in this session (create refs/heads/new of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x) (HTTP 403)
            [1]
            $ gh api -X POST repos/acme/app/merges -f base=main -f head=outwall/x --silent
            gh: Outwall: repos/merge: only refs/heads/outwall/x may be pushed in this session (update refs/heads/main of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x) (HTTP 403)
            [1]
            $ gh api graphql --silent -f query=mutation { updateRef(input: {refId: "REF_kwDODKw3iq9yZWZzL2hlYWRzL21haW4", oid: "[HASH]", force: true}) { clientMutationId } }
            gh: Outwall: mutation updateRef: only refs/heads/outwall/x may be pushed in this session (force refs/heads/main of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x)
            [1]
            $ gh api graphql --silent -f query={ viewer { repositories(first: 9) { nodes { name } } } }
            gh: Outwall: query { viewer }: it reaches beyond the session's repository (User.repositories) (ask for the session's repository only: `repository(owner:, name:)`, `repo:OWNER/NAME`)
            [1]
            $ gh api user/repos --silent
            gh: Outwall: repos/list-for-authenticated-user: no session may use what belongs to an account or an organization (let a person do it) (HTTP 403)
            [1]
            $ gh api gists --silent
            gh: Outwall: gists/list: it reaches beyond the session's repository (ask for the session's repository only: `repository(owner:, name:)`, `repo:OWNER/NAME`) (HTTP 403)
            [1]
            "#);
        }
        assert!(said.matches("Outwall: ").count() >= 20, "{said}");
        assert_eq!(said.matches("[0]").count(), 0, "{said}");
        let allowed = desk.work("x gh pr comment 1 --body Done; x gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== -f branch=outwall/x --jq .content.path");
        assert_eq!(allowed.stdout.matches("[0]").count(), 2, "{allowed:?}");
    }
}

const REFUSED_TO_GH: &str = r#"
x gh pr merge 1 --merge
x gh pr merge 1 --squash --auto
x gh pr merge 1 --merge --admin
x gh pr review 1 --approve
x gh pr edit 2 --title "Taken over"
x gh pr close 2
x gh issue create --title T --body B
x gh gist create README.md
x gh secret set NAME --body value
x gh workflow run CI
x gh run rerun RUN
x gh release create v2 --notes N
x gh repo fork --clone=false
x gh repo create acme/new --private
x gh repo edit --visibility public
x gh repo delete --yes acme/app
x gh label create new
x gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== --silent
x gh api -X PUT repos/acme/app/contents/a.txt -f message=m -f content=YQ== -f branch=main --silent
x gh api -X PATCH repos/acme/app/git/refs/heads/main -f sha=$(git rev-parse HEAD) -F force=true --silent
x gh api -X POST repos/acme/app/git/refs -f ref=refs/heads/new -f sha=$(git rev-parse HEAD) --silent
x gh api -X POST repos/acme/app/merges -f base=main -f head=outwall/x --silent
x gh api graphql --silent -f query="mutation { updateRef(input: {refId: \"MAIN\", oid: \"$(git rev-parse HEAD)\", force: true}) { clientMutationId } }"
x gh api graphql --silent -f query='{ viewer { repositories(first: 9) { nodes { name } } } }'
x gh api user/repos --silent
x gh api gists --silent
"#;

#[test]
fn large_files_are_pushed_for_the_sessions_branch_alone() {
    if !std::path::Path::new("/usr/bin/git-lfs").exists() {
        skip("git lfs in a session", "git-lfs is not installed");
        return;
    }
    let Some(desk) = Desk::new() else { return };
    let script = "git clone --quiet https://github.com/acme/app ~/app; cd ~/app; git lfs install --local >/dev/null; git lfs track '*.bin' >/dev/null\n\
        yes large | head -c 300000 > large.bin; git add .; git commit --quiet -m Large\n\
        x git push origin HEAD:other\n";
    let said = desk.refused(script);
    assert_snapshot!(said, @r#"
    $ git push origin HEAD:other
    batch response: Outwall: lfs/batch upload: only refs/heads/outwall/x may be pushed in this session (update refs/heads/other of acme/app) (push your work to the session's branch: git push origin HEAD:outwall/x)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    "#);
    let pushed = desk.work(&script.replace("HEAD:other", "HEAD:outwall/x"));
    assert!(pushed.stdout.contains("[new branch]"), "{pushed:?}");
    assert_eq!(desk.github.state().lfs["acme/app"].len(), 1);
}

#[test]
fn rules_narrow_what_a_session_may() {
    let narrow = [
        "push = \"none\"",
        "pull_requests = \"read\"",
        "force_push = false",
        "delete_branch = true",
    ];
    let script = "commit new new.txt; x git push; git commit --quiet --amend -m amended; x git push --force\n\
        x gh pr list; x gh pr comment 1 --body Hello; x git push origin --delete outwall/y; x git push origin --delete outwall/x";
    let mut all = String::new();
    for rule in narrow {
        let Some(desk) = Desk::with(rule) else { return };
        desk.github
            .commit("acme/app", "other", &[("other.txt", "other\n")]);
        desk.github
            .pull_request("acme/app", "mona", "other", "main", "Of somebody");
        let ran = desk.work(script).succeeded();
        all = all + "# " + rule + "\n" + &shown(&ran.stdout);
    }
    assert_snapshot!(all, @r#"
    # push = "none"
    $ git push
    remote: Outwall: git-receive-pack (refs): this session may not push (store objects in acme/app)
    remote: Outwall: an operator allows it with `push = "session-branch"` in [github.sessions]
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    $ git push --force
    remote: Outwall: git-receive-pack (refs): this session may not push (store objects in acme/app)
    remote: Outwall: an operator allows it with `push = "session-branch"` in [github.sessions]
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    $ gh pr list
    1	Of somebody	other	OPEN	2026-10-01 00:00:06 +0000 UTC
    [0]
    $ gh pr comment 1 --body Hello
    https://github.com/acme/app/pull/1#issuecomment-[HASH]
    [0]
    $ git push origin --delete outwall/y
    remote: Outwall: git-receive-pack (refs): this session may not push (store objects in acme/app)
    remote: Outwall: an operator allows it with `push = "session-branch"` in [github.sessions]
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    $ git push origin --delete outwall/x
    remote: Outwall: git-receive-pack (refs): this session may not push (store objects in acme/app)
    remote: Outwall: an operator allows it with `push = "session-branch"` in [github.sessions]
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    # pull_requests = "read"
    $ git push
    remote:
    remote: Create a pull request for 'outwall/x' on GitHub by visiting:
    remote:      https://github.com/acme/app/pull/new/outwall/x
    remote:
    To https://github.com/acme/app
     * [new branch]      outwall/x -> outwall/x
    [0]
    $ git push --force
    To https://github.com/acme/app
     + [HASH]...[HASH] outwall/x -> outwall/x (forced update)
    [0]
    $ gh pr list
    1	Of somebody	other	OPEN	2026-10-01 00:00:06 +0000 UTC
    [0]
    $ gh pr comment 1 --body Hello
    Message: Outwall: mutation addComment: this session may not write pull requests or comments (comment in acme/app) (an operator allows it with `pull_requests = "create-and-comment"` in [github.sessions]), Locations: []
    [1]
    $ git push origin --delete outwall/y
    error: unable to delete 'outwall/y': remote ref does not exist
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin --delete outwall/x
    remote: Outwall: push refused: this session may not delete its branch (github-ref-refused)
    remote: Outwall: an operator allows it with `delete_branch = true` in [github.sessions]
    To https://github.com/acme/app
     ! [remote rejected] outwall/x (this session may not delete its branch)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    # force_push = false
    $ git push
    remote:
    remote: Create a pull request for 'outwall/x' on GitHub by visiting:
    remote:      https://github.com/acme/app/pull/new/outwall/x
    remote:
    To https://github.com/acme/app
     * [new branch]      outwall/x -> outwall/x
    [0]
    $ git push --force
    remote: Outwall: push refused: this session may not force-push (github-ref-refused)
    remote: Outwall: add to what is on outwall/x (git merge --no-ff) instead of leaving it behind; or an operator allows it with `force_push = true` in [github.sessions]
    To https://github.com/acme/app
     ! [remote rejected] outwall/x -> outwall/x (this session may not force-push)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ gh pr list
    1	Of somebody	other	OPEN	2026-10-01 00:00:06 +0000 UTC
    [0]
    $ gh pr comment 1 --body Hello
    https://github.com/acme/app/pull/1#issuecomment-[HASH]
    [0]
    $ git push origin --delete outwall/y
    error: unable to delete 'outwall/y': remote ref does not exist
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin --delete outwall/x
    remote: Outwall: push refused: this session may not delete its branch (github-ref-refused)
    remote: Outwall: an operator allows it with `delete_branch = true` in [github.sessions]
    To https://github.com/acme/app
     ! [remote rejected] outwall/x (this session may not delete its branch)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    # delete_branch = true
    $ git push
    remote:
    remote: Create a pull request for 'outwall/x' on GitHub by visiting:
    remote:      https://github.com/acme/app/pull/new/outwall/x
    remote:
    To https://github.com/acme/app
     * [new branch]      outwall/x -> outwall/x
    [0]
    $ git push --force
    To https://github.com/acme/app
     + [HASH]...[HASH] outwall/x -> outwall/x (forced update)
    [0]
    $ gh pr list
    1	Of somebody	other	OPEN	2026-10-01 00:00:06 +0000 UTC
    [0]
    $ gh pr comment 1 --body Hello
    https://github.com/acme/app/pull/1#issuecomment-[HASH]
    [0]
    $ git push origin --delete outwall/y
    error: unable to delete 'outwall/y': remote ref does not exist
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    $ git push origin --delete outwall/x
    To https://github.com/acme/app
     - [deleted]         outwall/x
    [0]
    "#);
}
