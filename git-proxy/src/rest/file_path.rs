//! Paths of files in a repository, as far as they are decided on: is it a workflow?

use super::path::decode;
use crate::understood::NotUnderstood;

/// Whether the path of a file that is written is a workflow, or a directory that may have one.
///
/// Git tells `.GitHub` from `.github`, and GitHub runs what is in the latter. It is compared without case, with `\` as a separator and
/// decoded as often as it can be, all the same: what GitHub makes of a spelling is GitHub's, and refusing one too many costs a session
/// nothing that it needs.
pub(crate) fn is_workflow(path: &str) -> Result<bool, NotUnderstood> {
    let mut reading = path.to_owned();
    for _ in 0..=DEEPEST {
        if check(&reading)? {
            return Ok(true);
        }
        match decode(&reading, |byte| byte) {
            Some(decoded) if decoded != reading => reading = decoded,
            _ => return Ok(false),
        }
    }
    Err(NotUnderstood::because(
        "the path of the file is encoded again and again",
    ))
}

/// What is decoded more often hides something.
const DEEPEST: usize = 4;

fn check(path: &str) -> Result<bool, NotUnderstood> {
    let parts: Vec<String> = path.split(['/', '\\']).map(str::to_ascii_lowercase).collect();
    let is_bad = |part: &String| matches!(part.as_str(), "" | "." | ".." | ".git");
    if parts.iter().any(is_bad) || path.chars().any(char::is_control) {
        return Err(NotUnderstood::because(
            "the path of the file has a part that is empty, `.`, `..` or `.git`, or a control character",
        ));
    }
    Ok(match parts.as_slice() {
        [first] => first == ".github",
        [first, second, ..] => first == ".github" && second == "workflows",
        [] => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_are_told_in_every_spelling() {
        for workflow in [
            ".github/workflows/ci.yml",
            ".github/workflows",
            ".github",
            ".github/workflows/a/b",
            ".GitHub/Workflows/ci.yml",
            ".github%2Fworkflows%2Fci.yml",
            ".github%252Fworkflows/ci.yml",
            "%2egithub/workflows/x",
            ".github\\workflows\\ci.yml",
        ] {
            assert_eq!(is_workflow(workflow), Ok(true), "{workflow}");
        }
        for other in [
            "src/main.rs",
            ".github/dependabot.yml",
            "docs/.github/workflows/ci.yml",
            ".github/workflowsx",
            "100%.txt",
            "a%20b",
            "%zz",
        ] {
            assert_eq!(is_workflow(other), Ok(false), "{other}");
        }
    }

    #[test]
    fn what_no_tree_has_is_refused() {
        for wrong in [
            "",
            "/a",
            "a/",
            "a//b",
            "./.github/workflows/x",
            "a/../.github/workflows/x",
            ".git/config",
            "a/.GIT/x",
            "a\0b",
            "a%2F..%2F.github/workflows",
            "%2525252541",
        ] {
            assert!(is_workflow(wrong).is_err(), "{wrong}");
        }
    }
}
