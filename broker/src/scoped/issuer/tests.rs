#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::scoped::{Refused, USUAL_LIFE, Verifier};

fn now() -> Timestamp {
    "2026-05-01T12:00:00.5Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

struct Place {
    directory: tempfile::TempDir,
    issuer: Issuer,
    gate: Verifier,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let gate = Verifier::open(directory.path(), Audience::Proxy, now()).unwrap();
        Self {
            issuer: Issuer::new(directory.path()),
            gate,
            directory,
        }
    }

    fn issue(&self, subject: Subject, environment: &str, at: Timestamp) -> Result<Fresh, IssueError> {
        let request = Request {
            audience: Audience::Proxy,
            subject,
            environment: environment.parse().unwrap(),
            scope: Scope::default(),
            life: USUAL_LIFE,
        };
        self.issuer.issue(&request, at)
    }

    fn said(&self, fresh: &Fresh, at: Timestamp) -> &'static str {
        match self.gate.verify(&fresh.token, at) {
            Ok(_) => "ok",
            Err(refused) => refused.fault().code(),
        }
    }
}

fn named(label: &str) -> Subject {
    Subject::Named(label.parse().unwrap())
}

#[test]
fn a_gate_that_runs_already_knows_what_is_issued_and_what_is_revoked() {
    let place = Place::new();
    let (one, two) = (
        place.issue(Subject::New, "web", now()).unwrap(),
        place.issue(Subject::New, "web", now()).unwrap(),
    );
    assert_ne!(one.claims.sandbox, two.claims.sandbox);
    let shown = place.gate.verify(&one.token, now()).unwrap();
    assert_eq!(shown.sandbox().environment.as_str(), "web");
    assert!(shown.is(&one.token) && !shown.is(&two.token));
    place
        .issuer
        .revoke(&Revoke::Credential(one.claims.id), now())
        .unwrap();
    assert_eq!(place.said(&one, now()), "credential-revoked");
    assert!(matches!(
        place.gate.standing(&shown, now()),
        Err(Refused::Revoked)
    ));
    assert_eq!(place.said(&two, now()), "ok");
    let after = Verifier::open(place.directory.path(), Audience::Proxy, now()).unwrap();
    assert!(after.verify(&one.token, now()).is_err(), "it is remembered");
}

#[test]
fn a_credential_is_revoked_by_its_text_even_when_nobody_wrote_down_its_name() {
    let place = Place::new();
    let fresh = place.issue(Subject::New, "web", now()).unwrap();
    std::fs::remove_file(place.directory.path().join(ISSUED)).unwrap();
    assert_eq!(
        place.said(&fresh, now()),
        "ok",
        "verifying needs no list of what was issued"
    );
    let forged = ScopedToken::of(fresh.token.expose().replace('.', "x."));
    assert!(matches!(
        place.issuer.revoke(&Revoke::Token(forged), now()),
        Err(RevokeError::NotOurs)
    ));
    let revoked = place
        .issuer
        .revoke(&Revoke::Token(fresh.token.clone()), now())
        .unwrap();
    assert_eq!(revoked, Revoked::Credential(fresh.claims.id));
    assert_eq!(place.said(&fresh, now()), "credential-revoked");
}

#[test]
fn a_sandbox_is_revoked_with_all_it_has_and_may_be_given_another() {
    let place = Place::new();
    let one = place.issue(named("builder"), "web", now()).unwrap();
    let two = place.issue(named("builder"), "web", later(1)).unwrap();
    assert_eq!(one.claims.sandbox, two.claims.sandbox, "a name is one sandbox");
    let other = place.issue(named("tester"), "web", now()).unwrap();
    place
        .issuer
        .revoke(&Revoke::Named("builder".parse().unwrap()), later(2))
        .unwrap();
    assert_eq!(place.said(&one, later(2)), "credential-revoked");
    assert_eq!(place.said(&two, later(2)), "credential-revoked");
    assert_eq!(place.said(&other, later(2)), "ok");
    let again = place
        .issue(Subject::Sandbox(one.claims.sandbox), "web", later(3))
        .unwrap();
    assert_eq!(place.said(&again, later(3)), "ok");
    assert!(matches!(
        place
            .issuer
            .revoke(&Revoke::Named("nobody".parse().unwrap()), now()),
        Err(RevokeError::NoSuchName(_))
    ));
}

#[test]
fn a_sandbox_has_one_environment_at_a_time() {
    let place = Place::new();
    let one = place.issue(named("builder"), "web", now()).unwrap();
    for subject in [named("builder"), Subject::Sandbox(one.claims.sandbox)] {
        let other = place.issue(subject, "open", later(1));
        assert!(matches!(other, Err(IssueError::OtherEnvironment { .. })));
    }
    let after = later(USUAL_LIFE.as_secs() + 1);
    let other = place.issue(named("builder"), "open", after).unwrap();
    assert_ne!(
        other.claims.sandbox, one.claims.sandbox,
        "what has expired holds no name"
    );
}

#[test]
fn a_key_is_changed_without_harm_or_with_all_that_it_signed() {
    let place = Place::new();
    let before = place.issue(Subject::New, "web", now()).unwrap();
    place.issuer.rotate_key(Overlap::UntilExpiry, later(1)).unwrap();
    let after = place.issue(Subject::New, "web", later(2)).unwrap();
    assert_eq!(
        (place.said(&before, later(2)), place.said(&after, later(2))),
        ("ok", "ok")
    );
    place.issuer.rotate_key(Overlap::None, later(3)).unwrap();
    let standing: Vec<_> = place
        .issuer
        .list(later(4))
        .unwrap()
        .iter()
        .map(|listed| listed.standing)
        .collect();
    assert_eq!(standing, [Standing::Revoked, Standing::Revoked]);
    assert_eq!(place.said(&after, later(4)), "credential-refused");
    let fresh = place.issue(Subject::New, "web", later(5)).unwrap();
    assert_eq!(place.said(&fresh, later(5)), "ok");
}

#[test]
fn lists_forget_what_has_expired_and_a_list_that_is_missing_is_not_an_empty_one() {
    let place = Place::new();
    let one = place.issue(Subject::New, "web", now()).unwrap();
    place
        .issuer
        .revoke(&Revoke::Credential(one.claims.id), now())
        .unwrap();
    let week = now() + LONGEST_LIFE + SignedDuration::from_hours(48);
    let two = place.issue(Subject::New, "web", week).unwrap();
    place
        .issuer
        .revoke(&Revoke::Sandbox(two.claims.sandbox), week)
        .unwrap();
    let path = place.directory.path().join(REVOKED);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&one.claims.id.to_string()), "{text}");
    assert_eq!(place.issuer.list(week).unwrap().len(), 1);
    let three = place.issue(Subject::New, "web", week).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(place.said(&three, week), "credentials-unavailable");
    assert!(
        place
            .issuer
            .revoke(&Revoke::Credential(three.claims.id), week)
            .is_err()
    );
    assert!(place.issue(Subject::New, "web", week).is_err());
}

#[test]
fn life_is_bounded_and_files_are_for_their_owner() {
    let place = Place::new();
    let living = |life| {
        let request = Request {
            audience: Audience::Proxy,
            subject: Subject::New,
            environment: "web".parse().unwrap(),
            scope: Scope::default(),
            life,
        };
        place.issuer.issue(&request, now()).is_ok()
    };
    assert!(living(LONGEST_LIFE) && living(SignedDuration::from_secs(1)));
    assert!(!living(LONGEST_LIFE + SignedDuration::from_secs(1)) && !living(SignedDuration::ZERO));
    for entry in std::fs::read_dir(place.directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn several_commands_at_once_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let fresh = place.issue(Subject::New, "web", now()).unwrap();
                    place
                        .issuer
                        .revoke(&Revoke::Credential(fresh.claims.id), now())
                        .unwrap();
                    assert_eq!(place.said(&fresh, now()), "credential-revoked");
                }
            });
        }
    });
    let listed = place.issuer.list(now()).unwrap();
    assert_eq!(listed.len(), 20);
    assert!(listed.iter().all(|listed| listed.standing == Standing::Revoked));
}

/// Prints, and asserts nothing: what a gate pays for a text that it has not seen, and for one that it has.
#[test]
#[ignore = "a measurement"]
fn what_verifying_costs() {
    let place = Place::new();
    let fresh = place.issue(Subject::New, "web", now()).unwrap();
    let shown = place.gate.verify(&fresh.token, now()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100)); // the files are settled
    let micros = |work: &dyn Fn()| {
        let start = std::time::Instant::now();
        (0..5_000).for_each(|_| work());
        start.elapsed().as_secs_f64() * 200.0
    };
    let verify = micros(&|| drop(place.gate.verify(&fresh.token, now()).unwrap()));
    let again = micros(&|| {
        assert!(shown.is(&fresh.token));
        place.gate.standing(&shown, now()).unwrap();
    });
    println!(
        "verify {verify:.1} us, again {again:.1} us, ratio {:.1}",
        verify / again
    );
}
