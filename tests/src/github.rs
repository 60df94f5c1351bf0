//! A GitHub of our own: real git behind TLS, git-lfs, and the REST and GraphQL interfaces, for unmodified `git`, `gh` and
//! `git lfs`.
//!
//! It knows nothing of Outwall and judges nothing by what Outwall thinks: a test compares its [`State`] before and after, and
//! looks through what it [`Recorded`].
//!
//! - Git is git's own `http-backend` on bare repositories.
//! - GraphQL documents are validated and executed on GitHub's own schema; a field that nothing here models has an empty value
//!   of its type. Every mutation changes the state: the records and refs that it is about, or else the list of changes.
//! - REST operations are those of GitHub's own description; the same holds for them.
//! - Tokens are a user's with scopes, or minted for an installation of an App, with repositories and permissions.
//!
//! ```no_run
//! use outwall_tests::github::GitHub;
//!
//! let github = GitHub::start();
//! github.repository("acme/app").private().file("README.md", "# app\n").create();
//! github.accept("ghp_real", "mona", &["repo", "read:org", "gist"]);
//! let before = github.state();
//! // … a client does something …
//! assert_eq!(before.differences(&github.state()), []);
//! assert!(github.requests_with("scoped-credential").is_empty());
//! ```
//!
//! Start at [`GitHub`]; then `server` (what is behind each name), `store` (what is known) and the doors: `git`, `lfs`,
//! `graphql`, `rest`.

mod answer;
mod compare;
mod deeds;
mod disk;
mod gists;
mod git;
mod graphql;
mod lfs;
mod node_id;
mod pages;
mod planting;
mod recorded;
mod rest;
mod server;
mod signed;
mod site;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod zip;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use planting::NewRepository;
pub use recorded::Recorded;
pub use site::{ENTERPRISE, HOSTS};
pub use state::{Difference, State};
pub use store::Change;

use crate::origin::certificate::{OriginCa, server_config};
use crate::{Certificate, Versions, runtime};
use answer::Answer;
use recorded::{Heard, Requests};
use signed::Signer;
use site::Site;
use store::Store;
use tokens::Caller;

/// For git that talks to the stand-in without a gate. Over h2 its large pushes may wait for ever on a busy machine: libcurl asks for more of
/// an upload that has ended, and git has nothing to give (its pull request 1608). In sessions Outwall itself sees to it.
pub const GIT_OVER_HTTP_1: [(&str, &str); 3] = [
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", "http.version"),
    ("GIT_CONFIG_VALUE_0", "HTTP/1.1"),
];

/// GitHub, on loopback. Gone when it is dropped.
pub struct GitHub {
    standing: Arc<Standing>,
    address: SocketAddr,
    proxy_address: SocketAddr,
    ca_file: PathBuf,
    listeners: Vec<JoinHandle<()>>,
    _directory: TempDir,
}

/// What every request is answered from.
struct Standing {
    store: Mutex<Store>,
    requests: Requests,
    signer: Signer,
}

/// One request, on its way to a door.
struct Asked {
    site: Site,
    /// Decoded, and without the door's own prefix.
    path: String,
    head: http::request::Parts,
    body: Heard,
    caller: Caller,
}

impl Standing {
    fn store(&self) -> MutexGuard<'_, Store> {
        // A request that panicked is one test's failure, not every other's.
        self.store
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl GitHub {
    /// One at free ports.
    pub fn start() -> Self {
        Self::at(0, 0)
    }

    /// One at these ports of loopback: for TLS, and for a proxy's `CONNECT`.
    pub fn at(tls: u16, connect: u16) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("outwall-github-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory can be made");
        let ca = OriginCa::new();
        let ca_file = directory.path().join("github-ca.pem");
        std::fs::write(&ca_file, ca.pem()).expect("a new directory takes files");
        let store = directory.path().join("store");
        std::fs::create_dir(&store).expect("a new directory takes files");
        let standing = Arc::new(Standing {
            store: Mutex::new(Store::new(&store)),
            requests: Requests::default(),
            signer: Signer::new(),
        });
        let acceptor = TlsAcceptor::from(Arc::new(server_config(ca, Versions::Both, &Certificate::Right)));
        let ((tls, address), (connect, proxy_address)) =
            runtime().block_on(async { (server::listen(tls).await, server::listen(connect).await) });
        let listeners = vec![
            runtime().spawn(server::serve_tls(tls, acceptor.clone(), Arc::clone(&standing))),
            runtime().spawn(server::serve_connect(connect, acceptor, Arc::clone(&standing))),
        ];
        Self {
            standing,
            address,
            proxy_address,
            ca_file,
            listeners,
            _directory: directory,
        }
    }

    /// Where it speaks TLS, for every one of [`HOSTS`] and [`ENTERPRISE`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A proxy at which `CONNECT`, to wherever, leads here: for clients without a gate.
    pub fn proxy_address(&self) -> SocketAddr {
        self.proxy_address
    }

    /// The certificate of its CA, in PEM; readable by everyone.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// All refs, records and changes, as of now.
    pub fn state(&self) -> State {
        State::of(&self.standing.store())
    }

    /// Every request that has reached it, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.standing.requests.all()
    }

    /// Those of [`GitHub::requests`] that have `secret` in them, anywhere and in whatever writing: none, it is hoped.
    pub fn requests_with(&self, secret: &str) -> Vec<Recorded> {
        self.standing.requests.with(secret)
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.standing.requests.forget();
    }

    /// Looks for `secret` in the whole of every body that comes from now on, even in what is not kept.
    pub fn watch(&self, secret: &str) {
        self.standing.requests.watch(secret);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.standing.store()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}
