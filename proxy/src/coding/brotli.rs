//! Brotli (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Give, Step, Unreadable};

/// Undoes brotli.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    output: Box<[u8]>,
    whole: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let state = BrotliState::new(
            StandardAlloc::default(),
            StandardAlloc::default(),
            StandardAlloc::default(),
        );
        Self {
            state,
            output: vec![0; OUTPUT].into_boxed_slice(),
            whole: false,
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn step(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        let broken = Unreadable::Broken { coding: "br" };
        if self.whole && !bytes.is_empty() {
            return Err(broken);
        }
        let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
        let (mut room, mut written) = (OUTPUT, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            bytes,
            &mut room,
            &mut written,
            &mut self.output[..],
            &mut total,
            &mut self.state,
        );
        give(&self.output[..written])?;
        let goes_on = match result {
            BrotliResult::NeedsMoreOutput => true,
            BrotliResult::NeedsMoreInput => false,
            BrotliResult::ResultSuccess if left == 0 => {
                self.whole = true;
                false
            }
            BrotliResult::ResultSuccess | BrotliResult::ResultFailure => return Err(broken),
        };
        Ok(Step { used: at, goes_on })
    }
}

const OUTPUT: usize = 32 << 10;
