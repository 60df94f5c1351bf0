//! What holds one exchange or tunnel within its environment's limits and sizes, from its first byte to its last.
//!
//! What is known before is taken before: a request whose declared length does not fit is refused and not begun, a response
//! likewise. What is not declared is taken as it passes, and cut when there is no more.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Frame};
use outwall_audit::Asked;
use outwall_policy::{Denial, LimitKind, RequestPermit, SizeLimit, SizedPart, Target};

use super::{Account, LastAccount};
use crate::client_gate::ClientGate;

/// The bounds of one exchange or tunnel. Dropped, it counts as ended, and what it did not use of its declared lengths is given
/// back.
pub(crate) struct Bounds {
    gate: Arc<ClientGate>,
    target: Target,
    /// What was charged at the beginning, if anything.
    charged: Option<Arc<Account>>,
    /// What is charged for what passes under the policy in force, and which generation that is.
    account: ArcSwapOption<Account>,
    generation: AtomicU64,
    /// Of the declared lengths, what has not passed yet.
    upload_reserved: AtomicU64,
    download_reserved: AtomicU64,
    /// What the request's body may still have.
    body: Option<(SizeLimit, AtomicU64)>,
    /// Why it was cut, if it was.
    cut: OnceLock<Denial>,
}

impl Bounds {
    /// Takes a permitted request in, or refuses it; none where nothing bounds it.
    ///
    /// 1. No part is larger than its permit says, as far as that is known.
    /// 2. There is room for one more request: of its rate, and at once.
    /// 3. There is room for its head and for the length that it declares.
    pub(crate) fn of_request<B: Body>(
        gate: &Arc<ClientGate>,
        last: &LastAccount,
        permit: &RequestPermit,
        request: &Request<B>,
    ) -> Result<Option<Arc<Self>>, Denial> {
        let target = permit.target();
        let body = permit.sizes().of(SizedPart::Body);
        check_sizes(permit, request)?;
        let account = last.of(gate, target);
        if account.is_none() && (body.is_none() || request.body().is_end_stream()) {
            return Ok(None);
        }
        let declared = request.body().size_hint().exact().unwrap_or(0);
        let upload = head_of(request) + declared;
        if let Some(account) = &account {
            account
                .begin_request(upload)
                .map_err(|over| over.denial(gate, target))?;
        }
        let mut bounds = Self::new(gate, target, account.clone());
        bounds.charged = account;
        bounds.upload_reserved = AtomicU64::new(declared);
        bounds.body = body.map(|limit| (limit, AtomicU64::new(limit.most())));
        Ok(Some(Arc::new(bounds)))
    }

    /// Of bytes that are relayed unread.
    pub(crate) fn of_tunnel(gate: &Arc<ClientGate>, target: &Target) -> Arc<Self> {
        Arc::new(Self::new(gate, target, gate.account(target)))
    }

    fn new(gate: &Arc<ClientGate>, target: &Target, account: Option<Arc<Account>>) -> Self {
        let generation = account
            .as_ref()
            .map_or_else(|| gate.shared.policy.generation(), |account| account.generation);
        Self {
            gate: Arc::clone(gate),
            target: target.clone(),
            charged: None,
            account: ArcSwapOption::new(account),
            generation: AtomicU64::new(generation),
            upload_reserved: AtomicU64::new(0),
            download_reserved: AtomicU64::new(0),
            body: None,
            cut: OnceLock::new(),
        }
    }

    /// Why it was cut, if it was.
    pub(crate) fn cut(&self) -> Option<&Denial> {
        self.cut.get()
    }

    /// Lets a frame of the request's body pass, or as much of it as may, or says why nothing more may. To be asked before it is
    /// sent.
    pub(crate) fn send(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Denial> {
        if let Some(denial) = self.cut() {
            return Err(denial.clone());
        }
        let frame = match self.room_in_body(&frame) {
            Some((room, limit)) => self.first_bytes(frame, room, limit)?,
            None => frame,
        };
        self.pass(LimitKind::Upload, weight_of(&frame))?;
        Ok(frame)
    }

    /// Lets bytes that are relayed unread pass to the origin.
    pub(crate) fn send_unread(&self, bytes: u64) -> Result<(), Denial> {
        self.pass(LimitKind::Upload, bytes)
    }

    /// Takes a response in: its head, and the length that it declares.
    pub(crate) fn expect<B: Body>(&self, response: &Response<B>) -> Result<(), Denial> {
        let declared = response.body().size_hint().exact().unwrap_or(0);
        self.pass(LimitKind::Download, fields(response.headers()) + declared)?;
        self.download_reserved.store(declared, Relaxed);
        Ok(())
    }

    /// Lets a frame of the response's body pass.
    pub(crate) fn receive(&self, frame: &Frame<Bytes>) -> Result<(), Denial> {
        self.pass(LimitKind::Download, weight_of(frame))
    }

    /// Lets bytes that are relayed unread pass to the client.
    pub(crate) fn receive_unread(&self, bytes: u64) -> Result<(), Denial> {
        self.pass(LimitKind::Download, bytes)
    }

    /// How much room the body has, if that is less than the frame.
    fn room_in_body(&self, frame: &Frame<Bytes>) -> Option<(usize, SizeLimit)> {
        let (limit, left) = self.body.as_ref()?;
        let length = frame.data_ref()?.len();
        let room = left
            .fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(length as u64)))
            .unwrap_or_default();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        (room < length).then_some((room, *limit))
    }

    /// What of a frame fits: the rest of it is never sent, and nothing after it.
    fn first_bytes(
        &self,
        frame: Frame<Bytes>,
        room: usize,
        limit: SizeLimit,
    ) -> Result<Frame<Bytes>, Denial> {
        let environment = &self.gate.sandbox.environment;
        let denial = self.refuse(Denial::too_large(environment, self.target.clone(), limit));
        if room == 0 {
            return Err(denial);
        }
        Ok(frame.map_data(|data| data.slice(..room)))
    }

    fn pass(&self, kind: LimitKind, n: u64) -> Result<(), Denial> {
        let unreserved = match kind {
            LimitKind::Upload => draw(&self.upload_reserved, n),
            _ => draw(&self.download_reserved, n),
        };
        if unreserved == 0 {
            return Ok(());
        }
        self.follow_policy();
        match &*self.account.load() {
            None => Ok(()),
            Some(account) => account
                .take(kind, unreserved)
                .map_err(|over| self.refuse(over.denial(&self.gate, &self.target))),
        }
    }

    /// A policy that was read again is for what runs too.
    fn follow_policy(&self) {
        let generation = self.gate.shared.policy.generation();
        if self.generation.swap(generation, Relaxed) != generation {
            self.account.store(self.gate.account(&self.target));
        }
    }

    /// Writes the cut down, once.
    fn refuse(&self, denial: Denial) -> Denial {
        if self.cut.set(denial.clone()).is_ok() {
            let asked = Asked {
                target: Some(&self.target),
                ..Asked::default()
            };
            self.gate.denied(&denial, asked);
        }
        denial
    }
}

/// What was declared and did not come is not used.
impl Drop for Bounds {
    fn drop(&mut self) {
        let Some(account) = &self.charged else { return };
        account.give_back(LimitKind::Concurrent, 1);
        account.give_back(LimitKind::Upload, *self.upload_reserved.get_mut());
        if let Some(account) = &*self.account.load() {
            account.give_back(LimitKind::Download, self.download_reserved.load(Relaxed));
        }
    }
}

impl Account {
    fn begin_request(&self, upload: u64) -> Result<(), super::Over> {
        self.take(LimitKind::Requests, 1)?;
        self.take(LimitKind::Concurrent, 1)
            .inspect_err(|_over| self.give_back(LimitKind::Requests, 1))?;
        self.take(LimitKind::Upload, upload).inspect_err(|_over| {
            self.give_back(LimitKind::Concurrent, 1);
            self.give_back(LimitKind::Requests, 1);
        })
    }
}

/// What is known of a request before its body comes.
fn check_sizes<B: Body>(permit: &RequestPermit, request: &Request<B>) -> Result<(), Denial> {
    let sizes = permit.sizes();
    let check = |part, size: &dyn Fn() -> u64| match sizes.of(part) {
        Some(limit) if size() > limit.most() => {
            let environment = permit.connection().environment();
            Err(Denial::too_large(environment, permit.target().clone(), limit))
        }
        _ => Ok(()),
    };
    check(SizedPart::Url, &|| url(request))?;
    check(SizedPart::Headers, &|| fields(request.headers()))?;
    check(SizedPart::Body, &|| request.body().size_hint().lower())
}

/// Takes of what was reserved; how much was not.
fn draw(reserved: &AtomicU64, n: u64) -> u64 {
    let before = reserved
        .fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(n)))
        .unwrap_or_default();
    n.saturating_sub(before)
}

fn head_of<B>(request: &Request<B>) -> u64 {
    url(request) + fields(request.headers())
}

fn url<B>(request: &Request<B>) -> u64 {
    request
        .uri()
        .path_and_query()
        .map_or(0, |sent| sent.as_str().len() as u64)
}

fn fields(fields: &HeaderMap) -> u64 {
    fields
        .iter()
        .map(|(name, value)| (name.as_str().len() + value.len()) as u64)
        .sum()
}

fn weight_of(frame: &Frame<Bytes>) -> u64 {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => data.len() as u64,
        (None, Some(trailers)) => fields(trailers),
        (None, None) => 0,
    }
}
