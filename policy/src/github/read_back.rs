//! What an action is written as, read again: records have no more of it than that.

use super::action::{GithubAction, Head, OtherKind};
use super::names::{RefName, RepositoryName};

impl GithubAction {
    /// The action that is written so. What is none of those that a rule may allow is [`Other`](Self::Other), of a kind that is not
    /// written: so what was cut, or is of a later version, is never taken for something that may be done.
    pub fn read_back(text: &str) -> Self {
        known(text).unwrap_or_else(|| Self::Other {
            operation: text.to_owned(),
            kind: OtherKind::Unknown,
        })
    }
}

fn known(text: &str) -> Option<GithubAction> {
    if text == GithubAction::ReadCommon.to_string() {
        return Some(GithubAction::ReadCommon);
    }
    let about = OF_REPOSITORY.iter().find_map(|(before, made)| {
        let repository = text.strip_prefix(before)?.parse().ok()?;
        Some(made(repository))
    });
    about.or_else(|| of_ref(text)).or_else(|| of_head(text))
}

type OfRepository = fn(RepositoryName) -> GithubAction;

const OF_REPOSITORY: [(&str, OfRepository); 7] = [
    ("read ", GithubAction::Read),
    ("read pull requests of ", GithubAction::ReadPullRequests),
    ("store objects in ", GithubAction::StoreObjects),
    ("change workflows of ", GithubAction::ChangeWorkflow),
    ("comment in ", GithubAction::Comment),
    ("open an issue in ", GithubAction::CreateIssue),
    ("rerun a workflow of ", GithubAction::RerunWorkflow),
];

/// `update refs/heads/x of acme/app`; the name of a ref has no space.
fn of_ref(text: &str) -> Option<GithubAction> {
    let (verb, rest) = text.split_once(' ')?;
    let (name, repository) = rest.split_once(" of ")?;
    let (name, repository): (RefName, RepositoryName) = (name.parse().ok()?, repository.parse().ok()?);
    Some(match verb {
        "create" => GithubAction::CreateRef(repository, name),
        "update" => GithubAction::UpdateRef(repository, name),
        "force" => GithubAction::ForceRef(repository, name),
        "delete" => GithubAction::DeleteRef(repository, name),
        _ => return None,
    })
}

/// `open a pull request of acme/app:x in acme/app`
fn of_head(text: &str) -> Option<GithubAction> {
    let opens = text.strip_prefix("open a pull request of ");
    let rest = opens.or_else(|| text.strip_prefix("change the pull request of "))?;
    let (head, repository) = rest.split_once(" in ")?;
    let (head, repository) = (read_head(head)?, repository.parse().ok()?);
    Some(match opens {
        Some(_) => GithubAction::CreatePullRequest { repository, head },
        None => GithubAction::ChangePullRequest { repository, head },
    })
}

fn read_head(text: &str) -> Option<Head> {
    let (repository, branch) = text.split_once(':')?;
    Some(Head {
        repository: match repository {
            "(deleted)" => None,
            named => Some(named.parse().ok()?),
        },
        branch: branch.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn app() -> RepositoryName {
        "acme/app".parse().unwrap()
    }

    fn every_one() -> Vec<GithubAction> {
        let name = || "refs/heads/of/in".parse::<RefName>().unwrap();
        let head = |repository| Head {
            repository,
            branch: "outwall/x".parse().unwrap(),
        };
        let (ours, deleted) = (head(Some(app())), head(None));
        vec![
            GithubAction::Read(app()),
            GithubAction::ReadPullRequests(app()),
            GithubAction::ReadCommon,
            GithubAction::CreateRef(app(), name()),
            GithubAction::UpdateRef(app(), name()),
            GithubAction::ForceRef(app(), name()),
            GithubAction::DeleteRef(app(), "HEAD".parse().unwrap()),
            GithubAction::StoreObjects(app()),
            GithubAction::ChangeWorkflow(app()),
            GithubAction::CreatePullRequest {
                repository: app(),
                head: ours.clone(),
            },
            GithubAction::ChangePullRequest {
                repository: app(),
                head: ours,
            },
            GithubAction::ChangePullRequest {
                repository: app(),
                head: deleted,
            },
            GithubAction::Comment(app()),
            GithubAction::CreateIssue(app()),
            GithubAction::RerunWorkflow(app()),
            GithubAction::Other {
                operation: "pulls/merge".to_owned(),
                kind: OtherKind::Unknown,
            },
        ]
    }

    #[test]
    fn every_action_is_read_as_it_is_written() {
        for action in every_one() {
            assert_eq!(GithubAction::read_back(&action.to_string()), action, "{action}");
        }
    }

    #[test]
    fn what_is_not_written_so_is_nothing_that_may_be_done() {
        for text in [
            "",
            "read ",
            "read acme/app with GraphQL",
            "read acme/app: this session may not push",
            "update refs/heads/x",
            "update heads/x of acme/app",
            "update refs/heads/x of acme/app…",
            "move refs/heads/x of acme/app",
            "open a pull request of acme/app:x in ",
            "open a pull request of x in acme/app",
            "READ acme/app",
        ] {
            let read = GithubAction::read_back(text);
            assert!(matches!(read, GithubAction::Other { .. }), "{text}");
            assert_eq!(read.to_string(), text);
        }
    }
}
