//! The nouns: an attack is a class with the ways in which it is tried, what holds it, and the twin that must be allowed.
//!
//! Every class has hosts of its own, so that whatever reaches an origin is known by its class.

use crate::kernel::Kernel;

/// One class of attacks.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Its stable name, in kebab case.
    pub class: &'static str,
    /// Where it belongs.
    pub section: Section,
    /// What it tries, in a few words.
    pub tries: &'static str,
    /// A public case, or the rule that it breaks; empty where there is none to name.
    pub known: &'static str,
    /// What is allowed in its place, in a few words.
    pub twin: &'static str,
    /// Hosts of the world that it is tried at. They are the range's while it runs, and no other class's.
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) holds: Holds,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) twins: Vec<Attempt>,
}

/// The sections of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Names that are not what they seem.
    Hosts,
    /// Names and literals that lead where none may lead.
    Addresses,
    /// Names that disagree.
    Fronting,
    /// What TLS carries from one connection to the next, or begins anew within one.
    Sessions,
    /// HTTP/1.1 that two readers frame differently.
    Http1,
    /// HTTP/2 that is something else once it is HTTP/1.1, and floods of frames.
    Http2,
    /// Everything that is not a request.
    Channels,
    /// Through a host that is allowed.
    AllowedHost,
    /// Through a host whose connections are not read.
    Tunnels,
    /// Who a client of a shared proxy is.
    Clients,
}

impl Section {
    /// All of them, in the order of the list.
    pub const ALL: [Self; 10] = [
        Self::Hosts,
        Self::Addresses,
        Self::Fronting,
        Self::Sessions,
        Self::Http1,
        Self::Http2,
        Self::Channels,
        Self::AllowedHost,
        Self::Tunnels,
        Self::Clients,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Hosts => "host names",
            Self::Addresses => "addresses",
            Self::Fronting => "fronting",
            Self::Sessions => "sessions of TLS",
            Self::Http1 => "framing of http/1.1",
            Self::Http2 => "framing of h2",
            Self::Channels => "other channels",
            Self::AllowedHost => "through an allowed host",
            Self::Tunnels => "through a tunnel",
            Self::Clients => "who a client is",
        }
    }
}

/// What counts as held. Whatever it is: no request arrives that is not described here, and none at the victim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    /// Each attempt is answered with one of these codes, and nothing arrives.
    Refused(&'static [&'static str]),
    /// As `Nothing`, and the audit says why by one of these codes: for what cannot be told.
    Recorded(&'static [&'static str]),
    /// No attempt is told of success, and nothing arrives.
    Nothing,
    /// As `Normal`, and something does arrive.
    Arrives(&'static str, fn(&Arrival) -> bool),
    /// What arrives is this and nothing else; an attempt that is refused is held as well.
    Normal(&'static str, fn(&Arrival) -> bool),
    /// The kernel says no.
    Kernel,
    /// What the attempt saw is this.
    Seen(&'static str, fn(&Seen) -> bool),
}

/// One way of trying.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) from: Side,
    pub(crate) act: Act,
}

/// Where, and when, an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In a sandbox, whose connections are captured.
    Sandbox,
    /// Beside a gate that is spoken to as a proxy.
    Proxy,
    /// Beside a gate that many share, each known by the credential that it shows. Pieces name credentials as `{token:NAME}`.
    Clients,
    /// Beside a gate that is spoken to as a proxy, once it has read its policy again.
    AfterReload,
    /// The same, once it was to read one that is broken.
    AfterBrokenReload,
    /// The same, once the gate was killed and started again.
    AfterRestart,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Bytes over a connection.
    Talk(Talk),
    /// Something that is asked of the kernel.
    Kernel(Kernel),
    /// A question to a name server.
    Ask(Question),
}

/// A question to a name server.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) server: &'static str,
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) over_tcp: bool,
}

/// Bytes over a connection.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) opening: Opening,
    pub(crate) inside: Inside,
    /// Written one after the other with a pause between. `{victim}`, `{proxy}` and `{token:NAME}` are replaced.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// How many answers are waited for. None: what comes is looked at, and not waited for long.
    pub(crate) answers: usize,
}

/// How the connection is opened.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// To a host and port, as a program does that knows of no gate.
    Direct { host: String, port: Port },
    /// To the proxy, and by CONNECT to this target where there is one, with these further fields.
    Proxy { connect: Option<String>, fields: String },
}

/// A port, of which some are known only when the list is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Number(u16),
    /// Where the victim listens.
    Victim,
}

/// What is spoken within the connection.
#[derive(Clone, Debug)]
pub(crate) enum Inside {
    /// The pieces and nothing else.
    Clear,
    /// TLS with this name in SNI (none: none), then the pieces.
    Tls { name: Option<String>, speaks: Speaks },
    /// TLS whose hello arrives in records of a few bytes, then the pieces.
    SplitTls { name: String },
    /// TLS with the session of another connection, then the pieces.
    Resumed(Box<Resumed>),
    /// TLS 1.2, within which a second hello with this name (none: no hello) asks to begin anew, then the pieces.
    Renegotiated { name: String, second: Option<String> },
}

/// A connection that shows the session of another one.
#[derive(Clone, Debug)]
pub(crate) struct Resumed {
    pub(crate) version: Version,
    /// Where the session is from: a connection to there, with this name in SNI.
    pub(crate) from: (Opening, Option<String>),
    /// The name in SNI with which it is shown.
    pub(crate) name: Option<String>,
    /// Bytes in TLS 1.3's early data.
    pub(crate) early: Vec<u8>,
    pub(crate) expects: Session,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// Whether a session must be taken up again, for the attempt to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// It must: this is a twin.
    TakenUp,
    /// Whether it is, is looked at afterwards.
    Any,
}

/// The protocol of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    H2,
    /// A protocol in ALPN that nobody has.
    Unknown,
}

/// What an attempt saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// The responses, in their order.
    pub answers: Vec<Answer>,
    /// How a stream or the connection ended, as far as it was said.
    pub ended: Option<String>,
    /// Why it could not be tried at all, which is how the kernel holds.
    pub failure: Option<String>,
    /// The start of what came, for people.
    pub text: String,
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `x-outwall-reason`, or empty.
    pub reason: String,
}

/// A request as it reached an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Where: `origin`, `stand-in` or `victim`.
    pub place: &'static str,
    /// The head: lines of http/1.1 as they came, or fields of h2 with a colon between name and value.
    pub head: String,
    /// The start of the body, as it was framed.
    pub body: Vec<u8>,
    /// Fields after the body.
    pub trailers: String,
}

impl Arrival {
    /// The values of all fields of this name, pseudo-fields of h2 included.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines();
        lines
            .filter_map(|line| {
                line.get(name.len()..)?
                    .strip_prefix(':')
                    .filter(|_| line[..name.len()].eq_ignore_ascii_case(name))
            })
            .map(str::trim)
            .collect()
    }

    /// The request target.
    pub fn path(&self) -> &str {
        let pseudo = self.fields(":path").first().copied();
        pseudo.unwrap_or_else(|| self.head.split(' ').nth(1).unwrap_or_default())
    }

    /// The method.
    pub fn method(&self) -> &str {
        let pseudo = self.fields(":method").first().copied();
        pseudo.unwrap_or_else(|| self.head.split(' ').next().unwrap_or_default())
    }

    /// The host that it names.
    pub fn host(&self) -> &str {
        let named = self.fields(":authority").first().copied();
        named.or(self.fields("host").first().copied()).unwrap_or_default()
    }
}

/// The domain below which all hosts of the list are. `.test` is nobody's (RFC 6761).
pub const DOMAIN: &str = "attack.outwall.test";
/// The domain of names that are only looked up, so that nobody may ever be asked for one.
pub(crate) const LOOKED_UP: &str = "lookup.outwall.test";
/// The domain of hosts that no list names.
pub const EVIL: &str = "evil.outwall.test";

/// The field by which a twin is known that goes to a host of the world, as its attack does.
pub(crate) const TWIN: &str = "x-outwall-twin";

/// The names of the credentials that the list shows to a shared proxy. `good` and `wide` are of the chosen environment, each of
/// a sandbox of its own; `trusted`, `tunnel` and `narrow` of environments that are what they say; the others must not count.
pub const TOKENS: [&str; 15] = [
    "good",
    "wide",
    "trusted",
    "tunnel",
    "narrow",
    "expired",
    "early",
    "revoked",
    "git",
    "elsewhere",
    "changed",
    "cut",
    "garbage",
    "none",
    "hmac",
];

/// The host of a class whose origin speaks http/1.1.
pub(crate) fn host1(class: &str) -> String {
    format!("{class}.h1.{DOMAIN}")
}

/// The host of a class whose origin speaks h2.
pub(crate) fn host2(class: &str) -> String {
    format!("{class}.h2.{DOMAIN}")
}

/// The name of a class that is looked up where names lead to where the list says.
pub(crate) fn resolved(label: &str, class: &str) -> String {
    format!("{label}.{class}.dns.{DOMAIN}")
}

/// The host of a twin: beside the class's own.
pub(crate) fn twin_of(host: &str) -> String {
    host.replacen('.', "--twin.", 1)
}
