//! The messages that the origin of a WebSocket sends, searched within their frames: these stay as long as they are.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use outwall_broker::scrub::ScrubStream;
use thiserror::Error;

use super::scrubbing::Scrubbing;
use crate::leaks::Place;
use crate::websocket::{FrameError, Frames, Part, Piece};

/// The search of what an origin sends over a socket. Bytes go in as they come and out as they may pass.
pub(crate) struct MessageScrub {
    scrubbing: Arc<Scrubbing>,
    frames: Frames,
    /// Of the message that has begun. It goes on across its frames.
    message: Option<ScrubStream>,
    /// Of the control frame that has begun.
    control: Vec<u8>,
    /// What came and has not passed, in order.
    waiting: VecDeque<Waiting>,
    /// What of the payload may pass, in order.
    searched: BytesMut,
}

enum Waiting {
    /// As it is.
    Ready(Vec<u8>),
    /// So many bytes of what is searched.
    Payload(usize),
}

/// What comes from an origin is none of the frames that were asked for.
#[derive(Debug, Error)]
pub(crate) enum NoFrames {
    #[error("what the origin sent is no frame of a WebSocket: {0}")]
    Broken(#[from] FrameError),
    /// And cannot be read.
    #[error("the origin sent a frame of an extension, and none was asked for")]
    Extension,
}

impl MessageScrub {
    pub(crate) fn new(scrubbing: Arc<Scrubbing>) -> Self {
        Self {
            scrubbing,
            frames: Frames::of_origin(),
            message: None,
            control: Vec::new(),
            waiting: VecDeque::new(),
            searched: BytesMut::new(),
        }
    }

    /// Searches the next bytes. `pass` is given those that may pass.
    pub(crate) fn look(&mut self, bytes: &[u8], pass: &mut dyn FnMut(&[u8])) -> Result<(), NoFrames> {
        let mut frames = self.frames.clone();
        let mut is_extended = false;
        frames.read_parts(bytes, |part| match part {
            Part::Head(head) => self.waiting.push_back(Waiting::Ready(head.to_vec())),
            Part::Payload(piece) if piece.is_extended() => is_extended = true,
            Part::Payload(piece) => self.take(&piece),
        })?;
        self.frames = frames;
        if is_extended {
            return Err(NoFrames::Extension);
        }
        self.release(pass);
        Ok(())
    }

    fn take(&mut self, piece: &Piece<'_>) {
        let text: Bytes = piece.unmasked().collect();
        if piece.opcode >= 8 {
            return self.take_control(piece, &text);
        }
        let message = self.message.get_or_insert_with(|| self.scrubbing.stream());
        self.waiting.push_back(Waiting::Payload(text.len()));
        self.searched.extend_from_slice(&message.push(&text));
        let is_over = piece.last_frame && piece.ends_frame;
        if is_over {
            self.searched.extend_from_slice(&message.end());
        }
        self.scrubbing.found_by(message, Place::Message);
        if is_over {
            self.message = None;
        }
    }

    /// A control frame is a message of its own, short, and may come within another.
    fn take_control(&mut self, piece: &Piece<'_>, text: &[u8]) {
        self.control.extend_from_slice(text);
        if piece.ends_frame {
            let text = std::mem::take(&mut self.control);
            let masked = self.scrubbing.whole(&text, &Place::Message(0));
            self.waiting.push_back(Waiting::Ready(masked.unwrap_or(text)));
        }
    }

    fn release(&mut self, pass: &mut dyn FnMut(&[u8])) {
        while let Some(first) = self.waiting.front_mut() {
            match first {
                Waiting::Ready(bytes) => pass(bytes),
                Waiting::Payload(length) => {
                    let now = (*length).min(self.searched.len());
                    pass(&self.searched.split_to(now));
                    *length -= now;
                    if *length > 0 {
                        return;
                    }
                }
            }
            self.waiting.pop_front();
        }
    }
}
