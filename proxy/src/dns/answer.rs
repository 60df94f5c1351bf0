//! One query in, one reply out. No sockets, no clock, nobody asked.
//!
//! What a message meets, in order:
//! 1. Shorter than a header, longer than [`MOST_MESSAGE_BYTES`], or itself a response:
//!    dropped (answering responses would let two servers talk for ever).
//! 2. Not a message: FORMERR. Another operation than QUERY: NOTIMP. Not exactly one
//!    question: FORMERR. A newer EDNS: BADVERS. Another class than IN: REFUSED.
//! 3. `localhost` and below is loopback (RFC 6761); the sandbox's own name is itself;
//!    a PTR query is answered from the table.
//! 4. A name that is not one, to policy's own parser: NXDOMAIN. A hidden name: the same.
//! 5. Any other name exists. A and AAAA have its synthetic addresses, every other type
//!    is empty: HTTPS and SVCB above all, so that no client learns an ECH key and hides
//!    its SNI from us. No room in the table: SERVFAIL.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, rdata};
use outwall_policy::DomainName;

use super::names::{Exhausted, NameTable, SyntheticAddresses};

/// What the answering of queries is told by its surroundings, and tells them.
///
/// Nothing of the table is locked while these are called; they should return soon all
/// the same, for the next query of this sandbox waits behind them. `()` hides nothing
/// and listens to nothing.
pub trait Oversight: Send + Sync {
    /// Whether `name` is answered as if it did not exist, for environments that want
    /// `refused_names = "nxdomain"`. Such a name gets no addresses.
    fn hides(&self, name: &DomainName) -> bool {
        let _ = name;
        false
    }

    /// The sandbox asks for `name` for the first time.
    fn first_seen(&self, name: &DomainName, kind: QueryKind) {
        let _ = (name, kind);
    }

    /// The sandbox has asked for too many names; `name` was answered with SERVFAIL.
    /// Called per query: what listens should count, not write each one down.
    fn exhausted(&self, name: &DomainName, why: &Exhausted) {
        let _ = (name, why);
    }
}

impl Oversight for () {}

/// The type of record that a query wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Any other type, by its number: answered with nothing.
    Other(u16),
}

/// Answers one DNS message, without its TCP length prefix.
///
/// `None` means: send nothing. A reply never exceeds 512 bytes, so it fits whatever the
/// client accepts and is never truncated.
pub fn answer(message: &[u8], names: &NameTable, oversight: &dyn Oversight) -> Option<Vec<u8>> {
    let id = u16::from_be_bytes([*message.first()?, *message.get(1)?]);
    let is_response = message.get(2)? & RESPONSE_BIT != 0;
    if is_response || message.len() < HEADER_BYTES || message.len() > MOST_MESSAGE_BYTES {
        return None;
    }
    let reply = match Message::from_vec(message) {
        Ok(asked) => reply_to(&asked, names, oversight),
        Err(_) => Message::error_msg(id, OpCode::Query, ResponseCode::FormErr),
    };
    // Encoding fails only for what a reply never holds; then silence is the safe answer.
    reply
        .to_vec()
        .ok()
        .filter(|bytes| bytes.len() <= MOST_REPLY_BYTES)
}

fn reply_to(asked: &Message, names: &NameTable, oversight: &dyn Oversight) -> Message {
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    if let Some(edns) = &asked.edns {
        reply.set_edns(our_edns());
        if edns.version() > 0 {
            return with_code(reply, ResponseCode::BADVERS);
        }
    }
    if asked.metadata.op_code != OpCode::Query {
        return with_code(reply, ResponseCode::NotImp);
    }
    let [question] = asked.queries.as_slice() else {
        return with_code(reply, ResponseCode::FormErr);
    };
    reply.add_query(question.clone());
    if question.query_class() != DNSClass::IN {
        return with_code(reply, ResponseCode::Refused);
    }
    match resolve(question, names, oversight) {
        Ok(Some(data)) => {
            reply.add_answer(Record::from_rdata(question.name().clone(), TTL_SECONDS, data));
            reply
        }
        Ok(None) => reply,
        Err(code) => with_code(reply, code),
    }
}

/// The one record that answers `question`, or none of that type, or an error code.
fn resolve(
    question: &Query,
    names: &NameTable,
    oversight: &dyn Oversight,
) -> Result<Option<RData>, ResponseCode> {
    let (name, kind) = (question.name(), QueryKind::from(question.query_type()));
    if name.is_localhost() {
        return Ok(record_of(LOOPBACK, kind));
    }
    if question.query_type() == RecordType::PTR {
        return name_behind(name, names).map(Some);
    }
    let name = domain_name(name).ok_or(ResponseCode::NXDomain)?;
    if let Some(own) = names.own_addresses(&name) {
        return Ok(record_of(own, kind));
    }
    if oversight.hides(&name) {
        return Err(ResponseCode::NXDomain);
    }
    match names.assignment(&name) {
        Ok(assignment) => {
            if assignment.first_time {
                oversight.first_seen(&name, kind);
            }
            Ok(record_of(assignment.addresses, kind))
        }
        Err(why) => {
            oversight.exhausted(&name, &why);
            Err(ResponseCode::ServFail)
        }
    }
}

fn record_of(addresses: SyntheticAddresses, kind: QueryKind) -> Option<RData> {
    match kind {
        QueryKind::A => Some(RData::A(addresses.v4.into())),
        QueryKind::Aaaa => Some(RData::AAAA(addresses.v6.into())),
        QueryKind::Other(_) => None,
    }
}

/// The answer to a reverse lookup: programs that log their peers ask for it.
fn name_behind(name: &Name, names: &NameTable) -> Result<RData, ResponseCode> {
    let network = name.parse_arpa_name().map_err(|_| ResponseCode::NXDomain)?;
    if network.prefix_len() != network.max_prefix_len() {
        return Err(ResponseCode::NXDomain);
    }
    let address: IpAddr = network.addr();
    let text = if address.is_loopback() {
        "localhost".to_owned()
    } else {
        names
            .name_of(address)
            .ok_or(ResponseCode::NXDomain)?
            .as_str()
            .to_owned()
    };
    let mut target = Name::from_ascii(&text).map_err(|_| ResponseCode::NXDomain)?;
    target.set_fqdn(true);
    Ok(RData::PTR(rdata::PTR(target)))
}

/// The name as policy knows names. Labels are read as bytes, one by one: a label that
/// holds a dot, a NUL or anything else that text would blur is not a host's name.
fn domain_name(name: &Name) -> Option<DomainName> {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !label
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.extend(label.iter().map(|byte| char::from(*byte)));
    }
    DomainName::parse(&text).ok()
}

fn with_code(mut reply: Message, code: ResponseCode) -> Message {
    reply.metadata.response_code = code;
    reply
}

fn our_edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_PAYLOAD_BYTES).set_version(0);
    edns
}

impl From<RecordType> for QueryKind {
    fn from(kind: RecordType) -> Self {
        match kind {
            RecordType::A => Self::A,
            RecordType::AAAA => Self::Aaaa,
            other => Self::Other(other.into()),
        }
    }
}

/// As `dig` prints it: `A`, `AAAA`, `HTTPS`, `TYPE65400`.
impl fmt::Display for QueryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A => f.write_str("A"),
            Self::Aaaa => f.write_str("AAAA"),
            Self::Other(number) => match RecordType::from(*number) {
                RecordType::Unknown(number) => write!(f, "TYPE{number}"),
                known => write!(f, "{known}"),
            },
        }
    }
}

/// How long a client may keep an answer. Short enough for clients to notice that an
/// operator changed `refused_names`; the address itself stays good for longer.
pub const TTL_SECONDS: u32 = 60;

/// The longest message that is read. A query of one question needs some 300 bytes.
pub(super) const MOST_MESSAGE_BYTES: usize = 4096;

/// What every client accepts over UDP without EDNS (RFC 1035, section 4.2.1). One
/// question, one record and our OPT never come near it.
const MOST_REPLY_BYTES: usize = 512;

/// What we say we accept over UDP (the value of DNS flag day 2020).
const EDNS_PAYLOAD_BYTES: u16 = 1232;

const HEADER_BYTES: usize = 12;
const RESPONSE_BIT: u8 = 0b1000_0000;

const LOOPBACK: SyntheticAddresses = SyntheticAddresses {
    v4: Ipv4Addr::LOCALHOST,
    v6: Ipv6Addr::LOCALHOST,
};

#[cfg(test)]
mod tests;
