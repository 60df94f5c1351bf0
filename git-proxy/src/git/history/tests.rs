#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::super::push_reader::PushReader;
use super::*;

/// A recorded push: its first update, and its pack.
fn recorded(body: &[u8]) -> (RefUpdate, ObjectFormat, Bytes) {
    let mut reader = PushReader::default();
    let commands = reader.feed(body).unwrap().unwrap();
    (
        commands.updates[0].clone(),
        commands.capabilities.object_format,
        reader.rest().freeze(),
    )
}

/// What is told of an update, whatever the pieces, and that all of the pack is passed on in the end.
fn told(update: &RefUpdate, format: ObjectFormat, pack: &Bytes) -> Descent {
    let in_pieces = |size: usize| {
        let mut history = PackHistory::new(format);
        let mut sent = Vec::new();
        for at in (0..pack.len()).step_by(size) {
            sent.extend_from_slice(&history.feed(&pack.slice(at..pack.len().min(at + size))));
        }
        let trailer = format.digits() / 2;
        assert_eq!(
            sent.len(),
            pack.len().saturating_sub(trailer),
            "the checksum is held back"
        );
        let descent = history.descent(update);
        sent.extend_from_slice(&history.held());
        assert_eq!(sent, pack[..]);
        descent
    };
    let whole = in_pieces(pack.len().max(1));
    for size in [1, 7, 100] {
        assert_eq!(in_pieces(size), whole, "in pieces of {size}");
    }
    whole
}

const FORWARD: &[u8] = include_bytes!("../../../tests/data/pushes/fast-forward");
const FORCE: &[u8] = include_bytes!("../../../tests/data/pushes/force");
const SHA256_FORWARD: &[u8] = include_bytes!("../../../tests/data/pushes/sha256");

#[test]
fn a_commit_on_top_of_the_old_one_is_seen() {
    for body in [FORWARD, SHA256_FORWARD] {
        let (update, format, pack) = recorded(body);
        assert_eq!(told(&update, format, &pack), Descent::Shown);
    }
}

#[test]
fn a_commit_beside_the_old_one_is_not_shown_and_says_what_it_leads_to() {
    let (update, format, pack) = recorded(FORCE);
    let Descent::NotShown { outside } = told(&update, format, &pack) else {
        panic!("it was forced");
    };
    assert_eq!(outside.len(), 1, "the commit that both were made on");
    assert_ne!(outside[0], update.old);
    let further = RefUpdate {
        old: outside[0].clone(),
        ..update
    };
    assert_eq!(told(&further, format, &pack), Descent::Shown);
}

#[test]
fn creating_and_deleting_move_nothing_back() {
    let (update, format, pack) = recorded(FORCE);
    let null: ObjectId = "0".repeat(40).parse().unwrap();
    assert_eq!(
        told(
            &RefUpdate {
                old: null.clone(),
                ..update.clone()
            },
            format,
            &pack
        ),
        Descent::Shown
    );
    assert_eq!(
        told(&RefUpdate { new: null, ..update }, format, &pack),
        Descent::Shown
    );
}

#[test]
fn nothing_is_told_from_a_pack_that_cannot_be_read() {
    let (update, format, pack) = recorded(FORWARD);
    let nothing = Descent::NotShown { outside: Vec::new() };
    assert_eq!(
        told(&update, format, &pack.slice(..pack.len() - 1)),
        nothing,
        "it is cut off"
    );
    assert_eq!(
        told(&update, format, &[&pack[..], b"x"].concat().into()),
        nothing,
        "it goes on"
    );
    let mut large = PackHistory {
        objects: PackObjects::new(format, 10),
        ..PackHistory::new(format)
    };
    large.feed(&pack);
    assert_eq!(
        large.descent(&update),
        nothing,
        "it inflates to more than is read"
    );
    for at in 12..pack.len() - 20 {
        let mut broken = pack.to_vec();
        broken[at] ^= 0x10;
        let mut history = PackHistory::new(format);
        history.feed(&broken.into());
        let _ = history.descent(&update); // whatever it is, it is told, and nothing panics
    }
}
