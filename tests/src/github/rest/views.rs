//! Records as the REST interface shows them.

use serde_json::{Value, json};

use crate::github::Site;
use crate::github::store::{Record, Store};

/// The page of a record on the web.
pub(in crate::github) fn page(store: &Store, site: Site, record: &Record) -> String {
    let web = site.web();
    let of = |id: Option<u64>| format!("{web}/{}", id.map(|id| store.full_name(id)).unwrap_or_default());
    let repository = of(record.repository);
    match record.kind {
        "Repository" => of(Some(record.id)),
        "User" | "Organization" | "Bot" => format!("{web}/{}", record.text("login")),
        "PullRequest" => format!("{repository}/pull/{}", record.number("number")),
        "Issue" => format!("{repository}/issues/{}", record.number("number")),
        "IssueComment" => {
            let subject = record.fields.get("subject").and_then(|link| store.linked(link));
            format!(
                "{}#issuecomment-{}",
                subject.map(|on| page(store, site, on)).unwrap_or_default(),
                record.id
            )
        }
        "PullRequestReview" => {
            let pull = record
                .fields
                .get("pullRequest")
                .and_then(|link| store.linked(link));
            format!(
                "{}#pullrequestreview-{}",
                pull.map(|on| page(store, site, on)).unwrap_or_default(),
                record.id
            )
        }
        "Release" => format!("{repository}/releases/tag/{}", record.text("tagName")),
        "WorkflowRun" => format!("{repository}/actions/runs/{}", record.id),
        "CheckRun" => format!(
            "{repository}/actions/runs/{}/job/{}",
            record.number("run"),
            record.id
        ),
        "Gist" => format!("{}/{}", site.gists(), record.text("name")),
        _ => repository,
    }
}

/// What shows records: a store, and the site whose URLs they are to have.
pub(super) struct View<'s> {
    pub(super) store: &'s Store,
    pub(super) site: Site,
}

impl View<'_> {
    fn api(&self, repository: Option<u64>) -> String {
        format!(
            "{}/repos/{}",
            self.site.api(),
            repository.map(|id| self.store.full_name(id)).unwrap_or_default()
        )
    }

    fn html(&self, record: &Record) -> String {
        page(self.store, self.site, record)
    }

    fn linked(&self, record: &Record, field: &str) -> Option<&Record> {
        record.fields.get(field).and_then(|link| self.store.linked(link))
    }

    /// The user that a field refers to.
    pub(super) fn user_of(&self, record: &Record, field: &str) -> Value {
        self.linked(record, field)
            .map_or(Value::Null, |user| self.user(user))
    }

    pub(super) fn user(&self, user: &Record) -> Value {
        let login = user.text("login");
        json!({
            "login": login, "id": user.id, "node_id": self.store.node_id(user.key()), "type": user.kind, "site_admin": false,
            "name": user.field("name"), "url": format!("{}/users/{login}", self.site.api()), "html_url": self.html(user),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{}", user.id),
        })
    }

    fn users(&self, record: &Record, field: &str) -> Vec<Value> {
        let links = record
            .fields
            .get(field)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        links
            .iter()
            .filter_map(|link| Some(self.user(self.store.linked(link)?)))
            .collect()
    }

    pub(super) fn label(&self, label: &Record) -> Value {
        json!({
            "id": label.id, "node_id": self.store.node_id(label.key()), "name": label.field("name"), "color": label.field("color"),
            "description": label.fields.get("description"), "default": false, "url": format!("{}/labels/{}", self.api(label.repository), label.text("name")),
        })
    }

    pub(super) fn labels(&self, record: &Record) -> Vec<Value> {
        let links = record
            .fields
            .get("labels")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        links
            .iter()
            .filter_map(|link| Some(self.label(self.store.linked(link)?)))
            .collect()
    }

    pub(super) fn repository(&self, repository: &Record) -> Value {
        let full_name = self.store.full_name(repository.id);
        let api = self.api(Some(repository.id));
        let html = self.html(repository);
        let private = repository.flag("isPrivate");
        let host = self.site.web().trim_start_matches("https://").to_owned();
        json!({
            "id": repository.id, "node_id": self.store.node_id(repository.key()), "name": repository.field("name"), "full_name": full_name,
            "owner": self.user_of(repository, "owner"), "private": private, "visibility": if private { "private" } else { "public" },
            "html_url": html, "url": api, "description": repository.fields.get("description"), "fork": repository.fields.contains_key("parent"),
            "default_branch": repository.field("defaultBranch"), "clone_url": format!("{html}.git"), "ssh_url": format!("git@{host}:{full_name}.git"),
            "git_url": format!("git://{host}/{full_name}.git"), "archived": repository.flag("isArchived"), "disabled": false,
            "created_at": repository.field("createdAt"), "updated_at": repository.field("updatedAt"), "pushed_at": repository.field("updatedAt"),
            "has_issues": true, "has_projects": false, "has_wiki": true, "has_downloads": true, "open_issues_count": 0,
            "allow_merge_commit": true, "allow_squash_merge": true, "allow_rebase_merge": true, "topics": [],
            "permissions": { "admin": true, "maintain": true, "push": true, "triage": true, "pull": true },
            "archive_url": format!("{api}/{{archive_format}}{{/ref}}"), "contents_url": format!("{api}/contents/{{+path}}"),
            "parent": self.linked(repository, "parent").map(|parent| self.repository(parent)),
            "source": self.linked(repository, "parent").map(|parent| self.repository(parent)),
        })
    }

    pub(super) fn pull(&self, pull: &Record) -> Value {
        let (number, api) = (pull.number("number"), self.api(pull.repository));
        let side = |repository: Option<&Record>, branch: &str, sha: &str| {
            let owner = repository
                .map(|repository| self.store.owner_of(repository))
                .unwrap_or_default();
            json!({
                "label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "repo": repository.map(|repository| self.repository(repository)),
                "user": repository.map(|repository| self.user_of(repository, "owner")),
            })
        };
        let base = pull
            .repository
            .and_then(|id| self.store.records.get(&("Repository", id)));
        let base_disk = pull.repository.and_then(|id| self.store.disks.get(&id));
        let base_sha = base_disk
            .and_then(|disk| disk.branch(pull.text("baseRefName")))
            .unwrap_or_default();
        let merged = pull.text("state") == "MERGED";
        json!({
            "id": pull.id, "node_id": self.store.node_id(pull.key()), "number": number, "title": pull.field("title"), "body": pull.field("body"),
            "state": if pull.text("state") == "OPEN" { "open" } else { "closed" }, "draft": pull.flag("isDraft"), "locked": false,
            "user": self.user_of(pull, "author"), "html_url": self.html(pull), "url": format!("{api}/pulls/{number}"),
            "diff_url": format!("{}.diff", self.html(pull)), "patch_url": format!("{}.patch", self.html(pull)),
            "issue_url": format!("{api}/issues/{number}"), "comments_url": format!("{api}/issues/{number}/comments"),
            "head": side(self.linked(pull, "headRepository"), pull.text("headRefName"), pull.text("headRefOid")),
            "base": side(base, pull.text("baseRefName"), &base_sha), "labels": self.labels(pull), "assignees": self.users(pull, "assignees"),
            "requested_reviewers": self.users(pull, "requestedReviewers"), "requested_teams": [], "merged": merged,
            "merged_at": pull.fields.get("mergedAt"), "closed_at": pull.fields.get("closedAt"), "merged_by": self.user_of(pull, "mergedBy"),
            "created_at": pull.field("createdAt"), "updated_at": pull.field("updatedAt"), "mergeable": if merged { Value::Null } else { true.into() },
            "mergeable_state": "clean", "maintainer_can_modify": false, "author_association": "OWNER", "auto_merge": null, "milestone": null,
        })
    }

    /// As an issue: pull requests are issues, too.
    pub(super) fn issue(&self, issue: &Record) -> Value {
        let (number, api) = (issue.number("number"), self.api(issue.repository));
        let mut shown = json!({
            "id": issue.id, "node_id": self.store.node_id(issue.key()), "number": number, "title": issue.field("title"), "body": issue.field("body"),
            "state": if issue.text("state") == "OPEN" { "open" } else { "closed" }, "state_reason": issue.fields.get("stateReason"),
            "user": self.user_of(issue, "author"), "html_url": self.html(issue), "url": format!("{api}/issues/{number}"), "repository_url": api,
            "comments_url": format!("{api}/issues/{number}/comments"), "labels": self.labels(issue), "assignees": self.users(issue, "assignees"),
            "locked": issue.flag("locked"), "comments": 0, "created_at": issue.field("createdAt"), "updated_at": issue.field("updatedAt"),
            "closed_at": issue.fields.get("closedAt"), "author_association": "OWNER", "milestone": null,
        });
        if issue.kind == "PullRequest" {
            shown["pull_request"] =
                json!({ "url": format!("{api}/pulls/{number}"), "html_url": self.html(issue) });
        }
        shown
    }

    pub(super) fn comment(&self, comment: &Record) -> Value {
        let api = self.api(comment.repository);
        let subject = self
            .linked(comment, "subject")
            .or(self.linked(comment, "pullRequest"));
        json!({
            "id": comment.id, "node_id": self.store.node_id(comment.key()), "body": comment.field("body"), "user": self.user_of(comment, "author"),
            "html_url": self.html(comment), "url": format!("{api}/issues/comments/{}", comment.id), "path": comment.fields.get("path"),
            "issue_url": subject.map(|on| format!("{api}/issues/{}", on.number("number"))), "author_association": "OWNER",
            "created_at": comment.field("createdAt"), "updated_at": comment.field("updatedAt"),
        })
    }

    pub(super) fn review(&self, review: &Record) -> Value {
        json!({
            "id": review.id, "node_id": self.store.node_id(review.key()), "body": review.field("body"), "user": self.user_of(review, "author"),
            "state": review.field("state"), "html_url": self.html(review), "submitted_at": review.fields.get("submittedAt"), "author_association": "OWNER",
        })
    }

    pub(super) fn release(&self, release: &Record) -> Value {
        let api = self.api(release.repository);
        let mine = self.store.link(release.key());
        let assets = self
            .store
            .of_kind("ReleaseAsset")
            .filter(|asset| asset.fields.get("release") == Some(&mine));
        json!({
            "id": release.id, "node_id": self.store.node_id(release.key()), "tag_name": release.field("tagName"), "name": release.field("name"),
            "body": release.fields.get("description"), "draft": release.flag("isDraft"), "prerelease": release.flag("isPrerelease"),
            "target_commitish": "main", "author": self.user_of(release, "author"), "html_url": self.html(release), "url": format!("{api}/releases/{}", release.id),
            "upload_url": format!("{}/repos/{}/releases/{}/assets{{?name,label}}", self.site.uploads(), release.repository.map(|id| self.store.full_name(id)).unwrap_or_default(), release.id),
            "assets_url": format!("{api}/releases/{}/assets", release.id), "tarball_url": format!("{api}/tarball/{}", release.text("tagName")),
            "zipball_url": format!("{api}/zipball/{}", release.text("tagName")), "assets": assets.map(|asset| self.asset(asset)).collect::<Vec<_>>(),
            "created_at": release.field("createdAt"), "published_at": release.field("createdAt"),
        })
    }

    pub(super) fn asset(&self, asset: &Record) -> Value {
        let tag = self
            .linked(asset, "release")
            .map(|release| release.text("tagName").to_owned())
            .unwrap_or_default();
        let web = asset
            .repository
            .map(|id| format!("{}/{}", self.site.web(), self.store.full_name(id)))
            .unwrap_or_default();
        json!({
            "id": asset.id, "node_id": self.store.node_id(asset.key()), "name": asset.field("name"), "label": null, "state": "uploaded",
            "content_type": asset.field("contentType"), "size": asset.field("size"), "download_count": 0,
            "url": format!("{}/releases/assets/{}", self.api(asset.repository), asset.id),
            "browser_download_url": format!("{web}/releases/download/{tag}/{}", asset.text("name")),
            "created_at": asset.field("createdAt"), "updated_at": asset.field("updatedAt"),
        })
    }

    pub(super) fn run(&self, run: &Record) -> Value {
        let api = self.api(run.repository);
        let repository = run
            .repository
            .and_then(|id| self.store.records.get(&("Repository", id)));
        let workflow = self.linked(run, "workflow").map(|workflow| workflow.id);
        json!({
            "id": run.id, "node_id": self.store.node_id(run.key()), "name": run.field("name"), "display_title": run.field("name"), "event": run.field("event"),
            "head_branch": run.field("headBranch"), "head_sha": run.field("headSha"), "run_number": run.field("runNumber"), "run_attempt": 1,
            "status": run.text("status").to_lowercase(), "conclusion": run.fields.get("conclusion").and_then(Value::as_str).map(str::to_lowercase),
            "workflow_id": workflow, "html_url": self.html(run), "url": format!("{api}/actions/runs/{}", run.id),
            "jobs_url": format!("{api}/actions/runs/{}/jobs", run.id), "logs_url": format!("{api}/actions/runs/{}/logs", run.id),
            "check_suite_url": format!("{api}/check-suites/1"), "artifacts_url": format!("{api}/actions/runs/{}/artifacts", run.id),
            "rerun_url": format!("{api}/actions/runs/{}/rerun", run.id), "cancel_url": format!("{api}/actions/runs/{}/cancel", run.id),
            "workflow_url": format!("{api}/actions/workflows/{}", workflow.unwrap_or_default()), "pull_requests": [],
            "created_at": run.field("createdAt"), "updated_at": run.field("updatedAt"), "run_started_at": run.field("createdAt"),
            "head_commit": { "id": run.field("headSha"), "message": run.field("name"), "author": { "name": "mona", "email": "mona@example.com" } },
            "head_repository": repository.map(|repository| self.repository(repository)), "repository": repository.map(|repository| self.repository(repository)),
        })
    }

    /// A check, as a job of a workflow's run.
    pub(super) fn job(&self, check: &Record) -> Value {
        let api = self.api(check.repository);
        let conclusion = check
            .fields
            .get("conclusion")
            .and_then(Value::as_str)
            .map(str::to_lowercase);
        json!({
            "id": check.id, "node_id": self.store.node_id(check.key()), "run_id": check.number("run"), "run_attempt": 1, "name": check.field("name"),
            "head_sha": check.field("headSha"), "status": check.text("status").to_lowercase(), "conclusion": conclusion, "started_at": check.field("startedAt"),
            "completed_at": check.field("completedAt"), "html_url": self.html(check), "url": format!("{api}/actions/jobs/{}", check.id),
            "details_url": self.html(check), "check_run_url": format!("{api}/check-runs/{}", check.id), "labels": [], "output": { "title": null, "summary": null, "text": null, "annotations_count": 0 },
            "steps": [{ "name": "build", "number": 1, "status": check.text("status").to_lowercase(), "conclusion": conclusion }],
        })
    }
}
