//! What a sandbox sees instead of a secret: a text of the same shape, which opens nothing.
//!
//! A placeholder is made from a key of this installation, the sandbox and the credential, so whoever holds the key (the gate, and the
//! command that hands out what another machine's sandbox needs) comes to the same text without asking each other. Another
//! sandbox's is another, and none says anything about the secret.

mod key;
mod shown;

pub use key::{KeyError, PlaceholderKey};
pub use shown::{Placeholders, Shown};
