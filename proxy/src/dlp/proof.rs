//! What a regular expression cannot say: checksums, structure, entropy, and that it is no placeholder.

use outwall_policy::credential::{Check, CredentialShape};
use serde_json::Value;

use super::source::six_bits;

/// Whether a match of a shape's expression is one of its credentials.
pub(super) fn holds(shape: &CredentialShape, text: &[u8]) -> bool {
    let checked = match shape.check() {
        Check::Exact | Check::Placeholder => return true,
        Check::Nothing => true,
        Check::Base62Crc32 => has_base62_checksum(text),
        Check::Jwt => is_jwt(text),
        Check::PrivateKey => is_private_key(text),
        Check::DatabaseUrl => is_database_url(text),
        Check::OpenAi => is_openai_key(text),
        Check::Mixed => is_mixed(tail(text)),
    };
    checked && entropy(tail(text)) >= shape.least_entropy() && !is_placeholder(text, shape.check())
}

/// What of a credential is not its mark: what follows the first eight bytes, or half of it.
fn tail(text: &[u8]) -> &[u8] {
    &text[(text.len() / 2).min(MARK)..]
}

/// Shannon entropy, bits per byte.
#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = text.len() as f64;
    let bits = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    });
    bits.sum()
}

/// Words of documentation. A private key is too long not to have some of them by chance.
fn is_placeholder(text: &[u8], check: Check) -> bool {
    if matches!(check, Check::PrivateKey | Check::Jwt) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS
        .iter()
        .any(|word| lower.windows(word.len()).any(|window| window == *word))
}

fn is_mixed(text: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    kinds.iter().all(|kind| text.iter().any(kind))
}

/// `pre_`, thirty characters, and their CRC-32 in six of base62 (`0-9A-Za-z`), most significant first.
fn has_base62_checksum(text: &[u8]) -> bool {
    let Some((_, rest)) = text.split_at_checked(4) else {
        return false;
    };
    let Some((body, sum)) = rest.split_at_checked(rest.len().saturating_sub(6)) else {
        return false;
    };
    let decoded = sum.iter().try_fold(0_u64, |sum, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        Some(sum * 62 + u64::from(value))
    });
    sum.len() == 6 && decoded == Some(u64::from(crc32(body)))
}

/// CRC-32 as in gzip (RFC 1952 section 8).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn is_jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.');
    let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let header = json_object(header);
    let has_algorithm = header.is_some_and(|header| header["alg"].is_string());
    // Of the example on jwt.io, which is in documentation and tests everywhere.
    let is_example = |payload: &Value| payload["sub"] == "1234567890";
    has_algorithm
        && json_object(payload).is_some_and(|payload| !is_example(&payload))
        && entropy(signature) >= LEAST_ENTROPY_OF_SIGNATURE
}

fn json_object(part: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(&decode_base64(part)?).ok()?;
    value.is_object().then_some(value)
}

/// Without padding.
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        bits = bits << 6 | u32::from(six_bits(*byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(decoded)
}

/// After the armour there is base64 that is no filler, or the header of an encrypted or `OpenPGP` key.
fn is_private_key(text: &[u8]) -> bool {
    let Some(armour) = text
        .windows(ARMOUR.len())
        .skip(1)
        .position(|window| window == ARMOUR)
    else {
        return false;
    };
    let after = text[armour + 1 + ARMOUR.len()..].trim_ascii_start();
    if KEY_HEADERS.iter().any(|header| after.starts_with(header)) {
        return true;
    }
    let body = after.iter().take_while(|byte| six_bits(**byte).is_some()).count();
    body >= LEAST_OF_KEY && entropy(&after[..body]) >= LEAST_ENTROPY_OF_KEY
}

fn is_database_url(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return false;
    };
    let Some((user, password)) = user.split_once(':') else {
        return false;
    };
    let local = !host.contains('.') || LOCAL_HOSTS.iter().any(|word| host.contains(word)) || is_number(host);
    let lower = password.to_ascii_lowercase();
    let common = password == user || COMMON_PASSWORDS.iter().any(|word| lower.contains(word));
    !local && !common && entropy(password.as_bytes()) >= LEAST_ENTROPY_OF_PASSWORD
}

/// A private or loopback address.
fn is_number(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

fn is_openai_key(text: &[u8]) -> bool {
    let place = text.windows(OPENAI.len()).position(|window| window == OPENAI);
    place.is_some_and(|place| place >= 23 && text.len() - place - OPENAI.len() >= 20)
}

const MARK: usize = 8;
const ARMOUR: &[u8] = b"KEY-----";
const OPENAI: &[u8] = b"T3BlbkFJ";
const KEY_HEADERS: [&[u8]; 5] = [b"Proc-Type:", b"DEK-Info:", b"Version:", b"Comment:", b"Hash:"];
const PLACEHOLDERS: [&[u8]; 11] = [
    b"eby8vdm02xnocqfl", // every storage emulator has this key
    b"example",
    b"xxxx",
    b"0000000",
    b"1234567",
    b"abcdefg",
    b"aaaaaa",
    b"your_",
    b"your-",
    b"placeholder",
    b"redacted",
];
const LOCAL_HOSTS: [&str; 5] = ["localhost", "example", ".local", ".test", ".internal"];
const COMMON_PASSWORDS: [&str; 9] = [
    "password", "passwd", "postgres", "secret", "changeme", "example", "xxxx", "****", "123456",
];
const LEAST_OF_KEY: usize = 40;
const LEAST_ENTROPY_OF_KEY: f64 = 3.0;
const LEAST_ENTROPY_OF_SIGNATURE: f64 = 3.5;
const LEAST_ENTROPY_OF_PASSWORD: f64 = 2.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_githubs() {
        // The example of GitHub's announcement, split so that nobody's scanner takes this file for a leak.
        let example = ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
        assert!(has_base62_checksum(example.as_bytes()));
        let wrong = example.replace("0mLq17", "0mLq18");
        assert!(!has_base62_checksum(wrong.as_bytes()));
        assert!(!has_base62_checksum(b"ghp_"));
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn entropy_is_shannons() {
        assert!((entropy(b"aaaa") - 0.0).abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_database_url_has_a_password_that_somebody_chose_and_a_host_elsewhere() {
        for good in [
            "postgres://app:v9Kq2mXz81@db.corp.io",
            "mysql://root:hR7-tt_Qw93@10.2.3.4",
        ] {
            assert!(is_database_url(good.as_bytes()), "{good}");
        }
        for bad in [
            "postgres://app:v9Kq2mXz81@localhost",
            "postgres://app:v9Kq2mXz81@db",
            "postgres://app:password1@db.corp.io",
            "postgres://postgres:postgres@db.corp.io",
            "mysql://u:v9Kq2mXz81@127.0.0.1",
        ] {
            assert!(!is_database_url(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_private_key_has_a_body() {
        let armour = "-----BEGIN RSA PRIVATE KEY-----\n";
        let body = "MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0buq6DvNm3Sq8";
        assert!(is_private_key(format!("{armour}{body}").as_bytes()));
        assert!(is_private_key(
            format!("{armour}Proc-Type: 4,ENCRYPTED").as_bytes()
        ));
        assert!(!is_private_key(format!("{armour}...").as_bytes()));
        assert!(!is_private_key(format!("{armour}{}", "A".repeat(64)).as_bytes()));
    }
}
