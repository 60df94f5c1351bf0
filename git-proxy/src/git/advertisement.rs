//! What a server offers (`info/refs`, gitprotocol-http(5)), without what the gate does not let through.
//!
//! Only what is known here is offered: a capability that is left in would be asked for, and then be refused. Left out are those with
//! which a push does more than move refs (`push-cert`, `push-options`), and those that lead a fetch to other hosts (`bundle-uri`,
//! `packfile-uris`, `promisor-remote`).

use thiserror::Error;

use super::fetch_line::OF_WANT;
use super::pkt_line::{FLUSH, Packet, PktLineError, PktLines, write_line};
use super::protocol::Service;

/// Rewrites an advertisement that comes in pieces. It holds one pkt-line, however many refs there are.
#[derive(Debug)]
pub struct Advertisement {
    service: Service,
    lines: PktLines,
    state: State,
}

/// Why an answer is no advertisement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdvertisementError {
    /// It is not framed as git frames.
    #[error("the server's list of refs cannot be read")]
    Framing(#[from] PktLineError),
    /// It does not begin as one.
    #[error("the server does not answer as git's smart protocol asks for {0}")]
    NotSmart(Service),
    /// It has a line that has no place in it.
    #[error("the server's list of refs has a line that has no place in it")]
    Unexpected,
    /// It ends too soon, or goes on behind its end.
    #[error("the server's list of refs is cut off, or goes on behind its end")]
    CutOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `# service=…`
    Service,
    /// The flush behind it. Not every server sends these two in version 2.
    ServiceFlush,
    /// `version 1` or `version 2`, or the first ref.
    First,
    /// The first ref, with what the server can do.
    FirstRef,
    /// Further refs.
    Refs,
    /// What a server of version 2 can do.
    Capabilities,
    /// The end.
    End,
}

impl Advertisement {
    /// Of the answer of this service.
    pub fn of(service: Service) -> Self {
        Self {
            service,
            lines: PktLines::default(),
            state: State::Service,
        }
    }

    /// Takes the next piece of the answer, and gives what is sent to the client.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, AdvertisementError> {
        self.lines.feed(piece);
        let mut written = Vec::with_capacity(piece.len());
        while let Some(packet) = self.lines.take_next()? {
            self.packet(&packet, &mut written)?;
        }
        Ok(written)
    }

    /// The answer has ended: whether it was one.
    pub fn end(&self) -> Result<(), AdvertisementError> {
        let whole = self.state == State::End && self.lines.is_empty();
        whole.then_some(()).ok_or(AdvertisementError::CutOff)
    }

    fn packet(&mut self, packet: &Packet, to: &mut Vec<u8>) -> Result<(), AdvertisementError> {
        self.state = match (self.state, packet) {
            (
                State::Service | State::First | State::FirstRef | State::Refs | State::Capabilities,
                Packet::Line(raw),
            ) => {
                return self.line(raw, packet.line().unwrap_or_default(), to);
            }
            (State::ServiceFlush, Packet::Flush) => State::First,
            (State::Refs | State::Capabilities, Packet::Flush) => State::End,
            // Servers before git 2.14 say nothing of an empty repository to who fetches.
            (State::First, Packet::Flush) if self.service == Service::UploadPack => State::End,
            (State::End, _) => return Err(AdvertisementError::CutOff),
            _ => return Err(self.unexpected()),
        };
        to.extend_from_slice(FLUSH);
        Ok(())
    }

    fn line(&mut self, raw: &[u8], line: &[u8], to: &mut Vec<u8>) -> Result<(), AdvertisementError> {
        match (self.state, line) {
            (State::Service, _)
                if line.strip_prefix(b"# service=") == Some(self.service.as_str().as_bytes()) =>
            {
                write_line(to, raw);
                self.state = State::ServiceFlush;
            }
            (State::Service | State::First, b"version 2") if self.service == Service::UploadPack => {
                write_line(to, raw);
                self.state = State::Capabilities;
            }
            (State::First, b"version 1") => {
                write_line(to, raw);
                self.state = State::FirstRef;
            }
            // "error-line": what is wrong, for people. Nothing follows.
            (State::First | State::FirstRef, _) if line.starts_with(b"ERR ") => {
                write_line(to, raw);
                self.state = State::End;
            }
            (State::First | State::FirstRef, _) => {
                write_line(
                    to,
                    &first_ref(line, self.service).ok_or(AdvertisementError::Unexpected)?,
                );
                self.state = State::Refs;
            }
            (State::Refs, _) if !line.is_empty() && !line.contains(&0) => write_line(to, raw),
            (State::Capabilities, _) => write_line(to, &offered(line)),
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn unexpected(&self) -> AdvertisementError {
        match self.state {
            State::Service => AdvertisementError::NotSmart(self.service),
            _ => AdvertisementError::Unexpected,
        }
    }
}

/// `ID NAME NUL CAPABILITIES`, with those that are known.
fn first_ref(line: &[u8], service: Service) -> Option<Vec<u8>> {
    let nul = line.iter().position(|byte| *byte == 0)?;
    let (named, list) = (&line[..nul], std::str::from_utf8(&line[nul + 1..]).ok()?);
    let known: Vec<&str> = list.split(' ').filter(|word| is_known(word, service)).collect();
    Some([named, b"\0", known.join(" ").as_bytes(), b"\n"].concat())
}

fn is_known(capability: &str, service: Service) -> bool {
    let name = capability.split_once('=').map_or(capability, |(name, _)| name);
    match service {
        Service::ReceivePack => OF_RECEIVE_PACK.contains(&name),
        Service::UploadPack => OF_WANT.contains(&name) || SAID_BY_UPLOAD_PACK.contains(&name),
    }
}

/// A line of version 2, with the features that are known; nothing for one that is not known.
fn offered(line: &[u8]) -> Vec<u8> {
    let Some(line) = std::str::from_utf8(line).ok() else {
        return Vec::new();
    };
    let (name, value) = line
        .split_once('=')
        .map_or((line, None), |(name, value)| (name, Some(value)));
    let features = |known: &[&str]| {
        let features = value
            .unwrap_or_default()
            .split(' ')
            .filter(|feature| known.contains(feature));
        features.collect::<Vec<_>>().join(" ")
    };
    let line = match name {
        "agent" | "object-format" | "object-info" => line.to_owned(),
        "ls-refs" | "fetch" => {
            let known = features(if name == "fetch" { &OF_FETCH } else { &["unborn"] });
            if known.is_empty() {
                name.to_owned()
            } else {
                format!("{name}={known}")
            }
        }
        _ => return Vec::new(),
    };
    format!("{line}\n").into_bytes()
}

const OF_RECEIVE_PACK: [&str; 10] = [
    "report-status",
    "report-status-v2",
    "delete-refs",
    "side-band-64k",
    "quiet",
    "atomic",
    "ofs-delta",
    "no-thin",
    "object-format",
    "agent",
];

/// What a server says beside what a client may ask for.
const SAID_BY_UPLOAD_PACK: [&str; 6] = [
    "allow-tip-sha1-in-want",
    "allow-reachable-sha1-in-want",
    "allow-any-sha1-in-want",
    "symref",
    "object-format",
    "agent",
];

/// What a fetch of version 2 may be asked for beside.
const OF_FETCH: [&str; 5] = [
    "shallow",
    "wait-for-done",
    "filter",
    "ref-in-want",
    "sideband-all",
];

#[cfg(test)]
mod tests;
