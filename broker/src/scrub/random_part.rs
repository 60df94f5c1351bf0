//! What of a secret is random, and how many bytes of that tell it from chance.

use std::ops::Range;

/// The part of a secret that nobody can know, and the window of it that is enough to know the secret by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RandomPart {
    pub(super) at: Range<usize>,
    /// Bytes. At least [`SHORTEST`], and never more than the part has.
    pub(super) window: usize,
}

impl RandomPart {
    /// Of a secret of at least [`SHORTEST`] bytes.
    pub(super) fn of(secret: &[u8]) -> Self {
        let start = match signature_of_jwt(secret) {
            Some(signature) => signature,
            None => label(secret),
        };
        let at = if secret.len() - start < SHORTEST {
            0..secret.len()
        } else {
            start..secret.len()
        };
        let window = window(&secret[at.clone()]).min(at.len());
        Self { at, window }
    }
}

/// How long the label is that says which service's secret it is: `sk-ant-api03-`, `github_pat_`, `npm_`. Words of at most six
/// letters and digits, each with its separator, and no more than a third of the secret.
fn label(secret: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let rest = &secret[end..];
        let word = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let is_labelled = rest.get(word).is_some_and(|byte| matches!(byte, b'-' | b'_'));
        if !is_labelled || !(1..=LONGEST_WORD).contains(&word) || (end + word + 1) * 3 > secret.len() {
            return end;
        }
        end += word + 1;
    }
}

/// Where the signature of a JWT begins. Its other parts are much the same in every token of an issuer.
fn signature_of_jwt(secret: &[u8]) -> Option<usize> {
    let mut dots = secret.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let (_, last) = (dots.next()?, dots.next()?.0);
    (secret.starts_with(b"eyJ") && dots.next().is_none()).then_some(last + 1)
}

/// How many bytes are worth [`ENOUGH`], by what they are made of. A guess that is meant to be too long rather than too short:
/// words come in texts, and digits in numbers.
fn window(random: &[u8]) -> usize {
    let has = |of: fn(&u8) -> bool| random.iter().any(of);
    let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    let is_hex = random
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        && !(lower && upper);
    let tenths_of_bits = match (has(u8::is_ascii_digit), lower, upper) {
        (true, false, false) => 33,
        (true, ..) if is_hex => 40,
        (true, true, true) => 59,
        (true, ..) => 52,
        (false, true, true) => 25,
        (false, ..) => 20,
    };
    usize::div_ceil(ENOUGH * 10, tenths_of_bits).max(SHORTEST)
}

/// Bits.
const ENOUGH: usize = 46;
/// Bytes. What is shorter is found everywhere.
pub(super) const SHORTEST: usize = 8;
const LONGEST_WORD: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_part_is_what_follows_the_label() {
        let cases: [(&str, &str, usize); 9] = [
            ("sk-ant-api03-", "AbCd0123efGH4567ijKL8901mnOP", 8),
            ("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a", 8),
            ("", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1", 8),
            ("", "0123456789abcdef0123456789abcdef01234567", 12),
            ("", "550e8400-e29b-41d4-a716-446655440000", 12),
            ("", "00000000000000012345", 14),
            ("", "a1b2c3d4g5h6i7j8", 9),
            ("", "correct horse battery staple", 23),
            ("", "aB3-xY9_", 8),
        ];
        for (label, random, window) in cases {
            let secret = format!("{label}{random}");
            let part = RandomPart::of(secret.as_bytes());
            assert_eq!(&secret[part.at.clone()], random, "{secret}");
            assert_eq!(part.window, window, "{secret}");
        }
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlIG9mIDEyMyBiaXRz";
        assert_eq!(
            &jwt[RandomPart::of(jwt.as_bytes()).at],
            "c2lnbmF0dXJlIG9mIDEyMyBiaXRz"
        );
        assert_eq!(RandomPart::of(b"12345678").window, 8, "never more than there is");
    }
}
