//! A GitHub, and its services by the names of their hosts.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::host::{DomainName, Host};
use crate::target::Target;

/// A GitHub: `github.com`, a GitHub Enterprise Server, or a tenant of `ghe.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GithubHost(DomainName);

/// Not the name of a host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not the host of a GitHub: a domain such as `github.com` or `github.example.com`, without port and path"
)]
pub struct GithubHostError(String);

/// What a host of a GitHub serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GithubService {
    /// Git, LFS, pages for people, files of releases. On a server of one's own also the API, below `/api`.
    Web,
    /// REST and GraphQL.
    Api,
    /// REST that uploads files of releases.
    Uploads,
    /// Archives of repositories.
    Codeload,
    /// Single files of repositories: `/OWNER/NAME/REF/PATH`.
    Raw,
    /// Gists, and their git.
    Gist,
    /// What is served by URLs that are signed or that nobody guesses: assets, logs, files of LFS, pictures.
    Storage,
}

impl GithubHost {
    /// Its name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is `github.com`.
    pub fn is_github_com(&self) -> bool {
        self.as_str() == GITHUB_COM
    }

    /// Whether its API has a host of its own; else it is below `/api` of the web host.
    pub fn has_api_host(&self) -> bool {
        self.is_github_com() || self.is_tenant()
    }

    /// The host of its API.
    pub fn api_host(&self) -> String {
        if self.has_api_host() {
            format!("api.{}", self.as_str())
        } else {
            self.as_str().to_owned()
        }
    }

    /// What goes before the path of a REST operation.
    pub fn rest_prefix(&self) -> &'static str {
        if self.has_api_host() { "" } else { "/api/v3" }
    }

    /// Which of its services a target is, if it is one of its hosts.
    pub fn service(&self, target: &Target) -> Option<GithubService> {
        let Host::Name(name) = &target.host else {
            return None;
        };
        if name.as_str() == self.as_str() {
            return Some(GithubService::Web);
        }
        if self.is_github_com() {
            let listed = GITHUB_COM_HOSTS.iter().find(|(host, _)| *host == name.as_str());
            return listed.map(|(_, service)| *service).or_else(|| {
                let stored = STORAGE_SUFFIXES
                    .iter()
                    .any(|suffix| name.as_str().ends_with(suffix));
                stored.then_some(GithubService::Storage)
            });
        }
        let label = name.as_str().strip_suffix(self.as_str())?.strip_suffix('.')?;
        SUBDOMAINS
            .iter()
            .find(|(known, _)| *known == label)
            .map(|(_, service)| *service)
    }

    fn is_tenant(&self) -> bool {
        self.as_str().ends_with(".ghe.com")
    }
}

impl FromStr for GithubHost {
    type Err = GithubHostError;

    fn from_str(text: &str) -> Result<Self, GithubHostError> {
        match Host::parse(text) {
            Ok(Host::Name(name)) if name.as_str().contains('.') => Ok(Self(name)),
            _ => Err(GithubHostError(text.to_owned())),
        }
    }
}

impl fmt::Display for GithubHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const GITHUB_COM: &str = "github.com";
/// As `GET /meta` and GitHub's list for firewalls name them ("Customizing the firewall", GitHub Docs).
const GITHUB_COM_HOSTS: [(&str, GithubService); 11] = [
    ("www.github.com", GithubService::Web),
    ("api.github.com", GithubService::Api),
    ("uploads.github.com", GithubService::Uploads),
    ("codeload.github.com", GithubService::Codeload),
    ("raw.githubusercontent.com", GithubService::Raw),
    ("raw.github.com", GithubService::Raw),
    ("gist.github.com", GithubService::Gist),
    ("gist.githubusercontent.com", GithubService::Gist),
    ("lfs.github.com", GithubService::Storage),
    ("github-cloud.s3.amazonaws.com", GithubService::Storage),
    (
        "github-production-release-asset-2e65be.s3.amazonaws.com",
        GithubService::Storage,
    ),
];
const STORAGE_SUFFIXES: [&str; 2] = [".githubusercontent.com", ".githubassets.com"];
/// Of a server with subdomain isolation ("Enabling subdomain isolation", GitHub Docs), and of a tenant.
const SUBDOMAINS: [(&str, GithubService); 10] = [
    ("api", GithubService::Api),
    ("uploads", GithubService::Uploads),
    ("codeload", GithubService::Codeload),
    ("raw", GithubService::Raw),
    ("gist", GithubService::Gist),
    ("media", GithubService::Storage),
    ("assets", GithubService::Storage),
    ("avatars", GithubService::Storage),
    ("objects", GithubService::Storage),
    ("lfs", GithubService::Storage),
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn service(host: &str, of: &str) -> Option<GithubService> {
        let host: GithubHost = host.parse().unwrap();
        host.service(&Target::parse(&format!("{of}:443")).unwrap())
    }

    #[test]
    fn github_com_has_many_hosts() {
        assert_eq!(service("github.com", "GitHub.com"), Some(GithubService::Web));
        assert_eq!(service("github.com", "api.github.com"), Some(GithubService::Api));
        assert_eq!(
            service("github.com", "release-assets.githubusercontent.com"),
            Some(GithubService::Storage)
        );
        assert_eq!(
            service("github.com", "github-cloud.s3.amazonaws.com"),
            Some(GithubService::Storage)
        );
        assert_eq!(service("github.com", "docs.github.com"), None);
        assert_eq!(service("github.com", "github.com.example.com"), None);
        assert_eq!(service("github.com", "xgithub-cloud.s3.amazonaws.com"), None);
    }

    #[test]
    fn a_server_of_ones_own_has_its_api_below_a_path() {
        let server: GithubHost = "github.example.com".parse().unwrap();
        assert_eq!(
            (server.api_host().as_str(), server.rest_prefix()),
            ("github.example.com", "/api/v3")
        );
        assert_eq!(
            service("github.example.com", "raw.github.example.com"),
            Some(GithubService::Raw)
        );
        assert_eq!(service("github.example.com", "x.github.example.com"), None);
        assert_eq!(service("github.example.com", "github.com"), None);
        let tenant: GithubHost = "acme.ghe.com".parse().unwrap();
        assert_eq!(
            (tenant.api_host().as_str(), tenant.rest_prefix()),
            ("api.acme.ghe.com", "")
        );
    }

    #[test]
    fn an_address_is_no_github() {
        for wrong in [
            "10.0.0.1",
            "localhost",
            "github.com/acme",
            "https://github.com",
            "",
        ] {
            assert!(wrong.parse::<GithubHost>().is_err(), "{wrong}");
        }
    }
}
