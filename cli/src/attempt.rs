//! What `outwall doctor --attack` runs inside its sandbox: the attempts of the list, one line of JSON for each. Not for people.

use std::io::Write as _;
use std::process::ExitCode;

use outwall_attacks::{Side, Surroundings};
use outwall_sandbox_runtime::Forbidden;

use crate::failure::{Explain, Failure};

/// Makes the attempts of `outwall doctor --attack`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall doctor --attack    runs this by itself")]
pub(crate) struct Arguments {
    /// The port of the victim on the host's loopback
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    victim: u16,

    /// Only make this namespace or system call, and end with 0 when that worked
    #[arg(long, value_name = "NAME")]
    alone: Option<String>,
}

impl Arguments {
    pub(crate) fn obey(&self) -> Result<ExitCode, Failure> {
        if let Some(name) = &self.alone {
            return alone(name);
        }
        let around = Surroundings {
            victim: self.victim,
            ..Surroundings::default()
        };
        outwall_attacks::run(&outwall_attacks::list(), Side::Sandbox, &around, |made| {
            let line = serde_json::to_string(&made).unwrap_or_default();
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        });
        Ok(ExitCode::SUCCESS)
    }
}

fn alone(name: &str) -> Result<ExitCode, Failure> {
    let made = outwall_attacks::make_namespace(name);
    let made = made.or_else(|| Forbidden::named(name).map(Forbidden::make));
    let made = made.ok_or_else(|| Failure::new(format!("nothing is made that is called `{name}`")))?;
    made.explain(format!("no {name}"))?;
    Ok(ExitCode::SUCCESS)
}
