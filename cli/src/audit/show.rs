//! `outwall audit show EVENT`: everything known of one event, in words.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use outwall_audit::index::{Entry, Found, IndexError, Outcome};
use outwall_audit::{Event, Kind, Message};
use outwall_control::{amount, request};

use super::indexed;
use crate::audit_row::{heading, row};
use crate::failure::Failure;
use crate::terminal::{Paint, printable, write_out};

/// Shows everything known of one event, and its neighbours
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall audit show 3f9ac0ffee00-17
  outwall audit show 3f9a-17            the start of the first part will do, if no other begins so")]
pub(crate) struct Show {
    /// Its name, as a list has it under EVENT
    #[arg(value_name = "EVENT")]
    event: String,

    /// For people, or the event as it was written, with its ending
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// In words
    Text,
    /// As it was written, one JSON object a line
    Json,
}

impl Show {
    pub(super) fn obey(&self, directory: &Path) -> Result<ExitCode, Failure> {
        let index = indexed::open(directory)?;
        let found = index.event(&self.event).map_err(explained)?;
        let text = match self.format {
            Format::Text => told(&found, Paint::for_stdout()),
            Format::Json => lines(&found.entry).flat_map(|line| [line, "\n"]).collect(),
        };
        write_out(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn explained(error: IndexError) -> Failure {
    let hint = match &error {
        IndexError::NoSuchEvent(_) => {
            Some("an event is called like `3f9ac0ffee00-17`; `outwall audit` lists them under EVENT")
        }
        IndexError::Ambiguous { .. } => Some("write more of its first part"),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn lines(entry: &Entry) -> impl Iterator<Item = &str> {
    std::iter::once(entry.event.line.as_str()).chain(entry.ending.as_ref().map(|ending| ending.line.as_str()))
}

/// The whole answer.
fn told(found: &Found, paint: Paint) -> String {
    let entry = &found.entry;
    let mut text = format!("{}\n\n", paint.bold(&title(entry)));
    for (name, value) in facts(entry) {
        let _ = writeln!(text, "  {name:12} {}", printable(&value));
    }
    messages(entry, &mut text, paint);
    if found.asked_for_ending {
        let _ = writeln!(text, "\nThe event that was asked for is its ending.");
    }
    neighbours("In the same connection", &found.connection, &mut text, paint);
    let whose = if entry.event.sandbox.is_some() {
        "in its sandbox"
    } else {
        "of its gate"
    };
    neighbours(&format!("Before it, {whose}"), &found.before, &mut text, paint);
    neighbours(&format!("After it, {whose}"), &found.after, &mut text, paint);
    let _ = writeln!(text, "\n{}", paint.bold("As it was written"));
    for line in lines(entry) {
        let _ = writeln!(text, "  {}", printable(line));
    }
    text
}

/// What was recorded of request and response besides, where that was asked for.
fn messages(entry: &Entry, text: &mut String, paint: Paint) {
    let halves = || std::iter::once(&entry.event).chain(&entry.ending);
    let requests: Vec<&Message> = halves().filter_map(|event| event.request.as_ref()).collect();
    let responses: Vec<&Message> = halves().filter_map(|event| event.response.as_ref()).collect();
    for (title, all) in [
        ("Sent, as recorded", requests),
        ("Received, as recorded", responses),
    ] {
        if !all.is_empty() {
            let _ = writeln!(text, "\n{}", paint.bold(title));
        }
        for message in all {
            told_of(message, text);
        }
    }
}

fn told_of(message: &Message, text: &mut String) {
    for field in message.headers() {
        let _ = writeln!(
            text,
            "  {}: {}",
            printable(field.name()),
            printable(field.value())
        );
    }
    if message.headers_left_out() > 0 {
        let _ = writeln!(text, "  and {} more fields", message.headers_left_out());
    }
    let Some(body) = message.body() else { return };
    let told = body.told().map(|told| format!(" ({})", printable(&told)));
    let _ = writeln!(text, "  body{}", told.unwrap_or_default());
    for line in body.written().unwrap_or_default().lines() {
        let _ = writeln!(text, "    {}", printable(line));
    }
}

fn neighbours(title: &str, entries: &[Entry], text: &mut String, paint: Paint) {
    let rows: String = entries.iter().filter_map(|entry| row(entry, paint)).collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n{}\n{}{rows}", paint.bold(title), heading(paint));
    }
}

fn title(entry: &Entry) -> String {
    let event = &entry.event;
    let what = match event.kind {
        Kind::ExchangeGoingOut => "a request that was let out",
        Kind::ConnectionGoingOut => "a connection that was let out",
        Kind::ExchangeCameBack | Kind::ConnectionCameBack | Kind::PublishedEnded => {
            "an ending; what it ends is not in the log any more"
        }
        Kind::Denied if event.repeated.is_some() => "refusals that were only counted",
        Kind::Denied => "a refusal",
        Kind::Dns => "a name that was looked up",
        Kind::Finding => "a finding",
        Kind::PublishedCameIn => "a connection from outside to a published port",
        other => other.as_str(),
    };
    format!("{}: {what}", printable(&event.id))
}

/// What there is to say, each with its name.
fn facts(entry: &Entry) -> Vec<(&'static str, String)> {
    let event = &entry.event;
    let mut facts = Vec::new();
    let mut say = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    say("when", Some(event.at.replace('T', " ").replace('Z', " UTC")));
    say("kind", Some(event.kind.as_str().to_owned()));
    say("environment", event.environment.clone());
    say("session", event.session.clone());
    say("sandbox", event.sandbox.clone());
    say("program", program(event));
    say(
        "client",
        event.client.clone().map(|client| match event.user {
            Some(user) => format!("{client}, user {user} of this machine"),
            None => client,
        }),
    );
    say("connection", connection(event));
    say("request", event.method.as_ref().map(|_| request(event)));
    say("target", event.target.clone());
    say("name", event.name.clone());
    say("answer", event.answer.clone());
    say("decision", event.decision.clone());
    say("rule", event.rule.clone());
    say("reason", event.reason.clone());
    say("message", event.message.clone());
    say("to allow it", event.remedy.clone());
    say(
        "repeated",
        event
            .repeated
            .map(|times| format!("stands for {times} of its kind")),
    );
    say("credential", event.credential.clone());
    say("certificate", event.client_certificate.clone());
    say("at GitHub", github(event));
    let ending = entry.ending.as_ref();
    say(
        "address",
        ending
            .and_then(|ending| ending.address.clone())
            .or_else(|| event.address.clone()),
    );
    say(
        "outcome",
        entry
            .outcome
            .map(|outcome| outcome_told(outcome, ending))
            .or_else(|| event.outcome.clone()),
    );
    say(
        "error",
        ending
            .and_then(|ending| ending.error.clone())
            .or_else(|| event.error.clone()),
    );
    say(
        "its ending",
        ending
            .filter(|ending| ending.id != event.id)
            .map(|ending| ending.id.clone()),
    );
    say("command", event.program.clone());
    say("file", event.file.clone());
    say("SHA-256", event.sha256.clone());
    say(
        "cut off",
        event.bytes_removed.map(|bytes| format!("{bytes} bytes")),
    );
    say(
        "lookups",
        event.lookups.map(|lookups| {
            format!(
                "{lookups}, of which {} have no event of their own",
                event.lookups_unrecorded.unwrap_or(0)
            )
        }),
    );
    facts
}

fn program(event: &Event) -> Option<String> {
    let process = event.process.as_ref()?;
    if let Some(why) = &process.unknown {
        return Some(format!("not certain: {why}"));
    }
    let mut told = process.executable.clone()?;
    if let Some(pid) = process.pid {
        let _ = write!(told, ", process {pid}");
    }
    if let Some(sha256) = &process.sha256 {
        let _ = write!(told, ", SHA-256 {sha256}");
    }
    for (place, ancestor) in process.ancestors.iter().enumerate() {
        let _ = write!(
            told,
            "{}{ancestor}",
            if place == 0 { ", started by " } else { ", by " }
        );
    }
    Some(told)
}

fn connection(event: &Event) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(
        event
            .connection
            .map(|number| format!("number {number} of its gate")),
    );
    parts.extend(event.protocol.clone());
    if let Some(tls) = &event.tls {
        parts.extend(tls.version.clone());
        parts.extend(tls.sni.as_ref().map(|sni| format!("server name {sni}")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn github(event: &Event) -> Option<String> {
    let github = event.github.as_ref()?;
    let mut told = github.operation.clone().unwrap_or_default();
    for (place, action) in github.actions.iter().enumerate() {
        let _ = write!(told, "{}{action}", if place == 0 { ": " } else { "; " });
    }
    if !github.details.is_empty() {
        let _ = write!(told, " ({})", github.details.join("; "));
    }
    Some(told)
}

fn outcome_told(outcome: Outcome, ending: Option<&Event>) -> String {
    let Some(ending) = ending else {
        return match outcome {
            Outcome::InFlight => "open: it has not come back yet".to_owned(),
            _ => {
                "unknown: its gate died before it came back; it may have reached the origin or not".to_owned()
            }
        };
    };
    let mut told = outcome.as_str().to_owned();
    if let Some(status) = ending.status {
        let _ = write!(told, ", status {status}");
    }
    if let Some(micros) = ending.duration_us {
        let _ = write!(told, ", after {}.{:03} ms", micros / 1000, micros % 1000);
    }
    if let (Some(up), Some(down)) = (ending.bytes_up, ending.bytes_down) {
        let _ = write!(told, ", {} up, {} down", amount(up), amount(down));
    }
    told
}
