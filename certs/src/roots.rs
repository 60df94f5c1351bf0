//! What the gate itself believes: the system's roots and those that the operator adds.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` of the host are respected, as every client on the host would.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};

/// Why the roots could not be had. Nothing is verified against half a set: each of these refuses.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The host has no trust store that we know to find.
    #[error(
        "no system root certificates found{}; install the `ca-certificates` package, or point SSL_CERT_FILE to a bundle",
        because(problems)
    )]
    NoSystemRoots {
        /// What went wrong on the way, as said by the loader; often empty.
        problems: Vec<String>,
    },
    /// A file of extra roots cannot be read.
    #[error("cannot read the extra roots `{}`", path.display())]
    Unreadable {
        /// The file as configured.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of extra roots is not PEM.
    #[error("the extra roots `{}` are not certificates in PEM", path.display())]
    NotPem {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file of extra roots holds no certificate at all.
    #[error("`{}` holds no certificate; extra roots are certificates in PEM (`-----BEGIN CERTIFICATE-----`)", path.display())]
    Empty {
        /// The file as configured.
        path: PathBuf,
    },
    /// A certificate among the extra roots cannot be a trust anchor.
    #[error("certificate {number} of `{}` cannot be used as a root", path.display())]
    NotARoot {
        /// The file as configured.
        path: PathBuf,
        /// Which of its certificates, from 1.
        number: usize,
        /// Why not.
        source: rustls::Error,
    },
}

/// The roots that origins are verified against: the system's and those in the files `extra`.
///
/// A system root that rustls cannot read is left out (old stores have such); an extra root that it cannot read is an error.
pub fn origin_roots(extra: &[PathBuf]) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(system_roots()?.iter().cloned());
    for path in extra {
        for (index, certificate) in read_file(path)?.into_iter().enumerate() {
            store.add(certificate).map_err(|source| RootsError::NotARoot {
                path: path.clone(),
                number: index + 1,
                source,
            })?;
        }
    }
    Ok(store)
}

/// The certificates in the files `extra`, in order, for [`crate::TrustBundle::assemble`].
pub fn read_roots(extra: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let mut roots = Vec::new();
    for path in extra {
        roots.extend(read_file(path)?);
    }
    Ok(roots)
}

/// The host's own roots. Read once per process.
pub fn system_roots() -> Result<&'static [CertificateDer<'static>], RootsError> {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots);
    }
    let loaded = match whole_bundle() {
        Some(bundle) => rustls_native_certs::load_certs_from_paths(Some(&bundle), None),
        None => rustls_native_certs::load_native_certs(),
    };
    if loaded.certs.is_empty() {
        let problems = loaded.errors.iter().map(ToString::to_string).collect();
        return Err(RootsError::NoSystemRoots { problems });
    }
    Ok(ROOTS.get_or_init(|| loaded.certs))
}

/// The one file that holds all of the system's roots, where the distribution keeps such a file. The hash directory beside it
/// has the same certificates again, one file and one link each: to read those too costs some 300 opens at every start.
fn whole_bundle() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from);
    match (named("SSL_CERT_FILE"), named("SSL_CERT_DIR")) {
        (None, None) => WHOLE_BUNDLES
            .iter()
            .map(PathBuf::from)
            .find(|bundle| bundle.is_file()),
        // Both variables on the one store, as some shells and images set them.
        (Some(file), Some(directory)) if file.parent() == Some(&directory) => {
            (WHOLE_BUNDLES.iter().any(|bundle| file == Path::new(bundle)) && file.is_file()).then_some(file)
        }
        _ => None,
    }
}

/// Written whole by `update-ca-certificates` (Debian, Alpine, Arch) and `update-ca-trust` (Fedora), with every root in it.
const WHOLE_BUNDLES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

fn read_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let text = std::fs::read(path).map_err(|source| RootsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let roots = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| RootsError::NotPem {
            path: path.to_owned(),
            source,
        })?;
    if roots.is_empty() {
        return Err(RootsError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(roots)
}

fn because(problems: &[String]) -> String {
    if problems.is_empty() {
        String::new()
    } else {
        format!(" ({})", problems.join("; "))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Ca;

    #[test]
    fn extra_roots_are_added_to_those_of_the_system() {
        let directory = tempfile::tempdir().unwrap();
        Ca::load_or_create(directory.path()).unwrap();
        let with = origin_roots(&[directory.path().join("ca.pem")]).unwrap();
        assert_eq!(with.len(), origin_roots(&[]).unwrap().len() + 1);
        assert!(with.len() > 50, "the system has its roots");
    }

    #[test]
    fn a_file_that_is_no_root_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let not_a_root = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            (directory.path().join("absent.pem"), "cannot read"),
            (file("empty.pem", "nothing here\n"), "holds no certificate"),
            (
                file("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
                "are not certificates in PEM",
            ),
            (file("odd.pem", not_a_root), "certificate 1 of"),
        ];
        for (path, says) in cases {
            let said = origin_roots(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(
                said.contains(says) && said.contains(&path.display().to_string()),
                "{said}"
            );
        }
    }
}
