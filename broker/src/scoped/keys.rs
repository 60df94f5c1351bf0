//! Keys: one that signs, and those whose signatures count. Start at [`KeyRing`].
//!
//! A gate has the ring, which is public, and never the signing key. When the key is changed, the private half of the old one is
//! gone at once; what it signed counts until the last of it has expired.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::LONGEST_LIFE;
use super::id::{Hex, bytes_of_hex};

/// The name of a key: the first 64 bits of its SHA-256, in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

/// The keys whose signatures count, and whose they are: `keys.json`.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Random, made with the first key: another installation's tokens are not ours, whatever they say.
    installation: String,
    keys: Vec<PublicKey>,
}

/// One key that verifies.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    bytes: [u8; 32],
    id: KeyId,
    /// The first part of every token that it signed.
    header: String,
    made_at: Timestamp,
    /// When another took its place.
    replaced_at: Option<Timestamp>,
}

/// The key that signs. Shows nothing in `Debug`.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// `keys.json`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    version: u32,
    installation: String,
    keys: Vec<KeyEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    public: String,
    made_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_at: Option<Timestamp>,
}

impl KeyRing {
    /// A new installation, with this key.
    pub(crate) fn new(key: PublicKey) -> Result<Self, Unspecified> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random)?;
        Ok(Self {
            installation: Hex(&random).to_string(),
            keys: vec![key],
        })
    }

    /// Reads `keys.json`. None: it is not what we write.
    pub fn read(file: &[u8]) -> Option<Self> {
        let file: RingFile = serde_json::from_slice(file).ok()?;
        bytes_of_hex::<16>(&file.installation)?;
        let keys: Vec<PublicKey> = file.keys.iter().map(KeyEntry::read).collect::<Option<_>>()?;
        (file.version == 1 && !keys.is_empty()).then_some(Self {
            installation: file.installation,
            keys,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let entries = self.keys.iter().map(KeyEntry::of);
        let file = RingFile {
            version: 1,
            installation: self.installation.clone(),
            keys: entries.collect(),
        };
        serde_json::to_vec_pretty(&file).expect("texts and numbers are JSON")
    }

    /// Whose the keys are.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The keys whose signatures count at this moment.
    pub(crate) fn accepted(&self, now: Timestamp) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().filter(move |key| key.is_accepted(now))
    }

    /// Whether signatures of this key count.
    pub(crate) fn accepts(&self, id: KeyId, now: Timestamp) -> bool {
        self.accepted(now).any(|key| key.id == id)
    }

    pub(crate) fn accepts_named(&self, id: &str, now: Timestamp) -> bool {
        self.accepted(now).any(|key| key.id.to_string() == id)
    }

    /// Whether this is the key that signs now.
    pub(crate) fn is_current(&self, id: KeyId) -> bool {
        self.keys
            .iter()
            .any(|key| key.id == id && key.replaced_at.is_none())
    }

    /// Puts `key` in the place of the current one. What that signed counts until it has expired.
    pub(crate) fn replace(&mut self, key: PublicKey, now: Timestamp) {
        self.keys.retain(|key| key.is_accepted(now));
        for old in &mut self.keys {
            old.replaced_at.get_or_insert(now);
        }
        self.keys.push(key);
    }

    /// Puts `key` in the place of all others: nothing that was signed before counts.
    pub(crate) fn replace_all(&mut self, key: PublicKey) {
        self.keys = vec![key];
    }
}

impl PublicKey {
    fn new(bytes: [u8; 32], made_at: Timestamp, replaced_at: Option<Timestamp>) -> Self {
        let id = KeyId::of(&bytes);
        Self {
            bytes,
            id,
            header: BASE64_URL_SAFE_NO_PAD
                .encode(format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"{TYPE}"}}"#)),
            made_at,
            replaced_at,
        }
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    fn is_accepted(&self, now: Timestamp) -> bool {
        self.replaced_at
            .is_none_or(|replaced| now.duration_since(replaced) < LONGEST_LIFE)
    }
}

impl KeyEntry {
    fn of(key: &PublicKey) -> Self {
        Self {
            public: BASE64_URL_SAFE_NO_PAD.encode(key.bytes),
            made_at: key.made_at,
            replaced_at: key.replaced_at,
        }
    }

    fn read(&self) -> Option<PublicKey> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&self.public).ok()?;
        Some(PublicKey::new(
            bytes.try_into().ok()?,
            self.made_at,
            self.replaced_at,
        ))
    }
}

impl SigningKey {
    pub(crate) fn generate(now: Timestamp) -> Result<Self, Unspecified> {
        Self::of(Ed25519KeyPair::generate()?, now)
    }

    /// Reads `signing.pk8`.
    pub(crate) fn read(file: &[u8], now: Timestamp) -> Option<Self> {
        Self::of(Ed25519KeyPair::from_pkcs8(file).ok()?, now).ok()
    }

    pub(crate) fn write(&self) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        Ok(Zeroizing::new(self.pair.to_pkcs8()?.as_ref().to_vec()))
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(bytes)
    }

    fn of(pair: Ed25519KeyPair, now: Timestamp) -> Result<Self, Unspecified> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| Unspecified)?;
        Ok(Self {
            pair,
            public: PublicKey::new(public, now, None),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id)
    }
}

impl KeyId {
    fn of(public: &[u8; 32]) -> Self {
        let hash = digest(&SHA256, public);
        Self(hash.as_ref()[..8].try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A type of its own (RFC 8725 section 3.11): no other JWT that some key of ours might sign is one of these.
const TYPE: &str = "outwall-credential+jwt";
