//! The other end: finds the gates that run, and asks them.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::answer::Answer;
use crate::line::{self, LONGEST_ANSWER, LineError};
use crate::request::Request;
use crate::socket::{EXTENSION, connect, reach};

/// The gates that run with one state directory.
#[derive(Debug)]
pub struct Peers {
    directory: PathBuf,
}

/// A gate that runs.
#[derive(Debug)]
pub struct Peer {
    stream: UnixStream,
    name: String,
}

/// Why a gate did not answer.
#[derive(Debug, Error)]
pub enum PeerError {
    /// It went away, or is stuck.
    #[error("the gate `{name}` does not answer")]
    Silent {
        /// Its name.
        name: String,
        /// Why.
        source: LineError,
    },
    /// It is of another version.
    #[error("the gate `{0}` answers in a language of another version of Outwall")]
    Language(String),
}

impl Peers {
    /// Those whose sockets are in `directory`. There need not be such a directory.
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
        }
    }

    /// Connects to each. What killed gates left is removed.
    pub fn connect(&self) -> io::Result<Vec<Peer>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut peers = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                peers.extend(self.connect_to(&path)?);
            }
        }
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(peers)
    }

    fn connect_to(&self, path: &Path) -> io::Result<Option<Peer>> {
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else {
            return Ok(None);
        };
        match reach(&self.directory, file, connect) {
            Ok(stream) => Ok(Some(Peer {
                stream,
                name: file.trim_end_matches(".sock").to_owned(),
            })),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let _ = fs::remove_file(path); // nobody listens, and nobody will again
                Ok(None)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Peer {
    /// Its name: that of its socket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks it; once, for each side says one line.
    pub fn ask(self, request: &Request) -> Result<Answer, PeerError> {
        let name = self.name;
        let answered = line::write(&self.stream, &request.to_line())
            .map_err(LineError::from)
            .and_then(|()| line::read(&self.stream, LONGEST_ANSWER));
        match answered {
            Err(source) => Err(PeerError::Silent { name, source }),
            Ok(line) => Answer::parse(&line).ok_or(PeerError::Language(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Socket;

    #[test]
    fn a_gate_is_found_asked_and_answers_however_long_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("d".repeat(120));
        fs::create_dir(&directory).unwrap();
        let socket = Socket::open(&directory, "g-1").unwrap();
        let mode = socket.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let gate = std::thread::spawn(move || {
            let caller = socket.accept().unwrap().unwrap();
            assert_eq!(caller.uid(), rustix::process::geteuid().as_raw());
            assert_eq!(Request::parse(&caller.hear().unwrap()).unwrap(), Request::Status);
            caller.answer(&Answer::NotMine).unwrap();
        });
        let mut peers = Peers::of(&directory).connect().unwrap();
        assert_eq!(peers.len(), 1);
        assert_eq!(
            peers.pop().unwrap().ask(&Request::Status).unwrap(),
            Answer::NotMine
        );
        gate.join().unwrap();
        assert!(Peers::of(&directory).connect().unwrap().is_empty());
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            0,
            "its file is removed"
        );
    }

    #[test]
    fn a_socket_closes_although_its_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let socket = std::sync::Arc::new(Socket::open(folder.path(), "g-1").unwrap());
        let waiting = std::thread::spawn({
            let socket = std::sync::Arc::clone(&socket);
            move || socket.accept().is_err()
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        drop(folder);
        socket.close();
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn what_a_killed_gate_left_is_removed_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(folder.path().join("dead.sock")).unwrap());
        fs::write(folder.path().join("notes"), "").unwrap();
        assert!(Peers::of(folder.path()).connect().unwrap().is_empty());
        assert!(!folder.path().join("dead.sock").exists());
        assert!(folder.path().join("notes").exists());
        assert!(
            Peers::of(&folder.path().join("none"))
                .connect()
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let socket = Socket::open(folder.path(), "g-1").unwrap();
        let talker = std::thread::spawn({
            let path = socket.path().to_owned();
            move || {
                use std::io::Write as _;
                let mut stream = UnixStream::connect(path).unwrap();
                let _ = stream.write_all(&vec![b'x'; 1 << 20]);
            }
        });
        let caller = socket.accept().unwrap().unwrap();
        assert!(matches!(caller.hear(), Err(LineError::TooLong(_))));
        drop(caller);
        talker.join().unwrap();
    }
}
