//! Credentials in the form in which a machine takes them: the variables of its proxy and of the certificates to trust, what it has instead
//! of secrets, and what git and gh need to work at a repository.

use std::fmt::Write as _;

use outwall_broker::placeholder::Placeholders;
use outwall_broker::scoped::ScopedToken;
use outwall_certs::TrustBundle;
use outwall_policy::github::SessionRepository;

use crate::git_settings::GitSettings;
use crate::github::DoorUrl;
use crate::github_session;

/// What a sandbox needs to know.
pub(super) struct Handout<'a> {
    /// What it shows to the proxy, and where that is: `host:port`. None where it needs no proxy.
    pub(super) proxy: Option<(&'a ScopedToken, &'a str)>,
    /// Where it has the CA and all other roots.
    pub(super) ca_bundle: &'a str,
    pub(super) placeholders: &'a Placeholders,
    pub(super) github: Option<AtGithub<'a>>,
}

/// What it needs to work at a repository.
pub(super) struct AtGithub<'a> {
    pub(super) at: &'a SessionRepository,
    pub(super) token: &'a ScopedToken,
    pub(super) way: Way,
}

/// Which way git and gh go.
pub(super) enum Way {
    /// To GitHub by its own names, through the proxy.
    Proxy,
    /// To `outwall github`.
    Door(DoorUrl),
}

impl Handout<'_> {
    /// Lines that a shell evaluates.
    pub(super) fn as_shell(&self) -> String {
        let mut text = String::new();
        if self.proxy.is_some() {
            text = format!(
                "# `outwall ca export --format bundle` makes what is to be at {}\n",
                self.ca_bundle.escape_debug()
            );
        }
        self.say_about_gh(&mut text);
        for (name, value) in self.variables() {
            let quoted = value.replace('\'', r"'\''");
            writeln!(text, "export {name}='{quoted}'").expect("a string takes all");
        }
        text
    }

    /// Lines of `docker run --env-file`: nothing in them is quoted.
    pub(super) fn as_env_file(&self) -> String {
        let mut text = String::new();
        if self.proxy.is_some() {
            text = format!(
                "# -v \"$PWD/ca-bundle.pem:{}:ro\", made by `outwall ca export --format bundle > ca-bundle.pem`\n",
                self.ca_bundle.escape_debug()
            );
        }
        self.say_about_gh(&mut text);
        for (name, value) in self.variables() {
            writeln!(text, "{name}={value}").expect("a string takes all");
        }
        text
    }

    /// A git configuration. Whoever reads it has the credential.
    pub(super) fn as_git_configuration(&self) -> String {
        let Some(github) = &self.github else {
            return String::new();
        };
        let answers = format!(
            "echo username=x-access-token && echo password={}",
            github.token.expose()
        );
        github.settings(&answers).as_file()
    }

    /// gh has no variable for it.
    fn say_about_gh(&self, text: &mut String) {
        if let Some(AtGithub {
            way: Way::Door(_), ..
        }) = &self.github
        {
            text.push_str("# gh goes there by the socket: gh config set http_unix_socket PATH, of `outwall github --socket PATH`\n");
        }
    }

    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let proxy = self.proxy.iter().flat_map(|(token, proxy)| {
            let url = format!("http://sandbox:{}@{proxy}", token.expose());
            PROXY_VARIABLES.iter().map(move |name| (*name, url.clone()))
        });
        let around = match &self.github {
            Some(AtGithub {
                way: Way::Door(url), ..
            }) => format!("{AROUND},{}", url.host()),
            _ => AROUND.to_owned(),
        };
        let around = AROUND_VARIABLES.iter().map(move |name| (*name, around.clone()));
        let path = self.ca_bundle.to_owned();
        let roots = TrustBundle::bundle_variables()
            .iter()
            .map(move |name| (*name, path.clone()));
        let has_proxy = self.proxy.is_some();
        let of_proxy = proxy
            .chain(around)
            .chain(roots)
            .chain([("NODE_USE_ENV_PROXY", "1".to_owned())])
            .filter(move |_| has_proxy)
            .map(|(name, value)| (name.to_owned(), value));
        of_proxy.chain(self.beside_proxy())
    }

    /// What stands for secrets, and what git and gh read.
    pub(super) fn beside_proxy(&self) -> impl Iterator<Item = (String, String)> {
        let placeholders = self
            .placeholders
            .variables()
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let github = self.github.iter().flat_map(AtGithub::variables);
        placeholders.chain(github)
    }
}

impl AtGithub<'_> {
    fn settings(&self, answers: &str) -> GitSettings {
        let host = &self.at.host;
        match &self.way {
            Way::Proxy => GitSettings::at_github(host, answers),
            Way::Door(url) => GitSettings::at_listener(host, &url.to_string(), answers),
        }
    }

    /// gh's, and git's, whose helper reads the credential from one of ours.
    fn variables(&self) -> Vec<(String, String)> {
        let token = self.token.expose();
        let answers = format!("echo username=x-access-token && echo \"password=${CREDENTIAL}\"");
        let gh = github_session::variables(self.at, token).into_iter();
        gh.chain([(CREDENTIAL, token.to_owned())])
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.settings(&answers).as_variables())
            .collect()
    }
}

const CREDENTIAL: &str = "OUTWALL_GITHUB_CREDENTIAL";
/// Both spellings: curl reads `http_proxy` in lower case only, others the upper one only.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const AROUND_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
const AROUND: &str = "localhost,127.0.0.1,::1";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn the_lines_are_read_by_a_shell_as_they_are_meant() {
        let token = ScopedToken::from("a.b.c".to_owned());
        let handout = Handout {
            proxy: Some((&token, "gate:8080")),
            ca_bundle: "/it's/here.pem",
            placeholders: &Placeholders::default(),
            github: None,
        };
        let shell = handout.as_shell();
        assert!(
            shell.contains("export HTTPS_PROXY='http://sandbox:a.b.c@gate:8080'\n"),
            "{shell}"
        );
        assert!(
            shell.contains(r"export SSL_CERT_FILE='/it'\''s/here.pem'"),
            "{shell}"
        );
        let file = handout.as_env_file();
        assert!(
            file.contains("\nhttp_proxy=http://sandbox:a.b.c@gate:8080\n"),
            "{file}"
        );
        assert!(file.contains("\nNODE_EXTRA_CA_CERTS=/it's/here.pem\n"), "{file}");
        assert!(!file.contains("GIT_CONFIG_COUNT"), "{file}");
    }

    #[test]
    fn who_works_at_a_repository_needs_no_proxy_but_gh_and_git_told() {
        let token = ScopedToken::from("a.b.c".to_owned());
        let at = SessionRepository {
            host: "github.com".parse().unwrap(),
            repository: "acme/app".parse().unwrap(),
            branch: "fix".parse().unwrap(),
        };
        let github = |way| {
            Some(AtGithub {
                at: &at,
                token: &token,
                way,
            })
        };
        let none = Placeholders::default();
        let handout = |proxy, way| Handout {
            proxy,
            ca_bundle: "/ca.pem",
            placeholders: &none,
            github: github(way),
        };
        let door = || Way::Door("http://gate:3000".parse().unwrap());
        let shell = handout(None, door()).as_shell();
        assert!(
            !shell.contains("PROXY") && !shell.contains("SSL_CERT_FILE"),
            "{shell}"
        );
        assert!(shell.contains("export GH_TOKEN='a.b.c'\n"), "{shell}");
        assert!(shell.contains("='http.http://github.com/.proxy'\n"), "{shell}");
        let both = handout(Some((&token, "gate:8080")), door()).as_env_file();
        assert!(
            both.contains("\nNO_PROXY=localhost,127.0.0.1,::1,gate\n"),
            "{both}"
        );
        let through = handout(Some((&token, "gate:8080")), Way::Proxy).as_env_file();
        assert!(
            through.contains("=credential.https://github.com.helper\n"),
            "{through}"
        );
        let file = handout(None, door()).as_git_configuration();
        assert!(file.contains("echo password=a.b.c"), "{file}");
    }
}
