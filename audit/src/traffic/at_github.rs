//! What a record tells of a request to the GitHub that its session works at.

use outwall_policy::Target;
use outwall_policy::github::{Actions, GithubAction};

use crate::event::{Event, Github, Kind};
use crate::fields::MOST_TEXTS;
use crate::github::FORWARD;

/// What a request does at GitHub, as it was understood when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct DoneAtGithub {
    /// What it does, as far as it is told.
    pub actions: Actions,
    /// Whether that is all.
    pub told: Told,
    /// Whether the refs that it moves go forward.
    pub moves: Moves,
    /// Who led there; none where this is the request that GitHub was asked.
    pub led_from: Option<LedFrom>,
}

/// Who led a request to where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedFrom {
    /// This host of GitHub.
    Host(Target),
    /// One that is not recorded.
    Untold,
}

/// Whether a record has all that a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has.
    All,
    /// It has as much as a record has room for.
    TheFirst,
}

/// Whether a push moves refs forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// The gate saw that it does.
    Forward,
    /// The gate looks at that, and has not seen the end of it.
    Looked,
    /// The gate did not look.
    Untold,
}

impl DoneAtGithub {
    pub(super) fn read(event: &Event) -> Option<Self> {
        let github = event.github.as_ref()?;
        Some(Self {
            actions: Actions {
                operation: github.operation.clone()?,
                all: github
                    .actions
                    .iter()
                    .map(|text| action(event.kind, text))
                    .collect(),
            },
            told: if github.actions.len() < MOST_TEXTS {
                Told::All
            } else {
                Told::TheFirst
            },
            moves: Moves::of(github),
            led_from: LedFrom::read(event, github),
        })
    }

    /// It came back whole.
    pub(super) fn complete(&mut self) {
        if self.moves == Moves::Looked {
            self.moves = Moves::Forward;
        }
    }

    /// Whether this is what a push that was looked at turned out to be.
    pub(super) fn turned_out(&self, refused: &Self) -> bool {
        self.moves == Moves::Looked && self.actions.forced() == refused.actions
    }
}

impl LedFrom {
    fn read(event: &Event, github: &Github) -> Option<Self> {
        if let Some(host) = &github.led_from {
            return Some(Target::parse(host).map_or(Self::Untold, Self::Host));
        }
        let by_storage = event.rule.as_ref().is_some_and(|rule| rule.ends_with(LED_THERE));
        by_storage.then_some(Self::Untold)
    }
}

/// How [`RuleName::GithubStorage`](outwall_policy::RuleName::GithubStorage) ends: a log of before `led_from`.
const LED_THERE: &str = ", which led there";

impl Moves {
    fn of(github: &Github) -> Self {
        match github.moves.as_deref() {
            Some(FORWARD) => Self::Looked,
            _ => Self::Untold,
        }
    }
}

/// Where a request was refused, why stands behind each thing that it would have done.
fn action(kind: Kind, text: &str) -> GithubAction {
    let without_why = text.split_once(": ").map_or(text, |(action, _why)| action);
    GithubAction::read_back(if kind == Kind::Denied { without_why } else { text })
}
