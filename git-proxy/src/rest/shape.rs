//! What the body of an operation may say.

use serde_json::{Map, Value};

use crate::understood::NotUnderstood;

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One of these.
    Types(Vec<Type>),
    /// A list of such.
    List(Box<Shape>),
    /// An object with these members, or some of them.
    Members(Vec<(String, Shape)>),
}

/// A type of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Boolean,
    Null,
}

impl Shape {
    /// Of a value of rest-bodies.toml.
    pub(super) fn parse(written: &toml::Value) -> Result<Self, String> {
        match written {
            toml::Value::String(types) => types
                .split('|')
                .map(|word| Type::named(word).ok_or_else(|| format!("{word:?} is no type")))
                .collect::<Result<_, _>>()
                .map(Self::Types),
            toml::Value::Array(items) => match items.as_slice() {
                [item] => Ok(Self::List(Box::new(Self::parse(item)?))),
                _ => Err("a list is written as a list of one".to_owned()),
            },
            toml::Value::Table(members) => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), Self::parse(member)?)))
                .collect::<Result<_, String>>()
                .map(Self::Members),
            other => Err(format!("{other} is no shape")),
        }
    }

    /// Whether a body is of this shape; the first thing that is not is named.
    pub(super) fn check(&self, body: &Map<String, Value>) -> Result<(), NotUnderstood> {
        match self {
            Self::Members(known) => members(known, body, ""),
            Self::Types(_) | Self::List(_) => Err(NotUnderstood::because("the body is no object")),
        }
    }

    fn check_value(&self, value: &Value, at: &str) -> Result<(), NotUnderstood> {
        match (self, value) {
            (Self::Types(types), value) if types.iter().any(|one| one.is_of(value)) => Ok(()),
            (Self::List(item), Value::Array(items)) => {
                items.iter().try_for_each(|one| item.check_value(one, at))
            }
            (Self::Members(known), Value::Object(found)) => members(known, found, at),
            _ => Err(NotUnderstood::because(format!(
                "{at:?} in the body is not {}",
                self.words()
            ))),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Types(types) => types
                .iter()
                .map(|one| one.word())
                .collect::<Vec<_>>()
                .join(" or "),
            Self::List(item) => format!("a list, each of which is {}", item.words()),
            Self::Members(_) => "an object".to_owned(),
        }
    }
}

fn members(known: &[(String, Shape)], found: &Map<String, Value>, at: &str) -> Result<(), NotUnderstood> {
    for (name, value) in found {
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        let Some((_, shape)) = known.iter().find(|(member, _)| member == name) else {
            let names: Vec<&str> = known.iter().map(|(member, _)| member.as_str()).collect();
            return Err(NotUnderstood::because(format!(
                "the body names {path:?}; known here are {}",
                names.join(", ")
            )));
        };
        shape.check_value(value, &path)?;
    }
    Ok(())
}

impl Type {
    fn named(word: &str) -> Option<Self> {
        [Self::String, Self::Integer, Self::Boolean, Self::Null]
            .into_iter()
            .find(|one| one.name() == word)
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "true or false",
            Self::Null => "null",
        }
    }

    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_u64() || value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::Null => value.is_null(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn check(body: &str) -> Result<(), String> {
        let written = r#"s = "string|null"
            i = "integer"
            b = "boolean"
            l = ["string"]
            t = [{ p = "string" }]"#;
        let shape = Shape::parse(&toml::Value::Table(written.parse().unwrap())).unwrap();
        let body = serde_json::from_str(body).unwrap();
        shape.check(&body).map_err(|why| why.what)
    }

    #[test]
    fn what_is_known_may_be_said() {
        for right in [
            "{}",
            r#"{"s": "", "i": 1, "b": false, "l": [], "t": [{"p": "x"}, {}]}"#,
            r#"{"s": null, "i": -1}"#,
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn what_is_not_is_named() {
        assert_eq!(
            check(r#"{"S": ""}"#),
            Err("the body names \"S\"; known here are b, i, l, s, t".to_owned())
        );
        assert_eq!(
            check(r#"{"t": [{"p": 1}]}"#),
            Err("\"t.p\" in the body is not a string".to_owned())
        );
        for wrong in [
            r#"{"s": 1}"#,
            r#"{"i": 1.0}"#,
            r#"{"i": "1"}"#,
            r#"{"b": 1}"#,
            r#"{"b": "true"}"#,
            r#"{"l": "a"}"#,
            r#"{"l": [1]}"#,
            r#"{"t": {"p": "x"}}"#,
            r#"{"t": [{"q": "x"}]}"#,
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
