//! The bulk API of Elasticsearch and `OpenSearch`. `_id` is the event's, and an event that is there already (409) was taken before: a
//! repeat makes no second document. `create` works for data streams, too.

use serde::Deserialize;
use serde_json::Value;

use super::client::Reply;
use super::{Answer, Failure, Message, Suspicion, shown};
use crate::batch::Item;

#[derive(Deserialize)]
struct Told {
    items: Vec<Value>,
}

pub(super) fn message(items: &[&Item]) -> Message {
    let mut body = String::new();
    for item in items {
        let action = serde_json::json!({ "create": { "_id": item.event.id } });
        for part in [&action.to_string(), "\n", &document(item), "\n"] {
            body.push_str(part);
        }
    }
    Message {
        path: "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason".into(),
        content_type: "application/x-ndjson",
        body: body.into_bytes(),
    }
}

/// With the time under the name that data streams want.
fn document(item: &Item) -> String {
    let at = Value::from(item.event.at.as_str());
    match item.text.strip_prefix('{') {
        Some(rest) => format!("{{\"@timestamp\":{at},{rest}"),
        None => item.text.clone(),
    }
}

/// Each item has a status of its own, in the order that they were sent in.
pub(super) fn judge(reply: &Reply, items: &[&Item]) -> Result<Answer, Failure> {
    let unclear = || Failure::Later {
        why: "its answer does not say what became of each event".into(),
        after: None,
        suspicion: Suspicion::Possible,
    };
    let told: Told = serde_json::from_slice(&reply.body).map_err(|_| unclear())?;
    if told.items.len() != items.len() {
        return Err(unclear());
    }
    let mut answer = Answer::default();
    for (index, item) in told.items.iter().enumerate() {
        let of = item
            .as_object()
            .and_then(|of| of.values().next())
            .ok_or_else(unclear)?;
        match of["status"].as_u64() {
            Some(200..=299 | 409) => {}
            Some(400 | 413 | 422) => answer.rejected.push((index, reason(of))),
            Some(_) => answer.again.push(index),
            None => return Err(unclear()),
        }
    }
    Ok(answer)
}

fn reason(of: &Value) -> String {
    let error = &of["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    shown(&format!("{} {}: {}", of["status"], text("type"), text("reason")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use outwall_audit::Event;

    fn item(seq: u64) -> Item {
        let line =
            format!(r#"{{"v":1,"seq":{seq},"id":"a-{seq}","at":"2026-11-21T03:35:29Z","kind":"dns"}}"#);
        let event = Event::parse(&line).unwrap();
        Item {
            event,
            text: line,
            going_out: None,
        }
    }

    fn judged(body: &str, items: &[&Item]) -> Result<Answer, Failure> {
        let reply = Reply {
            status: http::StatusCode::OK,
            retry_after: None,
            body: body.to_owned().into(),
        };
        judge(&reply, items)
    }

    #[test]
    fn each_event_is_an_action_by_its_id_and_a_document() {
        let item = item(7);
        let body = String::from_utf8(message(&[&item]).body).unwrap();
        let lines: Vec<Value> = body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["create"]["_id"], "a-7");
        assert_eq!(lines[1]["@timestamp"], "2026-11-21T03:35:29Z");
        assert_eq!(lines[1]["id"], "a-7");
    }

    #[test]
    fn what_is_there_was_taken_what_is_wrong_never_will_be_and_what_is_busy_is_sent_again() {
        let items = [item(1), item(2), item(3), item(4)];
        let items: Vec<&Item> = items.iter().collect();
        let body = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}},{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"no"}}},{"create":{"status":429}}]}"#;
        let answer = judged(body, &items).unwrap();
        assert_eq!(
            answer.rejected,
            [(2, "400 mapper_parsing_exception: no".to_owned())]
        );
        assert_eq!(answer.again, [3]);
    }

    #[test]
    fn an_answer_that_does_not_say_takes_nothing() {
        let item = item(1);
        for body in [
            "",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{}]}"#,
            r#"{"items":[{"create":{}}]}"#,
            "[]",
        ] {
            assert!(judged(body, &[&item]).is_err(), "{body}");
        }
    }
}
