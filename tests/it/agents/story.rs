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
    /// Requests that the stand-in got in the first run.
    pub(super) requests: usize,
    /// Hosts that it asked for as well, was refused, and did without.
    pub(super) refused: Vec<String>,
    /// The first run, from start to end of the sandbox.
    pub(super) took: Duration,
    /// By twin, what its user reads and how long that takes.
    pub(super) twins: Vec<(Twin, Duration)>,
}

/// What is different where it must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// The model's host is off the list.
    HostOffTheList,
}

impl Twin {
    const ALL: [Self; 1] = [Self::HostOffTheList];

    pub(super) fn described(self) -> &'static str {
        match self {
            Self::HostOffTheList => "its host off the list",
        }
    }

    fn access(self) -> Access {
        match self {
            Self::HostOffTheList => Access::Own,
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::HostOffTheList => "other.example.test",
        }
    }

    /// The stable code of the refusal.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::HostOffTheList => "host-not-allowed",
        }
    }

    /// What the agent's user must be able to read.
    fn shows(self, case: &Case) -> String {
        match self {
            Self::HostOffTheList => format!("{} is not on the allowlist", case.host),
        }
    }
}

/// Tells one case's story.
pub(super) fn tell(case: &'static Case) -> Result<Row> {
    let version = wall::version(case.program())?;
    let key = Key::of(case);
    let stand_in = StandIn::start(&key, case.socket)?;
    let place = Place::new(case, &stand_in, Access::Own, &key, &[case.host]);
    let (ran, answer, requests) = works(case, &stand_in, &place)?;
    goes_on(case, &stand_in, &place, &answer)?;
    let mut twins = Vec::new();
    if case.twins {
        for twin in Twin::ALL {
            let took =
                fails(case, &stand_in, &key, twin).with_context(|| format!("with {}", twin.described()))?;
            twins.push((twin, took));
        }
    }
    Ok(Row {
        case,
        version,
        requests,
        refused: ran.refused().into_iter().map(|(host, _)| host).collect(),
        took: ran.finished.took,
        twins,
    })
}

/// The model has the shell run a command, gets its result, and the answer is printed.
fn works(case: &Case, stand_in: &StandIn, place: &Place) -> Result<(Ran, String, usize)> {
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
    let sandbox = ran
        .events
        .first()
        .and_then(|event| event["sandbox"].as_str())
        .unwrap_or_default();
    ensure!(
        !sandbox.is_empty() && answer.contains(sandbox),
        "`{answer}` is not of the sandbox `{sandbox}`"
    );
    ensure!(
        ran.protocols(case.host).contains(&case.protocol),
        "the audit has no `{}` to {}, only {:?}",
        case.protocol,
        case.host,
        ran.protocols(case.host)
    );
    Ok((ran, answer, received.len()))
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

/// It fails soon and says why, the model is not asked, and the audit has the reason.
fn fails(case: &Case, stand_in: &StandIn, key: &Key, twin: Twin) -> Result<Duration> {
    let place = Place::new(case, stand_in, twin.access(), key, &[twin.allowed()]);
    let ran = place.say(case.first, FIRST)?;
    let received = stand_in.received()?;
    ensure!(
        received.did("tool call") + received.did("answer") == 0,
        "it works all the same: {}",
        ran.account()
    );
    ensure!(
        received.is_empty(),
        "something went out: {:?}",
        ran.protocols(case.host)
    );
    ensure!(
        ran.says(&twin.shows(case)),
        "its user is not told that `{}`: {}",
        twin.shows(case),
        ran.account()
    );
    let expected = (case.host.to_owned(), twin.reason().to_owned());
    ensure!(
        ran.refused().contains(&expected),
        "the audit has no {expected:?}, only {:?}",
        ran.refused()
    );
    Ok(ran.finished.took)
}
