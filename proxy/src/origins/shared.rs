//! A connection to an origin that speaks h2: many exchanges at once, with a task of its own that ends with the last of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::Unanswered;
use crate::body::Upload;
use crate::error::Error;
use crate::origin_stream::OriginStream;

/// A connection that exchanges share.
pub(crate) struct Shared {
    sender: http2::SendRequest<Upload>,
    used: Mutex<Instant>,
}

impl Shared {
    pub(super) async fn open(stream: OriginStream) -> Result<Self, Error> {
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Error::OriginHttp)?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "an h2 connection to an origin ended");
            }
        });
        Ok(Self {
            sender,
            used: Mutex::new(Instant::now()),
        })
    }

    pub(super) async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, Unanswered> {
        self.sender
            .clone()
            .try_send_request(request)
            .await
            .map_err(|mut failed| {
                let unsent = failed.take_message();
                Unanswered {
                    error: failed.into_error(),
                    unsent,
                }
            })
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn unused_for(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Room for one response to flow at a gigabit over 8 ms; h2's default of 64 KiB is a brake on every download.
const STREAM_WINDOW: u32 = 1 << 20;
/// Four of those at once.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A connection that is in use and does not answer a ping for this long is dead.
const PING: Duration = Duration::from_secs(20);
