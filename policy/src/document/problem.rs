//! What is wrong in a document: each problem names the file, the line, the value and the remedy.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: Arc<str>,
    line: Option<u32>,
    what: String,
    remedy: String,
}

/// Something that is legal in a document and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub(crate) Problem);

/// Everything that is wrong in a document, in the order of its lines. The text has a paragraph for each problem.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct DocumentErrors(Vec<Problem>);

impl Problem {
    pub(crate) fn new(
        (origin, line): (Arc<str>, Option<u32>),
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            origin,
            line,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The file, or `command line`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line.map(|line| line as usize)
    }

    /// What is wrong, with the value.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to write instead.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl Warning {
    /// Where and what.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl DocumentErrors {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line); // stable: the command line first
        Self(problems)
    }

    /// The problems, in the order of their lines.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n  hint: {}", self.what, self.remedy)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for DocumentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}
