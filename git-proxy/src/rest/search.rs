//! What is searched for, kept within one repository.

use outwall_policy::github::RepositoryName;

use crate::understood::NotUnderstood;

/// The query of a search, made to find nothing beyond a repository.
///
/// Qualifiers that say where to search are alternatives to GitHub: `repo:acme/app repo:acme/secret` finds both. So is `OR`, which would
/// leave what is before it without a repository. One that names another place is therefore refused, wherever it is, also in quotes, as we
/// do not know where GitHub ends them; so are `OR` and parentheses. Then `repo:` of the repository is added, and what is left only narrows.
pub(super) fn within(query: &str, repository: &RepositoryName) -> Result<String, NotUnderstood> {
    let here = format!("repo:{repository}");
    let mut kept: Vec<&str> = Vec::new();
    for word in query.split_whitespace() {
        if word.eq_ignore_ascii_case(&here) {
            continue;
        }
        if let Some(wrong) = leads_elsewhere(word) {
            return Err(NotUnderstood::because(format!(
                "{wrong} in `q`: a session searches {repository}, so leave it out, or write {here}"
            )));
        }
        kept.push(word);
    }
    kept.push(&here);
    Ok(kept.join(" "))
}

/// What in a word says where to search, or may turn what is added into an alternative.
fn leads_elsewhere(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    if lower.trim_matches('"') == "or" {
        return Some("`OR`".to_owned());
    }
    if let Some(found) = word.chars().find(|one| is_operator(*one)) {
        return Some(format!("{found:?}"));
    }
    let named = PLACES.iter().find(|place| has_qualifier(&lower, place));
    named.map(|place| format!("`{place}:`"))
}

/// Parentheses and `|`, in all widths; colons that are not `:`.
fn is_operator(one: char) -> bool {
    matches!(
        one,
        '(' | ')'
            | '|'
            | '\u{ff08}'
            | '\u{ff09}'
            | '\u{ff5c}'
            | '\u{ff1a}'
            | '\u{fe55}'
            | '\u{a789}'
            | '\u{2236}'
    )
}

fn has_qualifier(word: &str, place: &str) -> bool {
    word.match_indices(place).any(|(at, _)| {
        let behind = &word[at + place.len()..];
        let is_whole = !word[..at].ends_with(|before: char| before.is_alphanumeric());
        is_whole && behind.starts_with([':', '"', '\''])
    })
}

/// "Searching on GitHub", GitHub Docs. `parent-issue:` and the like name issues of other repositories.
const PLACES: [&str; 14] = [
    "repo",
    "repos",
    "repository",
    "org",
    "orgs",
    "organization",
    "user",
    "owner",
    "enterprise",
    "network",
    "parent-issue",
    "sub-issue",
    "repository_id",
    "saved",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn forced(query: &str) -> Option<String> {
        let repository = RepositoryName::of("acme", "app").ok()?;
        within(query, &repository).ok()
    }

    #[test]
    fn a_search_is_kept_within_the_repository() {
        for (query, sent) in [
            ("", "repo:acme/app"),
            ("is:open label:bug", "is:open label:bug repo:acme/app"),
            ("repo:acme/app is:pr", "is:pr repo:acme/app"),
            ("REPO:Acme/App x", "x repo:acme/app"),
            (
                "\"a b\" NOT c -author:bob",
                "\"a b\" NOT c -author:bob repo:acme/app",
            ),
            (
                "review-requested:@me user-review-requested:@me",
                "review-requested:@me user-review-requested:@me repo:acme/app",
            ),
            ("for orange users: the", "for orange users: the repo:acme/app"),
        ] {
            assert_eq!(forced(query).as_deref(), Some(sent), "{query}");
        }
    }

    #[test]
    fn another_place_is_refused_in_every_spelling() {
        for query in [
            "repo:acme/secret",
            "repo:acme/app repo:acme/secret",
            "Repo:acme/secret",
            "-repo:acme/app",
            "\"repo:acme/secret\"",
            "repo:\"acme/secret\"",
            "repo:acme/app-secret",
            "repo:acme/app,acme/secret",
            "x,repo:acme/secret",
            "org:acme",
            "user:acme",
            "-org:acme",
            "owner:acme",
            "enterprise:acme",
            "a OR b",
            "a or repo:acme/app",
            "a | b",
            "(a)",
            "repo：acme/secret",
            "repo:acme/app/",
            "\"x\"repo:acme/secret",
            "in:title+repo:acme/secret",
        ] {
            assert_eq!(forced(query), None, "{query}");
        }
    }
}
