//! `[[audit.sinks]]`: to which other systems the audit's events are delivered, as what, and with whose name.

use std::path::Path;

use crate::brokered::{CredentialName, ServiceUrl, Source};
use crate::target::Target;

/// One of `[[audit.sinks]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSink {
    /// What it is called on the command line, in metrics, and in the names of the files that tell how far it is.
    pub name: CredentialName,
    /// What takes the events.
    pub receiver: Receiver,
    /// What an event looks like there.
    pub format: EventFormat,
    /// Which events; empty: all.
    pub only: Vec<EventGroup>,
    /// So many events are sent at once, at most.
    pub batch: usize,
    /// Where it is written.
    pub line: Option<u32>,
}

/// What takes the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A file, to which lines are appended.
    File {
        /// As written: a relative one is relative to the policy file.
        path: String,
        /// With so many bytes it is moved to `PATH.1`. None: whoever moves it is somebody else.
        rotate_at: Option<u64>,
        /// How many such files there are, at most.
        keep: u64,
    },
    /// Standard output, a line for each.
    Stdout,
    /// Syslog (RFC 5424) over TCP.
    Syslog {
        /// Where.
        at: Target,
        /// Over TLS (RFC 5425).
        tls: Option<SinkTls>,
        /// When a batch counts as delivered.
        confirm: Confirm,
    },
    /// Something that is asked by HTTP.
    Http(Box<HttpReceiver>),
}

/// When a batch counts as delivered by syslog, which has no answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// When the receiver closed the connection after it had read all of it: a connection for each batch.
    #[default]
    Close,
    /// When it was sent. What the receiver had not read when it died is lost.
    Sent,
}

/// Something that is asked by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReceiver {
    /// How it is spoken to.
    pub api: HttpApi,
    /// Where. `http://` to another machine only without a secret.
    pub url: ServiceUrl,
    /// What it is shown.
    pub shown: Option<ShownSecret>,
    /// Whether bodies are compressed with gzip.
    pub compress: bool,
    /// Whom to believe, and as whom to come.
    pub tls: SinkTls,
}

/// How a receiver is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpApi {
    /// The HTTP event collector of Splunk.
    Splunk {
        /// Whether to wait until the indexer acknowledges.
        acknowledge: bool,
        /// Which index. None: the token's own.
        index: Option<String>,
    },
    /// The bulk API of Elasticsearch and `OpenSearch`.
    Elasticsearch,
    /// Whatever takes a POST with JSON.
    Webhook {
        /// The body.
        body: WebhookBody,
        /// The key of a signature over it (HMAC with SHA-256).
        signing: Option<Box<Source>>,
    },
    /// OTLP, as JSON.
    Otlp(Signal),
}

/// What of OpenTelemetry's signals is made of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Each event is a log record.
    Logs,
    /// Each exchange and tunnel that has ended is a span.
    Traces,
}

impl Signal {
    /// Under what name a receiver says how many it would not take.
    pub fn rejected(self) -> &'static str {
        match self {
            Self::Logs => "rejectedLogRecords",
            Self::Traces => "rejectedSpans",
        }
    }
}

/// The body of a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookBody {
    /// A JSON array.
    #[default]
    Array,
    /// A line for each event.
    Lines,
}

/// A secret, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSecret {
    /// Where it comes from.
    pub source: Source,
    /// How it is shown.
    pub shown_as: ShownAs,
}

/// How a secret is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownAs {
    /// `Authorization: SCHEME SECRET`.
    Scheme(String),
    /// `Authorization: Basic`, of this user.
    Basic(String),
    /// In a header of its own.
    Header(String),
}

/// Whom to believe, and as whom to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkTls {
    /// A file with roots besides those of the system.
    pub roots: Option<String>,
    /// Files with a client's certificate and its key.
    pub identity: Option<(String, String)>,
}

/// What an event looks like at a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventFormat {
    /// As the log has it, with its hashes.
    #[default]
    Json,
    /// As OCSF has it.
    Ocsf,
}

/// Some kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventGroup {
    /// Refusals.
    Denied,
    /// Findings.
    Findings,
    /// What goes out and comes back.
    Traffic,
    /// Lookups.
    Dns,
    /// Policies, grants and questions.
    Policy,
    /// Credentials issued and revoked.
    Credentials,
    /// Gates and sandboxes that start and end.
    Lifecycle,
}

impl AuditSink {
    /// Whether what went out is told together with how it came back.
    pub fn pairs(&self) -> bool {
        self.format == EventFormat::Ocsf || self.is_of_spans()
    }

    /// Whether it gets spans, and so only what has ended.
    pub fn is_of_spans(&self) -> bool {
        matches!(&self.receiver, Receiver::Http(http) if http.api == HttpApi::Otlp(Signal::Traces))
    }

    /// The key of the document that says of which kind it is.
    pub fn kind(&self) -> &'static str {
        match &self.receiver {
            Receiver::File { .. } => "file",
            Receiver::Stdout => "stdout",
            Receiver::Syslog { .. } => "syslog",
            Receiver::Http(http) => match http.api {
                HttpApi::Splunk { .. } => "splunk",
                HttpApi::Elasticsearch => "elasticsearch",
                HttpApi::Webhook { .. } => "webhook",
                HttpApi::Otlp(Signal::Logs) => "otlp",
                HttpApi::Otlp(Signal::Traces) => "otlp-traces",
            },
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match &self.receiver {
            Receiver::File { path, .. } => path.clone(),
            Receiver::Stdout => "standard output".into(),
            Receiver::Syslog { at, tls, .. } => {
                let over = if tls.is_some() { "tls" } else { "tcp" };
                format!("{over}://{at}")
            }
            Receiver::Http(http) => http.url.to_string(),
        }
    }

    /// Where its secrets come from: what it shows, and what it signs with.
    pub fn secrets(&self) -> impl Iterator<Item = &Source> {
        let Receiver::Http(http) = &self.receiver else {
            return None.into_iter().chain(None);
        };
        let signing = match &http.api {
            HttpApi::Webhook { signing, .. } => signing.as_deref(),
            HttpApi::Splunk { .. } | HttpApi::Elasticsearch | HttpApi::Otlp(_) => None,
        };
        let shown = http.shown.as_ref().map(|shown| &shown.source);
        shown.into_iter().chain(signing)
    }

    /// The files with secrets that it reads, as written: keys of certificates too.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let tls = match &self.receiver {
            Receiver::Syslog { tls, .. } => tls.as_ref(),
            Receiver::Http(http) => Some(&http.tls),
            Receiver::File { .. } | Receiver::Stdout => None,
        };
        let key = tls.and_then(|tls| tls.identity.as_ref());
        self.secrets()
            .filter_map(Source::secret_file)
            .chain(key.map(|(_certificate, key)| Path::new(key)))
    }
}
