//! A path is normalised once: doing it again changes nothing, and nothing climbs out.
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
});
