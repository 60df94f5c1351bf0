//! `git archive --remote` (`POST git-upload-archive`): what a server is asked to pack up. github.com does not offer it; servers of
//! one's own may.
//!
//! Its arguments are those of a command that runs on the server. Git refuses there what would write (`--output`) or run something
//! (`--exec`, `--remote`), and so does this, by letting through only what is known.

use bytes::Bytes;
use outwall_policy::github::{Actions, GithubAction, RepositoryName};
use thiserror::Error;

use super::pkt_line::{FLUSH, Packet, PktLineError, PktLines, write_line};

/// What a server is asked to pack up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRequest {
    arguments: Vec<String>,
}

/// Why a request for an archive is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchiveError {
    /// It is not framed as git frames.
    #[error(transparent)]
    Framing(#[from] PktLineError),
    /// It does not consist of arguments and a flush.
    #[error("it is not a list of arguments")]
    NoArguments,
    /// An option that is not let through.
    #[error("`{}` is not let through to a server's `git archive`", .0.escape_debug())]
    Option(String),
    /// More than anyone asks for.
    #[error("it has more than {MOST_BYTES} bytes")]
    TooLong,
}

impl ArchiveRequest {
    /// Reads a whole body.
    pub fn read(body: &[u8]) -> Result<Self, ArchiveError> {
        if body.len() > MOST_BYTES {
            return Err(ArchiveError::TooLong);
        }
        let mut lines = PktLines::default();
        lines.feed(body);
        let mut arguments = Vec::new();
        loop {
            match lines.take_next()? {
                Some(packet @ Packet::Line(_)) => {
                    arguments.push(argument(packet.line().unwrap_or_default())?);
                }
                Some(Packet::Flush) if lines.is_empty() => break,
                _ => return Err(ArchiveError::NoArguments),
            }
        }
        check(&arguments)?;
        Ok(Self { arguments })
    }

    /// The bytes to send in place of the client's.
    pub fn serialise(&self) -> Bytes {
        let mut bytes = Vec::new();
        for argument in &self.arguments {
            write_line(&mut bytes, format!("argument {argument}\n").as_bytes());
        }
        bytes.extend_from_slice(FLUSH);
        bytes.into()
    }

    /// What it would do.
    pub fn actions(repository: &RepositoryName) -> Actions {
        Actions {
            operation: "git-upload-archive".to_owned(),
            all: vec![GithubAction::Read(repository.clone())],
        }
    }
}

fn argument(line: &[u8]) -> Result<String, ArchiveError> {
    let argument = line
        .strip_prefix(b"argument ")
        .and_then(|argument| std::str::from_utf8(argument).ok());
    let argument = argument.filter(|argument| !argument.chars().any(char::is_control));
    argument.map(str::to_owned).ok_or(ArchiveError::NoArguments)
}

/// Options that are known come first, then what to pack up, then paths.
fn check(arguments: &[String]) -> Result<(), ArchiveError> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = match argument.as_str() {
            "--" => return Ok(()),
            "--format" | "--prefix" | "--mtime" => arguments.next(),
            option if option.starts_with('-') && is_known(option) => None,
            option if option.starts_with('-') => return Err(ArchiveError::Option(argument.clone())),
            _ => None,
        };
        if let Some(value) = value.filter(|value| value.starts_with('-')) {
            return Err(ArchiveError::Option(value.clone()));
        }
    }
    Ok(())
}

fn is_known(option: &str) -> bool {
    let level = option.len() == 2 && option.ends_with(|end: char| end.is_ascii_digit());
    let whole = ["-v", "--verbose", "-l", "--list", "--worktree-attributes"].contains(&option);
    let valued = ["--format=", "--prefix=", "--mtime="]
        .iter()
        .any(|name| option.starts_with(name));
    level || whole || valued
}

/// Longer than a command line with many paths.
const MOST_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn body(arguments: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for argument in arguments {
            write_line(&mut bytes, format!("argument {argument}\n").as_bytes());
        }
        bytes.extend_from_slice(FLUSH);
        bytes
    }

    #[test]
    fn what_git_asks_for_is_read_and_written_again() {
        for arguments in [
            &["--format=tar.gz", "--prefix=app/", "-9", "HEAD"][..],
            &["--format", "zip", "v1.0", "src", "doc"],
            &["-v", "main", "--", "--odd-name"],
            &["--list"],
        ] {
            let request = ArchiveRequest::read(&body(arguments)).unwrap();
            assert_eq!(request.serialise(), body(arguments));
        }
    }

    #[test]
    fn nothing_else_reaches_the_command() {
        for arguments in [
            &["--output=/etc/x", "HEAD"][..],
            &["--exec=touch x", "HEAD"],
            &["--remote=x", "HEAD"],
            &["--format", "--output=x"],
            &["HEAD", "--add-file=/etc/passwd"],
            &["HEAD", "-o", "x"],
            &["--form=x"],
            &["-90"],
        ] {
            assert!(
                matches!(
                    ArchiveRequest::read(&body(arguments)),
                    Err(ArchiveError::Option(_))
                ),
                "{arguments:?}"
            );
        }
        assert!(ArchiveRequest::read(&body(&["HEAD\nargument --output=x"])).is_err());
        assert!(ArchiveRequest::read(b"0000more").is_err());
        assert!(ArchiveRequest::read(&body(&["HEAD"])[..20]).is_err());
    }
}
