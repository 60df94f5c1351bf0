//! A search of GitHub's, confined to one repository ("Searching issues and pull requests", GitHub Docs).
//!
//! Qualifiers of several repositories, owners and organizations are alternatives: a search that names a foreign one finds foreign things,
//! whatever else it names. So each qualifier is one of a list, and that of the repository is added as a condition on all the rest.

use outwall_policy::github::RepositoryName;
use thiserror::Error;

use crate::refusal::printable;

/// Why a search cannot be confined to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SearchError {
    /// It asks for another repository.
    #[error("it searches {0}, which is not the session's repository")]
    Elsewhere(String),
    /// A qualifier that is not known to stay in the repository.
    #[error(
        "the qualifier `{0}:` may reach beyond the session's repository; put text that has a colon in quotes"
    )]
    Qualifier(String),
    /// It cannot be told what its parts are.
    #[error("{0}")]
    Unclear(&'static str),
}

/// The search with `repo:OWNER/NAME` as a condition on the whole of it.
pub(crate) fn confined(query: &str, repository: &RepositoryName) -> Result<String, SearchError> {
    let parts = parts(query)?;
    check_shape(&parts)?;
    for word in parts.iter().filter_map(Part::word) {
        check_word(word, repository)?;
    }
    let condition = format!("repo:{repository}");
    if confines(&parts, &condition) {
        return Ok(joined(&parts));
    }
    if parts.is_empty() {
        return Ok(condition);
    }
    Ok(format!("{} {condition}", joined(&parts)))
}

/// Whether a search of pull requests, too, may be meant: it does not say that it is of issues.
pub(crate) fn may_find_pull_requests(query: &str) -> bool {
    let of_issues = |part: &Part<'_>| matches!(part.word(), Some("is:issue" | "type:issue"));
    let mut depth = 0_usize;
    !parts(query).is_ok_and(|parts| {
        parts.iter().any(|part| {
            depth = part.depth_after(depth);
            depth == 0 && of_issues(part)
        })
    })
}

/// A part of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Open,
    Close,
    /// A word, a text in quotes, or a qualifier with its value.
    Word(&'a str),
}

impl<'a> Part<'a> {
    fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Open | Self::Close => None,
        }
    }

    fn depth_after(&self, depth: usize) -> usize {
        match self {
            Self::Open => depth + 1,
            Self::Close => depth.saturating_sub(1),
            Self::Word(_) => depth,
        }
    }
}

/// The operators between words. In lower case they are words for GitHub's documentation, and perhaps not for its server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Not,
}

fn operator(word: &str) -> Option<Operator> {
    [
        ("and", Operator::And),
        ("or", Operator::Or),
        ("not", Operator::Not),
    ]
    .into_iter()
    .find_map(|(name, operator)| word.eq_ignore_ascii_case(name).then_some(operator))
}

fn parts(query: &str) -> Result<Vec<Part<'_>>, SearchError> {
    if query.len() > LONGEST || query.contains(is_unclear) {
        return Err(SearchError::Unclear(
            "a search has 1,000 bytes at most, and no backslash, no `|` and no control character",
        ));
    }
    let mut parts = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            _ => word_length(rest)?,
        };
        parts.push(match first {
            '(' => Part::Open,
            ')' => Part::Close,
            _ => Part::Word(&rest[..length]),
        });
        rest = rest[length..].trim_start();
    }
    Ok(parts)
}

/// Up to white space or a parenthesis, or to the end of what is in quotes.
fn word_length(text: &str) -> Result<usize, SearchError> {
    let is_end = |one: char| one.is_whitespace() || one == '(' || one == ')';
    let length = text
        .find(|one: char| is_end(one) || one == '"')
        .unwrap_or(text.len());
    let Some(quoted) = text[length..].strip_prefix('"') else {
        return Ok(length);
    };
    let before = text[..length].trim_start_matches(SIGNS);
    let closed = quoted
        .find('"')
        .ok_or(SearchError::Unclear("a quote of the search is not closed"))?;
    let behind = &quoted[closed + 1..];
    if !(before.is_empty() || before.ends_with(':')) || !(behind.is_empty() || behind.starts_with(is_end)) {
        return Err(SearchError::Unclear(
            "a quote of the search begins or ends within a word",
        ));
    }
    Ok(length + closed + 2)
}

/// What may end or join words in one reader and not in another: `|`, and what looks like a colon or a parenthesis.
fn is_unclear(character: char) -> bool {
    matches!(
        character,
        '\\' | '|'
            | '\u{ff08}'
            | '\u{ff09}'
            | '\u{ff5c}'
            | '\u{ff1a}'
            | '\u{fe55}'
            | '\u{a789}'
            | '\u{2236}'
            | '\u{ff02}'
    ) || (character.is_control() && !matches!(character, '\t' | '\n' | '\r'))
}

/// Its parentheses are balanced, nothing is an alternative, and each operator has what it is about behind it: the condition that comes
/// last stands for itself, also where a server takes parentheses for nothing.
fn check_shape(parts: &[Part<'_>]) -> Result<(), SearchError> {
    let mut depth = 0_usize;
    for (at, part) in parts.iter().enumerate() {
        if *part == Part::Close && depth == 0 {
            return Err(UNBALANCED);
        }
        depth = part.depth_after(depth);
        let word = part.word().unwrap_or("word");
        if operator(word) == Some(Operator::Or) {
            return Err(SearchError::Unclear(
                "a search with `OR` may find what is not the repository's; put it in quotes to search for the word",
            ));
        }
        let is_operator = operator(word).is_some() || word.trim_start_matches(SIGNS).is_empty();
        let needs_more = is_operator || *part == Part::Open;
        if needs_more && matches!(parts.get(at + 1), None | Some(Part::Close)) {
            return Err(SearchError::Unclear(
                "an operator or a parenthesis of the search has nothing behind it",
            ));
        }
    }
    if depth == 0 { Ok(()) } else { Err(UNBALANCED) }
}

fn check_word(word: &str, repository: &RepositoryName) -> Result<(), SearchError> {
    let unsigned = word.trim_start_matches(SIGNS);
    if let Some(text) = unsigned.strip_prefix('"') {
        return check_text(text);
    }
    let Some((qualifier, value)) = unsigned.split_once(':') else {
        return Ok(());
    };
    let name = qualifier.to_ascii_lowercase();
    if name == "repo" {
        let named = value.trim_matches('"');
        return match named.parse::<RepositoryName>() {
            Ok(named) if named == *repository => Ok(()),
            _ => Err(SearchError::Elsewhere(printable(named))),
        };
    }
    if !QUALIFIERS.contains(&name.as_str()) {
        return Err(SearchError::Qualifier(printable(qualifier)));
    }
    match value.strip_prefix('"') {
        Some(text) => check_text(text),
        None if value.contains(':') && !value.bytes().all(is_of_time) => Err(SearchError::Qualifier(
            printable(&word[..word.rfind(':').unwrap_or(0)]),
        )),
        None => Ok(()),
    }
}

/// What is in quotes is text. Where a reader ends a quote earlier than we do, it finds no other place in it all the same.
fn check_text(text: &str) -> Result<(), SearchError> {
    let lower = text.to_lowercase();
    match PLACES.iter().find(|place| lower.contains(*place)) {
        Some(place) => Err(SearchError::Qualifier(place.trim_end_matches(':').to_owned())),
        None => Ok(()),
    }
}

/// `2026-01-02T03:04:05+00:00..*`
fn is_of_time(byte: u8) -> bool {
    byte.is_ascii_digit() || b"TZ:+-.*<>=".contains(&byte)
}

/// Whether the condition is there already, for the whole.
fn confines(parts: &[Part<'_>], condition: &str) -> bool {
    let mut depth = 0_usize;
    let mut after_not = false;
    for part in parts {
        depth = part.depth_after(depth);
        let is_condition = part
            .word()
            .is_some_and(|word| word.eq_ignore_ascii_case(condition));
        if depth == 0 && is_condition && !after_not {
            return true;
        }
        after_not = part.word().and_then(operator) == Some(Operator::Not);
    }
    false
}

fn joined(parts: &[Part<'_>]) -> String {
    let words = parts.iter().map(|part| match part {
        Part::Open => "(",
        Part::Close => ")",
        Part::Word(word) => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

const SIGNS: [char; 3] = ['-', '+', '!'];

const UNBALANCED: SearchError = SearchError::Unclear("the parentheses of the search are not balanced");

/// GitHub takes 256 characters, and qualifiers besides.
const LONGEST: usize = 1000;

/// Those that say where to search.
const PLACES: [&str; 9] = [
    "repo:",
    "repository:",
    "org:",
    "organization:",
    "user:",
    "owner:",
    "enterprise:",
    "network:",
    "saved:",
];

/// Those that choose among what a repository has. Not among them, on purpose: `user`, `org`, `owner`, `enterprise`, `fork`, `topic`,
/// `license`, `project` and whatever comes.
const QUALIFIERS: &[&str] = &[
    "answered",
    "answered-by",
    "archived",
    "assignee",
    "author",
    "author-date",
    "author-email",
    "author-name",
    "base",
    "category",
    "closed",
    "commenter",
    "comments",
    "committer",
    "committer-date",
    "committer-email",
    "committer-name",
    "content",
    "created",
    "draft",
    "extension",
    "filename",
    "has",
    "hash",
    "head",
    "in",
    "interactions",
    "involves",
    "is",
    "label",
    "language",
    "linked",
    "locked",
    "mentions",
    "merge",
    "merged",
    "milestone",
    "no",
    "parent",
    "path",
    "reactions",
    "reason",
    "review",
    "review-requested",
    "reviewed-by",
    "sha",
    "size",
    "sort",
    "state",
    "status",
    "symbol",
    "team-review-requested",
    "tree",
    "type",
    "updated",
    "user-review-requested",
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn app() -> RepositoryName {
        "acme/app".parse().unwrap()
    }

    #[test]
    fn the_repository_is_a_condition_on_the_whole() {
        for (asked, sent) in [
            ("", "repo:acme/app"),
            ("fix is:open", "fix is:open repo:acme/app"),
            (
                "repo:acme/app is:pr  author:@me",
                "repo:acme/app is:pr author:@me",
            ),
            ("repo:ACME/App x", "repo:ACME/App x"),
            (
                "( fix ) repo:acme/app state:open type:pr",
                "( fix ) repo:acme/app state:open type:pr",
            ),
            ("(a \"OR\" b)", "( a \"OR\" b ) repo:acme/app"),
            ("(repo:acme/app x)", "( repo:acme/app x ) repo:acme/app"),
            ("a NOT (b c) AND d", "a NOT ( b c ) AND d repo:acme/app"),
            (
                "review-requested:@me user-review-requested:@me",
                "review-requested:@me user-review-requested:@me repo:acme/app",
            ),
            ("-repo:acme/app x", "-repo:acme/app x repo:acme/app"),
            ("NOT repo:acme/app", "NOT repo:acme/app repo:acme/app"),
            (
                "created:>=2026-01-01T00:00:00+00:00 -label:\"a b\"",
                "created:>=2026-01-01T00:00:00+00:00 -label:\"a b\" repo:acme/app",
            ),
            (
                "label:\"good first issue\" \"a: b\"",
                "label:\"good first issue\" \"a: b\" repo:acme/app",
            ),
        ] {
            assert_eq!(confined(asked, &app()).as_deref(), Ok(sent), "{asked}");
            assert_eq!(
                confined(sent, &app()).as_deref(),
                Ok(sent),
                "confining twice changes nothing"
            );
        }
    }

    #[test]
    fn a_search_that_reaches_beyond_the_repository_is_refused() {
        for asked in [
            "repo:evil/lib",
            "repo:acme/app repo:evil/lib",
            "(repo:evil/lib)",
            "-repo:evil/lib",
            "REPO:evil/lib",
            "repo:\"evil/lib\"",
            "repo:acme/app-secret",
            "in:title+repo:acme/secret",
            "x,repo:acme/secret",
            "\"repo:acme/secret\"",
            "acme repo:acme/app/",
            "enterprise:acme",
            "repo:acme/app,evil/lib",
            "user:evil",
            "org:evil",
            "owner:evil",
            "x user:evil y",
            "((org:evil OR x))",
            "--repo:evil/lib",
            "a\u{a0}repo:evil/lib",
            "a\u{2003}user:evil",
            "topic:x",
            "http://x",
            "\"a\"repo:evil/lib\"\"",
            "\"\"user:evil",
            "(a OR b)",
            "(x NOT)",
            "(x NOT) repo:acme/app",
            "x NOT ()",
            "( x - )",
            "()",
            "x OR repo:acme/app",
            "x or y",
            "OR",
            "x NOT",
            "x AND",
            "x -",
            "not",
            "(a",
            "a)",
            ")a(",
            "\"a",
            "a \\\"",
            "a\u{0}b",
            "label:\"a\"repo:evil/lib",
            "label:a,repo:evil/lib",
            "\"x repo:evil/lib\"",
            "label:\"x repo:evil/lib\"",
            "a\"b\"",
            "a|b",
            "repo\u{ff1a}evil/lib",
            "created:2026-01-01repo:x/y",
            &"x ".repeat(600),
        ] {
            assert!(confined(asked, &app()).is_err(), "{asked}");
        }
    }

    #[test]
    fn a_search_of_issues_says_so() {
        assert!(!may_find_pull_requests("x is:issue"));
        assert!(!may_find_pull_requests(
            "( foo ) repo:acme/app state:open type:issue"
        ));
        for open in ["x", "is:pr", "(is:issue OR is:pr)", "-is:issue", "\"is:issue\""] {
            assert!(may_find_pull_requests(open), "{open}");
        }
    }
}
