//! What time it is. Tests have clocks of their own, that jump.

use jiff::Timestamp;

/// Says the time of day. It may be set, forward and back: the order of a chain is that of its numbers, and never of its times.
pub(crate) type Clock = fn() -> Timestamp;

#[cfg(test)]
mod tests;
