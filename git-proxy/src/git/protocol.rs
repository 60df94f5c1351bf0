//! The version of the protocol that a client asks for, and whose service it is.

use std::fmt;

use thiserror::Error;

/// The version of git's protocol: the request header `Git-Protocol` (gitprotocol-http(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// The first, without a word about it.
    #[default]
    V0,
    /// The first, which says so.
    V1,
    /// The second: commands. There is none for pushes.
    V2,
}

/// A service of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Fetches.
    UploadPack,
    /// Pushes.
    ReceivePack,
}

/// A `Git-Protocol` header that says something else than a version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`Git-Protocol: {}` is not `version=0`, `1` or `2`", .0.escape_debug())]
pub struct ProtocolVersionError(String);

impl ProtocolVersion {
    /// What the header says; none says version 0.
    pub fn read(header: Option<&str>) -> Result<Self, ProtocolVersionError> {
        match header {
            None | Some("version=0") => Ok(Self::V0),
            Some("version=1") => Ok(Self::V1),
            Some("version=2") => Ok(Self::V2),
            Some(other) => Err(ProtocolVersionError(other.chars().take(60).collect())),
        }
    }

    /// The header to send, to this service. None is sent for a push, as git sends none: a server that took it would speak of what this
    /// gate does not know.
    pub fn header(self, service: Service) -> Option<&'static str> {
        match (self, service) {
            (_, Service::ReceivePack) | (Self::V0, Service::UploadPack) => None,
            (Self::V1, Service::UploadPack) => Some("version=1"),
            (Self::V2, Service::UploadPack) => Some("version=2"),
        }
    }
}

impl Service {
    /// How git calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The media type of its advertisement. An answer of another is none: "dumb" servers answer `text/plain`.
    pub fn advertisement_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-advertisement",
            Self::ReceivePack => "application/x-git-receive-pack-advertisement",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_version_and_is_written_again() {
        let sent = |header, service| ProtocolVersion::read(header).map(|version| version.header(service));
        assert_eq!(sent(None, Service::UploadPack), Ok(None));
        assert_eq!(
            sent(Some("version=2"), Service::UploadPack),
            Ok(Some("version=2"))
        );
        assert_eq!(
            sent(Some("version=1"), Service::UploadPack),
            Ok(Some("version=1"))
        );
        assert_eq!(sent(Some("version=2"), Service::ReceivePack), Ok(None));
        for wrong in ["version=3", "version=2:x=1", "VERSION=2", ""] {
            assert!(ProtocolVersion::read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
