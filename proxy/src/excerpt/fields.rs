//! Header fields, as they are written down.

use http::HeaderMap;
use outwall_audit::Field;
use outwall_policy::RecordedFields;

use super::masked::masked;
use super::wanted::Wanted;

/// Those of a head that are recorded, in their order, masked.
pub(super) fn of<'a>(
    headers: &'a HeaderMap,
    which: &'a RecordedFields,
    wanted: &'a Wanted,
) -> impl Iterator<Item = Field> + 'a {
    let fields = headers.iter().filter(|(name, _)| which.has(name.as_str()));
    fields.map(|(name, value)| {
        let name = name.as_str();
        if wanted.credential_fields.contains(name) {
            return Field::redacted(name);
        }
        let told = masked(&wanted.shapes, name.as_bytes(), true).bytes;
        if told != name.as_bytes() {
            return Field::redacted(&String::from_utf8_lossy(&told));
        }
        Field::new(name, &masked(&wanted.shapes, value.as_bytes(), true).bytes)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderValue;
    use http::header::HeaderName;

    use super::super::wanted::tests::wanted;
    use super::*;

    #[test]
    fn what_is_named_is_recorded_and_what_is_secret_in_it_is_not() {
        let token = ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
        let mut headers = HeaderMap::new();
        headers.append("user-agent", HeaderValue::from_static("curl/8.5.0"));
        headers.append(
            "x-note",
            HeaderValue::try_from(format!("see {token}, please")).unwrap(),
        );
        headers.append("x-other", HeaderValue::from_static("password=hunter2; lang=en"));
        headers.append("x-acme", HeaderValue::from_static("of the policy"));
        headers.append("cookie", HeaderValue::from_static("a=b"));
        let odd = HeaderName::from_bytes(token.to_lowercase().as_bytes()).unwrap();
        headers.append(odd, HeaderValue::from_static("1"));
        headers.append("accept", HeaderValue::from_static("*/*"));
        headers.append("accept", HeaderValue::from_static("text/html"));
        let mut wanted = wanted();
        wanted.credential_fields = BTreeSet::from(["x-acme".to_owned()]);
        let told = |which: &RecordedFields| {
            let fields = of(&headers, which, &wanted);
            let lines: Vec<String> = fields
                .map(|field| format!("{}: {}", field.name(), field.value()))
                .collect();
            lines
        };
        let mut all = told(&RecordedFields::All);
        assert!(all.remove(5).starts_with("ghp_***: "), "{all:?}");
        assert_eq!(
            all,
            [
                "user-agent: curl/8.5.0",
                "x-note: see ***, please",
                "x-other: password=***; lang=en",
                "x-acme: [redacted]",
                "cookie: [redacted]",
                "accept: */*",
                "accept: text/html",
            ]
        );
        let named = RecordedFields::Named(BTreeSet::from(["accept".to_owned(), "cookie".to_owned()]));
        assert_eq!(
            told(&named),
            ["cookie: [redacted]", "accept: */*", "accept: text/html"]
        );
        assert!(told(&RecordedFields::Nothing).is_empty());
    }
}
