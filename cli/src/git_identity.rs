//! The user's name and email for commits made in a sandbox, and nothing else of their git configuration.
//!
//! The rest of a git configuration names credential helpers, signing keys and programs to run; none
//! of it belongs in there. The two lines become the sandbox's system-wide configuration, below whatever the
//! repository or a kept home says, so a repository's own `user.email` still wins.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// Where it is placed. A git that was built to look elsewhere is told so by `GIT_CONFIG_SYSTEM`.
pub(crate) const PLACE: &str = "/etc/gitconfig";

/// Where git may be. Not wherever `PATH` says: it may lead into a project, where an earlier sandbox could have left a `git`
/// that would run on the host.
const PROGRAMS: [&str; 5] = [
    "/usr/bin/git",
    "/bin/git",
    "/usr/local/bin/git",
    "/run/current-system/sw/bin/git",
    "/opt/homebrew/bin/git",
];

/// Asks git in a thread of its own: a process more, beside the work of making the sandbox.
pub(crate) fn ask() -> JoinHandle<Option<String>> {
    thread::spawn(|| configuration(&asked_of_git()?))
}

/// The global configuration with its includes, asked from `/` so that no repository has a say.
fn asked_of_git() -> Option<Vec<u8>> {
    let git = PROGRAMS.iter().find(|program| Path::new(program).exists())?;
    let answer = Command::new(git)
        .args([
            "config",
            "--global",
            "--includes",
            "--null",
            "--get-regexp",
            r"^user\.(name|email)$",
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    answer
        .ok()
        .filter(|answer| answer.status.success())
        .map(|answer| answer.stdout)
}

/// A git configuration with the identity; none when git knows of none. An answer is `key\nvalue\0`
/// for each setting, and the last one of a key counts.
fn configuration(answer: &[u8]) -> Option<String> {
    let answer = String::from_utf8_lossy(answer);
    let value = |wanted: &str| {
        let mut settings = answer
            .split_terminator('\0')
            .filter_map(|setting| setting.split_once('\n'));
        settings.rfind(|(key, _)| *key == wanted).map(|(_, value)| value)
    };
    let lines: Vec<_> = [("name", value("user.name")), ("email", value("user.email"))]
        .into_iter()
        .filter_map(|(key, value)| Some(format!("\t{key} = {}\n", quoted(value?))))
        .collect();
    (!lines.is_empty()).then(|| format!("[user]\n{}", lines.concat()))
}

/// In double quotes, so that nothing in a value can start another setting.
pub(crate) fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\0' => {}
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_email_are_taken_the_last_of_each() {
        let answer = b"user.name\nAda\0user.email\nold@example.com\0user.email\nada@example.com\0";
        assert_eq!(
            configuration(answer).as_deref(),
            Some("[user]\n\tname = \"Ada\"\n\temail = \"ada@example.com\"\n")
        );
    }

    #[test]
    fn a_value_cannot_start_another_setting() {
        let answer = b"user.name\nA\"\n[core]\n\tpager = evil\0";
        let written = configuration(answer).unwrap_or_default();
        assert_eq!(written, "[user]\n\tname = \"A\\\"\\n[core]\\n\tpager = evil\"\n");
    }

    #[test]
    fn without_an_identity_there_is_no_file() {
        assert_eq!(configuration(b""), None);
    }
}
