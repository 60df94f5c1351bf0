//! Through a host that is allowed: what rules narrow, and what an allowed host could be talked into.

use crate::attack::{Attack, Attempt, Section, Side, host1, twin_of};
use crate::build::{Draft, attack as draft, proxy};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::AllowedHost, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    vec![
        attack(
            "method-that-no-rule-allows",
            "writing where a rule allows reading",
        )
        .http1("POST /rules/get-only HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5\r\n\r\nhello")
        .http1("DELETE /rules/get-only HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("PATCH /rules/get-only HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n")
        .fields(&[
            (":method", "PUT"),
            (":scheme", "https"),
            (":authority", "{host}"),
            (":path", "/rules/get-only"),
        ])
        .twin_http1("reading", "GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .refused(&["rule-refused"]),
        attack(
            "path-that-no-rule-allows",
            "a path beside those that a rule allows, and one that begins like them",
        )
        .http1("GET /rules/closed HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET /rules/openly HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET /rules/get-only/more HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "{host}"),
            (":path", "/rules/closed"),
        ])
        .twin_http1(
            "a path that a rule allows",
            "GET /rules/open/a HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
        .refused(&["rule-refused"]),
        attack(
            "rules-in-the-clear",
            "the same host over http, where a rule must count as well",
        )
        .clear("GET /rules/closed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .proxy("GET http://{host}/rules/closed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .refused(&["rule-refused"]),
        attack(
            "query-against-a-path-rule",
            "a path in the query, or a query that ends a path for some",
        )
        .http1("GET /rules/closed?/rules/open/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET /rules/closed%3f/../open/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .twin_http1(
            "a query behind an allowed path",
            "GET /rules/open/a?x=/rules/closed HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
        .normal("an allowed path, read in every way", |arrival| {
            arrival.path().starts_with("/rules/open/")
        }),
        at(
            Side::AfterReload,
            "policy-after-reload",
            "a policy that stops being enforced once it is read again",
        ),
        at(
            Side::AfterBrokenReload,
            "policy-after-broken-reload",
            "a policy that stops being enforced because the next one is broken",
        ),
        at(
            Side::AfterRestart,
            "policy-after-restart",
            "a policy that stops being enforced after the gate was killed and started again",
        ),
    ]
}

/// What the policy refuses, asked of a proxy whose gate was just interfered with.
fn at(side: Side, class: &'static str, tries: &'static str) -> Attack {
    let host = host1(class);
    let asked = [
        "CONNECT {host}:22 HTTP/1.1\r\n\r\n",
        "GET http://169.254.169.254/ HTTP/1.1\r\nhost: 169.254.169.254\r\nconnection: close\r\n\r\n",
        "GET http://{host}/rules/closed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
        "CONNECT 127.0.0.1:{victim} HTTP/1.1\r\n\r\n",
    ];
    let then = |mut attempt: Attempt| {
        attempt.from = side;
        attempt
    };
    let draft = asked.iter().fold(attack(class, tries), |draft, text| {
        draft.tried(then(proxy(&host, text.as_bytes())))
    });
    let twin = "GET http://{host}/rules/open/a HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n";
    draft
        .beside("what it allows", then(proxy(&twin_of(&host), twin.as_bytes())))
        .refused(&[
            "host-not-allowed",
            "port-not-allowed",
            "literal-not-allowed",
            "rule-refused",
            "network-none",
            "own-listener",
        ])
}
