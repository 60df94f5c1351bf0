//! One line of a push.

use super::action::GithubAction;
use super::names::{RefName, RepositoryName};
use super::oid::ObjectId;

/// One line of a push: a ref, where it was and where it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefUpdate {
    /// Where it was; null where it was not.
    pub old: ObjectId,
    /// Where it is to be; null where it is to be no more.
    pub new: ObjectId,
    /// The ref.
    pub name: RefName,
}

impl RefUpdate {
    /// What it does in a repository. Whether one that moves a ref moves it forward cannot be told from the line.
    pub fn action(&self, repository: &RepositoryName) -> GithubAction {
        let (repository, name) = (repository.clone(), self.name.clone());
        match (self.old.is_null(), self.new.is_null()) {
            (_, true) => GithubAction::DeleteRef(repository, name),
            (true, false) => GithubAction::CreateRef(repository, name),
            (false, false) => GithubAction::UpdateRef(repository, name),
        }
    }
}
