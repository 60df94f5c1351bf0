//! What may be shown of text that a hostile sandbox chose.
//!
//! Hosts, paths and names in the audit come from sandboxes. Whoever reads them does so on a terminal that obeys escape sequences, or
//! in a browser that reorders and hides text, so everything passes [`printable`] first.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Makes visible what would steer a terminal or hide text in it: control characters (C0, DEL, C1),
/// bidirectional overrides, line separators, zero-width and tag characters.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        let _ = write_printable(&mut shown, character);
    }
    Cow::Owned(shown)
}

/// The same for one character, to where it goes.
pub(crate) fn write_printable(to: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '\t' => to.write_str("\\t"),
        '\n' => to.write_str("\\n"),
        '\r' => to.write_str("\\r"),
        _ if !steers(character) => to.write_char(character),
        _ if u32::from(character) < 0x100 => write!(to, "\\x{:02x}", u32::from(character)),
        _ => write!(to, "\\u{{{:x}}}", u32::from(character)),
    }
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e0000}'..='\u{e007f}')
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
