//! Sessions of TLS: what was agreed on for one host must not count for another, nor twice, nor be changed midway.

use crate::attack::{
    Attack, Attempt, Inside, Opening, Port, Resumed, Section, Session, Side, Version, host1, twin_of,
};
use crate::build::{Draft, attack as draft, direct, talk};
use crate::make::{BEGUN_ANEW, TAKEN_UP};
use crate::renegotiate::NO;

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Sessions, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    vec![of_another_name(), and_host_of_another(), early(), renegotiation()]
}

/// A class's own host, and another one that is allowed.
fn hosts(draft: &Draft) -> (String, String) {
    let own = host1(draft.class());
    let other = twin_of(&own);
    (own, other)
}

fn get(host: &str, path: &str) -> Vec<Vec<u8>> {
    vec![format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()]
}

fn at(host: &str) -> Opening {
    direct(host, Port::Number(443))
}

/// A session that began with a host, to be shown to that host.
fn session_of(host: &str, version: Version) -> Resumed {
    Resumed {
        version,
        from: (at(host), Some(host.to_owned())),
        name: Some(host.to_owned()),
        early: Vec::new(),
        expects: Session::Any,
    }
}

fn shown(to: &str, resumed: Resumed, pieces: Vec<Vec<u8>>) -> Attempt {
    talk(at(to), Inside::Resumed(Box::new(resumed)), pieces)
}

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

fn of_another_name() -> Attack {
    let draft = attack(
        "session-of-another-name",
        "a session that began with one allowed name, shown with another name in SNI",
    )
    .known("RFC 6066 section 3");
    let (own, other) = hosts(&draft);
    VERSIONS
        .into_iter()
        .fold(draft, |draft, version| {
            let fronted = Resumed {
                name: Some(own.clone()),
                ..session_of(&other, version)
            };
            let again = Resumed {
                expects: Session::TakenUp,
                ..session_of(&other, version)
            };
            draft.tried(shown(&own, fronted, get(&own, "/echo/a"))).beside(
                "the session of the same name, which is taken up",
                shown(&other, again, get(&other, "/echo/a")),
            )
        })
        .seen("answered in a session that begins anew", |seen| {
            let answered = seen.answers.first().is_some_and(|answer| answer.status == 200);
            answered && seen.ended.as_deref() == Some(BEGUN_ANEW)
        })
}

fn and_host_of_another() -> Attack {
    let draft = attack(
        "session-and-host-of-another",
        "the same, and a Host that agrees with where the session is from; also without any SNI",
    );
    let (own, other) = hosts(&draft);
    VERSIONS
        .into_iter()
        .fold(draft, |draft, version| {
            let named = |name: Option<&String>| Resumed {
                from: (at(&other), name.map(|_| other.clone())),
                name: name.cloned(),
                ..session_of(&other, version)
            };
            let mut by_proxy = shown(&own, named(Some(&other)), get(&other, "/echo/b"));
            through_proxy(&mut by_proxy, &own, &other);
            draft
                .tried(shown(&own, named(Some(&own)), get(&other, "/echo/b")))
                .tried(shown(&own, named(Some(&other)), get(&other, "/echo/b")))
                .tried(shown(&own, named(None), get(&other, "/echo/b")))
                .tried(by_proxy)
        })
        .refused(&["fronting"])
}

/// Both of its connections by the proxy: to one host for the session, to the other to show it.
fn through_proxy(attempt: &mut Attempt, to: &str, from: &str) {
    let connect = |host: &str| Opening::Proxy {
        connect: Some(format!("{host}:443")),
        fields: String::new(),
    };
    attempt.from = Side::Proxy;
    if let crate::attack::Act::Talk(talk) = &mut attempt.act {
        talk.opening = connect(to);
        if let Inside::Resumed(resumed) = &mut talk.inside {
            resumed.from.0 = connect(from);
        }
    }
}

fn early() -> Attack {
    let draft = attack(
        "early-data",
        "a request in early data (0-RTT), which whoever overhears it can send again",
    )
    .known("RFC 8446 section 8");
    let (own, other) = hosts(&draft);
    let with_early = |session: Resumed, host: &str| Resumed {
        early: get(host, "/echo/early").concat(),
        name: Some(own.clone()),
        ..session
    };
    let own_session = with_early(session_of(&own, Version::Tls13), &own);
    let others_session = with_early(session_of(&other, Version::Tls13), &other);
    let again = Resumed {
        expects: Session::TakenUp,
        ..session_of(&other, Version::Tls13)
    };
    draft
        .tried(shown(&own, own_session, get(&own, "/echo/a")))
        .tried(shown(&own, others_session, get(&own, "/echo/a")))
        .beside(
            "the same session, and the request behind the handshake",
            shown(&other, again, get(&other, "/echo/a")),
        )
        .seen(
            "not taken; the request behind the handshake is answered",
            |seen| {
                let answered = seen.answers.first().is_some_and(|answer| answer.status == 200);
                answered
                    && seen.answers.len() == 1
                    && [TAKEN_UP, BEGUN_ANEW].map(Some).contains(&seen.ended.as_deref())
            },
        )
}

fn renegotiation() -> Attack {
    let draft = attack(
        "renegotiation",
        "a second hello within a session of TLS 1.2, with another name in SNI, and its Host",
    )
    .known("CVE-2009-3555");
    let (own, other) = hosts(&draft);
    let within = |name: &str, second: Option<&String>, pieces| {
        let inside = Inside::Renegotiated {
            name: name.to_owned(),
            second: second.cloned(),
        };
        talk(at(name), inside, pieces)
    };
    draft
        .tried(within(&own, Some(&other), get(&other, "/echo/b")))
        .beside(
            "a session of TLS 1.2 that stays as it began",
            within(&other, None, get(&other, "/echo/a")),
        )
        .seen(
            "told that there is none, and still held to its first name",
            |seen| {
                let fronting = seen
                    .answers
                    .first()
                    .is_some_and(|answer| answer.reason == "fronting");
                fronting && seen.ended.as_deref() == Some(NO)
            },
        )
}
