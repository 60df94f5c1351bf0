//! The standard streams that the sandbox gets in place of the caller's files.
//!
//! Who holds a descriptor of a file can open the file again through `/proc/self/fd`: to write what was opened to be read, and from a directory on to everything
//! around it. So a file is replaced by a pipe, and a thread of ours carries its bytes; a directory is refused. Devices, pipes and sockets are passed on.
//! It knows nothing of terminals (`pty`). Start with [`Streams::of_this_process`].

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, SeekFrom, Stat, fstat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// What the sandbox gets as its standard input, output and error, and what is to be carried to and from there.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) given: [OwnedFd; 3],
    input: Option<Input>,
    outputs: Vec<Output>,
}

/// Bytes on their way, from a pipe to a file until there are no more.
type Output = (File, File);

/// Why the streams cannot be those of a sandbox.
#[derive(Debug)]
pub(crate) enum StreamsError {
    /// One of them is a directory; its number.
    Directory(usize),
    Io(io::Error),
}

impl From<io::Error> for StreamsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Streams {
    /// Looks at this process's standard streams.
    pub(crate) fn of_this_process() -> Result<Self, StreamsError> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        Self::of([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
    }

    fn of(streams: [BorrowedFd<'_>; 3]) -> Result<Self, StreamsError> {
        let mut files = [false; 3];
        let mut found = Vec::with_capacity(3);
        for (number, stream) in streams.iter().enumerate() {
            let stat = fstat(stream).map_err(io::Error::from)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => return Err(StreamsError::Directory(number)),
                FileType::RegularFile | FileType::BlockDevice => files[number] = true,
                _ => {}
            }
            found.push(stat);
        }
        let (given_input, input) = if files[0] {
            let (read, input) = Input::from(streams[0])?;
            (read, Some(input))
        } else {
            (own(streams[0])?, None)
        };
        let mut outputs = Vec::new();
        let output = |number: usize, outputs: &mut Vec<Output>| -> io::Result<OwnedFd> {
            if !files[number] {
                return own(streams[number]);
            }
            let (read, write) = pipe()?;
            outputs.push((read.into(), own(streams[number])?.into()));
            Ok(write)
        };
        let given_output = output(1, &mut outputs)?;
        // One pipe for both keeps their lines in order.
        let given_error = if files[1] && same(&found[1], &found[2]) {
            given_output.try_clone()?
        } else {
            output(2, &mut outputs)?
        };
        Ok(Self {
            given: [given_input, given_output, given_error],
            input,
            outputs,
        })
    }

    /// Begins to carry. The sandbox's ends must have been handed over: as long as we hold one, nothing ends.
    pub(crate) fn carry(self) -> Carrying {
        let Self {
            given,
            input,
            outputs,
        } = self;
        drop(given);
        let outputs = outputs.into_iter().map(|(mut from, mut to)| {
            thread::spawn(move || {
                // A failure closes the pipe, which the program at its other end sees.
                io::copy(&mut from, &mut to).ok();
            })
        });
        let outputs = outputs.collect();
        Carrying {
            input: input.map(Input::carry),
            outputs,
        }
    }
}

/// The streams of a sandbox that runs.
#[derive(Debug)]
pub(crate) struct Carrying {
    input: Option<Left>,
    outputs: Vec<JoinHandle<()>>,
}

impl Carrying {
    /// Waits until all output is where it belongs, and leaves the input where it was read to. Everything in the sandbox has ended, or is about to.
    pub(crate) fn finish(self) {
        for thread in self.outputs {
            thread.join().ok();
        }
        if let Some(input) = self.input {
            input.put_back();
        }
    }
}

/// A file whose bytes go into a pipe.
#[derive(Debug)]
struct Input {
    file: File,
    /// Does not block: the sandbox can open the pipe too, and fill it.
    pipe: OwnedFd,
    left: Left,
}

/// What is not read of an input in the end is still there for whoever shares the file with us, such as the loop of a shell.
#[derive(Debug)]
struct Left {
    file: File,
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug)]
struct Progress {
    carried: u64,
    /// The end of the pipe that is read from; gone when nothing is to be carried any more.
    read: Option<OwnedFd>,
}

/// What fits into a pipe that says that there is room.
const CHUNK: usize = 4096;

impl Input {
    fn from(file: BorrowedFd<'_>) -> io::Result<(OwnedFd, Self)> {
        let (read, pipe) = pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let progress = Progress {
            carried: 0,
            read: Some(read.try_clone()?),
        };
        let left = Left {
            file: own(file)?.into(),
            progress: Arc::new(Mutex::new(progress)),
        };
        let file = own(file)?.into();
        Ok((read, Self { file, pipe, left }))
    }

    fn carry(self) -> Left {
        let Self { file, pipe, left } = self;
        let progress = Arc::clone(&left.progress);
        thread::spawn(move || {
            let room = || match poll(&mut [PollFd::new(&pipe, PollFlags::OUT)], None) {
                Err(Errno::INTR) => true,
                polled => polled.is_ok(),
            };
            while room() {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                match progress.read.as_ref().map(|_| carry_some(&file, &pipe)) {
                    Some(Ok(carried)) if carried > 0 => progress.carried += carried,
                    Some(Err(Errno::AGAIN)) => {}
                    _ => return,
                }
            }
        });
        left
    }
}

/// Carries what fits. Zero at the end of the file.
fn carry_some(file: &File, pipe: &OwnedFd) -> Result<u64, Errno> {
    let mut chunk = [0; CHUNK];
    let read = rustix::io::read(file, &mut chunk[..])?;
    let written = rustix::io::write(pipe, &chunk[..read]).inspect_err(|_| step_back(file, read as u64));
    written.map(|written| written as u64)
}

impl Left {
    fn put_back(self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = progress
            .read
            .take()
            .and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok());
        // The sandbox could have written into the pipe as well.
        step_back(&self.file, unread.unwrap_or(0).min(progress.carried));
    }
}

fn step_back(file: &File, bytes: u64) {
    if let Ok(bytes) = i64::try_from(bytes) {
        rustix::fs::seek(file, SeekFrom::Current(-bytes)).ok();
    }
}

fn own(stream: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    stream.try_clone_to_owned()
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

fn same(one: &Stat, other: &Stat) -> bool {
    one.st_dev == other.st_dev && one.st_ino == other.st_ino
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn files_become_pipes_and_arrive_in_order_and_devices_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "before ").expect("a file");
        let file = File::options().append(true).open(&path).expect("a file");
        let null = File::open("/dev/null").expect("a device");
        let streams = Streams::of([null.as_fd(), file.as_fd(), file.as_fd()]).expect("streams");
        let given = streams.given.each_ref().map(|stream| {
            let stat = fstat(stream).expect("a descriptor");
            FileType::from_raw_mode(stat.st_mode)
        });
        assert_eq!(given, [FileType::CharacterDevice, FileType::Fifo, FileType::Fifo]);
        let [_, output, error] = streams
            .given
            .each_ref()
            .map(|stream| own(stream.as_fd()).expect("a copy"));
        let carrying = streams.carry();
        for (stream, text) in [(&output, "one "), (&error, "two "), (&output, "three")] {
            rustix::io::write(stream, text.as_bytes()).expect("written");
        }
        drop((output, error));
        carrying.finish();
        assert_eq!(
            std::fs::read_to_string(path).expect("a file"),
            "before one two three"
        );
    }

    #[test]
    fn input_is_carried_to_its_end() {
        let mut file = tempfile::tempfile().expect("a file");
        let bytes = vec![7; 300_000];
        file.write_all(&bytes).expect("written");
        io::Seek::rewind(&mut file).expect("rewound");
        let null = File::open("/dev/null").expect("a device");
        let streams = Streams::of([file.as_fd(), null.as_fd(), null.as_fd()]).expect("streams");
        let mut given = File::from(own(streams.given[0].as_fd()).expect("a copy"));
        let carrying = streams.carry();
        let mut read = Vec::new();
        given.read_to_end(&mut read).expect("read");
        assert!(read == bytes);
        carrying.finish();
    }

    #[test]
    fn what_is_not_read_stays_in_the_file() {
        for (size, taken) in [
            (300_000_u64, 10_000_usize),
            (300_000, 0),
            (5_000, 5_000),
            (5_000, 1),
        ] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&vec![7; usize::try_from(size).expect("small")])
                .expect("written");
            io::Seek::rewind(&mut file).expect("rewound");
            let null = File::open("/dev/null").expect("a device");
            let streams = Streams::of([file.as_fd(), null.as_fd(), null.as_fd()]).expect("streams");
            let mut given = File::from(own(streams.given[0].as_fd()).expect("a copy"));
            let carrying = streams.carry();
            given.read_exact(&mut vec![0; taken]).expect("read");
            drop(given);
            carrying.finish();
            let at = io::Seek::stream_position(&mut file).expect("a position");
            assert_eq!(at, taken as u64);
        }
    }

    #[test]
    fn a_directory_is_refused() {
        let directory = File::open("/").expect("a directory");
        let null = File::open("/dev/null").expect("a device");
        let refused = Streams::of([null.as_fd(), null.as_fd(), directory.as_fd()]).map(drop);
        assert!(matches!(refused, Err(StreamsError::Directory(2))));
    }
}
