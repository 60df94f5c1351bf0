//! Requests of h2 that mean one thing in frames and another once they are lines of http/1.1 (RFC 9113 section 8). Frames are
//! written by hand: no library would send them.

use crate::attack::{Arrival, Attack, Section};
use crate::build::{Draft, PLAIN, attack as draft, of_host};
use crate::h2::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
};
use crate::hpack;

pub(super) fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Http2, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = line_breaks();
    list.extend(pseudo_fields());
    list.extend(fields());
    list.extend(bodies());
    list.extend(compression());
    list.extend(streams());
    list
}

type Fields<'f> = &'f [(&'f str, &'f str)];

impl Draft {
    /// A request whose pseudo-fields are right, with these besides.
    fn with(self, more: Fields<'_>) -> Self {
        let fields: Vec<_> = PLAIN[..4].iter().copied().chain(more.iter().copied()).collect();
        self.fields(&fields)
    }

    /// A request with this in place of the field of that name.
    fn instead(self, name: &str, value: &str) -> Self {
        let fields: Vec<_> = PLAIN
            .iter()
            .map(|(field, of)| (*field, if *field == name { value } else { *of }))
            .collect();
        self.fields(&fields)
    }

    /// A request with a body, whose fields are right but for these, and whose data is this.
    fn posting(self, more: Fields<'_>, body: &str) -> Self {
        self.h2(|host| {
            let fields: Vec<_> = [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", "{host}"),
                (":path", "/echo/a"),
            ]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
            let head = frame(HEADERS, END_HEADERS, 1, &h2::block(&of_host(&fields, host)));
            vec![[head, frame(DATA, END_STREAM, 1, body.as_bytes())].concat()]
        })
    }

    fn posting_twin(self) -> Self {
        self.twin_h2("a body of its length", |host| {
            let fields = [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", "{host}"),
                (":path", "/echo/a"),
                ("content-length", "5"),
            ];
            let head = frame(HEADERS, END_HEADERS, 1, &h2::block(&of_host(&fields, host)));
            vec![[head, frame(DATA, END_STREAM, 1, b"hello")].concat()]
        })
    }
}

fn line_breaks() -> Vec<Attack> {
    vec![
        attack(
            "h2-line-break-in-a-value",
            "a line break in a value is a new field in http/1.1",
        )
        .known("CWE-113")
        .with(&[("x-a", "b\r\nx-c: d")])
        .with(&[("x-a", "b\nx-c: d")])
        .with(&[("x-a", "b\rx-c: d")])
        .nothing(),
        attack("h2-line-break-in-a-name", "the same in a name")
            .with(&[("x-a: b\r\nx-c", "d")])
            .with(&[("x-a\n", "b")])
            .nothing(),
        attack(
            "h2-line-break-in-huffman-code",
            "the same in Huffman code, which hides the bytes",
        )
        .h2(|host| {
            let block = [
                h2::block(&of_host(&PLAIN[..4], host)),
                hpack::literal_huffman(b"x-a", b"b\r\ntransfer-encoding: chunked"),
            ]
            .concat();
            vec![frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)]
        })
        .twin_h2("a field in Huffman code", |host| {
            let block = [
                h2::block(&of_host(&PLAIN[..4], host)),
                hpack::literal_huffman(b"x-a", b"b"),
            ]
            .concat();
            vec![frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)]
        })
        .nothing(),
        attack("h2-line-break-in-the-path", "a second request in the path")
            .known("CWE-113")
            .instead(
                ":path",
                "/echo/a HTTP/1.1\r\nhost: evil.outwall.test\r\n\r\nGET /forbidden",
            )
            .instead(":path", "/echo/a\r\n")
            .nothing(),
        attack("h2-line-break-in-the-method", "a second request in the method")
            .known("CVE-2021-33193")
            .instead(":method", "GET /forbidden HTTP/1.1\r\nx: y\r\n\r\nGET")
            .instead(":method", "GET /forbidden?")
            .nothing(),
        attack("h2-nul-in-a-value", "a NUL, and spaces around a value")
            .known("RFC 9113 section 8.2.1")
            .with(&[("x-a", "b\0c")])
            .nothing(),
    ]
}

fn pseudo_fields() -> Vec<Attack> {
    let doubled = |name: &'static str, value: &'static str| {
        PLAIN[..4]
            .iter()
            .copied()
            .chain([(name, value)])
            .collect::<Vec<_>>()
    };
    let without = |name: &str| {
        PLAIN
            .iter()
            .copied()
            .filter(|(field, _)| *field != name)
            .collect::<Vec<_>>()
    };
    vec![
        attack(
            "h2-pseudo-field-twice",
            "two methods, schemes, authorities or paths",
        )
        .known("RFC 9113 section 8.3.1")
        .fields(&doubled(":method", "DELETE"))
        .fields(&doubled(":scheme", "http"))
        .fields(&doubled(":authority", "evil.outwall.test"))
        .fields(&doubled(":path", "/forbidden"))
        .nothing(),
        attack(
            "h2-pseudo-field-after-a-field",
            "a pseudo-field behind ordinary ones",
        )
        .known("RFC 9113 section 8.3")
        .fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "{host}"),
            ("x-a", "b"),
            (":path", "/echo/a"),
        ])
        .nothing(),
        attack("h2-unknown-pseudo-field", ":status or one that nobody has")
            .with(&[(":status", "200")])
            .fields(&doubled(":evil", "1"))
            .nothing(),
        attack("h2-pseudo-field-missing", "no method, no scheme or no path")
            .fields(&without(":method"))
            .fields(&without(":path"))
            .fields(&without(":scheme"))
            .nothing(),
        attack(
            "h2-no-authority",
            "no :authority and no host: the connection's is meant, or none",
        )
        .fields(&without(":authority"))
        .normal("with the host of the connection", |arrival| {
            arrival.host().ends_with("attack.outwall.test")
        }),
        attack(
            "h2-odd-path",
            "empty paths, URLs, spaces and paths without a slash",
        )
        .known("RFC 9113 section 8.3.1")
        .instead(":path", "")
        .instead(":path", "echo/a")
        .instead(":path", "https://evil.outwall.test/echo/a")
        .instead(":path", "*")
        .instead(":path", "/echo/a b")
        .instead(":path", "/echo/a HTTP/1.1")
        .nothing(),
        attack(
            "h2-pseudo-field-in-trailers",
            "a path or an authority behind the body",
        )
        .h2(|host| {
            let fields = [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", "{host}"),
                (":path", "/echo/a"),
            ];
            let head = frame(HEADERS, END_HEADERS, 1, &h2::block(&of_host(&fields, host)));
            let trailers = frame(
                HEADERS,
                END_STREAM | END_HEADERS,
                1,
                &h2::block(&[(":path", "/forbidden"), (":authority", "evil.outwall.test")]),
            );
            vec![[head, frame(DATA, 0, 1, b"hello"), trailers].concat()]
        })
        .normal("without them", |arrival| {
            arrival.path() == "/echo/a" && !arrival.trailers.contains("forbidden")
        }),
    ]
}

fn fields() -> Vec<Attack> {
    vec![
        attack("h2-upper-case-name", "a name in upper case")
            .known("RFC 9113 section 8.2")
            .with(&[("X-A", "b")])
            .nothing(),
        attack(
            "h2-odd-name",
            "names with a colon or a space, and without a letter",
        )
        .with(&[("transfer-encoding:", "chunked")])
        .with(&[("content length", "5")])
        .with(&[("", "b")])
        .with(&[("x-\u{ff}", "b")])
        .nothing(),
        attack(
            "h2-connection-field",
            "fields that concern a connection of http/1.1",
        )
        .known("RFC 9113 section 8.2.2")
        .with(&[("connection", "upgrade")])
        .with(&[("upgrade", "websocket")])
        .with(&[("keep-alive", "timeout=5")])
        .with(&[("proxy-connection", "keep-alive")])
        .with(&[("te", "chunked")])
        .nothing(),
        attack("h2-transfer-encoding", "chunked in h2, which frames by itself")
            .known("H2.TE")
            .posting(
                &[("transfer-encoding", "chunked")],
                "0\r\n\r\nGET /forbidden HTTP/1.1\r\nhost: x\r\n\r\n",
            )
            .posting_twin()
            .nothing(),
        attack(
            "h2-cookies-in-pieces",
            "cookies in several fields must become one line",
        )
        .known("RFC 9113 section 8.2.3")
        .with(&[("cookie", "a=1"), ("cookie", "b=2")])
        .arrives("as one line, or as fields of h2", |arrival| {
            let cookies = arrival.fields("cookie");
            cookies == ["a=1; b=2"] || !arrival.fields(":path").is_empty() && cookies == ["a=1", "b=2"]
        }),
    ]
}

/// Whole, or not as a whole.
fn no_second_request(arrival: &Arrival) -> bool {
    arrival.path() == "/echo/a" && arrival.method() == "POST"
}

fn bodies() -> Vec<Attack> {
    vec![
        attack(
            "h2-length-that-is-wrong",
            "a content-length that the data has not",
        )
        .known("H2.CL, CVE-2021-21295")
        .posting(
            &[("content-length", "0")],
            "GET /forbidden HTTP/1.1\r\nhost: x\r\n\r\n",
        )
        .posting(&[("content-length", "500")], "hello")
        .with(&[("content-length", "50")])
        .posting_twin()
        .normal("never a second request", no_second_request),
        attack(
            "h2-two-lengths",
            "two content-lengths, and ones that are no numbers",
        )
        .posting(&[("content-length", "5"), ("content-length", "0")], "hello")
        .posting(&[("content-length", "+5")], "hello")
        .posting(&[("content-length", "5, 5")], "hello")
        .posting_twin()
        .normal("with the length of its data", |arrival| {
            no_second_request(arrival)
                && arrival
                    .fields("content-length")
                    .iter()
                    .all(|length| *length == "5")
        }),
        attack(
            "h2-fields-behind-a-body",
            "trailers that name a host, a length or an authorization",
        )
        .h2(|host| {
            let fields = [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", "{host}"),
                (":path", "/echo/a"),
                ("te", "trailers"),
            ];
            let head = frame(HEADERS, END_HEADERS, 1, &h2::block(&of_host(&fields, host)));
            let trailers = [
                ("host", "evil.outwall.test"),
                ("content-length", "44"),
                ("authorization", "Bearer x"),
                ("x-trailer", "1"),
            ];
            let trailers = frame(HEADERS, END_STREAM | END_HEADERS, 1, &h2::block(&trailers));
            vec![[head, frame(DATA, 0, 1, b"hello"), trailers].concat()]
        })
        .posting_twin()
        .arrives("without them", |arrival| {
            arrival.path() == "/echo/a"
                && ["host:", "content-length:", "authorization:"]
                    .iter()
                    .all(|name| !arrival.trailers.to_ascii_lowercase().contains(name))
        }),
    ]
}

fn compression() -> Vec<Attack> {
    let block_of = |host: &str, rest: Vec<u8>| {
        vec![frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            1,
            &[h2::block(&of_host(&PLAIN[..4], host)), rest].concat(),
        )]
    };
    vec![
        attack(
            "hpack-broken",
            "numbers of no entry, integers without an end, strings longer than their block",
        )
        .known("RFC 7541 section 2.3.3")
        .h2(|host| block_of(host, hpack::indexed(200)))
        .h2(|host| block_of(host, vec![0x80]))
        .h2(|host| block_of(host, vec![0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
        .h2(|host| block_of(host, vec![0, 0x7f, 0xff, 0x7f]))
        .nothing(),
        attack("hpack-broken-huffman", "the end-of-string code and wrong padding")
            .known("RFC 7541 section 5.2")
            .h2(|host| {
                block_of(
                    host,
                    [
                        &[0][..],
                        &hpack::string(b"x-a", 0),
                        &hpack::string(&[0xff; 5], 0x80),
                    ]
                    .concat(),
                )
            })
            .h2(|host| {
                block_of(
                    host,
                    [&[0][..], &hpack::string(b"x-a", 0), &hpack::string(&[0x00], 0x80)].concat(),
                )
            })
            .nothing(),
        attack(
            "hpack-bomb",
            "one large field in the table, named thousands of times",
        )
        .known("CVE-2016-6581")
        .h2(|host| {
            let large = hpack::indexed_literal(b"x-bomb", &[b'b'; 4000]);
            let names: Vec<u8> = (0..4000).flat_map(|_| hpack::indexed(62)).collect();
            block_of(host, [large, names].concat())
        })
        .nothing(),
        attack("hpack-table-too-large", "a table larger than was agreed on")
            .h2(|host| block_of(host, vec![0x3f, 0xff, 0xff, 0x7f]))
            .nothing(),
        attack(
            "h2-head-too-large",
            "a head of a megabyte in frames that are allowed",
        )
        .h2(|host| {
            let field = hpack::literal(b"x-a", &[b'b'; 16_000]);
            let mut frames = vec![frame(
                HEADERS,
                END_STREAM,
                1,
                &h2::block(&of_host(&PLAIN[..4], host)),
            )];
            frames.extend((0..64).map(|_| frame(CONTINUATION, 0, 1, &field)));
            frames.push(frame(CONTINUATION, END_HEADERS, 1, &[]));
            vec![frames.concat()]
        })
        .nothing(),
    ]
}

fn streams() -> Vec<Attack> {
    let plain = |host: &str, stream: u32| h2::request(stream, &of_host(PLAIN, host));
    vec![
        attack(
            "h2-odd-streams",
            "even numbers, numbers that go back, data for a stream that is none",
        )
        .known("RFC 9113 section 5.1.1")
        .h2(|host| vec![plain(host, 2)])
        .h2(|_| vec![frame(DATA, END_STREAM, 1, b"hello")])
        .h2(|_| vec![frame(HEADERS, END_STREAM | END_HEADERS, 0, &h2::block(PLAIN))])
        .nothing(),
        attack(
            "h2-frame-out-of-place",
            "another frame within a block of fields, and a block that nobody began",
        )
        .known("RFC 9113 section 6.10")
        .h2(|host| {
            let begun = frame(HEADERS, END_STREAM, 1, &h2::block(&of_host(PLAIN, host)));
            vec![
                [
                    begun,
                    frame(DATA, 0, 1, b"x"),
                    frame(CONTINUATION, END_HEADERS, 1, &[]),
                ]
                .concat(),
            ]
        })
        .h2(|_| vec![frame(CONTINUATION, END_HEADERS, 1, &[])])
        .nothing(),
        attack(
            "h2-frame-of-a-wrong-size",
            "settings, pings and resets of sizes they have not, and frames that are too large",
        )
        .known("RFC 9113 section 4.2")
        .h2(|_| vec![frame(SETTINGS, 0, 0, &[0; 5])])
        .h2(|_| vec![frame(RST_STREAM, 0, 1, &[0; 3])])
        .h2(|_| vec![frame(WINDOW_UPDATE, 0, 0, &[0; 3])])
        .h2(|host| {
            vec![frame(
                HEADERS,
                END_STREAM | END_HEADERS,
                1,
                &[h2::block(&of_host(PLAIN, host)), vec![0; 20_000]].concat(),
            )]
        })
        .nothing(),
        attack(
            "h2-padding-longer-than-its-frame",
            "padding that is longer than what it pads",
        )
        .h2(|host| {
            let block = h2::block(&of_host(PLAIN, host));
            vec![frame(
                HEADERS,
                END_STREAM | END_HEADERS | PADDED,
                1,
                &[vec![255], block[..40].to_vec()].concat(),
            )]
        })
        .nothing(),
        attack(
            "h2-window-tricks",
            "windows of zero, windows that overflow, a setting that overflows them",
        )
        .known("CVE-2019-9511, CVE-2019-9517")
        .h2(|_| vec![frame(WINDOW_UPDATE, 0, 0, &[0; 4])])
        .h2(|_| vec![frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])])
        .h2(|_| vec![frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])])
        .nothing(),
        attack("h2-priority-of-itself", "a stream that depends on itself")
            .known("CVE-2019-9513, RFC 9113 section 5.3.1")
            .h2(|host| {
                let block = [vec![0, 0, 0, 1, 16], h2::block(&of_host(PLAIN, host))].concat();
                vec![frame(HEADERS, END_STREAM | END_HEADERS | 0x20, 1, &block)]
            })
            .h2(|_| vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 16])])
            .normal("as an ordinary request at most", |arrival| {
                arrival.path() == "/echo/a"
            }),
        attack(
            "h2-push-from-a-client",
            "a pushed request, which only servers may send",
        )
        .known("RFC 9113 section 8.4")
        .h2(|host| {
            vec![frame(
                PUSH_PROMISE,
                END_HEADERS,
                1,
                &[vec![0, 0, 0, 2], h2::block(&of_host(PLAIN, host))].concat(),
            )]
        })
        .nothing(),
        attack("h2-after-goodbye", "GOAWAY with debug data of the attacker's")
            .h2(|_| vec![frame(GOAWAY, 0, 0, &[&[0; 8][..], b"\x1b]0;x\x07"].concat())])
            .nothing(),
    ]
}
