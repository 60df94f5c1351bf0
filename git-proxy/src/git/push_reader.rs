//! Reads the commands of a push (gitprotocol-pack(5), "Reference Update Request and Packfile Transfer").
//!
//! What a server executes is wider than what a naive reader sees: a push certificate has commands of its own, a line may hide a name
//! behind NUL, some servers take ids and lengths in upper case. So this reader takes exactly what it can write again, and what it wrote
//! is what is sent. It reads plain bytes: a body that came with `Content-Encoding: gzip`, which servers accept, is inflated before, and
//! is sent on without.

use std::collections::HashSet;

use bytes::BytesMut;
use outwall_policy::github::{RefName, RefNameError, RefUpdate};
use thiserror::Error;

use super::object_format::ObjectFormat;
use super::pkt_line::{Packet, PktLineError, PktLines};
use super::push::PushCommands;
use super::push_capabilities::{CapabilityError, PUSH_CERT, PushCapabilities};
use super::report::ReportForm;

/// Reads the commands of a push that come in pieces.
#[derive(Debug, Default)]
pub struct PushReader {
    lines: PktLines,
    fed: usize,
    read: Option<PushCommands>,
    shallow: Shallow,
    names: HashSet<RefName>,
    form: Option<ReportForm>,
    state: State,
}

/// A body that is `0000` and nothing else. git sends one before a push that is larger than `http.postBuffer`, to see whether it may:
/// it is answered with [`probe_answer`](super::probe_answer), and never sent on. The push that follows is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe;

/// Why the commands of a push are not understood. They are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the push cannot be read: {why}")]
pub struct PushError {
    /// What is wrong.
    pub why: PushFault,
    /// How its client can be told, as far as that could be seen.
    pub form: ReportForm,
}

/// What is wrong with the commands of a push.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PushFault {
    /// It is not framed as git frames.
    #[error(transparent)]
    Framing(#[from] PktLineError),
    /// A pkt-line that has no place here.
    #[error("its commands have {0:?} where a command should be")]
    Unexpected(Packet),
    /// A line that is no command.
    #[error("line {0} is not `OLD NEW REF`")]
    NotACommand(usize),
    /// An id of the wrong length, or no id.
    #[error("line {line} has an id that is not {} lower-case hexadecimal digits ({format})", .format.digits())]
    Id {
        /// Which line, from 1.
        line: usize,
        /// By which hash ids are made here.
        format: ObjectFormat,
    },
    /// A line that tells where the client's history ends, and does not.
    #[error("line {0} is not `shallow ID`, with an id as the commands have them")]
    Shallow(usize),
    /// A ref that git would not take either.
    #[error("line {line}: {why}")]
    Ref {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: RefNameError,
    },
    /// A ref whose name is not UTF-8.
    #[error("line {0} names a ref whose name is not UTF-8; rename the branch to push it")]
    NotUtf8(usize),
    /// The capabilities.
    #[error(transparent)]
    Capabilities(#[from] CapabilityError),
    /// It has a NUL where none may be.
    #[error("line {0} has a NUL where none may be")]
    Nul(usize),
    /// A signed push.
    #[error("it is a signed push, which is not offered here: {PUSH_CERT}")]
    Certificate,
    /// One ref twice.
    #[error("it names {0} twice")]
    Twice(RefName),
    /// A command that does nothing.
    #[error("line {0} neither creates, nor moves, nor deletes a ref")]
    Nothing(usize),
    /// Too much.
    #[error("it has more than {MOST_LINES} commands, or more than {MOST_BYTES} bytes of them")]
    TooMuch,
    /// It ends too soon.
    #[error("it ends before its commands do")]
    CutOff,
    /// Something follows a flush that had no commands before it.
    #[error("it has no commands")]
    NoCommands,
}

impl PushReader {
    /// Takes the next piece of the body, and gives the commands once they are complete. What was fed beyond them is
    /// [`rest`](Self::rest).
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<PushCommands>, PushError> {
        self.lines.feed(bytes);
        self.fed += bytes.len();
        self.advance().map_err(|why| self.error(why))
    }

    /// What was fed beyond the commands: the beginning of the pack.
    pub fn rest(self) -> BytesMut {
        self.lines.rest()
    }

    /// The body ended before the commands were complete. That is all right for a [`Probe`].
    pub fn end(self) -> Result<Probe, PushError> {
        match self.state {
            State::AfterFlush if self.lines.is_empty() => Ok(Probe),
            _ => Err(self.error(PushFault::CutOff)),
        }
    }

    fn advance(&mut self) -> Result<Option<PushCommands>, PushFault> {
        if self.state == State::AfterFlush && !self.lines.is_empty() {
            return Err(PushFault::NoCommands);
        }
        while self.state == State::Commands {
            let Some(packet) = self.lines.take_next()? else {
                return if self.fed > MOST_BYTES {
                    Err(PushFault::TooMuch)
                } else {
                    Ok(None)
                };
            };
            match packet {
                Packet::Line(_) => self.line(packet.line().unwrap_or_default())?,
                Packet::Flush => return self.flush(),
                Packet::Delimiter | Packet::ResponseEnd => return Err(PushFault::Unexpected(packet)),
            }
        }
        Ok(None)
    }

    fn flush(&mut self) -> Result<Option<PushCommands>, PushFault> {
        self.state = State::AfterFlush;
        match self.read.take() {
            Some(commands) => Ok(Some(commands)),
            None if self.shallow.lines == 0 && self.lines.is_empty() => Ok(None),
            None => Err(PushFault::NoCommands),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), PushFault> {
        if self.line_number() > MOST_LINES {
            return Err(PushFault::TooMuch);
        }
        match &self.read {
            None => match line.strip_prefix(b"shallow ") {
                Some(id) => self.shallow(id),
                None => self.first_command(line),
            },
            Some(_) => self.command(line),
        }
    }

    /// Where the client's history ends. It is read and not sent on: a server that takes it (`receive.shallowUpdate`) cuts off its own
    /// history there, and that is the history of every ref. One that has the whole history needs no word about it.
    fn shallow(&mut self, id: &[u8]) -> Result<(), PushFault> {
        let line = self.line_number();
        let known = [ObjectFormat::Sha1, ObjectFormat::Sha256]
            .into_iter()
            .find(|format| format.id(id).is_some());
        let format = known.ok_or(PushFault::Shallow(line))?;
        if self.shallow.lines != 0 && self.shallow.format != format {
            return Err(PushFault::Shallow(line));
        }
        self.shallow = Shallow { lines: line, format };
        Ok(())
    }

    fn first_command(&mut self, line: &[u8]) -> Result<(), PushFault> {
        let (command, list) = cut(line, 0).unwrap_or((line, b""));
        self.form = Some(ReportForm::guess(list));
        if command.starts_with(b"push-cert") {
            return Err(PushFault::Certificate);
        }
        if list.contains(&0) {
            return Err(PushFault::Nul(self.line_number()));
        }
        let capabilities = PushCapabilities::read(list)?;
        if self.shallow.lines != 0 && self.shallow.format != capabilities.object_format {
            return Err(PushFault::Shallow(1));
        }
        self.read = Some(PushCommands {
            updates: Vec::new(),
            capabilities,
        });
        self.command(command)
    }

    fn command(&mut self, line: &[u8]) -> Result<(), PushFault> {
        let number = self.line_number();
        let Some(commands) = &mut self.read else {
            return Err(PushFault::NoCommands);
        };
        let update = update(line, number, commands.capabilities.object_format)?;
        if !self.names.insert(update.name.clone()) {
            return Err(PushFault::Twice(update.name));
        }
        commands.updates.push(update);
        Ok(())
    }

    /// Of the line that is read, from 1.
    fn line_number(&self) -> usize {
        1 + self.shallow.lines + self.read.as_ref().map_or(0, |read| read.updates.len())
    }

    fn error(&self, why: PushFault) -> PushError {
        let form = self.form.unwrap_or_default();
        PushError { why, form }
    }
}

/// The `shallow` lines. By which hash ids are made here is said behind them.
#[derive(Clone, Copy, Debug, Default)]
struct Shallow {
    lines: usize,
    format: ObjectFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Commands,
    AfterFlush,
}

fn update(line: &[u8], number: usize, format: ObjectFormat) -> Result<RefUpdate, PushFault> {
    if line.contains(&0) {
        return Err(PushFault::Nul(number));
    }
    let (old, rest) = cut(line, b' ').ok_or(PushFault::NotACommand(number))?;
    let (new, name) = cut(rest, b' ').ok_or(PushFault::NotACommand(number))?;
    let id = |text| format.id(text).ok_or(PushFault::Id { line: number, format });
    let (old, new) = (id(old)?, id(new)?);
    let name = std::str::from_utf8(name).map_err(|_| PushFault::NotUtf8(number))?;
    let name = name.parse().map_err(|why| PushFault::Ref { line: number, why })?;
    if old == new {
        return Err(PushFault::Nothing(number));
    }
    Ok(RefUpdate { old, new, name })
}

fn cut(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = line.iter().position(|byte| *byte == at)?;
    Some((&line[..place], &line[place + 1..]))
}

/// More than one ref is never allowed to a session; as many as this are still refused by name.
const MOST_LINES: usize = 10_000;

/// Room for so many with names of 255 bytes.
const MOST_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests;
