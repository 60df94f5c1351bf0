//! What receivers are shown, by the sources that the policy names. The broker keeps them, and asks for them again when they change.

use std::sync::Arc;

use jiff::Timestamp;
use outwall_broker::{Keeper, Secret, Surroundings};
use outwall_policy::audit_sinks::{AuditSink, HttpApi, Receiver};
use outwall_policy::brokered::{CredentialName, Source};

use super::{Failure, told};

/// The secrets of all sinks.
pub(crate) struct Secrets(Keeper);

/// Which of a sink's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is shown.
    Shown,
    /// It signs.
    Signing,
}

impl Secrets {
    /// Needs a runtime of tokio.
    pub(crate) fn of(sinks: &[AuditSink], surroundings: &Surroundings) -> Self {
        let keeper = Keeper::new(Arc::new(Timestamp::now));
        let all: Vec<(CredentialName, &Source)> = sinks.iter().flat_map(sources).collect();
        keeper.replace(surroundings, all.iter().map(|(name, source)| (name, *source)));
        Self(keeper)
    }

    pub(super) async fn current(&self, sink: &CredentialName, what: Use) -> Result<Arc<Secret>, Failure> {
        let secret = self.0.current(&name(sink, what)).await;
        secret.map_err(|error| Failure::later(format!("its secret cannot be had: {}", told(&error))))
    }
}

fn sources(sink: &AuditSink) -> Vec<(CredentialName, &Source)> {
    let Receiver::Http(http) = &sink.receiver else {
        return Vec::new();
    };
    let shown = http
        .shown
        .as_ref()
        .map(|shown| (name(&sink.name, Use::Shown), &shown.source));
    let signing = match &http.api {
        HttpApi::Webhook { signing, .. } => signing.as_deref(),
        HttpApi::Splunk { .. } | HttpApi::Elasticsearch | HttpApi::Otlp(_) => None,
    };
    let signing = signing.map(|source| (name(&sink.name, Use::Signing), source));
    shown.into_iter().chain(signing).collect()
}

fn name(sink: &CredentialName, what: Use) -> CredentialName {
    let prefix = match what {
        Use::Shown => "shown",
        Use::Signing => "signing",
    };
    let name = format!("{prefix}-{sink}");
    name.parse()
        .expect("a sink's name has 48 characters of a name at most")
}
