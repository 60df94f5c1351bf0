//! Credentials of every known shape, made up from a seed: none of them ever opened anything.
//!
//! They are sampled from the expressions of `policy/data/credential-shapes.toml`, with the checksums and structures that a
//! regular expression cannot say. A twin looks as much like its credential as can be and is none. Nothing of the kind is written
//! in a file of the repository.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Numbers from a seed: splitmix64.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("it is below a usize")
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Bytes of an alphabet.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> Vec<u8> {
        (0..length).map(|_| self.pick(alphabet)).collect()
    }
}

/// A shape, as the list has it.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its name.
    pub name: String,
    check: String,
    expression: Hir,
}

/// All known shapes, from the text of the list.
pub fn shapes(list: &str) -> Vec<Shape> {
    let list: toml::Table = list.parse().expect("the list is TOML");
    let shapes = list["shape"].as_array().expect("shapes");
    shapes.iter().map(Shape::read).collect()
}

impl Shape {
    fn read(written: &toml::Value) -> Self {
        let text = |key: &str| written.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let expression = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(text("regex"));
        Self {
            name: text("name").to_owned(),
            check: text("check").to_owned(),
            expression: expression.expect("an expression"),
        }
    }

    /// A credential of this shape.
    pub fn credential(&self, seeded: &mut Seeded) -> String {
        match self.check.as_str() {
            "jwt" => return jwt(seeded),
            "private-key" => return private_key(seeded),
            "database-url" => return database_url(seeded),
            _ => {}
        }
        loop {
            let mut text = Vec::new();
            sample(&self.expression, seeded, &mut text);
            if self.check == "openai" {
                let middle = 30 + seeded.below(10);
                text.splice(middle..middle + 8, *b"T3BlbkFJ");
                text.extend(seeded.text(BASE62, 24));
            }
            if self.check == "base62-crc32" {
                let body = text.len() - 6;
                let sum = base62(crc32(&text[4..body]));
                text.splice(body.., sum);
            }
            let text = String::from_utf8(text).expect("credentials are ASCII");
            if is_likely(&self.check, &text) {
                return text;
            }
        }
    }

    /// A text that looks like one and is none.
    pub fn twin(&self, seeded: &mut Seeded) -> String {
        let text = self.credential(seeded);
        match self.check.as_str() {
            "base62-crc32" => flip_last(&text),
            "jwt" => text.replacen("eyJ", "eyI", 1),
            "private-key" => text.replace("PRIVATE", "PUBLIC"),
            "database-url" => text.replace('@', "/"),
            _ => hollow(&text),
        }
    }
}

/// The same text with its last character changed.
fn flip_last(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    format!("{rest}{}", if last == "a" { "b" } else { "a" })
}

/// The same text with all that is random in it made one character: a placeholder, as documentation has it.
fn hollow(text: &str) -> String {
    let keep = text.len() / 3;
    let hollow = text.char_indices().map(|(at, character)| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' if at >= keep => 'x',
        _ => character,
    });
    hollow.collect()
}

fn sample(hir: &Hir, seeded: &mut Seeded, into: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => into.extend_from_slice(&literal.0),
        HirKind::Class(class) => into.push(sample_class(class, seeded)),
        HirKind::Repetition(repeated) => {
            let most = repeated.max.unwrap_or(repeated.min + 40).min(repeated.min + 40);
            let times = repeated.min as usize + seeded.below((most - repeated.min) as usize + 1);
            for _ in 0..times {
                sample(&repeated.sub, seeded, into);
            }
        }
        HirKind::Capture(capture) => sample(&capture.sub, seeded, into),
        HirKind::Concat(all) => all.iter().for_each(|one| sample(one, seeded, into)),
        HirKind::Alternation(all) => {
            // What stands beside a single character is its escape: seldom.
            let single = all.iter().find(|one| matches!(one.kind(), HirKind::Class(_)));
            let one = match single {
                Some(single) if seeded.below(8) > 0 => single,
                _ => &all[seeded.below(all.len())],
            };
            sample(one, seeded, into);
        }
    }
}

fn sample_class(class: &Class, seeded: &mut Seeded) -> u8 {
    let all: Vec<u8> = match class {
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .collect(),
        Class::Unicode(class) => (0..128_u8)
            .filter(|byte| {
                class
                    .ranges()
                    .iter()
                    .any(|range| (range.start()..=range.end()).contains(&char::from(*byte)))
            })
            .collect(),
    };
    let printable: Vec<u8> = all
        .iter()
        .copied()
        .filter(|byte| matches!(byte, b' '..=b'~'))
        .collect();
    seeded.pick(if printable.is_empty() { &all } else { &printable })
}

/// What is sampled may be what no issuer gives out: a placeholder by chance, or without a digit.
fn is_likely(check: &str, text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let chance = ["xxxx", "0000000", "aaaaaa"]
        .iter()
        .any(|word| lower.contains(word));
    let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    let tail = &text.as_bytes()[8.min(text.len() / 2)..];
    let mixed = check != "mixed" || kinds.iter().all(|kind| tail.iter().any(kind));
    !chance && mixed
}

fn jwt(seeded: &mut Seeded) -> String {
    let algorithm = seeded.pick(&["HS256", "RS256", "ES256", "EdDSA"]);
    let header = match seeded.below(3) {
        0 => format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#),
        1 => format!(
            r#"{{"typ":"JWT","alg":"{algorithm}","kid":"{}"}}"#,
            seeded.below(1 << 30)
        ),
        _ => format!(r#"{{"kid":"key-{}","alg":"{algorithm}"}}"#, seeded.below(1000)),
    };
    let subject = String::from_utf8(seeded.text(BASE62, 16)).expect("ASCII");
    let payload = format!(
        r#"{{"iss":"https://id.corp.test/","sub":"{subject}","exp":{}}}"#,
        1_800_000_000 + seeded.below(1 << 20)
    );
    let signature = seeded.text(BASE64URL, 43);
    format!(
        "{}.{}.{}",
        base64(header.as_bytes(), URL_SAFE),
        base64(payload.as_bytes(), URL_SAFE),
        String::from_utf8_lossy(&signature)
    )
}

fn private_key(seeded: &mut Seeded) -> String {
    let (kind, head, length): (&str, &[u8], usize) = match seeded.below(4) {
        0 => (
            "RSA PRIVATE KEY",
            b"\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01\x00",
            1180,
        ),
        1 => (
            "PRIVATE KEY",
            b"\x30\x82\x04\xbe\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d",
            1200,
        ),
        2 => ("EC PRIVATE KEY", b"\x30\x77\x02\x01\x01\x04\x20", 114),
        _ => (
            "OPENSSH PRIVATE KEY",
            b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01",
            380,
        ),
    };
    let mut der = head.to_vec();
    der.extend((0..length).map(|_| u8::try_from(seeded.below(256)).expect("a byte")));
    let body = base64(&der, STANDARD);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}

fn database_url(seeded: &mut Seeded) -> String {
    let scheme = seeded.pick(&[
        "postgres",
        "postgresql",
        "mysql",
        "mongodb+srv",
        "redis",
        "amqps",
        "postgresql+asyncpg",
    ]);
    let length = 14 + seeded.below(16);
    let password = String::from_utf8(seeded.text(BASE62, length)).expect("ASCII");
    format!("{scheme}://app:{password}@db{}.corp.io", seeded.below(100))
}

/// Base64 without padding, in an alphabet.
pub fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let groups = bytes.chunks(3).flat_map(|three| {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        (0..=three.len()).map(move |index| alphabet[(bits >> (18 - 6 * index)) as usize & 63])
    });
    groups.map(char::from).collect()
}

/// Of RFC 4648 section 4.
pub const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Of RFC 4648 section 5.
pub const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL: &[u8] = URL_SAFE;

fn base62(mut number: u32) -> Vec<u8> {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits.to_vec()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
