//! `record`.

use std::collections::BTreeSet;

use super::Compiler;
use crate::amount::Bytes;
use crate::credential::names_a_credential;
use crate::document::{RecordingDocument, Written};
use crate::method::is_token_byte;
use crate::recording::{LARGEST_RECORDED_BODY, MessageRecording, RecordedFields, RecordedParts};

impl Compiler {
    pub(super) fn recording(&mut self, written: &RecordingDocument) -> MessageRecording {
        MessageRecording {
            request: RecordedParts {
                fields: self.recorded_fields("request_headers", &written.request_headers),
                body: self.recorded_body("request_bodies", written.request_bodies.as_ref()),
            },
            response: RecordedParts {
                fields: self.recorded_fields("response_headers", &written.response_headers),
                body: self.recorded_body("response_bodies", written.response_bodies.as_ref()),
            },
        }
    }

    fn recorded_fields(&mut self, key: &str, written: &[Written<String>]) -> RecordedFields {
        let Some(first) = written.first() else {
            return RecordedFields::Nothing;
        };
        if written.iter().any(|name| name.value == "*") {
            if written.len() > 1 {
                let what = format!("`{key}` has \"*\", which is every field, and others beside it");
                self.problem(first.place, what, "write [\"*\"] alone, or the names without it");
            }
            return RecordedFields::All;
        }
        let names = written.iter().filter_map(|name| self.field_name(key, name));
        RecordedFields::Named(names.collect::<BTreeSet<_>>())
    }

    /// None is always with a problem.
    fn field_name(&mut self, key: &str, written: &Written<String>) -> Option<String> {
        let name = written.value.as_str();
        let remedy = match name.as_bytes() {
            [b':', ..] => "leave it out: method, path and target are always recorded",
            _ if name.contains(['*', '?']) => "write whole names, or [\"*\"] for every field",
            [_, ..] if name.len() <= LONGEST_NAME && name.bytes().all(is_token_byte) => {
                let name = name.to_ascii_lowercase();
                if names_a_credential(&name) {
                    self.warn(
                        written.place,
                        format!("the value of \"{name}\" in `{key}` is not recorded, since it holds credentials"),
                        "nothing need be done: that the field was there is recorded, with [redacted] as its value",
                    );
                }
                return Some(name);
            }
            _ => "write names of header fields: \"user-agent\", \"content-type\"",
        };
        let what = format!(
            "\"{}\" in `{key}` is no name of a header field",
            name.escape_debug()
        );
        self.problem(written.place, what, remedy);
        None
    }

    fn recorded_body(&mut self, key: &str, written: Option<&Written<u64>>) -> usize {
        let Some(written) = written else { return 0 };
        if written.value > LARGEST_RECORDED_BODY {
            let most = Bytes(LARGEST_RECORDED_BODY);
            let what = format!(
                "`{key}` is {}, and no more than {most} of a body are recorded",
                Bytes(written.value)
            );
            self.problem(written.place, what, format!("write {key} = \"{most}\", or less"));
        }
        usize::try_from(written.value.min(LARGEST_RECORDED_BODY)).unwrap_or_default()
    }
}

/// Of a field's name. Longer ones are in no list, and no client sends them.
const LONGEST_NAME: usize = 256;
