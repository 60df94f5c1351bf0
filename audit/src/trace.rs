//! Which trace an exchange belongs to (W3C Trace Context, level 1).
//!
//! An exchange is a span. Its ids follow from the id of its event, so that whoever reads the record and the origin that was told
//! of it mean the same span, and nothing has to be kept in between.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// The trace that a client says its request belongs to: `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    parent: u64,
    flags: u8,
}

/// The span that an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its trace: the client's, or one of its own.
    pub trace: u128,
    /// Its id.
    pub id: u64,
    /// The span that it is within; none where the client said nothing.
    pub parent: Option<u64>,
    /// The client's trace flags; the lowest bit says that the trace is recorded.
    pub flags: u8,
}

impl TraceContext {
    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`, lower case (section 3.2). Of later versions what follows these fields is ignored, as
    /// section 4.3 has it; version `ff` and ids of zeros are none.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let (fields, rest) = traceparent.split_at_checked(LENGTH)?;
        let mut fields = fields.split('-');
        let version = hex(fields.next()?, 2)?;
        let trace = hex(fields.next()?, 32)?;
        let parent = u64::try_from(hex(fields.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(fields.next()?, 2)?).ok()?;
        let ends = rest.is_empty() || version > 0 && rest.starts_with('-');
        let valid = version != 0xff && ends && fields.next().is_none() && trace != 0 && parent != 0;
        valid.then_some(Self { trace, parent, flags })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.parent, self.flags
        )
    }
}

impl Span {
    /// Of the exchange whose "going out" has this id, and that came within a trace or not.
    pub fn of(event_id: &str, within: Option<TraceContext>) -> Self {
        let (own, id) = ids(event_id);
        Self {
            trace: within.map_or(own, |within| within.trace),
            id,
            parent: within.map(|within| within.parent),
            flags: within.map_or(SAMPLED, |within| within.flags),
        }
    }

    /// What an origin is told that is to know: the span as the parent of its own.
    pub fn as_context(&self) -> TraceContext {
        TraceContext {
            trace: self.trace,
            parent: self.id,
            flags: self.flags,
        }
    }
}

/// A trace and a span for an event. Neither is zero, which would be none.
fn ids(event_id: &str) -> (u128, u64) {
    let digest = digest(&SHA256, event_id.as_bytes());
    let (trace, rest) = digest.as_ref().split_first_chunk().expect("32 bytes");
    let (id, _) = rest.split_first_chunk().expect("16 bytes are left");
    (u128::from_be_bytes(*trace).max(1), u64::from_be_bytes(*id).max(1))
}

/// So many lower hex digits. They may hold 128 bits.
fn hex(digits: &str, length: usize) -> Option<u128> {
    let lower = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let valid = digits.len() == length && digits.bytes().all(lower);
    valid.then(|| u128::from_str_radix(digits, 16).expect("at most 32 hex digits"))
}

/// Of version 0.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of section 3.2.2.
    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let read = TraceContext::parse(EXAMPLE).expect("the specification's own");
        assert_eq!(read.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_no_context_is_none() {
        for (what, text) in [
            ("nothing", String::new()),
            ("upper case", EXAMPLE.to_uppercase()),
            (
                "a trace of zeros",
                EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            ),
            (
                "a parent of zeros",
                EXAMPLE.replace("b7ad6b7169203331", &"0".repeat(16)),
            ),
            ("the version that is none", EXAMPLE.replacen("00", "ff", 1)),
            ("more behind version 0", format!("{EXAMPLE}-00")),
            ("a sign", EXAMPLE.replacen("0a", "+a", 1)),
            ("another separator", EXAMPLE.replace('-', "_")),
            ("cut off", EXAMPLE[..54].to_owned()),
            ("letters of several bytes", EXAMPLE.replacen("0a", "é", 1)),
        ] {
            assert_eq!(TraceContext::parse(&text), None, "{what}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = EXAMPLE.replacen("00", "cc", 1) + "-what-the-future-will-be-like";
        assert_eq!(TraceContext::parse(&later), TraceContext::parse(EXAMPLE));
        assert_eq!(TraceContext::parse(&later.replace("-what", "what")), None);
    }

    #[test]
    fn an_exchange_is_a_span_within_the_clients_trace_or_of_its_own() {
        let within = TraceContext::parse(EXAMPLE);
        let span = Span::of("00000000002a-7", within);
        assert_eq!(
            span.as_context().to_string(),
            format!("00-0af7651916cd43dd8448eb211c80319c-{:016x}-01", span.id)
        );
        assert_eq!(span.parent, Some(0xb7ad_6b71_6920_3331));
        let alone = Span::of("00000000002a-7", None);
        assert_eq!((alone.id, alone.parent), (span.id, None));
        assert_ne!(alone.trace, span.trace);
        assert_ne!(Span::of("00000000002a-8", None).trace, alone.trace);
    }
}
