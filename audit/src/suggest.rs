//! The smallest allowlist under which recorded traffic passes: an environment of exact hosts and ports, as text to be read by a person
//! before it counts.
//!
//! What is recorded comes from sandboxes, and a suggestion becomes policy. So nothing is written but what was parsed as a target first;
//! nothing is widened (no wildcard, no port that was not seen); comments stay on their line; and the text is loaded, and asked about
//! everything that it was made of, before it is given out. Start at [`Suggester`].

use std::collections::BTreeMap;
use std::fmt;

use outwall_policy::{Denial, DocumentErrors, EnvironmentName, Policy, PolicyDocument, Target};

use crate::replay::{Answer, decide};
use crate::traffic::{Fate, Passage};

mod entries;
mod need;
mod render;
mod rules;

use entries::Entry;
use need::Need;

/// What is wanted of a suggestion.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What the environment is to be called.
    pub name: EnvironmentName,
    /// The Trusted list instead of the hosts that it covers, where that is shorter.
    pub trusted: TrustedInstead,
    /// Rules for what was asked for, beside the hosts.
    pub rules: RulesToo,
    /// What was refused for want of an entry.
    pub denied: DeniedToo,
}

/// Whether the Trusted list may stand for hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustedInstead {
    /// Exact hosts only.
    #[default]
    Never,
    /// Where it covers more than one of them.
    WhereShorter,
}

/// Whether methods and paths are narrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RulesToo {
    /// Hosts only.
    #[default]
    No,
    /// What was not seen is refused.
    Yes,
}

/// Whether what was refused is suggested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeniedToo {
    /// It is counted.
    #[default]
    No,
    /// Each with a mark.
    Yes,
}

/// A suggestion that loads without warning, and under which what it was made of passes.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// A policy file with one environment.
    pub toml: String,
    /// How many entries it has.
    pub entries: usize,
    /// How many of its hosts were learned.
    pub learned: usize,
    /// Targets that were refused, and are left out.
    pub refused: usize,
}

/// Why there is no suggestion.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// What was made is no policy.
    #[error("the suggestion is no policy")]
    Document(#[from] DocumentErrors),
    /// It loads with a warning.
    #[error("the suggestion is not without doubt: {0}")]
    Warned(String),
    /// Something that passed would be refused.
    #[error("{0} passed, and the suggestion would refuse it")]
    Refuses(Target, #[source] Refused),
}

/// A denial as the cause of an error.
#[derive(Debug)]
pub struct Refused(Denial);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Refused {}

/// Gathers what passed, and suggests.
#[derive(Debug)]
pub struct Suggester {
    wanted: Wanted,
    needs: BTreeMap<Target, Need>,
    refused: BTreeMap<Target, u64>,
    at_github: u64,
}

impl Suggester {
    /// With nothing gathered.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            needs: BTreeMap::new(),
            refused: BTreeMap::new(),
            at_github: 0,
        }
    }

    /// Adds what happened. `in_force` knows where names lead by configuration, and what the machine's own addresses are.
    pub fn add(&mut self, passage: &Passage, in_force: &Policy) {
        if passage.at_github && !passage.reads_elsewhere() {
            self.at_github += passage.times;
            return;
        }
        match &passage.outcome {
            Fate::Passed { .. } => {}
            Fate::Refused { reason } if need::is_curable(reason, passage, in_force) => {
                if self.wanted.denied == DeniedToo::No {
                    *self.refused.entry(passage.target.clone()).or_default() += passage.times;
                    return;
                }
            }
            Fate::Refused { .. } => return,
        }
        if need::leads_nowhere(passage, in_force) {
            return;
        }
        let need = self.needs.entry(passage.target.clone()).or_default();
        need.add(passage, in_force);
    }

    /// True when nothing was gathered that needs an entry.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
    }

    /// The smallest environment under which it passes.
    pub fn suggest(mut self) -> Result<Suggestion, SuggestError> {
        self.refused.retain(|target, _| !self.needs.contains_key(target));
        let by_the_list = self.by_the_trusted_list()?;
        let own = self
            .needs
            .iter()
            .filter(|(target, _)| !by_the_list.contains(target));
        let entries = entries::of(own);
        let mut rules = match self.wanted.rules {
            RulesToo::No => Vec::new(),
            RulesToo::Yes => rules::of(&self.needs, &by_the_list),
        };
        for _ in 0..MOST_READINGS {
            let toml = self.render(&entries, &rules, by_the_list.len());
            match self.check(&toml) {
                Ok(()) => return Ok(self.suggestion(toml, &entries)),
                Err(SuggestError::Refuses(target, Refused(denial))) => {
                    if !rules::allow_reading(&mut rules, &target, denial.reason()) {
                        return Err(SuggestError::Refuses(target, Refused(denial)));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let toml = self.render(&entries, &rules, by_the_list.len());
        self.check(&toml).map(|()| self.suggestion(toml, &entries))
    }

    fn suggestion(&self, toml: String, entries: &[Entry]) -> Suggestion {
        Suggestion {
            toml,
            entries: entries.len(),
            learned: self.needs.values().filter(|need| need.learned).count(),
            refused: self.refused.len(),
        }
    }

    fn render(&self, entries: &[Entry], rules: &[rules::SuggestedRule], by_the_list: usize) -> String {
        render::toml(&render::Facts {
            wanted: &self.wanted,
            needs: &self.needs,
            refused: self.refused.len(),
            at_github: self.at_github,
            include_trusted: by_the_list > 0,
            entries,
            rules,
        })
    }

    /// The targets of which all that was seen passes by the Trusted list; none where it is no shorter.
    fn by_the_trusted_list(&self) -> Result<Vec<Target>, SuggestError> {
        if self.wanted.trusted == TrustedInstead::Never {
            return Ok(Vec::new());
        }
        let name = &self.wanted.name;
        let text = format!("[environments.{name}]\nnetwork = \"custom\"\ninclude_trusted = true\n");
        let policy = Policy::compile(&PolicyDocument::parse(&text, ORIGIN)?)?;
        let passes = |need: &Need| {
            let mut all = need.samples();
            !need.has_more() && all.all(|passage| matches!(decide(&policy, name, passage), Answer::Allow))
        };
        let covered = self.needs.iter().filter(|(_, need)| passes(need));
        let covered: Vec<Target> = covered.map(|(target, _)| target.clone()).collect();
        Ok(if covered.len() > 1 { covered } else { Vec::new() })
    }

    /// It loads without warning, and lets pass all that it was made of. That nothing of it is superfluous is by construction: no two
    /// entries are for the same target, and each is for one that was seen.
    fn check(&self, toml: &str) -> Result<(), SuggestError> {
        let policy = Policy::compile(&PolicyDocument::parse(toml, ORIGIN)?)?;
        if let Some(warning) = policy.warnings().first() {
            return Err(SuggestError::Warned(warning.to_string()));
        }
        let name = &self.wanted.name;
        for (target, need) in &self.needs {
            for passage in need.samples() {
                if let Answer::Deny(denial) = decide(&policy, name, passage) {
                    return Err(SuggestError::Refuses(target.clone(), Refused(denial)));
                }
            }
        }
        Ok(())
    }
}

/// The name of the file that the suggestion would be, in what is said about it.
const ORIGIN: &str = "the suggestion";

/// Other readings of paths that rules are widened by, until what was seen passes.
const MOST_READINGS: usize = 64;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
