//! Stories told from outside: an origin, a gate, a sandbox, a client, and what each saw.
//!
//! Nothing here links against the gate. The real binary is started with real arguments,
//! spoken to over real sockets, and asked for its own records with its own commands, so
//! that a story stays true when everything inside is rewritten.
//!
//! ```no_run
//! use outwall_tests::{Outwall, TestOrigin};
//!
//! let origin = TestOrigin::start();
//! let outwall = Outwall::at("target/debug/outwall")
//!     .policy("[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"api.example.test\"]")
//!     .origin("api.example.test", &origin);
//! let gate = outwall.gate();
//! assert_eq!(gate.client().get("https://api.example.test/echo").status(), 200);
//! assert_eq!(gate.client().get("https://other.example.test/").status(), 403);
//! assert_eq!(origin.requests().len(), 1);
//! ```
//!
//! Start at [`Outwall`]: a place of its own for one story. Everything blocks, with a
//! time limit, and fails by panicking with what was seen.

#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a story fails by panicking, everywhere")]
#![expect(clippy::return_self_not_must_use, reason = "`succeeded` may end a sentence")]
#![expect(clippy::disallowed_methods, reason = "stories connect to gates as clients do")]

mod body;
mod client;
pub mod cost;
pub mod credentials;
mod gate;
pub mod github;
mod identity;
mod origin;
mod outwall;
pub mod planted;
mod process;
pub mod receivers;
mod resolver;
mod schema;
mod snapshot;
mod surroundings;

pub use client::{AnsweredBy, Client, Connection, RawConnection, Response};
pub use gate::TestGate;
pub use identity::ServerIdentity;
pub use origin::{Certificate, REFLECTIONS, Received, TestOrigin, Versions};
pub use outwall::Outwall;
pub use process::{Finished, TestSandbox};
pub use resolver::TestResolver;
pub use snapshot::filters;
pub use surroundings::{is_root, namespaces_available, registries_reachable, skip};

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// The threads that origins and clients run on; stories themselves block.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads and a poller are to be had")
    })
}

/// Whoever asks first installs nothing process-wide: each TLS side here names its provider.
fn crypto() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
