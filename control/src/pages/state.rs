//! State: whether the record can be trusted, how much there is, who serves by which policy, and whether it gets where it should.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::Extent;
use outwall_audit::query::Filter;
use outwall_audit::segment;

use super::chain::Checked;
use super::log::Unanswered;
use super::{Frame, Pages, View, words};
use crate::amount;
use crate::{Answer, Peers, Request, Role, Status};

/// How one sink is.
#[derive(Clone, Debug, Default)]
pub struct SinkState {
    /// Its name in the policy file.
    pub name: String,
    /// What it is: `syslog`, `http`.
    pub kind: String,
    /// Where its receiver is.
    pub place: String,
    /// Events that it has not got. `None`: not known.
    pub behind: Option<u64>,
    /// How old the first of them is.
    pub lag: Option<Duration>,
    /// Events that it has got.
    pub delivered: u64,
    /// Events that its receiver would not take.
    pub rejected: u64,
    /// When its receiver last took something.
    pub last_success: Option<Timestamp>,
    /// What went wrong last, where nothing went right since. Text of the receiver may be in it.
    pub trouble: Option<String>,
    /// The process that ships to it.
    pub shipped_by: Option<u32>,
}

#[derive(Template)]
#[template(path = "state.html")]
struct Page {
    frame: Frame,
    verified: Option<Verified>,
    is_verifying: bool,
    extent: Option<Told>,
    directory: String,
    files: String,
    size: String,
    sinks: Result<Vec<Sink>, String>,
    gates: Vec<Gate>,
}

/// What verifying found.
struct Verified {
    failed: Option<String>,
    extent: String,
    checkpoints: String,
    misfits: Vec<String>,
    torn: Vec<String>,
    at: String,
    took: String,
}

/// A sink, in words.
struct Sink {
    name: String,
    kind: String,
    tone: &'static str,
    state: &'static str,
    place: String,
    behind: String,
    delivered: String,
    rejected: String,
    last: String,
    trouble: String,
}

/// How much the log has.
struct Told {
    events: String,
    first: String,
    last: String,
    unreadable: u64,
}

/// A gate that runs.
pub(super) struct Gate {
    pub(super) pid: u32,
    pub(super) role: &'static str,
    pub(super) sandboxes: Vec<String>,
    pub(super) policy_file: String,
    pub(super) sha256: String,
    pub(super) since: String,
    pub(super) refused: Option<(String, Vec<String>)>,
    pub(super) grants: Vec<String>,
}

/// `GET /state`
pub(super) async fn state(State(pages): State<Arc<Pages>>) -> Response {
    let made = page(&pages).await;
    pages.answer(made)
}

async fn page(pages: &Arc<Pages>) -> Result<Page, Unanswered> {
    let extent = pages.log.ask(|index| index.extent(&Filter::default())).await?;
    let beside = Arc::clone(pages);
    let looked = tokio::task::spawn_blocking(move || {
        (segment::on_disk(beside.log.directory()), (beside.sources.sinks)())
    })
    .await;
    let ((files, bytes), sinks) = looked.map_err(|_| Unanswered::Panicked)?;
    let known = pages.chain.look();
    Ok(Page {
        frame: pages.frame("State", View::State),
        verified: known.last.map(Verified::of),
        is_verifying: known.is_running,
        extent: Some(Told::of(&extent)),
        directory: pages.log.directory().display().to_string(),
        files: words::count(files, "file"),
        size: amount(bytes),
        sinks: sinks.map(|sinks| sinks.into_iter().map(Sink::of).collect()),
        gates: gates(pages).await,
    })
}

/// What the gates that run say of themselves. One that went away meanwhile is left out.
pub(super) async fn gates(pages: &Pages) -> Vec<Gate> {
    let control = pages.sources.control.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let peers = Peers::of(&control).connect().unwrap_or_default();
        let answers = peers
            .into_iter()
            .filter_map(|peer| peer.ask(&Request::Status).ok());
        answers
            .filter_map(|answer| match answer {
                Answer::Status(status) => Some(Gate::of(&status)),
                _ => None,
            })
            .collect()
    });
    asked.await.unwrap_or_default()
}

impl Gate {
    fn of(status: &Status) -> Self {
        Self {
            pid: status.pid,
            role: match status.role {
                Role::Run => "a sandbox of its own",
                Role::Proxy => "proxy",
                Role::Github => "GitHub for sessions",
            },
            sandboxes: status.sandboxes.iter().map(|one| one.id.to_string()).collect(),
            policy_file: status
                .policy_file
                .clone()
                .unwrap_or_else(|| "the built-in policy".to_owned()),
            sha256: status.sha256.clone(),
            since: status.since.clone(),
            refused: status.refused.as_ref().map(|refused| {
                let lines = refused.error.lines().map(str::to_owned).collect();
                (refused.at.clone(), lines)
            }),
            grants: status
                .grants
                .iter()
                .map(|grant| {
                    let until = grant.until.as_deref().unwrap_or("the gate ends");
                    format!(
                        "{} in environment {}, {}, until {until}",
                        grant.hosts, grant.environment, grant.by
                    )
                })
                .collect(),
        }
    }
}

impl Verified {
    fn of(checked: Checked) -> Self {
        let (failed, found) = match checked.found {
            Ok(found) => (None, found),
            Err(why) => (Some(why), super::chain::Found::default()),
        };
        let took = u64::try_from(checked.took.as_micros()).unwrap_or(u64::MAX);
        let (records, files) = (
            words::count(found.records, "record"),
            words::count(found.files as u64, "file"),
        );
        Self {
            failed,
            extent: format!("{records} in {files}"),
            checkpoints: if found.checkpoints == 0 {
                "No checkpoint says that nothing was cut off at the end.".to_owned()
            } else {
                let count = words::count(found.checkpoints, "checkpoint");
                format!(
                    "{count} of this machine fit; `outwall audit verify --checkpoints FILE` asks those that were kept elsewhere."
                )
            },
            misfits: found.misfits,
            torn: found.torn,
            at: words::second(checked.at),
            took: words::span(took),
        }
    }
}

impl Sink {
    fn of(sink: SinkState) -> Self {
        let (tone, state) = match (&sink.trouble, sink.behind, sink.shipped_by) {
            (Some(_), ..) => ("deny", "fails"),
            (None, None, _) => ("note", "not known"),
            (None, Some(0), _) => ("allow", "delivered"),
            (None, Some(_), Some(_)) => ("finding", "behind"),
            (None, Some(_), None) => ("finding", "nobody ships"),
        };
        let age = sink
            .lag
            .map(|lag| words::span(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX)));
        let behind = match (sink.behind, age) {
            (None, _) => "not known".to_owned(),
            (Some(behind), Some(age)) if behind > 0 => {
                format!("{}, the first {age} old", words::count(behind, "event"))
            }
            (Some(behind), _) => words::count(behind, "event"),
        };
        Self {
            name: sink.name,
            kind: sink.kind,
            tone,
            state,
            place: sink.place,
            behind,
            delivered: words::number(sink.delivered),
            rejected: words::number(sink.rejected),
            last: sink
                .last_success
                .map_or_else(|| "never".to_owned(), words::second),
            trouble: sink.trouble.unwrap_or_default(),
        }
    }
}

impl Told {
    fn of(extent: &Extent) -> Self {
        let when = |at: Option<Timestamp>| at.map_or_else(|| "none".to_owned(), words::second);
        Self {
            events: words::number(extent.events),
            first: when(extent.first),
            last: when(extent.last),
            unreadable: extent.unreadable,
        }
    }
}
