#![expect(clippy::unwrap_used, reason = "tests")]

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
    let mut writer = Writer::new(&file, WriterId(writer), jiff::Timestamp::now);
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

/// A small log with checkpoints, all it says of itself, and a copy of its checkpoints from before anything was done to it.
struct Kept {
    directory: tempfile::TempDir,
    path: PathBuf,
    lines: Vec<String>,
    evidence: Evidence,
}

impl Kept {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = outwall_policy::AuditSettings {
            checkpoint_every_events: 4,
            ..outwall_policy::AuditSettings::default()
        };
        let log = crate::AuditLog::open(directory.path(), settings).unwrap();
        for n in 0..12 {
            log.gate_started("outwall", &format!("number {n}")).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2)); // for checkpoints between them
        }
        let path = log.path();
        drop(log);
        let evidence = Evidence::beside(directory.path()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            directory,
            path,
            lines: text.lines().map(str::to_owned).collect(),
            evidence,
        }
    }

    fn report(&self, lines: &[String], evidence: &Evidence) -> Report {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        std::fs::write(&self.path, text).unwrap();
        verify(&[self.directory.path().to_owned()], evidence).unwrap()
    }

    fn is_found(&self, lines: &[String], what: &str) {
        assert!(!self.report(lines, &self.evidence).is_whole(), "{what}");
        assert!(
            self.report(&self.lines, &self.evidence).is_whole(),
            "the untouched twin of {what}"
        );
    }
}

/// The chain computed anew from a line on, as whoever cannot sign would.
fn recomputed(lines: &[String], from: usize) -> Vec<String> {
    let mut lines = lines.to_vec();
    for place in from..lines.len() {
        let prev = match place {
            0 => Hash::START,
            _ => {
                crate::chain::claimed_and_actual(lines[place - 1].as_bytes())
                    .unwrap()
                    .0
            }
        };
        let (body, _) = lines[place].rsplit_once(",\"prev\":\"").unwrap();
        let mut line = body.as_bytes().to_vec();
        crate::chain::seal(&mut line, 0, &prev);
        line.pop();
        lines[place] = String::from_utf8(line).unwrap();
    }
    lines
}

#[test]
fn every_kind_of_tampering_at_every_line_is_found() {
    let kept = Kept::make();
    let count = kept.lines.len();
    assert!(count > 12);
    for place in 0..count {
        let mut changed = kept.lines.clone();
        changed[place] = changed[place].replacen("\"v\":1", "\"v\":2", 1);
        kept.is_found(&changed, &format!("line {place} changed"));
        if place == count - 1 {
            continue; // nothing was signed after the last checkpoint's own record: it may be gone or another one
        }
        kept.is_found(
            &recomputed(&changed, place),
            &format!("line {place} changed and all recomputed"),
        );
        let mut removed = kept.lines.clone();
        removed.remove(place);
        kept.is_found(&removed, &format!("line {place} removed"));
        let mut repeated = kept.lines.clone();
        repeated.insert(place, repeated[place].clone());
        kept.is_found(&repeated, &format!("line {place} repeated"));
        for other in place + 1..count {
            let mut swapped = kept.lines.clone();
            swapped.swap(place, other);
            kept.is_found(&swapped, &format!("lines {place} and {other} swapped"));
        }
        kept.is_found(&kept.lines[..place], &format!("cut off at line {place}"));
    }
}

#[test]
fn without_checkpoints_from_before_the_chain_alone_still_shows_what_was_recomputed() {
    let kept = Kept::make();
    let mut keys = Evidence::beside(kept.directory.path()).unwrap();
    keys.statements.clear();
    let first = kept.lines.iter().position(|line| line.contains("\"checkpoint\""));
    for place in 0..first.unwrap() {
        let mut changed = kept.lines.clone();
        changed[place] = changed[place].replacen("\"v\":1", "\"v\":2", 1);
        let report = kept.report(&recomputed(&changed, place), &keys);
        let why = &report.files[0].problem.as_ref().unwrap().why;
        assert_eq!(*why, Misfit::FalseCheckpoint, "line {place}");
    }
    assert!(kept.report(&kept.lines, &keys).is_whole());
    assert!(
        kept.report(&kept.lines[..3], &keys).is_whole(),
        "what a cut needs a copy for"
    );
}

#[test]
fn a_forged_checkpoint_is_refused_wherever_it_is() {
    let kept = Kept::make();
    let beside = checkpoint::beside(kept.directory.path());
    let genuine = std::fs::read_to_string(&beside).unwrap();
    let with = |text: String| {
        std::fs::write(&beside, text).unwrap();
        let evidence = Evidence::beside(kept.directory.path()).unwrap();
        kept.report(&kept.lines, &evidence).is_whole()
    };
    assert!(with(genuine.clone()));
    assert!(
        with(genuine.clone() + "{\"v\":1,\"kind\":\"chec"),
        "torn by a crash: none yet"
    );
    assert!(!with(genuine.replacen("\"last_seq\":", "\"last_seq\":1", 1)));
    assert!(!with(genuine.replacen(
        "\"kind\":\"checkpoint\"",
        "\"kind\":\"segment.removed\"",
        1
    )));
    assert!(!with("rubbish\n".to_owned() + &genuine));

    let other = tempfile::tempdir().unwrap();
    let keys = SigningKey::open(other.path()).unwrap().public();
    let mut foreign = Evidence::signed_by(keys);
    std::fs::write(&beside, &genuine).unwrap();
    foreign.add_file(&beside).unwrap();
    let report = kept.report(&kept.lines, &foreign);
    let unknown = |fault: &Fault| {
        matches!(
            fault,
            Fault::Disbelieved {
                why: Disbelief::UnknownKey,
                ..
            }
        )
    };
    assert!(report.faults.iter().all(unknown) && !report.faults.is_empty());
}

#[test]
fn a_log_that_is_gone_with_all_its_files_is_missed() {
    let kept = Kept::make();
    std::fs::remove_file(&kept.path).unwrap();
    let report = verify(&[kept.directory.path().to_owned()], &kept.evidence).unwrap();
    assert!(
        matches!(report.faults[..], [Fault::WriterMissing { .. }]),
        "{report:?}"
    );
}

#[test]
fn an_excerpt_is_checked_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let settings = outwall_policy::AuditSettings {
        segment_size: 4 << 10,
        ..outwall_policy::AuditSettings::default()
    };
    let log = crate::AuditLog::open(directory.path(), settings).unwrap();
    while segment::list(directory.path()).unwrap().len() < 4 {
        log.gate_started("outwall", &"x".repeat(100)).unwrap();
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    drop(log);
    let evidence = Evidence::beside(directory.path()).unwrap();
    let files: Vec<PathBuf> = segment::list(directory.path())
        .unwrap()
        .iter()
        .map(|segment| segment.path().to_owned())
        .collect();
    let whole = |files: &[PathBuf]| verify(files, &evidence).unwrap().is_whole();
    assert!(whole(&files) && whole(&files[1..2]) && whole(&[files[0].clone(), files[2].clone()]));
    let text = std::fs::read_to_string(&files[1]).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    std::fs::write(&files[1], text.replacen("outwall", "outwell", 1)).unwrap();
    assert!(!whole(&files[1..2]) && whole(&files[..1]));
}
