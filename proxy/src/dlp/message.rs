//! The messages of one direction of a WebSocket, each scanned by itself, compressed or not.

use std::sync::Arc;

use super::scan::{Match, Scan};
use super::shapes::Shapes;
use crate::coding::{Decoder, Unreadable};

/// The scan of messages, one after another.
#[derive(Debug)]
pub struct MessageScan {
    shapes: Arc<Shapes>,
    /// Of the message that has begun.
    current: Option<Scan>,
    compressed: bool,
    /// One for all messages: each may refer to those before it (RFC 7692 section 7.2.3).
    decoder: Option<Decoder>,
}

impl MessageScan {
    /// Before the first message.
    pub fn new(shapes: Arc<Shapes>) -> Self {
        Self {
            shapes,
            current: None,
            compressed: false,
            decoder: None,
        }
    }

    /// Takes more of the current message, or the beginning of the next. `compressed` counts at a message's beginning.
    pub fn push(&mut self, bytes: &[u8], compressed: bool, found: &mut Vec<Match>) -> Result<(), Unreadable> {
        if self.current.is_none() {
            self.current = Some(Scan::new(Arc::clone(&self.shapes)));
            self.compressed = compressed;
        }
        self.decode(bytes, found)
    }

    /// The current message ends.
    pub fn end(&mut self, found: &mut Vec<Match>) -> Result<(), Unreadable> {
        let decoded = if self.compressed {
            self.decode(&FLUSH, found)
        } else {
            Ok(())
        };
        if let Some(mut scan) = self.current.take() {
            scan.finish(found);
        }
        decoded
    }

    /// Whether what came may end within a credential.
    pub fn is_in_doubt(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|scan| scan.cleared() < scan.pushed())
    }

    /// The shapes that are looked for.
    pub fn shapes(&self) -> &Arc<Shapes> {
        &self.shapes
    }

    fn decode(&mut self, bytes: &[u8], found: &mut Vec<Match>) -> Result<(), Unreadable> {
        let Some(scan) = &mut self.current else {
            return Ok(());
        };
        if !self.compressed {
            scan.push(bytes, found);
            return Ok(());
        }
        let decoder = self.decoder.get_or_insert_with(Decoder::of_messages);
        decoder.decode(bytes, |bytes| scan.push(bytes, found)).map(drop)
    }
}

/// What a sender leaves out at the end of a message (RFC 7692 section 7.2.1).
const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];
