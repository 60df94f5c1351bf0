//! What a signature is good for: a day, a region and a service.

use std::fmt;

use thiserror::Error;

/// `20150830/us-east-1/iam/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    day: String,
    region: String,
    service: String,
}

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the scope of the signature is not DAY/REGION/SERVICE/aws4_request")]
pub struct ScopeError;

impl Scope {
    /// Reads what comes after the access key id.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(ScopeError);
        let (day, region, service, end) = (next()?, next()?, next()?, next()?);
        let is_word = |word: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=LONGEST_WORD).contains(&word.len()) && word.bytes().all(fits)
        };
        let is_day = day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
        if !is_day || !is_word(region) || !is_word(service) || end != END || parts.next().is_some() {
            return Err(ScopeError);
        }
        Ok(Self {
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// `20150830`.
    pub fn day(&self) -> &str {
        &self.day
    }

    /// `us-east-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `iam`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Whether the service is storage, which is signed in a way of its own: paths are encoded once and kept as they are.
    pub(super) fn is_storage(&self) -> bool {
        STORAGE.contains(&self.service.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{END}", self.day, self.region, self.service)
    }
}

pub(super) const END: &str = "aws4_request";
/// The names by which requests to S3 are signed.
const STORAGE: [&str; 4] = ["s3", "s3express", "s3-outposts", "s3-object-lambda"];
const LONGEST_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_as_it_is_written() {
        for text in [
            "20150830/us-east-1/iam/aws4_request",
            "20260101/eu-central-2/execute-api/aws4_request",
        ] {
            assert_eq!(
                Scope::parse(text).map(|scope| scope.to_string()).as_deref(),
                Ok(text)
            );
        }
        for wrong in [
            "",
            "20150830/us-east-1/iam",
            "20150830/us-east-1/iam/aws4_request/",
            "2015083/us-east-1/iam/aws4_request",
            "2015083a/us-east-1/iam/aws4_request",
            "20150830//iam/aws4_request",
            "20150830/us east/iam/aws4_request",
            "20150830/us-east-1/iam/aws4",
            "20150830/us-east-1/ia\nm/aws4_request",
            "20150830/*/s3/aws4_request",
        ] {
            assert_eq!(Scope::parse(wrong), Err(ScopeError), "{wrong:?}");
        }
    }
}
