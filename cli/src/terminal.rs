//! What may be written to a terminal, and in which colours.
//!
//! Hosts, paths and names in the audit come from a hostile sandbox. Whoever reads them does so on a
//! terminal that obeys escape sequences, so everything passes [`printable`] first. Colour never
//! carries a meaning that the words do not.

use std::borrow::Cow;
use std::fmt::Write as _;
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

/// Makes visible what would steer a terminal or hide text in it: control characters (C0, DEL, C1),
/// bidirectional overrides, line separators, zero-width and tag characters.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => shown.push_str("\\t"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            _ if !steers(character) => shown.push(character),
            _ if u32::from(character) < 0x100 => {
                let _ = write!(shown, "\\x{:02x}", u32::from(character));
            }
            _ => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    Cow::Owned(shown)
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e0000}'..='\u{e007f}')
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_passes_unchanged() {
        assert!(matches!(printable("GET /naïve/日本語?q=…"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}]0;x\u{7}b\r\nc"), "a\\x1b]0;x\\x07b\\r\\nc");
        assert_eq!(printable("\u{9b}31m"), "\\x9b31m");
    }

    #[test]
    fn text_that_hides_or_reorders_is_shown() {
        assert_eq!(
            printable("moc.\u{202e}evil\u{200b}"),
            "moc.\\u{202e}evil\\u{200b}"
        );
    }
}
