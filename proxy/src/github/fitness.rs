//! Whether a session's token may be used to write: looked at once for each token.

use std::collections::HashMap;
use std::sync::Mutex;

use outwall_broker::{Secret, Unavailable};
use outwall_git_proxy::Question;
use outwall_policy::brokered::Source;
use outwall_policy::github::{SessionRepository, TokenFault, TokenScopes};
use outwall_policy::{Reason, RequestPermit};
use thiserror::Error;

use super::asking::{self, NotAsked};
use super::visit::Visit;
use crate::exchange::Stopped;
use crate::gate::Shared;

/// What was found of tokens, by their generation.
#[derive(Default)]
pub(crate) struct Fitness(Mutex<HashMap<u64, TokenScopes>>);

/// Why a session cannot begin.
#[derive(Debug, Error)]
pub enum SessionFault {
    /// The policy has no `[[github]]` for the host.
    #[error("the policy has no [[github]] for {0}")]
    NoGithub(String),
    /// Its secret cannot be had.
    #[error("the credential of the session cannot be had")]
    Unavailable(#[from] Unavailable),
    /// GitHub cannot be asked.
    #[error("GitHub cannot be asked about the repository")]
    NotAsked(#[from] NotAsked),
    /// Its token cannot be used.
    #[error("{0}")]
    Token(TokenFault),
}

impl From<TokenFault> for SessionFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// Whether a session may begin: its token can be had, sees the repository, and may not too much.
pub(crate) async fn check(shared: &Shared, at: &SessionRepository) -> Result<(), SessionFault> {
    let policy = shared.policy.load_full();
    let github = policy
        .policy
        .github(&at.host)
        .ok_or_else(|| SessionFault::NoGithub(at.host.to_string()))?;
    let secret = shared
        .secrets
        .keeper
        .current_for(github.credential(), &at.repository, *github.rules())
        .await?;
    let scopes = scopes(shared, at, &secret).await?;
    let credentials = policy.policy.credentials();
    let of_app = credentials.iter().any(|known| {
        known.name() == github.credential() && matches!(known.source(), Source::GithubApp { .. })
    });
    if !of_app {
        github.judge(&scopes)?; // an App's is minted without the permission
    }
    shared.fitness.learn(&secret, scopes);
    Ok(())
}

async fn scopes(
    shared: &Shared,
    at: &SessionRepository,
    secret: &Secret,
) -> Result<TokenScopes, SessionFault> {
    if let Some(known) = shared.fitness.known(secret) {
        return Ok(known);
    }
    let question = Question::RepositoryNumber(at.repository.clone());
    let answer = asking::send(shared, &at.host, &question, secret).await?;
    match answer.status {
        200 => Ok(TokenScopes::read(answer.scopes.as_deref())),
        401 => Err(TokenFault::NotTaken.into()),
        403 | 404 => Err(TokenFault::SeesNot(at.repository.clone()).into()),
        status => Err(NotAsked::Status(status).into()),
    }
}

impl Fitness {
    fn known(&self, secret: &Secret) -> Option<TokenScopes> {
        let known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(&secret.generation()).cloned()
    }

    fn learn(&self, secret: &Secret, scopes: TokenScopes) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear(); // tokens of apps are new every hour
        }
        known.insert(secret.generation(), scopes);
    }
}

impl Visit<'_> {
    /// What writes a ref is sent with a token that may be used for that.
    pub(super) async fn expect_fit(&self, permit: &RequestPermit) -> Result<(), Stopped> {
        let used = permit.github().expect("it was decided on as one");
        if used
            .actions()
            .all
            .iter()
            .all(|action| action.written_ref().is_none())
        {
            return Ok(());
        }
        let target = permit.target().clone();
        let reason = match check(&self.gate().shared, self.grant.at()).await {
            Ok(()) => return Ok(()),
            Err(SessionFault::Token(fault)) => Reason::GithubToken { target, fault },
            Err(why) => Reason::GithubNotAsked {
                target,
                why: crate::error::chain(&why),
            },
        };
        Err(self.told(self.gate().denial(reason)))
    }
}

const MOST: usize = 1000;
