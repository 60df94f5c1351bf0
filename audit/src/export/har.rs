//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>), the archive that a browser's developer tools write and open.
//!
//! It is about requests, so it has those: what was sent with how it came back, and what was refused once it could be read. What the log
//! does not have is said as HAR prescribes: sizes of headers are -1, headers and cookies are empty with a comment. Header fields and bodies
//! are there where their environment has them recorded. The values of query parameters are `*`, as in the log. A refused request has status 0, as a browser shows a blocked one. Fields of our own
//! begin with an underscore.

use serde_json::{Map, Value, json};

use crate::event::{Event, Kind};
use crate::index::{Entry, Outcome};
use crate::message::{Body, Field, Message};

/// What comes before the entries, of a document that is written as it goes.
pub fn head(version: &str) -> String {
    let creator = json!({"name": "outwall", "version": version});
    let comment = "header fields and bodies are there where their environment has them recorded, masked; the values of query parameters are `*`";
    format!(
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"pages\":[],\"comment\":\"{comment}\",\"entries\":["
    )
}

/// What comes after them.
pub fn tail() -> &'static str {
    "\n]}}\n"
}

/// An entry of HAR; `None` for what is no request.
pub fn entry(entry: &Entry) -> Option<Value> {
    let Entry {
        event,
        ending,
        outcome,
        ..
    } = entry;
    let is_request = matches!(event.kind, Kind::ExchangeGoingOut | Kind::Denied);
    let method = event.method.as_deref().filter(|_| is_request)?;
    let url = url(event)?;
    let milliseconds = duration(ending.as_ref());
    let mut har = json!({
        "startedDateTime": event.at,
        "time": milliseconds,
        "request": request(event, method, &url, ending.as_ref()),
        "response": response(event, ending.as_ref()),
        "cache": {},
        "timings": {
            "blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": milliseconds, "receive": 0,
            "comment": "only the whole is recorded",
        },
        "_id": event.id,
        "_decision": event.decision,
        "_outcome": outcome.map(Outcome::as_str),
    });
    let more = har.as_object_mut()?;
    let address = ending
        .as_ref()
        .and_then(|ending| ending.address.as_deref())
        .or(event.address.as_deref());
    if let Some(ip) = address.map(|address| crate::filter::host_and_port(address).0) {
        more.insert("serverIPAddress".into(), ip.into());
    }
    if let Some(connection) = event.connection {
        more.insert("connection".into(), connection.to_string().into());
    }
    if let Some(comment) = comment(event, ending.as_ref(), *outcome) {
        more.insert("comment".into(), comment.into());
    }
    ours(event, more);
    Some(har)
}

fn request(event: &Event, method: &str, url: &str, ending: Option<&Event>) -> Value {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            json!({"name": name, "value": value})
        })
        .collect();
    let sent = event.request.as_ref();
    let mut request = json!({
        "method": method, "url": url, "httpVersion": version(event), "cookies": [], "headers": headers(sent), "queryString": parameters,
        "headersSize": -1, "bodySize": size(ending.and_then(|ending| ending.bytes_up)),
    });
    let later = ending.and_then(|ending| ending.request.as_ref());
    if let Some(body) = later.or(sent).and_then(Message::body) {
        request["postData"] = kept(body, sent, "_encoding"); // HAR has a place for it in responses only
    }
    request
}

fn response(event: &Event, ending: Option<&Event>) -> Value {
    let size_down = ending.and_then(|ending| ending.bytes_down);
    let received = ending.and_then(|ending| ending.response.as_ref());
    let mut content = match received.and_then(Message::body) {
        Some(body) => kept(body, received, "encoding"),
        None => json!({"mimeType": media_type(received), "comment": "the body is not recorded"}),
    };
    content["size"] = size_down.unwrap_or(0).into();
    json!({
        "status": ending.and_then(|ending| ending.status).unwrap_or(0), "statusText": "", "httpVersion": version(event), "cookies": [],
        "headers": headers(received),
        "content": content,
        "redirectURL": received.and_then(|received| value(received, "location")).unwrap_or_default(), "headersSize": -1, "bodySize": size(size_down),
    })
}

fn headers(message: Option<&Message>) -> Value {
    let fields = message.map(Message::headers).unwrap_or_default();
    let named = |field: &Field| json!({"name": field.name(), "value": field.value()});
    fields.iter().map(named).collect()
}

fn value<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let mut fields = message.headers().iter();
    fields.find(|field| field.name() == name).map(Field::value)
}

fn media_type(message: Option<&Message>) -> &str {
    message
        .and_then(|message| value(message, "content-type"))
        .unwrap_or("x-unknown")
}

/// What was kept of a body. `encoding` is what HAR calls the place where base64 is said.
fn kept(body: &Body, message: Option<&Message>, encoding: &str) -> Value {
    let mut said = json!({"mimeType": media_type(message)});
    if let Some(text) = body.written() {
        said["text"] = text.into();
    }
    if body.base64().is_some() {
        said[encoding] = "base64".into();
    }
    if let Some(told) = body.told() {
        said["comment"] = told.into();
    }
    said
}

/// -1 stands for what is not known.
fn size(bytes: Option<u64>) -> Value {
    bytes.map_or_else(|| json!(-1), Value::from)
}

/// The protocol between client and gate; what was refused may have none.
fn version(event: &Event) -> &str {
    match event.protocol.as_deref() {
        Some("h2") => "HTTP/2",
        Some("http/1.1") => "HTTP/1.1",
        Some("http/1.0") => "HTTP/1.0",
        other => other.unwrap_or_default(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds for people, of less than 285 years"
)]
fn duration(ending: Option<&Event>) -> f64 {
    ending
        .and_then(|ending| ending.duration_us)
        .map_or(0.0, |micros| micros as f64 / 1000.0)
}

fn url(event: &Event) -> Option<String> {
    let scheme = event
        .scheme
        .as_deref()
        .filter(|scheme| scheme.starts_with("http"))?;
    let target = event.target.as_deref()?;
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = target.strip_suffix(usual).unwrap_or(target);
    Some(format!(
        "{scheme}://{host}{}",
        event.path.as_deref().unwrap_or("/")
    ))
}

fn comment(event: &Event, ending: Option<&Event>, outcome: Option<Outcome>) -> Option<String> {
    if event.kind == Kind::Denied {
        return event
            .message
            .as_ref()
            .map(|message| format!("refused: {message}"));
    }
    if let Some(error) = ending.and_then(|ending| ending.error.as_ref()) {
        return Some(format!("failed: {error}"));
    }
    match outcome? {
        Outcome::InFlight => Some("it goes on: duration, status and sizes are not known yet".to_owned()),
        Outcome::Unknown => Some("its gate died before it came back: the outcome is unknown".to_owned()),
        Outcome::Aborted => Some("given up before its end".to_owned()),
        Outcome::Complete | Outcome::Failed => None,
    }
}

fn ours(event: &Event, har: &mut Map<String, Value>) {
    let program = event
        .process
        .as_ref()
        .and_then(|process| process.executable.clone());
    for (name, value) in [
        ("_environment", &event.environment),
        ("_session", &event.session),
        ("_sandbox", &event.sandbox),
        ("_program", &program),
        ("_rule", &event.rule),
        ("_reason", &event.reason),
        ("_remedy", &event.remedy),
        ("_credential", &event.credential),
    ] {
        if let Some(value) = value {
            har.insert(name.to_owned(), value.as_str().into());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn event(kind: &str, fields: &str) -> Event {
        let line = format!(
            r#"{{"v":1,"seq":1,"id":"a-1","at":"2026-05-01T12:00:00.000000000Z","kind":"{kind}",{fields}}}"#
        );
        Event::parse(&line).unwrap()
    }

    fn of(event: Event, ending: Option<Event>, outcome: Option<Outcome>) -> Option<Value> {
        let cursor = "0".parse().unwrap();
        entry(&Entry {
            cursor,
            event,
            ending,
            outcome,
        })
    }

    const SENT: &str = r#""target":"a.test:443","scheme":"https","method":"GET","path":"/x?key=*&b","protocol":"h2","connection":7"#;

    #[test]
    fn what_came_back_has_its_numbers_and_what_is_not_known_is_minus_one() {
        let ending = event(
            "exchange.came_back",
            r#""for":"a-1","outcome":"complete","status":200,"bytes_up":5,"bytes_down":9,"duration_us":1500,"address":"[::1]:443""#,
        );
        let har = of(
            event("exchange.going_out", SENT),
            Some(ending),
            Some(Outcome::Complete),
        )
        .unwrap();
        assert_eq!(har["request"]["url"], "https://a.test/x?key=*&b");
        let parameters = json!([{"name": "key", "value": "*"}, {"name": "b", "value": ""}]);
        assert_eq!(har["request"]["queryString"], parameters);
        assert_eq!(
            (&har["time"], &har["response"]["status"]),
            (&json!(1.5), &json!(200))
        );
        assert_eq!(
            (&har["request"]["bodySize"], &har["response"]["bodySize"]),
            (&json!(5), &json!(9))
        );
        assert_eq!(har["request"]["headersSize"], -1);
        assert_eq!(
            (&har["serverIPAddress"], &har["connection"]),
            (&json!("::1"), &json!("7"))
        );
        assert_eq!(har["request"]["httpVersion"], "HTTP/2");
    }

    #[test]
    fn header_fields_and_bodies_are_there_where_they_are_recorded() {
        let sent = format!(r#"{SENT},"request":{{"headers":[{{"name":"content-type","value":"text/x"}}]}}"#);
        let ending = event(
            "exchange.came_back",
            r#""for":"a-1","status":302,"bytes_up":9,"bytes_down":4,
            "request":{"body":{"text":"abc","length":9,"cut":true,"content_encoding":"gzip"}},
            "response":{"headers":[{"name":"location","value":"/x?y=*"}],"body":{"base64":"AAE=","length":4}}"#,
        );
        let har = of(
            event("exchange.going_out", &sent),
            Some(ending),
            Some(Outcome::Complete),
        );
        let har = har.unwrap();
        assert_eq!(
            har["request"]["headers"],
            json!([{"name": "content-type", "value": "text/x"}])
        );
        let comment = "the beginning of 9 bytes; sent in gzip";
        let posted = json!({"mimeType": "text/x", "text": "abc", "comment": comment});
        assert_eq!(har["request"]["postData"], posted);
        let content = json!({"mimeType": "x-unknown", "text": "AAE=", "encoding": "base64", "size": 4, "comment": "in base64"});
        assert_eq!(har["response"]["content"], content);
        assert_eq!(har["response"]["redirectURL"], "/x?y=*");
        let refused =
            format!(r#"{SENT},"reason":"x","request":{{"body":{{"unrecorded":"sealed","length":1}}}}"#);
        let refused = of(event("denied", &refused), None, None).unwrap();
        assert_eq!(
            refused["request"]["postData"]["comment"],
            "1 bytes, not recorded: sealed"
        );
    }

    #[test]
    fn what_did_not_come_back_and_what_was_refused_say_so() {
        let unknown = of(event("exchange.going_out", SENT), None, Some(Outcome::Unknown)).unwrap();
        assert!(
            unknown["comment"].as_str().unwrap().contains("unknown"),
            "{unknown}"
        );
        assert_eq!(
            (&unknown["response"]["bodySize"], &unknown["response"]["status"]),
            (&json!(-1), &json!(0))
        );
        let refused = format!(r#"{SENT},"reason":"host-not-allowed","message":"no","remedy":"add it""#);
        let refused = of(event("denied", &refused), None, None).unwrap();
        assert_eq!(
            (&refused["comment"], &refused["_reason"], &refused["_remedy"]),
            (
                &json!("refused: no"),
                &json!("host-not-allowed"),
                &json!("add it")
            )
        );
    }

    #[test]
    fn what_is_no_request_has_no_place() {
        for (kind, fields) in [
            ("dns", r#""name":"a.test""#),
            (
                "connection.going_out",
                r#""target":"a.test:22","scheme":"stream""#,
            ),
            ("denied", r#""target":"a.test:443""#),
        ] {
            assert_eq!(of(event(kind, fields), None, None), None, "{kind}");
        }
    }
}
