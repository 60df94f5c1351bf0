//! JSON, read strictly: what two parsers would read in two ways is refused.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

/// Why bytes are not JSON that we go by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum JsonError {
    /// It is no JSON, names a member twice, or is too deep or too many.
    #[error("the body is no JSON that can be read in one way only: {0}")]
    Json(String),
    /// It is JSON, but no object.
    #[error("the body is not an object of JSON")]
    NoObject,
}

/// Reads an object: UTF-8, no member named twice at any depth, at most [`DEEPEST`] levels and [`MOST_VALUES`] values,
/// nothing behind it.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let values = Cell::new(MOST_VALUES);
    let strict = Strict {
        deeper: DEEPEST,
        values: &values,
    };
    let value = strict.deserialize(&mut reader).map_err(not_json)?;
    reader.end().map_err(not_json)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NoObject),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn not_json(error: serde_json::Error) -> JsonError {
    JsonError::Json(error.to_string())
}

/// Nothing that GitHub takes is deeper than five.
pub(crate) const DEEPEST: usize = 32;

/// A value takes more memory than its text: 24 million zeros are 48 MB of text and more than 700 MB of values. GitHub lists 100,000 entries
/// of a tree at most ("Get a tree", GitHub Docs), each with four members when it is made.
pub(crate) const MOST_VALUES: usize = 600_000;

#[derive(Clone, Copy)]
struct Strict<'a> {
    /// How many levels there may be below.
    deeper: usize,
    /// How many values there may be yet.
    values: &'a Cell<usize>,
}

impl Strict<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        match self.deeper.checked_sub(1) {
            Some(deeper) => Ok(Self { deeper, ..self }),
            None => Err(E::custom(format_args!("it is deeper than {DEEPEST} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let left = self.values.get().checked_sub(1);
        let too_many = || D::Error::custom(format_args!("it has more than {MOST_VALUES} values"));
        self.values.set(left.ok_or_else(too_many)?);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.below()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!("it names {name:?} twice")));
            }
            let value = members.next_value_seed(inner)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let read = object(br#" {"a": [1, -2, null, true, {"b": "\u00e9"}], "c": {"a": 1}} "#).unwrap();
        assert_eq!(
            Value::Object(read),
            json!({"a": [1, -2, null, true, {"b": "é"}], "c": {"a": 1}})
        );
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for wrong in [
            &br#"{"branch": "a", "branch": "b"}"#[..],
            br#"{"branch": "a", "br\u0061nch": "b"}"#,
            br#"{"x": [{"a": 1, "a": 1}]}"#,
            br#"{"a": 1} {"a": 2}"#,
            br#"{"a": 1,}"#,
            br"{'a': 1}",
            br#"{"a": NaN}"#,
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"",
        ] {
            assert!(matches!(object(wrong), Err(JsonError::Json(_))), "{wrong:?}");
        }
        for wrong in ["[]", "1", "\"a\"", "null"] {
            assert_eq!(object(wrong.as_bytes()), Err(JsonError::NoObject), "{wrong}");
        }
    }

    #[test]
    fn what_it_takes_in_memory_is_bounded() {
        let zeros = |count: usize| format!("{{\"a\":[0{}]}}", ",0".repeat(count - 1));
        assert!(object(zeros(MOST_VALUES - 2).as_bytes()).is_ok());
        assert!(object(zeros(MOST_VALUES - 1).as_bytes()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(object(nested(DEEPEST).as_bytes()).is_ok());
        assert!(object(nested(DEEPEST + 1).as_bytes()).is_err());
        assert!(object("[".repeat(100_000).as_bytes()).is_err());
    }
}
