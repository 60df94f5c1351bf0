//! `[[credentials]]`, as written.

use super::{Place, Written};
use crate::brokered::{ForeignCredentials, Injection, Source};

/// `[[credentials]]`. What is left out comes from the preset.
#[derive(Clone, Debug)]
pub(crate) struct CredentialDocument {
    pub(crate) place: Place,
    pub(crate) name: Option<Written<String>>,
    pub(crate) preset: Option<Written<String>>,
    pub(crate) source: Option<Written<Source>>,
    pub(crate) hosts: Vec<Written<String>>,
    pub(crate) inject: Vec<Written<Injection>>,
    pub(crate) placeholder: Option<PlaceholderDocument>,
    pub(crate) methods: Vec<Written<String>>,
    pub(crate) paths: Vec<Written<String>>,
    pub(crate) environments: Vec<Written<String>>,
    pub(crate) foreign: Option<Written<ForeignCredentials>>,
}

/// `placeholder = { … }`.
#[derive(Clone, Debug)]
pub(crate) struct PlaceholderDocument {
    pub(crate) place: Place,
    pub(crate) variables: Vec<Written<String>>,
    pub(crate) prefix: Option<Written<String>>,
    /// Of the whole, prefix included.
    pub(crate) length: Option<Written<u64>>,
}

/// One line of `foreign_credentials` of an environment.
#[derive(Clone, Debug)]
pub(crate) struct ForeignDocument {
    pub(crate) hosts: Written<String>,
    pub(crate) action: ForeignCredentials,
}
