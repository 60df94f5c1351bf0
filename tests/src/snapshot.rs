//! What differs from run to run in outputs, and what a snapshot shows instead.

/// Filters for `insta::with_settings!({filters => filters()}, …)`: ports, ids, times,
/// durations and temporary directories get a name.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"s-[0-9a-f]{8}\b", "[SANDBOX]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"\b[0-9a-f]{64}\b", "[HASH]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
        (r"\[::1\]:\d+", "[::1]:[PORT]"),
        (r"/tmp/outwall-story-[A-Za-z0-9]+", "[STORY]"),
        (r"\b\d+(\.\d+)?\s?(ms|µs|us)\b", "[DURATION]"),
        (r"\b(audit|event|e)-[0-9a-f-]{8,}\b", "[EVENT]"),
    ]
}
