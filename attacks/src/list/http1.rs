//! Bodies of http/1.1 that two readers frame differently (RFC 9112 sections 6 and 7). The path `/forbidden` is what an attacker
//! would have a second reader take for a request of its own.

use crate::attack::{Arrival, Attack, Section};
use crate::build::{Draft, attack as draft};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Http1, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = two_framings();
    list.extend(lengths());
    list.extend(codings());
    list.extend(chunks());
    list.extend(around_bodies());
    list
}

/// What is refused before it is understood.
const MALFORMED: &[&str] = &["malformed-request"];
const FIVE: &str = "POST /echo/a HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5\r\n\r\nhello";
const FIVE_CHUNKED: &str =
    "POST /echo/a HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

/// A request whose field lines are these, with this body.
fn post(fields: &str, body: &str) -> String {
    format!("POST /echo/a HTTP/1.1\r\nhost: {{host}}\r\n{fields}\r\n{body}")
}

const SMUGGLED: &str = "GET /forbidden HTTP/1.1\r\nhost: {host}\r\n\r\n";

impl Draft {
    fn length_twin(self) -> Self {
        self.twin_http1("a body of one length", FIVE)
    }

    fn chunks_twin(self) -> Self {
        self.twin_http1("a body in chunks", FIVE_CHUNKED)
    }
}

fn two_framings() -> Vec<Attack> {
    vec![
        attack("cl-te", "a length and chunks: the length is the second reader's")
            .known("CWE-444")
            .http1(post(
                "content-length: 4\r\ntransfer-encoding: chunked\r\n",
                &format!("0\r\n\r\n{SMUGGLED}"),
            ))
            .chunks_twin()
            .arrives("framed by its chunks alone, and nothing behind them", |arrival| {
                chunked_or_framed(arrival) && arrival.body.is_empty()
            }),
        attack("te-cl", "chunks and a length: the chunks are the second reader's")
            .known("CWE-444")
            .http1(post(
                "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
                "2f\r\nGET /forbidden HTTP/1.1\r\nhost: evil\r\nx-a: b\r\n\r\n\r\n0\r\n\r\n",
            ))
            .chunks_twin()
            .normal(
                "framed by its chunks alone, which hold a request as a body",
                |arrival| chunked_or_framed(arrival) && arrival.path() == "/echo/a",
            ),
        attack(
            "te-te",
            "two transfer-encodings, of which one is hidden from one reader",
        )
        .known("CWE-444")
        .http1(post(
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            &format!("0\r\n\r\n{SMUGGLED}"),
        ))
        .http1(post(
            "transfer-encoding: x\r\ntransfer-encoding: chunked\r\n",
            &format!("0\r\n\r\n{SMUGGLED}"),
        ))
        .chunks_twin()
        .normal("in chunks and nothing behind them", |arrival| {
            chunked_or_framed(arrival) && arrival.body.is_empty()
        }),
        attack("two-lengths", "two lengths that differ")
            .known("CWE-444")
            .http1(post("content-length: 0\r\ncontent-length: 44\r\n", SMUGGLED))
            .http1(post("content-length: 44\r\ncontent-length: 0\r\n", SMUGGLED))
            .http1(post("content-length: 0, 44\r\n", SMUGGLED))
            .length_twin()
            .refused(MALFORMED),
        attack("two-equal-lengths", "the same length twice, and as a list")
            .known("RFC 9110 section 8.6")
            .http1(post("content-length: 5\r\ncontent-length: 5\r\n", "hello"))
            .http1(post("content-length: 5, 5\r\n", "hello"))
            .length_twin()
            .arrives("with that length once", |arrival| {
                arrival.fields("content-length") == ["5"] && arrival.body == b"hello"
            }),
    ]
}

/// Framed by chunks alone, or by h2.
fn chunked_or_framed(arrival: &Arrival) -> bool {
    let codings = arrival.fields("transfer-encoding");
    let h2 = !arrival.fields(":path").is_empty();
    if h2 {
        codings.is_empty()
    } else {
        codings == ["chunked"] && arrival.fields("content-length").is_empty()
    }
}

fn lengths() -> Vec<Attack> {
    vec![
        attack("signed-length", "+5 and -5")
            .known("CWE-444")
            .http1(post("content-length: +5\r\n", "hello"))
            .http1(post("content-length: -5\r\n", "hello"))
            .length_twin()
            .refused(MALFORMED),
        attack("hexadecimal-length", "0x5")
            .known("CWE-444")
            .http1(post("content-length: 0x5\r\n", "hello"))
            .http1(post("content-length: 5h\r\n", "hello"))
            .length_twin()
            .refused(MALFORMED),
        attack("length-with-a-space", "5 5, and 5 with other white space")
            .http1(post("content-length: 5 5\r\n", "hello"))
            .http1(post("content-length: \x0b5\r\n", "hello"))
            .http1(post("content-length: 5\x0c\r\n", "hello"))
            .length_twin()
            .refused(MALFORMED),
        attack("empty-length", "a length without a number")
            .http1(post("content-length:\r\n", SMUGGLED))
            .http1(post("content-length: ,\r\n", SMUGGLED))
            .length_twin()
            .refused(MALFORMED),
        attack("overflowing-length", "a length of more than 64 bits")
            .http1(post("content-length: 18446744073709551621\r\n", "hello"))
            .http1(post("content-length: 99999999999999999999999999\r\n", "hello"))
            .length_twin()
            .refused(MALFORMED),
    ]
}

fn codings() -> Vec<Attack> {
    vec![
        attack("unknown-coding", "xchunked, and chunked with bytes around it")
            .known("CVE-2019-18277")
            .http1(post("transfer-encoding: xchunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .http1(post("transfer-encoding: \x0bchunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .http1(post("transfer-encoding: \"chunked\"\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .http1(post("transfer-encoding: chunked;q=1\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .chunks_twin()
            .refused(MALFORMED),
        attack("chunked-is-not-last", "chunked, identity: the body ends where the connection does")
            .http1(post("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"))
            .http1(post("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n"))
            .chunks_twin()
            .refused(MALFORMED),
        attack("chunked-twice", "chunked, chunked: one reader takes one layer off")
            .http1(post("transfer-encoding: chunked, chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .chunks_twin()
            .normal("in chunks, once", |arrival| chunked_or_framed(arrival) && arrival.body.is_empty()),
        attack("coding-in-a-folded-line", "transfer-encoding whose value stands on the next line")
            .http1(post("transfer-encoding:\r\n chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .http1(post("x-a: b\r\n\ttransfer-encoding: chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")))
            .chunks_twin()
            .refused(MALFORMED),
        attack("coding-of-http10", "HTTP/1.0 with transfer-encoding, which it has not")
            .known("RFC 9112 section 6.1")
            .http1(format!("POST /echo/a HTTP/1.0\r\nhost: {{host}}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"))
            .http1(format!("POST /echo/a HTTP/1.0\r\nhost: {{host}}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"))
            .chunks_twin()
            .refused(MALFORMED),
    ]
}

/// A body in these chunks.
fn chunked(chunks: &str) -> String {
    post("transfer-encoding: chunked\r\n", chunks)
}

/// What was meant and nothing else.
fn hello_or_nothing(arrival: &Arrival) -> bool {
    arrival.path() == "/echo/a" && (arrival.body == b"hello" || arrival.body.is_empty())
}

fn chunks() -> Vec<Attack> {
    vec![
        attack("chunk-extension", "an extension whose quotes hold a line break")
            .known("CVE-2023-38697")
            .http1(chunked("5;a=\"b\r\nc\"\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked(&format!("5;a=\"\r\nhello\r\n0\r\n\r\n{SMUGGLED}")))
            .chunks_twin()
            .normal("as a body that is cut where its framing ends", |arrival| arrival.path() == "/echo/a"),
        attack("chunk-extension-line-feed", "a bare line feed within an extension, which ends the line for some")
            .known("CVE-2025-55315")
            .http1(chunked("5;\nx\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"))
            .chunks_twin()
            .normal("without extensions", hello_or_nothing),
        attack("chunk-size-spelled-oddly", "0x5, +5, -5 and a space for a size")
            .http1(chunked("0x5\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked("+5\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked("-5\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked("5 5\r\nhello\r\n0\r\n\r\n"))
            .http1(chunked("\r\nhello\r\n0\r\n\r\n"))
            .chunks_twin()
            .normal("with nothing in its body", |arrival| arrival.path() == "/echo/a" && arrival.body.is_empty()),
        attack("chunk-size-overflows", "a size of more than 64 bits")
            .known("CVE-2013-2028")
            .http1(chunked("fffffffffffffffff\r\nx\r\n0\r\n\r\n"))
            .http1(chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"))
            .chunks_twin()
            .normal("with nothing in its body", |arrival| arrival.path() == "/echo/a" && arrival.body.is_empty()),
        attack("chunk-longer-than-its-size", "bytes behind a chunk's data where its line break belongs")
            .http1(chunked(&format!("5\r\nhelloXX\r\n0\r\n\r\n{SMUGGLED}")))
            .http1(chunked("5\r\nhello\n0\r\n\r\n"))
            .http1(chunked("5\nhello\r\n0\r\n\r\n"))
            .chunks_twin()
            .normal("up to there", hello_or_nothing),
        attack("endless-chunk-line", "an extension without an end")
            .known("CVE-2024-22019")
            .http1(chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(200 << 10))))
            .chunks_twin()
            .normal("without extensions", hello_or_nothing),
        attack("fields-behind-chunks", "trailers that name a host, a length, a coding or an authorization")
            .known("RFC 9110 section 6.5.1")
            .http1(chunked("5\r\nhello\r\n0\r\nhost: evil.outwall.test\r\ncontent-length: 44\r\ntransfer-encoding: chunked\r\nauthorization: Bearer x\r\nx-trailer: 1\r\n\r\n"))
            .chunks_twin()
            .arrives("without them", |arrival| {
                hello_or_nothing(arrival)
                    && ["host: evil", "content-length: 44", "authorization"].iter().all(|line| !arrival.head.contains(line))
                    && ["host", "content-length", "transfer-encoding", "authorization"].iter().all(|name| !arrival.trailers.to_ascii_lowercase().contains(&format!("{name}:")))
            }),
        attack("chunks-that-end-early", "the connection ends within a chunk: a request that was cut is not a whole one")
            .http1_pieces(&[chunked("5\r\nhel").as_bytes()])
            .unanswered()
            .chunks_twin()
            .normal("unfinished, and never as a whole body", |arrival| arrival.path() == "/echo/a" && arrival.body != b"hel"),
    ]
}

fn around_bodies() -> Vec<Attack> {
    vec![
        attack("body-of-a-refused-request", "the body of a refused request is a request of its own for who stops reading")
            .http1("POST /forbidden HTTP/1.1\r\nhost: evil.outwall.test\r\ncontent-length: 60\r\n\r\nGET /echo/smuggled HTTP/1.1\r\nhost: {host}\r\nx-a: bbbbbbbbbbb\r\n\r\n")
            .normal("never the body as a request", |arrival| arrival.path() != "/echo/smuggled"),
        attack("pipelined-behind-a-refusal", "requests behind a refused one are decided each by itself")
            .http1("GET /echo/1 HTTP/1.1\r\nhost: {host}\r\n\r\nGET /forbidden HTTP/1.1\r\nhost: evil.outwall.test\r\n\r\nGET /echo/3 HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .answers(3)
            .arrives("those that are allowed only", |arrival| arrival.path().starts_with("/echo/")),
        attack("expectations", "100-continue for a refused request, and expectations that nobody has")
            .known("RFC 9110 section 10.1.1")
            .http1("POST /forbidden HTTP/1.1\r\nhost: evil.outwall.test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello")
            .http1(post("expect: 200-ok\r\ncontent-length: 5\r\n", "hello"))
            .http1(post("expect: 100-continue\r\nexpect: 100-continue\r\ncontent-length: 5\r\n", "hello"))
            .twin_http1("100-continue for an allowed request", post("expect: 100-continue\r\ncontent-length: 5\r\n", "hello"))
            .normal("the allowed ones, whole", |arrival| arrival.path() == "/echo/a" && arrival.body == b"hello"),
        attack("body-of-get-and-head", "a body where some readers expect none")
            .known("RFC 9110 section 9.3.1")
            .http1(format!("GET /echo/a HTTP/1.1\r\nhost: {{host}}\r\ncontent-length: 44\r\n\r\n{SMUGGLED}"))
            .http1(format!("HEAD /echo/a HTTP/1.1\r\nhost: {{host}}\r\ncontent-length: 44\r\n\r\n{SMUGGLED}"))
            .arrives("with its body and its length", |arrival| arrival.path() == "/echo/a" && arrival.fields("content-length").len() == 1),
        attack("bytes-behind-an-upgrade", "bytes sent with an upgrade, before anybody agreed to it")
            .http1(format!("GET /echo/a HTTP/1.1\r\nhost: {{host}}\r\nconnection: upgrade\r\nupgrade: evil/1\r\n\r\n{SMUGGLED}"))
            .http1(format!("GET /echo/a HTTP/1.1\r\nhost: evil.outwall.test\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n{SMUGGLED}"))
            .normal("nothing but requests that are decided by themselves", |arrival| arrival.fields("upgrade").is_empty() && arrival.fields("host").iter().all(|host| !host.contains("evil"))),
    ]
}
