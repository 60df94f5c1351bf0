//! The NSS database that Chromium reads in `$HOME/.pki/nssdb`.
//!
//! Made by the host's `certutil`, since nobody else knows the format, and kept beside the CA: it costs two processes and a
//! password hash, and is the same until the CA or the extra roots change.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

use crate::ca::hex;
use crate::{Ca, pem};

/// Why there is no NSS database. Chromium is left to its managed policy; nothing else is affected.
#[derive(Debug, thiserror::Error)]
pub enum NssError {
    /// The host has no `certutil`.
    #[error(
        "`certutil` is not on this machine; install `libnss3-tools` (Debian) or `nss-tools` (Fedora, Alpine)"
    )]
    NoCertutil,
    /// It is there and could not be run.
    #[error("cannot run `certutil`")]
    Run(#[source] io::Error),
    /// It ran and refused.
    #[error("`certutil` failed: {said}")]
    Refused {
        /// Its standard error, first line.
        said: String,
    },
    /// Its files could not be kept.
    #[error("cannot keep the NSS database in `{}`", path.display())]
    Keep {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Name and contents of each file of the database with `roots` (the CA and the extra ones), made at first use.
pub(crate) fn database(
    ca: &Ca,
    roots: &[CertificateDer<'static>],
) -> Result<Vec<(&'static str, Vec<u8>)>, NssError> {
    let kept = ca.directory().join(format!("nssdb-{}", digest_of(roots)));
    if let Ok(files) = read(&kept) {
        return Ok(files);
    }
    make(ca.directory(), &kept, roots)?;
    read(&kept).map_err(|source| NssError::Keep { path: kept, source })
}

fn read(directory: &Path) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    FILES
        .into_iter()
        .map(|name| Ok((name, fs::read(directory.join(name))?)))
        .collect()
}

/// Builds beside the place and renames into it: two processes at once each build one, the first is kept.
fn make(beside: &Path, kept: &Path, roots: &[CertificateDer<'static>]) -> Result<(), NssError> {
    let building = Building::start(beside)?;
    certutil(&building.0, ["-N", "--empty-password"])?;
    for (index, root) in roots.iter().enumerate() {
        let file = building.0.join("root.pem");
        fs::write(&file, pem::encode(root)).map_err(failed(&file))?;
        let name = if index == 0 {
            "outwall".to_owned()
        } else {
            format!("outwall-extra-{index}")
        };
        certutil(
            &building.0,
            [
                "-A".as_ref(),
                "-t".as_ref(),
                "C,,".as_ref(),
                "-n".as_ref(),
                name.as_ref(),
                "-i".as_ref(),
                file.as_os_str(),
            ],
        )?;
    }
    match fs::rename(&building.0, kept) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()), // another process was first
        outcome => outcome.map_err(failed(kept)),
    }
}

/// A directory of our own that is gone when we are done with it or fail.
struct Building(PathBuf);

impl Building {
    fn start(beside: &Path) -> Result<Self, NssError> {
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| failed(beside)(io::Error::other("no random numbers")))?;
        let path = beside.join(format!(".nssdb-{}", hex(&random)));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(failed(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // moved away in the good case
    }
}

/// Where `certutil` may be. Not wherever `PATH` says: it may lead into a project, where an earlier sandbox could have left one
/// that would run on the host.
const PROGRAMS: [&str; 4] = [
    "/usr/bin/certutil",
    "/bin/certutil",
    "/usr/local/bin/certutil",
    "/run/current-system/sw/bin/certutil",
];

fn certutil<S: AsRef<OsStr>>(
    database: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(), NssError> {
    let mut location = std::ffi::OsString::from("sql:");
    location.push(database);
    let program = PROGRAMS.iter().find(|program| Path::new(program).exists());
    let output = Command::new(program.ok_or(NssError::NoCertutil)?)
        .arg("-d")
        .arg(location)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(NssError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr)
        .lines()
        .next()
        .unwrap_or("it did not say why")
        .to_owned();
    Err(NssError::Refused { said })
}

fn digest_of(roots: &[CertificateDer<'static>]) -> String {
    let mut context = Context::new(&SHA256);
    for root in roots {
        context.update(root);
    }
    hex(&context.finish().as_ref()[..8])
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NssError {
    move |source| NssError::Keep {
        path: path.to_owned(),
        source,
    }
}

const FILES: [&str; 3] = ["cert9.db", "key4.db", "pkcs11.txt"];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn certutil_is_here() -> bool {
        let here = Command::new("certutil").arg("-H").output().is_ok();
        if !here {
            eprintln!("SKIPPED: there is no `certutil` on this machine");
        }
        here
    }

    #[test]
    fn the_database_trusts_the_ca_and_the_extra_roots_for_tls_servers() {
        if !certutil_is_here() {
            return;
        }
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ca = Ca::load_or_create(directory.path()).unwrap();
        let extra = Ca::load_or_create(elsewhere.path()).unwrap();
        let files = database(&ca, &[ca.certificate().clone(), extra.certificate().clone()]).unwrap();
        let placed = tempfile::tempdir().unwrap();
        for (name, contents) in &files {
            fs::write(placed.path().join(name), contents).unwrap();
        }
        let location = format!("sql:{}", placed.path().display());
        let listed = Command::new("certutil")
            .args(["-d", &location, "-L"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&listed.stdout);
        assert_eq!(text.matches("C,,").count(), 2, "{text}");
        let found = Command::new("certutil")
            .args(["-d", &location, "-L", "-a", "-n", "outwall"])
            .output()
            .unwrap();
        let certificate = pem::first(&found.stdout).unwrap();
        assert_eq!(&certificate, ca.certificate());
    }

    #[test]
    fn it_is_made_once_and_made_anew_for_other_roots() {
        if !certutil_is_here() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(directory.path()).unwrap();
        let roots = [ca.certificate().clone()];
        let first = database(&ca, &roots).unwrap();
        assert_eq!(
            database(&ca, &roots).unwrap(),
            first,
            "NSS salts its files: the same bytes are the same database"
        );
        let ca = Ca::rotate(directory.path()).unwrap().ca;
        assert_ne!(database(&ca, &[ca.certificate().clone()]).unwrap(), first);
        let left_over = fs::read_dir(directory.path())
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".nssdb"));
        assert!(!left_over);
    }
}
