//! The policy as written. No decision is made on it: [`Policy::compile`](crate::Policy::compile) gives what it means.

use std::fmt;

use thiserror::Error;

/// The file as written.
#[derive(Clone, Debug, Default)]
pub struct PolicyDocument {}

/// How much of the network an environment reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetworkLevel {
    /// Nothing, but `always_reachable`.
    None,
    /// The Trusted list.
    #[default]
    Trusted,
    /// Any public host.
    Full,
    /// `allowed_domains`, and the Trusted list when `include_trusted`.
    Custom,
}

/// What DNS answers for names that are not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RefusedNames {
    /// A synthetic address as for all others, so that the client learns why in its own protocol.
    #[default]
    Answer,
    /// NXDOMAIN.
    Nxdomain,
}

/// What the command line changes.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--network`.
    pub network: Option<NetworkLevel>,
    /// `--allow`, each as written.
    pub allow: Vec<String>,
    /// True allows namespaces inside the sandbox; false leaves what the document says.
    pub nested_namespaces: bool,
}

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: String,
    line: Option<usize>,
    what: String,
    remedy: String,
}

/// Something that is legal in a document and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub(crate) Problem);

/// Everything that is wrong in a document, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct DocumentErrors(Vec<Problem>);

impl PolicyDocument {
    /// Reads a document; `origin` is the name of the file, for errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, DocumentErrors> {
        let _ = (text, origin);
        Ok(Self {})
    }

    /// The document with what the command line changes in one environment (none: the default one).
    pub fn with_overrides(
        &self,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, DocumentErrors> {
        let _ = (environment, overrides);
        Ok(self.clone())
    }
}

impl DocumentErrors {
    /// The problems, in the order of their lines.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl Problem {
    /// The file, or `command line`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, with the value.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to write instead.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n  hint: {}", self.what, self.remedy)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for DocumentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl NetworkLevel {
    /// As written: `none`, `trusted`, `full`, `custom`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Trusted => "trusted",
            Self::Full => "full",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for NetworkLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not one of the four levels.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a network level: none, trusted, full or custom")]
pub struct UnknownLevel(String);

impl std::str::FromStr for NetworkLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        [Self::None, Self::Trusted, Self::Full, Self::Custom]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}
