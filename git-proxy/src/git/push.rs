//! The commands of a push, once they are understood, and how they are sent on.

use bytes::Bytes;
use outwall_policy::github::{Actions, RefUpdate, RepositoryName};

use super::pack::PackReader;
use super::pkt_line::{FLUSH, write_line};
use super::push_capabilities::PushCapabilities;

/// The commands of a push: the refs that it would update, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushCommands {
    /// The refs, each once; one at least.
    pub updates: Vec<RefUpdate>,
    /// What the client asks for beside.
    pub capabilities: PushCapabilities,
}

impl PushCommands {
    /// The bytes to send in place of the client's: a server never sees those. Where the history of a shallow client ends is left out, as
    /// it would be taken for where the server's own ends.
    pub fn serialise(&self) -> Bytes {
        let mut bytes = Vec::new();
        for (at, update) in self.updates.iter().enumerate() {
            let mut line = format!("{} {} {}", update.old, update.new, update.name).into_bytes();
            if at == 0 {
                line.push(0);
                self.capabilities.write(&mut line);
            }
            write_line(&mut bytes, &line);
        }
        bytes.extend_from_slice(FLUSH);
        bytes.into()
    }

    /// What the push would do. Whether it moves a ref forward cannot be told from its commands: see [`forced`](Self::forced).
    pub fn actions(&self, repository: &RepositoryName) -> Actions {
        Actions {
            operation: Actions::PUSH.to_owned(),
            all: self
                .updates
                .iter()
                .map(|update| update.action(repository))
                .collect(),
        }
    }

    /// What the push would do if each ref that it moves were moved to where its old place is no ancestor.
    pub fn forced(&self, repository: &RepositoryName) -> Actions {
        self.actions(repository).forced()
    }

    /// The reader of the pack that follows the commands.
    pub fn pack(&self) -> PackReader {
        if self.updates.iter().all(|update| update.new.is_null()) {
            PackReader::of_none()
        } else {
            PackReader::default()
        }
    }
}
