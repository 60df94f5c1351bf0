//! Requests are generated for every operation of the description, and what the policy then lets through is judged by what is sent: by
//! method, path, query and body, as GitHub reads them, and not by how we classify operations.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use outwall_policy::RequestPath;

use super::generator::{Described, Description, Dice, Generated};
use super::*;
use crate::rest::catalogue::{CATALOGUE, Class};

/// Each operation that is always refused is asked for so often,
const FEW: usize = 8;
/// and one that may be allowed.
const MANY: usize = 250;

#[test]
fn what_is_let_through_stays_within_the_repository_and_the_branch() {
    let (mut asked, mut sent) = (0, 0);
    let mut let_through = BTreeSet::new();
    for described in Description::read().operations {
        let mut dice = Dice::of(&described.id);
        for _ in 0..times(&described) {
            let generated = described.request(&mut dice);
            asked += 1;
            if let Some(understood) = let_through_of(&generated) {
                sent += 1;
                judge(&generated, &understood);
                let again = again(&generated, &understood);
                assert_eq!(understood.actions, again.actions, "{generated:?}");
                let_through.insert(understood.actions.operation);
            }
        }
    }
    let never: Vec<&str> = CATALOGUE
        .operations()
        .filter(|one| !matches!(one.class, Class::Refused(_)) && !let_through.contains(&one.id))
        .map(|one| one.id.as_str())
        .filter(|id| !SELDOM.contains(id))
        .collect();
    assert!(
        never.is_empty(),
        "{never:?}: what is never let through proves nothing"
    );
    println!(
        "{asked} requests, {sent} let through, {} operations",
        let_through.len()
    );
    assert!(
        asked > 60_000 && sent > 10_000,
        "{asked} requests, {sent} let through"
    );
}

/// The description does not have these, or has them in another spelling, so that little is generated for them.
const SELDOM: [&str; 4] = [
    "git/list-refs",
    "git/get-refs",
    "repos/list-statuses",
    "repos/compare-commits",
];

fn times(described: &Described) -> usize {
    match CATALOGUE
        .operations()
        .find(|one| one.id == described.id)
        .map(|one| one.class)
    {
        Some(Class::Refused(_)) | None => FEW,
        Some(_) => MANY,
    }
}

static SESSION: LazyLock<SessionGrant> = LazyLock::new(|| session(rules()));
static FACTS: LazyLock<Facts> = LazyLock::new(facts);

/// All that an operator may allow, but for workflows.
fn rules() -> SessionRules {
    SessionRules {
        delete_branch: true,
        create_issues: true,
        rerun_workflows: true,
        ..SessionRules::default()
    }
}

fn understand_it(method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Option<Understood> {
    let request = RestRequest {
        root: ApiRoot::Api,
        method,
        path,
        query,
        content_type: Some("application/json"),
        body: match body_wanted(ApiRoot::Api, method, path) {
            BodyWanted::Whole { .. } => body,
            BodyWanted::Nothing => b"",
        },
    };
    match understand(&request, &SESSION, &FACTS) {
        Ok(Understanding::Known(understood)) => Some(understood),
        Ok(Understanding::Ask(questions)) => panic!("{questions:?} of {path} is not among the facts"),
        Err(_) => None,
    }
}

fn let_through_of(generated: &Generated) -> Option<Understood> {
    let path = RequestPath::parse(&generated.path).ok()?;
    let method = Method::parse(&generated.method).unwrap();
    let understood = understand_it(
        &method,
        path.as_str(),
        generated.query.as_deref(),
        generated.body.as_bytes(),
    )?;
    let decided = SESSION.decide(&understood.actions, Ground::Environment);
    decided.is_ok().then_some(understood)
}

/// What is sent, understood once more.
fn again(generated: &Generated, sent: &Understood) -> Understood {
    let method = Method::parse(&generated.method).unwrap();
    let path = sent.path.as_deref().unwrap();
    assert_eq!(
        RequestPath::parse(path).unwrap().as_str(),
        path,
        "it is in normal form"
    );
    let body = match &sent.body {
        BodySent::These(bytes) => bytes.clone(),
        _ => Bytes::new(),
    };
    let again = understand_it(&method, path, sent.query.as_deref(), &body).unwrap();
    assert_eq!(
        (&again.path, &again.query, &again.body),
        (&sent.path, &sent.query, &sent.body)
    );
    again
}

/// Panics if what is sent reaches beyond the session.
fn judge(generated: &Generated, sent: &Understood) {
    let path = sent.path.as_deref().unwrap();
    if matches!(sent.answer, AnswerTreatment::Here(_)) {
        return assert_eq!(path, "/user", "nothing is sent of it");
    }
    let body: Value = match &sent.body {
        BodySent::These(bytes) => serde_json::from_slice(bytes).unwrap(),
        _ => Value::Null,
    };
    let is_fine = match generated.method.as_str() {
        "GET" | "HEAD" => body.is_null() && may_be_read(path, sent.query.as_deref().unwrap_or_default()),
        method => sent.query.is_none() && may_be_written(method, path, &body),
    };
    assert!(is_fine, "{generated:?} is let through, as {sent:?}");
}

fn may_be_read(path: &str, query: &str) -> bool {
    if let Some(of) = path.strip_prefix("/search/") {
        let said = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("q="))
            .unwrap_or_default();
        let places: Vec<&str> = said.split("repo%3A").skip(1).collect();
        let is_here = |place: &&str| matches!(place.strip_prefix("acme%2Fapp"), Some(end) if end.is_empty() || end.starts_with("%20"));
        let within = !places.is_empty() && places.iter().all(is_here);
        let labels = of == "labels" && query.contains("repository_id=7");
        return labels || within && !said.contains("user%3A") && !said.contains("OR");
    }
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["", "repos", owner, name, rest @ ..] => {
            let here = owner.eq_ignore_ascii_case("acme") && name.eq_ignore_ascii_case("app");
            let foreign = rest
                .iter()
                .any(|part| part.contains("eve%3A") || part.contains("acme%3Asecret"));
            !(is_sensitive(rest) || here && rest.contains(&"compare") && foreign)
        }
        ["", first, ..] => COMMON.contains(first),
        _ => false,
    }
}

/// Whether it is below something sensitive, where that is not the name of a ref, a file or a label.
fn is_sensitive(rest: &[&str]) -> bool {
    let sensitive = [
        "secrets",
        "variables",
        "hooks",
        "keys",
        "runners",
        "invitations",
        "secret-scanning",
    ];
    let named = [
        "contents", "readme", "commits", "branches", "git", "labels", "compare", "tarball", "zipball",
        "rules", "statuses", "releases",
    ];
    !rest.first().is_some_and(|first| named.contains(first))
        && rest.iter().any(|part| sensitive.contains(part))
}

const COMMON: [&str; 11] = [
    "",
    "advisories",
    "codes_of_conduct",
    "emojis",
    "gitignore",
    "licenses",
    "meta",
    "octocat",
    "rate_limit",
    "versions",
    "zen",
];

/// By what GitHub documents that each of these does.
#[expect(clippy::match_same_arms, reason = "a line for each kind of write")]
fn may_be_written(method: &str, path: &str, body: &Value) -> bool {
    let lower = path.to_lowercase();
    let Some(rest) = lower.strip_prefix("/repos/acme/app/") else {
        return false;
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let text = |member: &str| body[member].as_str().unwrap_or_default();
    match (method, parts.as_slice()) {
        ("PUT" | "DELETE", ["contents", file @ ..]) => {
            text("branch") == "outwall/x" && !workflow(&file.join("/"))
        }
        ("POST", ["git", "refs"]) => text("ref") == "refs/heads/outwall/x" && text("sha") == generator::OID,
        ("PATCH" | "DELETE", ["git", "refs", ..]) => path.ends_with("/git/refs/heads/outwall/x"),
        ("POST", ["git", "blobs" | "commits" | "tags"]) => true,
        ("POST", ["git", "trees"]) => body["tree"]
            .as_array()
            .into_iter()
            .flatten()
            .all(|one| !workflow(one["path"].as_str().unwrap())),
        ("POST", ["merges"]) => text("base") == "outwall/x",
        ("POST", ["pulls"]) => {
            text("head") == "outwall/x" && body["head_repo"].is_null() && body["issue"].is_null()
        }
        ("PATCH", ["pulls", number]) | ("POST" | "DELETE", ["pulls", number, "requested_reviewers"]) => {
            *number == "1"
        }
        ("PUT", ["pulls", number, "update-branch"]) => *number == "1",
        ("PATCH", ["issues", number]) => *number == "1",
        ("POST" | "PUT" | "DELETE", ["issues", number, "labels" | "assignees", ..]) => *number == "1",
        ("POST", ["pulls", _, "reviews"] | ["pulls", _, "reviews", _, "events"]) => {
            matches!(text("event"), "" | "COMMENT")
        }
        ("PUT", ["pulls", _, "reviews", number]) => *number == "1",
        ("DELETE", ["pulls", _, "reviews", _]) => true,
        ("POST", ["pulls", _, "comments"] | ["pulls", _, "comments", _, "replies"]) => true,
        ("POST", ["issues", _, "comments"] | ["issues"] | ["commits", .., "comments"]) => true,
        ("PATCH", ["comments", number] | ["issues" | "pulls", "comments", number]) => *number == "1",
        ("POST", [.., "reactions"]) | ("DELETE", [.., "reactions", _]) => !parts.contains(&"releases"),
        ("POST", ["actions", "runs" | "jobs", _, "rerun" | "rerun-failed-jobs"]) => true,
        _ => false,
    }
}

fn workflow(path: &str) -> bool {
    let plain = path
        .to_lowercase()
        .replace("%2f", "/")
        .replace("%25", "%")
        .replace("%2f", "/");
    plain == ".github" || plain.contains(".github/workflows")
}

/// The judge is judged: what it has to condemn.
#[test]
fn the_judge_condemns() {
    let body = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (method, path, said) in [
        ("PUT", "/repos/acme/app/contents/a", r#"{"branch":"main"}"#),
        ("PUT", "/repos/acme/app/contents/a", "{}"),
        (
            "PUT",
            "/repos/acme/app/contents/.github%2Fworkflows/a",
            r#"{"branch":"outwall/x"}"#,
        ),
        ("PATCH", "/repos/acme/app/git/refs/heads/main", "{}"),
        ("PUT", "/repos/acme/app/pulls/1/merge", "{}"),
        ("PATCH", "/repos/acme/app/pulls/2", "{}"),
        ("POST", "/repos/acme/secret/git/blobs", "{}"),
        ("POST", "/gists", "{}"),
    ] {
        assert!(!may_be_written(method, path, &body(said)), "{method} {path}");
    }
    for (path, query) in [
        ("/repos/acme/app/actions/secrets", ""),
        ("/repos/acme/app/compare/main...eve%3Amain", ""),
        ("/search/issues", "q=repo%3Aacme%2Fapp%20repo%3Aacme%2Fsecret"),
        ("/user/repos", ""),
    ] {
        assert!(!may_be_read(path, query), "{path}");
    }
}
