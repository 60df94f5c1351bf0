//! Where the files are that a policy names: certificates, blocklists.
//!
//! They are relative to the policy file. Those of a *project's* policy count only as they were when somebody trusted it, and may
//! lie where a sandbox writes that runs at this very moment: between a look and the next one they can be others. So each of them
//! is read once, compared with what was trusted, and what was compared is what everybody reads from then on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::discovery::read_regular_file;
use crate::failure::{Explain, Failure};
use crate::trust_store::{Trusted, fingerprint};

/// The files that one policy names.
#[derive(Debug)]
pub(crate) struct NamedFiles {
    folder: PathBuf,
    /// None: they need not be trusted one by one.
    trusted: Option<Trusted>,
    held: Mutex<BTreeMap<PathBuf, OwnedFd>>,
}

/// As long as a blocklist may be.
const LONGEST: u64 = 1 << 30;

impl NamedFiles {
    /// Of the policy at this path; of no file at all there are none.
    pub(crate) fn of(policy: Option<&Path>, trusted: Option<Trusted>) -> Self {
        let folder = policy.and_then(Path::parent).unwrap_or(Path::new("/"));
        Self {
            folder: folder.to_path_buf(),
            trusted,
            held: Mutex::default(),
        }
    }

    /// Where it is, for people and to be watched.
    pub(crate) fn place(&self, named: &Path) -> PathBuf {
        self.folder.join(named)
    }

    /// What to read for it, as long as this lives.
    pub(crate) fn to_read(&self, named: &Path) -> Result<PathBuf, Failure> {
        let place = self.place(named);
        let Some(trusted) = &self.trusted else {
            return Ok(place);
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains_key(&place) {
            held.insert(place.clone(), hold(&place, trusted)?);
        }
        let descriptor = held.get(&place).expect("it was just put there").as_raw_fd();
        Ok(Path::new("/proc/self/fd").join(descriptor.to_string()))
    }
}

/// A copy that nobody else can change.
fn hold(place: &Path, trusted: &Trusted) -> Result<OwnedFd, Failure> {
    let shown = place.display();
    let bytes = read_regular_file(place, LONGEST).explain(format!("cannot read `{shown}`"))?;
    if !trusted.covers(place, &fingerprint(&bytes)) {
        return Err(
            Failure::new(format!("`{shown}` is different from what was trusted"))
                .hint("read it, then `outwall trust` the policy file that names it"),
        );
    }
    let copy =
        memfd_create("outwall-named-file", MemfdFlags::CLOEXEC).explain("cannot hold a file in memory")?;
    let mut file = File::from(copy);
    file.write_all(&bytes).explain("cannot hold a file in memory")?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;
    use crate::trust_store::TrustStore;
    use std::fs;

    #[test]
    fn what_was_compared_is_what_is_read_whatever_happens_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (policy, list) = (
            folder.path().join("outwall.toml"),
            folder.path().join("ads.hosts"),
        );
        fs::write(&policy, "policy").unwrap();
        fs::write(&list, "trusted").unwrap();
        let store = TrustStore::new(folder.path().join("trusted"));
        store
            .record(&policy, b"policy", std::slice::from_ref(&list))
            .unwrap();
        let named = || NamedFiles::of(Some(&policy), store.trusted(&policy, b"policy").ok());

        let before = named();
        let read = || fs::read_to_string(before.to_read(Path::new("ads.hosts")).unwrap()).unwrap();
        assert_eq!(read(), "trusted");
        fs::write(&list, "swapped").unwrap();
        assert_eq!(read(), "trusted");
        assert_eq!(before.place(Path::new("ads.hosts")), list);
        // Somebody who looks when the trusted file is there again, and reads when it is not.
        fs::write(&list, "trusted").unwrap();
        let between = named();
        fs::write(&list, "swapped").unwrap();
        assert!(between.to_read(Path::new("ads.hosts")).is_err());
        assert!(
            before.to_read(Path::new("other.hosts")).is_err(),
            "nobody trusted it"
        );
    }

    #[test]
    fn an_operators_own_files_are_read_where_they_are() {
        let named = NamedFiles::of(Some(Path::new("/etc/outwall/outwall.toml")), None);
        assert_eq!(
            named.to_read(Path::new("ca.pem")).unwrap(),
            Path::new("/etc/outwall/ca.pem")
        );
        assert_eq!(
            named.to_read(Path::new("/srv/ca.pem")).unwrap(),
            Path::new("/srv/ca.pem")
        );
    }
}
