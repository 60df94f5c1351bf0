//! Shapes of credentials: what the scan of leaving traffic looks for, and where each may go all the same.
//!
//! This is knowledge and decision, not scanning: bytes are read elsewhere. [`list()`] is the reviewed data, [`CredentialShape`] one
//! shape, [`LeakScan`] what an environment makes of them.

use std::sync::Arc;

use crate::pattern::HostPattern;
use crate::target::Target;

mod anchor;
mod expression;
mod field_name;
mod leak_scan;
mod list;

pub use anchor::{Anchor, AnchorError, ByteSet};
use expression::Parsed;
pub use expression::{Expression, ExpressionError, Step, Walk};
pub use field_name::names_a_credential;
pub(crate) use leak_scan::Exception;
pub use leak_scan::{LeakAction, LeakScan};
pub use list::list;

/// A shape of credentials.
#[derive(Debug)]
pub struct CredentialShape {
    pub(crate) name: Box<str>,
    pub(crate) expression: Expression,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) longest: usize,
    pub(crate) least_entropy: f64,
    pub(crate) check: Check,
    pub(crate) joined: Joined,
    pub(crate) issuers: Vec<HostPattern>,
    pub(crate) head_issuers: Vec<HostPattern>,
}

/// What a regular expression cannot say of a shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Check {
    /// Nothing more.
    #[default]
    Nothing,
    /// Its last six characters are the CRC-32 of those between prefix and them, in base62.
    Base62Crc32,
    /// Header and payload are base64url of JSON objects, and the header has an `alg`.
    Jwt,
    /// What follows the armour is no filler.
    PrivateKey,
    /// The password is no placeholder, and the host is not this machine.
    DatabaseUrl,
    /// `T3BlbkFJ` (base64 of `OpenAI`) stands in it, with at least twenty characters on either side.
    OpenAi,
    /// The expression says all there is, and even a placeholder counts.
    Exact,
    /// Upper case, lower case and digits all occur.
    Mixed,
    /// The same as `Exact`, of a placeholder that the gate gave out: it opens nothing, and whoever sends it elsewhere tries to.
    Placeholder,
}

/// What may stand right beside a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Joined {
    /// No letter, digit or underscore on either side.
    #[default]
    Apart,
    /// Anything before it.
    Before,
    /// Anything on both sides.
    Both,
}

/// Where in a request something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Its URL, a header field, or a trailer field.
    Head,
    /// Its body, or a message after an upgrade.
    Body,
}

impl CredentialShape {
    /// Of all that an expression matches, wherever it stands: where that is is for the expression to say.
    pub(crate) fn of_expression(name: &str, parsed: Parsed, check: Check, issuers: Vec<HostPattern>) -> Self {
        let anchors = parsed.literals.iter().map(|literal| Anchor::literal(literal));
        Self {
            name: name.into(),
            anchors: anchors.collect(),
            longest: parsed.longest,
            expression: parsed.expression,
            least_entropy: 0.0,
            check,
            joined: Joined::Both,
            issuers,
            head_issuers: Vec::new(),
        }
    }

    /// Its name, in kebab case: what a finding says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole of it as an expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// What to search for.
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// No match is longer, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The least entropy of a match without its anchor, bits per byte.
    pub fn least_entropy(&self) -> f64 {
        self.least_entropy
    }

    /// What else must hold.
    pub fn check(&self) -> Check {
        self.check
    }

    /// What may stand right beside it.
    pub fn joined(&self) -> Joined {
        self.joined
    }

    /// True when the target issued it, so that it is no leak there.
    pub fn is_at_home(&self, target: &Target, part: Part) -> bool {
        let issued = |hosts: &[HostPattern]| hosts.iter().any(|hosts| hosts.matches(target));
        issued(&self.issuers) || part == Part::Head && issued(&self.head_issuers)
    }
}

/// A shape as it is shared.
pub type SharedShape = Arc<CredentialShape>;
