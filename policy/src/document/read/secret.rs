//! Secrets that the gate itself shows: where they come from, never what they are.

use toml::de::DeValue;

use super::{Reader, Value};
use crate::document::{SecretDocument, Written};

impl Reader {
    /// `{ env = "NAME" }` or `{ file = "PATH" }`. What is written instead may be the secret itself, and is not repeated.
    /// `variable` is the name in the hint.
    pub(super) fn secret(
        &mut self,
        key: &str,
        variable: &str,
        value: Value<'_, '_>,
    ) -> Option<Written<SecretDocument>> {
        let at = value.span().start;
        let remedy = format!("write {key} = {{ env = \"{variable}\" }} or {key} = {{ file = \"PATH\" }}");
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                at,
                format!("`{key}` is written into the file, where others may read it"),
                remedy,
            );
            return None;
        };
        let mut sources = Vec::new();
        for (source, named) in table {
            let written: &str = source.get_ref();
            match written {
                "env" => sources.extend(
                    self.string(written, named)
                        .map(|of| SecretDocument::Environment(of.value)),
                ),
                "file" => sources.extend(
                    self.string(written, named)
                        .map(|of| SecretDocument::File(of.value)),
                ),
                _ => self.unknown_key(source, key, &["env", "file"]),
            }
        }
        if table.len() != 1 {
            self.problem(at, format!("`{key}` has not one source"), remedy);
            return None;
        }
        let source = sources.pop()?;
        Some(self.written(value, source))
    }
}
