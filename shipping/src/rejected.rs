//! What a receiver would not take: a line for each such event, with why, in a file beside the cursor. It is on the disk before the
//! cursor goes past the event.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use jiff::Timestamp;
use serde_json::json;

use crate::files::SinkFiles;

/// Appends one. `event`: the line of the log, or what stands where one should be.
pub(crate) fn keep(files: &SinkFiles, event: &[u8], why: &str) -> io::Result<()> {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(event).ok();
    let event = parsed.unwrap_or_else(|| String::from_utf8_lossy(event).into_owned().into());
    let line = json!({ "at": Timestamp::now().to_string(), "why": why, "event": event });
    let mut file = open(files)?;
    let before = file.metadata()?.len();
    let written = file
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(before); // no half of a line
    }
    written
}

fn open(files: &SinkFiles) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(true)
        .mode(0o600)
        .open(files.rejected())
}
