//! [`Message`]: what is recorded of a request or a response besides what always is, where an environment asks for that (`record` in a
//! policy file): header fields, and the beginning of the body.
//!
//! A [`Field`] cannot be made but masked. A [`Body`] is masked by who saw it pass: what holds a secret there depends on what it is.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use outwall_policy::credential::names_a_credential;
use serde::Deserialize;

use crate::fields::{Fields, LONGEST_TEXT};
use crate::mask::{MaskedText, MaskedValue};

/// What is recorded of one message besides what always is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Message {
    #[serde(default)]
    headers: Vec<Field>,
    #[serde(default)]
    headers_left_out: u64,
    body: Option<Body>,
}

/// A header field: what of it may be written down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Field {
    name: String,
    value: String,
}

/// The beginning of a body: what of it may be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Body {
    text: Option<String>,
    base64: Option<String>,
    unrecorded: Option<String>,
    content_encoding: Option<String>,
    length: u64,
    #[serde(default)]
    cut: bool,
}

impl Message {
    /// With these fields, as many as are worth a line of a log; how many were left out is said.
    #[must_use]
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        let mut room = MOST_OF_FIELDS;
        for field in fields {
            let size = field.size();
            if self.headers.len() == MOST_FIELDS || size > room {
                self.headers_left_out += 1;
            } else {
                room -= size;
                self.headers.push(field);
            }
        }
        self
    }

    /// With the beginning of its body, where it has one.
    #[must_use]
    pub fn with_body(mut self, body: Option<Body>) -> Self {
        self.body = body;
        self
    }

    /// Its fields, in their order.
    pub fn headers(&self) -> &[Field] {
        &self.headers
    }

    /// How many fields had no room.
    pub fn headers_left_out(&self) -> u64 {
        self.headers_left_out
    }

    /// Its body.
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it adds to a line, in bytes, about.
    pub(crate) fn size(&self) -> usize {
        let fields: usize = self.headers.iter().map(Field::size).sum();
        let body = self.body.as_ref().and_then(Body::written).map_or(0, str::len);
        fields + body
    }

    pub(crate) fn write(&self, line: &mut Fields<'_>) {
        if !self.headers.is_empty() {
            line.objects("headers", &self.headers, |field, line| {
                line.text("name", &field.name);
                line.text("value", &field.value);
            });
        }
        if self.headers_left_out > 0 {
            line.number("headers_left_out", self.headers_left_out);
        }
        if let Some(body) = &self.body {
            line.object("body", |line| body.write(line));
        }
    }
}

impl Field {
    /// A field of a message. A value that holds credentials, by the name of the field, is [`REDACTED`]; of the others, values of query
    /// parameters, users in URLs and what looks like a token are masked.
    pub fn new(name: &str, value: &[u8]) -> Self {
        if names_a_credential(name) {
            return Self::redacted(name);
        }
        let value = String::from_utf8_lossy(value);
        Self {
            name: MaskedText(name).to_string(),
            value: MaskedValue(&value).to_string(),
        }
    }

    /// A field of which somebody knows that it holds credentials.
    pub fn redacted(name: &str) -> Self {
        Self {
            name: MaskedText(name).to_string(),
            value: REDACTED.to_owned(),
        }
    }

    /// Its name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, masked.
    pub fn value(&self) -> &str {
        &self.value
    }

    fn size(&self) -> usize {
        self.name.len().min(LONGEST_TEXT) + self.value.len().min(LONGEST_TEXT) + 24
    }
}

impl Body {
    /// Of what was kept of a body, masked: text where it is one, else bytes. `length` is that of the whole as it was sent; `whole`, whether
    /// all of it was kept.
    pub fn kept(bytes: &[u8], length: u64, whole: bool) -> Self {
        let (text, base64) = match text_of(bytes, whole) {
            Some(text) => (Some(text.to_owned()), None),
            None => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Self {
            text,
            base64,
            length,
            cut: !whole,
            ..Self::default()
        }
    }

    /// Of one of which nothing is written down, and why.
    pub fn unrecorded(why: impl Into<String>, length: u64) -> Self {
        Self {
            unrecorded: Some(why.into()),
            length,
            ..Self::default()
        }
    }

    /// It was sent in this content coding (RFC 9110 section 8.4), and is written down decoded.
    #[must_use]
    pub fn coded(mut self, coding: Option<String>) -> Self {
        self.content_encoding = coding;
        self
    }

    /// What was kept, where that is text.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// What was kept, where that is no text.
    pub fn base64(&self) -> Option<&str> {
        self.base64.as_deref()
    }

    /// Why nothing was kept.
    pub fn unrecorded_because(&self) -> Option<&str> {
        self.unrecorded.as_deref()
    }

    /// The content coding that it was sent in.
    pub fn content_encoding(&self) -> Option<&str> {
        self.content_encoding.as_deref()
    }

    /// How many bytes of it came, as it was sent.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether there was more than is kept here.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// What there is to know beside what was kept, in words; nothing where all of it was.
    pub fn told(&self) -> Option<String> {
        let coding = self
            .content_encoding
            .as_ref()
            .map(|coding| format!("sent in {coding}"));
        let cut = self
            .cut
            .then(|| format!("the beginning of {} bytes", self.length));
        let without = self
            .unrecorded
            .as_ref()
            .map(|why| format!("{} bytes, not recorded: {why}", self.length));
        let base64 = self.base64.as_ref().map(|_| "in base64".to_owned());
        let said: Vec<String> = [cut, coding, base64, without].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// What was kept: text, or bytes in base64.
    pub fn written(&self) -> Option<&str> {
        self.text.as_deref().or(self.base64.as_deref())
    }

    fn write(&self, line: &mut Fields<'_>) {
        if let Some(text) = &self.text {
            line.whole_text("text", text);
        }
        if let Some(base64) = &self.base64 {
            line.plain("base64", base64);
        }
        line.maybe("unrecorded", self.unrecorded.as_deref());
        line.maybe("content_encoding", self.content_encoding.as_deref());
        line.number("length", self.length);
        if self.cut {
            line.flag("cut");
        }
    }
}

/// Text: UTF-8 without control characters but tabs and line breaks. A character that was cut through is left out.
fn text_of(bytes: &[u8], whole: bool) -> Option<&str> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_odd = |byte: u8| (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f;
    (!text.bytes().any(is_odd)).then_some(text)
}

/// What stands for the value of a field that holds credentials.
pub const REDACTED: &str = "[redacted]";
/// More than gates and servers take.
const MOST_FIELDS: usize = 256;
/// Of all fields of a message, in bytes.
const MOST_OF_FIELDS: usize = 16 << 10;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn written(message: &Message) -> (Message, String) {
        let mut line = b"{\"a\":0".to_vec();
        Fields::new(&mut line).object("request", |line| message.write(line));
        line.push(b'}');
        let line = String::from_utf8(line).unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        (serde_json::from_value(read["request"].clone()).unwrap(), line)
    }

    #[test]
    fn a_message_is_read_as_it_is_written_and_its_line_is_plain() {
        let hostile = "a\"\\\n\r\tb\u{9b}31m\u{202e}é漢😀";
        for body in [
            Body::kept(hostile.as_bytes(), 20, true),
            Body::kept(b"\0\x01PNG", 9, false),
            Body::unrecorded("it is sealed", 7).coded(Some("aes128gcm".to_owned())),
            Body::kept(b"", 3, false),
        ] {
            let fields = [Field::new("x-a", b"\x80\x1b[2J"), Field::new("accept", b"*/*")];
            let message = Message::default().with_fields(fields).with_body(Some(body));
            let (read, line) = written(&message);
            assert_eq!(read, message);
            assert!(!line.contains(crate::fields::obeys_a_terminal), "{line}");
        }
        assert_eq!(written(&Message::default()).0, Message::default());
    }

    #[test]
    fn the_longest_message_is_a_line_that_readers_take() {
        let odd = "\u{9b}".repeat(32 << 10); // what is escaped to the most
        let fields = (0..300).map(|_| Field::new("x", "\u{80}".repeat(4000).as_bytes()));
        let message = Message::default().with_fields(fields).with_body(Some(Body::kept(
            odd.as_bytes(),
            1 << 40,
            false,
        )));
        let (_, line) = written(&message);
        assert!(line.len() < 256 << 10, "{}", line.len()); // two of them are below what `shipping` and `verify` look at
        assert_eq!(message.headers().len() as u64 + message.headers_left_out(), 300);
    }

    #[test]
    fn values_that_hold_credentials_are_redacted_and_others_are_not() {
        let value = |name: &str, value: &str| Field::new(name, value.as_bytes()).value;
        assert_eq!(value("Authorization", "Bearer x"), REDACTED);
        assert_eq!(value("set-cookie", "a=b"), REDACTED);
        assert_eq!(value("x-api-key", "1"), REDACTED);
        assert_eq!(value("user-agent", "curl/8.5.0"), "curl/8.5.0");
        assert_eq!(
            value("content-type", "text/html; charset=utf-8"),
            "text/html; charset=utf-8"
        );
        assert_eq!(
            value(
                "referer",
                "https://u:p@a.test/x/ghp_16C7e42F292c6912E7710c838347Ae178B4a?key=1"
            ),
            "https://***@a.test/x/ghp_***?key=*"
        );
        let name = Field::new("ghp_16C7e42F292c6912E7710c838347Ae178B4a", b"1").name;
        assert_eq!(name, "ghp_***");
    }

    #[test]
    fn what_is_no_text_is_kept_as_bytes_and_a_cut_character_is_left_out() {
        assert_eq!(Body::kept(b"a\xc3", 9, false).text(), Some("a"));
        assert_eq!(Body::kept(b"a\xc3", 2, true).base64(), Some("YcM="));
        assert_eq!(Body::kept(b"a\x00", 2, true).base64(), Some("YQA="));
        assert_eq!(Body::kept(b"a\r\n\tb", 5, true).text(), Some("a\r\n\tb"));
    }
}
