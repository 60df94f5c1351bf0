//! Tells the door of a request, from its host, method, path and query. Nothing else is read here.

use outwall_policy::Method;
use outwall_policy::github::{GithubHost, GithubService, RepositoryName, RepositoryNameError};
use thiserror::Error;

/// The door that a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Git over HTTP, as "smart" clients speak it.
    Git(RepositoryName, GitDoor),
    /// Git LFS.
    Lfs(RepositoryName, LfsDoor),
    /// REST: the path of the operation, without what comes before it on a server of one's own.
    Rest(ApiRoot, String),
    /// GraphQL.
    Graphql,
    /// A page or a file of a repository: an archive, a raw file, a file of a release. Read only.
    Page(RepositoryName),
    /// What is served by URLs that nobody guesses. Read only, without a token.
    Storage,
}

/// Which REST it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiRoot {
    /// All but uploads.
    Api,
    /// Uploads of files of releases.
    Uploads,
}

/// What of git's protocol over HTTP (gitprotocol-http(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitDoor {
    /// `GET info/refs?service=git-upload-pack`
    AdvertiseUploadPack,
    /// `GET info/refs?service=git-receive-pack`
    AdvertiseReceivePack,
    /// `POST git-upload-pack`: fetches.
    UploadPack,
    /// `POST git-receive-pack`: pushes.
    ReceivePack,
    /// `POST git-upload-archive`: `git archive --remote`.
    UploadArchive,
}

/// What of the protocol of Git LFS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LfsDoor {
    /// `POST objects/batch`
    Batch,
    /// `POST objects/verify`, where the server has it there.
    Verify,
    /// `GET locks`
    Locks,
    /// `POST locks`
    Lock,
    /// `POST locks/verify`
    VerifyLocks,
    /// `POST locks/ID/unlock`
    Unlock,
    /// A transfer that was brought back through the gate, by the ticket that stands for its URL.
    Transfer(String),
}

/// Why a request has no door.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    /// Its path names no repository.
    #[error(transparent)]
    Repository(#[from] RepositoryNameError),
    /// Files of a repository, asked for one by one.
    #[error(
        "git's \"dumb\" protocol is not served; use a client that speaks the smart one (git 1.6.6 and newer)"
    )]
    Dumb,
    /// Nothing that is served here.
    #[error("{0}")]
    Nothing(&'static str),
}

/// Tells the door of a request. `path` is in normal form.
pub fn route(
    host: &GithubHost,
    service: GithubService,
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Result<Door, RouteError> {
    match service {
        GithubService::Api => Ok(api(path)),
        GithubService::Uploads => Ok(Door::Rest(ApiRoot::Uploads, path.to_owned())),
        GithubService::Web if !host.has_api_host() && path.starts_with("/api/") => api_below(path),
        GithubService::Web => web(method, path, query),
        GithubService::Codeload | GithubService::Raw => reads(method).and_then(|()| page(path)),
        GithubService::Storage => reads(method).map(|()| Door::Storage),
        GithubService::Gist => Err(RouteError::Nothing(
            "gists are nobody's repository that a session works in",
        )),
    }
}

fn api(path: &str) -> Door {
    match path {
        "/graphql" => Door::Graphql,
        _ => Door::Rest(ApiRoot::Api, path.to_owned()),
    }
}

/// "REST API endpoints on GitHub Enterprise Server", GitHub Docs.
fn api_below(path: &str) -> Result<Door, RouteError> {
    if path == "/api/graphql" {
        return Ok(Door::Graphql);
    }
    for (prefix, root) in [("/api/v3", ApiRoot::Api), ("/api/uploads", ApiRoot::Uploads)] {
        if let Some(rest) = path.strip_prefix(prefix) {
            match rest {
                "" => return Ok(Door::Rest(root, "/".to_owned())),
                _ if rest.starts_with('/') => return Ok(Door::Rest(root, rest.to_owned())),
                _ => {}
            }
        }
    }
    Err(RouteError::Nothing(
        "it is below /api and neither REST nor GraphQL",
    ))
}

fn web(method: &Method, path: &str, query: Option<&str>) -> Result<Door, RouteError> {
    let (repository, rest) = repository(path)?;
    if let Some(door) = git(method, rest, query)? {
        return Ok(Door::Git(repository, door));
    }
    if let Some(rest) = rest.strip_prefix("info/lfs/") {
        return lfs(method, rest).map(|door| Door::Lfs(repository, door));
    }
    reads(method).map(|()| Door::Page(repository))
}

/// A page, wherever in the repository.
fn page(path: &str) -> Result<Door, RouteError> {
    repository(path).map(|(repository, _)| Door::Page(repository))
}

/// `/OWNER/NAME[.git]` and what follows.
fn repository(path: &str) -> Result<(RepositoryName, &str), RouteError> {
    let mut parts = path.strip_prefix('/').unwrap_or(path).splitn(3, '/');
    let (owner, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = name.strip_suffix(".git").unwrap_or(name);
    Ok((RepositoryName::of(owner, name)?, parts.next().unwrap_or_default()))
}

fn git(method: &Method, rest: &str, query: Option<&str>) -> Result<Option<GitDoor>, RouteError> {
    let posts = |door| {
        if method.as_str() == "POST" {
            Ok(Some(door))
        } else {
            Err(RouteError::Nothing("git asks this with POST"))
        }
    };
    match rest {
        "info/refs" => advertise(method, query).map(Some),
        "git-upload-pack" => posts(GitDoor::UploadPack),
        "git-receive-pack" => posts(GitDoor::ReceivePack),
        "git-upload-archive" => posts(GitDoor::UploadArchive),
        "HEAD" => Err(RouteError::Dumb),
        _ if rest.starts_with("objects/") => Err(RouteError::Dumb),
        _ => Ok(None),
    }
}

fn advertise(method: &Method, query: Option<&str>) -> Result<GitDoor, RouteError> {
    match (method.as_str(), query) {
        ("GET", Some("service=git-upload-pack")) => Ok(GitDoor::AdvertiseUploadPack),
        ("GET", Some("service=git-receive-pack")) => Ok(GitDoor::AdvertiseReceivePack),
        ("GET", None) => Err(RouteError::Dumb),
        _ => Err(RouteError::Nothing(
            "it names no service of git, or more than one",
        )),
    }
}

fn lfs(method: &Method, rest: &str) -> Result<LfsDoor, RouteError> {
    let parts: Vec<&str> = rest.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["objects", "batch"]) => Ok(LfsDoor::Batch),
        ("POST", ["objects", "verify"]) => Ok(LfsDoor::Verify),
        ("GET", ["locks"]) => Ok(LfsDoor::Locks),
        ("POST", ["locks"]) => Ok(LfsDoor::Lock),
        ("POST", ["locks", "verify"]) => Ok(LfsDoor::VerifyLocks),
        ("POST", ["locks", _id, "unlock"]) => Ok(LfsDoor::Unlock),
        (_, ["outwall", ticket]) => Ok(LfsDoor::Transfer((*ticket).to_owned())),
        _ => Err(RouteError::Nothing("it is no operation of Git LFS")),
    }
}

fn reads(method: &Method) -> Result<(), RouteError> {
    match method.as_str() {
        "GET" | "HEAD" => Ok(()),
        _ => Err(RouteError::Nothing("pages and files are for reading, here")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn at(host: &str, service: GithubService, asked: &str) -> Result<Door, RouteError> {
        let (method, url) = asked.split_once(' ').unwrap();
        let (path, query) = url
            .split_once('?')
            .map_or((url, None), |(path, query)| (path, Some(query)));
        route(
            &host.parse().unwrap(),
            service,
            &Method::parse(method).unwrap(),
            path,
            query,
        )
    }

    fn web(asked: &str) -> Result<Door, RouteError> {
        at("github.com", GithubService::Web, asked)
    }

    fn app() -> RepositoryName {
        "acme/app".parse().unwrap()
    }

    #[test]
    fn git_is_known_by_its_paths_with_and_without_its_suffix() {
        for name in ["acme/app", "acme/app.git", "ACME/App"] {
            for (asked, door) in [
                (
                    "GET /{}/info/refs?service=git-upload-pack",
                    GitDoor::AdvertiseUploadPack,
                ),
                (
                    "GET /{}/info/refs?service=git-receive-pack",
                    GitDoor::AdvertiseReceivePack,
                ),
                ("POST /{}/git-upload-pack", GitDoor::UploadPack),
                ("POST /{}/git-receive-pack", GitDoor::ReceivePack),
                ("POST /{}/git-upload-archive", GitDoor::UploadArchive),
            ] {
                assert_eq!(
                    web(&asked.replace("{}", name)),
                    Ok(Door::Git(app(), door)),
                    "{asked}"
                );
            }
        }
    }

    #[test]
    fn what_git_does_not_ask_has_no_door() {
        for dumb in [
            "GET /acme/app/info/refs",
            "GET /acme/app/HEAD",
            "GET /acme/app.git/objects/info/packs",
        ] {
            assert_eq!(web(dumb), Err(RouteError::Dumb), "{dumb}");
        }
        for wrong in [
            "POST /acme/app/info/refs?service=git-receive-pack",
            "GET /acme/app/info/refs?service=git-receive-pack&service=git-upload-pack",
            "GET /acme/app/info/refs?service=git-receive-pack&x=1",
            "GET /acme/app/info/refs?x=1&service=git-receive-pack",
            "GET /acme/app/git-receive-pack",
            "PUT /acme/app/git-receive-pack",
            "POST /acme/app/issues",
            "GET /",
            "GET /acme",
            "POST //acme/app/git-receive-pack",
            "POST /acme/%61pp/git-receive-pack",
            "POST /acme/app.git.git/git-receive-pack",
            "POST /acme/app.GIT/git-receive-pack",
        ] {
            assert!(web(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_are_read() {
        for page in [
            "GET /acme/app",
            "HEAD /acme/app/archive/main.tar.gz",
            "GET /acme/app/releases/download/v1/x.zip",
            "GET /acme/app/x/git-receive-pack",
        ] {
            assert_eq!(web(page), Ok(Door::Page(app())), "{page}");
        }
        assert_eq!(
            at("github.com", GithubService::Raw, "GET /acme/app/main/x"),
            Ok(Door::Page(app()))
        );
        assert!(at("github.com", GithubService::Raw, "PUT /acme/app/main/x").is_err());
        assert!(at("github.com", GithubService::Gist, "GET /acme/123").is_err());
    }

    #[test]
    fn the_api_has_a_host_or_a_path() {
        let user = || Door::Rest(ApiRoot::Api, "/user".to_owned());
        assert_eq!(at("github.com", GithubService::Api, "GET /user"), Ok(user()));
        assert_eq!(
            at("github.com", GithubService::Api, "POST /graphql"),
            Ok(Door::Graphql)
        );
        assert_eq!(
            at("ghe.example.com", GithubService::Web, "GET /api/v3/user"),
            Ok(user())
        );
        assert_eq!(
            at("ghe.example.com", GithubService::Web, "POST /api/graphql"),
            Ok(Door::Graphql)
        );
        assert!(at("ghe.example.com", GithubService::Web, "GET /api/v3x/user").is_err());
        assert!(at("ghe.example.com", GithubService::Web, "GET /api/v4/user").is_err());
        assert!(
            web("POST /api/graphql").is_err(),
            "a repository of github.com, and no page is posted to"
        );
    }

    #[test]
    fn lfs_is_known_by_its_operations() {
        let lfs = |asked: &str| web(&asked.replace("{}", "/acme/app.git/info/lfs"));
        assert_eq!(lfs("POST {}/objects/batch"), Ok(Door::Lfs(app(), LfsDoor::Batch)));
        assert_eq!(
            lfs("PUT {}/outwall/t1"),
            Ok(Door::Lfs(app(), LfsDoor::Transfer("t1".to_owned())))
        );
        for wrong in [
            "GET {}/objects/batch",
            "POST {}/objects/batch/x",
            "POST {}/x",
            "GET {}/",
        ] {
            assert!(lfs(wrong).is_err(), "{wrong}");
        }
    }
}
