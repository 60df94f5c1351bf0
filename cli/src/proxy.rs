//! `outwall proxy`: the gate as an explicit proxy, for machines that Outwall did not make.

use std::net::SocketAddr;
use std::process::ExitCode;

use outwall_policy::EnvironmentName;

use crate::arguments::Session;
use crate::failure::Failure;

/// Runs the gate as a proxy that programs are pointed to
///
/// The same decisions and the same audit as in a sandbox; whoever can connect is one sandbox of the
/// environment. SIGTERM lets requests finish, SIGHUP reads the policy file again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall proxy --listen 127.0.0.1:8080 &
  outwall ca export > outwall-ca.pem
  curl --proxy http://127.0.0.1:8080 --cacert outwall-ca.pem https://pypi.org/simple/six/")]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one. `listening on ADDR` is printed when ready
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,

    /// The environment of whoever connects [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let _ = session;
        Err(Failure::new("not there yet"))
    }
}
