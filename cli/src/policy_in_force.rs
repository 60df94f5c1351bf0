//! From the file that counts and the command line to the compiled policy.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use outwall_certs::origin_roots;
use outwall_policy::{Overrides, Policy, PolicyDocument};
use outwall_proxy::{InForce, OriginTrust};

use crate::arguments::Session;
use crate::discovery::{Discovery, Place};
use crate::failure::{Explain, Failure, multiline};
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

    /// What the gate is given: the policy, and what the files that it names hold now.
    pub(crate) fn read_files(&self) -> Result<InForce, Failure> {
        let roots = origin_roots(&self.extra_roots())
            .explain("cannot read the roots that servers are verified against")?;
        Ok(InForce {
            policy: self.policy.clone(),
            trust: OriginTrust::new(roots),
        })
    }

    /// Every file that says what is in force: the policy's own, if there is one, and those that it names. To be watched, and
    /// kept from whom they are about.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let own = self.file.iter().map(|(_, path)| path.clone());
        let named = self.policy.origins().files().map(|file| self.locate(file));
        own.chain(named).collect()
    }

    /// The files with further roots.
    pub(crate) fn extra_roots(&self) -> Vec<PathBuf> {
        let written = self.policy.origins().extra_roots();
        written.map(|root| self.locate(root)).collect()
    }

    /// A file that the policy names: relative to the policy's own.
    fn locate(&self, named: &Path) -> PathBuf {
        let own = self.file.as_ref().map(|(_, path)| path.as_path());
        own.and_then(Path::parent).unwrap_or(Path::new("/")).join(named)
    }

    /// Where the policy comes from, for people.
    pub(crate) fn provenance(&self) -> String {
        match &self.file {
            Some((place, path)) => format!("`{}` ({place})", path.display()),
            None => "built in: no policy file counts here".to_owned(),
        }
    }
}
