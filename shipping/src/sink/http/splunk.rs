//! Splunk's HTTP event collector: `/services/collector/event`, objects one after the other, and the indexer's acknowledgement, which
//! is asked for by channel.

use http::HeaderName;
use outwall_policy::audit_sinks::EventFormat;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Reply;
use super::{Answer, Failure, Message, Suspicion, hex, shown};
use crate::batch::Item;

pub(super) const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

#[derive(serde::Serialize)]
struct Envelope<'a> {
    time: String,
    host: &'a str,
    source: &'static str,
    sourcetype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    event: &'a RawValue,
}

#[derive(Deserialize)]
struct Told {
    code: i64,
    #[serde(default)]
    text: String,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
}

pub(super) fn message(items: &[&Item], (host, index, format): (&str, Option<&str>, EventFormat)) -> Message {
    let sourcetype = match format {
        EventFormat::Json => "outwall:audit",
        EventFormat::Ocsf => "outwall:ocsf",
    };
    let mut body = Vec::new();
    for item in items {
        let envelope = Envelope {
            time: seconds(&item.event.at),
            host,
            source: "outwall",
            sourcetype,
            index,
            event: serde_json::from_str(&item.text).expect("an event is JSON"),
        };
        serde_json::to_writer(&mut body, &envelope).expect("a buffer takes all");
        body.push(b'\n');
    }
    Message {
        path: "/services/collector/event".into(),
        content_type: "application/json",
        body,
    }
}

/// Seconds since the epoch, with milliseconds.
fn seconds(at: &str) -> String {
    let at: Option<jiff::Timestamp> = at.parse().ok();
    let millis = at.map_or(0, jiff::Timestamp::as_millisecond);
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

/// Some proxies before a collector answer 200 to everything: taken is what says so.
pub(super) fn judge(reply: &Reply) -> Result<Answer, Failure> {
    match serde_json::from_slice::<Told>(&reply.body) {
        Ok(told) if told.code == 0 => Ok(Answer::default()),
        Ok(told) => Err(later(format!(
            "it answered code {}: {}",
            told.code,
            shown(&told.text)
        ))),
        Err(_) => Err(later("its answer is none of a collector".to_owned())),
    }
}

pub(super) fn acknowledgement(reply: &Reply) -> Option<u64> {
    serde_json::from_slice::<Told>(&reply.body).ok()?.ack_id
}

pub(super) fn question(id: u64, channel: &str) -> Message {
    Message {
        path: format!("/services/collector/ack?channel={channel}"),
        content_type: "application/json",
        body: format!("{{\"acks\":[{id}]}}").into_bytes(),
    }
}

pub(super) fn is_acknowledged(reply: &Reply, id: u64) -> bool {
    let told: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
    told.is_some_and(|told| told["acks"][id.to_string()] == true)
}

/// A GUID, as the collector wants it.
pub(super) fn new_channel() -> String {
    let mut random = [0; 16];
    let _ = aws_lc_rs::rand::fill(&mut random); // a name, not a secret
    let hex = hex(&random);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

fn later(why: String) -> Failure {
    Failure::Later {
        why,
        after: None,
        suspicion: Suspicion::Possible,
    }
}
