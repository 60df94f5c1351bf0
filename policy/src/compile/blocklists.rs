//! Lists of what is refused whatever allows it.

use std::sync::Arc;

use super::{Compiler, Lists};
use crate::blocklist::Blocklist;
use crate::document::{PolicyDocument, Written};
use crate::environment::Environment;
use crate::host::Host;
use crate::pattern::Hosts;

impl Compiler {
    /// The lists of every environment.
    pub(super) fn blocklists_everywhere(&mut self, document: &PolicyDocument) {
        self.everywhere = self.blocklists(&document.blocklists);
        for list in document.blocklist_contents.values() {
            self.warnings.extend_from_slice(list.warnings());
        }
    }

    /// A list that was not read blocks nothing, so a policy that names it is none.
    pub(super) fn blocklists(&mut self, written: &[Written<String>]) -> Vec<Arc<Blocklist>> {
        let mut lists: Vec<Arc<Blocklist>> = Vec::with_capacity(written.len());
        for path in written {
            match self.blocklist_contents.get(&path.value) {
                Some(list) if list.is_empty() => {
                    let what = format!("the blocklist \"{}\" blocks nothing", path.value.escape_debug());
                    lists.push(Arc::clone(list));
                    self.warn(path.place, what, "look whether it is the right file");
                }
                Some(list) => lists.push(Arc::clone(list)),
                None => {
                    let what = format!("the blocklist \"{}\" was not read", path.value.escape_debug());
                    self.problem(path.place, what, "write the path of a file with names to block");
                }
            }
        }
        lists
    }

    /// An entry that no connection will ever use is probably not meant.
    pub(super) fn check_blocked(&mut self, environment: &Environment, lists: &Lists) {
        if environment.blocklists.is_empty() {
            return;
        }
        let keys = [
            ("always_reachable", &lists.always),
            ("tunnelled_domains", &lists.tunnelled),
            ("tcp", &lists.tcp),
            ("allowed_domains", &lists.allowed),
        ];
        let entries = keys
            .into_iter()
            .flat_map(|(key, list)| list.iter().map(move |entry| (key, entry)));
        let blocked = entries.filter_map(|(key, (pattern, place))| {
            let host = match &pattern.hosts {
                Hosts::Exactly(name) | Hosts::Below(name) => Host::from(name.clone()),
                Hosts::Literal(address) => Host::from(*address),
            };
            let what = format!(
                "\"{pattern}\" in `{key}` is never reached: {}",
                environment.blocked(&host)?
            );
            Some((*place, what))
        });
        for (place, what) in blocked.take(MOST_WARNINGS).collect::<Vec<_>>() {
            self.warn(place, what, "take it out of one of the two; a blocklist wins");
        }
    }
}

const MOST_WARNINGS: usize = 10;
