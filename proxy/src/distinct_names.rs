//! How many different names below one wildcard a sandbox may make us resolve.
//!
//! A name is data: resolving `<secret>.example.com` tells the secret to whoever answers for `example.com`, and an entry
//! `*.example.com` allows any number of such names. So they are counted when a connection is allowed, by whatever door it came,
//! and before anything is resolved. Names that are known stay reachable when there is no room for further ones.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use outwall_policy::{ConnectionPermit, HostPattern, RuleName};

use crate::dns::last_two_labels;
use crate::limits::Limits;

/// The names of one sandbox. The lock is held for a hash lookup.
pub(crate) struct DistinctNames {
    below_one_wildcard: usize,
    below_one_suffix: usize,
    counted: Mutex<Counted>,
}

/// One name more than is allowed below one wildcard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyNames {
    /// The wildcard.
    pub(crate) pattern: String,
    pub(crate) limit: usize,
    /// Whether it is the first that is refused: what is told to security people once.
    pub(crate) first: bool,
}

#[derive(Default)]
struct Counted {
    hasher: RandomState,
    below_wildcards: HashMap<HostPattern, Names>,
    /// By their last two labels, where the level is `full` and no entry names the host.
    below_suffixes: HashMap<String, Names>,
    /// Names of all of `below_suffixes`.
    at_level_full: usize,
}

/// Those below one wildcard.
#[derive(Default)]
struct Names {
    seen: HashSet<u64>, // hashes: a collision lets one name more pass, and cannot be aimed at without the random keys
    refused: bool,
}

impl DistinctNames {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            below_one_wildcard: limits.names_below_one_wildcard,
            below_one_suffix: limits.names_below_one_suffix,
            counted: Mutex::default(),
        }
    }

    /// Counts the name of a connection that policy allows, if it is one of many that its rule covers. `limit` is what the
    /// environment says of names below one wildcard, if it does.
    pub(crate) fn count(&self, permit: &ConnectionPermit, limit: Option<usize>) -> Result<(), TooManyNames> {
        let Some(name) = permit.target().host.name() else {
            return Ok(()); // an address tells nobody anything
        };
        match permit.rule() {
            RuleName::Full | RuleName::Learn => self.count_below_suffix(name.as_str()),
            rule => match rule.pattern().filter(|pattern| pattern.is_wildcard()) {
                Some(wildcard) => {
                    let limit = limit.unwrap_or(self.below_one_wildcard);
                    self.count_below_wildcard(wildcard, name.as_str(), limit)
                }
                None => Ok(()),
            },
        }
    }

    fn count_below_wildcard(
        &self,
        wildcard: &HostPattern,
        name: &str,
        limit: usize,
    ) -> Result<(), TooManyNames> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = counted.hasher.hash_one(name);
        let names = entry(&mut counted.below_wildcards, wildcard);
        names.add(hash, limit, || wildcard.to_string()).map(drop)
    }

    fn count_below_suffix(&self, name: &str) -> Result<(), TooManyNames> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = counted.hasher.hash_one(name);
        if counted.at_level_full >= REMEMBERED_AT_LEVEL_FULL {
            counted.below_suffixes.clear();
            counted.at_level_full = 0;
        }
        let suffix = last_two_labels(name);
        let names = entry(&mut counted.below_suffixes, suffix);
        let is_new = names.add(hash, self.below_one_suffix, || format!("*.{suffix}"))?;
        counted.at_level_full += usize::from(is_new);
        Ok(())
    }
}

impl Names {
    /// Whether the name is new.
    fn add(
        &mut self,
        hash: u64,
        limit: usize,
        pattern: impl FnOnce() -> String,
    ) -> Result<bool, TooManyNames> {
        if self.seen.contains(&hash) {
            return Ok(false);
        }
        if self.seen.len() < limit {
            return Ok(self.seen.insert(hash));
        }
        Err(TooManyNames {
            pattern: pattern(),
            limit,
            first: !std::mem::replace(&mut self.refused, true),
        })
    }
}

/// The entry of `key`, which is made its own only when there is none.
fn entry<'a, K, Q>(map: &'a mut HashMap<K, Names>, key: &Q) -> &'a mut Names
where
    K: Hash + Eq + Borrow<Q>,
    Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    if !map.contains_key(key) {
        map.insert(key.to_owned(), Names::default());
    }
    map.get_mut(key).expect("it was just put there")
}

/// At level `full` a sandbox can tell anything to anybody, so this bounds memory only: what is beyond begins anew.
const REMEMBERED_AT_LEVEL_FULL: usize = 65_536;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use outwall_policy::{ConnectionDecision, Opening, Policy, PolicyDocument, Sandbox, SandboxId, Target};

    use super::*;

    fn names() -> DistinctNames {
        DistinctNames::new(&Limits {
            names_below_one_wildcard: 2,
            names_below_one_suffix: 3,
            ..Limits::default()
        })
    }

    fn permits(network: &str) -> impl Fn(&str) -> ConnectionPermit {
        let document = format!("[environments.default]\n{network}\n");
        let document = PolicyDocument::parse(&document, "test.toml").unwrap();
        let policy = Policy::compile(&document).unwrap();
        let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), "default".parse().unwrap());
        move |host| {
            let target = Target::parse_with_default(host, 443).unwrap();
            match policy.decide_connection(&sandbox, &target, Opening::Unread) {
                ConnectionDecision::Intercept(permit) => permit,
                other => panic!("{other:?}"),
            }
        }
    }

    const CUSTOM: &str = "network = \"custom\"\n\
        allowed_domains = [\"*.one.test\", \"*.two.test\", \"exact.test\", \"named.one.test\", \"192.0.2.1\"]";

    #[test]
    fn one_name_too_many_is_refused_and_told_once_and_known_ones_stay() {
        let (names, permit) = (names(), permits(CUSTOM));
        assert_eq!(names.count(&permit("a.one.test"), None), Ok(()));
        assert_eq!(names.count(&permit("b.c.one.test"), None), Ok(()));
        let refused = |first| {
            Err(TooManyNames {
                pattern: "*.one.test".to_owned(),
                limit: 2,
                first,
            })
        };
        assert_eq!(names.count(&permit("d.one.test"), None), refused(true));
        assert_eq!(names.count(&permit("d.one.test"), None), refused(false));
        assert_eq!(
            names.count(&permit("a.one.test:80"), None),
            Ok(()),
            "known, whatever the port"
        );
    }

    #[test]
    fn an_environment_may_have_a_limit_of_its_own() {
        let (names, permit) = (names(), permits(CUSTOM));
        for host in ["a.one.test", "b.one.test", "c.one.test"] {
            assert_eq!(names.count(&permit(host), Some(3)), Ok(()), "{host}");
        }
        assert_eq!(names.count(&permit("d.one.test"), Some(3)).unwrap_err().limit, 3);
    }

    #[test]
    fn what_an_entry_names_itself_is_not_counted_and_each_wildcard_has_room_of_its_own() {
        let (names, permit) = (names(), permits(CUSTOM));
        for host in ["a.one.test", "b.one.test"] {
            names.count(&permit(host), None).unwrap();
        }
        for host in [
            "exact.test",
            "named.one.test",
            "192.0.2.1",
            "a.two.test",
            "b.two.test",
        ] {
            assert_eq!(names.count(&permit(host), None), Ok(()), "{host}");
        }
        assert!(names.count(&permit("c.two.test"), None).unwrap_err().first);
    }

    #[test]
    fn at_level_full_names_are_counted_by_their_last_two_labels() {
        let (names, permit) = (names(), permits("network = \"full\""));
        for host in ["example.com", "a.example.com", "b.example.com", "example.org"] {
            assert_eq!(names.count(&permit(host), None), Ok(()), "{host}");
        }
        let refused = names.count(&permit("c.example.com"), None).unwrap_err();
        assert_eq!(refused.pattern, "*.example.com");
        assert_eq!(names.count(&permit("b.example.org"), None), Ok(()));
    }

    #[test]
    fn at_level_full_what_is_remembered_is_bounded() {
        let (names, permit) = (names(), permits("network = \"full\""));
        for number in 0..=REMEMBERED_AT_LEVEL_FULL {
            names.count_below_suffix(&format!("h{number}.test")).unwrap();
        }
        assert_eq!(names.counted.lock().unwrap().at_level_full, 1);
        assert_eq!(names.count(&permit("example.com"), None), Ok(()));
    }
}
