//! The one writer of a file: closes lines, keeps the buffered ones, and never leaves half a line behind.
//!
//! Bytes go to a position that this writer keeps, and the file is cut back to it when a write fails. So a full disk costs the
//! record that did not fit (its caller is told, and refuses), and the next write that succeeds continues the chain.

use std::fs::File;
use std::io;

use jiff::Timestamp;

use crate::chain::{self, Hash};
use crate::clock::Clock;
use crate::event::{EventId, Kind, WriterId};
use crate::fields::Fields;

/// The log could not be written. What was to be recorded must not happen.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written, so nothing may go out")]
pub struct WriteError(#[from] io::Error);

/// What a writer needs of a file, so that tests can make it fail.
pub(crate) trait Place {
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;
    fn cut_to(&self, length: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

impl Place for File {
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, position)
    }

    fn cut_to(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

pub(crate) struct Writer<P> {
    place: P,
    id: WriterId,
    clock: Clock,
    /// The latest time of a record of this file: of the last one, unless the clock went back.
    latest: Timestamp,
    seq: u64,
    previous: Hash,
    /// Lines that are not in the file yet.
    pending: Vec<u8>,
    /// How much of `pending` is closed lines. More is there only after a panic within a line.
    closed: usize,
    /// Bytes of whole lines in the file.
    written: u64,
    /// The last record in the file.
    last_written: u64,
    /// The file may be longer than `written`: cut it first.
    torn: bool,
}

impl Place for std::sync::Arc<File> {
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        (**self).write_at(bytes, position)
    }

    fn cut_to(&self, length: u64) -> io::Result<()> {
        (**self).cut_to(length)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }
}

impl<P: Place> Writer<P> {
    pub(crate) fn new(place: P, id: WriterId, clock: Clock) -> Self {
        let pending = Vec::with_capacity(16 << 10);
        Self {
            place,
            id,
            clock,
            latest: Timestamp::MIN,
            seq: 0,
            previous: Hash::START,
            pending,
            closed: 0,
            written: 0,
            last_written: 0,
            torn: false,
        }
    }

    /// Writes a record, with those that wait, in one write; it is in the file when this returns. On failure there is no such record.
    pub(crate) fn write(
        &mut self,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        let before = (self.closed, self.seq, self.previous);
        let id = self.append(kind, fields);
        if let Err(error) = self.flush() {
            (self.closed, self.seq, self.previous) = before;
            return Err(error);
        }
        Ok(id)
    }

    /// Closes a record that is written with the next one, or by [`Self::flush`].
    pub(crate) fn append(&mut self, kind: Kind, fields: impl FnOnce(&mut Fields<'_>)) -> EventId {
        self.pending.truncate(self.closed);
        let seq = self.seq + 1;
        let id = EventId { writer: self.id, seq };
        let at = (self.clock)();
        self.latest = self.latest.max(at);
        self.pending.extend_from_slice(b"{\"v\":1");
        let mut line = Fields::new(&mut self.pending);
        line.number("seq", seq);
        line.text("id", id);
        line.text("at", format_args!("{at:.9}"));
        line.plain("kind", kind.as_str());
        fields(&mut line);
        self.previous = chain::seal(&mut self.pending, self.closed, &self.previous);
        self.closed = self.pending.len();
        self.seq = seq;
        id
    }

    /// Writes what waits. On failure it goes on waiting.
    pub(crate) fn flush(&mut self) -> Result<(), WriteError> {
        self.pending.truncate(self.closed);
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.place.cut_to(self.written)?;
            self.torn = false;
        }
        if let Err(error) = write_all(&self.place, &self.pending, self.written) {
            self.torn = self.place.cut_to(self.written).is_err();
            return Err(error.into());
        }
        self.written += self.pending.len() as u64;
        self.last_written = self.seq;
        self.pending.clear();
        self.closed = 0;
        if self.pending.capacity() > LARGEST_BUFFER {
            self.pending.shrink_to(LARGEST_BUFFER);
        }
        Ok(())
    }

    /// Waits until what was written would survive a power failure.
    pub(crate) fn sync(&self) -> Result<(), WriteError> {
        Ok(self.place.sync()?)
    }

    /// Goes on in an empty file, and gives back the one that is complete, with its [`latest`](Self::latest). Nothing may wait or be torn:
    /// flush before.
    pub(crate) fn go_on_in(&mut self, place: P) -> (P, Timestamp) {
        assert!(self.closed == 0 && !self.torn, "only a flushed file is complete");
        self.written = 0;
        let latest = std::mem::replace(&mut self.latest, Timestamp::MIN);
        (std::mem::replace(&mut self.place, place), latest)
    }

    /// Where the chain is: the last record that was closed.
    pub(crate) fn head(&self) -> (u64, Hash) {
        (self.seq, self.previous)
    }

    /// The latest time of a record of this file.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    pub(crate) fn place(&self) -> &P {
        &self.place
    }

    pub(crate) fn last_written(&self) -> u64 {
        self.last_written
    }

    pub(crate) fn id(&self) -> WriterId {
        self.id
    }

    /// Bytes of whole lines in the file.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.closed
    }
}

/// One call as a rule. A short count comes before an error that says why, so the rest is tried.
fn write_all(place: &impl Place, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match place.write_at(bytes, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                position += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

const LARGEST_BUFFER: usize = 256 << 10;

#[cfg(test)]
mod faults;
#[cfg(test)]
pub(crate) use faults::Counted;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::verify::check;

    /// A disk with room for so many bytes, that may also refuse to cut a file.
    #[derive(Default)]
    struct Disk {
        contents: RefCell<Vec<u8>>,
        room: Cell<usize>,
        refuses_to_cut: Cell<bool>,
    }

    impl Place for &Disk {
        fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
            let mut contents = self.contents.borrow_mut();
            let position = usize::try_from(position).unwrap();
            assert!(position <= contents.len(), "no hole");
            let count = bytes.len().min(self.room.get().saturating_sub(position));
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            contents.truncate(position);
            contents.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn cut_to(&self, length: u64) -> io::Result<()> {
            if self.refuses_to_cut.get() {
                return Err(io::ErrorKind::Other.into());
            }
            self.contents
                .borrow_mut()
                .truncate(usize::try_from(length).unwrap());
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(disk: &Disk) -> u64 {
        let report = check(&disk.contents.borrow()[..]).unwrap();
        assert_eq!((report.problem, report.torn_bytes), (None, 0));
        report.records
    }

    #[test]
    fn a_full_disk_refuses_the_record_and_the_chain_goes_on_when_there_is_room() {
        let disk = Disk {
            room: Cell::new(1000),
            ..Disk::default()
        };
        let mut writer = Writer::new(&disk, WriterId(1), Timestamp::now);
        let mut accepted = 0;
        while writer.write(Kind::Finding, |_| {}).is_ok() {
            accepted += 1;
        }
        assert_eq!(lines(&disk), accepted);
        assert!(writer.write(Kind::Finding, |_| {}).is_err(), "still full");
        disk.room.set(100_000);
        assert_eq!(writer.write(Kind::Finding, |_| {}).unwrap().seq, accepted + 1);
        assert_eq!(lines(&disk), accepted + 1);
    }

    #[test]
    fn a_file_that_cannot_be_cut_back_fails_until_it_can_and_is_whole_then() {
        let disk = Disk {
            room: Cell::new(1000),
            ..Disk::default()
        };
        let mut writer = Writer::new(&disk, WriterId(1), Timestamp::now);
        disk.refuses_to_cut.set(true);
        let mut accepted = 0;
        while writer.write(Kind::Finding, |_| {}).is_ok() {
            accepted += 1;
        }
        disk.room.set(100_000);
        assert!(
            writer.write(Kind::Finding, |_| {}).is_err(),
            "half a line is in the way"
        );
        disk.refuses_to_cut.set(false);
        writer.write(Kind::Finding, |_| {}).unwrap();
        assert_eq!(lines(&disk), accepted + 1);
    }

    #[test]
    fn a_panic_within_a_line_leaves_no_trace() {
        let disk = Disk {
            room: Cell::new(100_000),
            ..Disk::default()
        };
        let mut writer = Writer::new(&disk, WriterId(1), Timestamp::now);
        let panics = std::panic::AssertUnwindSafe(|| {
            writer.append(Kind::Finding, |_| panic!("in the middle of a line"))
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        writer.flush().unwrap();
        assert_eq!(lines(&disk), 0);
        assert_eq!(writer.write(Kind::Finding, |_| {}).unwrap().seq, 1);
        assert_eq!(lines(&disk), 1);
    }

    #[test]
    fn a_buffered_record_outlives_a_refused_one_and_comes_before_the_next() {
        let disk = Disk::default();
        let mut writer = Writer::new(&disk, WriterId(1), Timestamp::now);
        let buffered = writer.append(Kind::ExchangeCameBack, |_| {});
        assert!(writer.write(Kind::ExchangeGoingOut, |_| {}).is_err());
        disk.room.set(100_000);
        let next = writer.write(Kind::ExchangeGoingOut, |_| {}).unwrap();
        assert_eq!((buffered.seq, next.seq), (1, 2));
        assert_eq!(lines(&disk), 2);
    }
}
