//! `[[github]]` and `[github.sessions]`.

use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::document::{GithubDocument, SessionsDocument};
use crate::github::{PublicRule, PullRequestRule, PushRule};

impl Reader {
    pub(super) fn githubs(&mut self, value: Value<'_, '_>) -> Vec<GithubDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type("github", "tables, each `[[github]]`", value);
            return Vec::new();
        };
        items.iter().map(|item| self.github(item)).collect()
    }

    fn github(&mut self, value: Value<'_, '_>) -> GithubDocument {
        let mut github = GithubDocument {
            place: self.place(value.span().start),
            host: None,
            credential: None,
            token_without_workflows: None,
            sessions: SessionsDocument::default(),
        };
        for (key, value) in self.table("github", value) {
            let written: &str = key.get_ref();
            match written {
                "host" => github.host = self.string(written, value),
                "credential" => github.credential = self.string(written, value),
                "token_without_workflows" => github.token_without_workflows = self.boolean(written, value),
                "sessions" => github.sessions = self.sessions(value),
                _ => self.unknown_key(key, "[[github]]", GITHUB_KEYS),
            }
        }
        for (key, remedy) in NEEDED {
            if !has_key(value, key) {
                self.problem(
                    value.span().start,
                    format!("the table [[github]] has no `{key}`"),
                    remedy,
                );
            }
        }
        github
    }

    fn sessions(&mut self, value: Value<'_, '_>) -> SessionsDocument {
        let mut sessions = SessionsDocument::default();
        for (key, value) in self.table("github.sessions", value) {
            let written: &str = key.get_ref();
            match written {
                "push" => sessions.push = self.word(written, value, &PUSH),
                "delete_branch" => sessions.delete_branch = self.boolean(written, value),
                "force_push" => sessions.force_push = self.boolean(written, value),
                "pull_requests" => sessions.pull_requests = self.word(written, value, &PULL_REQUESTS),
                "create_issues" => sessions.create_issues = self.boolean(written, value),
                "rerun_workflows" => sessions.rerun_workflows = self.boolean(written, value),
                "workflows" => sessions.workflows = self.boolean(written, value),
                "public_repositories" => sessions.public_repositories = self.word(written, value, &PUBLIC),
                _ => self.unknown_key(key, "[github.sessions]", SESSIONS_KEYS),
            }
        }
        sessions
    }
}

const GITHUB_KEYS: &[&str] = &["host", "credential", "token_without_workflows", "sessions"];
const SESSIONS_KEYS: &[&str] = &[
    "push",
    "delete_branch",
    "force_push",
    "pull_requests",
    "create_issues",
    "rerun_workflows",
    "workflows",
    "public_repositories",
];
const NEEDED: [(&str, &str); 2] = [
    ("host", "write host = \"github.com\", or the host of your server"),
    (
        "credential",
        "name the credential that is used for sessions, from [[credentials]]: credential = \"github\"",
    ),
];
const PUSH: [(&str, PushRule); 2] = [
    ("session-branch", PushRule::SessionBranch),
    ("none", PushRule::None),
];
const PULL_REQUESTS: [(&str, PullRequestRule); 3] = [
    ("none", PullRequestRule::None),
    ("read", PullRequestRule::Read),
    ("create-and-comment", PullRequestRule::CreateAndComment),
];
const PUBLIC: [(&str, PublicRule); 2] = [("none", PublicRule::None), ("read", PublicRule::Read)];
