//! `{ env = "NAME" }`: a variable of the gate's own environment. It is what it was when the gate started; nothing in there changes a
//! variable of a process that runs.

use std::env::VarError;
use std::os::unix::ffi::OsStringExt as _;

use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Fetched, Source, SourceError};
use crate::secret::Secret;

pub(super) struct Variable(String);

impl Variable {
    pub(super) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn secret(&self) -> Result<Fetched, SourceError> {
        let text = read(&self.0)?;
        let secret = Secret::from_text(&text);
        Ok(Fetched {
            secret: secret.map_err(SourceError::unfit(format!("the variable `{}`", self.0)))?,
            expires_at: None,
            ask_again: None,
            seen: None,
        })
    }
}

impl Source for Variable {
    fn fetch(&self, _now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(ready(self.secret()))
    }
}

/// The variable, as bytes.
pub(super) fn read(name: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    match std::env::var(name) {
        Ok(text) => Ok(Zeroizing::new(text.into_bytes())),
        Err(VarError::NotUnicode(bytes)) => Ok(Zeroizing::new(bytes.into_vec())),
        Err(VarError::NotPresent) => Err(SourceError::NotSet {
            variable: name.to_owned(),
        }),
    }
}
