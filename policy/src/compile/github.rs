//! `[[github]]`.

use super::Compiler;
use crate::brokered::{Brokered, CredentialName};
use crate::document::{GithubDocument, SessionsDocument, Written};
use crate::github::{Github, GithubHost, Githubs, SessionRules, WorkflowPermission};

impl Compiler {
    pub(super) fn githubs(&mut self, written: &[GithubDocument], brokered: &Brokered) -> Githubs {
        let mut compiled: Vec<Github> = Vec::with_capacity(written.len());
        for written in written {
            let (host, credential) = (
                self.github_host(written),
                self.github_credential(written, brokered),
            );
            let Some((host, credential)) = host.zip(credential) else {
                continue;
            };
            if compiled.iter().any(|other| other.host == host) {
                let what = format!("two tables [[github]] are for {host}");
                self.problem(
                    written.place,
                    what,
                    "keep one: a session has one GitHub, and that one set of rules",
                );
            }
            compiled.push(Github {
                host,
                credential,
                rules: rules(&written.sessions),
                workflow_permission: if is_on(written.token_without_workflows.as_ref(), false) {
                    WorkflowPermission::ToldNone
                } else {
                    WorkflowPermission::Asked
                },
                line: written.place.line(),
            });
        }
        Githubs(compiled.into())
    }

    fn github_host(&mut self, written: &GithubDocument) -> Option<GithubHost> {
        let Written { value, place } = written.host.as_ref()?;
        value
            .parse()
            .map_err(|why: crate::github::GithubHostError| {
                self.problem(*place, why.to_string(), "write host = \"github.com\"");
            })
            .ok()
    }

    fn github_credential(&mut self, written: &GithubDocument, brokered: &Brokered) -> Option<CredentialName> {
        let Written { value, place } = written.credential.as_ref()?;
        let found = brokered.0.iter().find(|known| known.name().as_str() == value);
        if found.is_none() {
            let known: Vec<&str> = brokered.0.iter().map(|known| known.name().as_str()).collect();
            let remedy = match known.as_slice() {
                [] => format!("add [[credentials]] with name = \"{value}\""),
                known => format!(
                    "write one of {}, or add [[credentials]] with that name",
                    known.join(", ")
                ),
            };
            self.problem(*place, format!("there is no credential \"{value}\""), remedy);
        }
        found.map(|known| known.name().clone())
    }
}

fn rules(written: &SessionsDocument) -> SessionRules {
    let usual = SessionRules::default();
    let or = |flag: &Option<Written<bool>>, usual| is_on(flag.as_ref(), usual);
    SessionRules {
        push: written.push.as_ref().map_or(usual.push, |word| word.value),
        delete_branch: or(&written.delete_branch, usual.delete_branch),
        force_push: or(&written.force_push, usual.force_push),
        pull_requests: written
            .pull_requests
            .as_ref()
            .map_or(usual.pull_requests, |word| word.value),
        create_issues: or(&written.create_issues, usual.create_issues),
        rerun_workflows: or(&written.rerun_workflows, usual.rerun_workflows),
        workflows: or(&written.workflows, usual.workflows),
        public_repositories: written
            .public_repositories
            .as_ref()
            .map_or(usual.public_repositories, |word| word.value),
    }
}

fn is_on(flag: Option<&Written<bool>>, usual: bool) -> bool {
    flag.map_or(usual, |flag| flag.value)
}

#[cfg(test)]
mod tests;
