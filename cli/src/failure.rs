//! What a command says when it cannot do its work: one sentence, its causes, and what to do about it.
//!
//! Knows nothing of any particular error. Errors of the crates below say one level each; the report
//! walks the chain, so nothing is said twice. A command adds the sentence for its own level with
//! [`Explain::explain`] and the way out with [`Explain::hint`].

use std::error::Error;
use std::fmt::{self, Display};
use std::io::Write;
use std::process::ExitCode;

use crate::terminal::{Paint, printable};

/// Why a command ends without having done its work, for the person at the terminal.
///
/// Like `anyhow::Error` it is not an [`Error`] itself, so that `?` can turn any error into one.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
    code: Option<u8>,
}

impl Failure {
    /// A failure that no error of another crate stands behind.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            error: message.into().into(),
            hints: Vec::new(),
            code: None,
        }
    }

    /// Adds a line that says how to get past this.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts a sentence in front, for what was being done when this happened.
    pub(crate) fn explain(mut self, message: impl Into<String>) -> Self {
        self.error = Box::new(Explained {
            message: message.into(),
            source: self.error,
        });
        self
    }

    /// Has the process end with this code instead of the command's usual one for failures.
    pub(crate) fn exit_with(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }

    /// The error with its causes, and its hints: for somebody who reports it elsewhere.
    pub(crate) fn in_lines(&self) -> (String, Vec<String>) {
        let mut text = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        (text, self.hints.clone())
    }

    /// The code to end with, where this failure has one of its own.
    pub(crate) fn code(&self) -> Option<ExitCode> {
        self.code.map(ExitCode::from)
    }

    /// Whether nobody reads our output any more (`outwall audit | head`), which is nothing to report.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        let io = self.error.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Writes `error:`, the causes and the `hint:` lines. A closed stderr is nobody's loss.
    pub(crate) fn report(&self, out: &mut dyn Write, paint: Paint) {
        let _ = self.write(out, paint);
    }

    fn write(&self, out: &mut dyn Write, paint: Paint) -> std::io::Result<()> {
        writeln!(out, "{} {}", paint.red("error:"), multiline(&*self.error, paint))?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            writeln!(out, "  caused by: {}", multiline(error, paint))?;
            cause = error.source();
        }
        for hint in &self.hints {
            writeln!(out, "{} {}", paint.cyan("hint:"), multiline(hint, paint))?;
        }
        Ok(())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: Box::new(error),
            hints: Vec::new(),
            code: None,
        }
    }
}

/// Turns the error of a result into a [`Failure`] with more to say.
pub(crate) trait Explain<T> {
    /// Puts a sentence in front, for what was being done.
    fn explain(self, message: impl Into<String>) -> Result<T, Failure>;
    /// Adds a line that says how to get past this.
    fn hint(self, hint: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Explain<T> for Result<T, E> {
    fn explain(self, message: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| error.into().explain(message))
    }

    fn hint(self, hint: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| error.into().hint(hint))
    }
}

#[derive(Debug)]
struct Explained {
    message: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The text with its own line breaks kept and everything else that steers a terminal made visible:
/// an error may quote a file that a stranger wrote. An error that knows its remedy says it in a line
/// that starts with `hint:`; it looks like ours.
pub(crate) fn multiline(text: impl Display, paint: Paint) -> String {
    let text = text.to_string();
    let lines = text
        .trim_end()
        .split('\n')
        .map(|line| match line.trim_start().strip_prefix("hint:") {
            Some(hint) => format!("{}{}", paint.cyan("hint:"), printable(hint)),
            None => printable(line).into_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.report(&mut out, Paint::plain());
        String::from_utf8(out).expect("a report is text")
    }

    #[test]
    fn a_report_walks_the_chain_and_ends_with_the_hint() {
        let failure: Failure = std::io::Error::other("disk is full").into();
        let failure = failure
            .explain("cannot write the audit log")
            .hint("free some space");
        assert_eq!(
            rendered(&failure),
            "error: cannot write the audit log\n  caused by: disk is full\nhint: free some space\n"
        );
    }

    #[test]
    fn a_remedy_that_the_error_itself_knows_looks_like_ours() {
        let failure = Failure::new("f.toml:2: no such key\n  hint: the keys are a, b");
        assert_eq!(
            rendered(&failure),
            "error: f.toml:2: no such key\nhint: the keys are a, b\n"
        );
    }

    #[test]
    fn a_quoted_escape_sequence_does_not_reach_the_terminal() {
        let failure = Failure::new("line 1\n\u{1b}[2Jline 2");
        assert_eq!(rendered(&failure), "error: line 1\n\\x1b[2Jline 2\n");
    }
}
