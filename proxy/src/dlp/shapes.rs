//! What is looked for, compiled.

use std::sync::{Arc, LazyLock};

use outwall_policy::credential::{CredentialShape, LeakScan, SharedShape};

use super::filter::Filter;
use super::pattern::{self, Pattern};

/// A set of shapes, ready to be searched for.
#[derive(Debug)]
pub struct Shapes {
    known: Vec<SharedShape>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) filter: Filter,
    /// How many bytes of a credential may come before its anchor, where they are more than a mark of its kind.
    pub(super) late: usize,
}

impl Shapes {
    /// The known ones alone.
    pub fn known() -> Arc<Self> {
        static KNOWN: LazyLock<Arc<Shapes>> =
            LazyLock::new(|| Arc::new(Shapes::new(LeakScan::default().shapes().cloned().collect())));
        Arc::clone(&KNOWN)
    }

    /// What an environment looks for.
    pub fn of(scan: &LeakScan) -> Arc<Self> {
        if scan.is_plain() {
            return Self::known();
        }
        Arc::new(Self::new(scan.shapes().cloned().collect()))
    }

    fn new(shapes: Vec<SharedShape>) -> Self {
        let patterns = pattern::all_of(&shapes);
        let latest = shapes
            .iter()
            .flat_map(|shape| shape.anchors())
            .map(|anchor| *anchor.at().end())
            .max();
        Self {
            filter: Filter::new(&patterns),
            late: latest.filter(|at| *at >= LATE).unwrap_or(0),
            known: shapes,
            patterns,
        }
    }

    /// The shape that a match names.
    pub fn shape(&self, index: usize) -> &CredentialShape {
        &self.known[index]
    }
}

/// An anchor further into its credential than this comes too late to hold the beginning back.
const LATE: usize = 32;
