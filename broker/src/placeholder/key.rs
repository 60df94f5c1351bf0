//! The key that placeholders are made with.

use std::fmt;
use std::path::Path;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use outwall_policy::SandboxId;
use outwall_policy::brokered::{BrokeredCredential, Placeholder};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::scoped::FileError;
use crate::scoped::files::{Lock, read_private, replace};

/// The key that placeholders are made with. Shows nothing in `Debug`.
pub struct PlaceholderKey(Zeroizing<[u8; LENGTH]>);

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl PlaceholderKey {
    /// The one in this directory; makes it where there is none.
    pub fn open(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join("placeholders.key");
        if let Some(found) = read_private(&path)? {
            return Self::read(&found).ok_or_else(|| FileError::damaged(&path).into());
        }
        let lock = Lock::take(directory)?;
        if let Some(found) = read_private(&path)? {
            return Self::read(&found).ok_or_else(|| FileError::damaged(&path).into()); // somebody was quicker
        }
        let key = Self::new()?;
        replace(&lock, &path, &*key.0)?;
        Ok(key)
    }

    /// One that nobody else has.
    pub fn new() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| KeyError::Random)?;
        Ok(Self(bytes))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// What this sandbox sees instead of that credential's secret; none where the policy shows it nothing.
    pub fn placeholder(&self, sandbox: SandboxId, credential: &BrokeredCredential) -> Option<String> {
        let shape = credential.placeholder()?;
        let info = format!("{sandbox}/{}", credential.name());
        Some(format!("{}{}", shape.prefix, self.characters(&info, shape)))
    }

    /// Bytes of a key stream (RFC 5869) from which those are left out that would make some characters more frequent.
    fn characters(&self, info: &str, shape: &Placeholder) -> String {
        let key = Salt::new(HKDF_SHA256, b"outwall placeholder").extract(&*self.0);
        let alphabet = shape.alphabet.characters();
        let fair = 256 - 256 % alphabet.len();
        let mut text = String::with_capacity(shape.random);
        for block in 0_u32.. {
            let mut bytes = [0; BLOCK];
            let info = [info.as_bytes(), &block.to_be_bytes()];
            let stream = key.expand(&info, Length(BLOCK)).expect("a block is short enough");
            stream.fill(&mut bytes).expect("it is as long as was asked for");
            let fair = bytes
                .iter()
                .map(|byte| usize::from(*byte))
                .filter(|byte| *byte < fair);
            let characters = fair.map(|byte| char::from(alphabet[byte % alphabet.len()]));
            text.extend(characters.take(shape.random - text.len()));
            if text.len() == shape.random {
                break;
            }
        }
        text
    }
}

impl fmt::Debug for PlaceholderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlaceholderKey(..)")
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const LENGTH: usize = 32;
const BLOCK: usize = 128;
