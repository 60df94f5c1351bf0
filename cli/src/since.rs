//! Spans and moments on the command line.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};
use outwall_control::moment;

fn in_seconds(span: jiff::Span) -> Result<SignedDuration, jiff::Error> {
    span.to_duration(SpanRelativeTo::days_are_24_hours())
}

/// A span from now on: `90m`, `2h`, `1d`. For clap.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    let span = text
        .parse::<jiff::Span>()
        .ok()
        .and_then(|span| in_seconds(span).ok());
    span.filter(SignedDuration::is_positive)
        .ok_or_else(|| "write a span like `90m`, `2h` or `1d`".to_owned())
}

/// For clap.
pub(crate) fn since_now(text: &str) -> Result<Timestamp, String> {
    moment(text, Timestamp::now()).map_err(|error| error.to_string())
}
