//! One line, bounded in length and in time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use thiserror::Error;

/// Bytes of a request.
pub const LONGEST_REQUEST: u64 = 4 << 10;
/// Bytes of an answer: 256 grants, and the counters.
pub const LONGEST_ANSWER: u64 = 256 << 10;
/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// The other side went away, or said nothing in time.
    #[error("the other side says nothing")]
    Io(#[from] io::Error),
    /// Longer than it may be, or not ended.
    #[error("a line of {0} bytes at most was expected")]
    TooLong(u64),
    /// Not UTF-8.
    #[error("a line is not text")]
    NotText,
}

pub(crate) fn read(stream: &UnixStream, longest: u64) -> Result<String, LineError> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = Vec::new();
    BufReader::new(stream.take(longest)).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(LineError::TooLong(longest));
    }
    String::from_utf8(line).map_err(|_| LineError::NotText)
}

pub(crate) fn write(mut stream: &UnixStream, line: &str) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())
}
