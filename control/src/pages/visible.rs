//! How every value gets into a page: escaped as HTML, and with what would reorder, hide or steer made visible.
//!
//! `askama.toml` names this as the escaper of all templates, so that none of them can forget it.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::printable::write_printable;

/// The escaper of pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '<' => to.write_str("&lt;"),
                '>' => to.write_str("&gt;"),
                '&' => to.write_str("&amp;"),
                '"' => to.write_str("&quot;"),
                '\'' => to.write_str("&#39;"),
                other => write_printable(&mut to, other),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use askama::Template;

    #[derive(Template)]
    #[template(source = "<p title=\"{{ text }}\">{{ text }}</p>", ext = "html")]
    struct Page<'t> {
        text: &'t str,
    }

    #[test]
    fn markup_is_text_and_what_hides_or_reorders_is_seen() {
        let page = |text| Page { text }.render().unwrap();
        assert_eq!(
            page("\"><script>'&"),
            "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">&quot;&gt;&lt;script&gt;&#39;&amp;</p>"
        );
        assert_eq!(
            page("moc.\u{202e}\u{1b}[2J\n"),
            "<p title=\"moc.\\u{202e}\\x1b[2J\\n\">moc.\\u{202e}\\x1b[2J\\n</p>"
        );
        assert_eq!(page("naïve 日本語"), "<p title=\"naïve 日本語\">naïve 日本語</p>");
    }
}
