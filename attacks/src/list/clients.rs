//! Who a client of a proxy is that many share: what it shows, and what counts for nothing. The gate's own credential rows; those
//! that it injects for clients are another matter.

use crate::attack::{Attack, Section, Seen, host1, twin_of};
use crate::build::{Draft, attack as draft, bearer, shared};

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::Clients, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = worthless();
    list.extend(of_others());
    list
}

impl Draft {
    /// A request in absolute form and a CONNECT, both with these fields.
    fn showing(self, fields: &str) -> Self {
        let host = host1(self.class());
        self.tried(shared(&host, get("/echo/a", fields).as_bytes()))
            .tried(shared(&host, connect(fields).as_bytes()))
    }

    fn shown_twin(self, what: &'static str, token: &str) -> Self {
        let host = twin_of(&host1(self.class()));
        let twin = shared(&host, get("/echo/a", &bearer(token)).as_bytes());
        self.beside(what, twin)
    }

    fn good_twin(self) -> Self {
        self.shown_twin("a credential that counts", "good")
    }
}

fn get(path: &str, fields: &str) -> String {
    format!("GET http://{{host}}{path} HTTP/1.1\r\nhost: {{host}}\r\nconnection: close\r\n{fields}\r\n")
}

fn connect(fields: &str) -> String {
    format!("CONNECT {{host}}:443 HTTP/1.1\r\nhost: {{host}}:443\r\n{fields}\r\n")
}

fn showing_each(draft: Draft, tokens: &[&str]) -> Draft {
    tokens
        .iter()
        .fold(draft, |draft, token| draft.showing(&bearer(token)))
        .good_twin()
}

fn worthless() -> Vec<Attack> {
    vec![
        attack("no-credential", "a client that shows nothing")
            .showing("")
            .good_twin()
            .refused(&["credential-required"]),
        showing_each(
            attack(
                "forged-credential",
                "a credential that was changed, cut, or signed by somebody else",
            ),
            &["changed", "cut", "elsewhere", "garbage"],
        )
        .refused(&["credential-refused"]),
        showing_each(
            attack(
                "unsigned-credential",
                "a credential whose header says that nothing is to be verified, or by what",
            )
            .known("CVE-2015-9235"),
            &["none", "hmac"],
        )
        .refused(&["credential-refused"]),
        showing_each(
            attack("expired-credential", "a credential whose time is over"),
            &["expired"],
        )
        .refused(&["credential-expired"]),
        showing_each(
            attack("early-credential", "a credential whose time has not come"),
            &["early"],
        )
        .refused(&["credential-refused"]),
        showing_each(
            attack("revoked-credential", "a credential that was taken back"),
            &["revoked"],
        )
        .refused(&["credential-revoked"]),
        showing_each(
            attack(
                "credential-for-another-door",
                "a credential of ours that is for another use (audience)",
            )
            .known("RFC 8725 section 3.9"),
            &["git"],
        )
        .refused(&["credential-refused"]),
        attack(
            "two-credentials",
            "two credentials, of which readers take one or the other",
        )
        .showing(&(bearer("good") + &bearer("good")))
        .showing(&(bearer("good") + &bearer("wide")))
        .showing(&(bearer("expired") + &bearer("good")))
        .showing("proxy-authorization: Bearer {token:good}, Bearer {token:wide}\r\n")
        .good_twin()
        .refused(&["credential-refused"]),
        attack(
            "credential-elsewhere",
            "a good credential where none is looked for: other fields, other schemes",
        )
        .showing("authorization: Bearer {token:good}\r\n")
        .showing("cookie: proxy-authorization={token:good}\r\n")
        .showing("proxy-authenticate: Bearer {token:good}\r\n")
        .showing("proxy-authorization: Digest {token:good}\r\n")
        .showing("proxy-authorization : Bearer {token:good}\r\n")
        .good_twin()
        .refused(&["credential-required", "credential-refused", "malformed-request"]),
    ]
}

fn of_others() -> Vec<Attack> {
    let narrow = attack(
        "credential-of-another-environment",
        "a credential of an environment that reaches nothing, used for what others may reach",
    )
    .showing(&bearer("narrow"))
    .shown_twin("a credential of an environment that reaches it", "good")
    .refused(&["host-not-allowed"]);

    let draft = attack(
        "credential-changes-on-a-connection",
        "a second request on one connection that shows another sandbox's credential, or none",
    )
    .known("connections that an intermediary shares out");
    let host = host1(draft.class());
    let then = |fields: &str| {
        let first = get("/echo/a", &bearer("good")).replace("connection: close\r\n", "");
        shared(&host, (first + &get("/echo/b", fields)).as_bytes())
    };
    let changing = draft
        .tried(then(&bearer("wide")))
        .tried(then(&bearer("garbage")))
        .tried(then(&bearer("changed")))
        .answers(2)
        .good_twin()
        .seen("the first is answered and the second refused", second_is_refused);

    let draft = attack(
        "credential-left-out-on-a-connection",
        "a second request on one connection that shows nothing, as one of somebody else's would",
    );
    let host = host1(draft.class());
    let first = get("/echo/a", &bearer("good")).replace("connection: close\r\n", "");
    let left_out = draft
        .tried(shared(&host, (first + &get("/echo/b", "")).as_bytes()))
        .answers(2)
        .good_twin()
        .seen("the first is answered and the second refused", second_is_refused);

    let carried = attack(
        "credential-carried-on",
        "the gate's own credential, which an origin that sees it could use",
    )
    .showing(&bearer("good"))
    .showing("proxy-authorization: bEaReR {token:good}\r\nconnection: proxy-authorization\r\n")
    .good_twin()
    .arrives("without it", |arrival| {
        arrival.fields("proxy-authorization").is_empty() && !arrival.head.contains("eyJ")
    });
    vec![narrow, changing, left_out, carried]
}

fn second_is_refused(seen: &Seen) -> bool {
    let told: Vec<_> = seen
        .answers
        .iter()
        .map(|answer| (answer.status, answer.reason.as_str()))
        .collect();
    matches!(
        told[..],
        [(200, ""), (407, "credential-changed" | "credential-required")]
    )
}
