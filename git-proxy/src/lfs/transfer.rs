//! One transfer: where a file is up- or downloaded, as the server said.

use std::fmt;

use http::{HeaderName, HeaderValue, Uri};
use outwall_policy::Method;

use super::file::LfsFile;

/// Where a file is up- or downloaded. Its URL is signed and its headers are credentials: neither is for a sandbox, nor for a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What is done there.
    pub kind: TransferKind,
    /// The file.
    pub file: LfsFile,
    /// Where: an https URL.
    pub href: Uri,
    /// Headers to send, in place of any of the client's of the same name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// Its content is read: GET, HEAD.
    Download,
    /// Its content is stored: PUT.
    Upload,
    /// The server is told that it was: POST.
    Verify,
}

impl TransferKind {
    /// How the batch API calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Verify => "verify",
        }
    }

    /// Whether it is done with this method.
    pub fn takes(self, method: &Method) -> bool {
        match self {
            Self::Download => ["GET", "HEAD"].contains(&method.as_str()),
            Self::Upload => method.as_str() == "PUT",
            Self::Verify => method.as_str() == "POST",
        }
    }
}

impl Transfer {
    /// What is sent to verify: the client's body says the same, and is not sent.
    pub fn verify_body(&self) -> bytes::Bytes {
        let LfsFile { oid, size } = &self.file;
        format!(r#"{{"oid":"{oid}","size":{size}}}"#).into()
    }
}

/// Without its path, query and headers.
impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, oid) = (self.kind.as_str(), &self.file.oid);
        write!(f, "{kind} of {oid} at {}", self.href.host().unwrap_or_default())
    }
}
