//! What an environment has written down of its messages besides what always is: header fields, and the beginning of bodies.

use std::collections::BTreeSet;
use std::fmt;

use crate::amount::Bytes;

/// `[environments.NAME.record]`, compiled. Without it nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRecording {
    pub(crate) request: RecordedParts,
    pub(crate) response: RecordedParts,
}

/// What is written down of messages of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedParts {
    pub(crate) fields: RecordedFields,
    pub(crate) body: usize,
}

/// Which header fields are written down. Values of those that hold credentials never are, whatever this says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordedFields {
    /// None.
    #[default]
    Nothing,
    /// These, in lower case.
    Named(BTreeSet<String>),
    /// Every one.
    All,
}

impl MessageRecording {
    /// Of requests, as sandboxes sent them.
    pub fn request(&self) -> &RecordedParts {
        &self.request
    }

    /// Of responses, as sandboxes received them.
    pub fn response(&self) -> &RecordedParts {
        &self.response
    }

    /// Whether nothing is written down.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl RecordedParts {
    /// Which header fields.
    pub fn fields(&self) -> &RecordedFields {
        &self.fields
    }

    /// How many bytes of a body at most, from its beginning; 0: bodies are not written down.
    pub fn body(&self) -> usize {
        self.body
    }
}

impl RecordedFields {
    /// Whether a field of this name, in lower case, is written down.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }
}

/// No more of a body is written down: a line of the log is read whole, by us and by whoever it is delivered to.
pub(crate) const LARGEST_RECORDED_BODY: u64 = 64 << 10;

/// For people to read: `the header fields user-agent, server; the first 16 KiB of bodies`.
impl fmt::Display for RecordedParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = match &self.fields {
            RecordedFields::Nothing => None,
            RecordedFields::Named(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Some(format!("the header fields {}", names.join(", ")))
            }
            RecordedFields::All => Some("every header field".to_owned()),
        };
        let body = (self.body > 0).then(|| format!("the first {} of bodies", Bytes(self.body as u64)));
        let said: Vec<String> = fields.into_iter().chain(body).collect();
        match said.as_slice() {
            [] => f.write_str("nothing"),
            said => f.write_str(&said.join("; ")),
        }
    }
}
