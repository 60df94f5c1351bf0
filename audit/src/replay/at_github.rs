//! What a session does at its GitHub, decided on once more: the rules are `policy`'s, what is done is as it was understood when it came.

use outwall_policy::github::{SessionGrant, Undecided};
use outwall_policy::{Policy, Reason, RequestPermit, Sandbox};

use super::{Answer, Unknown, is_policys};
use crate::traffic::{DoneAtGithub, Fate, LedFrom, Moves, Passage, Told};

/// What is decided on a request to a service of that GitHub.
///
/// 1. It was understood, and what it does is recorded. What is understood is the same under every policy, so what was not is not again.
/// 2. All that is recorded may be done, as [`Undecided::decide`] says.
/// 3. Nothing more was done than is recorded.
/// 4. A push moves its refs forward, where it has to.
pub(super) fn decide(undecided: Undecided<()>, passage: &Passage) -> Result<RequestPermit, Answer> {
    let Some(done) = &passage.github else {
        return Err(without_actions(&undecided, passage));
    };
    let grant = undecided.grant().clone();
    let decided = undecided.decide(done.actions.clone(), Vec::new());
    let permit = decided.map_err(Answer::Deny)?.into_parts().0;
    if done.told == Told::TheFirst {
        return Err(Answer::Unknown(Unknown::Github));
    }
    if must_show(&grant, done) && done.moves != Moves::Forward {
        return Err(Answer::Unknown(Unknown::Forward));
    }
    Ok(permit)
}

/// Whether a push would be looked at for what it moves.
fn must_show(grant: &SessionGrant, done: &DoneAtGithub) -> bool {
    done.actions.may_force() && !grant.rules().force_push
}

fn without_actions(undecided: &Undecided<()>, passage: &Passage) -> Answer {
    match &passage.outcome {
        Fate::Refused { reason } if reason == NOT_UNDERSTOOD => {
            let target = passage.target.clone();
            let what = "it was not understood".to_owned();
            Answer::Deny(undecided.denial(Reason::GithubNotUnderstood { target, what }))
        }
        Fate::Refused { reason } if !is_policys(reason) => Answer::Unknown(Unknown::Elsewhere),
        Fate::Refused { .. } | Fate::Passed { .. } => Answer::Unknown(Unknown::Github),
    }
}

/// Where GitHub led, what was led there, if that is what this is.
pub(super) fn led(passage: &Passage) -> Option<(&LedFrom, &DoneAtGithub)> {
    let done = passage.github.as_ref()?;
    Some((done.led_from.as_ref()?, done))
}

/// What is decided on a request that goes to where GitHub led; its address is not asked about.
pub(super) fn decide_led(
    policy: &Policy,
    sandbox: &Sandbox,
    (led_from, passage): (&LedFrom, &Passage),
    done: &DoneAtGithub,
) -> Answer {
    let LedFrom::Host(from) = led_from else {
        return Answer::Unknown(Unknown::Github);
    };
    if policy.would_let_do(sandbox, from, &done.actions).is_err() {
        return Answer::NotAsked;
    }
    match policy.would_lead_to(sandbox, &passage.target) {
        Err(denial) => Answer::Deny(denial),
        Ok(()) if done.told == Told::TheFirst => Answer::Unknown(Unknown::Github),
        Ok(()) => Answer::Allow,
    }
}

/// What it does, as the log has it.
pub(super) fn does(passage: &Passage) -> Vec<String> {
    let all = passage.github.iter().flat_map(|done| &done.actions.all);
    all.map(ToString::to_string).collect()
}

const NOT_UNDERSTOOD: &str = "github-not-understood";
