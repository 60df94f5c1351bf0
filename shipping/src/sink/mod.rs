//! The receivers: a file for each way of speaking to one. All of them take some events and say what came of each.

mod dial;
mod file;
mod http;
mod secrets;
mod syslog;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outwall_broker::Surroundings;
use outwall_policy::audit_sinks::{AuditSink, Receiver};

use self::file::FileSink;
use self::http::HttpSink;
pub(crate) use self::secrets::Secrets;
use self::syslog::SyslogSink;
use crate::batch::Item;

/// What receivers are met with.
pub(crate) struct Means {
    /// Where files are that the policy names.
    pub(crate) surroundings: Surroundings,
    /// Roots besides those of the system.
    pub(crate) roots: Vec<PathBuf>,
    /// What this machine is called in events.
    pub(crate) host: String,
    pub(crate) secrets: Secrets,
    /// For all of a request.
    pub(crate) patience: Duration,
}

/// One receiver.
pub(crate) enum Sink {
    File(FileSink),
    Stdout,
    Syslog(SyslogSink),
    Http(Box<HttpSink>),
}

/// What came of events that were sent, by their place among these. What is named in neither was taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Never will be, and why.
    pub(crate) rejected: Vec<(usize, String)>,
    /// Not this time.
    pub(crate) again: Vec<usize>,
}

/// Why nothing of what was sent counts as taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another time: it is not there, is busy, or does not let us in.
    Later {
        why: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
        /// Whether one of the events could be why.
        suspicion: Suspicion,
    },
    /// For what is in it: it would never be.
    Unacceptable { why: String },
}

/// Whether what was sent could be why a receiver fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It never saw it, or said that it is something else.
    None,
    /// It failed after it saw it.
    Possible,
}

impl Failure {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later {
            why: why.into(),
            after: None,
            suspicion: Suspicion::None,
        }
    }

    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Later { why, .. } | Self::Unacceptable { why } => why,
        }
    }
}

impl Sink {
    pub(crate) fn new(sink: &AuditSink, means: Arc<Means>) -> Self {
        match &sink.receiver {
            Receiver::File {
                path,
                rotate_at,
                keep,
            } => Self::File(FileSink {
                path: means.surroundings.place(path),
                rotate_at: *rotate_at,
                keep: *keep,
            }),
            Receiver::Stdout => Self::Stdout,
            Receiver::Syslog { at, tls, confirm } => {
                Self::Syslog(SyslogSink::new(at.clone(), tls.as_ref(), *confirm, &means))
            }
            Receiver::Http(http) => Self::Http(Box::new(HttpSink::new(&sink.name, sink.format, http, means))),
        }
    }

    /// Sends events, and waits until it is known what came of them. Ends by itself, however slow the other side is.
    pub(crate) async fn send(&mut self, items: &[&Item]) -> Result<Answer, Failure> {
        let sent = match self {
            Self::File(file) => file.append(lines(items)).await,
            Self::Stdout => file::print(lines(items)).await,
            Self::Syslog(syslog) => syslog.send(items).await,
            Self::Http(http) => return http.send(items).await,
        };
        sent.map(|()| Answer::default())
    }
}

fn lines(items: &[&Item]) -> String {
    items.iter().flat_map(|item| [item.text.as_str(), "\n"]).collect()
}

/// An error with what caused it, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    shown(&text)
}

/// Text of others, short and harmless to a terminal.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.trim().chars().take(LONGEST_SHOWN).collect();
    let plain = |character: char| match character {
        '\n' | '\r' | '\t' => " ".to_owned(),
        _ if character.is_control() => character.escape_unicode().to_string(),
        '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            character.escape_unicode().to_string()
        }
        _ => character.to_string(),
    };
    short.chars().map(plain).collect()
}

const LONGEST_SHOWN: usize = 300;
