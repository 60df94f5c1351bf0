//! A secret as it may be written.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::random_part::RandomPart;

/// One way to write a secret, as far as that does not depend on what stands beside it.
pub(super) struct Form {
    /// Whose secret, by its place among those that were compiled.
    pub(super) credential: usize,
    pub(super) text: Zeroizing<Vec<u8>>,
    random: Range<usize>,
    window: usize,
}

impl Form {
    /// Every form of a secret, each once.
    pub(super) fn all(credential: usize, secret: &[u8]) -> Vec<Self> {
        let raw = Self::raw(credential, secret);
        let mut forms = vec![
            raw.in_case(<[u8]>::make_ascii_lowercase),
            raw.in_case(<[u8]>::make_ascii_uppercase),
        ];
        forms.extend(raw.with_escaped_escapes());
        forms.extend([
            raw.hexadecimal("0123456789abcdef"),
            raw.hexadecimal("0123456789ABCDEF"),
        ]);
        forms.push(raw.utf16());
        for once in raw.base64() {
            forms.extend(once.base64());
            forms.push(once);
        }
        forms.push(raw);
        forms.sort_by(|one, other| one.text.cmp(&other.text).then(one.window.cmp(&other.window)));
        forms.dedup_by(|one, other| one.text == other.text);
        forms
    }

    fn raw(credential: usize, secret: &[u8]) -> Self {
        let RandomPart { at, window } = RandomPart::of(secret);
        Self {
            credential,
            text: Zeroizing::new(secret.to_vec()),
            random: at,
            window,
        }
    }

    /// Whether a run of these bytes of it tells the secret.
    pub(super) fn is_told_by(&self, run: &Range<usize>) -> bool {
        let (start, end) = (run.start.max(self.random.start), run.end.min(self.random.end));
        start + self.window <= end
    }

    /// Whether a run that begins there may come to tell it.
    pub(super) fn may_be_told_from(&self, start: usize) -> bool {
        self.is_told_by(&(start..self.text.len()))
    }

    fn in_case(&self, change: fn(&mut [u8])) -> Self {
        let mut text = self.text.clone();
        change(&mut text);
        // In one case it says less.
        let window = RandomPart::of(&text).window;
        Self {
            credential: self.credential,
            text,
            random: self.random.clone(),
            window: window.max(self.window).min(self.random.len()),
        }
    }

    /// What escapes something else itself: `%` as `%25`, a backslash doubled, a space as `+`. Those of other bytes are undone
    /// before a text is compared, and these would be taken for their beginning.
    fn with_escaped_escapes(&self) -> impl Iterator<Item = Self> {
        const WAYS: [(u8, &[u8]); 4] = [(b'%', b"%25"), (b'\\', b"\\\\"), (b'&', b"&amp;"), (b' ', b"+")];
        WAYS.into_iter()
            .filter(|(byte, _)| self.text.contains(byte))
            .map(|(byte, instead)| {
                self.mapped(
                    self.window,
                    |at| if at == byte { instead.to_vec() } else { vec![at] },
                )
            })
    }

    fn hexadecimal(&self, digits: &str) -> Self {
        let digit = |value: u8| digits.as_bytes()[usize::from(value)];
        self.mapped(2 * self.window, |byte| vec![digit(byte >> 4), digit(byte & 15)])
    }

    /// In either order: a run may begin at either byte.
    fn utf16(&self) -> Self {
        self.mapped(2 * self.window - 1, |byte| vec![byte, 0])
    }

    fn mapped(&self, window: usize, map: impl Fn(u8) -> Vec<u8>) -> Self {
        let mut text = Zeroizing::new(Vec::new());
        let mut random = 0..0;
        for (index, byte) in self.text.iter().enumerate() {
            if index == self.random.start {
                random.start = text.len();
            }
            text.extend_from_slice(&Zeroizing::new(map(*byte)));
            if index + 1 == self.random.end {
                random.end = text.len();
            }
        }
        Self {
            credential: self.credential,
            text,
            random,
            window,
        }
    }

    /// In base64 of a text that holds it, at each alignment and in each alphabet: the characters that hold nothing else.
    fn base64(&self) -> impl Iterator<Item = Self> {
        let ways = [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD]
            .into_iter()
            .flat_map(|alphabet| (0..3).map(move |before| (alphabet, before)));
        ways.map(|(alphabet, before)| {
            let padded = Zeroizing::new([&[0; 2][..before], &self.text].concat());
            let coded = Zeroizing::new(alphabet.encode(&*padded));
            let whole = sextets(before..padded.len());
            let random = sextets(before + self.random.start..before + self.random.end);
            Self {
                credential: self.credential,
                text: Zeroizing::new(coded.as_bytes()[whole.clone()].to_vec()),
                random: random.start - whole.start..random.end - whole.start,
                window: (8 * self.window - 4) / 6, // as many as there are at the worst alignment
            }
        })
    }
}

/// The characters of base64 that hold bits of these bytes and of no others.
fn sextets(bytes: Range<usize>) -> Range<usize> {
    (bytes.start * 8).div_ceil(6)..bytes.end * 8 / 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_whatever_holds_it_holds_one_of_the_forms() {
        let secret = b"ghp_16C7e42F292c6912E7710c83";
        let forms: Vec<Form> = Form::raw(0, secret).base64().collect();
        for before in ["", "x", "x:", "user:", "a longer one:"] {
            for alphabet in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
                let text = alphabet.encode([before.as_bytes(), secret, b"\n"].concat());
                let holds = |form: &Form| text.contains(std::str::from_utf8(&form.text).expect("ASCII"));
                assert!(forms.iter().any(holds), "{before}");
            }
        }
    }

    #[test]
    fn every_form_of_a_whole_secret_tells_it() {
        for secret in [
            &b"aB3-xY9_"[..],
            b"00000000",
            b"a%b&c\\d e%25f",
            b"sk-ant-api03-AbCd0123efGH4567ijKL",
        ] {
            for form in Form::all(0, secret) {
                assert!(form.may_be_told_from(0), "{secret:?}");
                assert!(form.window >= 8, "what is looked for by every fifth place");
            }
        }
    }
}
