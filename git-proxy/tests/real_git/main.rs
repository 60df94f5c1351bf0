//! Whatever is posted as a push, no ref but the session's ever changes: bodies made from recorded pushes go through the reader and the
//! policy, and what both let through goes on to a real `git receive-pack`, whose refs are then compared.
//!
//! The usual run is small. The whole one: `cargo test -p outwall-git-proxy --test real_git -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bodies;
mod random;
mod scratch;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bodies::Bodies;
use bytes::Bytes;
use outwall_git_proxy::git::{
    Descent, FetchReader, ObjectFormat, PackHistory, ProtocolVersion, PushCommands, PushReader,
};
use outwall_policy::github::{Ground, RefUpdate, SessionGrant, SessionRepository, SessionRules};
use random::Random;
use scratch::Scratch;

#[test]
fn no_ref_but_the_sessions_changes() {
    let seen = run(seed(), 10_000, 40, &Mutex::default());
    println!("{seen:?}");
    assert!(seen.moved > 5, "{seen:?}");
}

#[test]
#[ignore = "a million bodies, and twenty thousand runs of git: some minutes"]
fn no_ref_but_the_sessions_changes_in_a_million_bodies() {
    let (mut seen, done) = (Seen::default(), Arc::default());
    // Most of the time is git's, and it waits more than it works.
    let part = |part| {
        let done = Arc::clone(&done);
        std::thread::spawn(move || run(seed() * 4 + part, 250_000, 5_000, &done))
    };
    for part in (0..4).map(part).collect::<Vec<_>>() {
        let part = part.join().unwrap();
        println!("{part:?}");
        seen.bodies += part.bodies;
        seen.read += part.read;
        seen.allowed += part.allowed;
        seen.sent += part.sent;
        seen.moved += part.moved;
    }
    println!("{seen:#?}");
    assert!(seen.bodies >= 1_000_000 && seen.sent >= 20_000 && seen.moved > 1_000);
}

/// What a run saw.
#[derive(Debug, Default)]
struct Seen {
    /// Bodies made.
    bodies: usize,
    /// Of them, those whose commands could be read.
    read: usize,
    /// Of them, those that the policy allowed, and that nothing but a pack follows.
    allowed: usize,
    /// Of them, those that are unlike all before, and were sent to git.
    sent: usize,
    /// Of them, those that moved the session's branch: git executes what it is sent.
    moved: usize,
}

/// Makes bodies until there were so many of them, and so many that are not among what was `done` were sent to git.
fn run(begin: u64, bodies: usize, sent: usize, done: &Mutex<HashSet<Vec<u8>>>) -> Seen {
    let (mut seen, grant) = (Seen::default(), grant());
    let mut random = Random::new(begin);
    let scratches = [Scratch::new("sha1"), Scratch::new("sha256")];
    let makers = scratches.each_ref().map(Bodies::of);
    while seen.bodies < bodies || seen.sent < sent {
        assert!(
            seen.bodies < bodies.max(sent * 100) * 4,
            "too little is let through: {seen:?}"
        );
        let which = usize::from(random.one_in(4));
        let body = makers[which].make(&mut random);
        seen.bodies += 1;
        let Some((commands, rest)) = read(&body, &mut random) else {
            continue;
        };
        seen.read += 1;
        let Some(forwarded) = forwarded(&grant, &commands, rest) else {
            continue;
        };
        seen.allowed += 1;
        // Some more than are asked for go on, so that they come from all of the run and not from its beginning.
        if seen.sent * bodies > sent * seen.bodies + bodies || !done.lock().unwrap().insert(forwarded.clone())
        {
            continue;
        }
        seen.sent += 1;
        let before = scratches[which].state();
        scratches[which].receive(&forwarded);
        let after = scratches[which].state();
        assert_eq!(after.others, before.others, "{}", body.escape_ascii());
        seen.moved += usize::from(after.session != before.session);
        scratches[which].restore(&before);
    }
    seen
}

/// As a gate reads it: in pieces.
fn read(body: &[u8], random: &mut Random) -> Option<(PushCommands, Bytes)> {
    let mut reader = PushReader::default();
    let at = random.below(body.len() + 1);
    let (one, two) = body.split_at(at);
    if let Some(commands) = reader.feed(one).ok()? {
        let rest = [&reader.rest()[..], two].concat();
        return Some((commands, rest.into()));
    }
    let commands = reader.feed(two).ok()??;
    Some((commands, reader.rest().freeze()))
}

/// What is sent to git in place of a body, if anything is.
fn forwarded(grant: &SessionGrant, commands: &PushCommands, rest: Bytes) -> Option<Vec<u8>> {
    let actions = commands.actions(&grant.at().repository);
    grant.decide(&actions, Ground::Session).ok()?;
    let mut pack = commands.pack();
    let mut forwarded = commands.serialise().to_vec();
    forwarded.extend_from_slice(&pack.feed(rest).ok()?);
    pack.end().ok()?;
    Some(forwarded)
}

/// Of a session that may do all that a session may with its branch.
fn grant() -> SessionGrant {
    let at = SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: scratch::BRANCH.parse().unwrap(),
    };
    let rules = SessionRules {
        delete_branch: true,
        force_push: true,
        ..SessionRules::default()
    };
    SessionGrant::sample(at, rules, "github".parse().unwrap())
}

/// Another one each day of work on it: `OUTWALL_SEED=1`.
fn seed() -> u64 {
    let given = std::env::var("OUTWALL_SEED").ok();
    given.map_or(5, |seed| seed.parse().unwrap())
}

/// Where the history of a shallow client ends is not told to the server, which has all of it.
#[test]
fn a_push_of_a_shallow_clone_arrives() {
    let scratch = Scratch::new("sha1");
    let (old, new, pack) = scratch.shallow_push();
    let body = format!("0035shallow {old}\n");
    let line = format!("{old} {new} refs/heads/outwall/x\0 report-status object-format=sha1");
    let body = format!("{body}{:04x}{line}0000", line.len() + 4);
    let (commands, rest) = read(&[body.as_bytes(), &pack].concat(), &mut Random::new(1)).unwrap();
    let before = scratch.state();
    scratch.receive(&forwarded(&grant(), &commands, rest).unwrap());
    let after = scratch.state();
    assert_eq!(after.session, Some(format!("{new}\n").into_bytes()));
    assert_eq!(after.others, before.others);
}

/// Whether a branch moves forward is told through commits that are packed as changes of others, in both ways that git has.
#[test]
fn descent_is_told_from_packs_of_git() {
    for (format, hash) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
        let scratch = Scratch::new(format);
        for deltas in [&["--delta-base-offset"][..], &[]] {
            let (new, pack) = scratch.long_history(deltas);
            assert!(scratch.count_deltas(&pack) > 20, "it shows nothing otherwise");
            let mut history = PackHistory::new(hash);
            for piece in pack.chunks(999) {
                history.feed(&Bytes::copy_from_slice(piece));
            }
            let told = |old: usize| {
                let (old, new) = (scratch.commits[old].parse().unwrap(), new.parse().unwrap());
                history.descent(&RefUpdate {
                    old,
                    new,
                    name: "refs/heads/outwall/x".parse().unwrap(),
                })
            };
            assert_eq!((told(4), told(3)), (Descent::Shown, Descent::Shown));
            let Descent::NotShown { outside } = told(5) else {
                panic!("commits[5] is beside it")
            };
            let outside: HashSet<String> = outside.iter().map(ToString::to_string).collect();
            assert_eq!(
                outside,
                HashSet::from([scratch.commits[2].clone(), scratch.commits[4].clone()])
            );
        }
    }
}

/// Each recorded fetch is understood, and written anew it says the same.
#[test]
fn recorded_fetches_are_understood() {
    for (name, body) in bodies::recorded("fetches") {
        let (version, body) = body.split_at(body.iter().position(|byte| *byte == b'\n').unwrap());
        let header = std::str::from_utf8(version).unwrap();
        let version = ProtocolVersion::read(Some(header).filter(|text| !text.is_empty())).unwrap();
        let mut reader = FetchReader::new(version);
        let sent = reader.feed(&body[1..]).unwrap();
        let asked = reader.end().unwrap();
        let mut again = FetchReader::new(version);
        assert_eq!(again.feed(&sent).unwrap(), sent, "{name}");
        assert_eq!(again.end().unwrap(), asked, "{name}");
    }
}
