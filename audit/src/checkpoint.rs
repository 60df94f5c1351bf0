//! Signed statements about a chain: that it had reached a record, or that a file of it was removed.
//!
//! Whoever can write to the log can recompute a chain from any line to its end. He cannot sign. A statement that was brought
//! elsewhere shows later that records were cut off, or that the chain is not the one that was there.
//!
//! Each is a record in the chain (so that an excerpt proves itself), and a line of `checkpoints.jsonl` beside the log and of the file
//! that the policy names.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use crate::chain::Hash;
use crate::event::{Kind, WriterId};
use crate::fields::Fields;

mod key;

pub use key::{KeyError, PublicKeys, SigningKey, has_key};

/// What is stated and signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Statement {
    kind: Stated,
    /// Whose chain.
    pub(crate) writer: String,
    /// The stem of the segment that the record is in.
    pub(crate) file: String,
    /// The number of the last record that it covers.
    pub(crate) last_seq: u64,
    /// The hash of that record, and so of all before it.
    pub(crate) last_hash: String,
    /// By the clock of the gate.
    pub(crate) signed_at: String,
    key: String,
    signature: String,
}

/// What a statement says of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Stated {
    /// The chain had reached it.
    #[serde(rename = "checkpoint")]
    Reached,
    /// Everything of its writer up to it was removed, by retention.
    #[serde(rename = "segment.removed")]
    Removed,
}

/// Why a statement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disbelief {
    /// It is not signed by the key that it names, or was changed.
    BadSignature,
    /// The key that it names is not one of those that were given.
    UnknownKey,
}

impl Statement {
    pub(crate) fn sign(
        key: &SigningKey,
        kind: Stated,
        (writer, file): (WriterId, &str),
        (last_seq, last_hash): (u64, &Hash),
    ) -> Self {
        let mut statement = Self {
            kind,
            writer: writer.to_string(),
            file: file.to_owned(),
            last_seq,
            last_hash: last_hash.as_str().to_owned(),
            signed_at: format!("{:.9}", Timestamp::now()),
            key: key.id().to_owned(),
            signature: String::new(),
        };
        statement.signature = key.sign(&statement.message());
        statement
    }

    /// Of one line, without its newline. None: it is no statement.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(Self::is_well_formed)
    }

    pub(crate) fn kind(&self) -> Stated {
        self.kind
    }

    pub(crate) fn check(&self, keys: &PublicKeys) -> Result<(), Disbelief> {
        let key = keys.key(&self.key).ok_or(Disbelief::UnknownKey)?;
        let genuine = key::verify(key, &self.message(), &self.signature);
        genuine.then_some(()).ok_or(Disbelief::BadSignature)
    }

    /// What is signed. Every field is one line, so no two statements have the same message.
    fn message(&self) -> String {
        let kind = match self.kind {
            Stated::Reached => "checkpoint",
            Stated::Removed => "segment.removed",
        };
        format!(
            "outwall audit {kind}\nwriter {}\nfile {}\nlast_seq {}\nlast_hash {}\nsigned_at {}\nkey {}\n",
            self.writer, self.file, self.last_seq, self.last_hash, self.signed_at, self.key
        )
    }

    fn is_well_formed(&self) -> bool {
        let texts = [
            &self.writer,
            &self.file,
            &self.last_hash,
            &self.signed_at,
            &self.key,
        ];
        let plain = |text: &&String| text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
        texts.iter().all(plain)
    }

    pub(crate) fn event(&self) -> Kind {
        match self.kind {
            Stated::Reached => Kind::Checkpoint,
            Stated::Removed => Kind::SegmentRemoved,
        }
    }

    /// As fields of a record.
    pub(crate) fn write(&self, line: &mut Fields<'_>) {
        line.text("file", &self.file);
        line.plain("writer", &self.writer);
        line.number("last_seq", self.last_seq);
        line.plain("last_hash", &self.last_hash);
        line.plain("signed_at", &self.signed_at);
        line.plain("key", &self.key);
        line.plain("signature", &self.signature);
    }

    /// As a line of its own, newline included.
    fn line(&self) -> Vec<u8> {
        let mut line = b"{\"v\":1".to_vec();
        let mut fields = Fields::new(&mut line);
        fields.plain("kind", self.event().as_str());
        self.write(&mut fields);
        line.extend_from_slice(b"}\n");
        line
    }
}

/// When and of what: for people.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Stated::Reached => "checkpoint",
            Stated::Removed => "removal",
        };
        write!(
            f,
            "{what} of record {} signed at {}",
            self.last_seq, self.signed_at
        )
    }
}

impl fmt::Display for Disbelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSignature => "its signature does not fit: it was forged or changed",
            Self::UnknownKey => "it is signed by another key than was given",
        })
    }
}

/// Appends statements to files, each whole or not at all: what a crash tore is cut off by the next.
pub(crate) fn export(path: &Path, statements: &[Statement]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.is_file() {
        file.lock()?; // other gates append too
        cut_torn_line(&file)?;
    }
    let lines: Vec<u8> = statements.iter().flat_map(Statement::line).collect();
    file.write_all(&lines)?;
    file.sync_data()
}

fn cut_torn_line(file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let whole = crate::repair::end_of_whole_lines(file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(())
}

/// Where the statements of a log are kept beside it.
pub fn beside(directory: &Path) -> PathBuf {
    directory.join("checkpoints.jsonl")
}

/// What a file of statements says, line by line; what is no statement is `Err` with its line, from 1. A last line without its
/// end is none yet.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Result<Statement, u64>>> {
    let mut text = Vec::new();
    File::open(path)?.read_to_end(&mut text)?;
    let whole = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
    Ok((1..)
        .zip(lines)
        .map(|(number, line)| {
            let line = str::from_utf8(&line[..line.len() - 1]).ok();
            line.and_then(Statement::parse).ok_or(number)
        })
        .collect())
}
