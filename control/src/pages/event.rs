//! One event in full: every field in words, how it ended, what was beside it, and its lines as they are in the log.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use outwall_audit::index::{Entry, Found};
use outwall_audit::{Body, Event, Field, Message, Process};

use super::asked::Asked;
use super::row::Row;
use super::suggestion::Suggestion;
use super::words;
use super::{Frame, Pages, View};
use crate::amount;

#[derive(Template)]
#[template(path = "event.html")]
struct Page {
    frame: Frame,
    row: Row,
    summary: String,
    note: Option<&'static str>,
    groups: Vec<Group>,
    messages: Vec<Recorded>,
    suggestion: Option<Suggestion>,
    connection: Vec<Row>,
    before: Vec<Row>,
    after: Vec<Row>,
    lines: Vec<String>,
}

/// What was recorded of a request or a response besides, where that was asked for.
struct Recorded {
    title: &'static str,
    fields: Vec<Field>,
    left_out: u64,
    /// Of the body.
    lines: Vec<String>,
    told: Option<String>,
}

/// Fields that belong together.
struct Group {
    title: &'static str,
    facts: Vec<Fact>,
}

struct Fact {
    name: &'static str,
    values: Vec<String>,
    /// An address below ours.
    link: Option<String>,
}

/// `GET /events/{id}`
pub(super) async fn event(State(pages): State<Arc<Pages>>, Path(id): Path<String>) -> Response {
    let found = pages.log.ask(move |index| index.event(&id)).await;
    let made = found.map(|found| {
        Page::of(
            &found,
            pages.frame("Event", View::None),
            pages.sources.policy_file.as_deref(),
        )
    });
    pages.answer(made)
}

impl Page {
    fn of(found: &Found, frame: Frame, policy_file: Option<&str>) -> Self {
        let Entry { event, ending, .. } = &found.entry;
        let rows = |entries: &[Entry]| entries.iter().map(Row::of).collect();
        let mut lines = vec![event.line.clone()];
        lines.extend(
            ending
                .as_ref()
                .filter(|ending| ending.id != event.id)
                .map(|ending| ending.line.clone()),
        );
        let note = match (found.asked_for_ending, &found.entry.outcome) {
            (true, _) => Some("This is the whole of what you asked for: the name was that of its ending."),
            (false, Some(outwall_audit::index::Outcome::Unknown)) => Some(
                "It was sent, and the gate died before it recorded an ending. Whether the origin got it is not known.",
            ),
            _ => None,
        };
        Self {
            frame,
            row: Row::of(&found.entry),
            summary: words::what(event),
            note,
            groups: groups(&found.entry),
            messages: messages(&found.entry),
            suggestion: Suggestion::of(event, policy_file),
            connection: rows(&found.connection),
            before: rows(&found.before),
            after: rows(&found.after),
            lines,
        }
    }
}

fn groups(entry: &Entry) -> Vec<Group> {
    let event = &entry.event;
    let groups = [
        Group::new("What happened", happened(entry)),
        Group::new("Who", who(event)),
        Group::new("Where to", place(event)),
        Group::new("Why", why(event)),
        Group::new("At GitHub", github(event)),
        Group::new("How it ended", ended(entry)),
        Group::new("Record", record(entry)),
    ];
    groups
        .into_iter()
        .filter(|group| !group.facts.is_empty())
        .collect()
}

/// Halves of a request are one: its fields are with what went out, its body with what came back.
fn messages(entry: &Entry) -> Vec<Recorded> {
    let halves = || std::iter::once(&entry.event).chain(&entry.ending);
    let requests: Vec<&Message> = halves().filter_map(|event| event.request.as_ref()).collect();
    let responses: Vec<&Message> = halves().filter_map(|event| event.response.as_ref()).collect();
    let all = [
        ("Sent, as recorded", requests),
        ("Received, as recorded", responses),
    ];
    let there = all.into_iter().filter(|(_, parts)| !parts.is_empty());
    there.map(|(title, parts)| Recorded::of(title, &parts)).collect()
}

impl Recorded {
    fn of(title: &'static str, parts: &[&Message]) -> Self {
        let body = parts.iter().find_map(|part| part.body());
        let written = body.and_then(Body::written).unwrap_or_default();
        Self {
            title,
            fields: parts.iter().flat_map(|part| part.headers()).cloned().collect(),
            left_out: parts.iter().map(|part| part.headers_left_out()).sum(),
            lines: written.lines().map(str::to_owned).collect(),
            told: body.and_then(Body::told),
        }
    }
}

impl Group {
    fn new(title: &'static str, facts: Vec<Option<Fact>>) -> Self {
        let facts = facts.into_iter().flatten().collect();
        Self { title, facts }
    }
}

/// A field, where there is one.
fn fact(name: &'static str, value: Option<impl ToString>) -> Option<Fact> {
    let value = value?.to_string();
    (!value.is_empty()).then(|| Fact {
        name,
        values: vec![value],
        link: None,
    })
}

/// A field that leads to what has the same.
fn linked(name: &'static str, field: &'static str, path: &str, value: Option<&String>) -> Option<Fact> {
    let query = Asked::default().with(field, value?).query();
    let link = Some(format!("{path}{query}"));
    fact(name, value).map(|fact| Fact { link, ..fact })
}

fn listed(name: &'static str, values: &[String]) -> Option<Fact> {
    (!values.is_empty()).then(|| Fact {
        name,
        values: values.to_vec(),
        link: None,
    })
}

fn happened(entry: &Entry) -> Vec<Option<Fact>> {
    let event = &entry.event;
    vec![
        fact("Kind", Some(event.kind.as_str())),
        fact(
            "When (UTC)",
            Some(event.at.replace('T', " ").trim_end_matches('Z')),
        ),
        fact(
            "Outcome",
            entry.outcome.map(outwall_audit::index::Outcome::as_str),
        ),
        fact("Method", event.method.as_ref()),
        fact("Taken by the origin as", event.acts_as.as_ref()),
        fact("Path", event.path.as_ref()),
        fact("Carries", event.carries.as_ref()),
        fact("Trace of the client", event.trace.as_ref()),
        fact("Protocol", event.protocol.as_ref()),
        fact("Name looked up", event.name.as_ref()),
        fact("Answer", event.answer.as_ref()),
        fact("Stands for so many", event.repeated.map(words::number)),
        fact("Lookups", event.lookups.map(words::number)),
        fact(
            "Lookups without an event of their own",
            event.lookups_unrecorded.map(words::number),
        ),
    ]
}

fn who(event: &Event) -> Vec<Option<Fact>> {
    let mut facts = vec![
        linked("Sandbox", "sandbox", "/timeline", event.sandbox.as_ref()),
        linked("Session", "session", "/timeline", event.session.as_ref()),
        linked("Environment", "environment", "/", event.environment.as_ref()),
        fact("Client", event.client.as_ref()),
        fact("User of this machine", event.user),
        fact("Connection", event.connection),
        fact("Program", event.program.as_ref()),
    ];
    facts.extend(event.process.as_ref().map(process).unwrap_or_default());
    facts
}

fn process(process: &Process) -> Vec<Option<Fact>> {
    vec![
        linked(
            "Executable that asked",
            "program",
            "/",
            process.executable.as_ref(),
        ),
        fact("SHA-256 of it", process.sha256.as_ref()),
        fact("Its process id in the sandbox", process.pid),
        listed("Started by", &process.ancestors),
        fact(
            "Executable that asked",
            process.unknown.as_ref().map(|why| format!("not known: {why}")),
        ),
    ]
}

fn place(event: &Event) -> Vec<Option<Fact>> {
    let target = event.target.as_ref();
    let tls = event.tls.as_ref();
    vec![
        linked("Target", "host", "/", target),
        fact("Address dialled", event.address.as_ref()),
        fact("Scheme", event.scheme.as_ref()),
        fact("TLS of the client", tls.and_then(|tls| tls.version.as_ref())),
        fact("Name in its ClientHello", tls.and_then(|tls| tls.sni.as_ref())),
        fact(
            "Client certificate shown to the origin",
            event.client_certificate.as_ref(),
        ),
    ]
}

fn why(event: &Event) -> Vec<Option<Fact>> {
    vec![
        fact("Decision", event.decision.as_ref()),
        fact("Rule", event.rule.as_ref()),
        linked("Reason", "reason", "/", event.reason.as_ref()),
        fact("In a sentence", event.message.as_ref()),
        fact("What would allow it", event.remedy.as_ref()),
        linked("Credential", "credential", "/", event.credential.as_ref()),
    ]
}

fn github(event: &Event) -> Vec<Option<Fact>> {
    let Some(github) = &event.github else {
        return Vec::new();
    };
    vec![
        fact("Repository of the session", github.repository.as_ref()),
        fact("Operation", github.operation.as_ref()),
        listed("What that does", &github.actions),
        listed("In detail", &github.details),
    ]
}

fn ended(entry: &Entry) -> Vec<Option<Fact>> {
    let Some(ending) = &entry.ending else {
        let own = &entry.event;
        return vec![
            fact("Outcome", own.outcome.as_ref()),
            fact("Error", own.error.as_ref()),
        ];
    };
    let counted = |bytes: u64| match bytes {
        0..1024 => words::count(bytes, "byte"),
        _ => format!("{} ({} bytes)", amount(bytes), words::number(bytes)),
    };
    vec![
        fact(
            "When (UTC)",
            Some(ending.at.replace('T', " ").trim_end_matches('Z')),
        ),
        fact("Outcome", ending.outcome.as_ref()),
        fact("Status of the origin", ending.status),
        fact("Sent to the origin", ending.bytes_up.map(counted)),
        fact("Received from it", ending.bytes_down.map(counted)),
        fact("Took", ending.duration_us.map(words::span)),
        fact("Error", ending.error.as_ref()),
    ]
}

fn record(entry: &Entry) -> Vec<Option<Fact>> {
    let event = &entry.event;
    let ending = entry.ending.as_ref().filter(|ending| ending.id != event.id);
    vec![
        fact("Name", Some(&event.id)),
        fact("Name of its ending", ending.map(|ending| &ending.id)),
        fact("Number in its chain", Some(event.seq)),
        fact("Version of the schema", Some(event.v)),
        fact("File", event.file.as_ref()),
        fact("SHA-256 of the policy", event.sha256.as_ref()),
        fact("Chain of the writer", event.writer.as_ref()),
        fact("Up to record", event.last_seq),
        fact("With the hash", event.last_hash.as_ref()),
        fact("Signed at", event.signed_at.as_ref()),
        fact("By the key", event.key.as_ref()),
        fact("Signature", event.signature.as_ref()),
        fact("Bytes cut off", event.bytes_removed.map(words::number)),
    ]
}
