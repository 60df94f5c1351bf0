//! `outwall metrics`: the counters of all gates that run, for Prometheus.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use outwall_audit::segment;
use outwall_control::{Answer, MetricsPage, Request};
use outwall_policy::Overrides;
use outwall_shipping::states;

use crate::arguments::Session;
use crate::control::running;
use crate::failure::{Explain, Failure};
use crate::listening::{beyond_loopback, listen, place};
use crate::policy_in_force::PolicyInForce;
use crate::state_directory::StateDirectory;
use crate::terminal::{Paint, say, write_out};

/// Shows what all running gates count, as Prometheus reads it
///
/// Requests by what allowed their host, how they ended and how long they took; refusals by reason; findings; connections;
/// certificates; the audit log. Each gate's samples have its process as `gate` and, for `outwall run`, its sandbox and
/// environment. A dashboard for Grafana and rules for alerts are in `monitoring`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall metrics                            once, on stdout
  outwall metrics --listen 127.0.0.1:9464    GET /metrics, until interrupted")]
pub(crate) struct Arguments {
    /// Serve them at this address, under `/metrics`; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        match self.listen {
            None => write_out(&page(session)?)?,
            Some(address) => serve(address, session)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn serve(address: SocketAddr, session: &Session) -> Result<(), Failure> {
    if let Some(open) = beyond_loopback(&[address]) {
        eprintln!(
            "{} whoever can reach {open} can read which sandboxes run and what they are refused",
            Paint::for_stderr().yellow("warning:")
        );
    }
    let listener = listen(&address)?;
    say!("listening on {}", place(&listener)?)?;
    let session = session.clone();
    let page = Arc::new(move || page(&session).map_err(|failure| failure.in_lines().0));
    outwall_control::serve_metrics(listener, page).explain("the metrics cannot be served")
}

/// All gates' counters, and what can be seen of the log from outside.
fn page(session: &Session) -> Result<String, Failure> {
    let state = &session.state;
    let mut page = MetricsPage::default();
    let told = ask_all(state, &Request::Metrics)?;
    for (name, status) in ask_all(state, &Request::Status)? {
        if let (Answer::Status(status), Some(Answer::Metrics { text })) = (status, told.get(&name)) {
            page.add_gate(&status, text);
        }
    }
    let gates = told.len();
    page.add("outwall_gates", "Gates that run.", "gauge", "", gates);
    let (files, bytes) = segment::on_disk(&state.audit());
    page.add(
        "outwall_audit_files",
        "Files of the audit log.",
        "gauge",
        "",
        files,
    );
    page.add("outwall_audit_bytes", "Their size on disk.", "gauge", "", bytes);
    add_sinks(&mut page, session);
    Ok(page.into_text())
}

/// How far each sink of the policy is. A policy that cannot be read has none; its gates tell that they refused it.
fn add_sinks(page: &mut MetricsPage, session: &Session) {
    let Ok(in_force) = PolicyInForce::load(session, None, &Overrides::default()) else {
        return;
    };
    for sink in states(&session.state.audit(), &in_force.policy.audit().sinks) {
        let labels = format!("sink=\"{}\",kind=\"{}\"", sink.name, sink.kind);
        let mut gauge = |name: &str, help: &str, value: u64| page.add(name, help, "gauge", &labels, value);
        if let Some(events) = sink.lag_events {
            gauge(
                "outwall_sink_lag_events",
                "Events that a sink has not got.",
                events,
            );
        }
        let lag = sink.lag.map_or(0, |lag| lag.as_secs());
        gauge("outwall_sink_lag_seconds", "How old the first of them is.", lag);
        let failures = u64::from(sink.failures);
        gauge(
            "outwall_sink_failures",
            "Times in a row that nothing could be delivered.",
            failures,
        );
        let shipped = u64::from(sink.shipped_by.is_some());
        gauge("outwall_sink_shipped", "1 while a process ships to it.", shipped);
        let mut counter =
            |name: &str, help: &str, value: u64| page.add(name, help, "counter", &labels, value);
        counter(
            "outwall_sink_delivered_total",
            "Events that it has got.",
            sink.delivered,
        );
        counter(
            "outwall_sink_rejected_total",
            "Events that it would not take.",
            sink.rejected,
        );
    }
}

/// What every gate answers, by its name. One that went away meanwhile is left out.
fn ask_all(state: &StateDirectory, request: &Request) -> Result<HashMap<String, Answer>, Failure> {
    let peers = running(state).explain("cannot look for running gates")?;
    let answered = peers.into_iter().filter_map(|peer| {
        let name = peer.name().to_owned();
        match peer.ask(request) {
            Ok(answer) => Some((name, answer)),
            Err(error) => {
                tracing::warn!(%error, "a gate did not tell its metrics");
                None
            }
        }
    });
    Ok(answered.collect())
}
