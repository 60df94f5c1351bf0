//! From the session's repository nothing leads to what is another's.

use outwall_policy::github::PullRequestRule;

use super::*;

fn of(query: &str) -> String {
    decided(&grant(|_| {}), query, &json!({}))
}

fn within(fields: &str) -> String {
    of(&format!(
        "{{ repository(owner: \"acme\", name: \"app\") {{ {fields} }} }}"
    ))
}

#[test]
fn the_repository_is_read() {
    for fields in [
        "id nameWithOwner description isPrivate owner { login id ... on User { name } } parent { nameWithOwner }",
        "object(expression: \"main:src\") { ... on Tree { entries { name object { ... on Blob { text } } } } }",
        "ref(qualifiedName: \"refs/heads/main\") { target { ... on Commit { history(first: 3) { nodes { oid author { name user { login } } } } } } }",
        "issues(first: 5) { nodes { title body comments(first: 2) { nodes { body author { login } } } } }",
        "pullRequests(first: 5) { edges { node { files(first: 3) { nodes { path } } headRepository { nameWithOwner } } } }",
        "pullRequest(number: 1) { reviewThreads(first: 2) { nodes { comments(first: 2) { nodes { body diffHunk } } } } }",
        "pullRequest(number: 1) { timelineItems(first: 9) { nodes { __typename ... on CrossReferencedEvent { source { ... on Issue { number } } } } } }",
        "assignableUsers(first: 9) { nodes { login } } releases(first: 2) { nodes { tagName } } labels(first: 2) { totalCount }",
        "pullRequest(number: 1) { reviewRequests(first: 3) { nodes { requestedReviewer { ... on Team { slug organization { login } } } } } }",
    ] {
        assert_eq!(within(fields), "allowed", "{fields}");
    }
}

#[test]
fn nothing_leads_out_of_it() {
    for fields in [
        "owner { ... on User { email } }",
        "owner { repositories(first: 9) { nodes { name } } }",
        "owner { ... on Organization { teams(first: 9) { nodes { name } } } }",
        "owner { ... on Organization { membersWithRole(first: 9) { nodes { login } } } }",
        "forks(first: 9) { nodes { object(expression: \"main:x\") { ... on Blob { text } } } }",
        "parent { object(expression: \"main:x\") { ... on Blob { text } } }",
        "templateRepository { issues(first: 9) { nodes { body } } }",
        "issues(first: 9) { nodes { author { ... on User { repositories(first: 9) { nodes { name } } } } } }",
        "issues(first: 9) { nodes { repository { owner { ... on User { email } } } } }",
        "issues(first: 9) { nodes { participants(first: 9) { nodes { organizations(first: 2) { nodes { login } } } } } }",
        "issue(number: 1) { parent { body } }",
        "issue(number: 1) { subIssues(first: 9) { nodes { comments(first: 9) { nodes { body } } } } }",
        "pullRequest(number: 1) { headRepository { object(expression: \"x\") { id } } }",
        "pullRequest(number: 1) { headRef { target { ... on Commit { history(first: 9) { nodes { message } } } } } }",
        "pullRequest(number: 1) { closingIssuesReferences(first: 9) { nodes { body } } }",
        "pullRequest(number: 1) { baseRef { compare(headRef: \"evil:main\") { commits(first: 9) { nodes { message } } } } }",
        "pullRequest(number: 1) { timelineItems(first: 9) { nodes { ... on CrossReferencedEvent { source { ... on Issue { body } } } } } }",
        "stargazers(first: 9) { nodes { email } }",
        "projectsV2(first: 9) { nodes { items(first: 9) { nodes { id } } } }",
        "watchers(first: 9) { edges { node { company } } }",
        "collaborators(first: 9) { edges { permission } }",
        "deployKeys(first: 9) { nodes { key } }",
        "issue(number: 1) { linkedBranches(first: 9) { nodes { ref { target { ... on Commit { file(path: \"x\") { object { id } } } } } } } }",
        "object(expression: \"main\") { ... on Commit { checkSuites(first: 1) { nodes { workflowRun { workflow { runs(first: 9) { nodes { url } } } } } } } }",
        "tempCloneToken",
        "object(expression: \"main\") { ... on Commit { tarballUrl } }",
        "issue(number: 1) { bodyHTML }",
        "vulnerabilityAlerts(first: 9) { nodes { id } }",
        "viewerPossibleCommitEmails",
        "owner { ... on Node { ... on Repository { id } } } issue(number: 1) { ... on Node { ... on User { email } } }",
        "a: id b: owner { c: login d: url ... { ... on User { f: bio } } }",
    ] {
        let decision = within(fields);
        assert!(
            decision.starts_with("query {") && decision != "allowed",
            "{fields}: {decision}"
        );
    }
}

#[test]
fn a_fragment_leads_no_further_than_its_place() {
    let with = |at: &str| {
        of(&format!(
            "{{ repository(owner: \"acme\", name: \"app\") {{ {at} }} }} fragment F on Repository {{ issues(first: 1) {{ nodes {{ body }} }} }}"
        ))
    };
    assert_eq!(with("...F"), "allowed");
    assert!(with("parent { ...F }").contains("Repository.issues"));
    assert!(
        with("...F parent { ...F }").contains("Repository.issues"),
        "walked inside, then outside"
    );
}

#[test]
fn the_account_says_what_it_is_called() {
    for query in [
        "{ viewer { login id name url } }",
        "{ viewer { ...F } } fragment F on User { login ... on Node { id } }",
        "{ user(login: \"octocat\") { id login } }",
        "{ rateLimit { remaining } __typename }",
        "{ __type(name: \"User\") { fields(includeDeprecated: true) { name type { ofType { ofType { name } } } } } }",
        "{ __schema { types { name } } }",
        INTROSPECTION,
    ] {
        assert_eq!(of(query), "allowed", "{query}");
    }
    for query in [
        "{ viewer { email } }",
        "{ viewer { gists(first: 9) { nodes { name } } } }",
        "{ viewer { repositories(first: 9) { nodes { name } } } }",
        "{ viewer { repository(name: \"x\") { id } } }",
        "{ viewer { ... on ProfileOwner { email } } }",
        "{ viewer { ... on RepositoryOwner { repositories(first: 1) { totalCount } } } }",
        "{ viewer { publicKeys(first: 9) { nodes { key } } } }",
        "{ user(login: \"octocat\") { repositories(first: 9) { nodes { name } } } }",
        "{ organization(login: \"acme\") { login } }",
        "{ repositoryOwner(login: \"acme\") { login } }",
        "{ enterprise(slug: \"acme\") { id } }",
        "{ resource(url: \"https://github.com/acme/app\") { url } }",
        "{ relay { viewer { login } } }",
        "{ relay { repository(owner: \"evil\", name: \"lib\") { id } } }",
        "{ topic(name: \"x\") { repositories(first: 9) { nodes { name } } } }",
        "{ marketplaceListings(first: 9) { nodes { name } } }",
        "{ ... on Node { id } }",
    ] {
        let decision = of(query);
        assert!(decision.starts_with("query {"), "{query}: {decision}");
    }
}

#[test]
fn a_node_is_the_repositorys_or_is_not_read() {
    for query in [
        "{ node(id: \"PR_main\") { ... on PullRequest { title } } }",
        "{ node(id: \"R_kgDOAAAAAQ\") { ... on Repository { issues(first: 1) { nodes { body } } } } }",
        "{ nodes(ids: [\"I_1\", \"LA_1\"]) { __typename ... on Issue { body } ... on Comment { author { login } } } }",
        "{ a: node(id: \"I_1\") { id } b: node(id: \"MI_1\") { ... on Milestone { title } } }",
    ] {
        assert_eq!(of(query), "allowed", "{query}");
    }
    for query in [
        "{ node(id: \"PR_evil\") { ... on PullRequest { title } } }",
        "{ node(id: \"R_evil\") { id } }",
        "{ nodes(ids: [\"I_1\", \"I_evil\"]) { id } }",
        "{ a: node(id: \"I_1\") { id } b: node(id: \"I_evil\") { id } }",
        "{ node(id: \"U_1\") { ... on User { login } } }",
        "{ node(id: \"nothing\") { id } }",
        "{ node(id: \"I_1\") { ... on User { login } } }",
        "{ node(id: \"I_1\") { ... on Gist { name } } }",
        "{ node(id: \"I_1\") { ... on RepositoryOwner { login } } }",
        "{ nodes(ids: []) { id } }",
    ] {
        assert_ne!(of(query), "allowed", "{query}");
    }
}

#[test]
fn a_search_is_of_the_repository() {
    let sent_query = |asked: &str| {
        let body = sent(
            "query($q: String!) { search(query: $q, type: ISSUE_ADVANCED, first: 9) { nodes { ... on Issue { body } } } }",
            &json!({"q": asked}),
        );
        body["query"].as_str().unwrap().to_owned()
    };
    assert!(sent_query("( x ) type:issue").contains("\"( x ) type:issue repo:acme/app\""));
    for query in [
        "{ search(query: \"repo:evil/lib\", type: ISSUE) { nodes { ... on Issue { body } } } }",
        "{ search(query: \"x\", type: USER) { userCount } }",
        "{ search(query: \"x\", type: REPOSITORY) { repositoryCount } }",
        "{ search(query: \"x\", type: ISSUE) { repositoryCount } }",
        "{ search(query: \"x\", type: ISSUE) { nodes { ... on User { login } } } }",
        "{ search(query: \"x\", type: ISSUE) { nodes { ... on Repository { owner { ... on User { email } } } } } }",
        "{ ... on Query { search(query: \"org:evil\", type: ISSUE) { issueCount } } }",
        "{ ...F } fragment F on Query { search(query: \"x NOT\", type: ISSUE) { issueCount } }",
        "query($t: SearchType = USER) { search(query: \"x\", type: $t) { issueCount } }",
    ] {
        assert_ne!(of(query), "allowed", "{query}");
    }
    let twice = sent(
        "{ a: search(query: \"x\", type: ISSUE) { issueCount } ...F } fragment F on Query { b: search(query: \"y\", type: ISSUE) { issueCount } }",
        &json!({}),
    );
    assert_eq!(
        twice["query"]
            .as_str()
            .unwrap()
            .matches(" repo:acme/app\"")
            .count(),
        2
    );
}

#[test]
fn pull_requests_are_read_if_the_rules_say_so() {
    let none = grant(|rules| rules.pull_requests = PullRequestRule::None);
    let app = |fields: &str| format!("{{ repository(owner: \"acme\", name: \"app\") {{ {fields} }} }}");
    for query in [
        app("issues(first: 1) { nodes { body } }"),
        "{ search(query: \"x is:issue\", type: ISSUE) { nodes { ... on Issue { body } } } }".to_owned(),
        "{ node(id: \"I_1\") { ... on Issue { body } } }".to_owned(),
    ] {
        assert_eq!(decided(&none, &query, &json!({})), "allowed", "{query}");
    }
    for query in [
        app("pullRequests(first: 1) { totalCount }"),
        app("pullRequest(number: 1) { title }"),
        app("issueOrPullRequest(number: 1) { ... on Comment { body } }"),
        app(
            "object(expression: \"main\") { ... on Commit { associatedPullRequests(first: 1) { nodes { title } } } }",
        ),
        "{ search(query: \"x\", type: ISSUE) { issueCount } }".to_owned(),
        "{ search(query: \"x is:issue\", type: ISSUE) { nodes { ... on PullRequest { body } } } }".to_owned(),
        "{ node(id: \"PR_main\") { ... on Node { id } } }".to_owned(),
        "{ node(id: \"PRRC_1\") { id } }".to_owned(),
    ] {
        let decision = decided(&none, &query, &json!({}));
        assert!(decision.contains("pull requests"), "{query}: {decision}");
    }
}

/// What tools ask of every server before anything else (`getIntrospectionQuery` of graphql-js).
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { description queryType { name } mutationType { name } \
    subscriptionType { name } types { ...FullType } directives { name description isRepeatable locations args { ...InputValue } } } } \
    fragment FullType on __Type { kind name description specifiedByURL fields(includeDeprecated: true) { name description \
    args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } \
    interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
    possibleTypes { ...TypeRef } } fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
