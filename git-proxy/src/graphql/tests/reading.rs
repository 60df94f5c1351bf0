//! How requests and documents are read, and what is sent.

use super::*;

const APP: &str = r#"repository(owner: "acme", name: "app")"#;

fn of_body(body: &str) -> String {
    decided_on(&grant(|_| {}), body)
}

fn of(query: &str) -> String {
    decided(&grant(|_| {}), query, &json!({}))
}

#[track_caller]
fn allowed(query: &str, variables: &Json) {
    assert_eq!(decided(&grant(|_| {}), query, variables), "allowed", "{query}");
}

#[track_caller]
fn not_understood(decision: &str, why: &str) {
    assert!(
        decision.starts_with("not understood: ") && decision.contains(why),
        "{decision}"
    );
}

#[test]
fn what_is_sent_is_what_was_understood() {
    let sent = sent(
        "# hidden\nquery A($o: String = \"acme\", $n: String!, $q: String!, $unused: Int) { \
         repository(owner: $o, name: $n) { ...F } search(query: $q, type: ISSUE) { issueCount } } \
         fragment F on Repository { id } fragment G on Repository { name }",
        &json!({"n": "app", "q": "x is:issue", "more": 1}),
    );
    assert_eq!(
        sent,
        json!({
            "query": "query A($o: String = \"acme\", $n: String!) { repository(owner: $o, name: $n) { ...F } \
                      search(query: \"x is:issue repo:acme/app\", type: ISSUE) { issueCount } } \
                      fragment F on Repository { id }",
            "variables": {"n": "app", "o": "acme"},
        })
    );
}

#[test]
fn of_several_operations_the_named_one_counts() {
    let body = |name: Json| {
        let query = format!(
            "query A {{ {APP} {{ id }} }} mutation B {{ mergePullRequest(input: {{pullRequestId: \"PR_main\"}}) {{ clientMutationId }} }}"
        );
        json!({"query": query, "operationName": name}).to_string()
    };
    assert_eq!(of_body(&body("A".into())), "allowed");
    assert!(of_body(&body("B".into())).contains("no session may merge"));
    not_understood(&of_body(&body(Json::Null)), "2 operations");
    not_understood(&of_body(&body("".into())), "2 operations");
    not_understood(&of_body(&body("C".into())), "no operation");
    let twice = json!({"query": "query A { __typename } query A { __typename }", "operationName": "A"});
    not_understood(&of_body(&twice.to_string()), "two operations of one name");
}

/// What is called a query may be a mutation, and what is skipped may be sent by a server that reads `if` in another way.
#[test]
fn names_and_directives_hide_nothing() {
    for query in [
        "mutation query { mergePullRequest(input: {pullRequestId: \"PR_main\"}) { clientMutationId } }",
        "mutation Q { viewer: mergePullRequest(input: {pullRequestId: \"PR_main\"}) { clientMutationId } }",
        "mutation($i: Boolean = false) { mergePullRequest(input: {pullRequestId: \"PR_main\"}) @include(if: $i) { clientMutationId } }",
        "mutation { ...F @skip(if: true) } fragment F on Mutation { mergePullRequest(input: {pullRequestId: \"PR_main\"}) { clientMutationId } }",
        "mutation { ... on Mutation { ... { mergePullRequest(input: {pullRequestId: \"PR_main\"}) { clientMutationId } } } }",
    ] {
        assert!(
            of(query).contains("no session may merge"),
            "{query}: {}",
            of(query)
        );
    }
    allowed(
        &format!("query mutation {{ {APP} {{ id @include(if: true) }} }}"),
        &json!({}),
    );
    for directive in [
        "@defer",
        "@client",
        "@include(if: true, x: 1)",
        "@skip",
        "@include(if: true) @y",
    ] {
        let query = format!("{{ {APP} {directive} {{ id }} }}");
        not_understood(&of(&query), "directive");
    }
    not_understood(&of(&format!("query A @x {{ {APP} {{ id }} }}")), "directive");
}

#[test]
fn a_request_is_one_object_of_json_by_post() {
    let query = json!({"query": format!("{{ {APP} {{ id }} }}")}).to_string();
    assert_eq!(of_body(&query), "allowed");
    for (body, why) in [
        (format!("[{query}]"), "not an object"),
        (
            r#"{"query": "{viewer{login}}", "query": "{viewer{login}}"}"#.to_owned(),
            "twice",
        ),
        (
            r#"{"query": "{viewer{login}}", "qu\u0065ry": "{viewer{email}}"}"#.to_owned(),
            "twice",
        ),
        (
            r#"{"query": "{viewer{login}}", "variables": {"a": {"b": 1, "b": 2}}}"#.to_owned(),
            "twice",
        ),
        (
            r#"{"query": "{viewer{login}}", "extensions": {"persistedQuery": {}}}"#.to_owned(),
            "extensions",
        ),
        (r#"{"id": "abc"}"#.to_owned(), "no `query`"),
        (r#"{"query": null}"#.to_owned(), "no `query`"),
        (
            r#"{"query": "{viewer{login}}", "variables": "{}"}"#.to_owned(),
            "variables",
        ),
        (
            r#"{"query": "{viewer{login}}", "operationName": 1}"#.to_owned(),
            "operationName",
        ),
        (String::new(), "JSON"),
    ] {
        not_understood(&of_body(&body), why);
    }
    let ask = |request: GraphqlRequest<'_>| understand(&request, &grant(|_| {}), &Facts::default()).is_ok();
    assert!(ask(posted(&query)));
    assert!(ask(GraphqlRequest {
        content_type: Some("application/json"),
        ..posted(&query)
    }));
    for wrong in [
        GraphqlRequest {
            method: "GET",
            ..posted(&query)
        },
        GraphqlRequest {
            query: Some("query={viewer{login}}"),
            ..posted(&query)
        },
        GraphqlRequest {
            content_type: Some("application/graphql"),
            ..posted(&query)
        },
        GraphqlRequest {
            content_type: Some("application/json; charset=utf-16"),
            ..posted(&query)
        },
        GraphqlRequest {
            content_type: Some("multipart/form-data; boundary=x"),
            ..posted(&query)
        },
    ] {
        assert!(!ask(wrong), "{wrong:?}");
    }
}

#[test]
fn documents_have_limits() {
    let deep = |levels: usize| {
        let (open, close) = (
            "owner { ...on User { login } } parent { ".repeat(levels),
            "id }".repeat(levels),
        );
        format!("{{ {APP} {{ {open} id {close} }} }}")
    };
    not_understood(&of(&deep(60)), "");
    let aliases = |count: usize| {
        let fields = (0..count)
            .map(|at| format!("a{at}: id "))
            .collect::<Vec<_>>()
            .concat();
        format!("{{ {APP} {{ {fields} }} }}")
    };
    allowed(&aliases(400), &json!({}));
    not_understood(&of(&aliases(501)), "aliases");
    not_understood(&of(&aliases(10_000)), "");
    let wide = format!("{{ {APP} {{ {} }} }}", "id ".repeat(50_000));
    not_understood(&of(&wide), "");
    let list = format!("{{ nodes(ids: [{}]) {{ id }} }}", "[".repeat(5000));
    not_understood(&of(&list), "");
    let chained = (0..90)
        .map(|at| format!("fragment F{at} on Repository {{ ...F{} }} ", at + 1))
        .collect::<Vec<_>>()
        .concat();
    not_understood(
        &of(&format!(
            "{{ {APP} {{ ...F0 }} }} {chained} fragment F90 on Repository {{ ... {{ ... {{ ... {{ ... {{ ... {{ ... {{ ... {{ ... {{ ... {{ ... {{ id }} }} }} }} }} }} }} }} }} }} }}"
        )),
        "deep",
    );
    let ids = |count: usize| json!({"ids": (0..count).map(|at| format!("I_{at}")).collect::<Vec<_>>()});
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert!(decided(&grant(|_| {}), nodes, &ids(200)).contains("missing"));
    not_understood(&decided(&grant(|_| {}), nodes, &ids(201)), "more than 200 nodes");
    let many = (0..120)
        .map(|at| format!("fragment F{at} on Repository {{ id }} "))
        .collect::<Vec<_>>()
        .concat();
    not_understood(&of(&format!("{{ {APP} {{ ...F0 }} }} {many}")), "more than 100");
}

#[test]
fn what_is_no_document_is_refused() {
    for (query, why) in [
        (
            "query A { viewer { login } } query B { viewer { login } }",
            "names none",
        ),
        ("", "no GraphQL"),
        ("fragment F on Repository { id }", "no operation"),
        ("{ viewer { login }", "no GraphQL"),
        ("type Query { a: Int }", "no operation and no fragment"),
        (
            "{ viewer { login } } extend type Query { a: Int }",
            "no operation and no fragment",
        ),
        ("subscription { x }", "subscriptions"),
        ("{ ...F }", "no fragment `F`"),
        ("{ ...F } fragment F on Query { ...F }", "part of itself"),
        (
            "{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
            "part of itself",
        ),
        (
            "{ ...F } fragment F on Query { viewer { login } } fragment F on Query { viewer { id } }",
            "two fragments",
        ),
        ("{ viewer { nothing } }", "`User` has no field `nothing`"),
        ("{ viewer { ... on Nothing { id } } }", "no type `Nothing`"),
        ("{ viewer { login { x } } }", "selected"),
        ("{ viewer }", "selected"),
        ("{ viewer(x: 1) { login } }", "no argument `x`"),
        ("{ user(login: \"a\", login: \"b\") { login } }", "twice"),
        (
            "query($a: String, $a: String) { user(login: $a) { login } }",
            "twice",
        ),
        (
            "query($a: Nothing) { user(login: $a) { login } }",
            "not a `Nothing`",
        ),
        ("query($a: User) { user(login: $a) { login } }", "not a `User`"),
        ("{ user(login: $a) { login } }", "no variable $a"),
        ("query($a: String!) { user(login: $a) { login } }", "needs one"),
        ("query($a: String = $b) { user(login: $a) { login } }", ""),
        (
            "{ repository(owner: \"acme\", name: 1) { id } }",
            "not a `String`",
        ),
        ("{ repository(owner: \"acme\") { id } }", "no argument `name`"),
        ("{ node(id: {a: 1}) { id } }", "not a `ID`"),
        ("{ node(id: \"a b\") { id } }", "id of a node"),
        (
            "{ search(query: \"x\", type: EVERYTHING) { issueCount } }",
            "not a `SearchType`",
        ),
    ] {
        not_understood(&format!("{} ({query})", of(query)), why);
    }
}

/// One string has many spellings: what is compared is what it says.
#[test]
fn strings_are_read_in_every_spelling() {
    for owner in [
        r#""acme""#,
        r#""\u0061cme""#,
        "\"\"\"acme\"\"\"",
        "\"\"\"\n  acme\n\"\"\"",
        r#""AcMe""#,
    ] {
        allowed(
            &format!("{{ repository(owner: {owner}, name: \"app\") {{ id }} }}"),
            &json!({}),
        );
    }
    for owner in [r#""\u0065vil""#, "\"\"\"evil\"\"\"", r#""evil""#] {
        let decision = of(&format!(
            "{{ repository(owner: {owner}, name: \"lib\") {{ id }} }}"
        ));
        assert!(decision.contains("read evil/lib"), "{decision}");
    }
    for owner in [
        r#""acme ""#,
        r#""acme\u0000""#,
        "\"\"\" acme\\\"\"\" \"\"\"",
        r#""acme/app""#,
        r#""\ud800""#,
    ] {
        not_understood(
            &of(&format!(
                "{{ repository(owner: {owner}, name: \"app\") {{ id }} }}"
            )),
            "",
        );
    }
}

/// A variable says what is sent, or its default, or nothing; never what was not looked at.
#[test]
fn variables_and_defaults_say_what_counts() {
    let query =
        "query($o: String = \"evil\", $n: String = \"lib\") { repository(owner: $o, name: $n) { id } }";
    allowed(query, &json!({"o": "acme", "n": "app"}));
    assert!(decided(&grant(|_| {}), query, &json!({})).contains("read evil/lib"));
    assert!(decided(&grant(|_| {}), query, &json!({"n": "app"})).contains("read evil/app"));
    not_understood(
        &decided(&grant(|_| {}), query, &json!({"o": null, "n": "app"})),
        "",
    );
    let ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    allowed(ids, &json!({"ids": ["I_1", "PR_main"]}));
    allowed(ids, &json!({"ids": "I_1"}));
    assert!(decided(&grant(|_| {}), ids, &json!({"ids": ["I_1", "I_evil"]})).contains("evil/lib"));
    assert_eq!(
        sent(ids, &json!({"ids": "I_1"}))["variables"],
        json!({"ids": ["I_1"]})
    );
    not_understood(
        &decided(&grant(|_| {}), ids, &json!({"ids": [["I_1"]]})),
        "not a `ID`",
    );
}

#[test]
fn what_a_sandbox_writes_does_not_fill_records() {
    let long = "x".repeat(50_000);
    let known = understood(
        &grant(|_| {}),
        &json!({"query": format!("query {long} {{ {APP} {{ id }} }}")}).to_string(),
    );
    assert_eq!(known.unwrap().actions.operation.len(), "query ".len() + 100);
    assert!(of(&format!("{{ {APP} {{ {long} }} }}")).len() < 600);
}

#[test]
fn a_record_names_operations_and_nodes() {
    let known = |query: &str| understood(&grant(|_| {}), &json!({"query": query}).to_string()).unwrap();
    let close = known(
        "mutation Innocent { closePullRequest(input: {pullRequestId: \"PR_main\"}) { pullRequest { id } } }",
    );
    assert_eq!(
        (close.actions.operation.as_str(), close.details),
        (
            "mutation closePullRequest",
            vec!["closePullRequest".to_owned(), "PR_main".to_owned()]
        )
    );
    assert_eq!(
        known(&format!("query Named {{ {APP} {{ id }} }}"))
            .actions
            .operation,
        "query Named"
    );
    assert_eq!(
        known("{ viewer { login } rateLimit { cost } }").actions.operation,
        "query { viewer, rateLimit }"
    );
}
