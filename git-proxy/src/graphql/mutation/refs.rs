//! `createRef`, `updateRef`, `updateRefs`, `deleteRef`: what a push does, told like one.

use outwall_policy::github::{GithubAction, ObjectId, OtherKind, RefName, RepositoryName};
use serde_json::Value as Json;

use super::Asked;
use crate::graphql::walk::Walk;
use crate::understood::NotUnderstood;

impl Walk<'_> {
    pub(super) fn refs(&mut self, asked: &Asked<'_>) -> Result<(), NotUnderstood> {
        for (fact, repository) in self.subjects(asked)? {
            let is_forced = asked.input.get("force").and_then(Json::as_bool) == Some(true);
            let action = match (asked.name, fact.type_name.as_str(), fact.ref_name) {
                ("createRef", "Repository", _) => {
                    GithubAction::CreateRef(repository, named(asked.text("name")?)?)
                }
                ("updateRef", "Ref", Some(name)) if is_forced => GithubAction::ForceRef(repository, name),
                ("updateRef", "Ref", Some(name)) => GithubAction::UpdateRef(repository, name),
                ("deleteRef", "Ref", Some(name)) => GithubAction::DeleteRef(repository, name),
                ("updateRefs", "Repository", _) => {
                    self.each_ref(asked, &repository)?;
                    continue;
                }
                (_, of, _) => GithubAction::Other {
                    operation: format!("mutation {} of a {of}", asked.name),
                    kind: OtherKind::Elsewhere,
                },
            };
            self.does(action);
        }
        Ok(())
    }

    fn each_ref(&mut self, asked: &Asked<'_>, repository: &RepositoryName) -> Result<(), NotUnderstood> {
        let updates = asked.input.get("refUpdates").and_then(Json::as_array);
        for update in updates.into_iter().flatten() {
            let of = |member: &str| update.get(member).and_then(Json::as_str);
            let name = named(of("name").unwrap_or_default())?;
            let after = object(of("afterOid").unwrap_or_default())?;
            let before = of("beforeOid").map(object).transpose()?;
            let is_forced = update.get("force").and_then(Json::as_bool) == Some(true);
            let repository = repository.clone();
            self.does(match before {
                _ if after.is_null() => GithubAction::DeleteRef(repository, name),
                Some(before) if before.is_null() => GithubAction::CreateRef(repository, name),
                _ if is_forced => GithubAction::ForceRef(repository, name),
                _ => GithubAction::UpdateRef(repository, name),
            });
        }
        Ok(())
    }
}

fn named(name: &str) -> Result<RefName, NotUnderstood> {
    name.parse()
        .map_err(|wrong: outwall_policy::github::RefNameError| NotUnderstood::because(wrong.to_string()))
}

fn object(id: &str) -> Result<ObjectId, NotUnderstood> {
    id.parse()
        .map_err(|wrong: outwall_policy::github::ObjectIdError| NotUnderstood::because(wrong.to_string()))
}
