//! `outwall github`: GitHub for git and gh on machines that Outwall did not make, and nothing else of the gate.

mod door_url;
mod socket;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use outwall_control::Role;
use outwall_policy::github::Github;
use outwall_policy::{Overrides, Policy};
use outwall_proxy::GithubListeners;

pub(crate) use self::door_url::DoorUrl;
pub(crate) use self::socket::Socket;
use crate::arguments::Session;
use crate::failure::Failure;
use crate::listening::{Listening, beyond_loopback, listen, place};
use crate::memory;
use crate::policy_in_force::PolicyInForce;
use crate::repository_url::no_github;

/// Serves GitHub to git and gh, of which each may write one branch of one repository
///
/// For sandboxes that others make. A client shows a credential of `outwall credential issue --repository`;
/// requests are understood, decided on by `[github.sessions]`, and sent to GitHub with the token that no
/// sandbox sees. git comes by HTTP, at `http://ADDR/OWNER/NAME.git` (LFS too); gh by a socket
/// (`gh config set http_unix_socket PATH`); other clients of the API at `http://ADDR/api/v3` and
/// `/api/graphql`.
///
/// `GET /healthz` answers 200 while it serves. The policy file counts as soon as it is written; SIGHUP
/// reads it again at once. SIGTERM lets requests finish.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("doors").required(true).multiple(true).args(["listen", "socket"]))]
#[command(after_help = "\
Examples:
  outwall github --listen 127.0.0.1:3000 --socket /run/outwall/gh.sock
  eval \"$(outwall credential issue --repository acme/app --session-branch fix-login --format env)\"
  gh config set http_unix_socket /run/outwall/gh.sock
  git clone https://github.com/acme/app")]
pub(crate) struct Arguments {
    /// Where to listen for git (repeatable); port 0 takes a free one. `listening on ADDR` is printed when ready
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,

    /// A socket to listen at for gh (repeatable). Its file is yours alone (mode 0600), and removed at the end
    #[arg(long, value_name = "PATH")]
    socket: Vec<PathBuf>,

    /// Listen on addresses that other machines can reach, too: what is shown there goes over the network in the clear
    #[arg(long)]
    from_anywhere: bool,
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        memory::keep_to_ourselves();
        self.check_exposure()?;
        let overrides = Overrides::default();
        let in_force = PolicyInForce::load(session, None, &overrides)?;
        in_force.warn();
        let hosts = hosts(&in_force.policy).ok_or_else(|| no_github("github.com"))?;
        let listeners = self.listen.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        let sockets = self
            .socket
            .iter()
            .map(|path| Socket::open(&session.surroundings.absolute(path)))
            .collect::<Result<Vec<_>, _>>()?;
        let objection = Box::new(|_next: &PolicyInForce| Ok(())); // without [[github]], everything is refused
        let listening = Listening::prepare(session, in_force, (overrides, objection), Role::Github)?;
        let _ = writeln!(
            std::io::stderr(),
            "outwall: sessions work at {hosts}: `outwall credential issue --repository OWNER/NAME --session-branch BRANCH` prints a credential"
        );
        let mut places = listeners.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        places.extend(sockets.iter().map(|socket| socket.path().display().to_string()));
        listening.serve(("as GitHub", places), |gate| {
            let tcp = listeners.into_iter().map(tokio::net::TcpListener::from_std);
            let unix = sockets.iter().map(Socket::listener);
            gate.serve_github(GithubListeners {
                tcp: tcp.collect::<Result<_, _>>()?,
                unix: unix.collect::<Result<_, _>>()?,
            })
        })
    }

    /// Credentials and sources pass there in the clear, so that it must be said twice.
    fn check_exposure(&self) -> Result<(), Failure> {
        match beyond_loopback(&self.listen) {
            Some(address) if !self.from_anywhere => Err(Failure::new(format!(
                "other machines may reach {address}, and what clients show and get there is not encrypted"
            ))
            .hint("listen on 127.0.0.1, or at a socket; or, on a network of sandboxes alone, add `--from-anywhere`")),
            _ => Ok(()),
        }
    }
}

/// Those where sessions may work.
fn hosts(policy: &Policy) -> Option<String> {
    let hosts: Vec<_> = policy
        .githubs()
        .iter()
        .map(Github::host)
        .map(ToString::to_string)
        .collect();
    (!hosts.is_empty()).then(|| hosts.join(" and "))
}
