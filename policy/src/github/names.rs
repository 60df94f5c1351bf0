//! Names: of repositories, refs and branches. Each is parsed once, strictly, and then compared as what it names.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A repository of a GitHub: `acme/app`. Two that differ in case are one, as GitHub has it.
#[derive(Clone, Debug)]
pub struct RepositoryName {
    text: String,
    slash: usize,
}

/// Why a text names no repository.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a repository, which is OWNER/NAME: letters, digits, `-`, `_` and `.`, 39 and 100 at most, \
     and no name that is `.` or `..` or ends with `.git`"
)]
pub struct RepositoryNameError(String);

/// The full name of a ref: `refs/heads/main`, or `HEAD`. Checked as `git check-ref-format` does, and UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

/// A branch: `main`, which is the ref `refs/heads/main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(String);

/// Why a text is not the name of a ref or a branch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not the name of a {kind}: {why}", text.escape_debug())]
pub struct RefNameError {
    text: String,
    kind: &'static str,
    why: &'static str,
}

impl RepositoryName {
    /// Of its two halves.
    pub fn of(owner: &str, name: &str) -> Result<Self, RepositoryNameError> {
        if is_owner(owner) && is_name(name) {
            return Ok(Self {
                text: format!("{owner}/{name}"),
                slash: owner.len(),
            });
        }
        Err(RepositoryNameError(format!("{owner}/{name}")))
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.text[..self.slash]
    }

    /// Its name without its owner.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// `OWNER/NAME`, in the spelling that it was given in.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// "Username may only contain alphanumeric characters or single hyphens"; managed users have an underscore.
fn is_owner(owner: &str) -> bool {
    let of_owner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=39).contains(&owner.len()) && owner.bytes().all(of_owner) && !owner.starts_with('-')
}

fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends_with_git = name.len() >= 4 && name.as_bytes()[name.len() - 4..].eq_ignore_ascii_case(b".git");
    (1..=100).contains(&name.len())
        && name.bytes().all(of_name)
        && name != "."
        && name != ".."
        && !ends_with_git
}

impl FromStr for RepositoryName {
    type Err = RepositoryNameError;

    fn from_str(text: &str) -> Result<Self, RepositoryNameError> {
        let (owner, name) = text
            .split_once('/')
            .ok_or_else(|| RepositoryNameError(text.to_owned()))?;
        Self::of(owner, name)
    }
}

impl PartialEq for RepositoryName {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for RepositoryName {}

impl std::hash::Hash for RepositoryName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl RefName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch that it is, if it is one.
    pub fn branch(&self) -> Option<BranchName> {
        self.0
            .strip_prefix(HEADS)
            .map(|branch| BranchName(branch.to_owned()))
    }
}

impl BranchName {
    /// As text, without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ref that it is.
    pub fn to_ref(&self) -> RefName {
        RefName(format!("{HEADS}{}", self.0))
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        match fault(text) {
            None if text == "HEAD" || text.starts_with("refs/") => Ok(Self(text.to_owned())),
            why => Err(RefNameError {
                text: text.to_owned(),
                kind: "ref",
                why: why.unwrap_or("it does not begin with `refs/`"),
            }),
        }
    }
}

impl FromStr for BranchName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        let whole = format!("{HEADS}{text}");
        let why = match fault(&whole) {
            None if text.starts_with('-') => "a branch does not begin with `-`",
            None if text == "HEAD" => "no branch is called so",
            None if text.starts_with("refs/") => "it is a branch without `refs/heads/`",
            None => return Ok(Self(text.to_owned())),
            Some(why) => why,
        };
        Err(RefNameError {
            text: text.to_owned(),
            kind: "branch",
            why,
        })
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a name by the rules of `git check-ref-format`, and by two of ours: it has 255 bytes at most, which is what GitHub
/// takes, and no character that is none to see (control characters beyond ASCII, and those that turn the direction of text).
fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 255 {
        return Some("it is empty or has more than 255 bytes");
    }
    if name.starts_with('/') || name.ends_with('/') || name.contains("//") {
        return Some("one of its parts is empty");
    }
    if name.ends_with('.') || name.contains("..") || name.contains("@{") || name == "@" {
        return Some("it has `..` or `@{`, or ends with `.`");
    }
    if name.chars().any(is_forbidden) {
        return Some("it has a character that none may have");
    }
    let bad_part = |part: &str| part.starts_with('.') || part.as_bytes().ends_with(b".lock");
    name.split('/')
        .any(bad_part)
        .then_some("one of its parts begins with `.` or ends with `.lock`")
}

fn is_forbidden(character: char) -> bool {
    let unseen = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    character.is_control() || unseen || " ~^:?*[\\".contains(character)
}

const HEADS: &str = "refs/heads/";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_repository_compares_without_case_and_keeps_its_spelling() {
        let name: RepositoryName = "Acme/App.js".parse().unwrap();
        assert_eq!((name.owner(), name.name()), ("Acme", "App.js"));
        assert_eq!(name, "acme/app.JS".parse().unwrap());
        assert_ne!(name, "acme/app".parse().unwrap());
        assert_eq!(name.to_string(), "Acme/App.js");
    }

    #[test]
    fn what_is_no_repository_is_none() {
        for wrong in [
            "",
            "acme",
            "acme/",
            "/app",
            "acme/app/x",
            "acme/..",
            "acme/.",
            "acme/app.git",
            "acme/app.GIT",
            "ac me/app",
            "acme/a%70p",
            "acme/äpp",
            "-acme/app",
            "acme/a\0",
            &format!("{}/a", "a".repeat(40)),
        ] {
            assert!(wrong.parse::<RepositoryName>().is_err(), "{wrong}");
        }
        for right in ["a/b", "acme-co/.github", "acme_corp/app.js", "a/git"] {
            assert!(right.parse::<RepositoryName>().is_ok(), "{right}");
        }
    }

    #[test]
    fn refs_are_checked_as_git_checks_them() {
        for right in [
            "HEAD",
            "refs/heads/main",
            "refs/heads/feature/ä",
            "refs/tags/v1.0",
            "refs/heads/a@b",
            "refs/pull/1/head",
        ] {
            assert!(right.parse::<RefName>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "main",
            "refs/",
            "refs/heads//a",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/a b",
            "refs/heads/a\tb",
            "refs/heads/a~1",
            "refs/heads/a^",
            "refs/heads/a:b",
            "refs/heads/a?",
            "refs/heads/a*",
            "refs/heads/a[",
            "refs/heads/a\\b",
            "refs/heads/a@{1}",
            "refs/heads/a.",
            "refs/heads/a/",
            "refs/heads/a\0b",
            "refs/heads/a\u{202e}b",
            "refs/heads/\u{85}",
        ] {
            assert!(wrong.parse::<RefName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_branch_is_the_ref_of_its_name() {
        let branch: BranchName = "outwall/fix-login".parse().unwrap();
        assert_eq!(branch.to_ref().as_str(), "refs/heads/outwall/fix-login");
        assert_eq!(branch.to_ref().branch(), Some(branch));
        assert_eq!("refs/tags/v1".parse::<RefName>().unwrap().branch(), None);
        for wrong in ["-x", "HEAD", "refs/heads/x", "", "a..b"] {
            assert!(wrong.parse::<BranchName>().is_err(), "{wrong}");
        }
    }
}
