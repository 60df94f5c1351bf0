//! The key of a case, and how a sandbox comes to use it. The one place that knows.

use outwall_tests::Outwall;
use outwall_tests::credentials::Seeded;

use super::catalogue::{Case, Service};

/// A key that opens the stand-in, and nothing anywhere.
pub(super) struct Key(String);

/// Whose key an agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The person's, by the broker: the sandbox has a placeholder.
    Own,
    /// The person's, which is for another environment than the agent's.
    OfAnotherEnvironment,
    /// One that somebody put into the sandbox.
    Attackers,
}

impl Key {
    /// As the service makes them; another one for each seed.
    pub(super) fn of(case: &Case, seed: u64) -> Self {
        let random = Seeded::new(seed ^ u64::from(std::process::id())).text(LETTERS, RANDOM);
        Self(format!(
            "{}{}",
            case.service.prefix,
            String::from_utf8_lossy(&random)
        ))
    }

    pub(super) fn real(&self) -> &str {
        &self.0
    }

    /// All runs of 8 characters of its random part.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        let random = self.0.len() - RANDOM;
        (random..=self.0.len() - 8).map(|at| &self.0[at..at + 8])
    }
}

impl Access {
    /// Puts the person's key where the policy says that it is: into the variables of whoever runs Outwall.
    pub(super) fn prepare(outwall: Outwall, key: &Key) -> Outwall {
        outwall.variable(SOURCE, key.real())
    }

    /// What the policy says of the credential.
    pub(super) fn policy(self, service: &Service) -> String {
        let environment = match self {
            Self::Own | Self::Attackers => "agents",
            Self::OfAnotherEnvironment => "others",
        };
        format!(
            "[[credentials]]\npreset = {:?}\nsource = {{ env = {SOURCE:?} }}\nenvironments = [{environment:?}]\n\
             [environments.others]\nnetwork = \"none\"\n",
            service.preset
        )
    }

    /// The agent's command line, with what somebody in the sandbox put into its variables.
    pub(super) fn command(self, case: &Case, command: &[&str]) -> Vec<String> {
        let own = command.iter().map(ToString::to_string);
        match self {
            Self::Own | Self::OfAnotherEnvironment => own.collect(),
            Self::Attackers => {
                let variable = format!("{}={}", case.service.variable, Key::of(case, ANOTHER).real());
                ["env".to_owned(), variable].into_iter().chain(own).collect()
            }
        }
    }
}

/// Where the person has the key.
const SOURCE: &str = "KEY_OF_THE_PERSON";
/// A seed that is no case's.
const ANOTHER: u64 = 1 << 40;
/// How many characters of a key are random.
const RANDOM: usize = 80;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
