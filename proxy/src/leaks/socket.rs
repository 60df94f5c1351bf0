//! The messages of a WebSocket's client, looked at as they pass.

use std::sync::Arc;

use outwall_policy::Denial;
use outwall_policy::credential::LeakAction;
use thiserror::Error;

use super::place::Place;
use super::watch::Watch;
use crate::dlp::{Match, MessageScan, Scan, Unreadable};
use crate::websocket::{FrameError, Frames, Piece};

/// The watch over the client's messages. Bytes go in as they come and out as they may leave.
pub(crate) struct MessageWatch {
    frames: Frames,
    /// None where nothing is looked for.
    watch: Option<Arc<Watch>>,
    /// None where nothing is looked for, or cannot be.
    messages: Option<MessageScan>,
    /// What came and has not left, where credentials are kept.
    waiting: Vec<u8>,
}

/// Why bytes do not pass.
#[derive(Debug, Error)]
pub(crate) enum NotPassed {
    /// They are no frames.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// A credential is in them.
    #[error("{0}")]
    Cut(Denial),
}

impl MessageWatch {
    pub(crate) fn new(watch: Option<Arc<Watch>>) -> Self {
        Self {
            frames: Frames::of_client(),
            messages: watch
                .as_ref()
                .map(|watch| MessageScan::new(Arc::clone(watch.shapes()))),
            watch,
            waiting: Vec::new(),
        }
    }

    /// Looks at the next bytes. `pass` is given those that may leave: at once, unless credentials are kept and the message may be
    /// within one.
    pub(crate) fn look(&mut self, bytes: &[u8], pass: impl FnOnce(&[u8])) -> Result<(), NotPassed> {
        let Some(watch) = &self.watch else {
            self.frames.read(bytes, |_piece| {})?;
            pass(bytes);
            return Ok(());
        };
        let (mut found, mut unreadable) = (Vec::new(), None);
        let messages = &mut self.messages;
        self.frames.read(bytes, |piece| {
            let Some(messages) = messages else { return };
            if let Err(why) = take(messages, &piece, &mut found) {
                unreadable = Some(why);
            }
        })?;
        let judged = judge(watch, &found, unreadable.as_ref());
        judged.map_err(|denial| NotPassed::Cut(watch.cut_with(denial)))?;
        if unreadable.is_some() {
            self.messages = None; // nor the rest of them
        }
        if watch.action() != LeakAction::Block {
            pass(bytes);
            return Ok(());
        }
        self.waiting.extend_from_slice(bytes);
        if !self.messages.as_ref().is_some_and(MessageScan::is_in_doubt) {
            pass(&self.waiting);
            self.waiting.clear();
        }
        Ok(())
    }
}

/// What follows from what was found, and from what cannot be looked into.
fn judge(watch: &Watch, found: &[Match], unreadable: Option<&Unreadable>) -> Result<(), Denial> {
    for one in found {
        watch.found(one.shape, &Place::Message(one.start))?;
    }
    unreadable.map_or(Ok(()), |why| watch.unreadable(why))
}

/// A control frame is a message of its own, and may come within another.
fn take(messages: &mut MessageScan, piece: &Piece<'_>, found: &mut Vec<Match>) -> Result<(), Unreadable> {
    let text: Vec<u8> = piece.unmasked().collect();
    if piece.opcode >= 8 {
        found.extend(Scan::whole(messages.shapes(), &text));
        return Ok(());
    }
    messages.push(&text, piece.is_compressed(), found)?;
    if piece.last_frame && piece.ends_frame {
        messages.end(found)?;
    }
    Ok(())
}
