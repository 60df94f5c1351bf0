//! An answer of GitHub's loses its tokens and stays JSON: nothing else of it changes, and doing it again changes nothing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::rest::without_tokens;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    for media in [None, Some("text/html")] {
        let clean = without_tokens(media, body);
        assert_eq!(without_tokens(media, &clean), clean, "once is enough");
        // A byte becomes nine at most: one that is no UTF-8 is U+FFFD, percent-encoded.
        assert!(clean.len() <= 9 * body.len() + 2);
    }
    let Ok(before) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    if !matches!(before, Value::Object(_) | Value::Array(_)) {
        return;
    }
    let after = serde_json::from_slice(&without_tokens(None, body)).expect("JSON stays JSON");
    compare("", &before, &after);
});

fn compare(member: &str, before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            assert!(before.keys().eq(after.keys()));
            for (name, value) in before {
                compare(name, value, &after[name]);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(after) {
                compare(member, before, after);
            }
        }
        (Value::String(before), Value::String(after)) => text(member, before, after),
        _ => assert_eq!(before, after),
    }
}

fn text(member: &str, before: &str, after: &str) {
    if member == "temp_clone_token" {
        assert_eq!(after, "");
    } else if member == "download_url" {
        let is_plain = |one: char| one.is_ascii_alphanumeric() || "/:?&=.-_".contains(one);
        assert!(
            !before.chars().all(is_plain) || !after.contains("?token=") && !after.contains("&token="),
            "{after}"
        );
    } else if !["url", "urls", "html", "href", "token"]
        .iter()
        .any(|end| member.ends_with(end))
    {
        assert_eq!(before, after, "{member}");
    }
}
