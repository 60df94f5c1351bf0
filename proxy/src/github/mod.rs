//! Requests to the GitHub that a sandbox's session works at: the GitHub proxy, as a step of an exchange.
//!
//! 1. The *door* of a request is told (`outwall_git_proxy::route`), and who asks is looked at: the scoped credential is verified and
//!    taken out (`shown`).
//! 2. What the request would do is *understood* (`api`, `git`, `lfs`), GitHub being asked first where that is needed (`asking`).
//! 3. Policy *decides* on that: one decision for all doors.
//! 4. What was understood is written anew (`sent`), the session's token put in (`token`), and sent like every other request: within
//!    bounds, looked at, recorded.
//! 5. What comes back is *treated* (`treated`): redirects to signed URLs are followed here (`led`), tokens in URLs taken out.
//!
//! What comes by the network of a sandbox arrives here; what others' sandboxes ask at listeners of our own does after `front`.
//!
//! # Attacks, and where each ends
//!
//! - *Two readings of one request.* Nothing of a head or a command list that the client wrote is sent: `sent`, `outwall_git_proxy`.
//! - *Another credential than the session's.* Refused, and a finding: `shown`.
//! - *One client's identity for another's request.* Every request at a front is identified by itself: `front`.
//! - *A push that goes on when its credential was revoked.* Its last bytes wait for another look: `push`.
//! - *Signed URLs and stored files.* They never reach the sandbox: `led`, `lfs`.

mod api;
mod asking;
mod at;
mod fetch;
mod fitness;
mod front;
mod git;
mod holding;
mod led;
mod lfs;
mod push;
mod rewritten;
mod sent;
mod shown;
mod token;
mod told;
mod treated;
mod visit;

use http::Request;
use http::uri::Authority;
use outwall_policy::github::Undecided;

pub use asking::NotAsked;
pub(crate) use at::AtGithub;
pub use fitness::SessionFault;
pub(crate) use fitness::{Fitness, check};
pub(crate) use front::{FrontHost, FrontTcp, FrontUnix};
pub(crate) use rewritten::Rewritten;

use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::Held;
use crate::exchange::{Exchanges, Stopped};
use visit::Visit;

/// Relays one request of a session to its GitHub.
pub(crate) async fn relay(
    exchanges: &Exchanges,
    undecided: Undecided<Request<Arriving>>,
    authority: Authority,
    held: Held,
) -> Result<Answer, Stopped> {
    let (undecided, request) = undecided.take();
    let visit = Visit::at_its_door(exchanges, &undecided, &request)?;
    let (shown, request) = visit.identify(request)?;
    let asked = visit.understand(request).await?;
    let (permit, asked) = visit.decide(undecided, asked, &shown).await?;
    visit.expect_fit(&permit).await?;
    let ready = visit.token_for(&permit, &shown).await?;
    visit.send(permit, asked, ready, authority, held).await
}
