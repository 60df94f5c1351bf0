//! What became of a push, by the server's own report, as it passes by (gitprotocol-pack(5), "Report Status").

use outwall_policy::github::RefName;

use super::pkt_line::{Packet, PktLineError, PktLines};
use super::push::PushCommands;
use super::report::ReportForm;
use crate::refusal::printable;

/// Reads the answer to a push as it passes by. It judges nothing and stops nothing: an answer that cannot be read leaves what is not
/// known unknown.
#[derive(Debug)]
pub struct OutcomeReader {
    form: ReportForm,
    outer: PktLines,
    report: PktLines,
    outcome: PushOutcome,
    unreadable: bool,
    /// Whether anything of the report came.
    is_begun: bool,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOutcome {
    /// What became of its pack.
    pub unpack: Unpack,
    /// What became of each ref that it named.
    pub refs: Vec<(RefName, RefOutcome)>,
}

/// What became of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpack {
    /// The server did not say, or not so that it can be read.
    Unknown,
    /// It was taken.
    Taken,
    /// It was not, for this reason.
    Failed(String),
}

/// What became of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefOutcome {
    /// The server did not say, or not so that it can be read.
    Unknown,
    /// It is as the push asked.
    Updated,
    /// It is as it was, for this reason.
    Rejected(String),
}

impl OutcomeReader {
    /// Of the answer to this push.
    pub fn new(commands: &PushCommands) -> Self {
        let refs = commands
            .updates
            .iter()
            .map(|update| (update.name.clone(), RefOutcome::Unknown));
        Self {
            form: ReportForm::of(&commands.capabilities),
            outer: PktLines::default(),
            report: PktLines::default(),
            outcome: PushOutcome {
                unpack: Unpack::Unknown,
                refs: refs.collect(),
            },
            unreadable: false,
            is_begun: false,
        }
    }

    /// Takes the next piece of the answer's body, as the server sent it.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.unreadable || self.form == ReportForm::None {
            return;
        }
        let unwrapped = match self.form {
            ReportForm::SideBand => self.unwrap_bands(piece),
            ReportForm::Plain | ReportForm::None => {
                self.is_begun |= !piece.is_empty();
                self.report.feed(piece);
                Ok(())
            }
        };
        let read = self.read_report();
        if unwrapped.and(read).is_err() {
            self.give_up();
        }
    }

    /// Whether a whole report can follow what came so far: nothing of one has come, and every pkt-line that began has ended.
    pub fn is_before_report(&self) -> bool {
        !self.is_begun && !self.unreadable && self.outer.is_empty()
    }

    /// What is known when the answer ends, in whatever way it does.
    pub fn end(self) -> PushOutcome {
        self.outcome
    }

    fn unwrap_bands(&mut self, piece: &[u8]) -> Result<(), PktLineError> {
        self.outer.feed(piece);
        while let Some(packet) = self.outer.take_next()? {
            if let Packet::Line(line) = packet
                && let Some((1, report)) = line.split_first()
            {
                self.is_begun |= !report.is_empty(); // an empty one keeps the connection alive
                self.report.feed(report);
            }
        }
        Ok(())
    }

    fn read_report(&mut self) -> Result<(), PktLineError> {
        while let Some(packet) = self.report.take_next()? {
            self.line(packet.line().unwrap_or_default());
        }
        Ok(())
    }

    /// `option` lines of version 2 tell of refs that a hook of the server wrote in place of the one that was asked for: the line before
    /// names what was asked for.
    fn line(&mut self, line: &[u8]) {
        if let Some(result) = line.strip_prefix(b"unpack ") {
            self.outcome.unpack = match result {
                b"ok" => Unpack::Taken,
                why => Unpack::Failed(shown(why)),
            };
        } else if let Some(name) = line.strip_prefix(b"ok ") {
            self.became(name, RefOutcome::Updated);
        } else if let Some(rest) = line.strip_prefix(b"ng ") {
            let space = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            let (name, why) = rest.split_at(space);
            self.became(name, RefOutcome::Rejected(shown(why)));
        }
    }

    fn became(&mut self, name: &[u8], outcome: RefOutcome) {
        let named = self
            .outcome
            .refs
            .iter_mut()
            .find(|(known, _)| known.as_str().as_bytes() == name);
        if let Some((_, known)) = named {
            *known = outcome;
        }
    }

    fn give_up(&mut self) {
        self.unreadable = true;
        self.outer = PktLines::default();
        self.report = PktLines::default();
    }
}

fn shown(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text)
        .trim()
        .chars()
        .take(LONGEST_REASON)
        .collect();
    printable(&text)
}

const LONGEST_REASON: usize = 300;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::super::pkt_line::write_line;
    use super::super::push_reader::PushReader;
    use super::*;

    fn commands(capabilities: &str) -> PushCommands {
        let mut body = Vec::new();
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        write_line(
            &mut body,
            format!("{a} {b} refs/heads/x\0{capabilities}").as_bytes(),
        );
        write_line(&mut body, format!("{a} {b} refs/heads/main").as_bytes());
        body.extend_from_slice(b"0000");
        PushReader::default().feed(&body).unwrap().unwrap()
    }

    fn outcome(capabilities: &str, answer: &[u8], size: usize) -> PushOutcome {
        let mut reader = OutcomeReader::new(&commands(capabilities));
        answer.chunks(size).for_each(|piece| reader.feed(piece));
        reader.end()
    }

    fn expected(x: RefOutcome, main: RefOutcome) -> Vec<(RefName, RefOutcome)> {
        vec![
            ("refs/heads/x".parse().unwrap(), x),
            ("refs/heads/main".parse().unwrap(), main),
        ]
    }

    #[test]
    fn a_report_of_ours_can_follow_until_the_servers_begins() {
        let before = |answer: &[u8]| {
            let mut reader = OutcomeReader::new(&commands("report-status side-band-64k"));
            answer.chunks(3).for_each(|piece| reader.feed(piece));
            reader.is_before_report()
        };
        for can in [&b""[..], b"0005\x01", b"0005\x01000a\x02hello0005\x01"] {
            assert!(before(can), "{can:?}");
        }
        for cannot in [
            &b"00"[..],
            b"000a\x02hell",
            b"000a\x02hello0",
            b"0006\x010",
            b"nonsense",
        ] {
            assert!(!before(cannot), "{cannot:?}");
        }
        let mut plain = OutcomeReader::new(&commands("report-status"));
        assert!(plain.is_before_report());
        plain.feed(b"0");
        assert!(!plain.is_before_report());
    }

    fn report(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            write_line(&mut bytes, format!("{line}\n").as_bytes());
        }
        bytes.extend_from_slice(b"0000");
        bytes
    }

    const LINES: [&str; 4] = [
        "unpack ok",
        "ok refs/heads/x",
        "option old-oid 1111",
        "ng refs/heads/main protected branch",
    ];

    #[test]
    fn each_form_of_report_tells_the_same() {
        let report = report(&LINES);
        let mut banded = Vec::new();
        write_line(&mut banded, b"\x02Create a pull request\n");
        for piece in report.chunks(7) {
            write_line(&mut banded, &[b"\x01", piece].concat());
        }
        banded.extend_from_slice(b"0000");
        let refs = expected(
            RefOutcome::Updated,
            RefOutcome::Rejected("protected branch".to_owned()),
        );
        for size in [1, 5, 1000] {
            for (capabilities, answer) in [
                ("report-status", &report),
                ("report-status-v2", &report),
                ("report-status-v2 side-band-64k", &banded),
            ] {
                let outcome = outcome(capabilities, answer, size);
                assert_eq!(
                    (outcome.unpack, outcome.refs),
                    (Unpack::Taken, refs.clone()),
                    "{capabilities}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let unknown = expected(RefOutcome::Unknown, RefOutcome::Unknown);
        for (capabilities, answer) in [
            ("", report(&LINES)),
            ("report-status", b"<html>502".to_vec()),
            ("report-status side-band-64k", report(&LINES)),
            ("report-status", report(&LINES)[..20].to_vec()),
            ("report-status", report(&["ok refs/heads/y"])),
        ] {
            assert_eq!(
                outcome(capabilities, &answer, 1000).refs,
                unknown,
                "{capabilities}"
            );
        }
        let failed = outcome(
            "report-status",
            &report(&["unpack index-pack \x1babnormal exit"]),
            9,
        );
        assert_eq!(
            failed.unpack,
            Unpack::Failed("index-pack ?abnormal exit".to_owned())
        );
    }
}
