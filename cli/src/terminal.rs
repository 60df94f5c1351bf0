//! What may be written to a terminal, and in which colours.
//!
//! Hosts, paths and names in the audit come from a hostile sandbox. Whoever reads them does so on a
//! terminal that obeys escape sequences, so everything passes [`printable`] first. Colour never
//! carries a meaning that the words do not.

use std::borrow::Cow;
use std::io::{IsTerminal, Write as _};

/// Writes a line to standard output. An error (a closed pipe, a full disk) ends the command instead
/// of panicking as `println!` does.
macro_rules! say {
    ($($arguments:tt)*) => { $crate::terminal::write_out(&format!("{}\n", format_args!($($arguments)*))) };
}
pub(crate) use say;

/// Writes text to standard output, at once.
pub(crate) fn write_out(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub(crate) use outwall_control::printable;

/// Whether to colour. Copied into whatever writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    coloured: bool,
}

impl Paint {
    /// No colours at all.
    pub(crate) const fn plain() -> Self {
        Self { coloured: false }
    }

    /// Colours when standard output is a terminal that wants them.
    pub(crate) fn for_stdout() -> Self {
        Self {
            coloured: std::io::stdout().is_terminal() && wanted(),
        }
    }

    /// Colours when standard error is a terminal that wants them.
    pub(crate) fn for_stderr() -> Self {
        Self {
            coloured: std::io::stderr().is_terminal() && wanted(),
        }
    }

    pub(crate) fn is_coloured(self) -> bool {
        self.coloured
    }

    pub(crate) fn red(self, text: &str) -> Cow<'_, str> {
        self.wrap("1;31", text)
    }

    pub(crate) fn green(self, text: &str) -> Cow<'_, str> {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> Cow<'_, str> {
        self.wrap("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> Cow<'_, str> {
        self.wrap("1;36", text)
    }

    pub(crate) fn bold(self, text: &str) -> Cow<'_, str> {
        self.wrap("1", text)
    }

    fn wrap<'t>(self, code: &str, text: &'t str) -> Cow<'t, str> {
        if self.coloured {
            Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// <https://no-color.org>: set and not empty means no colour.
fn wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
