//! What a policy says about sessions at GitHub, for people.

use std::fmt::Write as _;

use outwall_policy::github::{
    Github, PublicRule, PullRequestRule, PushRule, SessionRules, WorkflowPermission,
};
use outwall_policy::{Policy, Scheme, Target};

/// Every `[[github]]`, with its rules as they are written.
pub(super) fn shown(policy: &Policy) -> String {
    policy.githubs().iter().map(one).collect()
}

fn one(github: &Github) -> String {
    let line = github
        .line()
        .map(|line| format!(", line {line}"))
        .unwrap_or_default();
    let mut text = format!(
        "\nsessions at {}, with the credential `{}`{line}:\n",
        github.host(),
        github.credential()
    );
    for (key, value) in rules(*github.rules()) {
        let _ = writeln!(text, "  {key} = {value}");
    }
    if github.workflow_permission() == WorkflowPermission::ToldNone {
        text.push_str("  token_without_workflows = true\n");
    }
    text
}

fn rules(rules: SessionRules) -> [(&'static str, &'static str); 8] {
    let word = |is| if is { "true" } else { "false" };
    [
        (
            "push",
            match rules.push {
                PushRule::SessionBranch => "\"session-branch\"",
                PushRule::None => "\"none\"",
            },
        ),
        ("delete_branch", word(rules.delete_branch)),
        ("force_push", word(rules.force_push)),
        (
            "pull_requests",
            match rules.pull_requests {
                PullRequestRule::None => "\"none\"",
                PullRequestRule::Read => "\"read\"",
                PullRequestRule::CreateAndComment => "\"create-and-comment\"",
            },
        ),
        ("create_issues", word(rules.create_issues)),
        ("rerun_workflows", word(rules.rerun_workflows)),
        ("workflows", word(rules.workflows)),
        (
            "public_repositories",
            match rules.public_repositories {
                PublicRule::None => "\"none\"",
                PublicRule::Read => "\"read\"",
            },
        ),
    ]
}

/// What is to be known beside the answer for a URL at a GitHub where sessions work: it is asked for an environment, and they have a
/// repository.
pub(super) fn note(policy: &Policy, url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let target = Target::parse_with_default(authority, Scheme::Https.default_port()).ok()?;
    let mut githubs = policy.githubs().iter();
    let github = githubs.find(|github| github.host().service(&target).is_some())?;
    Some(format!(
        "a session at a repository of {} is decided on by [github.sessions] instead: `outwall policy show`",
        github.host()
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use outwall_policy::PolicyDocument;

    use super::*;

    fn policy() -> Policy {
        let text = "default_environment = \"web\"\n[environments.web]\nnetwork = \"none\"\n\
             [[credentials]]\nname = \"github\"\npreset = \"github\"\nsource = { env = \"T\" }\nenvironments = []\n\
             [[github]]\nhost = \"github.com\"\ncredential = \"github\"\n[github.sessions]\ndelete_branch = true\n";
        Policy::compile(&PolicyDocument::parse(text, "test.toml").unwrap()).unwrap()
    }

    #[test]
    fn the_rules_are_shown_as_they_are_written() {
        let shown = shown(&policy());
        for line in [
            "sessions at github.com, with the credential `github`, line ",
            "  push = \"session-branch\"\n",
            "  delete_branch = true\n",
            "  workflows = false\n",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
    }

    #[test]
    fn what_is_shown_is_what_a_file_says() {
        let header = "[[github]]\nhost = \"github.com\"\ncredential = \"github\"\n[github.sessions]\n";
        let written = rules(*policy().githubs()[0].rules()).map(|(key, value)| format!("{key} = {value}\n"));
        let written = written.concat();
        let credential = "[[credentials]]\nname = \"github\"\npreset = \"github\"\nsource = { env = \"T\" }\nenvironments = []\n";
        let read = PolicyDocument::parse(&format!("{credential}{header}{written}"), "test.toml").unwrap();
        let read = Policy::compile(&read).unwrap();
        assert_eq!(read.githubs()[0].rules(), policy().githubs()[0].rules());
    }

    #[test]
    fn urls_of_that_github_have_a_note_and_others_none() {
        let noted = |url| note(&policy(), url).is_some();
        assert!(noted("https://github.com/acme/app") && noted("https://api.github.com/user"));
        assert!(!noted("https://gitlab.com/acme/app") && !noted("https://github.com.example.com/"));
    }
}
