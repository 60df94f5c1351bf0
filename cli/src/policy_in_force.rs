//! From the file that counts and the command line to the compiled policy.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use outwall_policy::{Overrides, Policy, PolicyDocument, Unlisted};
use outwall_proxy::InForce;

use crate::arguments::Session;
use crate::blocklists::read_blocklists;
use crate::discovery::{Discovery, Place, PolicyFile};
use crate::failure::{Explain as _, Failure, multiline};
use crate::interfaces::own_addresses;
use crate::named_files::NamedFiles;
use crate::origin_files;
use crate::terminal::Paint;
use crate::trust_store::hexadecimal;

/// The policy, and where it comes from.
#[derive(Debug)]
pub(crate) struct PolicyInForce {
    pub(crate) policy: Policy,
    /// None: the built-in one.
    pub(crate) file: Option<(Place, PathBuf)>,
    /// As it was read.
    text: String,
    named: NamedFiles,
}

/// What a self-check may take before the samples that are left are left out.
const SELF_CHECK: Duration = Duration::from_millis(200);

impl PolicyInForce {
    /// Reads and compiles. One line on stderr for each project file that does not count.
    pub(crate) fn load(
        session: &Session,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, Failure> {
        Self::compile(session.discover()?, environment, overrides)
    }

    /// Compiles what was found, refuses this machine's own addresses to every sandbox, and has the policy check itself.
    pub(crate) fn compile(
        discovery: Discovery,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, Failure> {
        let (document, file, text, named) = match discovery.counts {
            None => (
                PolicyDocument::default(),
                None,
                String::new(),
                NamedFiles::of(None, None),
            ),
            Some(file) => {
                let origin = file.path.display().to_string();
                let document = PolicyDocument::parse(&file.text, &origin)?;
                let named = NamedFiles::of(Some(&file.path), file.trusted);
                (document, Some((file.place, file.path)), file.text, named)
            }
        };
        let mut document = document.with_overrides(environment, overrides)?;
        read_blocklists(&mut document, |path| named.to_read(path))?;
        let mut policy = Policy::compile(&document)?;
        policy.environment(environment)?;
        let own: Vec<_> = own_addresses().into_iter().collect();
        policy.refuse_addresses(own.iter().copied());
        let deadline = Instant::now() + SELF_CHECK;
        let checked = policy.self_check(&document, &own, seed(), || Instant::now() >= deadline)?;
        tracing::debug!(?checked, "the policy passed its self-check");
        if overrides.unlisted == Unlisted::Learn {
            let hint = "write `--network custom --learn` to begin with nothing on the list";
            policy = policy.learning(environment).hint(hint)?;
        }
        Ok(Self {
            policy,
            file,
            text,
            named,
        })
    }

    /// Says on stderr what is legal in the file, or of the files that it names, and probably not meant.
    pub(crate) fn warn(&self) {
        let _ = std::io::stderr().write_all(self.warnings(Paint::for_stderr()).as_bytes());
    }

    /// The same as text, a line or more for each.
    pub(crate) fn warnings(&self, paint: Paint) -> String {
        let mut text = String::new();
        let written = self.policy.warnings().iter().map(ToString::to_string);
        for warning in written.chain(origin_files::warnings(self)) {
            let warning = multiline(warning, paint);
            let _ = writeln!(text, "{} {warning}", paint.yellow("warning:"));
        }
        text
    }

    /// Over the policy file, and over the files that it names if there are any, in hexadecimal digits; secrets are left out, for
    /// a digest of what else is known is a test of guesses. Of a file alone it is what `sha256sum` says.
    pub(crate) fn sha256(&self) -> String {
        let mut context = Context::new(&SHA256);
        context.update(self.text.as_bytes());
        for file in self.policy.public_files() {
            let read = self
                .named
                .to_read(file)
                .ok()
                .and_then(|path| std::fs::read(path).ok());
            context.update(&read.unwrap_or_default());
        }
        hexadecimal(context.finish().as_ref())
    }

    /// Whether it was read from this file with this text; none is the built-in one.
    pub(crate) fn is_of(&self, found: Option<&PolicyFile>) -> bool {
        match (&self.file, found) {
            (None, None) => true,
            (Some((_, path)), Some(found)) => *path == found.path && self.text == found.text,
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// The path of the policy file, if there is one.
    pub(crate) fn path(&self) -> Option<String> {
        self.file.as_ref().map(|(_, path)| path.display().to_string())
    }

    /// What the gate is given: the policy, and what the files that it names hold now.
    pub(crate) fn read_files(&self) -> Result<InForce, Failure> {
        origin_files::read(self)
    }

    /// Every file that says what is in force: the policy's own, if there is one, and those that it names. To be watched, and
    /// kept from whom they are about.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let own = self.file.iter().map(|(_, path)| path.clone());
        let named = self.policy.files().map(|file| self.named.place(file));
        own.chain(named).collect()
    }

    /// The files that no sandbox may read.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        let surroundings = origin_files::surroundings(self);
        let named = self.policy.secret_files();
        named.map(|file| surroundings.place(file)).collect()
    }

    /// Where a file is that the policy names, for people.
    pub(crate) fn place(&self, named: &Path) -> PathBuf {
        self.named.place(named)
    }

    /// What to read for it, as long as this lives.
    pub(crate) fn to_read(&self, named: &Path) -> Result<PathBuf, Failure> {
        self.named.to_read(named)
    }

    /// What to read for the files with further roots, as long as this lives.
    pub(crate) fn extra_roots(&self) -> Result<Vec<PathBuf>, Failure> {
        let written = self.policy.origins().extra_roots();
        written.map(|root| self.named.to_read(root)).collect()
    }

    /// Where the policy comes from, for people.
    pub(crate) fn provenance(&self) -> String {
        match &self.file {
            Some((place, path)) => format!("`{}` ({place})", path.display()),
            None => "built in: no policy file counts here".to_owned(),
        }
    }
}

/// Chooses the samples of a self-check; where the system has no random numbers, always the same.
fn seed() -> u64 {
    let mut random = [0; 8];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(random)
}
