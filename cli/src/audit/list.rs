//! `outwall audit` without a further word: lists events, in one of the formats.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;
use outwall_audit::export::{csv, har, ocsf, one_line, printable_json};
use outwall_audit::index::{Index, Order};
use outwall_audit::query::{Filter, Hosts};

use super::indexed;
use crate::audit_row::{heading, row};
use crate::failure::Failure;
use crate::since::since_now;
use crate::terminal::Paint;

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(super) wanted: Wanted,

    /// Go on as events are written, until interrupted
    #[arg(long)]
    follow: bool,

    /// For people, for programs, or for a spreadsheet
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// Only what was refused; with --findings, either
    #[arg(long)]
    denied: bool,

    /// Only findings: what security people should look at
    #[arg(long)]
    findings: bool,

    #[command(flatten)]
    narrowed: Narrowed,
}

/// Of whom, about what, when: for every question.
#[derive(Debug, clap::Args)]
pub(crate) struct Narrowed {
    /// Only of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// Only of this session: `github.com/acme/app#branch`, its branch, or its repository
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,

    /// Only this sandbox; the start of its name will do
    #[arg(long, value_name = "ID", value_parser = sandbox)]
    sandbox: Option<String>,

    /// Only this host, or with `*.example.com` all below a name; `:8443` behind it for one port
    #[arg(long, value_name = "HOST", value_parser = hosts)]
    host: Option<Hosts>,

    /// Only requests of this method
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Option<String>,

    /// Only from then on: a span like 90m, 1h or 2d, or a time like 2026-05-01T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since_now)]
    since: Option<Timestamp>,

    /// Only before that: likewise
    #[arg(long, value_name = "WHEN", value_parser = since_now)]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One line for each request, aligned
    Table,
    /// Every event as it was written, one JSON object a line
    Json,
    /// The same as OCSF 1.8.0 has it, for a SIEM
    Ocsf,
    /// An HTTP archive, for a browser's developer tools: requests only
    Har,
    /// For a spreadsheet
    Csv,
}

impl Wanted {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            denied: self.denied,
            findings: self.findings,
            ..self.narrowed.filter()
        }
    }
}

impl Narrowed {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            environment: self.environment.clone(),
            session: self.session.clone(),
            sandbox: self.sandbox.clone(),
            hosts: self.host.clone(),
            method: self.method.clone(),
            since: self.since,
            until: self.until,
            ..Filter::default()
        }
    }
}

impl List {
    pub(super) fn obey(&self, directory: &Path) -> Result<ExitCode, Failure> {
        if self.follow {
            return super::follow::follow(directory, self.wanted.filter(), self.format);
        }
        let index = indexed::open(directory)?;
        let filter = self.wanted.filter();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = write(&mut out, &index, &filter, self.format)?;
        out.flush()?;
        if written == 0 {
            indexed::nothing(&index, &filter, "nothing like that")?;
        } else {
            indexed::complain_of(&index.extent(&filter)?);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes what is wanted, in the order of time; how many that is.
fn write(out: &mut impl Write, index: &Index, filter: &Filter, format: Format) -> Result<u64, Failure> {
    let mut written = 0;
    match format {
        Format::Json => {
            for event in index.walk_events(filter.clone()) {
                writeln!(out, "{}", printable_json(&event?.line))?;
                written += 1;
            }
            return Ok(written);
        }
        Format::Har => {
            out.write_all(har::head(env!("CARGO_PKG_VERSION")).as_bytes())?;
        }
        Format::Csv => out.write_all(csv::heading().as_bytes())?,
        Format::Table => out.write_all(heading(Paint::for_stdout()).as_bytes())?,
        Format::Ocsf => {}
    }
    let paint = Paint::for_stdout();
    for entry in index.walk(filter.clone(), Order::OldestFirst) {
        let entry = entry?;
        let text = match format {
            Format::Table => row(&entry, paint).unwrap_or_default(),
            Format::Csv => csv::row(&entry.event, entry.ending.as_ref(), entry.outcome),
            Format::Har => har::entry(&entry).map_or_else(String::new, |har| {
                format!("{}\n{}", if written == 0 { "" } else { "," }, one_line(&har))
            }),
            Format::Ocsf | Format::Json => one_line(&ocsf::ocsf(&entry.event, entry.ending.as_ref())) + "\n",
        };
        written += u64::from(!text.is_empty());
        out.write_all(text.as_bytes())?;
    }
    if format == Format::Har {
        out.write_all(har::tail().as_bytes())?;
    }
    Ok(written)
}

/// The start of a sandbox's name, for clap.
fn sandbox(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("s-").unwrap_or("?");
    let is_start = digits.len() <= 8
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_start.then(|| text.to_owned()).ok_or_else(|| {
        "a sandbox is called `s-` and eight digits of 0-9 and a-f; the first of them will do".to_owned()
    })
}

fn hosts(text: &str) -> Result<Hosts, String> {
    Hosts::parse(text)
        .map_err(|error| format!("{error}; write `example.com`, `*.example.com` or `10.0.0.1:8443`"))
}

/// Methods are tokens (RFC 9110, section 5.6.2), and any may be asked for.
fn method(text: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_token))
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| "write a method like `GET` or `POST`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_name_is_refused_with_what_to_write() {
        assert_eq!(sandbox("s-7f3a"), Ok("s-7f3a".to_owned()));
        for wrong in ["", "7f3a", "s-7F", "s-123456789", "x-1"] {
            assert!(sandbox(wrong).is_err_and(|error| error.contains("s-")), "{wrong}");
        }
        assert_eq!(method("post"), Ok("POST".to_owned()));
        assert!(method("PO ST").is_err() && method("").is_err());
        assert!(hosts("*.example.com").is_ok());
        assert!(hosts("*.com.*").is_err_and(|error| error.contains("*.example.com")));
    }
}
