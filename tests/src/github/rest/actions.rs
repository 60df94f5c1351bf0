//! Workflow runs, their jobs, logs and checks.

use serde_json::{Value, json};

use super::Call;
use super::views::View;
use crate::github::Answer;
use crate::github::store::Record;

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    call.repository?;
    let id = call.operation.id.clone();
    Some(match id.as_str() {
        "actions/list-workflow-runs-for-repo" | "actions/list-workflow-runs" => runs(call),
        "actions/get-workflow-run" | "actions/get-workflow-run-attempt" => {
            one(call, "WorkflowRun", "run_id", shown_run)
        }
        "actions/list-jobs-for-workflow-run" | "actions/list-jobs-for-workflow-run-attempt" => {
            let run = call.number("run_id");
            counted(
                call,
                "jobs",
                "CheckRun",
                |check| check.number("run") == run,
                shown_job,
            )
        }
        "actions/get-job-for-workflow-run" => one(call, "CheckRun", "job_id", shown_job),
        "checks/get" => one(call, "CheckRun", "check_run_id", shown_job),
        "checks/list-for-ref" => {
            let commit = call.disk().resolve(call.part("ref")).unwrap_or_default();
            counted(
                call,
                "check_runs",
                "CheckRun",
                |check| check.text("headSha") == commit,
                shown_job,
            )
        }
        "actions/list-workflow-run-artifacts" => {
            let run = call.number("run_id");
            let of_run = |artifact: &Record| artifact.number("run") == run;
            counted(call, "artifacts", ARTIFACT, of_run, artifact)
        }
        "actions/list-artifacts-for-repo" => counted(call, "artifacts", ARTIFACT, |_| true, artifact),
        "actions/get-artifact" => one(call, ARTIFACT, "artifact_id", artifact),
        "actions/download-artifact" => log(call, "artifacts", "artifact_id"),
        "actions/list-repo-workflows" => counted(call, "workflows", "Workflow", |_| true, workflow),
        "actions/get-workflow" => one(call, "Workflow", "workflow_id", workflow),
        "actions/download-workflow-run-logs" | "actions/download-workflow-run-attempt-logs" => {
            log(call, "logs.zip", "run_id")
        }
        "actions/download-job-logs-for-workflow-run" => log(call, "logs", "job_id"),
        "actions/re-run-workflow" | "actions/re-run-workflow-failed-jobs" | "actions/cancel-workflow-run" => {
            let key = ("WorkflowRun", call.number("run_id"));
            if call
                .store
                .records
                .get(&key)
                .is_none_or(|run| run.repository != call.repository)
            {
                return Some(Answer::not_found());
            }
            let cancelled = id.ends_with("cancel-workflow-run");
            let conclusion = cancelled.then_some("CANCELLED");
            call.store.set(
                key,
                json!({ "status": if cancelled { "COMPLETED" } else { "QUEUED" }, "conclusion": conclusion }),
            );
            call.note();
            Answer::json(call.operation.status, &json!({}))
        }
        _ => return None,
    })
}

/// Artifacts are in the REST interface only: the schema has no type for them.
pub(in crate::github) const ARTIFACT: &str = "WorkflowArtifact";

fn artifact(view: &View<'_>, artifact: &Record) -> Value {
    let name = artifact.repository.map(|id| view.store.full_name(id));
    let url = format!(
        "{}/repos/{}/actions/artifacts/{}",
        view.site.api(),
        name.unwrap_or_default(),
        artifact.id
    );
    json!({
        "id": artifact.id, "name": artifact.field("name"), "size_in_bytes": 100, "expired": false, "url": url,
        "archive_download_url": format!("{url}/zip"), "created_at": artifact.field("createdAt"),
        "updated_at": artifact.field("updatedAt"), "expires_at": artifact.field("updatedAt"),
        "workflow_run": { "id": artifact.number("run") },
    })
}

fn shown_run(view: &View<'_>, run: &Record) -> Value {
    view.run(run)
}

fn shown_job(view: &View<'_>, check: &Record) -> Value {
    view.job(check)
}

fn workflow(view: &View<'_>, workflow: &Record) -> Value {
    json!({
        "id": workflow.id, "node_id": view.store.node_id(workflow.key()), "name": workflow.field("name"), "path": workflow.field("path"),
        "state": workflow.text("state").to_lowercase(), "created_at": workflow.field("createdAt"), "updated_at": workflow.field("updatedAt"),
    })
}

fn one(call: &Call<'_>, kind: &'static str, part: &str, show: fn(&View<'_>, &Record) -> Value) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let found = call
        .store
        .records
        .get(&(kind, call.number(part)))
        .filter(|record| record.repository == call.repository);
    found.map_or_else(Answer::not_found, |record| {
        Answer::json(200, &show(&view, record))
    })
}

fn counted(
    call: &Call<'_>,
    name: &str,
    kind: &'static str,
    wanted: impl Fn(&Record) -> bool,
    show: fn(&View<'_>, &Record) -> Value,
) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let all = call
        .store
        .within(kind, call.repository())
        .rev()
        .filter(|record| wanted(record));
    let all: Vec<_> = all.map(|record| show(&view, record)).collect();
    Answer::json(200, &json!({ "total_count": all.len(), name: all }))
}

fn runs(call: &Call<'_>) -> Answer {
    let workflow = call
        .parts
        .get("workflow_id")
        .and_then(|id| id.parse::<u64>().ok());
    let is = |run: &Record, argument: &str, field: &str| {
        call.asked(argument)
            .is_none_or(|value| run.text(field).eq_ignore_ascii_case(value))
    };
    let of = |run: &Record| {
        workflow.is_none_or(|id| {
            run.fields
                .get("workflow")
                .and_then(|link| call.store.linked(link))
                .is_some_and(|at| at.id == id)
        })
    };
    let wanted = |run: &Record| {
        of(run)
            && is(run, "branch", "headBranch")
            && is(run, "event", "event")
            && is(run, "head_sha", "headSha")
    };
    counted(call, "workflow_runs", "WorkflowRun", wanted, |view, run| {
        view.run(run)
    })
}

fn log(call: &Call<'_>, kind: &str, part: &str) -> Answer {
    let path = format!("/{kind}/{}", call.number(part));
    let sign = call.standing.signer.sign(&format!("/objects{path}"));
    Answer::elsewhere(&format!("{}{path}?sig={sign}", call.site.files("objects")))
}
