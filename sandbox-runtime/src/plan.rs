//! The plan of one sandbox: everything that its stages need to know, decided beforehand by the process that asks.
//!
//! A plan is data: the stages carry it out in order and decide nothing. It crosses to them in a memory file, the bytes of placed files behind the rest.
//! Start with [`Plan`]; `layout` writes the file steps, `mounts` carries them out.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{Identity, Ids};

/// Everything the stages need to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) identity: Identity,
    pub(crate) files: Vec<FileStep>,
    pub(crate) command: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) working_directory: PathBuf,
    pub(crate) root: bool,
    pub(crate) nested_namespaces: bool,
    /// Loopback ports to listen on for the asking process.
    pub(crate) host_ports: Vec<u16>,
    /// Which of standard input, output and error the sandbox's own terminal replaces.
    pub(crate) terminal: [bool; 3],
    pub(crate) processes: Option<u32>,
    /// The control groups to join, by their directories.
    pub(crate) control_groups: Vec<PathBuf>,
}

/// One step of laying out what the sandbox sees. Paths are those inside, sources those of the host, canonical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FileStep {
    /// A directory of the root file system.
    Directory { path: PathBuf, mode: u32 },
    /// A symbolic link.
    Link { path: PathBuf, to: PathBuf },
    /// A file of ours.
    File { path: PathBuf, placed: Placed },
    /// A file of ours over an existing one that cannot be replaced.
    FileOver { path: PathBuf, placed: Placed },
    /// A file or directory of the host with all below it.
    Tree {
        source: PathBuf,
        path: PathBuf,
        writable: bool,
        owners: Owners,
    },
    /// A device of the host.
    Device { path: PathBuf },
    /// A directory of the host below a discarded layer.
    Overlay {
        source: PathBuf,
        path: PathBuf,
        writable: bool,
        owners: Owners,
        placed: Vec<(PathBuf, Placed)>,
        hidden: Vec<PathBuf>,
    },
    /// An empty directory that can be written to.
    Fresh { path: PathBuf, mode: u32, owner: Owner },
    /// The processes of the sandbox.
    Processes { path: PathBuf, covered: bool },
    /// The terminals of the sandbox.
    Terminals { path: PathBuf },
    /// What is at `path` stays there: it cannot be renamed or removed, nor written to unless `writable`.
    Pin { path: PathBuf, writable: bool },
    /// What is at `path` appears empty.
    Cover { path: PathBuf },
    /// From here on the root file system itself is read-only.
    Seal,
}

impl FileStep {
    /// Where it takes effect.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. }
            | Self::Link { path, .. }
            | Self::File { path, .. }
            | Self::FileOver { path, .. }
            | Self::Tree { path, .. }
            | Self::Device { path }
            | Self::Overlay { path, .. }
            | Self::Fresh { path, .. }
            | Self::Processes { path, .. }
            | Self::Terminals { path }
            | Self::Pin { path, .. }
            | Self::Cover { path } => path,
            Self::Seal => Path::new("/"),
        }
    }
}

/// Who owns a directory of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    System,
    User,
}

/// Whose the files of a host directory appear to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Owners {
    /// Whose they are.
    AsTheyAre,
    /// What belongs to these ids of the host belongs to the sandbox's user, and the other way round.
    Swapped(Ids),
    /// The host's ids from 0 on are the sandbox's ids from 0 on: root's files are those of the sandbox's root.
    System,
}

/// A file of ours: its permission bits and where its bytes lie behind the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) mode: u32,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The bytes of placed files, equal ones once.
#[derive(Default)]
pub(crate) struct Contents<'a> {
    pieces: Vec<std::borrow::Cow<'a, [u8]>>,
    known: HashMap<&'a [u8], u64>,
    length: u64,
}

impl<'a> Contents<'a> {
    /// Adds bytes that somebody else keeps.
    pub(crate) fn add(&mut self, bytes: &'a [u8], mode: u32) -> Placed {
        let length = bytes.len() as u64;
        if let Some(&offset) = self.known.get(bytes) {
            return Placed { mode, offset, length };
        }
        let offset = self.append(bytes.into());
        self.known.insert(bytes, offset);
        Placed { mode, offset, length }
    }

    /// Adds bytes made here.
    pub(crate) fn add_owned(&mut self, bytes: Vec<u8>, mode: u32) -> Placed {
        let length = bytes.len() as u64;
        Placed {
            mode,
            offset: self.append(bytes.into()),
            length,
        }
    }

    fn append(&mut self, bytes: std::borrow::Cow<'a, [u8]>) -> u64 {
        let offset = self.length;
        self.length += bytes.len() as u64;
        self.pieces.push(bytes);
        offset
    }
}

impl Plan {
    /// Writes the plan and the bytes of its files to a memory file.
    pub(crate) fn write(&self, contents: &Contents<'_>) -> Step<OwnedFd> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Failure::new(Part::Conversation, format!("write the plan: {error}")))?;
        let memory = memfd_create("outwall-plan", MemfdFlags::CLOEXEC)
            .doing(Part::Conversation, "make a memory file")?;
        let mut file = File::from(memory);
        let write =
            |bytes: &[u8], file: &mut File| file.write_all(bytes).doing(Part::Conversation, "write the plan");
        write(&(json.len() as u64).to_ne_bytes(), &mut file)?;
        write(&json, &mut file)?;
        for piece in &contents.pieces {
            write(piece, &mut file)?;
        }
        file.seek(SeekFrom::Start(0))
            .doing(Part::Conversation, "write the plan")?;
        Ok(file.into())
    }

    /// Reads what [`Plan::write`] wrote.
    pub(crate) fn read(memory: OwnedFd) -> Step<(Self, PlacedBytes)> {
        let mut file = File::from(memory);
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .doing(Part::Conversation, "read the plan")?;
        let length = u64::from_ne_bytes(length);
        let mut json = vec![0; usize::try_from(length).expect("a plan fits into memory")];
        file.read_exact(&mut json)
            .doing(Part::Conversation, "read the plan")?;
        let plan = serde_json::from_slice(&json)
            .map_err(|error| Failure::new(Part::Conversation, format!("understand the plan: {error}")))?;
        Ok((
            plan,
            PlacedBytes {
                file,
                start: 8 + length,
            },
        ))
    }
}

/// The bytes behind a plan.
#[derive(Debug)]
pub(crate) struct PlacedBytes {
    file: File,
    start: u64,
}

impl PlacedBytes {
    /// Copies the bytes of `placed` to `to`.
    pub(crate) fn copy(&self, placed: Placed, to: impl AsFd) -> std::io::Result<()> {
        let mut offset = self.start + placed.offset;
        let end = offset + placed.length;
        while offset < end {
            let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
            if rustix::fs::sendfile(&to, &self.file, Some(&mut offset), left)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
