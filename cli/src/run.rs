//! `outwall run`: a command in a new sandbox whose only way out is the gate.

use std::ffi::OsString;
use std::process::ExitCode;

use outwall_policy::{EnvironmentName, NetworkLevel};

use crate::arguments::Session;
use crate::failure::Failure;

/// Runs a command in a new sandbox
///
/// It sees this directory, the system's programs and the toolchains on PATH; not your home, your
/// keys or your variables. Its requests go through the gate, which allows, refuses and records them.
/// Ends with the command's exit code; with 125 when Outwall itself fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall run -- claude
  outwall run --allow api.example.com --env API_KEY -- npm test
  outwall run --network none -- python3 untrusted.py
  outwall run --mount ~/datasets --mount ~/out:rw --home work -- bash")]
pub(crate) struct Arguments {
    /// The environment of the policy to run in [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// What it may reach, instead of what the environment says
    #[arg(long, value_name = "none|trusted|full|custom")]
    network: Option<NetworkLevel>,

    /// Allow one more host: `api.example.com`, `*.example.com`, `host:8443` (repeatable)
    #[arg(long, value_name = "DOMAIN")]
    allow: Vec<String>,

    /// Set a variable, or pass on the one of that name (repeatable)
    #[arg(long, value_name = "KEY[=VALUE]")]
    env: Vec<OsString>,

    /// Show a file or folder at its own path, read-only unless `:rw` (repeatable)
    #[arg(long, value_name = "PATH[:rw]")]
    mount: Vec<OsString>,

    /// Keep the home folder under this name and use it again next time [else: a fresh one]
    #[arg(long, value_name = "NAME")]
    home: Option<String>,

    /// Be root inside the sandbox, to install system packages (discarded at the end)
    #[arg(long)]
    root: bool,

    /// No summary line at the end
    #[arg(long)]
    pub(crate) quiet: bool,

    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        let _ = session;
        Err(Failure::new("not there yet"))
    }
}
