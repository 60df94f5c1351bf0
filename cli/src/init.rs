//! `outwall init`: writes a commented policy file to start from. Never over an existing one.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::arguments::Session;
use crate::discovery::{FILE_NAME, user_directory};
use crate::failure::{Explain, Failure};
use crate::state_directory::private_directory;
use crate::terminal::say;

/// Writes a commented `outwall.toml` to start from
///
/// In a project the file counts after `outwall trust`; with --user it counts for every sandbox of yours.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall init           writes ./outwall.toml
  outwall init --user    writes the file in your configuration directory")]
pub(crate) struct Arguments {
    /// Write the user's own file instead of one in this directory
    #[arg(long)]
    user: bool,
}

/// The file that is written. Every line of it that is commented out is valid when it is not.
pub(crate) const TEMPLATE: &str = include_str!("init/outwall.toml");

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let path = self.place(session)?;
        write_new(&path)?;
        say!("wrote `{}`", path.display())?;
        if !self.user {
            say!("it counts once you have edited it and run `outwall trust`")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn place(&self, session: &Session) -> Result<PathBuf, Failure> {
        if !self.user {
            return Ok(session.surroundings.working_directory.join(FILE_NAME));
        }
        let directory = user_directory(&session.surroundings)
            .ok_or_else(|| Failure::new("there is no home directory to write to"))?;
        private_directory(&directory).explain(format!("cannot make `{}`", directory.display()))?;
        Ok(directory.join(FILE_NAME))
    }
}

fn write_new(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file
            .write_all(TEMPLATE.as_bytes())
            .explain(format!("cannot write `{shown}`")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::new(format!("`{shown}` exists, and is left as it is"))
                .hint("`outwall policy show` says what it allows"))
        }
        Err(error) => Err(error).explain(format!("cannot write `{shown}`")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;
    use outwall_policy::{AuditSettings, Blocklist, GateSetting, Policy, PolicyDocument};
    use outwall_proxy::Limits;

    /// The template with every `#key = value` and `#[table]` line switched on; prose starts with `# `.
    fn switched_on() -> String {
        TEMPLATE
            .lines()
            .filter(|line| !line.starts_with("# ") && *line != "#")
            .map(|line| line.strip_prefix('#').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_template_means_what_no_file_means() {
        let written = PolicyDocument::parse(TEMPLATE, FILE_NAME).unwrap();
        let policy = Policy::compile(&written).unwrap();
        let built_in = Policy::compile(&PolicyDocument::default()).unwrap();
        let network = |policy: &Policy| policy.environment(None).unwrap().network();
        assert_eq!(network(&policy), network(&built_in));
        assert!(policy.warnings().is_empty());
    }

    #[test]
    fn every_line_that_is_commented_out_is_valid() {
        let mut written = PolicyDocument::parse(&switched_on(), FILE_NAME).unwrap();
        let lists: Vec<String> = written.blocklists().map(str::to_owned).collect();
        for path in lists {
            written.add_blocklist(&path, Blocklist::parse(b"ads.example.com", &path));
        }
        let policy = Policy::compile(&written).unwrap();
        let removing = AuditSettings {
            keep_for: policy.audit().keep_for,
            keep_at_most: policy.audit().keep_at_most,
            export_checkpoints: policy.audit().export_checkpoints.clone(),
            sinks: policy.audit().sinks.clone(),
            ..AuditSettings::default()
        };
        assert_eq!(
            *policy.audit(),
            removing,
            "what the template says is what is, but for these"
        );
        for setting in GateSetting::ALL {
            let told = policy.gate().iter().find(|(told, _)| *told == setting);
            let is = Limits::default().of(setting);
            match setting {
                GateSetting::Threads => assert!(told.is_some()), // as many as there are cores
                _ => assert_eq!(told, Some((setting, is)), "what the template says is what is"),
            }
        }
    }

    #[test]
    fn an_existing_file_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        write_new(&path).unwrap();
        std::fs::write(&path, "mine").unwrap();
        assert!(write_new(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
