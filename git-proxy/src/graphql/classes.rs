//! What of the schema a session may use: `data/graphql.toml`, which is reviewed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use outwall_policy::github::OtherKind;
use serde::Deserialize;

use super::schema::SCHEMA;

/// The lists.
#[derive(Debug)]
pub(crate) struct Classes {
    pub(crate) queries: HashMap<String, Root>,
    pub(crate) mutations: HashMap<String, Mutation>,
    /// By type and field.
    inside: HashMap<String, HashMap<String, Inside>>,
    outside: HashMap<String, HashSet<String>>,
    /// Types of which something may be a pull request, or of one.
    pull_requests: HashSet<&'static str>,
}

/// How a root field of queries is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Repository,
    Node,
    Nodes,
    Search,
    /// Something of which only the name is read.
    Outside,
    Refused(OtherKind),
}

/// What a mutation does.
#[derive(Debug)]
pub(crate) enum Mutation {
    Refused(OtherKind),
    Understood(Understood),
}

/// A mutation that a session may do, if what its input says is allowed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Understood {
    pub(crate) does: Does,
    /// The member of its input that has the id of what it is done to.
    pub(crate) subject: Option<String>,
    /// Members with ids of what has to belong to the repository, too.
    #[serde(default)]
    pub(crate) here: Vec<String>,
    /// Members that say what is done.
    #[serde(default)]
    pub(crate) read: Vec<String>,
    /// Members that say nothing about where or what.
    #[serde(default)]
    pub(crate) plain: Vec<String>,
    /// Members that have to be absent, null or empty.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
}

/// What a mutation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Does {
    /// Opens a pull request.
    CreatePullRequest,
    /// Changes a pull request. The same mutation may change an issue, which none may.
    Change,
    /// Merges the base of a pull request into its head, or rebases it.
    UpdateBranch,
    /// Opens an issue.
    CreateIssue,
    /// Commits to a branch.
    Commit,
    /// Creates, moves or deletes refs.
    Ref,
    /// Comments, reacts, resolves.
    Comment,
    /// Changes a comment, which has to be the session's own account's.
    OwnComment,
    /// Reviews, which may be an approval.
    Review,
    /// Runs checks again.
    Rerun,
}

/// Where a field of something in the repository leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A leaf, or something else in the repository.
    Stays,
    /// Something that may belong to somebody else.
    Leaves,
    /// A leaf with a signed URL or a token in it.
    Signed,
    Refused(OtherKind),
}

pub(crate) static CLASSES: LazyLock<Classes> =
    LazyLock::new(|| Classes::read(DATA).expect("the data are reviewed and tested"));

const DATA: &str = include_str!("../../data/graphql.toml");

/// Fields that every connection and every edge has, of the same place as what it lists.
pub(crate) const OF_CONNECTIONS: [&str; 6] = ["edges", "nodes", "pageInfo", "totalCount", "cursor", "node"];

impl Classes {
    /// Where a field of something in the repository leads; none where nothing says so.
    pub(crate) fn inside(&self, of: &str, field: &str) -> Option<Inside> {
        let listed = self.inside.get(of).and_then(|fields| fields.get(field).copied());
        listed.or_else(|| is_of_connection(of, field).then_some(Inside::Stays))
    }

    /// Whether something in the repository may be of a type.
    pub(crate) fn may_be_inside(&self, of: &str) -> bool {
        self.inside.contains_key(of) || is_connection(of)
    }

    /// Whether a field of what may belong to somebody else may be read.
    pub(crate) fn outside(&self, of: &str, field: &str) -> bool {
        let listed = self.outside.get(of).is_some_and(|fields| fields.contains(field));
        listed || is_of_connection(of, field)
    }

    /// Whether anything of a type may be read of what may belong to somebody else.
    pub(crate) fn may_be_outside(&self, of: &str) -> bool {
        self.outside.contains_key(of) || is_connection(of)
    }

    /// Whether something of a type may be a pull request, or of one.
    pub(crate) fn may_be_pull_request(&self, of: &str) -> bool {
        self.pull_requests.contains(of)
    }

    fn read(text: &str) -> Result<Self, toml::de::Error> {
        let written: Written = toml::from_str(text)?;
        Ok(Self {
            queries: written
                .queries
                .into_iter()
                .map(|(name, word)| (name, root(&word)))
                .collect(),
            mutations: written
                .mutations
                .into_iter()
                .map(|(name, one)| (name, mutation(one)))
                .collect(),
            inside: written
                .inside
                .into_iter()
                .map(|(of, lists)| (of, inside(lists)))
                .collect(),
            outside: written
                .outside
                .into_iter()
                .map(|(of, fields)| (of, fields.into_iter().collect()))
                .collect(),
            pull_requests: pull_requests(),
        })
    }
}

fn is_connection(of: &str) -> bool {
    of.ends_with("Connection") || of.ends_with("Edge")
}

fn is_of_connection(of: &str, field: &str) -> bool {
    is_connection(of) && OF_CONNECTIONS.contains(&field)
}

/// `Node` and what is found by a search may be anything: what it is, their root fields tell.
fn pull_requests() -> HashSet<&'static str> {
    let is_one = |name: &&'static str| {
        let listed = SCHEMA.listed(name);
        listed != "Node"
            && listed != "SearchResultItem"
            && SCHEMA
                .possible(listed)
                .iter()
                .any(|one| one.starts_with("PullRequest") && *one != "PullRequestTemplate")
    };
    SCHEMA.names().filter(is_one).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    queries: HashMap<String, String>,
    mutations: HashMap<String, WrittenMutation>,
    inside: HashMap<String, BTreeMap<String, Vec<String>>>,
    outside: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenMutation {
    Refused(String),
    Understood(Understood),
}

fn root(word: &str) -> Root {
    match word {
        "repository" => Root::Repository,
        "node" => Root::Node,
        "nodes" => Root::Nodes,
        "search" => Root::Search,
        "outside" => Root::Outside,
        kind => Root::Refused(refused(kind)),
    }
}

fn mutation(written: WrittenMutation) -> Mutation {
    match written {
        WrittenMutation::Refused(kind) => Mutation::Refused(refused(&kind)),
        WrittenMutation::Understood(understood) => Mutation::Understood(understood),
    }
}

fn inside(lists: BTreeMap<String, Vec<String>>) -> HashMap<String, Inside> {
    let each = lists.into_iter().flat_map(|(list, fields)| {
        let place = match list.as_str() {
            "fields" => Inside::Stays,
            "outside" => Inside::Leaves,
            "signed" => Inside::Signed,
            kind => Inside::Refused(refused(kind)),
        };
        fields.into_iter().map(move |field| (field, place))
    });
    each.collect()
}

/// A kind that is none is unknown, and refused as such; a test finds it.
fn refused(word: &str) -> OtherKind {
    OtherKind::named(word).unwrap_or(OtherKind::Unknown)
}

#[cfg(test)]
mod tests;
