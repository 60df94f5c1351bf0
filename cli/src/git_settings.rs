//! What git has to know to work at the repository of a session: who answers when a credential is asked for, and which URLs lead there.

use std::fmt::Write as _;

use outwall_policy::github::GithubHost;

use crate::git_identity::quoted;

/// Settings of git, in their order.
#[derive(Clone, Debug)]
pub(crate) struct GitSettings(Vec<Setting>);

/// `SECTION.SUBSECTION.KEY = VALUE`
#[derive(Clone, Debug)]
struct Setting {
    section: &'static str,
    subsection: String,
    key: &'static str,
    value: String,
}

impl GitSettings {
    /// For GitHub by its own names. `answers` is a line of a shell that prints username and password as git's helpers do
    /// (gitcredentials(7)).
    pub(crate) fn at_github(host: &GithubHost, answers: &str) -> Self {
        let base = format!("https://{host}/");
        let instead = others(host).chain([format!("http://{host}/")]);
        let instead: Vec<_> = instead
            .map(|written| setting("url", &base, "insteadOf", written))
            .collect();
        let version = setting("http", &base, "version", HTTP_VERSION.to_owned());
        Self(helpers(&base, answers).chain([version]).chain(instead).collect())
    }

    /// For a listener of `outwall github`, which git takes for the proxy of `http://github.com/`: so a repository's remotes lead to
    /// GitHub as everybody writes it, and gh, which looks at them, knows them. By the listener's own URL it is found, too.
    pub(crate) fn at_listener(host: &GithubHost, listener: &str, answers: &str) -> Self {
        let base = format!("http://{host}/");
        let instead = others(host).chain([format!("https://{host}/")]);
        let instead: Vec<_> = instead
            .map(|written| setting("url", &base, "insteadOf", written))
            .collect();
        let way = [
            setting("http", &base, "proxy", listener.to_owned()),
            setting("http", &format!("{listener}/"), "proxy", String::new()),
        ];
        let helpers = helpers(&base, answers).chain(helpers(listener, answers));
        Self(helpers.chain(way).chain(instead).collect())
    }

    /// As lines of a configuration file (git-config(1)).
    pub(crate) fn as_file(&self) -> String {
        let mut text = String::new();
        let mut before = None;
        for setting in &self.0 {
            let section = (setting.section, &setting.subsection);
            if before.replace(section) != Some(section) {
                writeln!(text, "[{} {}]", section.0, quoted(section.1)).expect("a string takes all");
            }
            writeln!(text, "\t{} = {}", setting.key, quoted(&setting.value)).expect("a string takes all");
        }
        text
    }

    /// As variables, which count before all files (`GIT_CONFIG_COUNT` in git-config(1), git 2.31 and newer).
    pub(crate) fn as_variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), self.0.len().to_string())];
        for (at, setting) in self.0.iter().enumerate() {
            let key = format!("{}.{}.{}", setting.section, setting.subsection, setting.key);
            variables.push((format!("GIT_CONFIG_KEY_{at}"), key));
            variables.push((format!("GIT_CONFIG_VALUE_{at}"), setting.value.clone()));
        }
        variables
    }
}

/// The first forgets those of other files.
fn helpers(base: &str, answers: &str) -> impl Iterator<Item = Setting> + use<> {
    let base = base.trim_end_matches('/').to_owned();
    let asked = format!("!f() {{ test \"$1\" = get && {answers}; }}; f");
    [String::new(), asked]
        .map(move |helper| setting("credential", &base, "helper", helper))
        .into_iter()
}

/// URLs of other protocols that lead to the same place.
fn others(host: &GithubHost) -> impl Iterator<Item = String> + use<> {
    [
        format!("git@{host}:"),
        format!("ssh://git@{host}/"),
        format!("ssh://git@ssh.{host}:443/"),
        format!("git://{host}/"),
    ]
    .into_iter()
}

fn setting(section: &'static str, subsection: &str, key: &'static str, value: String) -> Setting {
    Setting {
        section,
        subsection: subsection.to_owned(),
        key,
        value,
    }
}

/// Over h2 libcurl may ask for more of an upload that has ended, when a window was full or the socket was; git then waits for more of what
/// it has sent whole, for ever (git's pull request 1608, seen with git 2.47 and libcurl 7.88). Over HTTP/1.1 nothing asks twice.
const HTTP_VERSION: &str = "HTTP/1.1";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn host() -> GithubHost {
        "github.com".parse().unwrap()
    }

    #[test]
    fn the_listener_is_the_proxy_of_github_and_its_helper_answers_for_both() {
        let file = GitSettings::at_listener(&host(), "http://127.0.0.1:3000", "cat /credential").as_file();
        for line in [
            "[credential \"http://github.com\"]\n\thelper = \"\"\n",
            "\thelper = \"!f() { test \\\"$1\\\" = get && cat /credential; }; f\"\n",
            "[credential \"http://127.0.0.1:3000\"]\n",
            "[http \"http://github.com/\"]\n\tproxy = \"http://127.0.0.1:3000\"\n",
            "[url \"http://github.com/\"]\n\tinsteadOf = \"git@github.com:\"\n",
            "\tinsteadOf = \"https://github.com/\"\n",
        ] {
            assert!(file.contains(line), "{line} is not in {file}");
        }
        let itself = GitSettings::at_github(&host(), "cat /credential").as_file();
        assert!(
            itself.contains("[http \"https://github.com/\"]\n\tversion = \"HTTP/1.1\"\n"),
            "{itself}"
        );
        assert!(
            !itself.contains("insteadOf = \"https://") && !itself.contains("proxy"),
            "{itself}"
        );
    }

    #[test]
    fn the_variables_say_the_same_as_the_file() {
        let settings = GitSettings::at_github(&host(), "cat /credential");
        let variables = settings.as_variables();
        assert_eq!(variables[0].1, settings.0.len().to_string());
        assert_eq!(variables.len(), 1 + 2 * settings.0.len());
        assert_eq!(variables[3].1, "credential.https://github.com.helper");
        assert_eq!(
            variables[4].1,
            "!f() { test \"$1\" = get && cat /credential; }; f"
        );
    }
}
