//! `outwall credential list | check`, of the credentials of the policy: whose secrets the gate puts into requests.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use outwall_broker::{CredentialState, Keeper, Residence, Standing};
use outwall_policy::brokered::{BrokeredCredential, CredentialName};
use outwall_policy::{EnvironmentName, Overrides};
use outwall_proxy::GateServices;
use serde_json::json;

use crate::arguments::Session;
use crate::doctor::chain;
use crate::failure::{Explain, Failure};
use crate::origin_files;
use crate::policy_in_force::PolicyInForce;
use crate::table::Table;
use crate::terminal::say;

/// Asks the sources of the policy's credentials, now, and says whether each can be used
///
/// The secret itself is never shown. Ends with 1 when one cannot be used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall credential check
  outwall credential check anthropic")]
pub(crate) struct Check {
    /// The credential [else: all of them]
    #[arg(value_name = "NAME")]
    name: Option<CredentialName>,
}

impl Check {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        let asked = self.asked(&in_force)?;
        if asked.is_empty() {
            say!("the policy has no [[credentials]]")?;
            return Ok(ExitCode::SUCCESS);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .explain("cannot start")?;
        let usable = runtime.block_on(check(&in_force, &asked))?;
        Ok(if usable {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn asked(&self, in_force: &PolicyInForce) -> Result<Vec<Arc<BrokeredCredential>>, Failure> {
        let all = in_force.policy.credentials();
        let Some(name) = &self.name else {
            return Ok(all.to_vec());
        };
        let found: Vec<_> = all.iter().filter(|known| known.name() == name).cloned().collect();
        if found.is_empty() {
            let known: Vec<&str> = all.iter().map(|known| known.name().as_str()).collect();
            let hint = match known.as_slice() {
                [] => "the policy has no [[credentials]]".to_owned(),
                _ => format!("there are {}", known.join(", ")),
            };
            return Err(Failure::new(format!("the policy has no credential \"{name}\"")).hint(hint));
        }
        Ok(found)
    }
}

async fn check(in_force: &PolicyInForce, asked: &[Arc<BrokeredCredential>]) -> Result<bool, Failure> {
    let keeper = Keeper::new(Arc::new(Timestamp::now));
    keeper.ask_through(Box::new(GateServices::of(in_force.read_files()?)));
    let sources = asked.iter().map(|known| (known.name(), known.source()));
    keeper.replace(&origin_files::surroundings(in_force), sources);
    let mut usable = true;
    for credential in asked {
        let state = keeper.check(credential.name()).await?;
        usable &= !matches!(state.standing, Standing::Unavailable(_));
        say!("{}", told(&state))?;
    }
    Ok(usable)
}

/// A line for what it is, and one for each thing that a person should know.
fn told(state: &CredentialState) -> String {
    let standing = match &state.standing {
        Standing::Ready => "can be used".to_owned(),
        Standing::Held(why) => {
            format!(
                "can be used for a while; {}\n  hint: {}",
                chain(&**why),
                why.remedy()
            )
        }
        Standing::Unavailable(why) => {
            format!("cannot be used; {}\n  hint: {}", chain(why), why.remedy())
        }
    };
    let expires = state
        .expires_at
        .map(|at| format!("\n  expires {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    let swap = "\n  its memory may be swapped out: `ulimit -l` leaves no room to lock it";
    let swappable = (state.residence == Some(Residence::Swappable)).then_some(swap);
    format!(
        "{} ({}): {standing}{}{}",
        state.name,
        state.kind,
        expires.unwrap_or_default(),
        swappable.unwrap_or_default(),
    )
}

/// What the policy says of each, for people.
pub(super) fn table(credentials: &[Arc<BrokeredCredential>]) -> Table<6> {
    let mut table = Table::new([
        "CREDENTIAL",
        "SOURCE",
        "HOSTS",
        "ENVIRONMENTS",
        "THE SANDBOX HAS",
        "LINE",
    ]);
    for known in credentials {
        let shown = known
            .placeholder()
            .map(|shown| format!("${}", shown.variables.join(", $")));
        table.row([
            known.name().to_string(),
            known.source().kind().to_owned(),
            hosts(known).join(", "),
            environments(known).join(", "),
            shown.unwrap_or_else(|| "nothing".to_owned()),
            known.line().map_or("-".to_owned(), |line| line.to_string()),
        ]);
    }
    table
}

/// The same for programs.
pub(super) fn as_json(known: &BrokeredCredential) -> serde_json::Value {
    json!({
        "credential": known.name().as_str(),
        "source": known.source().kind(),
        "hosts": hosts(known),
        "environments": environments(known),
        "variables": known.placeholder().map(|shown| &shown.variables),
    })
}

fn hosts(known: &BrokeredCredential) -> Vec<String> {
    known.hosts().iter().map(ToString::to_string).collect()
}

fn environments(known: &BrokeredCredential) -> Vec<String> {
    known
        .environments()
        .iter()
        .map(EnvironmentName::to_string)
        .collect()
}
