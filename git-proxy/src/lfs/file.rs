//! A file of LFS: what it is called, and how long it is.

use std::fmt;
use std::str::FromStr;

use outwall_policy::github::{GithubAction, RepositoryName};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::understood::{AnswerTreatment, NotUnderstood, Understood};

/// What a file is called: the SHA-256 of what is in it, 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId(String);

/// Not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the `oid` of a file is 64 lower-case hexadecimal digits")]
pub struct FileIdError;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LfsFile {
    /// What it is called.
    pub oid: FileId,
    /// Its length in bytes.
    pub size: u64,
}

impl FromStr for FileId {
    type Err = FileIdError;

    fn from_str(text: &str) -> Result<Self, FileIdError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FileIdError)
        }
    }
}

impl TryFrom<String> for FileId {
    type Error = FileIdError;

    fn try_from(text: String) -> Result<Self, FileIdError> {
        text.parse()
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `POST objects/verify`: that a file has arrived.
pub(super) fn understand_verify(
    repository: &RepositoryName,
    body: &[u8],
) -> Result<Understood, NotUnderstood> {
    let file: LfsFile = super::read(body)?;
    let all = vec![GithubAction::StoreObjects(repository.clone())];
    Ok(super::known(
        "lfs/verify",
        all,
        super::written(&file),
        AnswerTreatment::AsItComes,
    ))
}
