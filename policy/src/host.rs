//! Hosts in one normal form, so that comparing two is `==` and every later stage sees the same spelling.
//!
//! Hostile spellings are refused here, once: NUL and control bytes, `%` escapes, `@`, a port glued to a name, zone ids,
//! empty and over-long labels, and everything that some resolver would take for an IPv4 address although it is not written as
//! four decimal numbers (`0x7f.1`, `017700000001`, `2130706433`, `127.1`, full-width digits).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use thiserror::Error;

/// A DNS name in normal form: lower-case ASCII (UTS 46), no trailing dot, no port, at most 253 bytes, labels of 1 to 63,
/// and never anything that reads as an IPv4 address. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Arc<str>);

/// What a client wants to reach: a name, or an address written out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name, which the gate resolves.
    Name(DomainName),
    /// A literal. An IPv4-mapped IPv6 address is the IPv4 address it maps.
    Address(IpAddr),
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum HostError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// A byte that no host has: NUL, white space, `%`, `@`, `/`, `:` and the like.
    #[error("the host has a character that no host name has")]
    Character,
    /// Two dots in a row, a dot first, or more than one last.
    #[error("the host has an empty label")]
    EmptyLabel,
    /// More than 63 bytes between two dots.
    #[error("a label of the host is longer than 63 bytes")]
    LongLabel,
    /// More than 253 bytes.
    #[error("the host is longer than 253 bytes")]
    Long,
    /// A label that begins with `-`, which programs take for an option. (One that ends with it exists.)
    #[error("a label of the host begins with a hyphen")]
    Hyphen,
    /// UTS 46 does not allow it, or its punycode is not what encoding gives.
    #[error("the host is not a valid internationalised name")]
    Idna,
    /// Octal, hexadecimal, shortened or dword IPv4.
    #[error("the host reads as an IPv4 address, but is not four decimal numbers")]
    Ipv4LookAlike,
    /// Brackets around something that is not an IPv6 address, or a zone id.
    #[error("the host is not a valid IPv6 address (zone ids are not accepted)")]
    Ipv6,
}

impl DomainName {
    /// Reads a name into its normal form. One trailing dot is dropped.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let relative = text.strip_suffix('.').unwrap_or(text);
        if is_normal_ascii(relative) {
            check_labels(relative)?;
            return Ok(Self(relative.into()));
        }
        let ascii = to_ascii(relative)?;
        check_labels(&ascii)?;
        Ok(Self(ascii.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How people read the name, where that is another spelling: its international labels in Unicode.
    pub fn to_unicode(&self) -> Option<String> {
        let (unicode, valid) = Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::URL, Hyphens::Allow);
        (valid.is_ok() && *unicode != *self.0).then(|| unicode.into_owned())
    }

    /// The names that this one is below, nearest first: `b.c` and `c` for `a.b.c`.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('.').map(|(dot, _)| &self.0[dot + 1..])
    }
}

impl Host {
    /// Reads a host: a name, an IPv4 address, or an IPv6 address with or without brackets.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(inner) = text.strip_prefix('[') {
            let literal = inner.strip_suffix(']').ok_or(HostError::Ipv6)?;
            let address: Ipv6Addr = literal.parse().map_err(|_| HostError::Ipv6)?;
            return Ok(Self::from(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        if text.bytes().filter(|b| *b == b':').count() > 1 {
            let address: Ipv6Addr = text.parse().map_err(|_| HostError::Ipv6)?;
            return Ok(Self::from(IpAddr::V6(address)));
        }
        DomainName::parse(text).map(Self::Name)
    }

    /// The name, if it is one.
    pub fn name(&self) -> Option<&DomainName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }

    /// The address, if it is a literal.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(*address),
        }
    }
}

/// The same address has one form, so that an entry for one spelling is an entry for all.
impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

impl From<DomainName> for Host {
    fn from(name: DomainName) -> Self {
        Self::Name(name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => fmt::Display::fmt(name, f),
            Self::Address(address) => fmt::Display::fmt(address, f),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// So that maps keyed by name are asked with the text of its parents. `Hash` and `Ord` of the two agree.
impl std::borrow::Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

/// True for what needs no mapping: lower-case letters, digits, `-`, `_`, `.`, and no label that claims to be punycode.
fn is_normal_ascii(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    text.bytes().all(plain) && !text.contains("xn--")
}

/// Maps by UTS 46 and checks every label, those that arrive as punycode included. `_` stays legal: origins have it.
fn to_ascii(text: &str) -> Result<String, HostError> {
    if text.bytes().any(|b| b.is_ascii() && !is_name_byte(b)) {
        return Err(HostError::Character);
    }
    Uts46::new()
        .to_ascii(
            text.as_bytes(),
            DENIED,
            Hyphens::Allow, // `r3---sn-x.example.com` exists; the first place is checked below
            DnsLength::Ignore, // checked below, with a reason of its own
        )
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| HostError::Idna)
}

/// What mapping can produce and no name has: full-width `％`, `＠`, `／` become their ASCII twins.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, " \"#%/:<>?@[\\]^`{|}!$&'()*+,;=~");

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn check_labels(name: &str) -> Result<(), HostError> {
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    if name.len() > 253 {
        return Err(HostError::Long);
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if is_number(last) {
        return Err(HostError::Ipv4LookAlike);
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), HostError> {
    if label.is_empty() {
        return Err(HostError::EmptyLabel);
    }
    if label.len() > 63 {
        return Err(HostError::LongLabel);
    }
    if label.starts_with('-') {
        return Err(HostError::Hyphen);
    }
    Ok(())
}

/// The URL standard's "ends in a number": such a host is an IPv4 address or nothing.
fn is_number(label: &str) -> bool {
    let hex = |rest: &str| rest.bytes().all(|b| b.is_ascii_hexdigit());
    label.bytes().all(|b| b.is_ascii_digit()) || label.strip_prefix("0x").is_some_and(hex)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_host_has_one_normal_form() {
        for (written, normal) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com.", "example.com"),
            ("localhost", "localhost"),
            ("a_b.r3---sn-x.example.com", "a_b.r3---sn-x.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("Xn--bCher-Kva.example", "xn--bcher-kva.example"),
            ("faß.de", "xn--fa-hia.de"),
            ("example。com", "example.com"),
            ("ｅxample.com", "example.com"),
            ("exa\u{ad}mple.com", "example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[0:0::0:1]", "::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("3com.example", "3com.example"),
            ("1.2.3.4.example", "1.2.3.4.example"),
        ] {
            assert_eq!(Host::parse(written).unwrap().to_string(), normal, "{written}");
        }
    }

    #[test]
    fn every_hostile_spelling_is_refused_for_its_reason() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long = format!("{}example", "abcdefgh.".repeat(28));
        for (written, error) in [
            ("", HostError::Empty),
            (".", HostError::Empty),
            ("a..b", HostError::EmptyLabel),
            (".a", HostError::EmptyLabel),
            ("a..", HostError::EmptyLabel),
            ("a。。b", HostError::EmptyLabel),
            ("evil.com\0.allowed.com", HostError::Character),
            ("a b", HostError::Character),
            ("a\r\n", HostError::Character),
            ("a%2eb", HostError::Character),
            ("a%00", HostError::Character),
            ("user@host", HostError::Character),
            ("a/b", HostError::Character),
            ("a\\b", HostError::Character),
            ("a,b", HostError::Character),
            ("*.a", HostError::Character),
            ("a:443", HostError::Character),
            ("ａ％00", HostError::Idna),
            ("a＠b", HostError::Idna),
            ("a／b", HostError::Idna),
            ("a\u{2100}b", HostError::Idna), // maps to `a/c`
            ("a\u{2488}b", HostError::Idna), // maps to `1.`
            (long_label.as_str(), HostError::LongLabel),
            (long.as_str(), HostError::Long),
            ("-rf.example", HostError::Hyphen),
            ("xn--a", HostError::Idna),
            ("xn--", HostError::Idna),
            ("a\u{202e}b", HostError::Idna),
            ("127.1", HostError::Ipv4LookAlike),
            ("2130706433", HostError::Ipv4LookAlike),
            ("017700000001", HostError::Ipv4LookAlike),
            ("0x7f000001", HostError::Ipv4LookAlike),
            ("0X7F.1", HostError::Ipv4LookAlike),
            ("127.0.0.01", HostError::Ipv4LookAlike),
            ("127.0.0.1.", HostError::Ipv4LookAlike),
            ("１２７.0.0.1", HostError::Ipv4LookAlike),
            ("256.0.0.1", HostError::Ipv4LookAlike),
            ("a.0x", HostError::Ipv4LookAlike),
            ("[::1", HostError::Ipv6),
            ("[a.example]", HostError::Ipv6),
            ("[127.0.0.1]", HostError::Ipv6),
            ("[fe80::1%25eth0]", HostError::Ipv6),
            ("fe80::1%eth0", HostError::Ipv6),
            ("[]", HostError::Ipv6),
            ("[::1]]", HostError::Ipv6),
            ("1::2::3", HostError::Ipv6),
        ] {
            assert_eq!(Host::parse(written), Err(error), "{written:?}");
        }
    }

    #[test]
    fn the_longest_names_are_names() {
        assert!(Host::parse(&format!("{}.example", "a".repeat(63))).is_ok());
        let longest = format!("{}a", "abcdefg.".repeat(31)); // 249 bytes
        assert!(Host::parse(&longest).is_ok());
    }

    proptest! {
        #[test]
        fn the_normal_form_of_a_host_reads_back_as_itself(text in "\\PC{0,30}|[a-zA-Z0-9.:%\\[\\]xX_-]{0,30}") {
            if let Ok(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
            }
        }

        #[test]
        fn a_name_is_never_what_a_resolver_takes_for_an_address(text in "[0-9a-fx.]{1,20}|\\PC{1,12}") {
            if let Ok(Host::Name(name)) = Host::parse(&text) {
                prop_assert!(name.as_str().parse::<IpAddr>().is_err());
                let last = name.as_str().rsplit('.').next().unwrap();
                prop_assert!(!last.bytes().all(|b| b.is_ascii_digit()));
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)));
            }
        }
    }
}
