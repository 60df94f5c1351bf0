//! Where in a service a place counts.

use crate::brokered::CredentialPlace;
use crate::decision::{Action, Writing};
use crate::glob::Glob;
use crate::path::RequestPath;
use crate::pattern::HostPattern;
use crate::target::Target;
use crate::trusted_writes::is_reading;

/// A place that counts, where it does, and why. In doubt it counts: that is the strict side.
#[derive(Debug)]
pub struct CountedPlace {
    pub(super) place: CredentialPlace,
    /// Empty: every host.
    pub(super) hosts: Vec<HostPattern>,
    /// Empty: every path.
    pub(super) paths: Vec<Glob>,
    pub(super) requests: Requests,
    pub(super) why: String,
    pub(super) source: String,
}

/// In which requests a place counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    All,
    /// Those that are no reading.
    Writes,
}

impl CountedPlace {
    /// The place.
    pub fn place(&self) -> &CredentialPlace {
        &self.place
    }

    /// Why it counts.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Where that is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it counts in that request: in some reading of its path, and as whatever method it may be taken.
    pub fn counts_in<R>(&self, request: &Action<R>) -> bool {
        self.is_for(&request.target) && self.covers_some_reading(&request.path) && self.covers(request)
    }

    fn is_for(&self, target: &Target) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|hosts| hosts.hosts.contain(&target.host))
    }

    fn covers_some_reading(&self, path: &RequestPath) -> bool {
        let matches = |reading: &str| self.paths.iter().any(|glob| glob.matches(reading));
        if self.paths.is_empty() || matches(path.as_str()) {
            return true;
        }
        // More readings than are weighed: such a path was made to have them.
        path.readings()
            .map_or(true, |readings| readings.iter().any(|reading| matches(reading)))
    }

    fn covers<R>(&self, request: &Action<R>) -> bool {
        let reads = is_reading(&request.method)
            && request.acts_as.as_ref().is_none_or(is_reading)
            && request.writing == Writing::Nothing;
        match self.requests {
            Requests::All => true,
            Requests::Writes => !reads,
        }
    }
}
