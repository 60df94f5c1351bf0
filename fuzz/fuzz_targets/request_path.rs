//! A path is normalised once: doing it again changes nothing, nothing climbs out, and a second parser (the WHATWG's, as
//! browsers have it) comes to the same segments.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::RequestPath;

fuzz_target!(|text: &str| {
    let Ok(path) = RequestPath::parse(text) else {
        return;
    };
    let normal = path.as_str();
    assert_eq!(
        RequestPath::parse(normal).expect("a normal form parses").as_str(),
        normal
    );
    if normal == "*" {
        return;
    }
    assert!(normal.starts_with('/'));
    assert!(normal.bytes().all(|b| b.is_ascii_graphic()), "{normal:?}");
    assert!(!normal.contains(['?', '#', '\\']), "{normal:?}");
    assert!(
        normal.split('/').all(|segment| segment != "." && segment != ".."),
        "{normal:?}"
    );
    if let (Some(written), Some(sent)) = (second(text), second(normal)) {
        assert_eq!(written, sent, "{text:?} became {normal:?}");
    }
});

/// The path as the other parser has it, escapes decoded as far as that changes no structure.
fn second(text: &str) -> Option<Vec<u8>> {
    if text.contains('\\') || text.starts_with("//") {
        return None; // there a backslash is a slash, and two slashes begin a host
    }
    if text.split('/').any(is_drive) {
        return None; // which that parser keeps before `..`, though the standard has it so for `file:` alone
    }
    let url = url::Url::parse("http://host/").ok()?.join(text).ok()?;
    let mut decoded = Vec::new();
    let mut bytes = url.path().bytes();
    while let Some(byte) = bytes.next() {
        let escape = (byte == b'%').then(|| {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        });
        match escape {
            None => decoded.push(byte),
            Some(value) => {
                let value = value?;
                if matches!(value, b'/' | b'%') {
                    decoded.extend_from_slice(format!("%{value:02X}").as_bytes());
                } else {
                    decoded.push(value);
                }
            }
        }
    }
    Some(decoded)
}

/// `C:`, or `C|`.
fn is_drive(segment: &str) -> bool {
    matches!(segment.as_bytes(), [letter, b':' | b'|'] if letter.is_ascii_alphabetic())
}
