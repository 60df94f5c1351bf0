//! The repository of a session, as people write it.

use outwall_policy::Policy;
use outwall_policy::github::{Github, GithubHost, RepositoryName};

use crate::failure::Failure;

/// A repository: `https://github.com/acme/app`, `git@github.com:acme/app.git`, or `acme/app` at the one GitHub of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryUrl {
    host: Option<GithubHost>,
    pub(crate) name: RepositoryName,
}

impl std::str::FromStr for RepositoryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, path) =
            split(text).ok_or_else(|| format!("`{text}` is not a URL of a repository; {EXAMPLE}"))?;
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let host = match host {
            Some(host) => Some(host.parse::<GithubHost>().map_err(|why| why.to_string())?),
            None => None,
        };
        let name = path
            .parse::<RepositoryName>()
            .map_err(|why| format!("{why}; {EXAMPLE}"))?;
        Ok(Self { host, name })
    }
}

/// Host and path.
fn split(text: &str) -> Option<(Option<&str>, &str)> {
    for scheme in ["https://", "ssh://git@"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            let (host, path) = rest.split_once('/')?;
            return Some((Some(host), path));
        }
    }
    if let Some(rest) = text.strip_prefix("git@") {
        let (host, path) = rest.split_once(':')?;
        return Some((Some(host), path));
    }
    (!text.contains(':')).then_some((None, text))
}

impl RepositoryUrl {
    /// The GitHub that has it, which the policy has to have a table for.
    pub(crate) fn host(&self, policy: &Policy) -> Result<GithubHost, Failure> {
        let known: Vec<&GithubHost> = policy.githubs().iter().map(Github::host).collect();
        match (&self.host, known.as_slice()) {
            (Some(host), _) if policy.github(host).is_some() => Ok(host.clone()),
            (None, [only]) => Ok((*only).clone()),
            (None, [_, _, ..]) => {
                let all: Vec<String> = known.iter().map(ToString::to_string).collect();
                Err(
                    Failure::new(format!("{} may be at {}", self.name, all.join(" or ")))
                        .hint(format!("write the whole URL: https://{}/{}", known[0], self.name)),
                )
            }
            (host, _) => Err(no_github(
                &host.as_ref().map_or("github.com".to_owned(), ToString::to_string),
            )),
        }
    }
}

/// No session works at this host, and how that is changed.
pub(crate) fn no_github(host: &str) -> Failure {
    Failure::new(format!(
        "the policy has no [[github]] for {host}, so that no session works there"
    ))
    .hint(format!(
        "add to the policy file:\n    [[credentials]]\n    name = \"github\"\n    preset = \"github\"\n    source = {{ env = \"GITHUB_TOKEN\" }}\n    \
         environments = []\n\n    [[github]]\n    host = \"{host}\"\n    credential = \"github\""
    ))
}

const EXAMPLE: &str = "write `https://github.com/acme/app` or `acme/app`";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Option<String>, String)> {
        let read: RepositoryUrl = text.parse().ok()?;
        Some((read.host.map(|host| host.to_string()), read.name.to_string()))
    }

    #[test]
    fn a_repository_is_written_in_many_ways() {
        let whole = Some((Some("github.com".to_owned()), "acme/app".to_owned()));
        for text in [
            "https://github.com/acme/app",
            "https://GitHub.com/acme/app.git",
            "https://github.com/acme/app/",
            "git@github.com:acme/app.git",
            "ssh://git@github.com/acme/app",
        ] {
            assert_eq!(read(text), whole, "{text}");
        }
        assert_eq!(read("acme/app"), Some((None, "acme/app".to_owned())));
    }

    #[test]
    fn what_is_no_repository_is_none() {
        for text in [
            "acme",
            "https://github.com/acme",
            "https://user@github.com/acme/app",
            "http://github.com/acme/app",
            "/tmp/app",
            "https://10.0.0.1/a/b",
            "acme/app/x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
