//! The interfaces, operation by operation: what is let through changes the state, what only reads does not.

use std::collections::BTreeMap;

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use http::request::Parts;
use serde_json::{Map, Value, json};

use crate::github::rest::table;
use crate::github::tokens::{Bearer, Caller};
use crate::github::{GitHub, Site, graphql, rest};

fn planted() -> GitHub {
    let github = GitHub::start();
    github
        .repository("acme/app")
        .private()
        .file("README.md", "# app\n")
        .create();
    github.accept("ghp_all", "acme", &["repo", "workflow"]);
    github.commit("acme/app", "session", &[("a.txt", "a\n")]);
    github.commit("acme/app", "other", &[("b.txt", "b\n")]);
    github.pull_request("acme/app", "acme", "session", "main", "A title");
    github.issue("acme/app", "acme", "An issue");
    github.comment("acme/app", "acme", 1, "A comment");
    github.label("acme/app", "bug");
    github.workflow_run("acme/app", "session", "CI", Some("SUCCESS"));
    github.release("acme/app", "v1", "app.txt", b"an asset\n");
    let given =
        json!({ "body": "b", "path": "a.txt", "event": "COMMENT", "files": { "a.txt": { "content": "a" } } });
    for path in [
        "/repos/acme/app/pulls/1/reviews",
        "/repos/acme/app/pulls/1/comments",
        "/gists",
    ] {
        assert!(call(&github, "POST", path, &given) < 300, "{path}");
    }
    let thread = mutate(
        &github,
        graphql::schema(),
        "addPullRequestReviewThread",
        "PullRequest",
    );
    assert!(thread.get("errors").is_none(), "{thread}");
    github
}

fn everything() -> Caller {
    let scopes = vec!["repo".to_owned(), "workflow".to_owned()];
    Caller::Known(Bearer::User {
        login: "acme".to_owned(),
        scopes,
    })
}

fn head(method: &str, path: &str) -> Parts {
    let request = http::Request::builder().method(method).uri(path).body(());
    request.expect("a request").into_parts().0
}

fn call(github: &GitHub, method: &str, path: &str, body: &Value) -> u16 {
    let body = body.to_string().into_bytes();
    rest::answer(
        &github.standing,
        &everything(),
        Site::Com,
        &head(method, path),
        body,
    )
    .status
}

/// The path of an operation, with what is there for each of its parts.
fn path_of(github: &GitHub, operation: &table::Operation) -> String {
    let store = github.store();
    let first = |kind: &'static str| {
        store
            .of_kind(kind)
            .next()
            .map_or(0, |record| record.id)
            .to_string()
    };
    let names = BTreeMap::from([
        ("owner", "acme".to_owned()),
        ("repo", "app".to_owned()),
        ("template_owner", "acme".to_owned()),
        ("template_repo", "app".to_owned()),
        ("org", "acme".to_owned()),
        ("username", "acme".to_owned()),
        ("branch", "other".to_owned()),
        ("ref", "heads/other".to_owned()),
        (
            "path",
            if operation.method == "DELETE" {
                "a.txt"
            } else {
                "new.txt"
            }
            .to_owned(),
        ),
        ("name", "bug".to_owned()),
        ("pull_number", "1".to_owned()),
        ("issue_number", "1".to_owned()),
        (
            "comment_id",
            first(if operation.id.starts_with("pulls/") {
                "PullRequestReviewComment"
            } else {
                "IssueComment"
            }),
        ),
        ("review_id", first("PullRequestReview")),
        ("release_id", first("Release")),
        ("asset_id", first("ReleaseAsset")),
        ("run_id", first("WorkflowRun")),
        (
            "gist_id",
            store
                .of_kind("Gist")
                .next()
                .map_or("none", |gist| gist.text("name"))
                .to_owned(),
        ),
    ]);
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => names.get(name).cloned().unwrap_or_else(|| "1".to_owned()),
        None => part.to_owned(),
    };
    let path: Vec<String> = operation.path.split('/').map(part).collect();
    let query = if operation.id.ends_with("release-asset") {
        "?name=x"
    } else {
        ""
    };
    format!("{}{query}", path.join("/"))
}

/// A body that has whatever any operation wants.
fn body_of(operation: &table::Operation, number: usize, commit: &str) -> Value {
    let tree = if operation.id == "git/create-commit" {
        format!("{commit}^{{tree}}").into()
    } else {
        json!([{ "path": "t", "mode": "100644", "content": "t" }])
    };
    let (head, base) = if operation.id == "repos/merge" {
        ("other", "session")
    } else {
        ("other", "main")
    };
    let (sha, reference) = (
        commit,
        if operation.id == "git/create-ref" {
            format!("refs/heads/new-{number}")
        } else {
            "main".to_owned()
        },
    );
    json!({
        "title": format!("title {number}"), "body": format!("body {number}"), "head": head, "base": base, "ref": reference, "sha": sha,
        "force": true, "message": "m", "content": "YQ==", "branch": "session", "tag_name": format!("v{number}"), "name": format!("name-{number}"),
        "labels": [format!("label-{number}")], "assignees": [format!("user-{number}")], "reviewers": [format!("user-{number}")],
        "new_name": format!("renamed-{number}"), "event": "COMMENT", "files": { "a.txt": { "content": format!("{number}") } },
        "tree": tree, "parents": [], "object": commit, "type": "commit", "tag": "t", "new_owner": "elsewhere", "organization": format!("org-{number}"),
    })
}

#[test]
fn no_rest_operation_that_reads_changes_the_state() {
    let github = planted();
    let before = github.state();
    for operation in table::all().iter().filter(|operation| operation.method == "GET") {
        let status = call(&github, "GET", &path_of(&github, operation), &Value::Null);
        assert_ne!(status, 500, "{}", operation.id);
    }
    assert_eq!(before.differences(&github.state()), []);
}

#[test]
fn every_rest_operation_that_writes_changes_the_state() {
    let mut github = planted();
    let mut refused = Vec::new();
    let writes = |operation: &&table::Operation| operation.method != "GET";
    let mut operations: Vec<_> = table::all().iter().filter(writes).collect();
    operations.sort_by_key(|operation| {
        let gist = operation.id.starts_with("gists/") && operation.id != "gists/create";
        (operation.method == "DELETE", gist)
    });
    for (number, operation) in operations.into_iter().enumerate() {
        if !is_whole(&github) {
            github = planted();
        }
        let mut commit = github.refs("acme/app")["refs/heads/session"].clone();
        if operation.id == "repos/delete-file" {
            commit = "78981922613b2afb6025042ff6bd878ac1994e85".to_owned(); // the blob of `a.txt`
        }
        let (path, body) = (path_of(&github, operation), body_of(operation, number, &commit));
        let before = github.state();
        let status = call(&github, operation.method, &path, &body);
        let differences = before.differences(&github.state());
        let changed = !differences.is_empty();
        assert_eq!(
            changed,
            status < 400,
            "{} {path}: {status} {differences:?}",
            operation.id
        );
        if !changed {
            refused.push(format!("{} {status}", operation.id));
        }
    }
    assert_eq!(
        refused,
        ["apps/create-installation-access-token 404"],
        "it wants a JWT"
    );
}

/// Whether an operation has left what the next one needs.
fn is_whole(github: &GitHub) -> bool {
    let store = github.store();
    let Some(app) = store.repository_named("acme", "app") else {
        return false;
    };
    let open = store
        .numbered("PullRequest", app.id, 1)
        .is_some_and(|pull| pull.text("state") == "OPEN");
    let refs = store.disks[&app.id].refs();
    let branches = ["main", "session", "other"]
        .iter()
        .all(|name| refs.contains_key(&format!("refs/heads/{name}")));
    open && branches
        && [
            "Issue",
            "IssueComment",
            "Release",
            "WorkflowRun",
            "Gist",
            "PullRequestReview",
            "PullRequestReviewComment",
        ]
        .iter()
        .all(|kind| store.of_kind(kind).next().is_some())
}

#[test]
fn every_mutation_changes_the_state() {
    let mut github = planted();
    let schema = graphql::schema();
    let mutations = schema.get_object("Mutation").expect("a type of the schema");
    let mut refused = Vec::new();
    for name in mutations.fields.keys() {
        let mut answered = Vec::new();
        for kind in [
            "",
            "Repository",
            "PullRequest",
            "Issue",
            "IssueComment",
            "PullRequestReview",
            "PullRequestReviewThread",
            "PullRequestReviewComment",
            "Ref",
        ] {
            if !is_whole(&github) {
                github = planted();
            }
            let before = github.state();
            let answer = mutate(&github, schema, name, kind);
            let differences = before.differences(&github.state());
            if answer.get("errors").is_none() {
                assert_ne!(differences, [], "{name}: {answer}");
                answered.clear();
                break;
            }
            assert_eq!(differences, [], "{name}: {answer}");
            answered.push(answer["errors"][0]["message"].to_string());
        }
        if let Some(last) = answered.first() {
            refused.push(format!("{name}: {last}"));
        }
    }
    assert_eq!(refused, [""; 0]);
}

fn mutate(github: &GitHub, schema: &Valid<Schema>, name: &str, kind: &str) -> Value {
    let field = schema.type_field("Mutation", name).expect("a mutation");
    let ty = &field.arguments[0].ty;
    let input = input_of(github, schema, ty, "input", kind, 0);
    let query = format!("mutation($input: {ty}) {{ {name}(input: $input) {{ clientMutationId }} }}");
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let answer = graphql::answer(
        &github.standing,
        &everything(),
        Site::Com,
        &head("POST", "/graphql"),
        body.as_bytes(),
    );
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// A value of an input's type; ids are of the kind that their name says, or of `kind`.
fn input_of(
    github: &GitHub,
    schema: &Valid<Schema>,
    ty: &Type,
    name: &str,
    kind: &str,
    depth: usize,
) -> Value {
    if ty.is_list() {
        return json!([input_of(github, schema, ty.item_type(), name, kind, depth)]);
    }
    match schema.types.get(ty.inner_named_type()) {
        Some(ExtendedType::InputObject(input)) => {
            let wanted = input.fields.iter().filter(|(_, field)| {
                field.ty.is_non_null()
                    || depth == 0 && !field.ty.inner_named_type().ends_with("Input")
                    || name == "fileChanges"
                    || name == "branch"
            });
            let fields = wanted.map(|(name, field)| {
                (
                    name.to_string(),
                    input_of(github, schema, &field.ty, name, kind, depth + 1),
                )
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Some(ExtendedType::Enum(values)) => values.values.keys().next().map(ToString::to_string).into(),
        _ => scalar(github, ty.inner_named_type(), name, kind),
    }
}

fn scalar(github: &GitHub, ty: &str, name: &str, kind: &str) -> Value {
    let refs = github.refs("acme/app");
    match (ty, name) {
        ("ID", _) => id_of(github, name, kind).into(),
        ("Int", _) => 1.into(),
        ("Float", _) => 1.0.into(),
        ("Boolean", _) => true.into(),
        ("GitObjectID", "beforeOid" | "expectedHeadOid") => refs["refs/heads/other"].clone().into(),
        ("GitObjectID", _) => refs["refs/heads/session"].clone().into(),
        ("GitRefname", _) => "refs/heads/other".into(),
        ("DateTime", _) => "2026-10-01T00:00:00Z".into(),
        ("Base64String", _) => "YQ==".into(),
        (_, "name") => format!("refs/heads/name-{}", refs.len()).into(),
        (_, "headRefName" | "head" | "branchName") => "other".into(),
        (_, "baseRefName") => "main".into(),
        (_, "base") => "session".into(),
        (_, "repositoryNameWithOwner") => "acme/app".into(),
        _ => "text".into(),
    }
}

fn id_of(github: &GitHub, name: &str, kind: &str) -> String {
    let kind = if kind.is_empty() {
        match name {
            "pullRequestId" | "subjectId" | "labelableId" | "assignableId" => "PullRequest",
            "issueId" => "Issue",
            "refId" => "Ref",
            "assigneeIds" | "userIds" | "actorIds" => "User",
            _ => "Repository",
        }
    } else if name == "repositoryId" {
        "Repository"
    } else {
        kind
    };
    if kind == "Ref" {
        return github.ref_node_id("acme/app", "refs/heads/other");
    }
    let store = github.store();
    let kinds = crate::github::node_id::PREFIXES
        .iter()
        .find(|(_, known)| *known == kind)
        .expect("a known kind");
    let found = store
        .of_kind(kinds.1)
        .next()
        .map(|record| store.node_id(record.key()));
    found.unwrap_or_else(|| "none".to_owned())
}

fn graphql_of(github: &GitHub, caller: &Caller, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let answer = graphql::answer(
        &github.standing,
        caller,
        Site::Com,
        &head("POST", "/graphql"),
        body.as_bytes(),
    );
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[test]
fn a_private_repository_is_not_there_for_who_may_not_see_it() {
    let github = planted();
    let stranger = Caller::Known(Bearer::User {
        login: "hubot".to_owned(),
        scopes: Vec::new(),
    });
    let pull = github.node_id("acme/app", 1);
    let queries = [
        "{ repository(owner: \"acme\", name: \"app\") { name } }".to_owned(),
        format!("{{ node(id: \"{pull}\") {{ id }} }}"),
        format!(
            "mutation {{ closePullRequest(input: {{ pullRequestId: \"{pull}\" }}) {{ clientMutationId }} }}"
        ),
        format!("mutation {{ addStar(input: {{ starrableId: \"{pull}\" }}) {{ clientMutationId }} }}"),
    ];
    let before = github.state();
    for query in &queries {
        let answer = graphql_of(&github, &stranger, query);
        assert_eq!(answer["errors"][0]["type"], "NOT_FOUND", "{query}: {answer}");
    }
    let found = graphql_of(
        &github,
        &stranger,
        "{ search(query: \"title\", type: ISSUE, first: 9) { issueCount } }",
    );
    assert_eq!(found["data"]["search"]["issueCount"], 0, "{found}");
    for path in ["/repos/acme/app", "/repos/acme/app/contents/README.md"] {
        assert_eq!(
            rest::answer(
                &github.standing,
                &stranger,
                Site::Com,
                &head("GET", path),
                Vec::new()
            )
            .status,
            404,
            "{path}"
        );
        assert_eq!(call(&github, "GET", path, &Value::Null), 200, "{path}");
    }
    assert_eq!(before.differences(&github.state()), []);
    for query in &queries {
        let answer = graphql_of(&github, &everything(), query);
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
    }
}

#[test]
fn a_page_of_a_list_links_to_the_next_by_the_id_of_the_repository() {
    let github = planted();
    let get = |path: &str| {
        rest::answer(
            &github.standing,
            &everything(),
            Site::Enterprise,
            &head("GET", path),
            Vec::new(),
        )
    };
    let first = get("/api/v3/repos/acme/app/branches?per_page=2");
    let links = &first
        .fields
        .iter()
        .find(|(name, _)| *name == "link")
        .expect("there are three")
        .1;
    let id = github.repository_id("acme/app");
    let next = format!("https://ghe.example.com/api/v3/repositories/{id}/branches?per_page=2&page=2");
    assert!(links.starts_with(&format!("<{next}>; rel=\"next\"")), "{links}");
    let second: Value =
        serde_json::from_slice(&get(next.trim_start_matches("https://ghe.example.com")).body).expect("JSON");
    assert_eq!(second.as_array().map(Vec::len), Some(1));
}

#[test]
fn what_a_signature_opens_nothing_else_does() {
    let github = planted();
    let client = crate::Client::through(
        github.proxy_address(),
        &std::fs::read_to_string(github.ca_file()).expect("a file"),
    );
    let asked = client.clone().header("authorization", "token ghp_all");
    let moved = asked.get("https://api.github.com/repos/acme/app/tarball/main");
    assert_eq!(moved.status(), 302);
    let signed = moved.header("location").to_owned();
    assert!(
        signed.starts_with("https://codeload.github.com/acme/app/legacy.tar.gz/main?token="),
        "{signed}"
    );
    assert_eq!(client.get(&signed).status(), 200);
    assert_eq!(
        client.get(signed.split('?').next().expect("a path")).status(),
        404
    );
    assert_eq!(client.get(&signed.replace("main", "session")).status(), 404);
    let shown = asked
        .get("https://api.github.com/repos/acme/app/contents/README.md")
        .into_json();
    let download = shown["download_url"].as_str().expect("a URL");
    assert!(
        download.starts_with("https://raw.githubusercontent.com/acme/app/main/README.md?token="),
        "{download}"
    );
    assert_eq!(client.get(download).into_text(), "# app\n");
}

#[test]
fn an_app_has_tokens_minted_for_no_more_than_it_has() {
    let github = planted();
    github.repository("acme/other").private().file("a", "a").create();
    let key = github.install(
        "7",
        22,
        &["acme/app"],
        &[("contents", "write"), ("pull_requests", "write")],
    );
    let app = jwt(&key, "7");
    let client = crate::Client::through(
        github.proxy_address(),
        &std::fs::read_to_string(github.ca_file()).expect("a file"),
    );
    let mint = |jwt: &str, body: &Value| {
        let asking = client.clone().header("authorization", &format!("Bearer {jwt}"));
        asking.send(
            "POST",
            "https://api.github.com/app/installations/22/access_tokens",
            &body.to_string(),
        )
    };
    let id = github.repository_id("acme/app");
    assert_eq!(mint(&jwt(&key, "8"), &json!({})).status(), 401);
    assert_eq!(
        mint(
            &app,
            &json!({ "repository_ids": [github.repository_id("acme/other")] })
        )
        .status(),
        422
    );
    assert_eq!(
        mint(&app, &json!({ "permissions": { "workflows": "write" } })).status(),
        422
    );
    let minted = mint(
        &app,
        &json!({ "repository_ids": [id], "permissions": { "contents": "read", "pull_requests": "write" } }),
    );
    assert_eq!(minted.status(), 201);
    let minted = minted.into_json();
    let asking = client.clone().header(
        "authorization",
        &format!("token {}", minted["token"].as_str().expect("a token")),
    );
    assert_eq!(asking.get("https://api.github.com/repos/acme/app").status(), 200);
    assert_eq!(
        asking.get("https://api.github.com/repos/acme/other").status(),
        404
    );
    let title = json!({ "title": "By an App" }).to_string();
    assert_eq!(
        asking
            .send("PATCH", "https://api.github.com/repos/acme/app/pulls/1", &title)
            .status(),
        200
    );
    let file = json!({ "message": "m", "content": "YQ==", "branch": "session" }).to_string();
    assert_eq!(
        asking
            .send("PUT", "https://api.github.com/repos/acme/app/contents/x", &file)
            .status(),
        403
    );
    assert_eq!(
        asking
            .get("https://github.com/acme/app/info/refs?service=git-upload-pack")
            .status(),
        200
    );
    assert_eq!(
        asking
            .get("https://github.com/acme/app/info/refs?service=git-receive-pack")
            .status(),
        403
    );
}

/// As an App signs one.
fn jwt(private_key: &str, app: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let der: String = private_key
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&STANDARD.decode(der).expect("base64")).expect("a key");
    let end = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is past 1970")
        .as_secs()
        + 600;
    let claims = json!({ "iss": app, "exp": end }).to_string();
    let signed = [json!({ "alg": "RS256", "typ": "JWT" }).to_string(), claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let mut signature = vec![0; key.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    key.sign(
        &aws_lc_rs::signature::RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .expect("it signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
