//! OCSF, the Open Cybersecurity Schema Framework (<https://schema.ocsf.io/1.8.0>): what each event is there.
//!
//! | events | class | why this one |
//! |---|---|---|
//! | exchanges, refused requests | HTTP Activity 4002 | method, URL, status |
//! | tunnels, streams, published ports, refused connections | Network Activity 4001 | there is no request, or none that was read |
//! | lookups | DNS Activity 4003 | |
//! | strangers that are turned away | Authentication 3002, a failed logon | who they are could not be established |
//! | credentials issued, revoked, key replaced | Entity Management 3004 | nobody logs on: a credential is managed, as an entity |
//! | findings | Detection Finding 2004 | |
//! | gates and sandboxes that start and end | Application Lifecycle 6002 | |
//! | policies, grants | Entity Management 3004, of type Policy | a grant is a piece of policy beside the file |
//! | files of the log that retention removes | Entity Management 3004, a deletion | it is a deed of the gate, on what it manages |
//! | questions, checkpoints, repairs, what is of a later version | Base Event 0 | no class is about these |
//!
//! A credential that is put into a request is in its HTTP Activity (`actor.session.credential_uid`). Nothing is lost: what has no
//! place is in `unmapped` under its own name, with `prev` and `hash` of the chain. `metadata.uid` is the event's id,
//! `metadata.correlation_uid` that of the "going out" for both halves.

mod class;
mod parts;
mod record;

use serde_json::{Map, Value, json};

use self::class::{Activity, Class};
use self::record::Record;
use crate::event::{Event, Kind};

/// The version of the schema that events are mapped to.
pub const VERSION: &str = "1.8.0";

/// An event as OCSF has it. The other half, where it is known: of a "going out" how it came back, which is told along and is part of
/// the result; of a "came back" what went out, whose target it names.
pub fn ocsf(event: &Event, other_half: Option<&Event>) -> Value {
    let mut record = Record::new(event, other_half);
    let activity = class::activity(event, record.is_closed());
    let mut out = Map::new();
    classify(activity, &mut out);
    occurrence(event, &mut record, &mut out);
    security_control(event, &mut record, &mut out);
    match activity.class {
        Class::Http => parts::http(&mut record, &mut out),
        Class::Network => parts::network(&mut record, &mut out),
        Class::Dns => parts::dns(&mut record, &mut out),
        Class::Authentication => parts::stranger(&mut record, &mut out),
        Class::Entity => parts::entity(event.kind, &mut record, &mut out),
        Class::Lifecycle => parts::application(event.kind, &mut record, &mut out),
        Class::Finding => parts::finding(event, &mut record, &mut out),
        Class::Base => {}
    }
    outcome(event, activity.class, &mut record, &mut out);
    parts::actor(&mut record, &mut out);
    finish(event, record, &mut out);
    Value::Object(out)
}

fn classify(activity: Activity, out: &mut Map<String, Value>) {
    let Activity { class, id, caption } = activity;
    let (category, class_uid) = (class.category(), class.uid());
    out.insert("activity_id".into(), id.into());
    out.insert("activity_name".into(), caption.into());
    out.insert("category_uid".into(), category.0.into());
    out.insert("category_name".into(), category.1.into());
    out.insert("class_uid".into(), class_uid.into());
    out.insert("class_name".into(), class.caption().into());
    out.insert("type_uid".into(), (class_uid * 100 + id).into());
    out.insert(
        "type_name".into(),
        format!("{}: {caption}", class.caption()).into(),
    );
}

/// When, how grave, how often.
fn occurrence(event: &Event, record: &mut Record, out: &mut Map<String, Value>) {
    let at: Option<jiff::Timestamp> = event.at.parse().ok();
    out.insert(
        "time".into(),
        at.map_or(0, jiff::Timestamp::as_millisecond).into(),
    );
    let (id, severity) = class::severity(event.kind);
    out.insert("severity_id".into(), id.into());
    out.insert("severity".into(), severity.into());
    if let Some(message) = record.take("message") {
        out.insert("message".into(), message);
    }
    if let Some(times) = record.take("repeated") {
        out.insert("count".into(), times);
    }
    if let Some(micros) = record.look("duration_us").and_then(Value::as_u64) {
        out.insert("duration".into(), (micros / 1000).into()); // the microseconds stay in `unmapped`
    }
}

/// What was decided, by which rule of which environment.
fn security_control(event: &Event, record: &mut Record, out: &mut Map<String, Value>) {
    match event.decision.as_deref() {
        Some("allow") => decided(("Allowed", 1), ("Allowed", 1), out),
        Some("deny") => decided(("Denied", 2), ("Blocked", 2), out),
        Some(_) | None if event.kind == Kind::Finding => decided(("Observed", 3), ("Alert", 19), out),
        Some(_) | None => {}
    }
    if matches!(event.decision.as_deref(), Some("allow" | "deny")) {
        record.take("decision");
    }
    if let Some(rule) = record.take("rule") {
        out.insert("firewall_rule".into(), json!({ "name": rule }));
    }
    if let Some(environment) = record.take("environment") {
        out.insert(
            "policy".into(),
            json!({ "name": environment, "type": "environment", "is_applied": true }),
        );
    }
}

fn decided(action: (&str, u32), disposition: (&str, u32), out: &mut Map<String, Value>) {
    out.insert("action".into(), action.0.into());
    out.insert("action_id".into(), action.1.into());
    out.insert("disposition".into(), disposition.0.into());
    out.insert("disposition_id".into(), disposition.1.into());
}

/// How it ended. A "going out" whose other half is not known has not: its status is unknown.
fn outcome(event: &Event, class: Class, record: &mut Record, out: &mut Map<String, Value>) {
    let ended = record.take("outcome");
    let word = ended.as_ref().and_then(Value::as_str);
    let failed = matches!(event.kind, Kind::Denied | Kind::PolicyRefused);
    let (id, status) = match (class, word) {
        (Class::Finding, _) => (1, "New"),
        _ if failed => (2, "Failure"),
        (_, Some("failed")) => (2, "Failure"),
        (_, Some("aborted")) => (99, "aborted"),
        (_, None) if event.kind.goes_out() => (0, "Unknown"),
        _ => (1, "Success"),
    };
    out.insert("status_id".into(), id.into());
    out.insert("status".into(), status.into());
    let code = record.take("reason").or(ended);
    if let Some(code) = code {
        out.insert("status_code".into(), code);
    }
    if let Some(error) = record.take("error") {
        out.insert("status_detail".into(), error);
    }
}

fn finish(event: &Event, mut record: Record, out: &mut Map<String, Value>) {
    let mut metadata = json!({
        "version": VERSION,
        "uid": event.id,
        "sequence": event.seq,
        "event_code": record.take_own("kind"),
        "log_name": "audit",
        "log_version": event.v.to_string(),
        "original_time": event.at,
        "product": { "name": "Outwall", "vendor_name": "Outwall", "version": env!("CARGO_PKG_VERSION") },
        "profiles": ["host", "security_control"],
    });
    for name in ["id", "at", "seq", "v"] {
        record.take_own(name);
    }
    let correlation = record
        .take("for")
        .or_else(|| record.opens().then(|| event.id.clone().into()));
    if let Some(correlation) = correlation {
        metadata["correlation_uid"] = correlation;
    }
    out.insert("metadata".into(), metadata);
    let (observables, unmapped) = record.rest();
    if !observables.is_empty() {
        out.insert("observables".into(), observables.into());
    }
    if !unmapped.is_empty() {
        out.insert("unmapped".into(), unmapped.into());
    }
}
