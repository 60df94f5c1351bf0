//! A moment as people write it: a span back from now (`90m`, `1h30m`, `2d`), or a point in time.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};
use thiserror::Error;

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MomentError {
    /// Neither a span nor a time.
    #[error("write a span like `90m`, `1h` or `2d`, or a time like `2026-05-01T12:00:00Z`")]
    Form,
    /// A local time that is not one.
    #[error("{0}")]
    Local(String),
}

/// The moment that a text means. A day is 24 hours; a time without a zone is one of this machine's.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        let zoned = local.in_tz("system");
        return zoned
            .map(|zoned| zoned.timestamp())
            .map_err(|error| MomentError::Local(error.to_string()));
    }
    let back = text
        .parse::<jiff::Span>()
        .ok()
        .and_then(|span| in_seconds(span).ok());
    back.and_then(|back| now.checked_sub(back.abs()).ok())
        .ok_or(MomentError::Form)
}

fn in_seconds(span: jiff::Span) -> Result<SignedDuration, jiff::Error> {
    span.to_duration(SpanRelativeTo::days_are_24_hours())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Result<String, String> {
        let now = "2026-05-02T12:00:00Z".parse().expect("a time");
        moment(text, now)
            .map(|moment| moment.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_span_counts_back_from_now() {
        assert_eq!(seen("1h").as_deref(), Ok("2026-05-02T11:00:00Z"));
        assert_eq!(seen("1h30m").as_deref(), Ok("2026-05-02T10:30:00Z"));
        assert_eq!(seen("2d").as_deref(), Ok("2026-04-30T12:00:00Z"));
    }

    #[test]
    fn a_point_in_time_is_itself() {
        assert_eq!(
            seen("2026-05-01T00:00:00Z").as_deref(),
            Ok("2026-05-01T00:00:00Z")
        );
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_to_write() {
        assert!(seen("yesterday").is_err_and(|error| error.contains("90m")));
    }
}
