//! `record` of an environment.

use super::{Reader, Value};
use crate::document::RecordingDocument;

impl Reader {
    pub(super) fn recording(&mut self, value: Value<'_, '_>) -> RecordingDocument {
        let mut recording = RecordingDocument::default();
        for (key, value) in self.table("record", value) {
            let written: &str = key.get_ref();
            match written {
                "request_headers" => recording.request_headers = self.strings(written, value),
                "response_headers" => recording.response_headers = self.strings(written, value),
                "request_bodies" => recording.request_bodies = self.bytes(written, value),
                "response_bodies" => recording.response_bodies = self.bytes(written, value),
                _ => self.unknown_key(
                    key,
                    "record",
                    &[
                        "request_headers",
                        "response_headers",
                        "request_bodies",
                        "response_bodies",
                    ],
                ),
            }
        }
        recording
    }
}
