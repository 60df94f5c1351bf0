//! Who made a connection of the sandbox: what the sandbox's runtime has found, as the gate records it, with the digest of the
//! executable.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use outwall_audit::event::Process;
use outwall_broker::Stamp;
use outwall_proxy::{Asker, Askers, Made};
use outwall_sandbox_runtime::{Ends, Program, Programs, Unknown};

/// Finds out who made a connection.
#[derive(Debug)]
pub(super) struct Lookout {
    programs: Programs,
    digests: Arc<Digests>,
}

impl Lookout {
    pub(super) fn new(programs: Programs) -> Arc<Self> {
        Arc::new(Self {
            programs,
            digests: Arc::default(),
        })
    }

    fn asker(&self, program: Program) -> Asker {
        let mut process = Process {
            executable: Some(program.executable.path),
            sha256: None,
            pid: Some(program.pid.into()),
            ancestors: program.ancestors,
            unknown: None,
        };
        let file = program.executable.file;
        process.sha256 = self.digests.known(&file);
        let (digests, full) = (Arc::clone(&self.digests), process.clone());
        let read_it = move || Process {
            sha256: digests.of(&file),
            ..full
        };
        let is_full = process.sha256.is_some();
        let more = (!is_full).then(|| Box::new(read_it) as Box<dyn FnOnce() -> Process + Send>);
        Asker { process, more }
    }
}

impl Askers for Lookout {
    fn who(&self, connections: &[Made]) -> Vec<Asker> {
        let ends = |made: &Made| Ends {
            client: made.from,
            server: made.to,
        };
        let ends: Vec<_> = connections.iter().map(ends).collect();
        let found = self.programs.of(&ends).into_iter();
        let asker = |found: Result<Program, Unknown>| match found {
            Ok(program) => self.asker(program),
            Err(unknown) => Asker {
                process: Process::unknown(unknown.to_string()),
                more: None,
            },
        };
        found.map(asker).collect()
    }
}

/// SHA-256 of executables, each read once for as long as it stays the same.
#[derive(Debug, Default)]
struct Digests(Mutex<HashMap<Stamp, String>>);

impl Digests {
    /// The digest of a file that was read before.
    fn known(&self, file: &OwnedFd) -> Option<String> {
        let identity = Stamp::of(&std::fs::metadata(again(file)).ok()?);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&identity).cloned()
    }

    /// The digest of a file; none where it may not be read, is larger than is read, or changes meanwhile.
    fn of(&self, file: &OwnedFd) -> Option<String> {
        if let Some(known) = self.known(file) {
            return Some(known);
        }
        let file = File::open(again(file)).ok()?;
        let before = Stamp::of(&file.metadata().ok()?);
        if before.size() > LARGEST {
            return None;
        }
        let digest = read(&file).ok()?;
        if Stamp::of(&file.metadata().ok()?) != before {
            return None;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(before, digest.clone());
        Some(digest)
    }
}

/// What opens a file again of which we have a descriptor that cannot be read.
fn again(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn read(mut file: &File) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => context.update(&buffer[..read]),
        }
    }
    let hexadecimal = |byte: &u8| format!("{byte:02x}");
    Ok(context.finish().as_ref().iter().map(hexadecimal).collect())
}

/// Larger executables have no digest on record.
const LARGEST: u64 = 1 << 30;
/// Executables of one run.
const MOST_KNOWN: usize = 4096;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_has_changed_and_only_then() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let open = || OwnedFd::from(File::open(file.path()).unwrap());
        let digests = Digests::default();
        assert_eq!(digests.known(&open()), None);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digests.of(&open()).as_deref(), Some(abc));
        assert_eq!(digests.known(&open()), Some(abc.to_owned()));
        std::fs::write(file.path(), "abcd").unwrap();
        assert_eq!(digests.known(&open()), None);
        assert_ne!(digests.of(&open()).as_deref(), Some(abc));
    }

    #[test]
    fn what_cannot_be_read_has_no_digest() {
        let directory = tempfile::tempdir().unwrap();
        let directory = OwnedFd::from(File::open(directory.path()).unwrap());
        assert_eq!(Digests::default().of(&directory), None);
    }
}
