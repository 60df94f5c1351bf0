//! The names that GitHub answers to, and what lives at each.

/// Every name of github.com that this stand-in answers to.
pub const HOSTS: [&str; 11] = [
    "github.com",
    "api.github.com",
    "uploads.github.com",
    "codeload.github.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "gist.github.com",
    "gist.githubusercontent.com",
    "lfs.github.com",
    "github-cloud.githubusercontent.com",
    "github-cloud.s3.amazonaws.com",
];

/// The name of the GitHub Enterprise Server.
pub const ENTERPRISE: &str = "ghe.example.com";

/// Which GitHub a request came to: the URLs in its answers lead to the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Com,
    Enterprise,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Repositories by git and git-lfs, and the pages of people.
    Web,
    Gist,
    /// The REST interface.
    Rest,
    Graphql,
    /// The REST interface, where it takes files.
    Upload,
    /// Large files' storage.
    LfsStorage,
    /// Where an upload of a large file is confirmed.
    LfsVerify,
    /// Files behind signed URLs: archives, logs, assets, raw contents.
    Files,
    /// No name of ours.
    Elsewhere,
}

impl Site {
    pub(super) fn of(host: &str) -> Self {
        if host.ends_with(ENTERPRISE) {
            Self::Enterprise
        } else {
            Self::Com
        }
    }

    pub(super) fn web(self) -> String {
        match self {
            Self::Com => "https://github.com".to_owned(),
            Self::Enterprise => format!("https://{ENTERPRISE}"),
        }
    }

    pub(super) fn api(self) -> String {
        match self {
            Self::Com => "https://api.github.com".to_owned(),
            Self::Enterprise => format!("https://{ENTERPRISE}/api/v3"),
        }
    }

    pub(super) fn uploads(self) -> String {
        match self {
            Self::Com => "https://uploads.github.com".to_owned(),
            Self::Enterprise => format!("https://{ENTERPRISE}/api/uploads"),
        }
    }

    pub(super) fn gists(self) -> String {
        match self {
            Self::Com => "https://gist.github.com".to_owned(),
            Self::Enterprise => format!("https://{ENTERPRISE}/gist"),
        }
    }

    /// Where files of this kind (`codeload`, `raw`, `objects`) are fetched.
    pub(super) fn files(self, kind: &str) -> String {
        match (self, kind) {
            (Self::Com, "codeload") => "https://codeload.github.com".to_owned(),
            (Self::Com, kind) => format!("https://{kind}.githubusercontent.com"),
            (Self::Enterprise, kind) => format!("https://{ENTERPRISE}/files/{kind}"),
        }
    }

    /// Where large files are kept, for `upload` or `download`.
    pub(super) fn lfs_storage(self, operation: &str) -> String {
        match (self, operation) {
            (Self::Com, "upload") => "https://github-cloud.s3.amazonaws.com".to_owned(),
            (Self::Com, _) => "https://github-cloud.githubusercontent.com".to_owned(),
            (Self::Enterprise, _) => format!("https://{ENTERPRISE}/storage"),
        }
    }

    pub(super) fn lfs_verify(self) -> String {
        match self {
            Self::Com => "https://lfs.github.com".to_owned(),
            Self::Enterprise => format!("https://{ENTERPRISE}/lfs-verify"),
        }
    }
}

impl Door {
    /// What is at this host and path, and the path behind the door.
    pub(super) fn of(host: &str, path: &str) -> (Self, String) {
        let at = |door: Self| (door, path.to_owned());
        match host {
            "github.com" => at(Self::Web),
            "gist.github.com" => at(Self::Gist),
            "api.github.com" if path == "/graphql" => at(Self::Graphql),
            "api.github.com" => at(Self::Rest),
            "uploads.github.com" => at(Self::Upload),
            "lfs.github.com" => at(Self::LfsVerify),
            "github-cloud.githubusercontent.com" | "github-cloud.s3.amazonaws.com" => at(Self::LfsStorage),
            "codeload.github.com" => (Self::Files, format!("/codeload{path}")),
            "raw.githubusercontent.com" => (Self::Files, format!("/raw{path}")),
            "objects.githubusercontent.com" => (Self::Files, format!("/objects{path}")),
            "gist.githubusercontent.com" => (Self::Files, format!("/gist{path}")),
            ENTERPRISE => Self::of_enterprise(path),
            _ => at(Self::Elsewhere),
        }
    }

    fn of_enterprise(path: &str) -> (Self, String) {
        let below = |prefix: &str| {
            let rest = path.strip_prefix(prefix)?;
            rest.starts_with('/').then(|| rest.to_owned())
        };
        if path == "/api/graphql" {
            return (Self::Graphql, path.to_owned());
        }
        if path == "/api/v3" {
            return (Self::Rest, "/".to_owned());
        }
        if let Some(rest) = below("/api/v3") {
            return (Self::Rest, rest);
        }
        let others = [
            ("/api/uploads", Self::Upload),
            ("/files", Self::Files),
            ("/storage", Self::LfsStorage),
            ("/lfs-verify", Self::LfsVerify),
            ("/gist", Self::Gist),
        ];
        let other = others
            .iter()
            .find_map(|(prefix, door)| below(prefix).map(|rest| (door.clone(), rest)));
        other.unwrap_or_else(|| (Self::Web, path.to_owned()))
    }
}
