//! From the file that counts and the command line to the compiled policy.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use outwall_policy::{Overrides, Policy, PolicyDocument};

use crate::arguments::Session;
use crate::discovery::{Discovery, Place};
use crate::failure::{Failure, multiline};
use crate::interfaces::own_addresses;
use crate::terminal::Paint;

/// The policy, and where it comes from.
#[derive(Debug)]
pub(crate) struct PolicyInForce {
    pub(crate) policy: Policy,
    /// None: the built-in one.
    pub(crate) file: Option<(Place, PathBuf)>,
}

impl PolicyInForce {
    /// Reads and compiles. One line on stderr for each project file that does not count.
    pub(crate) fn load(
        session: &Session,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, Failure> {
        Self::compile(session.discover()?, environment, overrides)
    }

    /// Compiles what was found, and refuses this machine's own addresses to every sandbox.
    pub(crate) fn compile(
        discovery: Discovery,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, Failure> {
        let (document, file) = match discovery.counts {
            None => (PolicyDocument::default(), None),
            Some(file) => {
                let origin = file.path.display().to_string();
                let document = PolicyDocument::parse(&file.text, &origin)?;
                (document, Some((file.place, file.path)))
            }
        };
        let document = document.with_overrides(environment, overrides)?;
        let mut policy = Policy::compile(&document)?;
        policy.environment(environment)?;
        policy.refuse_addresses(own_addresses());
        Ok(Self { policy, file })
    }

    /// Says on stderr what is legal in the file and probably not meant.
    pub(crate) fn warn(&self) {
        let paint = Paint::for_stderr();
        for warning in self.policy.warnings() {
            let _ = writeln!(
                std::io::stderr(),
                "{} {}",
                paint.yellow("warning:"),
                multiline(warning, paint)
            );
        }
    }

    /// The files with further roots, which are relative to the policy file.
    pub(crate) fn extra_roots(&self) -> Vec<PathBuf> {
        let folder = self
            .file
            .as_ref()
            .and_then(|(_, path)| path.parent())
            .unwrap_or(Path::new("/"));
        self.policy
            .origins()
            .extra_roots()
            .map(|root| folder.join(root))
            .collect()
    }

    /// Where the policy comes from, for people.
    pub(crate) fn provenance(&self) -> String {
        match &self.file {
            Some((place, path)) => format!("`{}` ({place})", path.display()),
            None => "built in: no policy file counts here".to_owned(),
        }
    }
}
