//! What a person should know before a session works at GitHub: the programs, and the token.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use outwall_broker::{Keeper, Question, Secret, Services as _, Unavailable};
use outwall_policy::Overrides;
use outwall_policy::brokered::{ServiceUrl, Source};
use outwall_policy::github::{Github, TokenFault, TokenScopes};
use outwall_proxy::GateServices;
use zeroize::Zeroizing;

use super::{Check, chain};
use crate::arguments::Session;
use crate::origin_files;
use crate::policy_in_force::PolicyInForce;

/// Nothing where the policy has no `[[github]]`.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    let in_force = session
        .search()
        .and_then(|discovery| PolicyInForce::compile(discovery, None, &Overrides::default()));
    let Ok(in_force) = in_force else { return Vec::new() };
    if in_force.policy.githubs().is_empty() {
        return Vec::new();
    }
    let programs = [
        ("git", "sessions clone and push with it: install `git`"),
        (
            "gh",
            "pull requests are opened with it; sandboxes have the system's programs",
        ),
        ("git-lfs", "repositories with large files need it"),
    ];
    let programs = programs
        .into_iter()
        .map(|(name, remedy)| program(session, name, remedy));
    programs.chain(tokens(&in_force)).collect()
}

fn program(session: &Session, name: &'static str, remedy: &'static str) -> Check {
    let path = session.surroundings.variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(|at| at.is_file());
    match found {
        Some(at) => Check::good(name, format!("`{}`", at.display())),
        None => Check::lesser(name, "is not on PATH", remedy),
    }
}

fn tokens(in_force: &PolicyInForce) -> Vec<Check> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Ok(runtime), Ok(files)) = (runtime, in_force.read_files()) else {
        return Vec::new(); // said elsewhere
    };
    let keeper = Keeper::new(Arc::new(Timestamp::now));
    keeper.ask_through(Box::new(GateServices::of(files.clone())));
    let known = in_force.policy.credentials().iter();
    runtime.block_on(async {
        let sources = known.map(|known| (known.name(), known.source()));
        keeper.replace(&origin_files::surroundings(in_force), sources);
        let services = GateServices::of(files);
        let mut checks = Vec::new();
        for github in in_force.policy.githubs() {
            let looked = look(in_force, &keeper, &services, github);
            let looked = tokio::time::timeout(PATIENCE, looked).await;
            checks.push(told(
                github,
                looked.unwrap_or(Found::NotAsked("it does not answer".to_owned())),
            ));
        }
        checks
    })
}

/// What was found of a token.
enum Found {
    /// Tokens are minted for each session.
    App,
    Unavailable(Unavailable),
    /// GitHub says nothing.
    NotAsked(String),
    Fault(TokenFault),
    /// It may be used.
    Fit(TokenScopes),
}

async fn look(in_force: &PolicyInForce, keeper: &Keeper, services: &GateServices, github: &Github) -> Found {
    let name = github.credential();
    let known = in_force
        .policy
        .credentials()
        .iter()
        .find(|known| known.name() == name);
    if known.is_some_and(|known| matches!(known.source(), Source::GithubApp { .. })) {
        return Found::App;
    }
    let secret = match keeper.current(name).await {
        Ok(secret) => secret,
        Err(why) => return Found::Unavailable(why),
    };
    let Some(question) = question(github, &secret) else {
        return Found::NotAsked("it has no URL".to_owned());
    };
    match services.ask(question).await {
        Err(why) => Found::NotAsked(chain(&why)),
        Ok(answer) if answer.status == 401 => Found::Fault(TokenFault::NotTaken),
        Ok(answer) => {
            let scopes = TokenScopes::read(answer.scopes.as_deref());
            github
                .judge(&scopes)
                .map_or_else(Found::Fault, |()| Found::Fit(scopes))
        }
    }
}

/// What costs nothing of the token's rate ("Rate limits for the REST API", GitHub Docs).
fn question(github: &Github, secret: &Secret) -> Option<Question> {
    let host = github.host();
    let token = String::from_utf8_lossy(secret.expose());
    Some(Question {
        method: "GET",
        service: ServiceUrl::parse(&format!("https://{}", host.api_host())).ok()?,
        path: format!("{}/rate_limit", host.rest_prefix()),
        headers: vec![("authorization", Zeroizing::new(format!("Bearer {token}")))],
        body: Zeroizing::default(),
    })
}

fn told(github: &Github, found: Found) -> Check {
    let name = format!("sessions at {}", github.host());
    let credential = github.credential();
    match found {
        Found::App => Check::good(
            &name,
            format!("`{credential}` is a GitHub App: tokens are minted for each repository"),
        ),
        Found::Fit(TokenScopes::Listed(scopes)) => Check::good(
            &name,
            format!("the token `{credential}` has {}", scopes.join(", ")),
        ),
        Found::Fit(TokenScopes::Untold) => {
            Check::good(&name, format!("the token `{credential}` is a fine-grained one"))
        }
        Found::Fault(fault) => Check::lesser(&name, fault.to_string(), fault.remedy()),
        Found::Unavailable(why) => Check::lesser(&name, chain(&why), why.remedy()),
        Found::NotAsked(why) => Check::lesser(
            &name,
            format!("GitHub cannot be asked about the token `{credential}`: {why}"),
            "see that this machine reaches it; a session asks again when it begins",
        ),
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
