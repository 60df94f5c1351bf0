//! Floods of frames that cost their sender little. The connection is ended, or what it may cost is bounded; and a request on
//! another connection is answered meanwhile, which is the twin.

use super::http2::attack;
use crate::attack::{Attack, Seen};
use crate::build::{PLAIN, of_host};
use crate::h2::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame,
};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn list() -> Vec<Attack> {
    let plain = |host: &str, stream: u32| h2::request(stream, &of_host(PLAIN, host));
    let odd = |count: u32| (0..count).map(|number| 2 * number + 1);
    vec![
        attack("h2-rapid-reset", "thousands of requests, each taken back at once")
            .known("CVE-2023-44487")
            .h2(|host| {
                let storm = odd(12_000).flat_map(|stream| {
                    [plain(host, stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
                });
                vec![storm.collect()]
            })
            .seen("the connection is ended", ended),
        attack(
            "h2-made-you-reset",
            "thousands of requests that the gate must reset itself",
        )
        .known("CVE-2025-8671")
        .h2(|host| {
            let storm = odd(6000)
                .flat_map(|stream| [plain(host, stream), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat());
            vec![storm.collect()]
        })
        .seen("the connection is ended", ended),
        attack("h2-continuation-flood", "a block of fields without an end")
            .known("CVE-2024-27316")
            .h2(|host| {
                let begun = frame(HEADERS, END_STREAM, 1, &h2::block(&of_host(PLAIN, host)));
                vec![
                    [
                        vec![begun],
                        (0..8000).map(|_| frame(CONTINUATION, 0, 1, &[])).collect(),
                    ]
                    .concat()
                    .concat(),
                ]
            })
            .seen("the connection is ended", ended),
        attack("h2-too-many-streams", "more requests at once than was agreed on")
            .h2(|host| {
                let open = odd(2000).map(|stream| {
                    let fields = [
                        (":method", "POST"),
                        (":scheme", "https"),
                        (":authority", "{host}"),
                        (":path", "/echo/a"),
                    ];
                    frame(HEADERS, END_HEADERS, stream, &h2::block(&of_host(&fields, host)))
                });
                vec![open.collect::<Vec<_>>().concat()]
            })
            .seen("those beyond are refused, or the connection is ended", |seen| {
                ended(seen) || seen.ended.as_deref() == Some("stream reset: REFUSED_STREAM")
            }),
        attack(
            "h2-settings-flood",
            "thousands of settings, each of which must be acknowledged",
        )
        .known("CVE-2019-9515")
        .h2(|host| {
            vec![
                [
                    (0..20_000).flat_map(|_| frame(SETTINGS, 0, 0, &[])).collect(),
                    plain(host, 1),
                ]
                .concat(),
            ]
        })
        .seen("answered, or ended", answered_or_ended),
        attack(
            "h2-ping-flood",
            "thousands of pings, each of which must be answered",
        )
        .known("CVE-2019-9512")
        .h2(|host| {
            vec![
                [
                    (0..20_000).flat_map(|_| frame(PING, 0, 0, &[7; 8])).collect(),
                    plain(host, 1),
                ]
                .concat(),
            ]
        })
        .seen("answered, or ended", answered_or_ended),
        attack("h2-empty-data-flood", "thousands of empty frames")
            .known("CVE-2019-9518")
            .h2(|host| {
                let fields = [
                    (":method", "POST"),
                    (":scheme", "https"),
                    (":authority", "{host}"),
                    (":path", "/echo/a"),
                ];
                let head = frame(HEADERS, END_HEADERS, 1, &h2::block(&of_host(&fields, host)));
                let empty = (0..20_000).flat_map(|_| frame(DATA, 0, 1, &[])).collect();
                vec![[head, empty, frame(DATA, END_STREAM, 1, &[])].concat()]
            })
            .seen("answered, or ended", answered_or_ended),
        attack("h2-priority-flood", "thousands of streams shuffled about")
            .known("CVE-2019-9513")
            .h2(|host| {
                let shuffle = (0..20_000_u32)
                    .flat_map(|number| frame(PRIORITY, 0, 2 * (number % 500) + 3, &[0, 0, 0, 0, 16]));
                vec![[shuffle.collect(), plain(host, 1)].concat()]
            })
            .seen("answered, or ended", answered_or_ended),
        attack(
            "h2-empty-fields-flood",
            "thousands of fields with neither name nor value",
        )
        .known("CVE-2019-9516")
        .h2(|host| {
            let empty: Vec<u8> = (0..5000).flat_map(|_| [0, 0, 0]).collect();
            let block = [h2::block(&of_host(&PLAIN[..4], host)), empty].concat();
            vec![frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)]
        })
        .nothing(),
    ]
}

fn ended(seen: &Seen) -> bool {
    seen.ended
        .as_deref()
        .is_some_and(|how| how.starts_with("connection ended") || how == "closed")
}

fn answered_or_ended(seen: &Seen) -> bool {
    ended(seen) || seen.answers.first().is_some_and(|answer| answer.status == 200)
}
