//! Whether a push moves a branch forward, told from the commits of its pack: for `force_push = false`.
//!
//! A server takes a push that leaves the branch's old commit behind, and GitHub has no rule against it that belongs to a session. So the
//! pack is read as it passes by: of each commit in it, the id is computed and the parents are kept. If the new commit reaches the old one
//! through those, the branch moves forward. The end of the pack is held back until then: a pack without its checksum is none, and no ref
//! moves.

use std::collections::{HashMap, HashSet, VecDeque};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use bytes::{Bytes, BytesMut};
use outwall_policy::github::{ObjectId, RefUpdate};

use super::delta;
use super::object_format::ObjectFormat;
use super::pack_objects::{Beholder, Kind, PackObjects, Wanted};

/// The commits of a pack, as it passes by.
pub struct PackHistory {
    objects: PackObjects,
    commits: Commits,
    held: BytesMut,
    trailer: usize,
    readable: bool,
}

/// Whether a branch moves forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descent {
    /// Its old commit is an ancestor of the new, or there is none.
    Shown,
    /// It cannot be told from the pack, or is not so.
    NotShown {
        /// Commits that the new one descends from, and that are not in the pack: the server has them. If the old commit is one of their
        /// ancestors (GitHub: "Compare two commits" says `ahead` or `identical`), the branch moves forward after all. So many at the most
        /// as [`PackHistory::MOST_OUTSIDE`], and none of a pack that cannot be read.
        outside: Vec<ObjectId>,
    },
}

impl PackHistory {
    /// How many commits outside of a pack are named.
    pub const MOST_OUTSIDE: usize = 16;

    /// Of a pack whose ids are made so.
    pub fn new(format: ObjectFormat) -> Self {
        Self {
            objects: PackObjects::new(format, MOST_INFLATED),
            commits: Commits::new(format),
            held: BytesMut::new(),
            trailer: format.digits() / 2,
            readable: true,
        }
    }

    /// Takes the next piece of the pack, as [`PackReader::feed`](super::PackReader::feed) gives it, and gives what may be sent: all but the
    /// last bytes, which may be the pack's checksum.
    pub fn feed(&mut self, piece: &Bytes) -> Bytes {
        if self.readable {
            self.readable = self.objects.feed(piece, &mut self.commits).is_ok();
        }
        self.held.extend_from_slice(piece);
        let sent = self.held.len().saturating_sub(self.trailer);
        self.held.split_to(sent).freeze()
    }

    /// The pack has ended: whether this update moves its ref forward.
    pub fn descent(&self, update: &RefUpdate) -> Descent {
        if update.old.is_null() || update.new.is_null() || update.old == update.new {
            return Descent::Shown;
        }
        if !self.readable || !self.objects.is_whole() {
            return Descent::NotShown { outside: Vec::new() };
        }
        self.commits.descent(update)
    }

    /// What was held back, to be sent when every update may be.
    pub fn held(self) -> Bytes {
        self.held.freeze()
    }
}

/// The commits of a pack.
struct Commits {
    format: ObjectFormat,
    parents: HashMap<ObjectId, Vec<ObjectId>>,
    /// Contents that others may be made of, by where they are in the pack; so many bytes of them as [`MOST_KEPT`].
    kept: HashMap<u64, Vec<u8>>,
    places: HashMap<Vec<u8>, u64>,
    order: VecDeque<(u64, Vec<u8>)>,
    kept_bytes: usize,
}

impl Commits {
    fn new(format: ObjectFormat) -> Self {
        Self {
            format,
            parents: HashMap::new(),
            kept: HashMap::new(),
            places: HashMap::new(),
            order: VecDeque::new(),
            kept_bytes: 0,
        }
    }

    fn descent(&self, update: &RefUpdate) -> Descent {
        let (mut seen, mut outside) = (HashSet::new(), Vec::new());
        let mut ahead = VecDeque::from([&update.new]);
        while let Some(id) = ahead.pop_front() {
            if *id == update.old {
                return Descent::Shown;
            }
            if !seen.insert(id) {
                continue;
            }
            match self.parents.get(id) {
                Some(parents) => ahead.extend(parents),
                None if outside.len() < PackHistory::MOST_OUTSIDE => outside.push(id.clone()),
                None => {}
            }
        }
        Descent::NotShown { outside }
    }

    /// Where the base of a delta is, if it is a commit that is kept.
    fn base(&self, at: u64, kind: &Kind) -> Option<u64> {
        let place = match kind {
            Kind::OffsetDelta(before) => at.checked_sub(*before)?,
            Kind::IdDelta(id) => *self.places.get(id)?,
            Kind::Commit | Kind::Other => return None,
        };
        self.kept.contains_key(&place).then_some(place)
    }

    fn learn(&mut self, at: u64, content: Vec<u8>) {
        let raw = raw_id(self.format, &content);
        let (Some(id), Some(parents)) = (to_id(&raw), parents(self.format, &content)) else {
            return;
        };
        if self.parents.len() < MOST_COMMITS {
            self.parents.insert(id, parents);
        }
        self.kept_bytes += content.len();
        self.kept.insert(at, content);
        self.places.insert(raw.clone(), at);
        self.order.push_back((at, raw));
        while self.kept_bytes > MOST_KEPT {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((at, raw)) = self.order.pop_front() else {
            self.kept_bytes = 0;
            return;
        };
        self.places.remove(&raw);
        self.kept_bytes -= self.kept.remove(&at).map_or(0, |content| content.len());
    }
}

impl Beholder for Commits {
    fn begins(&mut self, at: u64, kind: &Kind, size: u64) -> Wanted {
        let wanted = *kind == Kind::Commit || self.base(at, kind).is_some();
        if wanted && size <= LONGEST_COMMIT as u64 {
            Wanted::Whole
        } else {
            Wanted::Nothing
        }
    }

    fn whole(&mut self, at: u64, kind: Kind, content: Vec<u8>) {
        if kind == Kind::Commit {
            return self.learn(at, content);
        }
        let base = self.base(at, &kind).and_then(|place| self.kept.get(&place));
        if let Some(made) = base.and_then(|base| delta::apply(base, &content, LONGEST_COMMIT)) {
            self.learn(at, made);
        }
    }
}

/// The hash of `commit SIZE NUL CONTENT`.
fn raw_id(format: ObjectFormat, content: &[u8]) -> Vec<u8> {
    let mut hash = Context::new(match format {
        ObjectFormat::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
        ObjectFormat::Sha256 => &SHA256,
    });
    hash.update(format!("commit {}\0", content.len()).as_bytes());
    hash.update(content);
    hash.finish().as_ref().to_vec()
}

fn to_id(raw: &[u8]) -> Option<ObjectId> {
    let digits = raw
        .iter()
        .fold(String::with_capacity(raw.len() * 2), |digits, byte| {
            digits + &format!("{byte:02x}")
        });
    digits.parse().ok()
}

/// `tree ID`, then `parent ID` for each, and no more of those behind the first line that is none. None for what is no commit.
fn parents(format: ObjectFormat, content: &[u8]) -> Option<Vec<ObjectId>> {
    let mut lines = content.split(|byte| *byte == b'\n');
    format.id(lines.next()?.strip_prefix(b"tree ")?)?;
    lines
        .map_while(|line| line.strip_prefix(b"parent "))
        .map(|id| format.id(id))
        .collect()
}

/// Longer than a commit with a signature and a long message. A longer one is not read, so that nothing is told through it.
const LONGEST_COMMIT: usize = 1 << 20;

/// Of a whole pack, in bytes: some minutes of one core.
const MOST_INFLATED: u64 = 64 << 30;

/// Of commits that others may be made of, in bytes.
const MOST_KEPT: usize = 16 << 20;

/// Some 20 MiB of ids. Of more, nothing is told.
const MOST_COMMITS: usize = 100_000;

#[cfg(test)]
mod tests;
