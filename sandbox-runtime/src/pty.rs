//! The sandbox's own terminal in place of the host's, and the relay between the two.
//!
//! A sandbox never holds a descriptor of the host's terminal: it could type into it. It knows nothing of what is typed. Start with [`Terminal`].

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::interlude::{Answering, Interlude, Interludes, Question, Reply, Screen, Typed, Wanted};
use crate::syscall::ResizeWatch;

/// Which of this process's standard streams are the host's terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    replaced: [bool; 3],
}

impl Terminal {
    /// Looks at standard input, output and error.
    pub(crate) fn of_this_process() -> Self {
        Self {
            replaced: [
                io::stdin().is_terminal(),
                io::stdout().is_terminal(),
                io::stderr().is_terminal(),
            ],
        }
    }

    /// Which of them the sandbox's own terminal replaces.
    pub(crate) fn replaced(&self) -> [bool; 3] {
        self.replaced
    }

    /// Makes the sandbox's terminal, by its master side, like the host's, and takes over the host's.
    pub(crate) fn attach(&self, master: Option<OwnedFd>) -> io::Result<Option<Relay>> {
        let Some(master) = master else { return Ok(None) };
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let host = streams
            .into_iter()
            .zip(self.replaced)
            .find_map(|(stream, replaced)| replaced.then_some(stream));
        let Some(host) = host else { return Ok(None) };
        let mut modes = tcgetattr(host)?;
        let reads = self.replaced[0];
        let raw = if reads {
            Some(RawMode::enter(stdin.as_fd(), &modes)?)
        } else {
            None
        };
        if raw.is_none() {
            // The host's terminal keeps translating line ends; once is enough.
            modes.output_modes.remove(OutputModes::OPOST);
        }
        tcsetattr(&master, OptionalActions::Now, &modes)?;
        tcsetwinsize(&master, tcgetwinsize(host)?)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let writes_to_stdout = self.replaced[1];
        let (resized, wakes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let watch = ResizeWatch::start(wakes.as_fd())?;
        let host = host.try_clone_to_owned()?;
        let (interludes, wanted) = Interludes::new()?;
        let attended = reads && (writes_to_stdout || self.replaced[2]);
        Ok(Some(Relay {
            interludes: attended.then_some(interludes),
            wanted,
            screen: Screen::default(),
            _raw: raw,
            _watch: watch,
            _wakes: wakes,
            resized,
            master,
            host,
            reads,
            writes_to_stdout,
            typed: Vec::new(),
        }))
    }
}

/// The host's terminal in raw mode; restored when dropped.
#[derive(Debug)]
struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    fn enter(terminal: BorrowedFd<'_>, before: &Termios) -> io::Result<Self> {
        let mode = Self {
            terminal: terminal.try_clone_to_owned()?,
            before: before.clone(),
        };
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&mode.terminal, OptionalActions::Drain, &raw)?;
        Ok(mode)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        tcsetattr(&self.terminal, OptionalActions::Drain, &self.before).ok();
    }
}

/// Carries bytes and sizes between the host's terminal and the sandbox's.
#[derive(Debug)]
pub(crate) struct Relay {
    _raw: Option<RawMode>,
    _watch: ResizeWatch,
    _wakes: OwnedFd,
    resized: OwnedFd,
    master: OwnedFd,
    host: OwnedFd,
    /// Whether standard input is the terminal.
    reads: bool,
    /// Whether standard output is; else standard error is.
    writes_to_stdout: bool,
    /// Read from the host and not yet taken by the sandbox, which may not be reading.
    typed: Vec<u8>,
    /// Where somebody is who could read a question and answer it.
    interludes: Option<Interludes>,
    wanted: Wanted,
    screen: Screen,
}

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

impl Relay {
    /// What speaks to the person at the terminal, where there is one.
    pub(crate) fn interludes(&self) -> Option<Interludes> {
        self.interludes.clone()
    }

    /// Relays until there is something to read on `until`, or it is closed.
    pub(crate) fn run(&mut self, until: impl AsFd) -> io::Result<()> {
        loop {
            let writing = if self.typed.is_empty() {
                PollFlags::empty()
            } else {
                PollFlags::OUT
            };
            let stdin = io::stdin();
            // One chunk at a time: who types faster than the sandbox reads is not read from.
            let reading = if self.reads && self.typed.is_empty() {
                PollFlags::IN
            } else {
                PollFlags::empty()
            };
            let mut events = [
                PollFd::new(&until, PollFlags::IN),
                PollFd::new(&self.master, PollFlags::IN | writing),
                PollFd::new(&self.resized, PollFlags::IN),
                PollFd::new(&self.wanted.bell, PollFlags::IN),
                PollFd::from_borrowed_fd(stdin.as_fd(), reading),
            ];
            let watched = if self.reads {
                &mut events[..]
            } else {
                &mut events[..4]
            };
            match poll(watched, None) {
                Err(Errno::INTR) => continue,
                polled => polled?,
            };
            let [ended, master, resized, wanted, typed] =
                [0, 1, 2, 3, 4].map(|index| events[index].revents());
            if resized.contains(PollFlags::IN) {
                self.resize()?;
            }
            if typed.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.read_typed()?;
            }
            if master.contains(PollFlags::OUT) {
                self.pass_typed()?;
            }
            if master.contains(PollFlags::IN) {
                self.pass_written()?;
            }
            if !ended.is_empty() {
                return Ok(());
            }
            if wanted.contains(PollFlags::IN) {
                self.hold_interludes(&until)?;
            }
        }
    }

    /// Passes on what is left when everything in the sandbox ended, or within a second.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let second = rustix::event::Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        loop {
            let mut events = [PollFd::new(&self.master, PollFlags::IN)];
            match poll(&mut events, Some(&second)) {
                Err(Errno::INTR) => {}
                Ok(0) => return Ok(()),
                Ok(_) if events[0].revents().contains(PollFlags::IN) => self.pass_written()?,
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn resize(&self) -> io::Result<()> {
        while rustix::io::read(&self.resized, &mut [0u8; 64]).is_ok_and(|read| read > 0) {}
        Ok(tcsetwinsize(&self.master, tcgetwinsize(&self.host)?)?)
    }

    fn read_typed(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        match rustix::io::read(io::stdin(), &mut chunk[..]) {
            Ok(0) | Err(Errno::IO) => self.reads = false, // the terminal is gone
            Ok(read) => self.typed.extend_from_slice(&chunk[..read]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn pass_typed(&mut self) -> io::Result<()> {
        match rustix::io::write(&self.master, &self.typed) {
            Ok(written) => drop(self.typed.drain(..written)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::IO) => self.typed.clear(), // nobody has the other side open
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn pass_written(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        let read = match rustix::io::read(&self.master, &mut chunk[..]) {
            Ok(read) => read,
            Err(Errno::IO | Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.screen.note(&chunk[..read]);
        self.show(&chunk[..read])
    }

    /// Writes to the host's terminal.
    fn show(&self, mut left: &[u8]) -> io::Result<()> {
        while !left.is_empty() {
            let written = if self.writes_to_stdout {
                rustix::io::write(io::stdout(), left)
            } else {
                rustix::io::write(io::stderr(), left)
            };
            match written {
                Ok(written) => left = &left[written..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&self.host, PollFlags::OUT)], None)),
                Err(Errno::IO) => return Ok(()), // the host's terminal is gone
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Interludes, on the relay's own thread: nothing else is relayed meanwhile.
impl Relay {
    fn hold_interludes(&mut self, until: impl AsFd) -> io::Result<()> {
        while rustix::io::read(&self.wanted.bell, &mut [0_u8; 64]).is_ok_and(|read| read > 0) {}
        while let Ok(interlude) = self.wanted.interludes.try_recv() {
            match interlude {
                Interlude::Say(text) => {
                    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    self.open(&lines)?;
                    self.close(lines.len())?;
                }
                Interlude::Ask(question, reply) => {
                    let replied = self.ask(&question, &until)?;
                    reply.try_send(replied).ok(); // whoever asked may have gone
                    if replied == Reply::Gone {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, question: &Question, until: impl AsFd) -> io::Result<Reply> {
        if (question.moot)() {
            return Ok(Reply::Moot);
        }
        let mut lines = question.lines.clone();
        lines.push(PROMPT.to_owned());
        self.open(&lines)?;
        let reply = self.await_reply(question, until)?;
        let answered = match reply {
            Reply::Yes => "yes",
            Reply::No => "no",
            Reply::Silence => "no answer: no",
            Reply::Moot => "answered elsewhere",
            Reply::Gone => "",
        };
        self.show(format!("\r\x1b[2K{PROMPT}{answered}").as_bytes())?;
        self.close(lines.len())?;
        Ok(reply)
    }

    fn await_reply(&mut self, question: &Question, until: impl AsFd) -> io::Result<Reply> {
        let began = Instant::now();
        let mut answering = Answering::default();
        while began.elapsed() < question.patience {
            let stdin = io::stdin();
            let mut events = [
                PollFd::new(&until, PollFlags::IN),
                PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
            ];
            match poll(&mut events, Some(&LOOK)) {
                Err(Errno::INTR) => continue,
                polled => polled?,
            };
            let [ended, typed] = [0, 1].map(|index| events[index].revents());
            if !ended.is_empty() {
                return Ok(Reply::Gone);
            }
            if (question.moot)() {
                return Ok(Reply::Moot);
            }
            if typed.is_empty() {
                continue;
            }
            let before = self.typed.len();
            self.read_typed()?;
            if !self.reads {
                return Ok(Reply::Gone);
            }
            if began.elapsed() < SETTLING {
                continue; // it was meant for the program, which gets it
            }
            for byte in self.typed.split_off(before) {
                match answering.take(byte) {
                    Some(Typed::Yes) => return Ok(Reply::Yes),
                    Some(Typed::No) => return Ok(Reply::No),
                    Some(Typed::Interrupt) => {
                        self.typed.push(byte);
                        return Ok(Reply::No);
                    }
                    Some(Typed::Neither) | None => {}
                }
            }
            self.show(format!("\r\x1b[2K{PROMPT}{}", answering.shown()).as_bytes())?;
        }
        Ok(Reply::Silence)
    }

    /// Shows lines: below what is there, or over the last lines of a program that draws the whole screen. Whatever state the
    /// sandbox left the terminal in is undone first: an unfinished sequence, colours, other character sets.
    fn open(&self, lines: &[String]) -> io::Result<()> {
        let rows = usize::from(tcgetwinsize(&self.host)?.ws_row);
        let mut text = String::from("\x18\x1b\\\x1b7\x1b[0m\x0f\x1b(B");
        if self.screen.is_alternate() && rows > lines.len() {
            for (line, row) in lines.iter().zip(rows - lines.len() + 1..) {
                write!(text, "\x1b[{row};1H\x1b[2K{line}").expect("a string takes all");
            }
        } else {
            for line in lines {
                write!(text, "\r\n\x1b[2K{line}").expect("a string takes all");
            }
        }
        self.show(text.as_bytes())
    }

    /// Gives the terminal back, and has the program draw itself again.
    fn close(&self, lines: usize) -> io::Result<()> {
        let size = tcgetwinsize(&self.host)?;
        if self.screen.is_alternate() && usize::from(size.ws_row) > lines {
            self.show(b"\x1b8")?;
            let smaller = Winsize {
                ws_row: size.ws_row - 1,
                ..size
            };
            tcsetwinsize(&self.master, smaller)?;
            std::thread::sleep(REDRAW);
            return Ok(tcsetwinsize(&self.master, size)?);
        }
        self.show(b"\r\n")
    }
}

const PROMPT: &str = "  y/n> ";
/// What is typed sooner was on its way to the program when the question came up.
const SETTLING: Duration = Duration::from_millis(400);
/// Between looks whether a question is moot.
const LOOK: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// A program is told of another size twice, so that it draws everything again; in between it must see the first.
const REDRAW: Duration = Duration::from_millis(60);
