//! The list of headers that a signature covers.

use std::fmt;

use thiserror::Error;

/// `host;x-amz-date`: names in lower case, in order, each once, `host` among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders(Vec<String>);

/// Why a text is no list of signed headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignedHeadersError {
    /// Not names in lower case with `;` between.
    #[error("the signed headers are not names in lower case with `;` between them, each once")]
    Form,
    /// Without it the request could be sent to any host.
    #[error("`host` is not among the signed headers")]
    NoHost,
}

impl SignedHeaders {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<Self, SignedHeadersError> {
        let mut names: Vec<String> = text.split(';').map(str::to_owned).collect();
        let is_name = |name: &String| !name.is_empty() && name.bytes().all(is_name_byte);
        if names.len() > MOST || !names.iter().all(is_name) {
            return Err(SignedHeadersError::Form);
        }
        let written = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() != written {
            return Err(SignedHeadersError::Form);
        }
        if !names.iter().any(|name| name == "host") {
            return Err(SignedHeadersError::NoHost);
        }
        Ok(Self(names))
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// With one more.
    pub(super) fn add(&mut self, name: &str) {
        if let Err(at) = self.0.binary_search_by(|own| own.as_str().cmp(name)) {
            self.0.insert(at, name.to_owned());
        }
    }

    /// Without some.
    pub(super) fn remove(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.0.retain(|name| !is_meant(name));
    }
}

impl fmt::Display for SignedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}

/// RFC 9110 section 5.6.2, in lower case.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// More than any client signs.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_list_is_in_order_and_has_the_host() {
        let mut list = SignedHeaders::parse("x-amz-date;host").unwrap();
        assert_eq!(list.to_string(), "host;x-amz-date");
        list.add("x-amz-security-token");
        list.add("host");
        list.remove(|name| name == "x-amz-date");
        assert_eq!(list.to_string(), "host;x-amz-security-token");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for wrong in ["", "host;", "Host", "host;host", "host; x", "host,x"] {
            assert_eq!(
                SignedHeaders::parse(wrong),
                Err(SignedHeadersError::Form),
                "{wrong:?}"
            );
        }
        assert_eq!(
            SignedHeaders::parse("x-amz-date"),
            Err(SignedHeadersError::NoHost)
        );
    }
}
