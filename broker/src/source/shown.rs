//! What others say about a failure, for an error of ours: short, without control characters, and without secrets that we know.

use std::fmt;

/// A text of somebody else's that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// The end of a text, where programs say what went wrong, in one line. None of `secrets` is within it.
    pub(crate) fn of(text: &[u8], secrets: &[&[u8]]) -> Self {
        let mut text = String::from_utf8_lossy(text).into_owned();
        for secret in secrets {
            for line in String::from_utf8_lossy(secret).lines().map(str::trim) {
                if line.len() >= SHORTEST_HIDDEN {
                    text = text.replace(line, "***");
                }
            }
        }
        let words = text.split(|c: char| c.is_control() || c.is_whitespace());
        let line = words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let too_many = line.chars().count().saturating_sub(LONGEST);
        if too_many == 0 {
            return Self(line);
        }
        Self(format!("...{}", line.chars().skip(too_many).collect::<String>()))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "nothing" } else { &self.0 })
    }
}

/// In characters.
const LONGEST: usize = 400;
/// Shorter ones are words.
const SHORTEST_HIDDEN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_without_secrets_and_escapes() {
        let of = |text: &str, secrets: &[&[u8]]| Shown::of(text.as_bytes(), secrets).to_string();
        assert_eq!(
            of("gpg: \x1b[31mfailed\x1b[0m\n\n  twice\n", &[]),
            "gpg: [31mfailed [0m twice"
        );
        assert_eq!(of("", &[]), "nothing");
        assert_eq!(
            of("token s3cr3t-value is bad", &[b"s3cr3t-value\n"]),
            "token *** is bad"
        );
        assert_eq!(of("a is bad", &[b"a", b""]), "a is bad");
        let long = format!("{}end", "x".repeat(1000));
        assert_eq!(of(&long, &[]).len(), 403);
        assert!(of(&long, &[]).ends_with("xend"));
    }
}
