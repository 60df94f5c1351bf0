//! Rules on requests: a host that any rule names accepts only what a rule allows; the first that matches decides.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::environment::RuleEntry;
use crate::glob::Glob;
use crate::host::DomainName;
use crate::method::Method;
use crate::path::RequestPath;
use crate::pattern::{HostPattern, Hosts};
use crate::permit::RuleName;
use crate::target::Target;

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Without a port it is for every port: what narrows, narrows everywhere.
    pub(crate) host: HostPattern,
    /// Empty: every method.
    pub(crate) methods: Vec<Method>,
    /// Empty: every path.
    pub(crate) paths: Vec<Glob>,
    pub(crate) allow: bool,
}

/// An environment's rules, in the order of the document, found by host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    in_order: Vec<Rule>,
    /// By the name in the pattern, wildcard or not; literals are few.
    by_name: HashMap<DomainName, Vec<u32>>,
    literals: Vec<u32>,
}

/// What the rules say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// No rule names the host.
    NotNamed,
    Allow(RuleName),
    /// Which rule denied, if not the want of one, and the reading of the path that was denied, if not the path itself.
    Deny(Option<RuleName>, Option<String>),
}

impl Rules {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let mut found = Self::default();
        for (index, rule) in (0..).zip(&rules) {
            match &rule.host.hosts {
                Hosts::Exactly(name) | Hosts::Below(name) => {
                    found.by_name.entry(name.clone()).or_default().push(index);
                }
                Hosts::Literal(_) => found.literals.push(index),
            }
        }
        found.in_order = rules;
        found
    }

    /// Asks about the path and about every other reading of it: all must be allowed.
    pub(crate) fn decide(&self, target: &Target, method: &Method, path: &RequestPath) -> Ruling {
        if self.in_order.is_empty() || !self.names(target) {
            return Ruling::NotNamed;
        }
        let ruling = self.first_match(target, method, path.as_str());
        if let Ruling::Deny(..) | Ruling::NotNamed = ruling {
            return ruling;
        }
        let Ok(readings) = path.readings() else {
            return Ruling::Deny(None, Some("too many different paths".to_owned()));
        };
        let refused =
            readings
                .into_iter()
                .find_map(|reading| match self.first_match(target, method, &reading) {
                    Ruling::Deny(rule, _) => Some(Ruling::Deny(rule, Some(reading))),
                    Ruling::Allow(_) | Ruling::NotNamed => None,
                });
        refused.unwrap_or(ruling)
    }

    /// The paths, as globs in normal form, that rules for this target and method ask about.
    pub(crate) fn paths_asked_about(&self, target: &Target, method: &Method) -> Vec<String> {
        let rules = self.of(target).map(|index| &self.in_order[index as usize]);
        let of_method = rules.filter(|rule| rule.methods.is_empty() || rule.methods.contains(method));
        of_method
            .flat_map(|rule| &rule.paths)
            .map(Glob::in_normal_form)
            .collect()
    }

    /// What the rules allow for a target, in a few words: `GET, HEAD of /v1/**`.
    pub(crate) fn allowed(&self, target: &Target) -> String {
        let mut words = String::new();
        for index in self.of(target) {
            let rule = &self.in_order[index as usize];
            if rule.allow {
                let separator = if words.is_empty() { "" } else { "; " };
                let _ = write!(words, "{separator}{}", rule.request_words());
            }
        }
        if words.is_empty() { "nothing".into() } else { words }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = RuleEntry> + '_ {
        (0..).zip(&self.in_order).map(|(index, rule)| RuleEntry {
            rule: self.name(index),
            allows: rule.allow,
            requests: rule.request_words(),
        })
    }

    fn name(&self, index: u32) -> RuleName {
        let host = self.in_order[index as usize].host.clone();
        RuleName::Rule {
            number: index as usize + 1,
            host,
        }
    }

    /// True when some rule may name a host of the pattern.
    pub(crate) fn may_name(&self, pattern: &HostPattern) -> bool {
        self.in_order.iter().any(|rule| rule.host.overlaps(pattern))
    }

    fn names(&self, target: &Target) -> bool {
        self.of(target).next().is_some()
    }

    fn first_match(&self, target: &Target, method: &Method, path: &str) -> Ruling {
        let first = self
            .of(target)
            .filter(|index| self.in_order[*index as usize].matches(method, path))
            .min();
        let Some(index) = first else {
            return Ruling::Deny(None, None);
        };
        let rule = &self.in_order[index as usize];
        let name = self.name(index);
        if rule.allow {
            Ruling::Allow(name)
        } else {
            Ruling::Deny(Some(name), None)
        }
    }

    /// The indexes of the rules for a target, not in order.
    fn of<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = u32> + 'a {
        let name = target.host.name();
        let own = name.map(DomainName::as_str).into_iter();
        let parents = name.into_iter().flat_map(DomainName::parents);
        let by_name = own.chain(parents).filter_map(|name| self.by_name.get(name));
        let literals = name.is_none().then_some(&self.literals);
        by_name
            .chain(literals)
            .flatten()
            .copied()
            .filter(|index| self.in_order[*index as usize].host.names(target))
    }
}

impl Rule {
    fn matches(&self, method: &Method, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.matches(path)))
    }

    fn request_words(&self) -> String {
        let methods = join(&self.methods).unwrap_or_else(|| "every method".into());
        let paths = join(&self.paths).unwrap_or_else(|| "every path".into());
        format!("{methods} of {paths}")
    }
}

fn join<T: ToString>(items: &[T]) -> Option<String> {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn rule(host: &str, methods: &[&str], paths: &[&str], allow: bool) -> Rule {
        Rule {
            host: HostPattern::parse(host).unwrap(),
            methods: methods.iter().map(|m| Method::parse(m).unwrap()).collect(),
            paths: paths.iter().map(|p| Glob::parse(p).unwrap()).collect(),
            allow,
        }
    }

    fn allows(rules: &Rules, target: &str, method: &str, path: &str) -> Option<bool> {
        let target = Target::parse(target).unwrap();
        let path = RequestPath::parse(path).unwrap();
        match rules.decide(&target, &Method::parse(method).unwrap(), &path) {
            Ruling::NotNamed => None,
            Ruling::Allow(_) => Some(true),
            Ruling::Deny(..) => Some(false),
        }
    }

    #[test]
    fn a_host_that_a_rule_names_accepts_only_what_a_rule_allows() {
        let rules = Rules::new(vec![rule("a.test", &["GET", "HEAD"], &["/v1/**"], true)]);
        assert_eq!(allows(&rules, "a.test:443", "GET", "/v1/x"), Some(true));
        assert_eq!(allows(&rules, "a.test:443", "POST", "/v1/x"), Some(false));
        assert_eq!(allows(&rules, "a.test:443", "get", "/v1/x"), Some(false));
        assert_eq!(allows(&rules, "a.test:443", "GET", "/v2"), Some(false));
        assert_eq!(allows(&rules, "a.test:8443", "GET", "/v2"), Some(false));
        assert_eq!(allows(&rules, "b.test:443", "GET", "/v2"), None);
    }

    #[test]
    fn the_first_rule_that_matches_decides_whichever_pattern_names_the_host() {
        let rules = Rules::new(vec![
            rule("*.test", &[], &["/admin/**"], false),
            rule("a.test", &[], &[], true),
            rule("*.test", &["GET"], &[], true),
        ]);
        assert_eq!(allows(&rules, "a.test:443", "POST", "/x"), Some(true));
        assert_eq!(allows(&rules, "a.test:443", "POST", "/admin/x"), Some(false));
        assert_eq!(allows(&rules, "b.test:443", "POST", "/x"), Some(false));
        assert_eq!(allows(&rules, "b.test:443", "GET", "/x"), Some(true));
    }

    #[test]
    fn a_path_must_be_allowed_in_all_its_readings() {
        let rules = Rules::new(vec![
            rule("a.test", &[], &["/admin/**"], false),
            rule("a.test", &[], &["/v1/**", "/@types%2F*"], true),
        ]);
        for (path, allowed) in [
            ("/v1/a//b", true),
            ("/v1/a%2Fb", true),
            ("/v1/..%2Fadmin/x", false),
            ("/v1/..;/admin", false),
            ("//admin", false),
            ("/v1/../admin", false),
            ("/v1/%2e%2e/v1/x", true),
            ("/@types%2Fnode", false), // also `/@types/node`, which no rule allows
            (
                "/v1/..%2fadmin%2fusers%2f;%2f;%2f..%2f..%2fv1%2fa%252fb%2f..%2f..",
                false,
            ),
            ("/v1/x;%2f..%2f..%2fadmin", false),
        ] {
            assert_eq!(allows(&rules, "a.test:443", "GET", path), Some(allowed), "{path}");
        }
    }

    #[test]
    fn a_rule_with_a_port_narrows_that_port_only() {
        let rules = Rules::new(vec![rule("a.test:8443", &["GET"], &[], true)]);
        assert_eq!(allows(&rules, "a.test:8443", "POST", "/"), Some(false));
        assert_eq!(allows(&rules, "a.test:443", "POST", "/"), None);
    }
}
