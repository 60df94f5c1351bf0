//! Receivers that are asked by HTTP. What each wants to read is in a file of its own; here is what is the same for all.
//!
//! What a status means: 2xx, taken. 400, 413 and 422 are about what was sent. All others are another time's, also those that say that
//! we are not let in: nothing is given up because of a token that has expired.

mod client;
mod elasticsearch;
mod gzip;
mod otlp;
mod splunk;
mod webhook;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use outwall_policy::audit_sinks::{EventFormat, HttpApi, HttpReceiver, ShownAs};
use outwall_policy::brokered::CredentialName;
use zeroize::Zeroizing;

use self::client::{Client, Reply};
use self::gzip::gzip;
use super::secrets::Use;
use super::{Answer, Failure, Means, Suspicion, shown};
use crate::batch::Item;

pub(crate) struct HttpSink {
    name: CredentialName,
    format: EventFormat,
    receiver: HttpReceiver,
    client: Client,
    means: Arc<Means>,
    /// Splunk's channel: acknowledgements are told by it.
    channel: String,
}

/// What is sent.
struct Message {
    /// After the path of the URL.
    path: String,
    content_type: &'static str,
    body: Vec<u8>,
}

impl HttpSink {
    pub(super) fn new(
        name: &CredentialName,
        format: EventFormat,
        receiver: &HttpReceiver,
        means: Arc<Means>,
    ) -> Self {
        Self {
            name: name.clone(),
            format,
            client: Client::new(&receiver.url, &receiver.tls, &means),
            receiver: receiver.clone(),
            channel: splunk::new_channel(),
            means,
        }
    }

    pub(super) async fn send(&mut self, items: &[&Item]) -> Result<Answer, Failure> {
        let api = self.receiver.api.clone();
        let message = match &api {
            HttpApi::Splunk { index, .. } => {
                splunk::message(items, (&self.means.host, index.as_deref(), self.format))
            }
            HttpApi::Elasticsearch => elasticsearch::message(items),
            HttpApi::Webhook { body, .. } => webhook::message(items, *body),
            HttpApi::Otlp(signal) => {
                otlp::message(*signal, items, (&self.means.host, self.receiver.url.path()))
            }
        };
        let reply = self.post(message).await?;
        accepted(&reply)?;
        match &api {
            HttpApi::Splunk {
                acknowledge: true, ..
            } => self.await_indexer(&reply).await,
            HttpApi::Splunk { .. } => splunk::judge(&reply),
            HttpApi::Elasticsearch => elasticsearch::judge(&reply, items),
            HttpApi::Webhook { .. } => Ok(Answer::default()),
            HttpApi::Otlp(signal) => Ok(otlp::judge(*signal, &reply, items.len())),
        }
    }

    async fn post(&mut self, message: Message) -> Result<Reply, Failure> {
        let mut headers = self.headers().await?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(message.content_type));
        if let HttpApi::Webhook { signing: Some(_), .. } = &self.receiver.api {
            let key = self.means.secrets.current(&self.name, Use::Signing).await?;
            webhook::sign(&mut headers, key.expose(), &message.body);
        }
        let body = if self.receiver.compress {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            gzip(&message.body)
        } else {
            message.body
        };
        self.client.post(&message.path, headers, body).await
    }

    async fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if let HttpApi::Splunk { .. } = self.receiver.api {
            let channel = HeaderValue::from_str(&self.channel).expect("hexadecimal digits");
            headers.insert(splunk::CHANNEL, channel);
        }
        let Some(shown) = &self.receiver.shown else {
            return Ok(headers);
        };
        let secret = self.means.secrets.current(&self.name, Use::Shown).await?;
        let secret = secret.expose();
        let (name, text) = match &shown.shown_as {
            ShownAs::Scheme(scheme) => (AUTHORIZATION, join(&[scheme.as_bytes(), b" ", secret])),
            ShownAs::Basic(user) => {
                let pair = join(&[user.as_bytes(), b":", secret]);
                let coded = Zeroizing::new(BASE64_STANDARD.encode(&*pair));
                (AUTHORIZATION, join(&[b"Basic ", coded.as_bytes()]))
            }
            ShownAs::Header(name) => {
                let name = HeaderName::from_bytes(name.as_bytes());
                let name = name.map_err(|_| Failure::later("`header` is no name of a header"))?;
                (name, Zeroizing::new(secret.to_vec()))
            }
        };
        let value = HeaderValue::from_bytes(&text);
        let mut value = value.map_err(|_| Failure::later("the secret cannot be sent in a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(headers)
    }

    /// What was sent counts when the indexer has it. Until then it may be lost with the forwarder that took it.
    async fn await_indexer(&mut self, reply: &Reply) -> Result<Answer, Failure> {
        let Some(id) = splunk::acknowledgement(reply) else {
            return Err(Failure::later(
                "it gave no `ackId`: is the indexer acknowledgement of this token on? else leave out `acknowledge`",
            ));
        };
        for _ in 0..ACKNOWLEDGED_WITHIN.as_secs() / ASKED_EVERY.as_secs() {
            let question = splunk::question(id, &self.channel);
            let reply = self.post(question).await?;
            accepted(&reply)?;
            if splunk::is_acknowledged(&reply, id) {
                return Ok(Answer::default());
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
        Err(Failure::later(format!(
            "the indexer did not acknowledge within {} seconds",
            ACKNOWLEDGED_WITHIN.as_secs()
        )))
    }
}

/// Whether it was taken as a whole.
fn accepted(reply: &Reply) -> Result<(), Failure> {
    let status = reply.status;
    let why = format!(
        "it answered {status}: {}",
        shown(&String::from_utf8_lossy(&reply.body))
    );
    match status.as_u16() {
        200..=299 => Ok(()),
        400 | 413 | 422 => Err(Failure::Unacceptable { why }),
        500 | 502 | 504..=599 => Err(Failure::Later {
            why,
            after: reply.retry_after,
            suspicion: Suspicion::Possible,
        }),
        300..=399 => Err(Failure::later(format!("{why}; redirects are not followed"))),
        _ => Err(Failure::Later {
            why,
            after: reply.retry_after,
            suspicion: Suspicion::None,
        }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // a string takes all
            hex
        })
}

fn join(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // With room for all of it, so that no half of a secret is left where it was moved from.
    let mut joined = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        joined.extend_from_slice(part);
    }
    joined
}

const ACKNOWLEDGED_WITHIN: Duration = Duration::from_mins(2);
const ASKED_EVERY: Duration = Duration::from_secs(1);
