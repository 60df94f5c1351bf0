//! When a request was signed.

use http::HeaderMap;
use http::header::DATE;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// A time as signatures write it, in whole seconds: `20150830T123600Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    text: String,
    at: Timestamp,
}

/// Why a request cannot be signed for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MomentError {
    /// Neither `X-Amz-Date` nor `Date`, or more than one.
    #[error("the request does not say once when it was signed (`X-Amz-Date`)")]
    None,
    /// Not a time.
    #[error("the time of the signature is not written as 20150830T123600Z")]
    Form,
    /// The day of the scope is another.
    #[error("the day of the signature's scope is not that of its time")]
    Day,
    /// More than a quarter of an hour away, which the service would refuse as well.
    #[error(
        "the signature is more than 15 minutes old, or that much in the future; set the clock of the sandbox"
    )]
    Skew,
    /// A presigned URL whose time is over, or that would be good for more than a week.
    #[error("the presigned URL has expired, or would be good for more than 7 days")]
    Expired,
}

impl Moment {
    /// `20150830T123600Z`.
    pub(super) fn parse(text: &str) -> Result<Self, MomentError> {
        let is_form = text.len() == 16 && text.ends_with('Z');
        let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).map_err(|_| MomentError::Form)?;
        if !is_form {
            return Err(MomentError::Form);
        }
        Self::at(
            civil
                .to_zoned(TimeZone::UTC)
                .map_err(|_| MomentError::Form)?
                .timestamp(),
        )
    }

    fn at(at: Timestamp) -> Result<Self, MomentError> {
        let text = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        if text.len() == 16 {
            Ok(Self { text, at })
        } else {
            Err(MomentError::Form)
        }
    }

    /// `X-Amz-Date`, else `Date`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, MomentError> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().map(Some).map_err(|_| MomentError::Form),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(MomentError::None),
            }
        };
        if let Some(text) = one("x-amz-date")? {
            return Self::parse(text);
        }
        let text = one(DATE.as_str())?.ok_or(MomentError::None)?;
        Self::parse(text).or_else(|_| {
            let zoned = rfc2822::DateTimeParser::new().parse_timestamp(text);
            Self::at(zoned.map_err(|_| MomentError::Form)?)
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn check_day(&self, day: &str) -> Result<(), MomentError> {
        if self.text.starts_with(day) {
            Ok(())
        } else {
            Err(MomentError::Day)
        }
    }

    pub(super) fn check_skew(&self, now: Timestamp) -> Result<(), MomentError> {
        if self.at.duration_since(now).abs() <= SKEW {
            Ok(())
        } else {
            Err(MomentError::Skew)
        }
    }

    /// For URLs that are good for some seconds.
    pub(super) fn check_lifetime(&self, seconds: u32, now: Timestamp) -> Result<(), MomentError> {
        let age = now.duration_since(self.at);
        if age < SignedDuration::ZERO - SKEW {
            Err(MomentError::Skew)
        } else if seconds > WEEK || age > SignedDuration::from_secs(seconds.into()) {
            Err(MomentError::Expired)
        } else {
            Ok(())
        }
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>: five minutes for most services, 15 for S3.
const SKEW: SignedDuration = SignedDuration::from_mins(15);
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
const WEEK: u32 = 604_800;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn now() -> Timestamp {
        "2015-08-30T12:36:00Z".parse().unwrap()
    }

    #[test]
    fn the_time_is_in_the_header_of_its_own_or_in_date() {
        let mut headers = HeaderMap::new();
        assert_eq!(Moment::of(&headers), Err(MomentError::None));
        for date in ["Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"] {
            headers.insert(DATE, date.parse().unwrap());
            assert_eq!(Moment::of(&headers).unwrap().as_str(), "20150830T123600Z");
        }
        headers.insert("x-amz-date", "20150830T123601Z".parse().unwrap());
        assert_eq!(Moment::of(&headers).unwrap().as_str(), "20150830T123601Z");
        headers.append("x-amz-date", "20150830T123601Z".parse().unwrap());
        assert_eq!(Moment::of(&headers), Err(MomentError::None));
        for wrong in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T1236Z",
            "20151330T123600Z",
            " 20150830T123600Z",
            "2015-08-30T12:36:00Z",
        ] {
            assert_eq!(Moment::parse(wrong), Err(MomentError::Form), "{wrong}");
        }
    }

    #[test]
    fn a_quarter_of_an_hour_either_way_is_taken() {
        for (text, taken) in [
            ("20150830T122100Z", true),
            ("20150830T125100Z", true),
            ("20150830T122059Z", false),
            ("20150830T125101Z", false),
        ] {
            assert_eq!(
                Moment::parse(text).unwrap().check_skew(now()).is_ok(),
                taken,
                "{text}"
            );
        }
        assert!(
            Moment::parse("20150830T123600Z")
                .unwrap()
                .check_day("20150830")
                .is_ok()
        );
        assert_eq!(
            Moment::parse("20150830T123600Z").unwrap().check_day("20150831"),
            Err(MomentError::Day)
        );
    }

    #[test]
    fn a_presigned_url_is_good_for_as_long_as_it_says() {
        let moment = Moment::parse("20150830T120000Z").unwrap();
        assert!(moment.check_lifetime(2160, now()).is_ok());
        assert_eq!(moment.check_lifetime(2159, now()), Err(MomentError::Expired));
        assert_eq!(moment.check_lifetime(WEEK + 1, now()), Err(MomentError::Expired));
        let ahead = Moment::parse("20150830T125101Z").unwrap();
        assert_eq!(ahead.check_lifetime(60, now()), Err(MomentError::Skew));
    }
}
