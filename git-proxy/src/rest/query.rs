//! The query of an operation.

use super::path::{decode, encode};
use crate::understood::NotUnderstood;

/// A query: names with their values, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Of a query as it was sent. It may name what is `known`, and nothing else.
    pub(super) fn parse(query: Option<&str>, known: &[String]) -> Result<Self, NotUnderstood> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let written = query.unwrap_or_default().split('&');
        for pair in written.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (plain(name)?, plain(value)?);
            if !known.contains(&name) {
                return Err(NotUnderstood::because(format!(
                    "the query names {name:?}, which is not known"
                )));
            }
            if pairs.iter().any(|(before, _)| *before == name) {
                return Err(NotUnderstood::because(format!("the query names {name:?} twice")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value for a name.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Gives a name this value.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => *before = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// As it is sent; none where it says nothing.
    pub(super) fn written(&self) -> Option<String> {
        let mut query = String::new();
        for (name, value) in &self.0 {
            if !query.is_empty() {
                query.push('&');
            }
            encode(name, b"", &mut query);
            query.push('=');
            encode(value, b"", &mut query);
        }
        (!query.is_empty()).then_some(query)
    }
}

/// As forms write it: `+` is a space.
fn plain(text: &str) -> Result<String, NotUnderstood> {
    let decoded = decode(text, |byte| if byte == b'+' { b' ' } else { byte })
        .ok_or_else(|| NotUnderstood::because("the query has an escape that is none, or is not UTF-8"))?;
    if decoded.chars().any(char::is_control) {
        return Err(NotUnderstood::because("the query has a control character"));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(query: &str) -> Result<Option<String>, NotUnderstood> {
        let known = ["page".to_owned(), "q".to_owned()];
        Query::parse(Some(query), &known).map(|query| query.written())
    }

    #[test]
    fn a_query_is_written_anew() {
        assert_eq!(
            written("q=a+b%26page%3D2&page=1"),
            Ok(Some("q=a%20b%26page%3D2&page=1".to_owned()))
        );
        assert_eq!(written("&&"), Ok(None));
        assert_eq!(written("%70age"), Ok(Some("page=".to_owned())));
    }

    #[test]
    fn what_is_not_known_or_said_twice_is_refused() {
        for wrong in [
            "access_token=x",
            "callback=f",
            "page=1&page=2",
            "page=1&p%61ge=2",
            "page[]=1",
            "Page=1",
            "q=%ff",
            "q=%",
            "q=%00",
            "page=1;q=2&q=1&q=2",
        ] {
            assert!(written(wrong).is_err(), "{wrong}");
        }
    }
}
