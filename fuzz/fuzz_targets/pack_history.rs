//! What is told of a push from its pack is the same however it is split; all of the pack is passed on, and its checksum last; and nothing
//! is shown of a pack that is cut off.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::git::{Descent, ObjectFormat, PackHistory, PushReader};
use outwall_policy::github::RefUpdate;

fuzz_target!(|input: &[u8]| {
    let Some((cuts, body)) = input.split_first() else {
        return;
    };
    let mut reader = PushReader::default();
    let Ok(Some(commands)) = reader.feed(body) else {
        return;
    };
    let (update, format) = (&commands.updates[0], commands.capabilities.object_format);
    let pack = reader.rest().freeze();
    let whole = told(update, format, &pack, usize::MAX);
    assert_eq!(
        whole,
        told(update, format, &pack, usize::from(*cuts) + 1),
        "a split changes nothing"
    );
    if let Descent::NotShown { outside } = &whole {
        assert!(outside.len() <= PackHistory::MOST_OUTSIDE && !outside.contains(&update.old));
    } else if !update.old.is_null() && !update.new.is_null() {
        let cut = pack.slice(..pack.len() - 1);
        assert_ne!(
            told(update, format, &cut, usize::MAX),
            Descent::Shown,
            "it has no checksum"
        );
    }
});

fn told(update: &RefUpdate, format: ObjectFormat, pack: &Bytes, at_once: usize) -> Descent {
    let mut history = PackHistory::new(format);
    let mut sent = Vec::new();
    let size = at_once.min(pack.len().max(1));
    for at in (0..pack.len()).step_by(size) {
        sent.extend_from_slice(&history.feed(&pack.slice(at..pack.len().min(at + size))));
    }
    assert_eq!(sent.len(), pack.len().saturating_sub(format.digits() / 2));
    let descent = history.descent(update);
    sent.extend_from_slice(&history.held());
    assert_eq!(sent, pack[..]);
    descent
}
