//! Every shape's credential, in whatever it is spelled, in bodies that come in whatever pieces and are cut wherever: none is written down.

use super::written_of;
use crate::dlp::tests::credentials::{self, STANDARD, Seeded, base64};

fn spelled(text: &str, way: usize) -> String {
    match way {
        0 => text.to_owned(),
        1 => base64(format!("say {text} again").as_bytes(), STANDARD),
        2 => text
            .bytes()
            .fold(String::new(), |all, byte| all + &format!("%{byte:02x}")),
        _ => text
            .bytes()
            .fold(String::new(), |all, byte| all + &format!("\\u{byte:04x}")),
    }
}

#[test]
fn no_credential_is_written_down_wherever_a_body_is_cut_and_whole_ones_are_masked() {
    let shapes = credentials::shapes(include_str!("../../../policy/data/credential-shapes.toml"));
    let mut seeded = Seeded::new(23);
    for shape in &shapes {
        for way in 0..4 {
            let planted = spelled(&shape.credential(&mut seeded), way);
            let body = format!(
                "{{\"before\": \"words\", \"note\": \"see {planted} there\", \"after\": \"more words\"}}"
            );
            let piece = 1 + seeded.below(40);
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(piece).collect();
            let cut = body.find(&planted).expect("it is there") + seeded.below(planted.len());
            for most in [body.len(), cut.max(1)] {
                let written = written_of(&pieces, most, None).expect("it has a body");
                let text = written.text().expect("it is text");
                let half = &planted.as_bytes()[planted.len() / 2..];
                for window in half.windows(12.min(half.len())) {
                    let found = text.as_bytes().windows(window.len()).any(|other| other == window);
                    assert!(!found, "{} in way {way}, cut at {most}: {text}", shape.name);
                }
                assert!(text.starts_with("{\"before\": \"words\", \"note\": \""), "{text}");
                // Where a private key ends cannot be told in another spelling: all that follows is masked.
                let told_to_the_end = most == body.len() && (way == 0 || shape.name != "private-key");
                assert_eq!(
                    text.ends_with("\"after\": \"more words\"}"),
                    told_to_the_end,
                    "{text}"
                );
            }
        }
    }
}
