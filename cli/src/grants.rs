//! What people granted to the sandboxes of a running gate, with its end. Knows no files, no gate and no audit.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use outwall_policy::{EnvironmentName, GrantScope, HostGrant, HostPattern, SandboxId};

use crate::failure::Failure;

/// All grants of a gate.
#[derive(Debug, Default)]
pub(crate) struct GrantList(Vec<Given>);

/// One grant.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) hosts: HostPattern,
    pub(crate) scope: GrantScope,
    /// Of those who may use it.
    pub(crate) environment: EnvironmentName,
    /// By whom, and when.
    pub(crate) by: String,
    pub(crate) ends: Option<Ends>,
}

/// The end of a grant, by two clocks: one can be set, the other stands still while the machine sleeps. The first counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) at: Timestamp,
    deadline: Instant,
}

/// More grants than anybody keeps in view.
const MOST: usize = 256;

impl Ends {
    pub(crate) fn after(span: Duration) -> Self {
        let signed = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        Self {
            at: Timestamp::now().saturating_add(signed).unwrap_or(Timestamp::MAX),
            deadline: Instant::now() + span,
        }
    }

    fn left(&self) -> Duration {
        let by_wall = Duration::try_from(self.at.duration_since(Timestamp::now())).unwrap_or_default();
        by_wall.min(self.deadline.saturating_duration_since(Instant::now()))
    }
}

impl Given {
    /// By whom and until when: what the audit and refusals say.
    pub(crate) fn note(&self) -> String {
        match &self.ends {
            Some(ends) => format!("{}, until {:.0}", self.by, ends.at),
            None => format!("{}, until the gate ends", self.by),
        }
    }

    fn is_over(&self) -> bool {
        self.ends.is_some_and(|ends| ends.left().is_zero())
    }
}

impl GrantList {
    /// What the policy is to be given. What is over is not among it, whether or not it was taken out yet.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = HostGrant> + '_ {
        let living = self.0.iter().filter(|given| !given.is_over());
        living.map(|given| HostGrant::new(given.hosts.clone(), given.scope.clone(), &given.note()))
    }

    pub(crate) fn all(&self) -> &[Given] {
        &self.0
    }

    /// Until the next one ends.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.0.iter().filter_map(|given| Some(given.ends?.left())).min()
    }

    /// Whether there is room for one more.
    pub(crate) fn room(&self) -> Result<(), Failure> {
        if self.0.len() < MOST {
            return Ok(());
        }
        Err(Failure::new(format!("{MOST} hosts are granted already"))
            .hint("`outwall policy deny HOST` takes one back, and the policy file has room for more"))
    }

    /// The newest word on the same hosts for the same sandboxes counts.
    pub(crate) fn give(&mut self, given: Given) {
        self.0
            .retain(|other| other.hosts != given.hosts || other.scope != given.scope);
        self.0.push(given);
    }

    /// Takes out what is over.
    pub(crate) fn take_expired(&mut self) -> Vec<Given> {
        self.0.extract_if(.., |given| given.is_over()).collect()
    }

    /// Takes back these hosts: from one sandbox, or from an environment and all of its sandboxes.
    pub(crate) fn take_back(
        &mut self,
        hosts: &HostPattern,
        environment: &EnvironmentName,
        sandbox: Option<SandboxId>,
    ) -> Vec<Given> {
        let is_meant = |given: &mut Given| {
            let theirs = match (sandbox, &given.scope) {
                (Some(asked), GrantScope::Sandbox(id, _)) => asked == *id,
                (Some(_), GrantScope::Environment(_)) => false,
                (None, _) => given.environment == *environment,
            };
            theirs && given.hosts == *hosts
        };
        self.0.extract_if(.., is_meant).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    fn given(hosts: &str, ends: Option<Duration>) -> Given {
        let environment: EnvironmentName = "web".parse().unwrap();
        Given {
            hosts: HostPattern::parse(hosts).unwrap(),
            scope: GrantScope::Environment(environment.clone()),
            environment,
            by: "by user 1000".to_owned(),
            ends: ends.map(Ends::after),
        }
    }

    fn hosts(list: &GrantList) -> Vec<String> {
        list.in_force().map(|grant| grant.pattern().to_string()).collect()
    }

    #[test]
    fn a_grant_counts_until_its_end_and_is_then_taken_out() {
        let mut list = GrantList::default();
        list.give(given("a.test", None));
        list.give(given("b.test", Some(Duration::ZERO)));
        list.give(given("c.test", Some(Duration::from_hours(1))));
        assert_eq!(hosts(&list), ["a.test", "c.test"]);
        assert_eq!(list.next_expiry(), Some(Duration::ZERO));
        let over = list.take_expired();
        assert_eq!(over.len(), 1);
        assert_eq!(over[0].hosts.to_string(), "b.test");
        assert!(list.next_expiry().unwrap() > Duration::from_mins(59));
    }

    #[test]
    fn the_newest_word_on_the_same_hosts_counts() {
        let mut list = GrantList::default();
        list.give(given("a.test", Some(Duration::from_hours(1))));
        list.give(given("a.test", None));
        assert_eq!(list.all().len(), 1);
        assert!(list.next_expiry().is_none());
    }

    #[test]
    fn only_what_is_meant_is_taken_back() {
        let mut list = GrantList::default();
        list.give(given("a.test", None));
        list.give(given("b.test", None));
        let (web, api) = ("web".parse().unwrap(), "api".parse().unwrap());
        let a = HostPattern::parse("a.test").unwrap();
        assert!(list.take_back(&a, &api, None).is_empty());
        assert!(
            list.take_back(&a, &web, Some(SandboxId::from_random([1; 4])))
                .is_empty()
        );
        assert_eq!(list.take_back(&a, &web, None).len(), 1);
        assert_eq!(hosts(&list), ["b.test"]);
    }
}
