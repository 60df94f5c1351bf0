//! The key that signs checkpoints, Ed25519 (RFC 8032): made on first use, beside the log, for its owner only.
//!
//! It shows that a statement was made by somebody who could read it on that machine at that time: not more. So a copy of what it
//! signed belongs where that somebody cannot write.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chain::hexadecimal;

/// The private key.
#[derive(Debug)]
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the key of checkpoints `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not an Ed25519 key in PKCS#8.
    #[error("`{}` is no Ed25519 key: move it away, and the next start makes another one; what the old one signed stays provable with its public part only", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("others than its owner may read `{}`, so it proves nothing: `chmod 600` it if nobody has, or move it away for a new one", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("cannot make a key")]
    NoRandomNumbers,
}

impl SigningKey {
    /// Of the log in `directory`, which has to be there.
    pub fn open(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE);
        match Self::load(&path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::make(directory, &path)?;
                Self::load(&path)
            }
            other => other,
        }
    }

    fn load(path: &Path) -> Result<Self, KeyError> {
        let in_file = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(in_file)?;
        if file.metadata().map_err(in_file)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
            });
        }
        let mut pkcs8 = Vec::new();
        Read::by_ref(&mut file)
            .take(4096)
            .read_to_end(&mut pkcs8)
            .map_err(in_file)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_rejected| KeyError::NotAKey {
            path: path.to_owned(),
        })?;
        let id = id(pair.public_key().as_ref());
        Ok(Self { pair, id })
    }

    /// Whole under its name or not at all. When another process makes one at the same time, the first counts.
    fn make(directory: &Path, path: &Path) -> Result<(), KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::NoRandomNumbers)?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| KeyError::NoRandomNumbers)?;
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| KeyError::NoRandomNumbers)?;
        let unnamed = directory.join(format!(".{FILE}.{}.new", hexadecimal(&random)));
        let write = || {
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&unnamed)?;
            file.write_all(pkcs8.as_ref())?;
            file.sync_all()?;
            match fs::hard_link(&unnamed, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        };
        let written = write();
        let _ = fs::remove_file(&unnamed);
        written.map_err(|source| KeyError::File {
            path: path.to_owned(),
            source,
        })
    }

    /// What statements name it by: the first 16 hexadecimal digits of the SHA-256 of its public part.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its public part, as a PEM `PUBLIC KEY` (RFC 8410), which OpenSSL reads too.
    pub fn public_pem(&self) -> String {
        let der = [&SPKI_PREFIX[..], self.pair.public_key().as_ref()].concat();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// Its public part, to check with.
    pub fn public(&self) -> PublicKeys {
        PublicKeys::from_pem(&self.public_pem()).unwrap_or_default()
    }

    pub(super) fn sign(&self, message: &str) -> String {
        hexadecimal(self.pair.sign(message.as_bytes()).as_ref())
    }
}

/// Whether the log in `directory` has one.
pub fn has_key(directory: &Path) -> bool {
    directory.join(FILE).exists()
}

/// Keys to check statements with, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys(BTreeMap<String, [u8; 32]>);

impl PublicKeys {
    /// Every `PUBLIC KEY` of a PEM text. None: there is none, or one that is no Ed25519 key.
    pub fn from_pem(text: &str) -> Option<Self> {
        let mut keys = Self::default();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(BEGIN) {
            let (body, after) = after.split_once(END)?;
            let body: String = body.split_ascii_whitespace().collect();
            let der = STANDARD.decode(body).ok()?;
            keys.insert(der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?);
            rest = after;
        }
        (!keys.0.is_empty()).then_some(keys)
    }

    fn insert(&mut self, key: [u8; 32]) {
        self.0.insert(id(&key), key);
    }

    pub(super) fn key(&self, id: &str) -> Option<&[u8; 32]> {
        self.0.get(id)
    }
}

pub(super) fn verify(key: &[u8; 32], message: &str, signature: &str) -> bool {
    let signature = from_hexadecimal(signature);
    signature.is_some_and(|signature| {
        UnparsedPublicKey::new(&ED25519, key)
            .verify(message.as_bytes(), &signature)
            .is_ok()
    })
}

fn id(public: &[u8]) -> String {
    hexadecimal(&digest(&SHA256, public).as_ref()[..8])
}

/// Lower digits only, so that a signature is written in one way.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .bytes()
        .map(|byte| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        })
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

const FILE: &str = "checkpoint.key";
/// `SubjectPublicKeyInfo` of Ed25519 up to the key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let made = SigningKey::open(directory.path()).unwrap();
        let again = SigningKey::open(directory.path()).unwrap();
        assert_eq!(made.id(), again.id());
        let path = directory.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing else is left"
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            SigningKey::open(directory.path()),
            Err(KeyError::Exposed { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "rubbish").unwrap();
        assert!(matches!(
            SigningKey::open(directory.path()),
            Err(KeyError::NotAKey { .. })
        ));
    }

    #[test]
    fn many_who_make_it_at_once_have_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let open = || SigningKey::open(directory.path()).unwrap().id().to_owned();
            let opening: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn the_public_part_reads_back_from_its_pem_and_checks_what_was_signed() {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::open(directory.path()).unwrap();
        let keys = PublicKeys::from_pem(&format!("a comment\n{}", key.public_pem())).unwrap();
        assert_eq!(keys, key.public());
        let (public, signature) = (keys.key(key.id()).unwrap(), key.sign("a message"));
        assert!(verify(public, "a message", &signature));
        assert!(!verify(public, "another", &signature));
        assert!(
            !verify(public, "a message", &signature.to_uppercase()),
            "one way to write it"
        );
        for rubbish in [
            "",
            BEGIN,
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        ] {
            assert_eq!(PublicKeys::from_pem(rubbish), None, "{rubbish}");
        }
    }
}
