//! How clients show a credential: the value of `Proxy-Authorization` (RFC 9110 section 11.7.2), as `Bearer` (RFC 6750 section 2.1) or
//! as the password of `Basic` (RFC 7617), which is what they can be told in the URL of a proxy.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::token::{LONGEST_TOKEN, ScopedToken};

/// What a client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// This, whatever it is worth.
    Token(ScopedToken),
}

/// A client shows something that has no form in which a credential is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Two fields: another reader might take the other one.
    #[error("there is more than one Proxy-Authorization field")]
    More,
    /// Neither `Basic` nor `Bearer`.
    #[error("Proxy-Authorization is neither `Basic` nor `Bearer`")]
    Scheme,
    /// Not of the form that its scheme says.
    #[error("Proxy-Authorization has not the form that its scheme says")]
    Form,
}

/// Reads all the values of the field.
pub fn presented<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Presented, Unreadable> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(Presented::Nothing),
        (Some(_), Some(_)) => Err(Unreadable::More),
        (Some(value), None) => read(value).map(Presented::Token),
    }
}

/// The same of `Authorization` at a GitHub, whose clients have a scheme `token` besides ("Authenticating to the REST API", GitHub Docs).
pub fn presented_at_github<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Presented, Unreadable> {
    let values = values
        .into_iter()
        .map(|value| match value.split_at_checked(TOKEN.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(TOKEN) => [b"bearer ", rest].concat(),
            _ => value.to_vec(),
        });
    let values: Vec<Zeroizing<Vec<u8>>> = values.map(Zeroizing::new).collect();
    presented(values.iter().map(|value| value.as_slice()))
}

fn read(value: &[u8]) -> Result<ScopedToken, Unreadable> {
    let text = std::str::from_utf8(value).map_err(|_| Unreadable::Form)?;
    let (scheme, rest) = text
        .trim_matches(BLANK)
        .split_once(' ')
        .ok_or(Unreadable::Scheme)?;
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        token(rest)
    } else if scheme.eq_ignore_ascii_case("basic") {
        password(rest)
    } else {
        Err(Unreadable::Scheme)
    }
}

/// The password; whatever the user is called.
fn password(encoded: &str) -> Result<ScopedToken, Unreadable> {
    if encoded.len() > LONGEST_TOKEN * 2 {
        return Err(Unreadable::Form);
    }
    let pair = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| Unreadable::Form)?);
    let pair = std::str::from_utf8(&pair).map_err(|_| Unreadable::Form)?;
    let (_user, password) = pair.split_once(':').ok_or(Unreadable::Form)?;
    token(password)
}

/// The characters of a token, and no more of them than one has.
fn token(text: &str) -> Result<ScopedToken, Unreadable> {
    let of_a_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > LONGEST_TOKEN || !text.bytes().all(of_a_token) {
        return Err(Unreadable::Form);
    }
    Ok(ScopedToken::of(text.to_owned()))
}

const TOKEN: &[u8] = b"token ";
/// Optional white space around a field's value (RFC 9110 section 5.6.3).
const BLANK: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn shown(values: &[&str]) -> Result<String, Unreadable> {
        presented(values.iter().map(|value| value.as_bytes())).map(|presented| match presented {
            Presented::Nothing => "nothing".to_owned(),
            Presented::Token(token) => token.expose().to_owned(),
        })
    }

    #[test]
    fn a_token_is_shown_as_bearer_or_as_a_password() {
        assert_eq!(shown(&[]).unwrap(), "nothing");
        assert_eq!(shown(&["Bearer a.b-c.d_e"]).unwrap(), "a.b-c.d_e");
        assert_eq!(shown(&["  bearer   a.b.c\t"]).unwrap(), "a.b.c");
        let basic = |pair: &str| shown(&[&format!("Basic {}", BASE64_STANDARD.encode(pair))]);
        assert_eq!(basic("sandbox:a.b.c").unwrap(), "a.b.c");
        assert_eq!(basic(":a.b.c").unwrap(), "a.b.c");
        assert_eq!(basic("sandbox:a:b"), Err(Unreadable::Form));
        assert_eq!(basic("sandbox"), Err(Unreadable::Form));
        assert_eq!(basic("sandbox:"), Err(Unreadable::Form));
    }

    #[test]
    fn at_github_there_is_another_scheme() {
        let at_github = |value: &str| presented_at_github([value.as_bytes()]);
        for value in ["token a.b.c", "Token a.b.c", "Bearer a.b.c", "Basic eDphLmIuYw=="] {
            let Ok(Presented::Token(token)) = at_github(value) else {
                panic!("{value}")
            };
            assert_eq!(token.expose(), "a.b.c");
        }
        assert_eq!(at_github("token"), Err(Unreadable::Scheme));
        assert_eq!(shown(&["token a.b.c"]), Err(Unreadable::Scheme), "not at a proxy");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        assert_eq!(shown(&["Bearer a.b.c", "Bearer a.b.c"]), Err(Unreadable::More));
        for (value, why) in [
            ("", Unreadable::Scheme),
            ("Bearer", Unreadable::Scheme),
            ("Digest username=\"a\"", Unreadable::Scheme),
            ("Bearer ", Unreadable::Scheme),
            ("Bearer a.b.c, Basic eDp5", Unreadable::Form),
            ("Bearer a b", Unreadable::Form),
            ("Bearer a\u{0}", Unreadable::Form),
            ("Basic !!!", Unreadable::Form),
            ("Basic eDp5=", Unreadable::Form),
            ("Basic eDpB\u{e4}", Unreadable::Form),
        ] {
            assert_eq!(shown(&[value]), Err(why), "{value:?}");
        }
        assert_eq!(
            shown(&[&format!("Bearer {}", "a".repeat(LONGEST_TOKEN + 1))]),
            Err(Unreadable::Form)
        );
    }

    #[test]
    fn what_was_shown_is_not_in_debug() {
        let shown = presented([&b"Bearer secret.secret.secret"[..]]);
        assert!(!format!("{shown:?}").contains("secret"));
    }
}
