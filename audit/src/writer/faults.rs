//! Writes that stop at every byte: whoever was told that a record is there finds it. `tests/it/audit_faults` has what these say in its
//! table.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::event::Event;
use crate::repair;
use crate::verify::{self, check};

/// A disk that takes so many bytes, and then fails every call until it is mended.
struct Failing {
    contents: RefCell<Vec<u8>>,
    takes: Cell<usize>,
    also_to_cut: bool,
}

impl Failing {
    fn after(takes: usize, also_to_cut: bool) -> Self {
        Self {
            contents: RefCell::default(),
            takes: Cell::new(takes),
            also_to_cut,
        }
    }

    fn mend(&self) {
        self.takes.set(usize::MAX);
    }
}

impl Place for &Failing {
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let mut contents = self.contents.borrow_mut();
        let count = bytes.len().min(self.takes.get());
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let position = usize::try_from(position).unwrap();
        assert!(position <= contents.len(), "no hole");
        contents.truncate(position);
        contents.extend_from_slice(&bytes[..count]);
        self.takes.set(self.takes.get() - count);
        Ok(count)
    }

    fn cut_to(&self, length: u64) -> io::Result<()> {
        if self.also_to_cut && self.takes.get() == 0 {
            return Err(io::ErrorKind::Other.into());
        }
        let length = usize::try_from(length).unwrap();
        self.contents.borrow_mut().truncate(length);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What was seen, in the columns of the table.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) times: usize,
    /// Records that the log acknowledged: what is sent then.
    pub(crate) acknowledged: usize,
    pub(crate) kept: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    pub(crate) unknown: usize,
    pub(crate) broken_chains: usize,
}

impl Counted {
    fn add(&mut self, acknowledged: &BTreeSet<String>, log: &[u8]) {
        let events = events(log);
        let ids: BTreeSet<String> = events.iter().map(|event| event.id.clone()).collect();
        let closed: BTreeSet<&str> = events
            .iter()
            .filter_map(|event| event.closes.as_deref())
            .collect();
        let out = || events.iter().filter(|event| event.kind == Kind::ExchangeGoingOut);
        let report = check(log).unwrap();
        self.times += 1;
        self.acknowledged += acknowledged.len();
        self.kept += out().count();
        self.lost += acknowledged.difference(&ids).count();
        self.twice += events.len() - ids.len();
        self.unknown += out().filter(|event| !closed.contains(event.id.as_str())).count();
        self.broken_chains += usize::from(report.problem.is_some() || report.torn_bytes > 0);
    }

    /// Says the row, and that nothing is wrong in it.
    pub(crate) fn say(&self, fault: &str) {
        let Self {
            times,
            acknowledged,
            kept,
            lost,
            twice,
            unknown,
            broken_chains,
        } = self;
        let chain = match broken_chains {
            0 => "whole".to_owned(),
            broken => format!("{broken} broken"),
        };
        println!(
            "\n| {fault} | {times} | {acknowledged} | {kept} | {lost} | {twice} | {unknown} | {chain} |"
        );
        assert_eq!((*lost, *twice, *broken_chains), (0, 0, 0), "{fault}");
    }
}

fn events(log: &[u8]) -> Vec<Event> {
    let lines = str::from_utf8(log).unwrap().lines();
    lines.map(|line| Event::parse(line).unwrap()).collect()
}

/// Requests that go out and come back, one after another: those whose record was acknowledged.
fn requests(writer: &mut Writer<&Failing>, count: u8, mut failed: impl FnMut()) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for number in 0..count {
        let sent = writer.write(Kind::ExchangeGoingOut, |line| {
            line.number("status", number.into());
        });
        let Ok(id) = sent else {
            failed();
            continue;
        };
        acknowledged.insert(id.to_string());
        writer.append(Kind::ExchangeCameBack, |line| line.text("for", id));
    }
    if writer.flush().is_err() {
        failed();
    }
    acknowledged
}

const REQUESTS: u8 = 3;

fn length_of_all() -> usize {
    let disk = Failing::after(usize::MAX, false);
    requests(&mut writer(&disk), REQUESTS, || panic!("nothing fails"));
    disk.contents.take().len()
}

fn writer(disk: &Failing) -> Writer<&Failing> {
    Writer::new(disk, WriterId(1), Timestamp::now)
}

/// As the next start of a gate would find it.
fn repaired(contents: &[u8], directory: &Path) -> Vec<u8> {
    let path = directory.join("2026-11-21T03-35-29Z-17-000000000001.jsonl");
    let _ = fs::remove_file(&path);
    fs::write(&path, contents).unwrap();
    let repaired = repair::sweep(directory, Path::new("")).unwrap();
    let torn = !contents.is_empty() && !contents.ends_with(b"\n");
    assert_eq!(repaired.len(), usize::from(torn));
    fs::read(path).unwrap()
}

#[test]
fn under_fault_a_death_within_a_write_at_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    let mut counted = Counted::default();
    for byte in 0..=length_of_all() {
        let disk = Failing::after(byte, true); // nothing can be done after a death, and nothing is cut
        let acknowledged = requests(&mut writer(&disk), REQUESTS, || {});
        counted.add(&acknowledged, &repaired(&disk.contents.take(), directory.path()));
    }
    assert!(counted.unknown > 0 && counted.acknowledged > counted.times);
    counted.say("unit: the writer dies within a write, at every byte of the log");
}

#[test]
fn under_fault_a_full_disk_within_a_write_at_every_byte() {
    let mut counted = Counted::default();
    for also_to_cut in [false, true] {
        for byte in 0..=length_of_all() {
            let disk = Failing::after(byte, also_to_cut);
            let mut writer = writer(&disk);
            let mut failures = 0;
            let mut acknowledged = requests(&mut writer, REQUESTS, || {
                failures += 1;
                if failures == 2 {
                    disk.mend();
                }
            });
            disk.mend();
            acknowledged.append(&mut requests(&mut writer, 1, || panic!("there is room")));
            let log = disk.contents.take();
            let out = events(&log)
                .iter()
                .filter(|event| event.kind == Kind::ExchangeGoingOut)
                .count();
            assert_eq!(
                out,
                acknowledged.len(),
                "what was refused is not on record as sent"
            );
            counted.add(&acknowledged, &log);
        }
    }
    assert!(
        counted.acknowledged < counted.times * usize::from(REQUESTS + 1),
        "some were refused"
    );
    counted.say("unit: the disk is full within a write, at every byte, and has room again");
}

#[test]
fn under_fault_a_torn_tail_of_every_length() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::after(usize::MAX, false);
    let acknowledged = requests(&mut writer(&disk), 2, || panic!("nothing fails"));
    let whole = disk.contents.take();
    let line = whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    let mut counted = Counted::default();
    for torn in 1..line.len() {
        let tail = [&whole[..], &line[..torn]].concat();
        assert!(
            verify::verify_bytes(&tail).torn_bytes > 0,
            "it is seen before it is repaired"
        );
        counted.add(&acknowledged, &repaired(&tail, directory.path()));
    }
    counted.say("unit: a line in the making is left, of every length");
}
