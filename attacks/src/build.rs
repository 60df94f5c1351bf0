//! Writes an attack down in a few lines. Its hosts follow from its class.

use crate::attack::{
    Act, Arrival, Attack, Attempt, Holds, Inside, Opening, Port, Question, Section, Seen, Side, Speaks, Talk,
    host1, host2, resolved, twin_of,
};
use crate::h2;
use crate::kernel::Kernel;

/// An attack that is being written down.
pub(crate) struct Draft(Attack);

/// Begins an attack.
pub(crate) fn attack(section: Section, class: &'static str, tries: &'static str) -> Draft {
    Draft(Attack {
        class,
        section,
        tries,
        known: "",
        twin: "",
        hosts: Vec::new(),
        holds: Holds::Nothing,
        attempts: Vec::new(),
        twins: Vec::new(),
    })
}

impl Draft {
    /// A public case, or the rule that it breaks.
    pub(crate) fn known(mut self, known: &'static str) -> Self {
        self.0.known = known;
        self
    }

    /// It is tried at this host of the world as well.
    pub(crate) fn at(mut self, host: &'static str) -> Self {
        if !self.0.hosts.contains(&host) {
            self.0.hosts.push(host);
        }
        self
    }

    /// One more attempt.
    pub(crate) fn tried(mut self, attempt: Attempt) -> Self {
        self.0.attempts.push(attempt);
        self
    }

    /// One more twin, and what it shows.
    pub(crate) fn beside(mut self, what: &'static str, twin: Attempt) -> Self {
        self.0.twin = what;
        self.0.twins.push(twin);
        self
    }

    /// Raw http/1.1 inside TLS, to origins of both kinds. `{host}` is the class's host.
    pub(crate) fn http1(self, text: impl AsRef<[u8]>) -> Self {
        let (one, two) = (self.host1(), self.host2());
        self.tried(http1(&one, &[text.as_ref()]))
            .tried(http1(&two, &[text.as_ref()]))
    }

    /// The same in pieces.
    pub(crate) fn http1_pieces(self, pieces: &[&[u8]]) -> Self {
        let host = self.host1();
        self.tried(http1(&host, pieces))
    }

    /// Raw http/1.1 in the clear.
    pub(crate) fn clear(self, text: impl AsRef<[u8]>) -> Self {
        let host = self.host1();
        self.tried(clear(&host, 80, text.as_ref()))
    }

    /// Raw frames inside TLS, to origins of both kinds.
    pub(crate) fn h2(self, frames: impl Fn(&str) -> Vec<Vec<u8>>) -> Self {
        let (one, two) = (self.host1(), self.host2());
        let (to_one, to_two) = (frames_to(&one, &frames(&one)), frames_to(&two, &frames(&two)));
        self.tried(to_one).tried(to_two)
    }

    /// A whole h2 request of these fields; `{host}` is the class's host.
    pub(crate) fn fields(self, fields: &[(&str, &str)]) -> Self {
        self.h2(|host| vec![h2::request(1, &of_host(fields, host))])
    }

    /// Bytes to the proxy itself.
    pub(crate) fn proxy(self, text: impl AsRef<[u8]>) -> Self {
        let host = self.host1();
        self.tried(proxy(&host, text.as_ref()))
    }

    /// A request to a name that leads to these addresses: in one answer, or one after the other where `sets` are several.
    pub(crate) fn resolving(self, label: &str) -> Self {
        let name = resolved(label, self.0.class);
        self.tried(to_victim(&name))
    }

    /// Asks the kernel.
    pub(crate) fn kernel(self, kernel: Kernel) -> Self {
        self.tried(Attempt {
            from: Side::Sandbox,
            act: Act::Kernel(kernel),
        })
    }

    /// Asks a name server.
    pub(crate) fn ask(self, question: Question) -> Self {
        self.tried(Attempt {
            from: Side::Sandbox,
            act: Act::Ask(question),
        })
    }

    /// The last attempt is answered by silence at best: it is not waited for long.
    pub(crate) fn unanswered(mut self) -> Self {
        for attempt in &mut self.0.attempts {
            if let Act::Talk(talk) = &mut attempt.act {
                talk.answers = 0;
            }
        }
        self
    }

    /// Each attempt is answered so often.
    pub(crate) fn answers(mut self, answers: usize) -> Self {
        for attempt in &mut self.0.attempts {
            if let Act::Talk(talk) = &mut attempt.act {
                talk.answers = answers;
            }
        }
        self
    }

    /// A twin in raw http/1.1.
    pub(crate) fn twin_http1(self, what: &'static str, text: impl AsRef<[u8]>) -> Self {
        let host = twin_of(&self.host1());
        self.beside(what, http1(&host, &[text.as_ref()]))
    }

    /// A twin in h2.
    pub(crate) fn twin_h2(self, what: &'static str, frames: impl Fn(&str) -> Vec<Vec<u8>>) -> Self {
        let host = twin_of(&self.host1());
        let frames = frames(&host);
        self.beside(what, frames_to(&host, &frames))
    }

    pub(crate) fn refused(self, codes: &'static [&'static str]) -> Attack {
        self.held(Holds::Refused(codes))
    }

    pub(crate) fn nothing(self) -> Attack {
        self.held(Holds::Nothing)
    }

    pub(crate) fn normal(self, what: &'static str, is: fn(&Arrival) -> bool) -> Attack {
        self.held(Holds::Normal(what, is))
    }

    pub(crate) fn arrives(self, what: &'static str, is: fn(&Arrival) -> bool) -> Attack {
        self.held(Holds::Arrives(what, is))
    }

    pub(crate) fn seen(self, what: &'static str, is: fn(&Seen) -> bool) -> Attack {
        self.held(Holds::Seen(what, is))
    }

    pub(crate) fn recorded(self, codes: &'static [&'static str]) -> Attack {
        self.held(Holds::Recorded(codes))
    }

    pub(crate) fn kernel_holds(self) -> Attack {
        self.held(Holds::Kernel)
    }

    /// Without a twin of its own, an attack has the plainest one that goes the same way.
    fn held(mut self, holds: Holds) -> Attack {
        self.0.holds = holds;
        if self.0.twins.is_empty() {
            let host = twin_of(&self.host1());
            let frames = |talk: &Talk| {
                matches!(
                    talk.inside,
                    Inside::Tls {
                        speaks: Speaks::H2,
                        ..
                    }
                )
            };
            let first = self.0.attempts.first().map(|attempt| &attempt.act);
            let (what, twin) = match first {
                Some(Act::Talk(talk)) if frames(talk) => (
                    "an ordinary h2 request",
                    frames_to(&host, &[h2::request(1, &of_host(PLAIN, &host))]),
                ),
                Some(Act::Talk(talk)) if matches!(talk.opening, Opening::Proxy { .. }) => {
                    ("an ordinary request by the proxy", proxy(&host, PLAIN_ABSOLUTE))
                }
                _ => ("an ordinary request", http1(&host, &[PLAIN_HTTP1])),
            };
            self = self.beside(what, twin);
        }
        self.0
    }

    /// The class that is being written down.
    pub(crate) fn class(&self) -> &'static str {
        self.0.class
    }

    fn host1(&self) -> String {
        host1(self.0.class)
    }

    fn host2(&self) -> String {
        host2(self.0.class)
    }
}

pub(crate) fn http1(host: &str, pieces: &[&[u8]]) -> Attempt {
    let inside = Inside::Tls {
        name: Some(host.to_owned()),
        speaks: Speaks::Http1,
    };
    talk(
        direct(host, Port::Number(443)),
        inside,
        pieces.iter().map(|piece| with_host(piece, host)).collect(),
    )
}

pub(crate) fn clear(host: &str, port: u16, text: &[u8]) -> Attempt {
    talk(
        direct(host, Port::Number(port)),
        Inside::Clear,
        vec![with_host(text, host)],
    )
}

/// Frames after a preface and settings.
pub(crate) fn frames_to(host: &str, frames: &[Vec<u8>]) -> Attempt {
    let inside = Inside::Tls {
        name: Some(host.to_owned()),
        speaks: Speaks::H2,
    };
    let mut pieces = frames.to_vec();
    let first = if pieces.is_empty() {
        Vec::new()
    } else {
        pieces.remove(0)
    };
    pieces.insert(0, h2::opening(&[first]));
    talk(direct(host, Port::Number(443)), inside, pieces)
}

pub(crate) fn proxy(host: &str, text: &[u8]) -> Attempt {
    let opening = Opening::Proxy {
        connect: None,
        fields: String::new(),
    };
    let mut attempt = talk(opening, Inside::Clear, vec![with_host(text, host)]);
    attempt.from = Side::Proxy;
    attempt
}

/// Bytes to the proxy that many share.
pub(crate) fn shared(host: &str, text: &[u8]) -> Attempt {
    let mut attempt = proxy(host, text);
    attempt.from = Side::Clients;
    attempt
}

/// The same by CONNECT to a target, showing this credential, and what is spoken within.
pub(crate) fn shared_connect(target: &str, token: &str, inside: Inside, pieces: Vec<Vec<u8>>) -> Attempt {
    let opening = Opening::Proxy {
        connect: Some(target.to_owned()),
        fields: bearer(token),
    };
    let mut attempt = talk(opening, inside, pieces);
    attempt.from = Side::Clients;
    attempt
}

/// The field that shows the credential of this name.
pub(crate) fn bearer(token: &str) -> String {
    format!("proxy-authorization: Bearer {{token:{token}}}\r\n")
}

/// A request in the clear at the victim's port.
pub(crate) fn to_victim(host: &str) -> Attempt {
    let text = b"GET /echo/a HTTP/1.1\r\nhost: {host}:{victim}\r\nconnection: close\r\n\r\n";
    talk(
        direct(host, Port::Victim),
        Inside::Clear,
        vec![with_host(text, host)],
    )
}

pub(crate) fn direct(host: &str, port: Port) -> Opening {
    Opening::Direct {
        host: host.to_owned(),
        port,
    }
}

pub(crate) fn talk(opening: Opening, inside: Inside, pieces: Vec<Vec<u8>>) -> Attempt {
    Attempt {
        from: Side::Sandbox,
        act: Act::Talk(Talk {
            opening,
            inside,
            pieces,
            answers: 1,
        }),
    }
}

/// The text with the host in it.
pub(crate) fn with_host(text: &[u8], host: &str) -> Vec<u8> {
    let text = replaced(text, b"{HOST}", host.to_ascii_uppercase().as_bytes());
    replaced(&text, b"{host}", host.as_bytes())
}

/// Every `what` replaced.
pub(crate) fn replaced(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        all.extend_from_slice(&rest[..at]);
        all.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    all.extend_from_slice(rest);
    all
}

/// The fields with the host in them. Leaks nothing that matters: the list is made once or twice in a process.
pub(crate) fn of_host<'f>(fields: &[(&'f str, &'f str)], host: &str) -> Vec<(&'f str, &'f str)> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| {
            let put = |text: &'f str| -> &'f str {
                if text.contains("{host}") {
                    Box::leak(text.replace("{host}", host).into_boxed_str())
                } else {
                    text
                }
            };
            (put(name), put(value))
        })
        .collect()
}

/// The plainest request of h2.
pub(crate) const PLAIN: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "{host}"),
    (":path", "/echo/a"),
    ("x-a", "b"),
];
/// The plainest request of http/1.1.
pub(crate) const PLAIN_HTTP1: &[u8] = b"GET /echo/a HTTP/1.1\r\nhost: {host}\r\nx-a: b\r\n\r\n";
const PLAIN_ABSOLUTE: &[u8] =
    b"GET http://{host}/echo/a HTTP/1.1\r\nhost: {host}\r\nx-a: b\r\nconnection: close\r\n\r\n";
