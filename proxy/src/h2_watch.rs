//! Notices the streams of h2 that are refused before they become requests.
//!
//! The h2 crate resets a stream whose head breaks the rules and says nothing of it: nobody would ever know that a sandbox tried to
//! smuggle a line break. But the reset is written, so it is seen here, on the way out. What is looked at is our own framing, nine
//! bytes of each frame; a stream that became a request is reset for reasons that are recorded with it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::pass_through::{ends_through, flushes_through, reads_through, takes_slices_as};

/// A stream whose frames are looked at as they leave.
pub(crate) struct Watched<S, R> {
    stream: S,
    frames: Frames,
    accepted: Accepted,
    /// Told of each stream that was reset for what its client sent.
    refused: R,
}

/// The streams that became requests, as far as the newest [`Accepted::REMEMBERED`] of them matter.
#[derive(Clone, Default)]
pub(crate) struct Accepted(Arc<Bits>);

struct Bits {
    newest: AtomicU64,
    bits: [AtomicU64; Accepted::REMEMBERED / 64],
}

impl Default for Bits {
    fn default() -> Self {
        Self {
            newest: AtomicU64::new(0),
            bits: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Accepted {
    const REMEMBERED: usize = 1024;

    /// Notes a stream that became a request. Numbers only grow (RFC 9113 section 5.1.1).
    pub(crate) fn note(&self, stream: u32) {
        let number = u64::from(stream / 2);
        let newest = self.0.newest.swap(number, Relaxed);
        let skipped = (newest + 1..number).rev().take(Self::REMEMBERED);
        skipped.for_each(|skipped| self.set(skipped, false));
        self.set(number, true);
    }

    /// Whether it became a request. An old one is taken for one: what is reset so late is not new.
    fn has(&self, stream: u32) -> bool {
        let number = u64::from(stream / 2);
        let newest = self.0.newest.load(Relaxed);
        if number > newest {
            return false;
        }
        newest - number >= Self::REMEMBERED as u64 || {
            let (word, bit) = Self::place(number);
            self.0.bits[word].load(Relaxed) >> bit & 1 == 1
        }
    }

    fn set(&self, number: u64, value: bool) {
        let (word, bit) = Self::place(number);
        if value {
            self.0.bits[word].fetch_or(1 << bit, Relaxed);
        } else {
            self.0.bits[word].fetch_and(!(1 << bit), Relaxed);
        }
    }

    fn place(number: u64) -> (usize, u64) {
        let within = usize::try_from(number % Self::REMEMBERED as u64).expect("below 1024");
        (within / 64, number % 64)
    }
}

/// Where in the stream of frames we are.
#[derive(Default)]
struct Frames {
    head: [u8; HEAD],
    filled: usize,
    /// Of the current frame, what is still to come.
    left: usize,
}

const HEAD: usize = 9;
/// `RST_STREAM` with its code: the whole frame fits where a head does, so it is collected as one.
const RST_STREAM: u8 = 3;

impl Frames {
    /// Goes on by these bytes; tells of each `RST_STREAM` and its code.
    fn advance(&mut self, mut bytes: &[u8], mut reset: impl FnMut(u32, Reason)) {
        while !bytes.is_empty() {
            if self.filled == HEAD {
                let passed = self.left.min(bytes.len());
                if self.head[3] == RST_STREAM {
                    self.collect_code(&bytes[..passed], &mut reset);
                }
                self.left -= passed;
                bytes = &bytes[passed..];
                if self.left == 0 {
                    self.filled = 0;
                }
                continue;
            }
            let taken = (HEAD - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEAD {
                let length = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]);
                self.left = usize::try_from(length).unwrap_or(usize::MAX);
                if self.left == 0 {
                    self.filled = 0;
                }
            }
        }
    }

    /// The code takes the place of the length, which is known by now.
    fn collect_code(&mut self, bytes: &[u8], reset: &mut impl FnMut(u32, Reason)) {
        for (byte, left) in bytes.iter().zip((1..=self.left).rev()) {
            if left <= 3 {
                self.head[3 - left] = *byte; // the first of four bytes is 0 in every code there is
            }
        }
        if bytes.len() == self.left {
            let [_, _, _, _, _, stream @ ..] = self.head;
            let code = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]);
            reset(u32::from_be_bytes(stream), Reason::from(code));
        }
    }
}

impl<S, R: FnMut(u32, Reason)> Watched<S, R> {
    pub(crate) fn new(stream: S, accepted: Accepted, refused: R) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            accepted,
            refused,
        }
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let (accepted, refused) = (&self.accepted, &mut self.refused);
        self.frames.advance(bytes, |stream, reason| {
            let for_what_was_sent = matches!(
                reason,
                Reason::PROTOCOL_ERROR | Reason::FRAME_SIZE_ERROR | Reason::FLOW_CONTROL_ERROR
            );
            if for_what_was_sent && !accepted.has(stream) {
                refused(stream, reason);
            }
        });
    }
}

impl<S: AsyncRead + Unpin, R: Unpin> AsyncRead for Watched<S, R> {
    reads_through!(stream);
}

impl<S: AsyncWrite + Unpin, R: FnMut(u32, Reason) + Unpin> AsyncWrite for Watched<S, R> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.wrote(&bytes[..written]);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(mut written)) = polled {
            for slice in slices {
                let part = written.min(slice.len());
                self.wrote(&slice[..part]);
                written -= part;
            }
        }
        polled
    }

    takes_slices_as!(stream);
    flushes_through!(stream);
    ends_through!(stream);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
        [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
    }

    fn resets(bytes: &[u8], at_once: usize) -> Vec<(u32, Reason)> {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        for part in bytes.chunks(at_once) {
            frames.advance(part, |stream, reason| seen.push((stream, reason)));
        }
        seen
    }

    #[test]
    fn resets_are_found_wherever_writes_are_cut() {
        let bytes = [
            frame(4, 0, &[0; 6]),
            frame(RST_STREAM, 5, &[0, 0, 0, 1]),
            frame(0, 7, &[3; 300]),
            frame(4, 0, &[]),
            frame(RST_STREAM, 0x0102_0305, &[0, 0, 0, 8]),
        ]
        .concat();
        let expected = [(5, Reason::PROTOCOL_ERROR), (0x0102_0305, Reason::CANCEL)];
        for at_once in [1, 2, 3, 7, 9, 10, 13, 64, 1000] {
            assert_eq!(resets(&bytes, at_once), expected, "{at_once}");
        }
    }

    #[test]
    fn a_stream_that_became_a_request_is_told_from_one_that_did_not() {
        let accepted = Accepted::default();
        assert!(!accepted.has(1));
        accepted.note(1);
        accepted.note(5); // 3 was refused
        assert!(accepted.has(1) && !accepted.has(3) && accepted.has(5) && !accepted.has(7));
        accepted.note(4001);
        assert!(!accepted.has(3999) && accepted.has(4001));
        assert!(accepted.has(3), "too long ago to be new");
        accepted.note(4003);
        assert!(!accepted.has(3999) && accepted.has(4001) && accepted.has(4003));
    }
}
