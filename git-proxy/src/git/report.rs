//! Says no to a push, so that git shows it: the report that a server would give, with every ref refused.

use std::time::Duration;

use bytes::Bytes;
use outwall_policy::github::{GithubRefusal, RefName};

use super::pkt_line::{FLUSH, LONGEST_PAYLOAD, write_line};
use super::push::PushCommands;
use super::push_capabilities::{PushCapabilities, ReportStatus, SideBand};
use super::push_reader::PushError;
use crate::refusal::{Refusal, printable};
use crate::understood::AnswerHere;

/// How the client of a push can be told what became of it. The same bytes serve both versions of `report-status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportForm {
    /// It reads no report, so that status 200 means to it that all went well (git: "Everything up-to-date").
    #[default]
    None,
    /// A report, and nothing else.
    Plain,
    /// A report in band 1, and text for people in band 2.
    SideBand,
}

/// Why a push is refused, ref by ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRefusal {
    /// What it says for people: lines that git shows behind `remote:`.
    pub said: Vec<String>,
    /// What became of the pack: `ok`, or why nothing was read (git: "remote unpack failed: …").
    pub unpack: String,
    /// Each ref with why not. git shows it as `! [remote rejected] HEAD -> main (…)`.
    pub refs: Vec<(RefName, String)>,
}

/// How much of a body is read after it was refused. git sends it all before it reads the answer, and sends it again, dozens of times,
/// when the connection ends before; so it is read and forgotten, up to here, *before* the answer is sent. Beyond, the connection ends.
pub const DRAIN_BYTES: u64 = 2 << 30;

/// For how long a body is read after it was refused.
pub const DRAIN_TIME: Duration = Duration::from_mins(2);

/// The media type of the answer to a push (gitprotocol-http(5)).
pub const RESULT_TYPE: &str = "application/x-git-receive-pack-result";

/// The answer to a [`Probe`](super::Probe): empty, and of the type that git expects.
pub fn probe_answer() -> AnswerHere {
    AnswerHere {
        status: 200,
        content_type: RESULT_TYPE,
        body: Bytes::new(),
    }
}

/// Says no to a fetch: git shows it as `fatal: remote error: …`, while it hides the body of a 403.
pub(crate) fn fetch_refused(sentence: &str) -> AnswerHere {
    let mut body = Vec::new();
    write_line(
        &mut body,
        format!("ERR {}\n", self::sentence(sentence)).as_bytes(),
    );
    AnswerHere {
        status: 200,
        content_type: "application/x-git-upload-pack-result",
        body: body.into(),
    }
}

/// Says no to `git archive --remote`, which shows it as `fatal: git archive: NACK …`.
pub(crate) fn archive_refused(sentence: &str) -> AnswerHere {
    let mut body = Vec::new();
    write_line(
        &mut body,
        format!("NACK {}\n", self::sentence(sentence)).as_bytes(),
    );
    body.extend_from_slice(FLUSH);
    AnswerHere {
        status: 200,
        content_type: "application/x-git-upload-archive-result",
        body: body.into(),
    }
}

impl ReportForm {
    /// What these capabilities ask for.
    pub fn of(asked: &PushCapabilities) -> Self {
        match (asked.report, asked.side_band) {
            (ReportStatus::None, _) => Self::None,
            (ReportStatus::V1 | ReportStatus::V2, SideBand::None) => Self::Plain,
            (ReportStatus::V1 | ReportStatus::V2, SideBand::Wide) => Self::SideBand,
        }
    }

    /// What a list asks for that may not be one: only for how a client is told that it is none.
    pub(super) fn guess(list: &[u8]) -> Self {
        let has = |name: &[u8]| {
            list.split(|byte| b" \n\0".contains(byte))
                .any(|word| word == name)
        };
        if !has(b"report-status") && !has(b"report-status-v2") {
            Self::None
        } else if has(b"side-band-64k") {
            Self::SideBand
        } else {
            Self::Plain
        }
    }
}

impl PushRefusal {
    /// Of what the policy refused.
    pub fn by_policy(commands: &PushCommands, refusal: &GithubRefusal) -> Self {
        let why_not = |name: &RefName| {
            let of_it = refusal
                .refused
                .iter()
                .find(|one| one.action.written_ref() == Some(name));
            of_it.map_or_else(|| "refused".to_owned(), |one| refusal.reason(one.why))
        };
        let first = refusal.first().map(|why| refusal.reason(why));
        Self {
            said: said(
                refusal.code(),
                &first.unwrap_or_else(|| refusal.to_string()),
                &refusal.remedy(),
            ),
            unpack: "ok".to_owned(),
            refs: commands
                .updates
                .iter()
                .map(|one| (one.name.clone(), why_not(&one.name)))
                .collect(),
        }
    }

    /// Of a push that is refused as a whole: its session ended, its pack is none, no record of it can be written.
    pub fn of_all(commands: &PushCommands, refusal: &Refusal) -> Self {
        let refs = commands
            .updates
            .iter()
            .map(|one| (one.name.clone(), refusal.message.clone()));
        Self {
            said: said(refusal.code, &refusal.message, &refusal.remedy),
            unpack: "ok".to_owned(),
            refs: refs.collect(),
        }
    }

    /// Of a push whose commands are not understood, so that its refs are not known: git shows what is said, then "remote unpack failed",
    /// and fails.
    pub fn not_understood(error: &PushError) -> Self {
        Self {
            said: said(
                NOT_UNDERSTOOD,
                &error.why.to_string(),
                "push with git as usual, to the session's branch",
            ),
            unpack: format!("refused: {}", error.why),
            refs: Vec::new(),
        }
    }

    /// The answer. The body of the request is drained before it is sent ([`DRAIN_BYTES`]).
    pub fn answer(&self, form: ReportForm) -> AnswerHere {
        let body = match form {
            ReportForm::None => return self.forbidden(),
            ReportForm::Plain => self.report(),
            ReportForm::SideBand => self.multiplexed(),
        };
        AnswerHere {
            status: 200,
            content_type: RESULT_TYPE,
            body: body.into(),
        }
    }

    /// git hides the body of it; others may not.
    fn forbidden(&self) -> AnswerHere {
        let mut text = self.people();
        for (name, why) in &self.refs {
            text.push_str(&printable(&format!("{name}: {why}")));
            text.push('\n');
        }
        AnswerHere {
            status: 403,
            content_type: "text/plain; charset=utf-8",
            body: text.into(),
        }
    }

    fn multiplexed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_band(&mut bytes, 2, self.people().as_bytes());
        write_band(&mut bytes, 1, &self.report());
        bytes.extend_from_slice(FLUSH);
        bytes
    }

    fn report(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_line(
            &mut bytes,
            format!("unpack {}\n", sentence(&self.unpack)).as_bytes(),
        );
        for (name, why) in &self.refs {
            write_line(&mut bytes, format!("ng {name} {}\n", sentence(why)).as_bytes());
        }
        bytes.extend_from_slice(FLUSH);
        bytes
    }

    fn people(&self) -> String {
        let lines = self.said.iter().map(|line| sentence(line));
        lines.fold(String::new(), |text, line| {
            text + "Outwall: "
                + &line
                + "
"
        })
    }
}

fn said(code: &str, message: &str, remedy: &str) -> Vec<String> {
    vec![format!("push refused: {message} ({code})"), remedy.to_owned()]
}

/// One line that a terminal does not obey, and not longer than anyone reads.
fn sentence(text: &str) -> String {
    printable(text).chars().take(LONGEST_SENTENCE).collect()
}

/// Writes bytes in a band (gitprotocol-pack(5), "Packfile Data").
fn write_band(to: &mut Vec<u8>, band: u8, bytes: &[u8]) {
    for piece in bytes.chunks(LONGEST_PAYLOAD - 1) {
        let mut line = Vec::with_capacity(piece.len() + 1);
        line.push(band);
        line.extend_from_slice(piece);
        write_line(to, &line);
    }
}

/// The code of a request that is not understood, as the policy has it for one that does nothing that is known.
const NOT_UNDERSTOOD: &str = "github-not-understood";

const LONGEST_SENTENCE: usize = 400;

#[cfg(test)]
mod tests;
