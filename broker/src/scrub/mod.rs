//! Masks secrets in what comes back: bytes in, the same bytes out, with `*` where a secret stood. No I/O.
//!
//! # The rule
//!
//! Of each secret a part is *random*, and the rest is known to everybody (`sk-ant-api03-`, the header of a JWT). Wherever a run of
//! consecutive bytes of a secret stands in a text that holds at least a *window* of its random part, all of the run is masked: the
//! whole secret, one that was cut short, one that was broken into lines. The window is 8 bytes where letters of both cases and
//! digits are mixed, and longer where bytes say less (12 of a hexadecimal secret), so that a text that was not made from the secret
//! meets one by a chance of about one in 2⁴⁶ at a place: `random_part`. What is masked keeps its length.
//!
//! A secret is looked for in these forms, each by the same rule:
//!
//! - as it is, and in upper and lower case (names of header fields become that);
//! - base64 of any text that holds it, and base64 of that again, in both alphabets, at every alignment: `user:secret` of Basic too;
//! - hexadecimal, in either case; UTF-16;
//! - any of these with any of their bytes escaped: `%2B` and `%252B`, `\/`, `\u002b`, `\x2b` and these escaped again, `&#43;`,
//!   `&#x2b;`, `&amp;`. Each byte may be written its own way.
//!
//! The way of a text, in the order of the files:
//!
//! - `random_part`: what of a secret is random, and how much of it tells it.
//! - `form`: a secret as it may be written, compiled once.
//! - `grams`: finds four bytes of any form, looking at every fifth place of a text.
//! - `escape`: what stands for another byte, and the text that it stands for.
//! - `scrubber`: the runs of a text, and what at its end may become one.
//! - `stream`: the same of a text that comes in pieces.
//!
//! # Attacks, and where each ends
//!
//! - *Have it cut* (by a range, a length, a line break). A window is enough, wherever in the secret it lies.
//! - *Have it written otherwise*, byte by byte. Every escape is undone before it is compared.
//! - *Split it*, over chunks and frames. What may be the beginning of a run waits for what follows, and nothing else waits.
//! - *Have it transformed* in a way that is none of these: compressed or encrypted inside a text, reversed, in base32, as a list of
//!   numbers, letter by letter. That cannot be enumerated, and is out of reach.

mod escape;
mod form;
mod grams;
mod random_part;
mod scrubber;
mod stream;

#[cfg(test)]
mod tests;

pub use scrubber::{Scrubber, Unscrubbable};
pub use stream::ScrubStream;
