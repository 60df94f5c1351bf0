//! `dlp`.

use std::collections::HashSet;
use std::sync::Arc;

use super::Compiler;
use crate::credential::{Check, CredentialShape, Exception, Expression, ExpressionError};
use crate::credential::{LeakAction, LeakScan, SharedShape, list};
use crate::document::{DlpDocument, DlpPatternDocument, Written};

impl Compiler {
    pub(super) fn leak_scan(&mut self, written: &DlpDocument) -> LeakScan {
        let action = written.action.as_ref().map(|word| word.value).unwrap_or_default();
        let patterns: Vec<SharedShape> = written
            .patterns
            .iter()
            .filter_map(|pattern| self.leak_pattern(pattern))
            .map(Arc::new)
            .collect();
        self.check_names(written);
        if action == LeakAction::Off
            && let Some(first) = written.patterns.first()
        {
            self.warn(
                first.name.place,
                "`dlp.patterns` is not looked for, because `dlp.action` is \"off\"",
                "write action = \"report\" or action = \"block\"",
            );
        }
        let exceptions = written.except.iter().map(|exception| Exception {
            shape: exception.shape.value.clone(),
            hosts: self.host_patterns("hosts", &exception.hosts),
        });
        LeakScan {
            action,
            exceptions: exceptions.collect(),
            patterns: patterns.into(),
            placeholders: [].into(),
        }
    }

    fn leak_pattern(&mut self, written: &DlpPatternDocument) -> Option<CredentialShape> {
        let issuers = self.host_patterns("hosts", &written.hosts);
        if !is_name(&written.name.value) {
            let what = format!(
                "\"{}\" is no name for a pattern",
                written.name.value.escape_debug()
            );
            self.problem(written.name.place, what, "use 1 to 64 of a-z, 0-9 and `-`");
        }
        let parsed = Expression::parse(&written.regex.value);
        let parsed = parsed
            .map_err(|error| self.refuse_expression(&written.regex, &error))
            .ok()?;
        let name = written.name.value.as_str();
        Some(CredentialShape::of_expression(
            name,
            parsed,
            Check::Exact,
            issuers,
        ))
    }

    fn refuse_expression(&mut self, regex: &Written<String>, error: &ExpressionError) {
        let what = format!("\"{}\" cannot be looked for: {error}", regex.value.escape_debug());
        let remedy = match error {
            ExpressionError::Syntax(_) => "the syntax is that of https://docs.rs/regex, for bytes",
            ExpressionError::Unbounded | ExpressionError::TooLong { .. } => {
                "give every repetition an upper bound: acme_[0-9a-f]{32}, not acme_[0-9a-f]+"
            }
            ExpressionError::NoLiteral | ExpressionError::Empty => {
                "let it begin with what all of them begin with: acme_[0-9a-f]{32}"
            }
            ExpressionError::TooLarge => "make it shorter, or split it into several patterns",
        };
        self.problem(regex.place, what, remedy);
    }

    /// A pattern has a name of its own, and an exception names what is looked for.
    fn check_names(&mut self, written: &DlpDocument) {
        let mut names: HashSet<&str> = list().iter().map(|shape| shape.name()).collect();
        for pattern in &written.patterns {
            if !names.insert(&pattern.name.value) {
                let what = format!(
                    "\"{}\" is the name of another pattern or known shape",
                    pattern.name.value
                );
                self.problem(pattern.name.place, what, "give it a name of its own");
            }
        }
        for exception in &written.except {
            if !names.contains(exception.shape.value.as_str()) {
                let what = format!(
                    "\"{}\" in `dlp.except` is no shape",
                    exception.shape.value.escape_debug()
                );
                self.problem(
                    exception.shape.place,
                    what,
                    "write the name that a finding says, such as \"jwt\", or that of a pattern",
                );
            }
        }
    }

    fn host_patterns(&mut self, key: &str, written: &[Written<String>]) -> Vec<crate::pattern::HostPattern> {
        written
            .iter()
            .filter_map(|host| self.pattern(key, host))
            .collect()
    }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}
