//! Which paths a decision turns on: for who knows a part of a path only, as whoever reads a record of it does.

use crate::method::Method;
use crate::permit::{ConnectionPermit, RuleName};
use crate::policy::Policy;
use crate::trusted_writes;

impl Policy {
    /// The globs over paths, in normal form, that a request with this method over this connection may be asked about: by rules, by
    /// the exceptions of the Trusted list. None: the path does not matter.
    pub fn paths_asked_about(&self, via: &ConnectionPermit, method: &Method) -> Vec<String> {
        let target = via.target();
        let environment = self.environments.get(&via.sandbox().environment);
        let rules = environment.map(|environment| environment.rules.paths_asked_about(target, method));
        let mut globs = rules.unwrap_or_default();
        if matches!(via.rule(), RuleName::Trusted { .. }) {
            globs.extend(trusted_writes::paths_asked_about(target, method));
        }
        globs
    }
}
