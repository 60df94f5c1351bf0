//! Header fields and bodies on record, where an environment asks for them: exactly, and never a secret.

use std::fs;
use std::time::{Duration, Instant};

use outwall_tests::credentials::{STANDARD, Seeded, base64, shapes};
use outwall_tests::planted::{PLACES, Planted, gzip};
use outwall_tests::{Outwall, REFLECTIONS, TestOrigin, Versions};
use serde_json::{Value, json};

use crate::outwall;

const HOST: &str = "api.example.test";
const LIST: &str = include_str!("../../policy/data/credential-shapes.toml");
const ALL: &str = "request_headers = [\"*\"]\nresponse_headers = [\"*\"]\nrequest_bodies = \"64 KiB\"\nresponse_bodies = \"64 KiB\"\n";
/// As RFC 9110 has them named, and bodies that are short.
const SOME: &str = "request_headers = [\"X-Ticket\", \"content-type\"]\nresponse_headers = [\"content-type\"]\n\
                    request_bodies = \"32 B\"\nresponse_bodies = \"1 KiB\"\n";

fn story(origin: &TestOrigin, record: &str) -> Outwall {
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[environments.default.record]\n{record}"
    );
    outwall().policy(&policy).origin(HOST, origin)
}

/// Every byte of the audit directory, but for compressed files, of which a story this short has none.
fn files(outwall: &Outwall) -> String {
    let entries = fs::read_dir(outwall.state_dir().join("audit")).unwrap();
    let files: Vec<Vec<u8>> = entries
        .filter_map(|entry| fs::read(entry.unwrap().path()).ok())
        .collect();
    assert!(!files.is_empty());
    String::from_utf8_lossy(&files.concat()).into_owned()
}

fn only(outwall: &Outwall, kind: &str) -> Value {
    let mut all = outwall.audit_of(kind);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn what_is_asked_for_is_on_record_over_each_version_and_nothing_else() {
    for versions in [Versions::Http1Only, Versions::Http2Only] {
        let origin = TestOrigin::start();
        let outwall = story(&origin, SOME);
        let gate = outwall.gate();
        let client = gate.client().speaking(versions);
        let client = client.header("x-ticket", "17").header("x-other", "unasked");
        let client = client.header("content-type", "application/json");
        let sent = "{\"model\":\"m\",\"text\":\"the first words and then some more of them\"}";
        client
            .send("POST", &format!("https://{HOST}/echo"), sent)
            .into_text();
        gate.stop();

        let (went, back) = (
            only(&outwall, "exchange.going_out"),
            only(&outwall, "exchange.came_back"),
        );
        let fields = json!([{"name": "content-type", "value": "application/json"}, {"name": "x-ticket", "value": "17"}]);
        let mut recorded = went["request"]["headers"].as_array().unwrap().clone();
        recorded.sort_by_key(|field| field["name"].to_string());
        assert_eq!(Value::from(recorded), fields);
        assert_eq!(went["request"]["body"], Value::Null, "it is not known yet");
        let body =
            json!({"text": "{\"model\":\"m\",\"text\":\"the first ", "length": sent.len(), "cut": true});
        assert_eq!(back["request"], json!({ "body": body }));
        let response = &back["response"];
        assert_eq!(
            response["headers"],
            json!([{"name": "content-type", "value": "application/json"}])
        );
        let text = response["body"]["text"].as_str().unwrap();
        let echoed: Value = serde_json::from_str(text).unwrap();
        assert_eq!(echoed["body"], sent);
        assert_eq!(response["body"]["length"], text.len());
        assert!(response["body"]["cut"].is_null());
        assert!(!went.to_string().contains("unasked"));
    }
}

#[test]
fn by_default_nothing_of_a_message_is_on_record() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let client = gate.client().header("x-ticket", "unasked-17");
    client
        .send("POST", &format!("https://{HOST}/echo"), "unasked-body")
        .into_text();
    assert_eq!(client.get("https://other.example.test/").status(), 403);
    gate.stop();
    let kept = files(&outwall);
    assert!(kept.contains("exchange.came_back") && kept.contains("\"denied\""));
    for absent in ["unasked", "\"request\"", "\"response\"", "x-ticket"] {
        assert!(!kept.contains(absent), "{absent}");
    }
}

#[test]
fn a_coded_body_is_on_record_decoded_and_one_without_a_body_has_none() {
    let origin = TestOrigin::start();
    let outwall = story(&origin, ALL);
    let gate = outwall.gate();
    let mut planted = Planted::new(10, "harmless", &mut Seeded::new(1));
    let text = "{\"note\":\"decoded\"}";
    planted.pieces = vec![gzip(text.as_bytes()).into()];
    let length = planted.pieces[0].len();
    let client = gate.client();
    client
        .open(&format!("https://{HOST}/"))
        .post(HOST, &planted)
        .unwrap()
        .into_text();
    client.get(&format!("https://{HOST}/status/204"));
    gate.stop();
    let back = outwall.audit_of("exchange.came_back");
    let body = json!({"text": text, "content_encoding": "gzip", "length": length});
    assert_eq!(back[0]["request"]["body"], body);
    assert_eq!(
        (&back[1]["request"], &back[1]["response"]["body"]),
        (&Value::Null, &Value::Null)
    );
    assert!(back[1]["response"]["headers"].is_array());
}

#[test]
fn a_refusal_says_what_was_asked_and_what_of_its_body_was_read() {
    let origin = TestOrigin::start();
    let rules = "[[environments.default.rules]]\nhost = \"api.example.test\"\npaths = [\"/echo\"]\naction = \"allow\"\n\
                 [environments.default.dlp]\naction = \"block\"\n";
    let outwall = story(&origin, &format!("{ALL}{rules}"));
    let gate = outwall.gate();
    let client = gate.client().header("x-ticket", "17");
    assert_eq!(
        client
            .send("DELETE", &format!("https://{HOST}/other"), "unread")
            .status(),
        403
    );
    let secret = shapes(LIST)[0].credential(&mut Seeded::new(2));
    let kept = format!("what was read: {secret} and more");
    assert_eq!(
        client
            .send("POST", &format!("https://{HOST}/echo"), &kept)
            .status(),
        403
    );
    gate.stop();
    let denied = outwall.audit_of("denied");
    let ticket = json!({"name": "x-ticket", "value": "17"});
    for event in &denied {
        assert!(
            event["request"]["headers"].as_array().unwrap().contains(&ticket),
            "{event}"
        );
    }
    assert_eq!(denied[1]["reason"], "credential-leaving");
    assert_eq!(
        denied[1]["request"]["body"]["text"],
        "what was read: *** and more"
    );
    assert!(!files(&outwall).contains(&secret[secret.len() - 8..]));
}

/// Planted in every part of a request, in everything that it may be written in, and echoed by the origin.
#[test]
fn a_secret_is_nowhere_in_the_log_and_what_is_around_it_is() {
    let origin = TestOrigin::start();
    let outwall = story(&origin, ALL);
    let gate = outwall.gate();
    let (shapes, mut seeded) = (shapes(LIST), Seeded::new(11));
    let mut secrets = Vec::new();
    for place in 0..PLACES {
        let versions = [Versions::Http1Only, Versions::Http2Only][place % 2];
        let shape = &shapes[(place * 7) % shapes.len()];
        let text = shape.credential(&mut seeded);
        let mut planted = Planted::new(place, &text, &mut seeded);
        planted
            .fields
            .push(("x-place".to_owned(), format!("place-{place}")));
        planted
            .fields
            .push(("cookie".to_owned(), format!("session=cookie-secret-{place}")));
        let client = gate.client().speaking(versions);
        let response = client
            .open(&format!("https://{HOST}/"))
            .post(HOST, &planted)
            .unwrap();
        response.into_text();
        secrets.push((shape.name.clone(), planted.place, text));
    }
    gate.client().get(&format!("https://{HOST}/cookies")).into_text();
    gate.stop();
    let kept = files(&outwall);
    for (place, (name, written, text)) in secrets.iter().enumerate() {
        let tail = &text[text.len() - 8..];
        assert!(!kept.contains(tail), "{name} in {written} is in the log");
        for before in 0..3 {
            let coded = base64(format!("{}{tail}", "x".repeat(before)).as_bytes(), STANDARD);
            let inner = &coded[4..coded.len() - 4];
            assert!(
                inner.len() < 8 || !kept.contains(inner),
                "base64 of {name} in {written} is in the log"
            );
        }
        assert!(
            kept.contains(&format!("place-{place}")),
            "{written}: the rest is there"
        );
    }
    assert!(!kept.contains("cookie-secret"), "neither sent, nor echoed");
    let redacted = json!({"name": "set-cookie", "value": "[redacted]"});
    let back = outwall.audit_of("exchange.came_back");
    let headers = back.last().unwrap()["response"]["headers"].as_array().unwrap();
    assert_eq!(headers.iter().filter(|field| **field == redacted).count(), 2);
    assert!(
        kept.contains("\\\"role\\\":\\\"user\\\""),
        "what is no secret of a body is there"
    );
}

#[test]
fn the_secret_of_a_credential_is_never_on_record_however_it_comes_back() {
    const SECRET: &str = "sk-model-Zq8vN3xT7pLw2RkYc5HdB9mJ4sGf6AeU";
    let origin = TestOrigin::start();
    let credential = format!(
        "[[credentials]]\nname = \"model\"\nsource = {{ env = \"REAL_KEY\" }}\nhosts = [\"{HOST}\"]\n\
         inject = [{{ header = \"x-model\" }}]\nplaceholder = {{ env = \"MODEL_API_KEY\", prefix = \"sk-model-\", length = 48 }}\n\
         environments = [\"default\"]\n"
    );
    let outwall = story(&origin, &format!("{ALL}{credential}")).variable("REAL_KEY", SECRET);
    let curl = format!("curl -sS --max-time 20 -o reflected -H x-way:$way https://{HOST}");
    let shown = format!("{curl}/echo -H \"x-note: $MODEL_API_KEY\" -d \"a=b&note=$MODEL_API_KEY\"");
    let script = format!(
        "echo \"$MODEL_API_KEY\"; for way in {}; do {curl}/reflect?as=$way; done; way=shown; {shown}",
        REFLECTIONS.join(" ")
    );
    let finished = outwall.shell(&[], &script).succeeded();
    let placeholder = finished.stdout.lines().next().unwrap();
    assert!(placeholder.starts_with("sk-model-"), "{finished:?}");
    let requests = origin.requests();
    let had_it: Vec<&str> = requests.iter().map(|request| request.header("x-model")).collect();
    assert_eq!(had_it, [SECRET; REFLECTIONS.len() + 1]);
    let kept = files(&outwall);
    let random = &SECRET["sk-model-".len()..];
    for window in random.as_bytes().windows(8) {
        let window = str::from_utf8(window).unwrap();
        assert!(!kept.contains(window), "{window}");
        assert!(!kept.contains(&window.to_ascii_uppercase()) && !kept.contains(&window.to_ascii_lowercase()));
    }
    for way in REFLECTIONS {
        assert!(
            kept.contains(&format!("\"value\":\"{way}\"")),
            "{way}: the rest is there"
        );
    }
    assert!(!kept.contains(placeholder), "nor is what stands for it");
    assert!(kept.contains("a=b&note=***"));
    let back = outwall.audit_of("exchange.came_back");
    assert!(
        back[0]["response"]["body"]["text"]
            .as_str()
            .unwrap()
            .contains("x-way: plain")
    );
}

#[test]
fn every_view_shows_what_is_on_record_and_a_reload_counts_for_the_next_request() {
    let origin = TestOrigin::start();
    let outwall = story(&origin, SOME);
    let shown = outwall.run(&["policy", "show"]).succeeded().stdout;
    assert!(shown.contains("recorded of each request besides what always is: the header fields content-type, x-ticket; the first 32 B of bodies"), "{shown}");
    let gate = outwall.gate();
    let client = gate.client().header("x-ticket", "17");
    client
        .send("POST", &format!("https://{HOST}/echo?key=value"), "a first body")
        .into_text();
    let policy = fs::read_to_string(outwall.policy_file()).unwrap();
    fs::write(outwall.policy_file(), policy.replace("\"X-Ticket\", ", "")).unwrap();
    gate.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(20);
    let changed = || outwall.audit_of("policy.changed");
    while !changed()
        .iter()
        .any(|event| event.to_string().contains("bodies recorded"))
    {
        assert!(Instant::now() < deadline, "{:?} {}", changed(), gate.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    client
        .send("POST", &format!("https://{HOST}/echo"), "a second body")
        .into_text();
    gate.stop();

    let went = outwall.audit_of("exchange.going_out");
    assert_eq!(
        went[0]["request"]["headers"],
        json!([{"name": "x-ticket", "value": "17"}])
    );
    assert_eq!(went[1]["request"], Value::Null, "{}", went[1]);
    let show = outwall
        .run(&["audit", "show", went[0]["id"].as_str().unwrap()])
        .succeeded()
        .stdout;
    for line in [
        "Sent, as recorded",
        "  x-ticket: 17",
        "    a first body",
        "Received, as recorded",
        "  content-type: application/json",
    ] {
        assert!(show.contains(line), "{line}: {show}");
    }
    let har: Value =
        serde_json::from_str(&outwall.run(&["audit", "--format", "har"]).succeeded().stdout).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    let first = entries
        .iter()
        .find(|entry| entry["_id"] == went[0]["id"])
        .unwrap();
    assert_eq!(first["request"]["postData"]["text"], "a first body");
    assert_eq!(first["request"]["headers"][0]["name"], "x-ticket");
    assert_eq!(first["response"]["content"]["mimeType"], "application/json");
    let ocsf = outwall.run(&["audit", "--format", "ocsf"]).succeeded().stdout;
    assert!(
        ocsf.contains("\"http_headers\":[{\"name\":\"x-ticket\",\"value\":\"17\"}]"),
        "{ocsf}"
    );
}
