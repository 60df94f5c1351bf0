//! What the parts come to together.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{ScrubStream, Scrubber, Unscrubbable};

const KEY: &str = "sk-ant-api03-Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0Tc-Ue_Aa";
const AWS: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKY";

fn scrubber(secrets: &[&[u8]]) -> Arc<Scrubber> {
    let named = secrets.iter().enumerate();
    let named = named.map(|(number, secret)| (format!("key-{number}").parse().unwrap(), *secret));
    Arc::new(Scrubber::new(named).unwrap())
}

fn scrubbed(scrubber: &Scrubber, text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    scrubber.mask(&mut text);
    text
}

fn in_pieces(scrubber: &Arc<Scrubber>, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = ScrubStream::new(Arc::clone(scrubber));
    let mut given = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        given.extend_from_slice(&stream.push(&Bytes::copy_from_slice(&text[from..cut])));
        assert_eq!(given.len() + stream.held(), cut);
        from = cut;
    }
    given.extend_from_slice(&stream.end());
    assert_eq!(stream.held(), 0);
    given
}

fn found(stream: &mut ScrubStream) -> Vec<(String, u64)> {
    stream.found().map(|(name, at)| (name.to_string(), at)).collect()
}

fn each_byte(secret: &str, write: impl Fn(u8) -> String) -> String {
    secret.bytes().map(write).collect()
}

/// How a secret may come back.
fn written(secret: &str) -> Vec<(&'static str, String)> {
    let reserved = |byte: u8| !byte.is_ascii_alphanumeric();
    let basic = BASE64_STANDARD.encode(format!("user:{secret}"));
    let utf16 = |bytes: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(bytes).map(char::from).collect();
    vec![
        ("as it is", secret.to_owned()),
        ("lower case", secret.to_ascii_lowercase()),
        ("upper case", secret.to_ascii_uppercase()),
        ("cut short", secret[..secret.len() - 9].to_owned()),
        ("without its beginning", secret[17..].to_owned()),
        ("Basic", basic.clone()),
        ("base64", BASE64_STANDARD.encode(secret)),
        ("base64 of base64", BASE64_STANDARD.encode(&basic)),
        (
            "url-safe base64 of more",
            BASE64_URL_SAFE_NO_PAD.encode(format!("{{{secret}}}")),
        ),
        ("percent", each_byte(secret, |byte| format!("%{byte:02X}"))),
        (
            "percent, some",
            each_byte(secret, |byte| {
                if reserved(byte) {
                    format!("%{byte:02x}")
                } else {
                    char::from(byte).into()
                }
            }),
        ),
        (
            "percent twice",
            each_byte(secret, |byte| format!("%25{byte:02x}")),
        ),
        (
            "percent base64",
            basic.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F"),
        ),
        ("JSON", secret.replace('/', "\\/")),
        ("JSON numbers", each_byte(secret, |byte| format!("\\u{byte:04x}"))),
        (
            "JSON in JSON",
            each_byte(secret, |byte| format!("\\\\u{byte:04X}")),
        ),
        ("C", each_byte(secret, |byte| format!("\\x{byte:02x}"))),
        ("entities", each_byte(secret, |byte| format!("&#{byte};"))),
        (
            "entities, some",
            each_byte(secret, |byte| {
                if reserved(byte) {
                    format!("&#x{byte:X};")
                } else {
                    char::from(byte).into()
                }
            }),
        ),
        ("hexadecimal", each_byte(secret, |byte| format!("{byte:02x}"))),
        ("HEXADECIMAL", each_byte(secret, |byte| format!("{byte:02X}"))),
        ("UTF-16", utf16(u16::to_le_bytes)),
        ("UTF-16, the other", utf16(u16::to_be_bytes)),
        (
            "each its own way",
            secret
                .bytes()
                .enumerate()
                .map(|(at, byte)| match at % 5 {
                    0 => format!("%{byte:02x}"),
                    1 => format!("\\u{byte:04x}"),
                    2 => format!("&#{byte};"),
                    _ => char::from(byte).into(),
                })
                .collect(),
        ),
    ]
}

#[test]
fn a_secret_is_masked_however_it_is_written_and_what_is_around_it_stays() {
    for secret in [KEY, AWS] {
        let scrubber = scrubber(&[secret.as_bytes()]);
        for (how, form) in written(secret) {
            let text = format!("{{\"token\": \"{form}\", \"other\": 1}}\n");
            let masked = String::from_utf8(scrubbed(&scrubber, text.as_bytes())).unwrap();
            assert_eq!(masked.len(), text.len(), "{how}");
            assert!(
                masked.starts_with("{\"token\": \"") && masked.ends_with("\", \"other\": 1}\n"),
                "{how}: {masked}"
            );
            let left = masked[11..masked.len() - 15]
                .chars()
                .filter(|left| *left != '*')
                .count();
            assert!(left <= 16, "{how}: {masked}"); // of base64, what it shares with its neighbours
        }
        // The twin: without it the text shows it.
        let other = self::scrubber(&[b"another-one-0123456789abcdEFGH"]);
        for (_, form) in written(secret) {
            assert_eq!(scrubbed(&other, form.as_bytes()), form.as_bytes());
        }
    }
}

#[test]
fn whose_it_was_is_told_once_and_nothing_is_told_of_what_it_was() {
    let scrubber = scrubber(&[KEY.as_bytes(), AWS.as_bytes()]);
    let mut stream = ScrubStream::new(Arc::clone(&scrubber));
    assert_eq!(
        stream.push(&Bytes::from(format!("{AWS} {AWS}\n"))),
        format!("{0} {0}\n", "*".repeat(40))
    );
    assert_eq!(found(&mut stream), [("key-1".to_owned(), 0)]);
    stream.push(&Bytes::from(format!("{AWS} {KEY}\n")));
    assert_eq!(found(&mut stream), [("key-0".to_owned(), 2 * 41 + 41)]);
    stream.push(&Bytes::from_static(&KEY.as_bytes()[..30]));
    for shown in [
        format!("{scrubber:?}"),
        format!("{:?}", ScrubStream::new(Arc::clone(&scrubber))),
    ] {
        assert!(shown.contains("key-0") && !shown.contains("Zq8Lx2Vn"), "{shown}");
    }
}

#[test]
fn a_secret_that_would_be_found_everywhere_is_refused() {
    let one = |secret: &[u8]| Scrubber::new([("short".parse().unwrap(), secret)]);
    assert!(matches!(one(b"1234567"), Err(Unscrubbable::TooShort(_))));
    assert!(one(b"12345678").is_ok());
    assert!(matches!(
        one(&vec![b'x'; 65 << 10]),
        Err(Unscrubbable::TooLong(_))
    ));
}

#[test]
fn nothing_waits_that_cannot_be_a_beginning() {
    let scrubber = scrubber(&[KEY.as_bytes()]);
    let mut stream = ScrubStream::new(scrubber);
    let event = Bytes::from_static(b"event: delta\ndata: {\"text\": \"100 % of them\"}\n\n");
    let given = stream.push(&event);
    assert_eq!(given.as_ptr(), event.as_ptr(), "and it is not copied");
    assert_eq!((given, stream.held()), (event, 0));
    // What may be one waits, and no more than that.
    assert_eq!(
        stream.push(&Bytes::from_static(b"the key: sk-ant-a")),
        "the key: "
    );
    assert_eq!(stream.push(&Bytes::from_static(b"nother\n")), "sk-ant-another\n");
    assert_eq!(stream.push(&Bytes::from_static(b"is %2")), "is ");
    assert_eq!(stream.push(&Bytes::from_static(b"0 \\u00")), "%20 ");
    assert_eq!(stream.push(&Bytes::from_static(b"0a.")), "\\u000a.");
}

#[test]
fn a_run_that_has_told_its_secret_goes_out_masked_as_it_comes() {
    let mut stream = ScrubStream::new(scrubber(&[KEY.as_bytes()]));
    let mut given = String::new();
    for byte in KEY.bytes().chain(*b" and more") {
        given.push_str(std::str::from_utf8(&stream.push(&Bytes::copy_from_slice(&[byte]))).unwrap());
        assert!(stream.held() < 13 + 8);
    }
    given.push_str(std::str::from_utf8(&stream.end()).unwrap());
    assert_eq!(given, format!("{} and more", "*".repeat(KEY.len())));
}

/// Bytes that a secret may have, all the more those that escapes are made of.
fn secrets() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        8 => proptest::char::ranges(vec!['0'..='9', 'A'..='Z', 'a'..='z'].into()).prop_map(|letter| letter as u8),
        1 => proptest::sample::select(b"+/-_=.:%\\&\"; 25ua".to_vec()),
        1 => any::<u8>(),
    ];
    prop_oneof![4 => vec(byte, 8..60), 1 => vec(proptest::sample::select(b"ab2%".to_vec()), 8..20)]
}

/// Pieces of text that are near to being a secret.
fn texts(secret: Vec<u8>) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let length = secret.len();
    let part = (0..length, 1..=length, 0..10_usize);
    let own = secret.clone();
    let piece = prop_oneof![
        6 => part.prop_map(move |(from, length, how)| write(&own[from..(from + length).min(own.len())], how)),
        1 => vec(any::<u8>(), 0..6),
        2 => proptest::sample::select(vec![
            &b" "[..], b"%", b"%2", b"%25", b"\\", b"\\\\", b"\\u00", b"&", b"&amp;", b"&#", b"0A", b"a", b"%0A", b";"
        ]).prop_map(<[u8]>::to_vec),
    ];
    (Just(secret), vec(piece, 0..12).prop_map(|pieces| pieces.concat()))
}

fn write(part: &[u8], how: usize) -> Vec<u8> {
    let each =
        |write: &dyn Fn(u8) -> String| part.iter().flat_map(|byte| write(*byte).into_bytes()).collect();
    match how {
        0..3 => part.to_vec(),
        3 => each(&|byte| format!("%{byte:02x}")),
        4 => each(&|byte| format!("%25{byte:02X}")),
        5 => each(&|byte| format!("\\u{byte:04x}")),
        6 => each(&|byte| format!("&#{byte};")),
        7 => each(&|byte| format!("&amp;#x{byte:x};")),
        8 => BASE64_STANDARD.encode(part).into_bytes(),
        _ => BASE64_STANDARD
            .encode(BASE64_STANDARD.encode(part))
            .replace('=', "%3d")
            .into_bytes(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_masked_whole_is_masked_in_pieces(
        (secret, text) in secrets().prop_flat_map(texts),
        cuts in vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let scrubber = scrubber(&[&secret]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = scrubbed(&scrubber, &text);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        prop_assert_eq!(shown(&in_pieces(&scrubber, &text, &cuts)), shown(&whole), "{} in {}", shown(&secret), shown(&text));
        let bytewise: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(shown(&in_pieces(&scrubber, &text, &bytewise)), shown(&whole), "{} in {}", shown(&secret), shown(&text));
    }

    #[test]
    fn a_window_is_enough_wherever_it_lies(
        secret in "[a-z]{3}[A-Z]{3}[0-9]{3}[a-zA-Z0-9+/]{10,50}",
        (from, more, how) in (any::<proptest::sample::Index>(), 0..20_usize, 0..10_usize),
        around in "[ \\n]{1,3}",
    ) {
        let (scrubber, bytes) = (scrubber(&[secret.as_bytes()]), secret.as_bytes());
        let from = from.index(bytes.len() - 7);
        let part = write(&bytes[from..bytes.len().min(from + 8 + more)], how);
        let text = [around.as_bytes(), &part, around.as_bytes()].concat();
        let masked = scrubbed(&scrubber, &text);
        let left = masked.iter().filter(|byte| **byte != b'*').count() - 2 * around.len();
        // Of base64 its last characters, which hold less than a byte, and its padding; twice.
        prop_assert!(left <= if how < 8 { 0 } else { 14 }, "{}", String::from_utf8_lossy(&masked));
    }

    #[test]
    fn nothing_of_another_text_is_masked(secret in secrets(), text in vec(any::<u8>(), 0..4000)) {
        let letters = secret.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        prop_assume!(letters >= 8);
        prop_assert_eq!(scrubbed(&scrubber(&[&secret]), &text), text);
    }
}
