//! The sandbox's own terminal in place of the host's, and the relay between the two.
//!
//! A sandbox never holds a descriptor of the host's terminal: it could type into it. It knows nothing of what is typed. Start with [`Terminal`].

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

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
        Ok(Some(Relay {
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
}

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

impl Relay {
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
                PollFd::from_borrowed_fd(stdin.as_fd(), reading),
            ];
            let watched = if self.reads {
                &mut events[..]
            } else {
                &mut events[..3]
            };
            match poll(watched, None) {
                Err(Errno::INTR) => continue,
                polled => polled?,
            };
            let [ended, master, resized, typed] = [0, 1, 2, 3].map(|index| events[index].revents());
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

    fn pass_written(&self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        let read = match rustix::io::read(&self.master, &mut chunk[..]) {
            Ok(read) => read,
            Err(Errno::IO | Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut left = &chunk[..read];
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
