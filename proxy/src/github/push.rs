//! A push on its way: its commands written by us, its pack as it comes, and its last bytes only when another look has been taken.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use outwall_audit::Asked;
use outwall_git_proxy::AnswerHere;
use outwall_git_proxy::git::{
    DRAIN_BYTES, DRAIN_TIME, Descent, PackHistory, PackReader, PushCommands, PushError, PushReader,
    PushRefusal, ReportForm,
};
use outwall_policy::github::{GithubRefusal, Ground, RefUpdate};
use outwall_policy::{Denial, Reason, RequestPermit, Target};
use tokio::time::Sleep;

use super::shown::Standing;
use super::told;
use super::visit::Visit;
use crate::arriving::Arriving;
use crate::client_gate::ClientGate;
use crate::exchange::Stopped;
use crate::http_error::HttpError;

/// A push whose commands were read.
pub(super) struct Push {
    pub(super) commands: PushCommands,
    /// What came of the pack with the commands.
    begun: Bytes,
    body: Arriving,
    /// What its client showed, which must count to the end.
    pub(super) standing: Option<Standing>,
    /// Why it was cut off on its way, if it was.
    cut: Arc<OnceLock<Denial>>,
}

/// What is left of a push that is on its way, to tell its client if it is cut off.
pub(super) struct Sending {
    commands: PushCommands,
    target: Target,
    cut: Arc<OnceLock<Denial>>,
    gate: Arc<ClientGate>,
}

impl Sending {
    /// What the client of a push that was cut off is told; none where something else went wrong.
    pub(super) fn told(&self) -> Option<Stopped> {
        Some(tell(&self.commands, self.cut.get()?.clone()))
    }

    /// The same, where GitHub's answer had begun: its body.
    pub(super) fn told_in_the_answer(&self) -> Option<Bytes> {
        let denial = self.cut.get()?;
        let asked = Asked {
            target: Some(&self.target),
            ..Asked::default()
        };
        self.gate.denied(denial, asked);
        Some(refusal_of(&self.commands, denial).body)
    }
}

/// What the body of a push turned out to be.
pub(super) enum Begun {
    Push(Box<Push>),
    /// `0000` and nothing else.
    Probe,
}

impl Push {
    /// Reads the commands.
    pub(super) async fn begin(mut body: Arriving) -> Result<Begun, Unread> {
        let mut reader = PushReader::default();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(Unread::Lost)?.into_data() else {
                continue; // trailers say nothing here
            };
            match reader.feed(&data) {
                Ok(None) => {}
                Ok(Some(commands)) => {
                    let begun = reader.rest().freeze();
                    return Ok(Begun::Push(Box::new(Self {
                        commands,
                        begun,
                        body,
                        standing: None,
                        cut: Arc::default(),
                    })));
                }
                Err(why) => return Err(Unread::Malformed(why, Box::new(body))),
            }
        }
        match reader.end() {
            Ok(_probe) => Ok(Begun::Probe),
            Err(why) => Err(Unread::Malformed(why, Box::new(Arriving::Nothing))),
        }
    }

    /// Refuses all of it, in its own report. git reads the answer when it has sent everything, so that is taken first.
    pub(super) async fn refuse(self: Box<Self>, denial: Denial) -> Stopped {
        drain(self.body).await;
        tell(&self.commands, denial)
    }

    /// What is to be told if it is cut off.
    pub(super) fn sending(&self, visit: &Visit<'_>) -> Sending {
        Sending {
            commands: self.commands.clone(),
            target: visit.asked.target.clone(),
            cut: Arc::clone(&self.cut),
            gate: Arc::clone(visit.gate()),
        }
    }

    /// What each of its commands does, for a record of it.
    pub(super) fn details(&self) -> Vec<String> {
        let of = |update: &RefUpdate| format!("{} {}..{}", update.name, update.old, update.new);
        self.commands.updates.iter().map(of).collect()
    }

    /// What shows that it moves refs forward, where it must.
    fn history(&self, visit: &Visit<'_>) -> Option<Forward> {
        let is_move = |update: &&RefUpdate| !update.old.is_null() && !update.new.is_null();
        let moved: Vec<RefUpdate> = self.commands.updates.iter().filter(is_move).cloned().collect();
        if visit.grant.rules().force_push || moved.is_empty() {
            return None;
        }
        let forced = self.commands.forced(&visit.grant.at().repository);
        let mut refusal = visit.grant.decide(&forced, Ground::Session).err()?;
        refusal.details = self.details();
        Some(Forward {
            history: PackHistory::new(self.commands.capabilities.object_format),
            moved,
            refusal,
        })
    }

    /// The body to send.
    pub(super) fn body(self, visit: &Visit<'_>, permit: &RequestPermit) -> Arriving {
        let forward = self.history(visit);
        let watch = Watch {
            gate: Arc::clone(visit.gate()),
            permit: permit.clone(),
            standing: self.standing,
            looked_at: visit.gate().shared.policy.generation(),
            cut: Arc::clone(&self.cut),
        };
        let body = PushBody {
            commands: Some(self.commands.serialise()),
            pack: Some(self.commands.pack()),
            begun: self.begun,
            body: self.body,
            kept: BytesMut::new(),
            forward,
            watch,
            draining: None,
        };
        Arriving::made(body)
    }
}

/// Why the commands of a push were not read.
pub(super) enum Unread {
    /// The client went away.
    Lost(HttpError),
    /// They are none; and this is still to come.
    Malformed(PushError, Box<Arriving>),
}

/// Tells a client whose push is not understood.
pub(super) async fn refuse_unread(why: &PushError, rest: Arriving) -> AnswerHere {
    drain(rest).await;
    PushRefusal::not_understood(why).answer(why.form)
}

/// Tells the client of a refused push, in its own report.
fn tell(commands: &PushCommands, denial: Denial) -> Stopped {
    let answer = told::answer(&refusal_of(commands, &denial), denial.code());
    Stopped::Told(denial, Box::new(answer))
}

/// What a refused push is answered.
fn refusal_of(commands: &PushCommands, denial: &Denial) -> AnswerHere {
    let refusal = match denial.reason() {
        Reason::Github(refusal) => PushRefusal::by_policy(commands, refusal),
        _ => PushRefusal::of_all(commands, &told::refusal(denial)),
    };
    refusal.answer(ReportForm::of(&commands.capabilities))
}

async fn drain(mut body: Arriving) {
    let mut draining = Draining::new();
    poll_fn(|cx| draining.poll(&mut body, cx)).await;
}

/// Whether a push that runs may go on.
struct Watch {
    gate: Arc<ClientGate>,
    permit: RequestPermit,
    standing: Option<Standing>,
    /// Which policy allowed it last.
    looked_at: u64,
    cut: Arc<OnceLock<Denial>>,
}

/// Shows that a push moves refs forward, where a session may not force.
struct Forward {
    history: PackHistory,
    moved: Vec<RefUpdate>,
    /// What is said if it does not, or if that cannot be told.
    refusal: Box<GithubRefusal>,
}

impl Watch {
    /// Its credential counts, and the policy in force allows it.
    fn look(&mut self) -> Result<(), Denial> {
        if let Some(Err(fault)) = self.standing.as_ref().map(Standing::check) {
            return Err(self.gate.denial(Reason::Credential(fault)));
        }
        let generation = self.gate.shared.policy.generation();
        if generation != self.looked_at {
            if !self.gate.shared.policy.load().policy.still_permits(&self.permit) {
                let target = self.permit.target().clone();
                return Err(self.gate.denial(Reason::Withdrawn { target }));
            }
            self.looked_at = generation;
        }
        Ok(())
    }
}

/// Commands, then the pack. The bytes at its end, without which no server takes it, are sent when everything else was, and when the push
/// may still be.
struct PushBody {
    commands: Option<Bytes>,
    /// None when it is over.
    pack: Option<PackReader>,
    begun: Bytes,
    body: Arriving,
    kept: BytesMut,
    /// None where it need not be shown.
    forward: Option<Forward>,
    watch: Watch,
    /// Some when it is cut off, with why.
    draining: Option<(Draining, Denial)>,
}

/// What the client of a refused push still sends: it reads the answer when it has sent everything.
struct Draining {
    drained: u64,
    no_longer: Pin<Box<Sleep>>,
}

impl Draining {
    fn new() -> Self {
        Self {
            drained: 0,
            no_longer: Box::pin(tokio::time::sleep(DRAIN_TIME)),
        }
    }

    /// Ready when enough was taken.
    fn poll(&mut self, body: &mut Arriving, cx: &mut Context<'_>) -> Poll<()> {
        while self.drained <= DRAIN_BYTES && self.no_longer.as_mut().poll(cx).is_pending() {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => self.drained += frame.data_ref().map_or(0, |data| data.len() as u64),
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }
}

impl PushBody {
    /// Takes the next piece of the pack, and gives what may leave by now.
    fn pass(&mut self, piece: Bytes) -> Result<Bytes, Denial> {
        self.watch.look()?;
        let pack = self.pack.as_mut().expect("a piece comes before the end");
        let passed = pack.feed(piece).map_err(|why| self.watch.denial(&why))?;
        Ok(match &mut self.forward {
            Some(forward) => forward.history.feed(&passed),
            None => keep_back(&mut self.kept, &passed),
        })
    }

    /// All of it came, and may leave.
    fn end(&mut self) -> Result<Bytes, Denial> {
        self.watch.look()?;
        let pack = self.pack.take().expect("the end comes once");
        pack.end().map_err(|why| self.watch.denial(&why))?;
        let Some(forward) = self.forward.take() else {
            return Ok(std::mem::take(&mut self.kept).freeze());
        };
        let is_forward = |update: &RefUpdate| forward.history.descent(update) == Descent::Shown;
        if forward.moved.iter().all(is_forward) {
            return Ok(forward.history.held());
        }
        let reason = Reason::Github(forward.refusal);
        Err(self.watch.gate.denial(reason))
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        if let Some(commands) = self.commands.take() {
            return Poll::Ready(Some(Ok(commands)));
        }
        loop {
            if let Some((draining, denial)) = &mut self.draining {
                ready!(draining.poll(&mut self.body, cx));
                return Poll::Ready(Some(Err(HttpError::Cut(denial.clone()))));
            }
            if self.pack.is_none() {
                return Poll::Ready(None);
            }
            let passed = if self.begun.is_empty() {
                match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                    Some(Ok(frame)) => self.pass(frame.into_data().unwrap_or_default()),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => self.end(),
                }
            } else {
                let begun = std::mem::take(&mut self.begun);
                self.pass(begun)
            };
            match passed {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Err(denial) => {
                    let _first_of_all = self.watch.cut.set(denial.clone());
                    self.draining = Some((Draining::new(), denial));
                }
            }
        }
    }
}

impl Watch {
    fn denial(&self, why: &dyn std::error::Error) -> Denial {
        self.gate.denial(Reason::GithubNotUnderstood {
            target: self.permit.target().clone(),
            what: why.to_string(),
        })
    }
}

impl Body for PushBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let next = ready!(self.get_mut().next(cx));
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }
}

/// Gives all but the last bytes of what came so far: as many as the checksum at the end of a pack has at least.
fn keep_back(kept: &mut BytesMut, piece: &Bytes) -> Bytes {
    if kept.is_empty() && piece.len() > KEPT {
        kept.extend_from_slice(&piece[piece.len() - KEPT..]);
        return piece.slice(..piece.len() - KEPT);
    }
    kept.extend_from_slice(piece);
    let leaves = kept.len().saturating_sub(KEPT);
    kept.split_to(leaves).freeze()
}

/// SHA-1, the shorter checksum of a pack (gitformat-pack(5)).
const KEPT: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_wait_whatever_the_pieces() {
        let whole: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for size in [1, 7, 19, 20, 21, 64, 999, 1000] {
            let (mut kept, mut left) = (BytesMut::new(), Vec::new());
            for piece in whole.chunks(size) {
                left.extend_from_slice(&keep_back(&mut kept, &Bytes::copy_from_slice(piece)));
                assert!(kept.len() <= KEPT);
            }
            assert_eq!(left, whole[..980], "{size}");
            assert_eq!(kept, whole[980..], "{size}");
        }
    }
}
