//! Every operation of the API, each with what it would do: `data/rest*.toml`, which people review.

use std::collections::HashMap;
use std::sync::LazyLock;

use outwall_policy::Method;
use outwall_policy::github::OtherKind;
use serde::Deserialize;

use super::path::Segments;
use super::shape::Shape;
use super::template::{Arguments, AtLeast, ParameterKinds, Place, Template};
use crate::understood::AnswerTreatment;

/// What is known of the API.
pub(super) static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::parse(ALLOWED, REFUSED, BODIES).expect("a test reads the same files"));

/// All operations.
pub(super) struct Catalogue {
    operations: Vec<Operation>,
    /// Which of them are where.
    places: HashMap<Place, Vec<usize>>,
    /// What queries may name.
    pub(super) queries: Vec<String>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    method: String,
    template: Template,
    /// What GitHub calls it: `pulls/create`.
    pub(super) id: String,
    /// What it would do.
    pub(super) class: Class,
    answer: AnswerKind,
    /// What its body may say; none for no body.
    pub(super) body: Option<Shape>,
}

/// What an operation would do, and from where that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Reads the repository.
    Read,
    /// Reads the repository, between two commits that may be another's.
    Compare,
    /// Reads its pull requests.
    ReadPullRequests,
    /// Reads its issues, which pull requests are, too.
    ReadIssues,
    /// Reads what is nobody's in particular.
    ReadCommon,
    /// Reads who works in the session, which is answered here.
    SessionUser,
    /// Searches.
    Search,
    /// Searches issues and pull requests.
    SearchIssues,
    /// Searches labels, by the number of a repository.
    SearchLabels,
    /// Stores an object.
    StoreObject,
    /// Stores a tree.
    StoreTree,
    /// Commits a file to `branch`.
    WriteFile,
    /// Creates `ref`.
    CreateRef,
    /// Moves the ref of the path.
    UpdateRef,
    /// Deletes the ref of the path.
    DeleteRef,
    /// Merges into `base`.
    MergeInto,
    /// Merges into the head of a pull request.
    UpdateHead,
    /// Opens a pull request of `head`.
    CreatePullRequest,
    /// Changes a pull request.
    ChangePullRequest,
    /// Changes an issue or a pull request.
    ChangeIssue,
    /// Comments.
    Comment,
    /// Changes a comment, which has to be one of ours.
    ChangeComment,
    /// Reviews; `event` says how.
    Review,
    /// Opens an issue.
    CreateIssue,
    /// Runs a workflow again.
    Rerun,
    /// What no session may do.
    Refused(OtherKind),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerKind {
    #[default]
    WithoutTokens,
    FollowRedirects,
    AsItComes,
}

/// An operation that a path is of, with what the path has for its parameters.
pub(super) struct Matched<'a> {
    pub(super) operation: &'a Operation,
    pub(super) arguments: Arguments,
}

impl Matched<'_> {
    /// Whether it is to be preferred before another: `commits` is a list, and not a commit that is not named.
    fn is_before(&self, other: &Self) -> bool {
        match (self.arguments.has_empty(), other.arguments.has_empty()) {
            (ours, theirs) if ours == theirs => self.operation.template.is_before(&other.operation.template),
            (ours, _) => !ours,
        }
    }
}

impl Catalogue {
    /// The operation of a method and a path.
    pub(super) fn find(&self, method: &Method, path: &Segments) -> Option<Matched<'_>> {
        let method = match method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        let mut best: Option<Matched<'_>> = None;
        let place = self.places.get(&Place::of(path.as_slice()));
        let there = place.into_iter().flatten().map(|at| &self.operations[*at]);
        for operation in there.filter(|one| one.method == method) {
            let found = operation
                .arguments(path)
                .map(|arguments| Matched { operation, arguments });
            best = match (best, found) {
                (Some(best), Some(found)) if found.is_before(&best) => Some(found),
                (best, found) => best.or(found),
            };
        }
        best
    }

    #[cfg(test)]
    pub(super) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    fn parse(allowed: &str, refused: &str, bodies: &str) -> Result<Self, String> {
        let allowed: File = toml::from_str(allowed).map_err(|error| error.to_string())?;
        let refused: File = toml::from_str(refused).map_err(|error| error.to_string())?;
        let mut bodies: HashMap<String, toml::Value> =
            toml::from_str(bodies).map_err(|error| error.to_string())?;
        let kinds = ParameterKinds {
            numbers: allowed.numbers,
            rests: allowed.rests,
        };
        let mut operations = Vec::new();
        for group in allowed.operations.iter().chain(&refused.operations) {
            for line in group.of.lines() {
                operations.push(Operation::parse(line, group, &kinds, &mut bodies)?);
            }
        }
        if let Some(unknown) = bodies.keys().next() {
            return Err(format!("there is a body for {unknown}, which is no operation"));
        }
        Ok(Self {
            places: places(&operations)?,
            operations,
            queries: allowed.queries,
        })
    }
}

fn places(operations: &[Operation]) -> Result<HashMap<Place, Vec<usize>>, String> {
    let mut places: HashMap<Place, Vec<usize>> = HashMap::new();
    for (at, operation) in operations.iter().enumerate() {
        let place = operation.template.place();
        let place = place.ok_or_else(|| format!("{} begins with a parameter", operation.id))?;
        places.entry(place).or_default().push(at);
    }
    Ok(places)
}

impl Operation {
    fn parse(
        line: &str,
        group: &Group,
        kinds: &ParameterKinds,
        bodies: &mut HashMap<String, toml::Value>,
    ) -> Result<Self, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let [method, template, id] = words.as_slice() else {
            return Err(format!("{line:?} is not a method, a path and a name"));
        };
        let body = bodies.remove(*id);
        Ok(Self {
            method: (*method).to_owned(),
            template: Template::parse(template, kinds),
            id: (*id).to_owned(),
            class: Class::named(&group.class).ok_or_else(|| format!("{:?} is no class", group.class))?,
            answer: group.answer,
            body: body.as_ref().map(Shape::parse).transpose()?,
        })
    }

    fn arguments(&self, path: &Segments) -> Option<Arguments> {
        let at_least = if self.method == "GET" {
            AtLeast::Zero
        } else {
            AtLeast::One
        };
        self.template.arguments(path.as_slice(), at_least)
    }

    /// The path with these arguments.
    pub(super) fn path(&self, arguments: &Arguments) -> String {
        self.template.path(arguments)
    }

    /// What is done with its answer.
    pub(super) fn answer(&self) -> AnswerTreatment {
        match self.answer {
            AnswerKind::WithoutTokens => AnswerTreatment::WithoutTokens,
            AnswerKind::FollowRedirects => AnswerTreatment::FollowRedirects,
            AnswerKind::AsItComes => AnswerTreatment::AsItComes,
        }
    }
}

impl Class {
    fn named(word: &str) -> Option<Self> {
        let listed = CLASSES.iter().find(|(_, known)| *known == word);
        listed
            .map(|(class, _)| *class)
            .or_else(|| OtherKind::named(word).map(Self::Refused))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rests: Vec<String>,
    #[serde(default)]
    numbers: Vec<String>,
    #[serde(default)]
    queries: Vec<String>,
    operations: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    class: String,
    #[serde(default)]
    answer: AnswerKind,
    /// Whether GitHub's description lacks them.
    #[serde(default)]
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the test that compares with the description")
    )]
    undocumented: bool,
    /// A line for each: method, path, name.
    of: String,
}

const ALLOWED: &str = include_str!("../../data/rest.toml");
const REFUSED: &str = include_str!("../../data/rest-refused.toml");
const BODIES: &str = include_str!("../../data/rest-bodies.toml");

const CLASSES: [(Class, &str); 25] = [
    (Class::Read, "read"),
    (Class::Compare, "compare"),
    (Class::ReadPullRequests, "read-pull-requests"),
    (Class::ReadIssues, "read-issues"),
    (Class::ReadCommon, "read-common"),
    (Class::SessionUser, "session-user"),
    (Class::Search, "search"),
    (Class::SearchIssues, "search-issues"),
    (Class::SearchLabels, "search-labels"),
    (Class::StoreObject, "store-object"),
    (Class::StoreTree, "store-tree"),
    (Class::WriteFile, "write-file"),
    (Class::CreateRef, "create-ref"),
    (Class::UpdateRef, "update-ref"),
    (Class::DeleteRef, "delete-ref"),
    (Class::MergeInto, "merge-into"),
    (Class::UpdateHead, "update-head"),
    (Class::CreatePullRequest, "create-pull-request"),
    (Class::ChangePullRequest, "change-pull-request"),
    (Class::ChangeIssue, "change-issue"),
    (Class::Comment, "comment"),
    (Class::ChangeComment, "change-comment"),
    (Class::Review, "review"),
    (Class::CreateIssue, "create-issue"),
    (Class::Rerun, "rerun"),
];

#[cfg(test)]
mod tests;
