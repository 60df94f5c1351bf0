//! `createCommitOnBranch`: a branch by name or by id, and the files that change.

use outwall_policy::github::{BranchName, GithubAction, OtherKind, RefName, RepositoryName};
use serde_json::Value as Json;

use super::{Asked, is_empty};
use crate::graphql::walk::Walk;
use crate::rest::file_path::is_workflow;
use crate::understood::NotUnderstood;

impl Walk<'_> {
    pub(super) fn commit(&mut self, asked: &Asked<'_>) -> Result<(), NotUnderstood> {
        let changes_workflow = changed(asked)?;
        let Some((repository, name)) = self.branch(asked)? else {
            return Ok(());
        };
        if changes_workflow {
            self.does(GithubAction::ChangeWorkflow(repository.clone()));
        }
        self.does(GithubAction::UpdateRef(repository, name));
        Ok(())
    }

    /// `branch: {id}` or `branch: {repositoryNameWithOwner, branchName}`, and not both.
    fn branch(&mut self, asked: &Asked<'_>) -> Result<Option<(RepositoryName, RefName)>, NotUnderstood> {
        let of = |member: &str| {
            asked
                .input
                .get("branch")
                .and_then(|branch| branch.get(member))
                .filter(|value| !is_empty(value))
        };
        match (of("id"), of("repositoryNameWithOwner"), of("branchName")) {
            (Some(id), None, None) => self.branch_of(asked, id),
            (None, Some(Json::String(repository)), Some(Json::String(branch))) => {
                let wrong = |why: String| NotUnderstood::because(format!("`branch`: {why}"));
                let repository = repository
                    .parse::<RepositoryName>()
                    .map_err(|why| wrong(why.to_string()))?;
                let branch = branch
                    .parse::<BranchName>()
                    .map_err(|why| wrong(why.to_string()))?;
                Ok(Some((repository, branch.to_ref())))
            }
            _ => Err(NotUnderstood::because(
                "`branch` has an `id`, or `repositoryNameWithOwner` and `branchName`",
            )),
        }
    }

    fn branch_of(
        &mut self,
        asked: &Asked<'_>,
        id: &Json,
    ) -> Result<Option<(RepositoryName, RefName)>, NotUnderstood> {
        let Some((fact, repository)) = self.all(id)?.pop() else {
            return Ok(None);
        };
        if fact.ref_name.is_none() {
            self.refuse(
                OtherKind::Elsewhere,
                format!("mutation {} on a {}", asked.name, fact.type_name),
            );
        }
        Ok(fact.ref_name.map(|name| (repository, name)))
    }
}

/// Whether one of the files is a workflow.
fn changed(asked: &Asked<'_>) -> Result<bool, NotUnderstood> {
    let changes = asked.input.get("fileChanges").filter(|value| !value.is_null());
    let lists = ["additions", "deletions"].into_iter();
    let lists = lists.filter_map(|list| {
        changes
            .and_then(|changes| changes.get(list))
            .and_then(Json::as_array)
    });
    let mut found = false;
    for file in lists.flatten() {
        let path = file.get("path").and_then(Json::as_str);
        let path = path.ok_or_else(|| NotUnderstood::because("a file of `fileChanges` has no path"))?;
        found |= is_workflow(path)?;
    }
    Ok(found)
}
