//! How long one stream of many may rest and last. The watch over a connection sees only that something moves on it, so a client
//! could let most of its streams stand still, each with what it holds here and at its origin, while one of them moves.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::limits::Limits;

/// The patience with one stream.
pub(crate) struct Patience {
    began: Instant,
    silence: Duration,
    longest: Duration,
    /// Moves on a task of its own, so that it wakes nobody here.
    upload: Option<Touched>,
}

/// When something last moved.
#[derive(Clone, Debug)]
pub(crate) struct Touched(Arc<Moved>);

#[derive(Debug)]
struct Moved {
    began: Instant,
    /// Milliseconds after that.
    last: AtomicU64,
}

impl Patience {
    /// From here on.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            silence: limits.silence,
            longest: limits.request,
            upload: None,
        }
    }

    /// To be told of what comes with a request.
    pub(crate) fn watch_upload(&mut self) -> Touched {
        let touched = Touched(Arc::new(Moved {
            began: self.began,
            last: AtomicU64::new(0),
        }));
        self.upload = Some(touched.clone());
        touched
    }

    /// Polls until it is done, or until nothing has moved for too long, or until it has lasted too long.
    pub(crate) async fn with<F: Future>(&self, stream: F) -> Result<F::Output, Error> {
        let mut stream = pin!(stream);
        let mut woken = Instant::now();
        let mut timer = pin!(sleep_until(self.deadline(woken).0));
        poll_fn(|cx| {
            let mut by_timer = false;
            while timer.as_mut().poll(cx).is_ready() {
                by_timer = true;
                let (deadline, error) = self.deadline(woken);
                if deadline <= Instant::now() {
                    return Poll::Ready(Err(error));
                }
                timer.as_mut().reset(deadline);
            }
            if !by_timer {
                woken = Instant::now();
            }
            stream.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    fn deadline(&self, woken: Instant) -> (Instant, Error) {
        let moved = self
            .upload
            .as_ref()
            .map_or(woken, |upload| woken.max(upload.last()));
        let (rests, lasts) = (moved + self.silence, self.began + self.longest);
        if rests < lasts {
            (rests, Error::Silence)
        } else {
            (lasts, Error::TooLong)
        }
    }
}

impl Touched {
    pub(crate) fn touch(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(now, Relaxed);
    }

    fn last(&self) -> Instant {
        self.0.began + Duration::from_millis(self.0.last.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn patience(silence: u64, request: u64) -> Patience {
        Patience::new(&Limits {
            silence: Duration::from_millis(silence),
            request: Duration::from_millis(request),
            ..Limits::default()
        })
    }

    async fn steps(count: usize) {
        for _ in 0..count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test]
    async fn what_rests_ends_and_what_moves_goes_on() {
        let rested = patience(100, 60_000).with(pending::<()>()).await;
        assert!(matches!(rested, Err(Error::Silence)));
        assert!(patience(1_000, 60_000).with(steps(13)).await.is_ok());
    }

    #[tokio::test]
    async fn an_upload_that_moves_is_life_too() {
        let mut patience = patience(1_000, 60_000);
        let touched = patience.watch_upload();
        let uploading = tokio::spawn(async move {
            for _ in 0..13 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                touched.touch();
            }
        });
        assert!(patience.with(uploading).await.is_ok());
    }

    #[tokio::test]
    async fn what_moves_for_too_long_ends_too() {
        let lasted = patience(60_000, 250).with(steps(1_000)).await;
        assert!(matches!(lasted, Err(Error::TooLong)));
        assert!(patience(60_000, 60_000).with(steps(1)).await.is_ok());
    }
}
