//! Why a record does not fit, in words that can be pasted in a ticket.

use std::fmt;

use crate::checkpoint::Disbelief;

/// A record that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its line, from 1.
    pub line: u64,
    /// The number of the record that belongs there.
    pub seq: u64,
    /// Why.
    pub why: Misfit,
}

/// Why a record does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The line is no record at all.
    NotARecord,
    /// Its hash is not that of its bytes.
    Changed,
    /// It is whole, and does not follow the one before: one was removed, inserted or moved.
    DoesNotFollow {
        /// The number that should be here.
        expected: u64,
        /// The number that is.
        found: u64,
    },
    /// It is of another writer's chain.
    AnotherWriter,
    /// What was before this file is gone, and no removal of it is signed.
    FilesMissing {
        /// The first record that is missing.
        first: u64,
        /// The last.
        last: u64,
    },
    /// It is a checkpoint, and not of the record before it.
    FalseCheckpoint,
    /// It is a checkpoint or a removal that is not believed.
    Disbelieved(Disbelief),
    /// It is not the record that a checkpoint was signed of.
    WrittenAnew {
        /// When that was signed.
        signed_at: String,
    },
    /// There is none any more, and a checkpoint was signed of a later one.
    CutOff {
        /// Of this one.
        last: u64,
        /// When.
        signed_at: String,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("is not a record"),
            Self::Changed => f.write_str("was changed: its hash is not that of its bytes"),
            Self::DoesNotFollow { expected, found } if expected == found => {
                f.write_str("does not follow the record before it, which is not the one it was written after")
            }
            Self::DoesNotFollow { expected, found } => write!(
                f,
                "is record {found} where record {expected} belongs: records were removed, inserted or moved"
            ),
            Self::AnotherWriter => f.write_str("was written by another writer than the records before it"),
            Self::FilesMissing { first, last } => write!(
                f,
                "follows records {first} to {last}, which are gone without a signed removal"
            ),
            Self::FalseCheckpoint => f.write_str("is a checkpoint of another chain than the one it is in"),
            Self::Disbelieved(why) => write!(f, "is a signed statement, and {why}"),
            Self::WrittenAnew { signed_at } => write!(
                f,
                "is not the one that the checkpoint of {signed_at} was signed of: the chain was written anew"
            ),
            Self::CutOff { last, signed_at } => write!(
                f,
                "is missing, with all up to record {last} at the least, of which a checkpoint was signed at {signed_at}: the end was cut off"
            ),
        }
    }
}
