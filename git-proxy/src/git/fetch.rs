//! What a fetch asks for (`POST git-upload-pack`), line by line, and as it is sent on.
//!
//! A fetch can do nothing but read the repository that its path names, so that the decision does not hang on its body. It is read all the
//! same, for three reasons: a server of one's own may know commands that do more; `packfile-uris` and `server-option` ask for more than
//! reading here; and a body that is passed on unread is a way out for anything that a sandbox wants to tell. What is sent on is written
//! here, line by line. Negotiations have no bounded length, and none is held: memory is one pkt-line.

use outwall_policy::github::{Actions, GithubAction, RepositoryName};
use thiserror::Error;

use super::fetch_line::{self, Place};
use super::pkt_line::{DELIMITER, FLUSH, Packet, PktLineError, PktLines, write_line};
use super::protocol::ProtocolVersion;

/// Reads the body of a fetch that comes in pieces, and writes it anew. It reads plain bytes: git sends what is longer than 1 KiB as gzip,
/// which is inflated before, and is sent on without.
#[derive(Debug)]
pub struct FetchReader {
    lines: PktLines,
    place: Place,
    asked: FetchCommand,
}

/// What a fetch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchCommand {
    /// Nothing: a body that is `0000`, with which git sees whether it may, before one that is larger than `http.postBuffer`.
    Nothing,
    /// `ls-refs`
    LsRefs,
    /// `fetch`, and all of versions 0 and 1.
    Fetch,
    /// `object-info`
    ObjectInfo,
}

/// Why the body of a fetch is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// It is not framed as git frames.
    #[error(transparent)]
    Framing(#[from] PktLineError),
    /// A line that is not known where it stands.
    #[error("it has a line that is not known there: `{}`", .0.escape_debug())]
    Unknown(String),
    /// A pkt-line that has no place where it stands.
    #[error("it has {0:?} where a line should be")]
    Unexpected(Packet),
    /// What the gate takes out of what servers offer.
    #[error("it asks for `{0}`, which is not offered here: {1}")]
    NotOffered(&'static str, &'static str),
    /// It ends too soon.
    #[error("it ends too soon")]
    CutOff,
    /// It goes on behind its end.
    #[error("it goes on behind its end")]
    GoesOn,
}

impl FetchReader {
    /// Of a body that came with this version in its `Git-Protocol`.
    pub fn new(version: ProtocolVersion) -> Self {
        let place = match version {
            ProtocolVersion::V0 | ProtocolVersion::V1 => Place::Wants,
            ProtocolVersion::V2 => Place::Command,
        };
        Self {
            lines: PktLines::default(),
            place,
            asked: FetchCommand::Nothing,
        }
    }

    /// What any fetch would do.
    pub fn actions(repository: &RepositoryName) -> Actions {
        Actions {
            operation: "git-upload-pack".to_owned(),
            all: vec![GithubAction::Read(repository.clone())],
        }
    }

    /// Takes the next piece of the body, and gives what is sent on.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, FetchError> {
        self.lines.feed(piece);
        let mut written = Vec::with_capacity(piece.len());
        while let Some(packet) = self.lines.take_next()? {
            self.packet(&packet, &mut written)?;
        }
        Ok(written)
    }

    /// The body has ended: what it asked for.
    pub fn end(&self) -> Result<FetchCommand, FetchError> {
        self.lines.end()?;
        match self.place {
            Place::End | Place::Haves | Place::HavesOrEnd => Ok(self.asked),
            Place::Wants | Place::Command | Place::Capabilities(_) | Place::Arguments(_) => {
                Err(FetchError::CutOff)
            }
        }
    }

    fn packet(&mut self, packet: &Packet, to: &mut Vec<u8>) -> Result<(), FetchError> {
        self.place = match (self.place, packet) {
            (Place::End, _) => return Err(FetchError::GoesOn),
            (place, Packet::Line(_)) => {
                return self.line(place, packet.line().unwrap_or_default(), to);
            }
            (Place::Wants, Packet::Flush) if self.asked == FetchCommand::Nothing => Place::End,
            (Place::Wants | Place::Haves | Place::HavesOrEnd, Packet::Flush) => Place::HavesOrEnd,
            (Place::Command | Place::Capabilities(_) | Place::Arguments(_), Packet::Flush) => Place::End,
            (Place::Capabilities(command), Packet::Delimiter) => Place::Arguments(command),
            _ => return Err(FetchError::Unexpected(packet.clone())),
        };
        to.extend_from_slice(if *packet == Packet::Flush {
            FLUSH
        } else {
            DELIMITER
        });
        Ok(())
    }

    fn line(&mut self, place: Place, line: &[u8], to: &mut Vec<u8>) -> Result<(), FetchError> {
        let text = fetch_line::text(line)?;
        let read = fetch_line::read(place, text)?;
        write_line(to, read.written.as_bytes());
        self.place = read.next;
        if let Some(asked) = read.asked {
            self.asked = asked;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
