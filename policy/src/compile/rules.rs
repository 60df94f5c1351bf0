//! Rules on requests.

use super::{Compiler, Lists};
use crate::document::{EnvironmentDocument, Place, RuleDocument, Written};
use crate::environment::Environment;
use crate::glob::Glob;
use crate::method::Method;
use crate::pattern::{HostPattern, Hosts};
use crate::rules::{Rule, Rules};

impl Compiler {
    pub(super) fn rules(&mut self, written: &[RuleDocument], lists: &Lists) -> Rules {
        Rules::new(written.iter().filter_map(|rule| self.rule(rule, lists)).collect())
    }

    fn rule(&mut self, written: &RuleDocument, lists: &Lists) -> Option<Rule> {
        let host = self.pattern("host", &written.host);
        let methods = written
            .methods
            .iter()
            .filter_map(|method| self.method(method))
            .collect();
        let paths = written.paths.iter().filter_map(|path| self.glob(path)).collect();
        let host = host?;
        self.check_is_no_host_port("host", &host, written.host.place);
        self.check_rule_is_enforced(&host, written.host.place, lists);
        Some(Rule {
            host,
            methods,
            paths,
            allow: written.allow,
        })
    }

    /// A rule narrows requests, and nobody reads the requests in a tunnel.
    fn check_rule_is_enforced(&mut self, host: &HostPattern, place: Place, lists: &Lists) {
        for (pattern, _) in lists.unread().filter(|(pattern, _)| pattern.overlaps(host)) {
            let what = format!(
                "the rule for \"{host}\" cannot be enforced on \"{pattern}\", which is relayed unread"
            );
            let remedy =
                "take the host out of tunnelled_domains and tcp, or give the rule another port or host";
            self.problem(place, what, remedy);
        }
    }

    /// A rule narrows; it does not allow a host. Whoever replaces the level on the command line knows that rules stay behind.
    pub(super) fn check_rules_apply(&mut self, environment: &Environment, written: &EnvironmentDocument) {
        if written
            .network
            .as_ref()
            .is_some_and(|network| network.place == Place::CommandLine)
        {
            return;
        }
        for rule in &written.rules {
            let Ok(HostPattern {
                hosts: Hosts::Exactly(name),
                ..
            }) = HostPattern::parse(&rule.host.value)
            else {
                continue; // a wildcard may be there for hosts to come
            };
            if !environment.reaches(&name) {
                let what = format!("the rule for \"{name}\" has no effect, because no entry allows the host");
                self.warn(rule.host.place, what, "add the host to allowed_domains");
            }
        }
    }

    pub(super) fn method(&mut self, text: &Written<String>) -> Option<Method> {
        let upper = text.value.to_ascii_uppercase();
        match Method::parse(&text.value) {
            Ok(method) if upper == text.value => return Some(method),
            Ok(_) | Err(_) => {}
        }
        let what = format!("\"{}\" in `methods` is no method", text.value.escape_debug());
        let remedy = match Method::parse(&upper) {
            Ok(_) => format!("write \"{upper}\": methods have upper case"),
            Err(_) => "write one such as \"GET\"".to_owned(),
        };
        self.problem(text.place, what, remedy);
        None
    }

    pub(super) fn glob(&mut self, text: &Written<String>) -> Option<Glob> {
        match Glob::parse(&text.value) {
            Ok(glob) => Some(glob),
            Err(remedy) => {
                let what = format!(
                    "\"{}\" in `paths` would never match as meant",
                    text.value.escape_debug()
                );
                self.problem(text.place, what, remedy.to_string());
                None
            }
        }
    }
}
