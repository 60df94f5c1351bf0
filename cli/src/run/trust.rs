//! The CA and what makes a sandbox trust it, assembled in a thread while other things are made.

use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use outwall_certs::{Ca, TrustBundle, read_roots};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};

/// The CA and the bundle, in the making.
pub(super) struct Trust(JoinHandle<Result<(Ca, TrustBundle), Failure>>);

impl Trust {
    /// Starts. The state directory exists.
    pub(super) fn assemble(session: &Session, extra_roots: Vec<PathBuf>) -> Self {
        let directory = session.state.ca();
        Self(thread::spawn(move || {
            let ca = Ca::load_or_create(&directory)
                .explain("cannot use the CA")
                .hint("`outwall ca rotate` makes a new one")?;
            tracing::debug!("the CA is loaded");
            let extra = read_roots(&extra_roots).explain("cannot read `extra_roots` of the policy")?;
            let bundle = TrustBundle::assemble(&ca, &extra)
                .explain("cannot assemble the roots that the sandbox trusts")?;
            tracing::debug!("the trust bundle is assembled");
            Ok((ca, bundle))
        }))
    }

    pub(super) fn join(self) -> Result<(Ca, TrustBundle), Failure> {
        self.0
            .join()
            .map_err(|_| Failure::new("the CA could not be read"))?
    }
}
