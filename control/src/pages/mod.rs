//! `outwall ui`: pages to look at the log with, for security teams.
//!
//! Everything is made here, of templates that are compiled in, and works without script; a little script adds what is new, keys and
//! buttons that copy. They change nothing: whoever reads them can allow and deny nothing, and what they suggest is text to copy.
//!
//! It refuses to know how events are written, how a gate decides, and what is outside of this machine: nothing is loaded from elsewhere.
//!
//! Start at [`Pages`]. `guard` is what stands before every page, `visible` how hostile text gets into one; each view has a file
//! of its own here and a template of the same name.

mod access;
mod asked;
mod assets;
mod chain;
mod denials;
mod event;
mod guard;
mod log;
mod plain;
mod row;
mod sandboxes;
mod server;
mod state;
mod stream;
mod suggestion;
mod timeline;
mod top;
mod traffic;
mod visible;
mod words;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use access::Access;
pub use access::LINK_LIVES;
use chain::Chain;
use log::{Log, Unanswered};
pub use server::{Door, ServeError, serve};
pub use state::SinkState;

/// What the pages show, and who may see it.
#[derive(Debug)]
pub struct Pages {
    log: Log,
    chain: Chain,
    sources: Sources,
    access: Mutex<Access>,
    base: String,
    streams: Arc<tokio::sync::Semaphore>,
    stopping: tokio::sync::watch::Sender<bool>,
}

/// Where the pages have it from.
pub struct Sources {
    /// The directory of the audit log.
    pub audit: PathBuf,
    /// The directory of the sockets of gates that run.
    pub control: PathBuf,
    /// The policy file that a gate would start with now.
    pub policy_file: Option<String>,
    /// How the sinks are; asked anew for each page, and may wait for the disk.
    pub sinks: Box<dyn Fn() -> Result<Vec<SinkState>, String> + Send + Sync>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("audit", &self.audit)
            .finish_non_exhaustive()
    }
}

impl Pages {
    /// Pages of these sources. The index of the log is brought up to date beside.
    pub fn new(sources: Sources) -> Arc<Self> {
        Arc::new(Self {
            log: Log::new(&sources.audit),
            chain: Chain::new(&sources.audit),
            sources,
            access: Mutex::default(),
            base: access::secret_path(),
            streams: Arc::new(tokio::sync::Semaphore::new(stream::MOST_STREAMS)),
            stopping: tokio::sync::watch::Sender::new(false),
        })
    }

    /// The path of a new one-time link. Links before it are void.
    pub fn link(&self) -> String {
        format!("/login?token={}", self.access().link(Instant::now()))
    }

    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base(&self) -> &str {
        &self.base
    }

    /// What is around a view.
    fn frame(&self, title: &str, view: View) -> Frame {
        Frame {
            title: title.to_owned(),
            base: self.base.clone(),
            view,
            being_read: self.log.is_being_read().map(words::number),
        }
    }

    /// A page, or why there is none.
    fn answer<T: Template>(&self, made: Result<T, Unanswered>) -> Response {
        match made {
            Ok(page) => shown(StatusCode::OK, &page),
            Err(error) => self.unanswered(&error),
        }
    }

    fn unanswered(&self, error: &Unanswered) -> Response {
        use outwall_audit::index::IndexError::{Ambiguous, NoSuchEvent};
        let status = match error {
            Unanswered::Index(NoSuchEvent(_) | Ambiguous { .. }) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::debug!(%error, "a page could not be made");
        let page = Trouble {
            frame: self.frame("No answer", View::None),
            chain: with_causes(error),
        };
        shown(status, &page)
    }
}

/// Which entry of the menu is the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Traffic,
    Denials,
    Findings,
    Top,
    Sandboxes,
    State,
    None,
}

impl View {
    const MENU: [(Self, &'static str, &'static str); 6] = [
        (Self::Traffic, "", "Traffic"),
        (Self::Denials, "denials", "Denials"),
        (Self::Findings, "findings", "Findings"),
        (Self::Top, "top", "Top"),
        (Self::Sandboxes, "sandboxes", "Sandboxes"),
        (Self::State, "state", "State"),
    ];
}

/// What every page has around it.
struct Frame {
    title: String,
    base: String,
    view: View,
    /// How many events were read, while the index is being made.
    being_read: Option<String>,
}

impl Frame {
    fn menu(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let current = self.view;
        View::MENU
            .iter()
            .map(move |(view, path, title)| (*path, *title, *view == current))
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble {
    frame: Frame,
    /// The error and its causes.
    chain: Vec<String>,
}

fn with_causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    lines.dedup();
    lines
}

fn shown(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => plain::html(status, text),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            plain::html(StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    }
}

/// Whatever else is asked for by somebody with a session.
async fn nothing(axum::extract::State(pages): axum::extract::State<Arc<Pages>>) -> Response {
    let page = Trouble {
        frame: pages.frame("Nothing here", View::None),
        chain: vec!["there is no such page".to_owned()],
    };
    shown(StatusCode::NOT_FOUND, &page)
}
