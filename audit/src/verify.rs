//! Whether files of a log are what was written: the first record of each that does not fit, and why.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use serde::Deserialize;

use crate::chain::{Hash, claimed_and_actual};
use crate::query::ReadError;
use crate::segment::{self, Segment};

/// What [`verify()`] found.
#[derive(Debug)]
pub struct Report {
    /// One for each file, in the order of their beginning.
    pub files: Vec<FileReport>,
}

/// What was found in one file.
#[derive(Debug)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// How many records fit.
    pub records: u64,
    /// The last of them: kept elsewhere, it shows later whether the end of the file was cut off or written anew.
    pub last: Option<Checkpoint>,
    /// The first that does not fit. What follows it is not looked at.
    pub problem: Option<Unfit>,
    /// Bytes of a last line without its end. In a file that is being written, a line in the making; else what a crash left, which the
    /// next start of a gate repairs and notes.
    pub torn_bytes: u64,
    /// Somebody is writing to it.
    pub being_written: bool,
}

/// Where a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of the record in its file.
    pub seq: u64,
    /// Its hash, 64 hex digits.
    pub hash: String,
}

/// A record that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its line, from 1.
    pub line: u64,
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
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("is not a record"),
            Self::Changed => f.write_str("was changed: its hash is not that of its bytes"),
            Self::DoesNotFollow { expected, found } if expected == found => {
                write!(
                    f,
                    "does not follow the record before it, which is not the one it was written after"
                )
            }
            Self::DoesNotFollow { expected, found } => write!(
                f,
                "is record {found} where record {expected} belongs: records were removed, inserted or moved"
            ),
            Self::AnotherWriter => f.write_str("was written by another writer than the records before it"),
        }
    }
}

impl Report {
    /// Nothing that does not fit.
    pub fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.problem.is_none())
    }

    /// How many records fit, in all files.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }
}

/// Checks files, and all files of the log in directories.
pub fn verify(paths: &[PathBuf]) -> Result<Report, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for segment in segment::list(path).map_err(ReadError::of(path))? {
                files.push(verify_file(&segment)?);
            }
        } else {
            files.push(verify_file(&Segment::named(path))?);
        }
    }
    Ok(Report { files })
}

fn verify_file(segment: &Segment) -> Result<FileReport, ReadError> {
    let unreadable = || ReadError::of(segment.path());
    let being_written = segment.is_being_written().map_err(unreadable())?;
    let contents = segment.read_from(0).map_err(unreadable())?;
    let mut report = check(BufReader::with_capacity(128 << 10, contents)).map_err(unreadable())?;
    segment.path().clone_into(&mut report.path);
    report.being_written = being_written;
    Ok(report)
}

/// The fields of a record that place it in its chain.
#[derive(Deserialize)]
struct Link<'a> {
    seq: u64,
    #[serde(borrow)]
    id: &'a str,
    #[serde(borrow)]
    prev: &'a str,
}

/// Checks one chain from its beginning.
pub(crate) fn check(mut from: impl BufRead) -> io::Result<FileReport> {
    let mut report = FileReport {
        path: PathBuf::new(),
        records: 0,
        last: None,
        problem: None,
        torn_bytes: 0,
        being_written: false,
    };
    let mut follows = Follows {
        previous: Hash::START,
        writer: None,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        from.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            report.torn_bytes = line.len() as u64;
            break;
        };
        if let Err(why) = follows.check(whole, report.records + 1) {
            report.problem = Some(Unfit {
                line: report.records + 1,
                why,
            });
            break;
        }
        report.records += 1;
    }
    if report.records > 0 {
        report.last = Some(Checkpoint {
            seq: report.records,
            hash: follows.previous.as_str().to_owned(),
        });
    }
    Ok(report)
}

/// What the next record must follow.
struct Follows {
    previous: Hash,
    writer: Option<String>,
}

impl Follows {
    fn check(&mut self, line: &[u8], seq: u64) -> Result<(), Misfit> {
        let (claimed, actual) = claimed_and_actual(line).ok_or(Misfit::NotARecord)?;
        if claimed != actual {
            return Err(Misfit::Changed);
        }
        let place: Link<'_> = serde_json::from_slice(line).map_err(|_| Misfit::NotARecord)?;
        if place.seq != seq || place.prev != self.previous.as_str() {
            return Err(Misfit::DoesNotFollow {
                expected: seq,
                found: place.seq,
            });
        }
        let (writer, number) = place.id.rsplit_once('-').ok_or(Misfit::NotARecord)?;
        if number.parse() != Ok(seq) {
            return Err(Misfit::NotARecord);
        }
        if self.writer.get_or_insert_with(|| writer.to_owned()) != writer {
            return Err(Misfit::AnotherWriter);
        }
        self.previous = actual;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::event::{Kind, WriterId};
    use crate::writer::{Place, Writer};

    impl Place for &std::cell::RefCell<Vec<u8>> {
        fn write_at(&self, bytes: &[u8], _: u64) -> io::Result<usize> {
            self.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn cut_to(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(writer: u64, count: u64) -> Vec<String> {
        let file = std::cell::RefCell::new(Vec::new());
        let mut writer = Writer::new(&file, WriterId(writer));
        for n in 0..count {
            writer.write(Kind::Finding, |line| line.number("n", n)).unwrap();
        }
        String::from_utf8(file.into_inner())
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn problem(lines: &[String]) -> Option<(u64, Misfit)> {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        check(text.as_bytes())
            .unwrap()
            .problem
            .map(|unfit| (unfit.line, unfit.why))
    }

    #[test]
    fn an_untouched_chain_is_whole() {
        let report = check(lines(1, 50).join("\n").as_bytes()).unwrap();
        assert_eq!(
            (report.records, report.problem),
            (49, None),
            "the last has no newline here"
        );
        assert_eq!(problem(&lines(1, 50)), None);
        assert_eq!(problem(&[]), None);
    }

    #[test]
    fn a_change_is_found_at_its_line_wherever_it_is() {
        for changed in 0..5 {
            let mut lines = lines(1, 5);
            lines[changed] = lines[changed].replace("\"kind\":\"finding\"", "\"kind\":\"gate.ok\"");
            assert_eq!(problem(&lines), Some((changed as u64 + 1, Misfit::Changed)));
        }
    }

    #[test]
    fn a_change_with_its_hash_recomputed_is_found_at_the_next_line() {
        let mut lines = lines(1, 5);
        let forged = lines[1].replace("\"n\":1", "\"n\":7");
        let (body, _) = forged.split_once(",\"hash\"").unwrap();
        lines[1] = format!("{body},\"hash\":\"{}\"}}", Hash::of(body.as_bytes()).as_str());
        assert_eq!(
            problem(&lines),
            Some((
                3,
                Misfit::DoesNotFollow {
                    expected: 3,
                    found: 3
                }
            ))
        );
    }

    #[test]
    fn removal_is_found_at_the_line_that_took_the_place() {
        for removed in 0..4 {
            let mut lines = lines(1, 5);
            lines.remove(removed);
            let expected = removed as u64 + 1;
            assert_eq!(
                problem(&lines),
                Some((
                    expected,
                    Misfit::DoesNotFollow {
                        expected,
                        found: expected + 1
                    }
                ))
            );
        }
    }

    #[test]
    fn reordering_repeating_and_inserting_are_found() {
        let mut swapped = lines(1, 5);
        swapped.swap(1, 3);
        assert_eq!(
            problem(&swapped),
            Some((
                2,
                Misfit::DoesNotFollow {
                    expected: 2,
                    found: 4
                }
            ))
        );
        let mut repeated = lines(1, 5);
        repeated.insert(2, repeated[1].clone());
        assert_eq!(
            problem(&repeated),
            Some((
                3,
                Misfit::DoesNotFollow {
                    expected: 3,
                    found: 2
                }
            ))
        );
        let mut foreign = lines(1, 5);
        foreign[2] = lines(2, 3)[2].clone();
        assert_eq!(
            problem(&foreign),
            Some((
                3,
                Misfit::DoesNotFollow {
                    expected: 3,
                    found: 3
                }
            ))
        );
        let mut rubbish = lines(1, 5);
        rubbish.insert(2, String::new());
        assert_eq!(problem(&rubbish), Some((3, Misfit::NotARecord)));
    }

    #[test]
    fn what_is_cut_off_at_the_end_shows_only_against_a_checkpoint() {
        let whole = lines(1, 5);
        let last = |lines: &[String]| check((lines.join("\n") + "\n").as_bytes()).unwrap().last.unwrap();
        assert_eq!(problem(&whole[..3]), None);
        assert_ne!(last(&whole[..3]), last(&whole));
        assert_eq!(last(&whole).seq, 5);
    }
}
