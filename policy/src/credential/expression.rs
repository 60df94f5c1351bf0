//! Regular expressions as automata that are walked byte by byte, so that a match may come in any pieces.

use std::fmt;
use std::sync::OnceLock;

use regex_automata::dfa::dense::{BuildError, Builder, Config, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use thiserror::Error;

/// An expression over bytes, without Unicode classes; of several matches from one place, the longest counts.
pub struct Expression {
    text: Box<str>,
    automaton: OnceLock<Option<Box<DFA<Vec<u32>>>>>,
}

/// Why a text is no expression to search streams with.
#[derive(Debug, Error)]
pub enum ExpressionError {
    /// Not a regular expression.
    #[error("it is no regular expression: {0}")]
    Syntax(String),
    /// `acme_.*`.
    #[error("it has no upper bound on the length of what it matches")]
    Unbounded,
    /// Longer than [`Expression::LONGEST`].
    #[error(
        "it matches up to {most} bytes, and at most {} are held back",
        Expression::LONGEST
    )]
    TooLong {
        /// The longest match.
        most: usize,
    },
    /// `a?b?`.
    #[error("it matches nothing at all")]
    Empty,
    /// `[0-9a-f]{32}`: every byte would have to be looked at with it.
    #[error(
        "it does not begin with a literal of at least {} bytes",
        Expression::LEAST_LITERAL
    )]
    NoLiteral,
    /// Its automaton is too large.
    #[error("it is too large to be searched for")]
    TooLarge,
}

/// An expression that somebody wrote, and what is known of it.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) expression: Expression,
    /// No match is longer, in bytes.
    pub(crate) longest: usize,
    /// Every match begins with one of these.
    pub(crate) literals: Vec<Vec<u8>>,
}

/// Where the next byte led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be a match, or a longer one.
    Alive,
    /// As [`Alive`](Self::Alive), and what came before this byte is a match.
    Matched,
    /// There is none, or no longer one, from here on.
    Dead,
}

/// A walk along an expression.
#[derive(Clone)]
pub struct Walk<'a> {
    automaton: &'a DFA<Vec<u32>>,
    state: StateID,
}

impl Expression {
    /// No match of a configured expression is longer.
    pub const LONGEST: usize = 1024;
    /// A configured expression begins with at least so many known bytes.
    pub const LEAST_LITERAL: usize = 3;

    /// One that is known to be good: its automaton is made when it is first walked.
    pub(crate) fn known(text: &str) -> Self {
        Self {
            text: text.into(),
            automaton: OnceLock::new(),
        }
    }

    /// One that somebody wrote.
    pub(crate) fn parse(text: &str) -> Result<Parsed, ExpressionError> {
        let hir = hir(text)?;
        let least = hir.properties().minimum_len().unwrap_or(0);
        let most = hir.properties().maximum_len().ok_or(ExpressionError::Unbounded)?;
        if least == 0 {
            return Err(ExpressionError::Empty);
        }
        if most > Self::LONGEST {
            return Err(ExpressionError::TooLong { most });
        }
        let literals = literals(&hir)?;
        let automaton = build(text).map_err(|_error| ExpressionError::TooLarge)?;
        let expression = Self {
            text: text.into(),
            automaton: OnceLock::from(Some(Box::new(automaton))),
        };
        Ok(Parsed {
            expression,
            longest: most,
            literals,
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A walk from a place that has this byte before it. None where there is no way from there.
    pub fn walk(&self, before: Option<u8>) -> Option<Walk<'_>> {
        let automaton = self
            .automaton
            .get_or_init(|| build(&self.text).ok().map(Box::new));
        let automaton = automaton.as_deref()?;
        let start = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        let state = automaton.start_state(&start).ok()?;
        Some(Walk { automaton, state })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Walk<'_> {
    /// Takes one byte.
    pub fn step(&mut self, byte: u8) -> Step {
        self.state = self.automaton.next_state(self.state, byte);
        if self.automaton.is_match_state(self.state) {
            Step::Matched
        } else if self.automaton.is_dead_state(self.state) || self.automaton.is_quit_state(self.state) {
            Step::Dead
        } else {
            Step::Alive
        }
    }

    /// Whether what came so far is a match, if nothing comes any more.
    pub fn would_match(&self) -> bool {
        self.automaton
            .is_match_state(self.automaton.next_eoi_state(self.state))
    }
}

fn hir(text: &str) -> Result<Hir, ExpressionError> {
    ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(64)
        .build()
        .parse(text)
        .map_err(|error| ExpressionError::Syntax(last_line(&error.to_string())))
}

/// The errors of the parser are drawings of several lines; the last one says what is wrong.
fn last_line(drawing: &str) -> String {
    let line = drawing.lines().last().unwrap_or_default();
    line.trim().trim_start_matches("error: ").to_owned()
}

fn literals(hir: &Hir) -> Result<Vec<Vec<u8>>, ExpressionError> {
    let mut found = Extractor::new()
        .kind(ExtractKind::Prefix)
        .limit_total(MOST_LITERALS)
        .extract(hir);
    found.keep_first_bytes(LONGEST_LITERAL);
    found.dedup();
    let literals = found.literals().ok_or(ExpressionError::NoLiteral)?;
    if literals.is_empty() || literals.iter().any(|one| one.len() < Expression::LEAST_LITERAL) {
        return Err(ExpressionError::NoLiteral);
    }
    Ok(literals.iter().map(|one| one.as_bytes().to_vec()).collect())
}

fn build(text: &str) -> Result<DFA<Vec<u32>>, Box<BuildError>> {
    let config = Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(LARGEST))
        .determinize_size_limit(Some(LARGEST));
    Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(LARGEST)))
        .build(text)
        .map_err(Box::new)
}

const MOST_LITERALS: usize = 64;
const LONGEST_LITERAL: usize = 24;
/// Bytes of an automaton.
const LARGEST: usize = 4 << 20;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Expression::parse(text).unwrap_err().to_string()
    }

    /// The length of the longest match at the beginning.
    fn longest(expression: &Expression, before: Option<u8>, text: &str) -> Option<usize> {
        let mut walk = expression.walk(before).unwrap();
        let mut found = None;
        for (at, byte) in text.bytes().enumerate() {
            match walk.step(byte) {
                Step::Alive => {}
                Step::Matched => found = Some(at),
                Step::Dead => return found,
            }
        }
        if walk.would_match() {
            Some(text.len())
        } else {
            found
        }
    }

    #[test]
    fn a_bounded_expression_with_a_literal_in_front_is_taken() {
        let Parsed {
            expression,
            longest: most,
            literals,
        } = Expression::parse("acme_(?:live|test)_[0-9a-f]{32}").unwrap();
        assert_eq!(most, 42);
        assert_eq!(literals, [b"acme_live_".to_vec(), b"acme_test_".to_vec()]);
        let token = format!("acme_live_{}", "0a".repeat(16));
        assert_eq!(longest(&expression, None, &token), Some(42));
        assert_eq!(longest(&expression, None, &format!("{token}0")), Some(42));
        assert_eq!(longest(&expression, None, &token[..41]), None);
    }

    #[test]
    fn others_are_refused_and_it_is_said_why() {
        assert!(error("acme_.*").contains("no upper bound"));
        assert!(error("acme_.{2000}").contains("2005 bytes"));
        assert!(error("[0-9a-f]{32}").contains("literal of at least 3"));
        assert!(error("(?:acme)?[0-9]{9}").contains("literal of at least 3"));
        assert!(error("(acme").contains("unclosed group"), "{}", error("(acme"));
        assert!(error("(?:abc)?").contains("nothing at all"));
    }

    #[test]
    fn word_boundaries_see_what_comes_before() {
        let expression = Expression::parse(r"\bacme_[0-9]{4}\b").unwrap().expression;
        assert_eq!(longest(&expression, Some(b' '), "acme_1234"), Some(9));
        assert_eq!(longest(&expression, Some(b'x'), "acme_1234"), None);
        assert_eq!(longest(&expression, None, "acme_12345"), None);
    }
}
