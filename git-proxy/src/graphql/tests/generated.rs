//! Ten thousand documents at random: what is allowed is judged again, by other means.
//!
//! The judge reads what is *sent*, with another reader of the schema (apollo-compiler's), and knows nothing of the lists that the door goes
//! by. It says of each object whether it may be somebody else's, by a few rules about types and names, and of each mutation whether all that
//! it names is the session's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::Schema;
use apollo_compiler::ast::Value;
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;

use super::super::generate::{Generator, Pool};
use super::super::schema::{NEWER, PUBLISHED};
use super::*;

static JUDGED_BY: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    let newer = NEWER.split("type __Schema {").next().unwrap();
    let both = Schema::builder()
        .parse(PUBLISHED, "published")
        .parse(newer, "newer")
        .build();
    Valid::assume_valid(both.unwrap())
});

fn pool() -> Pool {
    let all = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let pair = |owner: &str, name: &str| (owner.to_owned(), name.to_owned());
    Pool {
        repository: pair("acme", "app"),
        foreign: pair("evil", "lib"),
        branch: "outwall/x".to_owned(),
        other_branch: "main".to_owned(),
        ids: all(&[
            "R_kgDOAAAAAQ",
            "R_kgDOAAAAAQ",
            "PR_kwDOAAAAAc4AAAAB",
            "PR_kwDOAAAAAc4AAAAB",
            "I_1",
            "IC_1",
            "PRR_1",
            "PRRC_1",
            "PRRT_1",
            "LA_1",
            "MI_1",
            "CS_1",
            "REF_x",
        ]),
        foreign_ids: all(&[
            "R_evil",
            "PR_main",
            "PR_fork",
            "PR_evil",
            "I_evil",
            "IC_theirs",
            "IC_evil",
            "PRRT_evil",
            "LA_evil",
            "REF_main",
            "REF_evil",
            "U_1",
            "D_1",
            "nothing",
        ]),
    }
}

/// What the judge counts.
#[derive(Default)]
struct Seen {
    allowed: usize,
    refused: usize,
    fields: BTreeSet<String>,
    mutations: BTreeMap<String, usize>,
}

#[test]
fn what_is_allowed_is_the_sessions() {
    let grant =
        grant(|rules| (rules.create_issues, rules.rerun_workflows, rules.delete_branch) = (true, true, true));
    let mut generator = Generator::new(5, pool());
    let mut seen = Seen::default();
    for _ in 0..DOCUMENTS {
        let document = generator.document();
        let body = json!({"query": document.query, "variables": document.variables}).to_string();
        let known = match understood(&grant, &body) {
            Ok(known) if grant.decide(&known.actions, Ground::Session).is_ok() => known,
            Ok(_) | Err(_) => {
                seen.refused += 1;
                continue;
            }
        };
        seen.allowed += 1;
        let BodySent::These(sent) = &known.body else {
            panic!("{known:?}")
        };
        if !["__type(", "__schema"]
            .iter()
            .any(|root| document.query.contains(root))
        {
            judge(sent, &mut seen); // whose schema of schemas is another edition of the specification's
        }
        let again = understood(&grant, std::str::from_utf8(sent).unwrap()).unwrap();
        assert_eq!(
            (&again.actions, &again.body),
            (&known.actions, &known.body),
            "{body}"
        );
    }
    let Seen {
        allowed,
        refused,
        fields,
        mutations,
    } = &seen;
    println!(
        "{allowed} allowed, {refused} refused, {} fields, {mutations:?}",
        fields.len()
    );
    assert!(
        *allowed > DOCUMENTS / 4 && *refused > DOCUMENTS / 10,
        "{allowed} allowed, {refused} refused"
    );
    assert!(fields.len() > 500, "{}", fields.len());
    let understood = |one: &&classes::Mutation| matches!(one, classes::Mutation::Understood(_));
    assert_eq!(
        mutations.len(),
        classes::CLASSES.mutations.values().filter(understood).count(),
        "{mutations:?}"
    );
}

const DOCUMENTS: usize = 10_000;

struct Judge<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Json,
    seen: &'a mut Seen,
    sent: &'a str,
}

fn judge(sent: &[u8], seen: &mut Seen) {
    let body: Json = serde_json::from_slice(sent).unwrap();
    let query = body["query"].as_str().unwrap();
    let document = ExecutableDocument::parse(&JUDGED_BY, query, "sent")
        .unwrap_or_else(|wrong| panic!("{query}: {wrong}"));
    assert_eq!(document.operations.len(), 1);
    let operation = document.operations.iter().next().unwrap().clone();
    let mut judge = Judge {
        document: &document,
        variables: &body["variables"],
        seen,
        sent: query,
    };
    judge.root(&operation.selection_set, operation.is_mutation());
}

impl Judge<'_> {
    fn root(&mut self, set: &SelectionSet, is_mutation: bool) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if is_mutation => self.mutation(field),
                Selection::Field(field) => self.query(field),
                Selection::InlineFragment(inline) => self.root(&inline.selection_set, is_mutation),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments[&spread.fragment_name].clone();
                    self.root(&fragment.selection_set, is_mutation);
                }
            }
        }
    }

    fn query(&mut self, field: &Field) {
        let argument = |judge: &Self, name: &str| judge.argument(field, name);
        let foreign = match field.name.as_str() {
            "repository" => {
                let named = (argument(self, "owner"), argument(self, "name"));
                assert_eq!(named, (json!("acme"), json!("app")), "{}", self.sent);
                false
            }
            "node" => self.are_ours(&argument(self, "id")),
            "nodes" => self.are_ours(&argument(self, "ids")),
            "search" => {
                let query = argument(self, "query");
                let query = query.as_str().unwrap();
                assert!(
                    query.ends_with("repo:acme/app") || query.contains(") repo:acme/app "),
                    "{query}"
                );
                assert!(
                    !query.contains("evil") && query.matches('"').count() % 2 == 0,
                    "{query}"
                );
                assert!(
                    ["ISSUE", "ISSUE_ADVANCED", "DISCUSSION"]
                        .contains(&argument(self, "type").as_str().unwrap()),
                    "{}",
                    self.sent
                );
                false
            }
            "viewer" | "user" | "rateLimit" | "__typename" | "__schema" | "__type" => true,
            other => panic!("{other}: {}", self.sent),
        };
        self.selections(&field.selection_set, foreign);
    }

    /// All ids are of the repository; for a query also those of other branches' pull requests.
    fn are_ours(&self, ids: &Json) -> bool {
        let all = ids.as_array().cloned().unwrap_or_else(|| vec![ids.clone()]);
        for id in all {
            let id = id.as_str().unwrap();
            let is_ours = !id.contains("evil") && !["U_1", "nothing"].contains(&id);
            assert!(is_ours, "{id}: {}", self.sent);
        }
        false
    }

    fn selections(&mut self, set: &SelectionSet, foreign: bool) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.field(field, set.ty.as_str(), foreign),
                Selection::InlineFragment(inline) => {
                    let foreign = foreign || may_be_an_account(inline.selection_set.ty.as_str());
                    self.selections(&inline.selection_set, foreign);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments[&spread.fragment_name].clone();
                    let foreign = foreign || may_be_an_account(fragment.selection_set.ty.as_str());
                    self.selections(&fragment.selection_set, foreign);
                }
            }
        }
    }

    fn field(&mut self, field: &Field, of: &str, foreign: bool) {
        let name = field.name.as_str();
        self.seen.fields.insert(format!("{of}.{name}"));
        assert!(!NEVER.contains(&name), "{of}.{name}: {}", self.sent);
        let is_name = of.starts_with("__")
            || of == "RateLimit"
            || (of == "Project" && name == "body")
            || NAMES.contains(&name);
        assert!(
            !foreign || is_name,
            "{of}.{name} of what may be somebody else's: {}",
            self.sent
        );
        let ty = field.definition.ty.inner_named_type().as_str();
        let leads =
            CROSSES.contains(&name) || (of.ends_with("Event") && ["source", "target"].contains(&name));
        self.selections(
            &field.selection_set,
            foreign || leads || ty == "Repository" || may_be_an_account(ty),
        );
    }

    fn argument(&self, field: &Field, name: &str) -> Json {
        let found = field.arguments.iter().find(|argument| argument.name == name);
        found.map_or(Json::Null, |argument| self.value(&argument.value))
    }

    fn value(&self, value: &Value) -> Json {
        match value {
            Value::Variable(name) => self.variables[name.as_str()].clone(),
            Value::String(text) => text.as_str().into(),
            Value::Enum(name) => name.as_str().into(),
            Value::Boolean(value) => (*value).into(),
            Value::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.to_string(), self.value(value)))
                    .collect(),
            ),
            Value::Int(_) | Value::Float(_) => 0.into(),
            Value::Null => Json::Null,
        }
    }

    /// A mutation names nothing that is not the session's.
    fn mutation(&mut self, field: &Field) {
        let name = field.name.as_str();
        let input = self.argument(field, "input");
        for text in texts(&input) {
            let is_foreign = text.contains("evil")
                || ["nothing", "U_1"].contains(&text)
                || (name == "createCommitOnBranch" && text.contains("workflows"))
                || (name.contains("Ref") || name == "createCommitOnBranch") && text.contains("main");
            assert!(!is_foreign, "{name} names {text}: {}", self.sent);
        }
        let is_of_pull_request = [
            "updatePull",
            "closePull",
            "reopenPull",
            "mark",
            "convert",
            "request",
            "addLabels",
            "removeLabels",
            "clear",
            "addAss",
            "removeAss",
            "replace",
        ];
        let is_comment = ["updatePullRequestReview", "updatePullRequestReviewComment"].contains(&name);
        if is_of_pull_request.iter().any(|start| name.starts_with(start)) && !is_comment {
            let subject = ["pullRequestId", "labelableId", "assignableId"]
                .iter()
                .find_map(|member| input.get(*member));
            assert_eq!(
                subject,
                Some(&json!("PR_kwDOAAAAAc4AAAAB")),
                "{name}: {}",
                self.sent
            );
        }
        if name.contains("Comment") && name.starts_with("update") {
            assert!(!texts(&input).contains(&"IC_theirs"), "{}", self.sent);
        }
        for refused in [
            "merge",
            "Merge",
            "enqueue",
            "dismiss",
            "approve",
            "delete",
            "transfer",
            "fork",
            "Repository",
            "Discussion",
            "Organization",
            "Enterprise",
            "Project",
        ] {
            assert!(!name.contains(refused) || name == "deleteRef", "{name}");
        }
        assert!(
            !["APPROVE", "DISMISS"].contains(&input["event"].as_str().unwrap_or_default()),
            "{}",
            self.sent
        );
        if name == "createPullRequest" {
            assert_eq!(input["headRefName"], json!("outwall/x"));
        }
        *self.seen.mutations.entry(name.to_owned()).or_default() += 1;
        self.selections(&field.selection_set, false);
    }
}

/// All that it says, but who is to review or to be assigned: people are nobody's repository.
fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().flat_map(texts).collect(),
        Json::Object(members) => {
            let is_of_people = |name: &str| ["assigneeIds", "userIds", "teamIds", "actorIds"].contains(&name);
            members
                .iter()
                .filter(|(name, _)| !is_of_people(name))
                .flat_map(|(_, value)| texts(value))
                .collect()
        }
        _ => vec![],
    }
}

/// Whether something of a type may be a person, an organization, or something of theirs. What a search finds is the repository's.
fn may_be_an_account(ty: &str) -> bool {
    let is_one = |name: &str| ACCOUNTS.contains(&name);
    match JUDGED_BY.types.get(ty) {
        Some(ExtendedType::Object(_)) => is_one(ty),
        Some(ExtendedType::Union(of)) => {
            ty != "SearchResultItem" && of.members.iter().any(|member| is_one(member.as_str()))
        }
        Some(ExtendedType::Interface(_)) => {
            let has = |name: &str| {
                JUDGED_BY.types[name]
                    .as_object()
                    .is_some_and(|one| one.implements_interfaces.iter().any(|has| **has == *ty))
            };
            ty != "Node" && ACCOUNTS.iter().any(|name| has(name))
        }
        _ => false,
    }
}

const ACCOUNTS: [&str; 14] = [
    "User",
    "Bot",
    "Mannequin",
    "Organization",
    "Team",
    "App",
    "Enterprise",
    "EnterpriseUserAccount",
    "ProjectV2",
    "Project",
    "License",
    "CodeOfConduct",
    "Topic",
    "ProjectColumn",
];

/// Fields that lead from an issue, a pull request or a commit to one that may be of another repository.
const CROSSES: [&str; 18] = [
    "workflow",
    "parent",
    "subIssues",
    "subIssue",
    "blockedBy",
    "blocking",
    "trackedIssues",
    "trackedInIssues",
    "duplicateOf",
    "closingIssuesReferences",
    "closedByPullRequestsReferences",
    "headRef",
    "associatedPullRequests",
    "matchingPullRequests",
    "canonical",
    "duplicate",
    "compare",
    "headRepository",
];

/// What things are called, and what a list is made of.
const NAMES: [&str; 57] = [
    "__typename",
    "id",
    "databaseId",
    "login",
    "name",
    "url",
    "resourcePath",
    "avatarUrl",
    "nameWithOwner",
    "owner",
    "organization",
    "slug",
    "combinedSlug",
    "number",
    "title",
    "state",
    "stateReason",
    "closed",
    "isDraft",
    "merged",
    "repository",
    "description",
    "isPrivate",
    "isFork",
    "isArchived",
    "visibility",
    "sshUrl",
    "viewerPermission",
    "hasIssuesEnabled",
    "hasWikiEnabled",
    "defaultBranchRef",
    "prefix",
    "target",
    "oid",
    "abbreviatedOid",
    "key",
    "nickname",
    "spdxId",
    "edges",
    "nodes",
    "node",
    "cursor",
    "pageInfo",
    "totalCount",
    "hasNextPage",
    "hasPreviousPage",
    "startCursor",
    "endCursor",
    "aheadBy",
    "behindBy",
    "status",
    "requestedReviewer",
    "reviewer",
    "user",
    "actor",
    "author",
    "creator",
];

const NEVER: [&str; 8] = [
    "tempCloneToken",
    "tarballUrl",
    "zipballUrl",
    "bodyHTML",
    "descriptionHTML",
    "viewerDefaultCommitEmail",
    "viewerPossibleCommitEmails",
    "deployKeys",
];
