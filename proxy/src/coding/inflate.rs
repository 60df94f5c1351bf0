//! gzip (RFC 1952) and deflate (RFC 1950, and RFC 1951 as some send it).

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::{Give, Step, Unreadable};

/// Undoes gzip or deflate.
pub(super) struct Inflate {
    coding: &'static str,
    stage: Stage,
    state: Box<InflateState>,
    output: Box<[u8]>,
}

/// What comes next.
enum Stage {
    /// A header of gzip, of which this came.
    Header(Vec<u8>),
    /// The first byte of deflate, which tells whether it has a header.
    First,
    Data,
    /// So many bytes of a trailer of gzip.
    Trailer(usize),
    /// Nothing may.
    Over,
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        Self::new("gzip", Stage::Header(Vec::new()))
    }

    pub(super) fn deflate() -> Self {
        Self::new("deflate", Stage::First)
    }

    pub(super) fn messages() -> Self {
        Self::new(MESSAGES, Stage::Data)
    }

    fn new(coding: &'static str, stage: Stage) -> Self {
        Self {
            coding,
            stage,
            state: InflateState::new_boxed(DataFormat::Raw),
            output: vec![0; OUTPUT].into_boxed_slice(),
        }
    }

    pub(super) fn coding(&self) -> &'static str {
        self.coding
    }

    /// Whether it may end here: after a member.
    pub(super) fn is_whole(&self) -> bool {
        match &self.stage {
            Stage::Header(came) => came.is_empty(),
            Stage::Over => true,
            Stage::First | Stage::Data | Stage::Trailer(_) => false,
        }
    }

    pub(super) fn step(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        let Some(first) = bytes.first() else {
            return match self.stage {
                Stage::Data => self.data(bytes, give),
                _ => Ok(Step::NONE),
            };
        };
        let used = match &mut self.stage {
            Stage::Header(_) => self.header(bytes)?,
            Stage::First => {
                if first & 0x0f == 8 && first >> 4 <= 7 {
                    self.state.reset(DataFormat::Zlib);
                }
                self.stage = Stage::Data;
                0
            }
            Stage::Data => return self.data(bytes, give),
            Stage::Trailer(left) => {
                let now = (*left).min(bytes.len());
                *left -= now;
                if *left == 0 {
                    self.stage = Stage::Header(Vec::new());
                }
                now
            }
            Stage::Over => return Err(self.broken()),
        };
        Ok(Step { used, goes_on: false })
    }

    fn data(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        let done = inflate(&mut self.state, bytes, &mut self.output[..], MZFlush::None);
        give(&self.output[..done.bytes_written])?;
        let mut goes_on = done.bytes_written == OUTPUT;
        match done.status {
            Ok(MZStatus::StreamEnd) => {
                self.stage = match self.coding {
                    "gzip" => Stage::Trailer(TRAILER),
                    MESSAGES => Stage::Data,
                    _ => Stage::Over,
                };
                self.state.reset(DataFormat::Raw);
                goes_on = false;
            }
            Ok(_) if goes_on || done.bytes_consumed > 0 || bytes.is_empty() => {}
            Err(MZError::Buf) if bytes.is_empty() => {}
            Ok(_) | Err(_) => return Err(self.broken()),
        }
        Ok(Step {
            used: done.bytes_consumed,
            goes_on,
        })
    }

    /// RFC 1952 section 2.3. How many bytes belong to it.
    fn header(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        let broken = self.broken();
        let Stage::Header(came) = &mut self.stage else {
            return Ok(0);
        };
        for (index, byte) in bytes.iter().enumerate() {
            came.push(*byte);
            match length_of_header(came) {
                Header::Whole => {
                    self.stage = Stage::Data;
                    return Ok(index + 1);
                }
                Header::GoesOn if came.len() < LONGEST_HEADER => {}
                Header::GoesOn | Header::None => return Err(broken),
            }
        }
        Ok(bytes.len())
    }

    fn broken(&self) -> Unreadable {
        Unreadable::Broken { coding: self.coding }
    }
}

enum Header {
    Whole,
    GoesOn,
    None,
}

fn length_of_header(came: &[u8]) -> Header {
    const START: [u8; 3] = [0x1f, 0x8b, 8];
    if !came.iter().zip(START).all(|(byte, start)| *byte == start) {
        return Header::None;
    }
    if came.len() < 10 {
        return Header::GoesOn;
    }
    let flags = came[3];
    let mut at = 10;
    if flags & 4 != 0 {
        let Some([low, high]) = came.get(at..at + 2) else {
            return Header::GoesOn;
        };
        at += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = came
                .get(at..)
                .and_then(|rest| rest.iter().position(|byte| *byte == 0));
            let Some(end) = end else {
                return Header::GoesOn;
            };
            at += end + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    if came.len() >= at {
        Header::Whole
    } else {
        Header::GoesOn
    }
}

const MESSAGES: &str = "permessage-deflate";
const OUTPUT: usize = 32 << 10;
const TRAILER: usize = 8;
const LONGEST_HEADER: usize = 70 << 10;
