//! Fields of a head, and of trailers.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use outwall_broker::scrub::Scrubber;
use outwall_policy::brokered::CredentialName;

use crate::leaks::Place;

/// Masks secrets in the values of fields, and removes fields whose name holds one, which `tell` is told of. `place` says what a
/// field of that name is.
pub(super) fn scrub(
    scrubber: &Scrubber,
    fields: &mut HeaderMap,
    place: fn(String) -> Place,
    tell: &mut dyn FnMut(&CredentialName, Place),
) {
    let mut reflecting: Vec<HeaderName> = Vec::new();
    for name in fields.keys() {
        if let Some((_, whose)) = scrubber.masked(name.as_str().as_bytes()) {
            for whose in whose {
                tell(whose, Place::HeaderName);
            }
            reflecting.push(name.clone());
        }
    }
    for name in reflecting {
        fields.remove(name);
    }
    for (name, value) in fields.iter_mut() {
        if let Some((masked, whose)) = scrubber.masked(value.as_bytes()) {
            for whose in whose {
                tell(whose, place(name.as_str().to_owned()));
            }
            *value = HeaderValue::from_bytes(&masked).unwrap_or(NOTHING);
        }
    }
}

const NOTHING: HeaderValue = HeaderValue::from_static("");

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "npm_4Fv2Kq8Zx6Wn1Rb9Lt3Yc7Hd5Js0Gp2Ma4Qe";

    #[test]
    fn values_are_masked_and_names_removed_and_the_rest_stays() {
        let name = "npm".parse().expect("a name");
        let scrubber = Scrubber::new([(name, SECRET.as_bytes())]).expect("long enough");
        let mut fields = HeaderMap::new();
        let value = |text: String| HeaderValue::try_from(text).expect("a value");
        fields.insert("location", value(format!("https://a.test/?token={SECRET}&x=1")));
        fields.append("set-cookie", value("a=b".to_owned()));
        fields.append("set-cookie", value(format!("t={SECRET}; Secure")));
        let lower = HeaderName::from_bytes(SECRET.to_lowercase().as_bytes()).expect("a name");
        fields.insert(lower, value("1".to_owned()));
        fields.insert("x-opaque", HeaderValue::from_bytes(b"\xff\xfe").expect("a value"));
        let mut told = Vec::new();
        scrub(&scrubber, &mut fields, Place::Header, &mut |whose, place| {
            told.push(format!("{whose}: {place}"));
        });
        told.sort();
        assert_eq!(
            told,
            [
                "npm: the header field \"location\"",
                "npm: the header field \"set-cookie\"",
                "npm: the name of a header field"
            ]
        );
        let stars = "*".repeat(SECRET.len());
        assert_eq!(fields["location"], format!("https://a.test/?token={stars}&x=1"));
        let cookies: Vec<_> = fields.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=b", &format!("t={stars}; Secure")]);
        assert_eq!(fields["x-opaque"].as_bytes(), b"\xff\xfe");
        assert_eq!(fields.keys_len(), 3);
    }
}
