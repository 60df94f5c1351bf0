//! `outwall ca`: hands out the CA's certificate, or replaces the CA.

use std::io::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use outwall_certs::{Ca, TrustBundle, read_roots};
use outwall_policy::Overrides;

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;
use crate::terminal::say;

/// The CA that sandboxes trust: export it, replace it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Export(Export),
    Rotate(Rotate),
}

/// Writes the CA's certificate, or a full bundle with the system's roots, to standard output
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall ca export > outwall-ca.pem                     for `update-ca-certificates` on a machine that uses `outwall proxy`
  outwall ca export --format bundle > ca-bundle.pem      for SSL_CERT_FILE, which replaces the system's roots")]
pub(crate) struct Export {
    /// The certificate alone, or with all roots that a sandbox trusts
    #[arg(long, value_enum, default_value_t = Format::Pem)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The CA's certificate alone
    Pem,
    /// The CA's certificate, the policy's extra roots and the system's roots
    Bundle,
}

/// Replaces the CA with a new one
///
/// Commands that are running go on with the old one; sandboxes that start from now on trust the new
/// one only. Machines that were given the old certificate need the new one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall ca rotate && outwall ca export > outwall-ca.pem")]
pub(crate) struct Rotate {}

impl Command {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        match self {
            Self::Export(export) => export.obey(session),
            Self::Rotate(_) => rotate(session),
        }
    }
}

impl Export {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let ca = open(session)?;
        let mut out = std::io::stdout().lock();
        let written = match self.format {
            Format::Pem => out.write_all(ca.certificate_pem().as_bytes()),
            Format::Bundle => out.write_all(bundle(&ca, session)?.pem()),
        };
        written
            .and_then(|()| out.flush())
            .explain("cannot write to standard output")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The CA of the state directory, made at first use.
pub(crate) fn open(session: &Session) -> Result<Ca, Failure> {
    session.state.make()?;
    Ca::load_or_create(&session.state.ca())
        .explain("cannot use the CA")
        .hint("`outwall ca rotate` makes a new one; sandboxes started from then on trust it")
}

fn bundle(ca: &Ca, session: &Session) -> Result<TrustBundle, Failure> {
    let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
    Ok(TrustBundle::assemble(ca, &read_roots(&in_force.extra_roots()?)?)?)
}

fn rotate(session: &Session) -> Result<ExitCode, Failure> {
    session.state.make()?;
    let rotated = Ca::rotate(&session.state.ca()).explain("cannot make a new CA")?;
    say!("the CA is new (SHA-256 {})", rotated.ca.fingerprint())?;
    if let Some(old) = rotated.old_certificate {
        say!("the old certificate is kept as `{}`", old.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
