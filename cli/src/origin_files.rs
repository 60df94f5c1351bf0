//! What the files hold that say how origins are met: read once when a policy comes in force, with errors that name the line.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use outwall_certs::{ClientIdentity, origin_roots};
use outwall_policy::ClientCertificate;
use outwall_proxy::{InForce, OriginTrust};
use zeroize::Zeroizing;

use crate::discovery::read_regular_file;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;

/// The policy, and what the files that it names hold now.
pub(crate) fn read(in_force: &PolicyInForce) -> Result<InForce, Failure> {
    if in_force.policy.origins().parent_proxy().is_some() {
        return Err(Failure::new("parent proxies are not supported by this version")
            .hint("leave `parent_proxy` out, and let the gate reach origins directly"));
    }
    let roots = origin_roots(&in_force.extra_roots()?)
        .explain("cannot read the roots that servers are verified against")?;
    let certificates = in_force.policy.origins().client_certificates().iter();
    let identities = certificates
        .map(|certificate| identity(in_force, certificate))
        .collect::<Result<Vec<_>, _>>()?;
    let trust = OriginTrust::new(roots).showing(identities);
    Ok(InForce::new(in_force.policy.clone(), trust)?)
}

/// What should be mended about those files, although they can be used.
pub(crate) fn warnings(in_force: &PolicyInForce) -> Vec<String> {
    let origins = in_force.policy.origins();
    let readable = origins.secret_files().filter_map(|file| {
        let path = in_force.place(file);
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

/// `outwall.toml:12: the client certificate "client.pem"`.
fn place(in_force: &PolicyInForce, certificate: &ClientCertificate) -> String {
    let file = in_force.file.as_ref().map(|(_, path)| path.display().to_string());
    let line = certificate.line().map(|line| format!(":{line}"));
    format!(
        "{}{}: the client certificate \"{}\"",
        file.unwrap_or_default(),
        line.unwrap_or_default(),
        certificate.name()
    )
}

/// A chain of a dozen certificates is 30 kB.
const LONGEST: u64 = 256 * 1024;
