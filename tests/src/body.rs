//! Bodies of both sides: whole, frame by frame, or large ones that can be checked
//! without being kept.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// A body that one of us sends.
pub(crate) enum Outgoing {
    Whole(Option<Bytes>),
    Pattern { sent: u64, length: u64 },
    Frames(mpsc::Receiver<Frame<Bytes>>),
}

impl Outgoing {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }

    /// How long it may take to send, as slow as a busy machine is: 1 MiB/s.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.size_hint().lower() >> 20)
    }
}

impl Outgoing {
    /// Each piece a frame.
    pub(crate) fn pieces(pieces: &[Bytes]) -> Self {
        let (sender, receiver) = mpsc::channel(pieces.len());
        for piece in pieces {
            let sent = sender.try_send(Frame::data(piece.clone()));
            sent.expect("there is room for all of them");
        }
        Self::Frames(receiver)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pattern { sent, length } if sent == length => Poll::Ready(None),
            Self::Pattern { sent, length } => {
                let piece = Pattern::piece(*sent, *length - *sent);
                *sent += piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Frames(frames) => frames.poll_recv(context).map(|frame| frame.map(Ok)),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Pattern { sent, length } => SizeHint::with_exact(length - sent),
            Self::Frames(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Pattern { sent, length } => sent == length,
            Self::Frames(_) => false,
        }
    }
}

/// A large body: byte N is N modulo 251, a prime, so a piece that is lost, doubled or
/// moved shows. This is as much of it as was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pattern {
    seen: u64,
    broken: bool,
}

impl Pattern {
    /// The piece at `offset`: at most `most` bytes, and no more than [`PIECE`].
    pub(crate) fn piece(offset: u64, most: u64) -> Bytes {
        let start = usize::try_from(offset % PERIOD as u64).expect("less than the period");
        let length = usize::try_from(most).unwrap_or(PIECE).min(PIECE);
        Bytes::from_static(&REPEATED[start..start + length])
    }

    /// Takes the next piece of the body.
    pub(crate) fn check(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let expected = Self::piece(self.seen, rest.len() as u64);
            let (now, later) = rest.split_at(expected.len());
            self.broken |= now != expected;
            self.seen += now.len() as u64;
            rest = later;
        }
    }

    /// How many bytes have come.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether every byte was the one that belongs there.
    pub(crate) fn intact(&self) -> bool {
        !self.broken
    }
}

const PERIOD: usize = 251;

/// How much is sent at once.
const PIECE: usize = 64 * 1024;

static REPEATED: [u8; PIECE + PERIOD] = {
    let mut bytes = [0; PIECE + PERIOD];
    let mut at = 0;
    while at < bytes.len() {
        #[expect(clippy::cast_possible_truncation, reason = "less than 251")]
        let byte = (at % PERIOD) as u8;
        bytes[at] = byte;
        at += 1;
    }
    bytes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_cut_anywhere_is_intact_and_a_lost_byte_is_not() {
        let whole: Vec<u8> = [Pattern::piece(0, 1000), Pattern::piece(1000, 500)].concat();
        let mut pattern = Pattern::default();
        whole.chunks(37).for_each(|piece| pattern.check(piece));
        assert_eq!((pattern.seen(), pattern.intact()), (1500, true));

        let mut lost = Pattern::default();
        lost.check(&whole[..700]);
        lost.check(&whole[701..]);
        assert!(!lost.intact());
    }
}
