//! Room for what is held whole, because it must be understood before anything of it goes on: so much for a sandbox, and who needs more
//! waits for the others.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rewritten::Rewrite;
use crate::error::Error;

/// The room of one sandbox. Requests and answers have one each, so that no request waits for its answer's while it holds its own.
pub(super) struct Holding {
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Default for Holding {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS_KIB)),
            answers: Arc::new(Semaphore::new(ANSWERS_KIB)),
        }
    }
}

impl Holding {
    /// Room for the body of a request, as long as the permit lives.
    pub(super) async fn request(&self, bytes: usize) -> OwnedSemaphorePermit {
        take(&self.requests, bytes, REQUESTS_KIB).await
    }

    /// Room for an answer of this length, or for the beginning of one of which it is not known.
    pub(super) async fn answer(&self, length: Option<usize>) -> AnswerRoom {
        let bytes = length.unwrap_or(STEP);
        AnswerRoom {
            permit: take(&self.answers, bytes, ANSWERS_KIB).await,
            bytes,
            all: Arc::clone(&self.answers),
        }
    }
}

async fn take(room: &Arc<Semaphore>, bytes: usize, all: usize) -> OwnedSemaphorePermit {
    let kib = u32::try_from(bytes.div_ceil(1024).clamp(1, all)).unwrap_or(u32::MAX);
    let taken = Arc::clone(room).acquire_many_owned(kib).await;
    taken.expect("the semaphore is never closed")
}

/// Room for an answer, which grows with it.
pub(super) struct AnswerRoom {
    permit: OwnedSemaphorePermit,
    bytes: usize,
    all: Arc<Semaphore>,
}

impl AnswerRoom {
    /// Makes sure of room for so many bytes. Who waited here while holding some could wait for ever: where there is no more, that is an
    /// error.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        while self.bytes < bytes {
            let more =
                Arc::clone(&self.all).try_acquire_many_owned(u32::try_from(STEP / 1024).unwrap_or(u32::MAX));
            let more =
                more.map_err(|_| Error::Proxy("there is no room for so large an answer at the moment"))?;
            self.permit.merge(more);
            self.bytes += STEP;
        }
        Ok(())
    }
}

/// Passes an answer on as it is, and gives its room back when it is over.
pub(super) struct Kept(#[expect(dead_code, reason = "held, not read")] pub(super) AnswerRoom);

impl Rewrite for Kept {
    fn feed(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        Ok(piece)
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        Ok(Bytes::new())
    }
}

/// Two of the largest requests that GitHub takes, and thousands of usual ones.
const REQUESTS_KIB: usize = 128 << 10;
/// One of the largest answers (a file of 100 MB as base64).
const ANSWERS_KIB: usize = 192 << 10;
/// Most answers are shorter.
const STEP: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_and_nobody_waits_for_more_than_there_is() {
        let holding = Holding::default();
        let first = holding.request(100 << 20).now_or_never();
        assert!(first.is_some());
        assert!(holding.request(40 << 20).now_or_never().is_none());
        assert!(holding.request(10 << 20).now_or_never().is_some());
        let mut answer = holding
            .answer(None)
            .now_or_never()
            .expect("answers have their own");
        assert!(answer.grow_to(150 << 20).is_ok());
        assert!(answer.grow_to(200 << 20).is_err());
        assert!(holding.answer(Some(50 << 20)).now_or_never().is_none());
        drop(first);
        assert!(holding.request(usize::MAX).now_or_never().is_some());
    }
}
