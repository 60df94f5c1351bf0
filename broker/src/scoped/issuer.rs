//! [`Issuer`]: what commands do with credentials. Each operation takes the directory's lock, so that several at once agree.

use std::path::{Path, PathBuf};

use aws_lc_rs::error::Unspecified;
use jiff::{SignedDuration, Timestamp};
use outwall_policy::{EnvironmentName, SandboxId};
use thiserror::Error;

use super::LONGEST_LIFE;
use super::claims::{Audience, Claims, Label, Scope, ScopeError};
use super::files::{FileError, Lock, read_private, replace};
use super::id::CredentialId;
use super::issued::{Entry, IssuedFile, Listed, Standing};
use super::keys::{KeyRing, SigningKey};
use super::revocations::Revocations;
use super::token::{LONGEST_TOKEN, ScopedToken};

/// Issues, lists and revokes credentials of one installation.
#[derive(Clone, Debug)]
pub struct Issuer {
    directory: PathBuf,
}

/// What is to be issued.
#[derive(Clone, Debug)]
pub struct Request {
    /// The door.
    pub audience: Audience,
    /// Whose it is to be.
    pub subject: Subject,
    /// The environment of that sandbox. That there is one of this name is the caller's to know.
    pub environment: EnvironmentName,
    /// What it is narrowed to.
    pub scope: Scope,
    /// How long it is valid, from now on.
    pub life: SignedDuration,
}

/// Whose a credential is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A sandbox that had none before.
    New,
    /// The sandbox of this name: the one that has a valid credential under it, else a new one.
    Named(Label),
    /// This one.
    Sandbox(SandboxId),
}

/// A credential that was just issued.
#[derive(Debug)]
pub struct Fresh {
    /// To be handed to the sandbox. It is kept nowhere.
    pub token: ScopedToken,
    /// What it says.
    pub claims: Claims,
}

/// What is to be taken back.
#[derive(Clone, Debug)]
pub enum Revoke {
    /// The one of this name.
    Credential(CredentialId),
    /// The one with this text.
    Token(ScopedToken),
    /// All that were issued to this sandbox so far.
    Sandbox(SandboxId),
    /// The same for the sandbox of this name.
    Named(Label),
}

/// What was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// One credential.
    Credential(CredentialId),
    /// All of a sandbox.
    Sandbox(SandboxId),
}

/// What becomes of credentials that the old key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// They stay valid until they expire: the usual change of keys.
    UntilExpiry,
    /// None of them is valid any more: the key was stolen.
    None,
}

/// Why nothing was issued.
#[derive(Debug, Error)]
pub enum IssueError {
    /// It would live too long, or not at all.
    #[error("a credential lives for 1 second to {} hours", LONGEST_LIFE.as_hours())]
    Life,
    /// The sandbox has a credential for another environment. One sandbox has one.
    #[error(
        "the sandbox {sandbox} has a credential for environment `{environment}`, which is valid until {until}"
    )]
    OtherEnvironment {
        /// The sandbox.
        sandbox: SandboxId,
        /// Its environment.
        environment: EnvironmentName,
        /// The end of that credential.
        until: Timestamp,
    },
    /// A part of the scope is no name.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The scope names too much.
    #[error("the credential would have more than {LONGEST_TOKEN} bytes; name fewer repositories")]
    TooLong,
    /// The key is not the one whose signatures count.
    #[error(
        "the signing key is not the one in `keys.json`; make another one (`outwall credential rotate-key`)"
    )]
    NotTheKey,
    /// The directory cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No random numbers, or no key from them.
    #[error("the cryptographic library gives no random numbers")]
    Random,
}

/// Why nothing was taken back.
#[derive(Debug, Error)]
pub enum RevokeError {
    /// The token is none of ours, so that there is nothing to take back.
    #[error("this is not a credential that was issued here")]
    NotOurs,
    /// No credential was issued under this name.
    #[error("no credential that still counts was issued for a sandbox named `{0}`")]
    NoSuchName(Label),
    /// The directory cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No random numbers, or no key from them.
    #[error("the cryptographic library gives no random numbers")]
    Random,
}

impl From<Unspecified> for IssueError {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

impl From<Unspecified> for RevokeError {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

impl Issuer {
    /// Of the credentials in this directory. Nothing is touched yet.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Makes keys and lists if there are none, so that a gate has something to look at.
    pub fn prepare(&self, now: Timestamp) -> Result<(), IssueError> {
        let lock = Lock::take(&self.directory)?;
        self.ring(&lock, now).map(|_| ())
    }

    /// Issues a credential.
    pub fn issue(&self, request: &Request, now: Timestamp) -> Result<Fresh, IssueError> {
        let lock = Lock::take(&self.directory)?;
        if request.life < SignedDuration::from_secs(1) || request.life > LONGEST_LIFE {
            return Err(IssueError::Life);
        }
        request.scope.check()?;
        let ring = self.ring(&lock, now)?;
        let key = self.signing_key(&ring, now)?;
        let mut issued = self.issued()?;
        let revoked = self.revoked()?;
        issued.prune(now);
        let counting = |entry: &&Entry| standing(entry, &ring, &revoked, now) == Standing::Valid;
        let holders = issued.credentials.iter().filter(counting);
        let (sandbox, label) = whose(request, holders)?;
        let claims = claims(request, sandbox, now)?;
        let token = key.sign(&claims, ring.installation());
        if token.expose().len() > LONGEST_TOKEN {
            return Err(IssueError::TooLong);
        }
        let entry = Entry::of(&claims, label, key.public().id().to_string());
        issued.credentials.push(entry);
        replace(&lock, &self.file(ISSUED), &issued.write())?;
        Ok(Fresh { token, claims })
    }

    /// Takes back what was issued. A gate knows it when this returns.
    pub fn revoke(&self, what: &Revoke, now: Timestamp) -> Result<Revoked, RevokeError> {
        let lock = Lock::take(&self.directory)?;
        let mut revoked = self.revoked()?;
        let done = match what {
            Revoke::Credential(id) => Self::revoke_one(&mut revoked, *id, self.expiry(*id)?, now),
            Revoke::Token(token) => {
                let ring = self.existing_ring()?.ok_or(RevokeError::NotOurs)?;
                let (claims, _) = ring.read_token(token.expose(), now).ok_or(RevokeError::NotOurs)?;
                Self::revoke_one(&mut revoked, claims.id, Some(claims.expires_at), now)
            }
            Revoke::Sandbox(sandbox) => Self::revoke_all(&mut revoked, *sandbox, now),
            Revoke::Named(label) => {
                let sandbox = self.named(label, now)?;
                Self::revoke_all(&mut revoked, sandbox, now)
            }
        };
        revoked.prune(now);
        replace(&lock, &self.file(REVOKED), &revoked.write())?;
        Ok(done)
    }

    /// What was issued and expired not long ago, or has yet to; the newest last.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Listed>, FileError> {
        let Some(ring) = self.existing_ring()? else {
            return Ok(Vec::new());
        };
        let (mut issued, revoked) = (self.issued()?, self.revoked()?);
        issued.prune(now);
        let listed = |entry: &Entry| Listed {
            claims: entry.claims(),
            label: entry.label.clone(),
            standing: standing(entry, &ring, &revoked, now),
        };
        Ok(issued.credentials.iter().map(listed).collect())
    }

    /// Signs with a new key from now on. The old private key is gone when this returns.
    pub fn rotate_key(&self, overlap: Overlap, now: Timestamp) -> Result<(), IssueError> {
        let lock = Lock::take(&self.directory)?;
        let mut ring = self.ring(&lock, now)?;
        let key = SigningKey::generate(now)?;
        match overlap {
            Overlap::UntilExpiry => ring.replace(key.public().clone(), now),
            Overlap::None => ring.replace_all(key.public().clone()),
        }
        // In this order: a ring that has a key which does not sign yet does no harm.
        replace(&lock, &self.file(KEYS), &ring.write())?;
        replace(&lock, &self.file(SIGNING), &key.write()?)?;
        Ok(())
    }

    fn revoke_one(
        revoked: &mut Revocations,
        id: CredentialId,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Revoked {
        revoked.revoke(id, expires_at, now);
        Revoked::Credential(id)
    }

    fn revoke_all(revoked: &mut Revocations, sandbox: SandboxId, now: Timestamp) -> Revoked {
        revoked.revoke_sandbox(sandbox, now);
        Revoked::Sandbox(sandbox)
    }

    /// The keys, made if there are none.
    fn ring(&self, lock: &Lock, now: Timestamp) -> Result<KeyRing, IssueError> {
        if let Some(ring) = self.existing_ring()? {
            return Ok(ring);
        }
        let key = SigningKey::generate(now)?;
        let ring = KeyRing::new(key.public().clone())?;
        replace(lock, &self.file(SIGNING), &key.write()?)?;
        replace(lock, &self.file(REVOKED), &Revocations::default().write())?;
        replace(lock, &self.file(KEYS), &ring.write())?; // last: with it the rest counts
        Ok(ring)
    }

    fn existing_ring(&self) -> Result<Option<KeyRing>, FileError> {
        let path = self.file(KEYS);
        let Some(file) = read_private(&path)? else {
            return Ok(None);
        };
        KeyRing::read(&file)
            .map(Some)
            .ok_or_else(|| FileError::damaged(&path))
    }

    fn signing_key(&self, ring: &KeyRing, now: Timestamp) -> Result<SigningKey, IssueError> {
        let path = self.file(SIGNING);
        let file = read_private(&path)?.ok_or(IssueError::NotTheKey)?;
        let key = SigningKey::read(&file, now).ok_or_else(|| FileError::damaged(&path))?;
        if ring.is_current(key.public().id()) {
            Ok(key)
        } else {
            Err(IssueError::NotTheKey)
        }
    }

    fn issued(&self) -> Result<IssuedFile, FileError> {
        let path = self.file(ISSUED);
        match read_private(&path)? {
            None => Ok(IssuedFile::empty()),
            Some(file) => IssuedFile::read(&file).ok_or_else(|| FileError::damaged(&path)),
        }
    }

    /// The list that is there, or an empty one where there are no keys either: one that is missing is not taken for empty.
    fn revoked(&self) -> Result<Revocations, FileError> {
        let path = self.file(REVOKED);
        match read_private(&path)? {
            Some(file) => Revocations::read(&file).ok_or_else(|| FileError::damaged(&path)),
            None if self.existing_ring()?.is_none() => Ok(Revocations::default()),
            None => Err(FileError::io(&path)(std::io::ErrorKind::NotFound.into())),
        }
    }

    fn expiry(&self, id: CredentialId) -> Result<Option<Timestamp>, FileError> {
        let issued = self.issued()?;
        let entry = issued.credentials.iter().find(|entry| entry.id == id);
        Ok(entry.map(|entry| entry.expires_at))
    }

    fn named(&self, label: &Label, now: Timestamp) -> Result<SandboxId, RevokeError> {
        let issued = self.issued()?;
        let named = |entry: &&Entry| entry.label.as_ref() == Some(label) && entry.expires_at > now;
        let entry = issued.credentials.iter().rev().find(named);
        let sandbox = entry.map(|entry| entry.sandbox);
        sandbox.ok_or_else(|| RevokeError::NoSuchName(label.clone()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The sandbox, and what it is called.
fn whose<'a>(
    request: &Request,
    mut holders: impl Iterator<Item = &'a Entry>,
) -> Result<(SandboxId, Option<Label>), IssueError> {
    let (holder, label) = match &request.subject {
        Subject::New => (None, None),
        Subject::Named(label) => (
            holders.find(|entry| entry.label.as_ref() == Some(label)),
            Some(label.clone()),
        ),
        Subject::Sandbox(id) => {
            let holder = holders.find(|entry| entry.sandbox == *id);
            (holder, holder.and_then(|entry| entry.label.clone()))
        }
    };
    let sandbox = match (holder, &request.subject) {
        (Some(holder), _) if holder.environment != request.environment => {
            return Err(IssueError::OtherEnvironment {
                sandbox: holder.sandbox,
                environment: holder.environment.clone(),
                until: holder.expires_at,
            });
        }
        (Some(holder), _) => holder.sandbox,
        (None, Subject::Sandbox(id)) => *id,
        (None, Subject::New | Subject::Named(_)) => {
            let mut random = [0; 4];
            aws_lc_rs::rand::fill(&mut random)?;
            SandboxId::from_random(random)
        }
    };
    Ok((sandbox, label))
}

fn claims(request: &Request, sandbox: SandboxId, now: Timestamp) -> Result<Claims, IssueError> {
    let now = Timestamp::from_second(now.as_second()).map_err(|_| IssueError::Life)?;
    let life = SignedDuration::from_secs(request.life.as_secs());
    Ok(Claims {
        id: CredentialId::random()?,
        audience: request.audience,
        sandbox,
        environment: request.environment.clone(),
        scope: request.scope.clone(),
        issued_at: now,
        not_before: now,
        expires_at: now.checked_add(life).map_err(|_| IssueError::Life)?,
    })
}

fn standing(entry: &Entry, ring: &KeyRing, revoked: &Revocations, now: Timestamp) -> Standing {
    if entry.expires_at <= now {
        Standing::Expired
    } else if revoked.cover(&entry.claims()) || !ring.accepts_named(&entry.key, now) {
        Standing::Revoked
    } else {
        Standing::Valid
    }
}

/// The public keys.
pub(crate) const KEYS: &str = "keys.json";
/// What was taken back.
pub(crate) const REVOKED: &str = "revoked.json";
/// The private key.
const SIGNING: &str = "signing.pk8";
/// For people.
const ISSUED: &str = "issued.json";

#[cfg(test)]
mod tests;
