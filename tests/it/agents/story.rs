//! What every agent must show, unpatched: its model is asked with the real key and no other, its command runs in the sandbox, its
//! answer is printed, it goes on where it ended; and it fails when it may not ask.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::catalogue::Case;
use super::key::{Access, Key};
use super::stand_in::{AGAIN, FIRST, StandIn};
use super::wall::{self, Place, Ran};

/// A row of the table, seen.
pub(super) struct Row {
    pub(super) case: &'static Case,
    pub(super) version: String,
    /// Hosts that it asked for as well, was refused, and did without.
    pub(super) refused: Vec<String>,
    /// The first run, from start to end of the sandbox.
    pub(super) took: Duration,
    /// How it was seen to fail.
    pub(super) twins: Vec<Twin>,
}

/// What is different where it must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// The model's host is off the list.
    HostOffTheList,
    /// The key is for another environment than the agent's.
    OfAnotherEnvironment,
    /// Somebody's own key has taken the placeholder's place.
    Attackers,
}

impl Twin {
    const ALL: [Self; 3] = [Self::HostOffTheList, Self::OfAnotherEnvironment, Self::Attackers];

    pub(super) fn described(self) -> &'static str {
        match self {
            Self::HostOffTheList => "its host off the list",
            Self::OfAnotherEnvironment => "the key of another environment",
            Self::Attackers => "a key of somebody else's",
        }
    }

    fn access(self) -> Access {
        match self {
            Self::HostOffTheList => Access::Own,
            Self::OfAnotherEnvironment => Access::OfAnotherEnvironment,
            Self::Attackers => Access::Attackers,
        }
    }

    fn allowed(self, case: &Case) -> &'static str {
        match self {
            Self::HostOffTheList => "other.example.test",
            Self::OfAnotherEnvironment | Self::Attackers => case.service.host,
        }
    }

    /// The stable code of the refusal. None where there is nothing to refuse: the agent has no key to show.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::HostOffTheList => Some("host-not-allowed"),
            Self::OfAnotherEnvironment => None,
            Self::Attackers => Some("foreign-credential"),
        }
    }

    /// What the agent's user must be able to read of a refusal.
    fn shows(self, case: &Case) -> String {
        match self {
            Self::HostOffTheList => format!("{} is not on the allowlist", case.service.host),
            Self::OfAnotherEnvironment => String::new(),
            Self::Attackers => "has a credential that Outwall did not issue".to_owned(),
        }
    }
}

/// Tells one case's story.
pub(super) fn tell(case: &'static Case) -> Result<Row> {
    let version = wall::version(case.program())?;
    let key = Key::of(case, 0);
    let stand_in = StandIn::start(case, &key)?;
    let place = Place::new(case, (&stand_in, &key), Access::Own, case.service.host);
    let (ran, answer) = works(case, &stand_in, &place)?;
    goes_on(case, &stand_in, &place, &answer)?;
    holds_no_secret(case, &place, &key)?;
    let mut twins = Vec::new();
    if case.twins {
        for twin in Twin::ALL {
            fails(case, &stand_in, &key, twin).with_context(|| format!("with {}", twin.described()))?;
            twins.push(twin);
        }
    }
    Ok(Row {
        case,
        version,
        refused: ran.refused_hosts(),
        took: ran.finished.took,
        twins,
    })
}

/// The model has the shell run a command, gets its result, and the answer is printed.
fn works(case: &Case, stand_in: &StandIn, place: &Place) -> Result<(Ran, String)> {
    let ran = place.say(case.first, FIRST)?;
    let received = stand_in.received()?;
    ensure!(
        received.faults().is_empty(),
        "the stand-in refused: {:#?}\n{}",
        received.faults(),
        ran.account()
    );
    ensure!(
        received.did("tool call") == 1,
        "no command was run: {}",
        ran.account()
    );
    let answer = received
        .answer()
        .with_context(|| format!("no answer was given: {}", ran.account()))?
        .to_owned();
    ensure!(
        ran.finished.status.success() && ran.finished.stdout.contains(&answer),
        "`{answer}` was not printed: {}",
        ran.account()
    );
    let sandbox = ran.events.first().and_then(|event| event["sandbox"].as_str());
    ensure!(
        sandbox.is_some_and(|sandbox| answer.contains(sandbox)),
        "`{answer}` is not of the sandbox {sandbox:?}"
    );
    is_on_record(case, &ran)?;
    Ok((ran, answer))
}

/// The audit says by which protocol the model was asked, and whose key was used.
fn is_on_record(case: &Case, ran: &Ran) -> Result<()> {
    let out = ran.went_out(case.service.host);
    ensure!(
        out.iter().any(|event| event["protocol"] == case.protocol),
        "the audit has no `{}` to {}: {out:#?}",
        case.protocol,
        case.service.host
    );
    ensure!(
        out.iter().all(|event| event["credential"] == case.service.preset),
        "the audit does not say that \"{}\" was used: {out:#?}",
        case.service.preset
    );
    Ok(())
}

/// A second run in the same home brings the whole conversation along.
fn goes_on(case: &Case, stand_in: &StandIn, place: &Place, answer: &str) -> Result<()> {
    let ran = place.say(case.again, AGAIN)?;
    let received = stand_in.received()?;
    ensure!(
        received.faults().is_empty(),
        "it does not go on: {:#?}\n{}",
        received.faults(),
        ran.account()
    );
    let again = format!("Before, this was said: {answer}");
    ensure!(
        ran.finished.status.success() && ran.finished.stdout.contains(&again),
        "`{again}` was not printed: {}",
        ran.account()
    );
    Ok(())
}

/// What a sandbox can read, the kept home included, has the placeholder and nothing of the key.
fn holds_no_secret(case: &Case, place: &Place, key: &Key) -> Result<()> {
    let inside = place.everything_inside()?;
    let shown = format!("{}={}", case.service.variable, case.service.prefix);
    ensure!(
        inside.contains(&shown),
        "there is no placeholder in `{}`",
        case.service.variable
    );
    ensure!(!inside.contains(key.real()), "the key itself is in the sandbox");
    let has_part = key.parts().any(|part| inside.contains(part));
    ensure!(!has_part, "a part of the key is in the sandbox");
    Ok(())
}

/// It fails soon, the key is not used, and where something was refused, its user and the audit are told why.
fn fails(case: &'static Case, stand_in: &StandIn, key: &Key, twin: Twin) -> Result<()> {
    let place = Place::new(case, (stand_in, key), twin.access(), twin.allowed(case));
    let ran = place.say(case.first, FIRST)?;
    let received = stand_in.received()?;
    ensure!(
        !ran.finished.status.success() && received.did("tool call") + received.did("answer") == 0,
        "it works all the same: {}",
        ran.account()
    );
    let Some(reason) = twin.reason() else {
        ensure!(
            received.with_key() == 0,
            "a key was used: {:#?}",
            ran.went_out(case.service.host)
        );
        return Ok(());
    };
    ensure!(
        received.models() == 0,
        "the model was asked: {:#?}",
        ran.went_out(case.service.host)
    );
    ensure!(
        ran.says(&twin.shows(case)),
        "its user is not told that `{}`: {}",
        twin.shows(case),
        ran.account()
    );
    let expected = (case.service.host.to_owned(), reason.to_owned());
    ensure!(
        ran.refused().contains(&expected),
        "the audit has no {expected:?}, only {:?}",
        ran.refused()
    );
    Ok(())
}
