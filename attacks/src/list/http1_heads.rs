//! Heads of http/1.1 that two readers take differently (RFC 9112 sections 2 to 5), and paths that lead elsewhere.

use crate::attack::{Attack, Section};
use crate::build::{Draft, attack as draft};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Http1, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = fields();
    list.extend(hosts());
    list.extend(first_lines());
    list.extend(sizes());
    list.extend(paths());
    list.extend(hop_by_hop());
    list
}

const MALFORMED: &[&str] = &["malformed-request"];

/// A request with this among its field lines.
fn get(lines: &str) -> String {
    format!("GET /echo/a HTTP/1.1\r\nhost: {{host}}\r\n{lines}\r\n")
}

fn fields() -> Vec<Attack> {
    vec![
        attack("folded-field", "a field that goes on in the next line")
            .known("RFC 9112 section 5.2")
            .http1(get("x-a: b\r\n c\r\n"))
            .http1(get("x-a: b\r\n\tcontent-length: 5\r\n"))
            .refused(MALFORMED),
        attack("space-before-the-colon", "content-length : 5, which some take for content-length")
            .known("CVE-2019-16276")
            .http1("POST /echo/a HTTP/1.1\r\nhost: {host}\r\ncontent-length : 5\r\n\r\nhello")
            .http1("POST /echo/a HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding\t: chunked\r\n\r\n0\r\n\r\n")
            .refused(MALFORMED),
        attack("space-in-or-before-a-name", "names with a space in them, and a first field line that begins with one")
            .http1(get("content length: 5\r\n"))
            .http1("GET /echo/a HTTP/1.1\r\n host: evil.outwall.test\r\nhost: {host}\r\n\r\n")
            .refused(MALFORMED),
        attack("no-colon-or-no-name", "field lines without a colon, or with nothing before it")
            .http1(get("x-a\r\n"))
            .http1(get(": b\r\n"))
            .refused(MALFORMED),
        attack("nul-in-a-field", "a NUL in a name or a value").http1(get("x-a: b\0c\r\n")).http1(get("x\0a: b\r\n")).refused(MALFORMED),
        attack("bare-carriage-return", "a carriage return that ends a line for some")
            .known("CWE-93")
            .http1(get("x-a: b\rcontent-length: 5\r\n"))
            .http1(get("x-a: b\r\r\n"))
            .refused(MALFORMED),
        attack("bare-line-feed", "lines that end with a line feed alone")
            .known("RFC 9112 section 2.2")
            .http1("GET /echo/a HTTP/1.1\nhost: {host}\nx-a: b\n\n")
            .http1("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nx-a: b\nx-c: d\r\n\r\n")
            .normal("with every line ended in full", |arrival| !arrival.head.replace("\r\n", "").contains('\n')),
        attack("high-bytes-in-a-field", "bytes above 127 in a name; in a value they are text of some kind")
            .http1(b"GET /echo/a HTTP/1.1\r\nhost: {host}\r\nx-\xff: b\r\n\r\n")
            .refused(MALFORMED),
        attack("control-bytes-in-a-value", "escape sequences and other control bytes for whoever reads a log")
            .known("CWE-117")
            .http1(get("x-a: \u{1b}]0;x\u{7}\r\n"))
            .http1(get("x-a: b\u{7f}\r\n"))
            .refused(MALFORMED),
        attack("underscore-and-case-of-names", "content_length and Transfer-encoding, which CGI takes for others")
            .known("CVE-2015-0219")
            .http1("POST /echo/a HTTP/1.1\r\nhost: {host}\r\nCONTENT-LENGTH: 5\r\nTransfer_Encoding: chunked\r\n\r\nhello")
            .arrives("with the length that was decided on", |arrival| arrival.fields("content-length") == ["5"] && arrival.body == b"hello"),
    ]
}

fn hosts() -> Vec<Attack> {
    vec![
        attack(
            "two-hosts",
            "two Host fields, of which readers take the first or the last",
        )
        .known("RFC 9112 section 3.2")
        .http1("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nhost: evil.outwall.test\r\n\r\n")
        .http1("GET /echo/a HTTP/1.1\r\nhost: evil.outwall.test\r\nhost: {host}\r\n\r\n")
        .http1("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n\r\n")
        .clear("GET /echo/a HTTP/1.1\r\nhost: {host}\r\nhost: evil.outwall.test\r\n\r\n")
        .refused(MALFORMED),
        attack("no-host", "no Host at all, in 1.1 and in 1.0")
            .http1("GET /echo/a HTTP/1.1\r\nx-a: b\r\n\r\n")
            .http1("GET /echo/a HTTP/1.0\r\nx-a: b\r\n\r\n")
            .refused(MALFORMED),
        attack(
            "connection-names-host",
            "Connection: host, so that a gate takes away what it decided on",
        )
        .known("CVE-2022-31813")
        .http1(get(
            "connection: host, content-length, authorization\r\nauthorization: Bearer x\r\n",
        ))
        .arrives("with its host and its authorization", |arrival| {
            !arrival.host().is_empty() && arrival.fields("authorization").len() == 1
        }),
    ]
}

fn first_lines() -> Vec<Attack> {
    vec![
        attack("http09", "a request of HTTP/0.9, which has no head")
            .http1("GET /echo/a\r\n\r\n")
            .http1("GET /echo/a\r\nhost: {host}\r\n\r\n")
            .refused(MALFORMED),
        attack(
            "unknown-version",
            "HTTP/1.2, HTTP/2.0, HTTP/1.10 and http/1.1 in a first line",
        )
        .http1("GET /echo/a HTTP/1.2\r\nhost: {host}\r\n\r\n")
        .http1("GET /echo/a HTTP/2.0\r\nhost: {host}\r\n\r\n")
        .http1("GET /echo/a HTTP/1.10\r\nhost: {host}\r\n\r\n")
        .http1("GET /echo/a http/1.1\r\nhost: {host}\r\n\r\n")
        .refused(MALFORMED),
        attack("odd-method", "a method with bytes that no method has")
            .http1("G\0T /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .http1("GE(T /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .http1("\u{1b}GET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .http1(format!(
                "{} /echo/a HTTP/1.1\r\nhost: {{host}}\r\n\r\n",
                "G".repeat(300)
            ))
            .refused(MALFORMED),
        attack(
            "method-in-lower-case",
            "get, which a rule for GET does not name and some origins take for it",
        )
        .http1("post /rules/get-only HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n")
        .http1("delete /rules/get-only HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n")
        .twin_http1(
            "the method that the rule names",
            "GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
        .refused(&["rule-refused", "malformed-request"]),
        attack(
            "method-override",
            "X-HTTP-Method-Override: DELETE on a POST: what the rule sees is not what the origin does",
        )
        .http1("GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\nx-http-method-override: DELETE\r\n\r\n")
        .http1("POST /echo/a HTTP/1.1\r\nhost: {host}\r\nx-http-method-override: delete\r\ncontent-length: 0\r\n\r\n")
        .http1("POST /echo/a HTTP/1.1\r\nhost: {host}\r\nx-http-method-override: POST\r\nx-http-method-override: PUT\r\ncontent-length: 0\r\n\r\n")
        .http1("GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\nx-http-method: DELETE\r\n\r\n")
        .http1("GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\nx-method-override: DELETE\r\n\r\n")
        .twin_http1(
            "the same method in both places",
            "GET /rules/get-only HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
        .normal(
            "without another method beside its own, or not at all",
            |arrival| {
                ["x-http-method-override", "x-http-method", "x-method-override"]
                    .iter()
                    .all(|name| arrival.fields(name).is_empty())
            },
        ),
        attack(
            "space-in-the-target",
            "two targets in one line, and other white space",
        )
        .http1("GET /echo/a /forbidden HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET\t/echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET /echo/a\x0b HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .refused(MALFORMED),
        attack(
            "fragment-in-the-target",
            "a # in the target, behind which one reader stops",
        )
        .http1("GET /echo/a#/../forbidden HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .normal("without what stands behind it", |arrival| {
            arrival.path() == "/echo/a"
        }),
        attack(
            "target-without-a-path",
            "*, a host and port, and a path without its slash",
        )
        .http1("GET * HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET {host}:443 HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("GET echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .refused(&["malformed-request", "rule-refused"]),
        attack(
            "lines-before-a-request",
            "empty lines and other bytes before the first line",
        )
        .http1("\r\n\r\nGET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1("\nGET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .http1(" GET /echo/a HTTP/1.1\r\nhost: {host}\r\n\r\n")
        .normal("from its first line on", |arrival| {
            arrival.head.starts_with("GET /echo/a HTTP/1.1") || arrival.path() == "/echo/a"
        }),
    ]
}

fn sizes() -> Vec<Attack> {
    let lines: Vec<_> = (0..400).map(|number| format!("x-{number}: b\r\n")).collect();
    let (many, few) = (lines.concat(), lines[..60].concat());
    vec![
        attack(
            "oversized-field",
            "one field of a hundred kilobytes, and one of half a megabyte",
        )
        .http1(get(&format!("x-a: {}\r\n", "b".repeat(100 << 10))))
        .http1(get(&format!("x-a: {}\r\n", "b".repeat(512 << 10))))
        .twin_http1(
            "one of sixteen kilobytes",
            get(&format!("x-a: {}\r\n", "b".repeat(16 << 10))),
        )
        .refused(&["malformed-request"]),
        attack("oversized-name", "a field whose name is a hundred kilobytes")
            .http1(get(&format!("{}: b\r\n", "x".repeat(100 << 10))))
            .refused(MALFORMED),
        attack("oversized-target", "a target of a hundred kilobytes")
            .http1(format!(
                "GET /echo/{} HTTP/1.1\r\nhost: {{host}}\r\n\r\n",
                "a".repeat(100 << 10)
            ))
            .refused(MALFORMED),
        attack("too-many-fields", "four hundred fields")
            .http1(get(&many))
            .twin_http1("sixty of them", get(&few))
            .refused(MALFORMED),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn paths() -> Vec<Attack> {
    let path =
        |draft: Draft, path: &str| draft.http1(format!("GET {path} HTTP/1.1\r\nhost: {{host}}\r\n\r\n"));
    let paths = |draft: Draft, all: &[&str]| {
        let draft = all.iter().fold(draft, |draft, one| path(draft, one));
        draft.twin_http1(
            "the allowed path",
            "GET /rules/open/a HTTP/1.1\r\nhost: {host}\r\n\r\n",
        )
    };
    let refused: &[&str] = &["rule-refused", "malformed-request"];
    vec![
        paths(
            attack(
                "path-as-it-was-decided-on",
                "an allowed path in odd spelling must arrive in the one that was decided on",
            ),
            &[
                "/rules/closed/../open/a",
                "/rules/./open/a",
                "/%72ules/open/a",
                "/rules/open/b/%2e%2e/a",
            ],
        )
        .arrives("as the one path that was decided on", |arrival| {
            arrival.path() == "/rules/open/a"
        }),
        paths(
            attack(
                "dots-in-a-path",
                "dots that climb out of an allowed folder, plain and escaped",
            )
            .known("CWE-22"),
            &[
                "/rules/open/../closed",
                "/rules/open/%2e%2e/closed",
                "/rules/open/.%2E/closed",
                "/rules/open/./../closed",
            ],
        )
        .refused(refused),
        paths(
            attack(
                "slashes-in-a-path",
                "escaped slashes and backslashes, which some origins take for slashes",
            )
            .known("CWE-22"),
            &[
                "/rules/open/..%2fclosed",
                "/rules/open%2f..%2fclosed",
                "/rules/open/..\\closed",
                "/rules/open/..%5cclosed",
            ],
        )
        .refused(refused),
        paths(
            attack(
                "escape-of-an-escape",
                "%252e, which is dots for who decodes twice",
            )
            .known("CVE-2001-0333"),
            &["/rules/open/%252e%252e/closed", "/rules/open/..%252fclosed"],
        )
        .refused(refused),
        paths(
            attack(
                "parameters-in-a-path",
                "dots behind a semicolon, which Java's servers cut away",
            )
            .known("Orange Tsai, 2018"),
            &["/rules/open/..;/closed", "/rules/open/..;a=b/closed"],
        )
        .refused(refused),
        paths(
            attack(
                "overlong-utf8-in-a-path",
                "%c0%ae and %e0%80%ae, which are dots for who decodes carelessly",
            )
            .known("CVE-2000-0884"),
            &[
                "/rules/open/%c0%ae%c0%ae/closed",
                "/rules/open/..%c0%afclosed",
                "/rules/open/%e0%80%ae%e0%80%ae/closed",
            ],
        )
        .refused(refused),
        paths(
            attack(
                "empty-segments-in-a-path",
                "//closed, and a path that looks like a host",
            ),
            &["//rules/closed", "/rules//closed", "/rules/open/..//closed"],
        )
        .refused(refused),
        paths(
            attack(
                "broken-escape-in-a-path",
                "% without two digits behind it, and %00",
            ),
            &[
                "/rules/open/%",
                "/rules/open/%zz",
                "/rules/open/a%00/../closed",
                "/rules/open/%u002e%u002e/closed",
            ],
        )
        .refused(refused),
        paths(
            attack("case-of-a-path", "an allowed path in upper case is another path"),
            &["/RULES/OPEN/a", "/rules/Open/a"],
        )
        .refused(refused),
    ]
}

fn hop_by_hop() -> Vec<Attack> {
    vec![
        attack("fields-for-the-gate", "fields of the connection to the gate are not the origin's: proxy-authorization, keep-alive, te")
            .known("RFC 9110 section 7.6.1")
            .http1(get("proxy-authorization: Basic c2VjcmV0\r\nproxy-connection: keep-alive\r\nkeep-alive: timeout=5\r\nte: gzip\r\nconnection: x-private\r\nx-private: 1\r\n"))
            .arrives("without them", |arrival| {
                ["proxy-authorization", "proxy-connection", "keep-alive", "te", "x-private"].iter().all(|name| arrival.fields(name).is_empty())
            }),
        attack("fields-that-name-another-host", "x-forwarded-host and forwarded do not change where it goes")
            .http1(get("x-forwarded-host: evil.outwall.test\r\nforwarded: host=evil.outwall.test\r\nx-host: evil.outwall.test\r\n"))
            .arrives("at the host that was decided on", |arrival| arrival.host().ends_with("attack.outwall.test")),
    ]
}
