//! What the files hold that say how origins are met: read once when a policy comes in force, with errors that name the line.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use outwall_broker::Surroundings;
use outwall_certs::{ClientIdentity, origin_roots};
use outwall_policy::{ClientCertificate, ParentCredentials, ParentProxy, SecretSource};
use outwall_proxy::{InForce, OriginTrust, ParentPassword};
use zeroize::Zeroizing;

use crate::discovery::read_regular_file;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;

/// The policy, and what the files that it names hold now.
pub(crate) fn read(in_force: &PolicyInForce) -> Result<InForce, Failure> {
    let roots = origin_roots(&in_force.extra_roots()?)
        .explain("cannot read the roots that servers are verified against")?;
    let certificates = in_force.policy.origins().client_certificates().iter();
    let identities = certificates
        .map(|certificate| identity(in_force, certificate))
        .collect::<Result<Vec<_>, _>>()?;
    let trust = OriginTrust::new(roots).showing(identities);
    let parent = in_force.policy.origins().parent_proxy();
    let trust = match parent.and_then(ParentProxy::credentials) {
        Some(credentials) => trust.known_to_parent_as(credentials, &password(in_force, credentials)?),
        None => trust,
    };
    Ok(InForce::new(in_force.policy.clone(), trust)?.within(surroundings(in_force)))
}

/// What the sources of the policy's credentials are made with.
pub(crate) fn surroundings(in_force: &PolicyInForce) -> Surroundings {
    Surroundings {
        folder: in_force.place(Path::new("")),
        home: std::env::home_dir().filter(|home| home.is_absolute()),
    }
}

/// What should be mended about those files, although they can be used.
pub(crate) fn warnings(in_force: &PolicyInForce) -> Vec<String> {
    let origins = in_force.policy.origins();
    let readable = in_force.secret_files().into_iter().filter_map(|path| {
        let others = path.metadata().is_ok_and(|found| found.mode() & 0o077 != 0);
        let shown = path.display();
        others.then(|| format!("others may read `{shown}`, which is secret\n  hint: `chmod 600 {shown}`"))
    });
    let expired = origins.client_certificates().iter().filter_map(|certificate| {
        let over = identity(in_force, certificate).is_ok_and(|identity| identity.has_expired());
        over.then(|| {
            format!(
                "{} has expired, and origins will refuse it\n  hint: have a new one issued",
                place(in_force, certificate)
            )
        })
    });
    readable.chain(expired).collect()
}

fn identity(in_force: &PolicyInForce, certificate: &ClientCertificate) -> Result<ClientIdentity, Failure> {
    let place = place(in_force, certificate);
    let read = |named: &Path| {
        secret(in_force, named)
            .explain(format!("{place} cannot be used"))
            .hint("the path is relative to the policy file")
    };
    let (public, private) = (read(certificate.certificate())?, read(certificate.key())?);
    ClientIdentity::from_pem(&public, &private).map_err(|error| {
        let file = if error.is_about_key() {
            certificate.key()
        } else {
            certificate.certificate()
        };
        let remedy = error.remedy();
        Failure::from(error)
            .explain(format!("`{}` is wrong", in_force.place(file).display()))
            .explain(format!("{place} cannot be used"))
            .hint(remedy)
    })
}

fn secret(in_force: &PolicyInForce, named: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = read_regular_file(&in_force.to_read(named)?, LONGEST)
        .explain(format!("cannot read `{}`", in_force.place(named).display()))?;
    Ok(Zeroizing::new(bytes))
}

fn password(in_force: &PolicyInForce, credentials: &ParentCredentials) -> Result<ParentPassword, Failure> {
    let place = format!(
        "{}: the parent proxy's password",
        line(in_force, credentials.line())
    );
    let read = match credentials.password() {
        SecretSource::Environment(name) => std::env::var(name).map(Zeroizing::new).map_err(|_| {
            Failure::new(format!("the variable `{name}` is not set, or is no text")).hint(format!(
                "set it where `outwall` is started: `{name}=... outwall run ...`"
            ))
        }),
        SecretSource::File(file) => secret(in_force, Path::new(file)).and_then(|bytes| {
            let text = std::str::from_utf8(&bytes).map_err(|_| {
                Failure::new(format!("`{file}` is no text"))
                    .hint("write the password alone into it, in one line")
            })?;
            Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }),
    };
    let password = read.explain(format!("{place} cannot be read"))?;
    if password.is_empty() || password.contains(char::is_control) {
        return Err(
            Failure::new(format!("{place} is empty, or has more than one line"))
                .hint("give it as one line of text"),
        );
    }
    Ok(ParentPassword::new(password))
}

/// `outwall.toml:12`.
fn line(in_force: &PolicyInForce, line: Option<usize>) -> String {
    let file = in_force.path().unwrap_or_default();
    line.map_or(file.clone(), |line| format!("{file}:{line}"))
}

/// `outwall.toml:12: the client certificate "client.pem"`.
fn place(in_force: &PolicyInForce, certificate: &ClientCertificate) -> String {
    let line = line(in_force, certificate.line());
    format!("{line}: the client certificate \"{}\"", certificate.name())
}

/// A chain of a dozen certificates is 30 kB.
const LONGEST: u64 = 256 * 1024;
