//! The command line: global options, and the list of subcommands with what each is handed.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::discovery::Discovery;
use crate::failure::{Explain, Failure};
use crate::state_directory::StateDirectory;
use crate::surroundings::Surroundings;
use crate::trust_store::TrustStore;
use crate::{attempt, audit, ca, credential, doctor, github, init, metrics, policy, proxy, run, trust, ui};

/// Runs commands in sandboxes whose only way out is a gate that decides, and writes down what happened.
#[derive(Debug, Parser)]
#[command(
    name = "outwall",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  outwall run -- claude                          an agent, with package registries in reach
  outwall run --allow api.example.com -- bash    one host more
  outwall audit --denied --since 1h              what was refused
  outwall ui --open                              the same in a browser
  outwall doctor                                 can this machine run sandboxes?";

/// Options that every subcommand takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The policy file to use [else: `$OUTWALL_CONFIG`, a trusted project file, the user's, the system's]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,

    /// Where the CA and the audit log are kept [else: `$OUTWALL_STATE_DIR`, `~/.local/state/outwall`]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Arguments>),
    Proxy(proxy::Arguments),
    Github(github::Arguments),
    #[command(subcommand)]
    Policy(policy::Command),
    Audit(Box<audit::Arguments>),
    Ui(ui::Arguments),
    Metrics(metrics::Arguments),
    #[command(subcommand)]
    Credential(credential::Command),
    #[command(subcommand)]
    Ca(ca::Command),
    Init(init::Arguments),
    Trust(trust::Arguments),
    Doctor(doctor::Arguments),
    #[command(hide = true)]
    Attempt(attempt::Arguments),
}

impl Command {
    /// How the process ends when Outwall itself fails. `run` otherwise ends with the command's code,
    /// so its own failures have one that cannot be taken for it.
    pub(crate) fn failure_code(&self) -> ExitCode {
        match self {
            Self::Run(_) => ExitCode::from(RUN_FAILED),
            _ => ExitCode::FAILURE,
        }
    }

    /// Whether what it prints is its work, so that it is done when nobody reads any more.
    pub(crate) fn only_prints(&self) -> bool {
        matches!(
            self,
            Self::Policy(_) | Self::Audit(_) | Self::Metrics(_) | Self::Doctor(_)
        )
    }
}

/// The exit code of `outwall run` when Outwall, and not the command, failed.
pub(crate) const RUN_FAILED: u8 = 125;

/// What a subcommand is handed beside its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) surroundings: Surroundings,
    pub(crate) state: StateDirectory,
    /// As given on the command line, to be repeated in commands that we suggest.
    pub(crate) given_state_dir: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Session {
    /// Finds the policy file that counts, and says on stderr which project file does not.
    pub(crate) fn discover(&self) -> Result<Discovery, Failure> {
        let discovery = self.search()?;
        for notice in discovery.notices() {
            let _ = writeln!(std::io::stderr(), "{}", crate::terminal::printable(&notice));
        }
        Ok(discovery)
    }

    /// The same, without a word.
    pub(crate) fn search(&self) -> Result<Discovery, Failure> {
        Discovery::search(self.config.as_deref(), &self.surroundings, &self.trust_store())
    }

    /// The policy file that the command line names.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    pub(crate) fn trust_store(&self) -> TrustStore {
        TrustStore::new(self.state.trusted())
    }
}

impl Arguments {
    /// Reads the command line, or says what is wrong with it and gives the code to end with.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            let _ = error.print();
            let help = !error.use_stderr();
            usage_code(help, std::env::args_os().skip(1))
        })
    }

    /// Does what was asked.
    pub(crate) fn obey(self) -> Result<ExitCode, Failure> {
        let surroundings = Surroundings::of_process().explain("cannot tell the working directory")?;
        let state = StateDirectory::resolve(self.global.state_dir.as_deref(), &surroundings)?;
        let session = Session {
            surroundings,
            state,
            given_state_dir: self.global.state_dir,
            config: self.global.config,
        };
        match self.command {
            Command::Run(arguments) => (*arguments).obey(&session),
            Command::Proxy(arguments) => arguments.obey(&session),
            Command::Github(arguments) => arguments.obey(&session),
            Command::Policy(command) => command.obey(&session),
            Command::Audit(arguments) => arguments.obey(&session),
            Command::Ui(arguments) => arguments.obey(&session),
            Command::Metrics(arguments) => arguments.obey(&session),
            Command::Credential(command) => command.obey(&session),
            Command::Ca(command) => command.obey(&session),
            Command::Init(arguments) => arguments.obey(&session),
            Command::Trust(arguments) => arguments.obey(&session),
            Command::Doctor(arguments) => arguments.obey(&session),
            Command::Attempt(arguments) => arguments.obey(),
        }
    }
}

/// 0 for help, 2 for a wrong command line, and 125 for a wrong one of `run`: a script that runs its
/// test suite through `outwall run` must not take our complaint for the suite's.
fn usage_code(help: bool, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    if help {
        return ExitCode::SUCCESS;
    }
    let mut before_dashes = arguments.take_while(|argument| argument != "--");
    if before_dashes.any(|argument| argument == "run") {
        ExitCode::from(RUN_FAILED)
    } else {
        ExitCode::from(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn code(help: bool, arguments: &[&str]) -> String {
        format!("{:?}", usage_code(help, arguments.iter().map(Into::into)))
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_subcommand_has_an_example() {
        for command in Arguments::command().get_subcommands() {
            let groups: Vec<_> = command.get_subcommands().collect();
            let all = if groups.is_empty() { vec![command] } else { groups };
            for command in all {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.starts_with("Example"),
                    "`{}` has no example",
                    command.get_name()
                );
            }
        }
    }

    #[test]
    fn a_wrong_command_line_of_run_ends_with_a_code_of_its_own() {
        assert_eq!(
            code(false, &["run", "--netwrok"]),
            format!("{:?}", ExitCode::from(125))
        );
        assert_eq!(
            code(false, &["audit", "--netwrok"]),
            format!("{:?}", ExitCode::from(2))
        );
        assert_eq!(code(true, &["run", "--help"]), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn what_follows_the_dashes_is_the_commands_own() {
        let parsed = Arguments::try_parse_from(["outwall", "run", "--quiet", "--", "ls", "--config", "x"]);
        let Command::Run(run) = parsed.expect("a good command line").command else {
            panic!("not run")
        };
        assert_eq!(run.command, ["ls", "--config", "x"]);
        assert!(run.quiet);
    }
}
