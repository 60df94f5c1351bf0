//! Interludes: a word to the person at the terminal, or a question, while a sandbox's command has the terminal.
//!
//! The relay is held meanwhile: what the sandbox writes waits, and what is typed is the answer. It knows nothing of what is asked.
//! Start with [`Interludes`].
//!
//! # The sandbox at the same terminal
//!
//! It may have left the terminal in any state, in the middle of a control sequence, with colours that hide text: every interlude
//! begins by undoing that. It may have made the terminal *type*: terminals answer some sequences by themselves, with text that
//! the sandbox chose. So an answer is a line that is `y` or `n` and nothing else: such replies hold an escape and no line end.
//! What is typed in the first moment is passed on, for it was meant for the program that was in front.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

/// Speaks to the person at the terminal, from any thread.
#[derive(Clone, Debug)]
pub struct Interludes {
    wanted: Sender<Interlude>,
    bell: Arc<OwnedFd>,
}

/// A question that takes a yes or a no.
pub struct Question {
    /// What is asked, in a few lines of printable text.
    pub lines: Vec<String>,
    /// For how long.
    pub patience: Duration,
    /// Asked now and then: whether the question need not be answered any more.
    pub moot: Box<dyn Fn() -> bool + Send>,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The person said yes.
    Yes,
    /// The person said no, or interrupted.
    No,
    /// Nobody answered in time.
    Silence,
    /// It need not be answered any more.
    Moot,
    /// There is nobody to ask: the command or the terminal is gone.
    Gone,
}

/// The relay's end.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) interludes: Receiver<Interlude>,
    pub(crate) bell: OwnedFd,
}

#[derive(Debug)]
pub(crate) enum Interlude {
    Say(String),
    Ask(Question, SyncSender<Reply>),
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl Interludes {
    pub(crate) fn new() -> io::Result<(Self, Wanted)> {
        let (bell, rings) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let (wanted, interludes) = channel();
        let handle = Self {
            wanted,
            bell: Arc::new(rings),
        };
        Ok((handle, Wanted { interludes, bell }))
    }

    /// Shows a text, soon.
    pub fn say(&self, text: &str) {
        self.want(Interlude::Say(text.to_owned()));
    }

    /// Asks, and waits for what comes of it.
    pub fn ask(&self, question: Question) -> Reply {
        let (reply, replied) = sync_channel(1);
        self.want(Interlude::Ask(question, reply));
        replied.recv().unwrap_or(Reply::Gone)
    }

    fn want(&self, interlude: Interlude) {
        if self.wanted.send(interlude).is_ok() {
            rustix::io::write(&*self.bell, b"!").ok(); // full: it rings already
        }
    }
}

/// What is typed in answer to a question, as it comes.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    line: Vec<u8>,
    spoilt: bool,
}

/// What a byte completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Yes,
    No,
    /// Ctrl-C: no, and it is meant for the program too.
    Interrupt,
    /// A line that is neither.
    Neither,
}

/// The longest answer is `yes`.
const LONGEST: usize = 8;

impl Answering {
    /// Takes the next byte. A line with anything but letters in it is no answer.
    pub(crate) fn take(&mut self, byte: u8) -> Option<Typed> {
        match byte {
            0x03 => Some(Typed::Interrupt),
            b'\r' | b'\n' => {
                let Self { line, spoilt } = std::mem::take(self);
                match line.to_ascii_lowercase().as_slice() {
                    b"y" | b"yes" if !spoilt => Some(Typed::Yes),
                    b"n" | b"no" if !spoilt => Some(Typed::No),
                    b"" if !spoilt => None,
                    _ => Some(Typed::Neither),
                }
            }
            0x08 | 0x7f => {
                self.line.pop();
                None
            }
            letter if letter.is_ascii_alphabetic() && self.line.len() < LONGEST => {
                self.line.push(letter);
                None
            }
            _ => {
                self.spoilt = true;
                None
            }
        }
    }

    /// What is to be seen of the answer so far.
    pub(crate) fn shown(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }
}

/// Whether the program in front draws on the alternate screen, told by what it writes (xterm's private modes 47, 1047, 1049).
#[derive(Debug, Default)]
pub(crate) struct Screen {
    is_alternate: bool,
    /// The end of what was written, where a sequence may have begun.
    tail: Vec<u8>,
}

/// `ESC [ ? 1 0 4 9 h`.
const SEQUENCE: usize = 8;

impl Screen {
    pub(crate) fn note(&mut self, written: &[u8]) {
        let mut seen = std::mem::take(&mut self.tail);
        seen.extend_from_slice(written);
        for at in memchr_all(&seen, 0x1b) {
            for (mode, length) in [(&b"\x1b[?1049"[..], 7), (b"\x1b[?1047", 7), (b"\x1b[?47", 5)] {
                if seen[at..].starts_with(mode) {
                    match seen.get(at + length) {
                        Some(b'h') => self.is_alternate = true,
                        Some(b'l') => self.is_alternate = false,
                        _ => {}
                    }
                }
            }
        }
        let begun = seen.len().saturating_sub(SEQUENCE - 1);
        self.tail = seen.split_off(begun);
    }

    pub(crate) fn is_alternate(&self) -> bool {
        self.is_alternate
    }
}

fn memchr_all(haystack: &[u8], needle: u8) -> impl Iterator<Item = usize> {
    haystack
        .iter()
        .enumerate()
        .filter_map(move |(at, byte)| (*byte == needle).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Typed> {
        let mut answering = Answering::default();
        bytes.iter().filter_map(|byte| answering.take(*byte)).collect()
    }

    #[test]
    fn an_answer_is_a_line_of_its_own() {
        assert_eq!(typed(b"y\r"), [Typed::Yes]);
        assert_eq!(typed(b"YES\n"), [Typed::Yes]);
        assert_eq!(typed(b"n\r"), [Typed::No]);
        assert_eq!(typed(b"x\x7fy\r"), [Typed::Yes]);
        assert_eq!(typed(b"y"), []);
        assert_eq!(typed(b"\r\r"), []);
        assert_eq!(typed(b"\x03"), [Typed::Interrupt]);
    }

    #[test]
    fn what_a_terminal_types_by_itself_is_no_answer() {
        // A title that the sandbox chose, reported; a cursor's position; a device's attributes; a paste.
        for reply in [
            &b"\x1b]ly\x1b\\"[..],
            b"\x1b]lyes\x07",
            b"\x1b[12;40R",
            b"\x1b[?62;y",
            b"\x1b[200~y\x1b[201~",
        ] {
            assert_eq!(typed(reply), [], "{reply:?}");
            assert_eq!(typed(&[reply, b"\r"].concat()), [Typed::Neither], "{reply:?}");
            assert_eq!(typed(&[reply, b"y\r"].concat()), [Typed::Neither], "{reply:?}");
            assert_eq!(
                typed(&[reply, b"\ry\r"].concat()),
                [Typed::Neither, Typed::Yes],
                "{reply:?}"
            );
        }
        for line in [
            "yy",
            "yes please",
            "y y",
            " y",
            "y;",
            "ye\u{301}s",
            "yyyyyyyyyyyyyyyyyyyyyyyy",
        ] {
            assert_eq!(
                typed(format!("{line}\r").as_bytes()),
                [Typed::Neither],
                "{line:?}"
            );
        }
    }

    #[test]
    fn the_alternate_screen_is_seen_however_its_sequence_is_split() {
        let sequence = b"text\x1b[?1049hmore";
        for split in 0..sequence.len() {
            let mut screen = Screen::default();
            screen.note(&sequence[..split]);
            screen.note(&sequence[split..]);
            assert!(screen.is_alternate(), "split at {split}");
            screen.note(b"\x1b[?1049");
            screen.note(b"l");
            assert!(!screen.is_alternate());
        }
        let mut screen = Screen::default();
        screen.note(b"\x1b[?47h\x1b[?25l");
        assert!(screen.is_alternate());
        screen.note(b"\x1b[?1047l");
        assert!(!screen.is_alternate());
    }
}
