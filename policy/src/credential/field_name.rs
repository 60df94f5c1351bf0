//! Names of fields that hold credentials: of headers, of members of JSON, of parameters of forms.
//!
//! Where a value is to be written down, the name decides more often than the value: a session id looks like any other word. It errs on
//! the side of secrets: `x-csrf-token` opens little, and nobody misses its value.

/// Whether what has this name holds a credential, by its words: `Authorization`, `x-goog-api-key`, `clientSecret`, `access_token`.
pub fn names_a_credential(name: &str) -> bool {
    let words = words_of(name);
    let joined = words.concat();
    words.iter().any(|word| WORDS.contains(&word.as_str())) || PARTS.iter().any(|part| joined.contains(part))
}

/// In lower case, apart at what is no letter or digit and where upper case begins.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(character) = rest.next() {
        if !character.is_ascii_alphanumeric() {
            words.push(String::new());
            before = None;
            continue;
        }
        let ends_capitals = rest.peek().is_some_and(char::is_ascii_lowercase);
        let begins = match before {
            Some('A'..='Z') => character.is_ascii_uppercase() && ends_capitals,
            Some(_) => character.is_ascii_uppercase(),
            None => false,
        };
        if begins {
            words.push(String::new());
        }
        words
            .last_mut()
            .expect("one is there")
            .push(character.to_ascii_lowercase());
        before = Some(character);
    }
    words
}

/// As a word of its own. `token` is one, and `tokens` is what models count.
const WORDS: [&str; 17] = [
    "assertion", // RFC 7521
    "auth",
    "bearer",
    "csrf",
    "jwt",
    "oauth",
    "oauth2",
    "otp",
    "pass",
    "pat",
    "pwd",
    "sas",
    "sid",
    "sig",
    "token",
    "totp",
    "xsrf",
];
/// Anywhere in the words together.
const PARTS: [&str; 31] = [
    "accesskey",
    "accesstoken",
    "accountkey",
    "apikey",
    "applicationkey",
    "authentication",
    "authorization",
    "authtoken",
    "codeverifier", // RFC 7636
    "cookie",
    "credential",
    "customerkey",
    "devicecode", // RFC 8628
    "encryptionkey",
    "functionskey",
    "idtoken",
    "licensekey",
    "masterkey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "sessionid",
    "sessionkey",
    "sessiontoken",
    "sharedkey",
    "signature",
    "subscriptionkey",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokered::{CredentialPlace, Injection, Preset};

    #[test]
    fn what_holds_credentials_is_known_in_whatever_way_it_is_written() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "cookie",
            "Set-Cookie",
            "x-api-key",
            "apikey",
            "X-Goog-Api-Key",
            "XAPIKey",
            "APIKey",
            "client_secret",
            "clientSecret",
            "access_token",
            "accessToken",
            "refreshtoken",
            "db.password",
            "user[password]",
            "JSESSIONID",
            "PHPSESSID_sid",
            "x-amz-security-token",
            "X-Amz-Signature",
            "x-amz-server-side-encryption-customer-key",
            "authentication-info",
            "sig",
            "privateKey",
        ] {
            assert!(names_a_credential(name), "{name}");
        }
    }

    #[test]
    fn what_holds_none_is_left_alone() {
        for name in [
            "",
            "-",
            "user-agent",
            "content-type",
            "accept",
            "x-author",
            "authority",
            "max_tokens",
            "anthropic-ratelimit-tokens-remaining",
            "x-request-id",
            "idempotency-key",
            "key",
            "etag",
            "sec-websocket-key",
            "path",
            "compass",
            "www-authenticate",
            "passenger",
            "design",
        ] {
            assert!(!names_a_credential(name), "{name}");
        }
    }

    /// Where credentials stand at the services that the broker knows.
    #[test]
    fn the_headers_and_members_of_every_preset_are_known() {
        for preset in Preset::all() {
            let put_in = preset.inject().iter().filter_map(|way| match way {
                Injection::Header { name, .. } => Some(name),
                _ => None,
            });
            let counted = preset
                .counted()
                .iter()
                .filter_map(|counted| match counted.place() {
                    CredentialPlace::Header { name, .. } | CredentialPlace::Body(name) => Some(name),
                    _ => None,
                });
            for name in put_in.chain(counted) {
                // `code` is an authorisation code in a form (RFC 6749), and says what went wrong everywhere else.
                assert!(
                    names_a_credential(name) || name == "code",
                    "{name} of {}",
                    preset.name()
                );
            }
        }
    }
}
