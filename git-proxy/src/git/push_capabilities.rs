//! What a client of a push asks for, beside the push: its capabilities (gitprotocol-capabilities(5)).

use thiserror::Error;

use super::object_format::ObjectFormat;

/// What a client asks for. Those that only tell the server what it may expect (`ofs-delta`, `delete-refs`) or who asks (`agent`,
/// `session-id`) are understood and not kept: ours go out instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushCapabilities {
    /// How it wants to be told what became of the refs.
    pub report: ReportStatus,
    /// Whether the answer is multiplexed.
    pub side_band: SideBand,
    /// What the server says on the way.
    pub progress: Progress,
    /// What happens if one ref cannot be updated.
    pub atomicity: Atomicity,
    /// By which hash its ids are made.
    pub object_format: ObjectFormat,
}

/// How a client wants to be told what became of the refs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportStatus {
    /// Not at all.
    #[default]
    None,
    /// `report-status`
    V1,
    /// `report-status-v2`
    V2,
}

/// Whether an answer is multiplexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SideBand {
    /// It is not: there is no text for people.
    #[default]
    None,
    /// `side-band-64k`
    Wide,
}

/// What a server says on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// How far it is.
    #[default]
    Shown,
    /// `quiet`: nothing.
    Quiet,
}

/// What happens if one ref cannot be updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Atomicity {
    /// The others are.
    #[default]
    EachRef,
    /// `atomic`: none is.
    AllOrNone,
}

/// Why a list of capabilities is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CapabilityError {
    /// One that the gate takes out of what servers offer, so that no client should ask for it.
    #[error("it asks for `{0}`, which is not offered here: {1}")]
    NotOffered(&'static str, &'static str),
    /// One that is not known.
    #[error("it asks for `{}`, which is not known here", .0.escape_debug())]
    Unknown(String),
    /// One that says nothing, or twice.
    #[error("it asks for `{0}` twice, or for what does not go with it")]
    Twice(&'static str),
    /// Not printable ASCII.
    #[error("its capabilities are not printable ASCII")]
    NotAscii,
}

impl PushCapabilities {
    /// Reads what follows the NUL of the first line.
    pub(super) fn read(list: &[u8]) -> Result<Self, CapabilityError> {
        let list = std::str::from_utf8(list).map_err(|_| CapabilityError::NotAscii)?;
        if list.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(CapabilityError::NotAscii);
        }
        let mut read = Reading::default();
        let words = list.split(' ').filter(|word| !word.is_empty());
        words.into_iter().try_for_each(|word| read.word(word))?;
        Ok(read.capabilities)
    }

    /// As it is sent on: in one order, each once, with a space before each as git writes it.
    pub(super) fn write(self, to: &mut Vec<u8>) {
        let words = [
            match self.report {
                ReportStatus::None => "",
                ReportStatus::V1 => " report-status",
                ReportStatus::V2 => " report-status-v2",
            },
            match self.side_band {
                SideBand::None => "",
                SideBand::Wide => " side-band-64k",
            },
            match self.progress {
                Progress::Shown => "",
                Progress::Quiet => " quiet",
            },
            match self.atomicity {
                Atomicity::EachRef => "",
                Atomicity::AllOrNone => " atomic",
            },
            " object-format=",
            self.object_format.as_str(),
            " agent=",
            AGENT,
        ];
        for word in words {
            to.extend_from_slice(word.as_bytes());
        }
    }
}

#[derive(Default)]
struct Reading {
    capabilities: PushCapabilities,
    seen: Vec<&'static str>,
}

impl Reading {
    fn word(&mut self, word: &str) -> Result<(), CapabilityError> {
        let (name, value) = word
            .split_once('=')
            .map_or((word, None), |(name, value)| (name, Some(value)));
        let known = KNOWN.into_iter().find(|known| *known == name);
        if let (Some(known), None) | (Some(known @ ("agent" | "session-id" | "object-format")), Some(_)) =
            (known, value)
        {
            if self.seen.contains(&known) {
                return Err(CapabilityError::Twice(known));
            }
            self.seen.push(known);
        }
        let asked = &mut self.capabilities;
        match (name, value) {
            // A client may ask for both of these, and the newer one wins, as it does in receive-pack.
            ("report-status", None) if asked.report == ReportStatus::None => asked.report = ReportStatus::V1,
            ("report-status" | "ofs-delta" | "delete-refs", None) | ("agent" | "session-id", Some(_)) => {}
            ("report-status-v2", None) => asked.report = ReportStatus::V2,
            ("side-band-64k", None) => asked.side_band = SideBand::Wide,
            ("quiet", None) => asked.progress = Progress::Quiet,
            ("atomic", None) => asked.atomicity = Atomicity::AllOrNone,
            ("object-format", Some(format)) => {
                asked.object_format = ObjectFormat::named(format).ok_or_else(|| unknown(word))?;
            }
            ("push-options", _) => return Err(CapabilityError::NotOffered("push-options", PUSH_OPTIONS)),
            ("push-cert", _) => return Err(CapabilityError::NotOffered("push-cert", PUSH_CERT)),
            _ => return Err(unknown(word)),
        }
        Ok(())
    }
}

fn unknown(word: &str) -> CapabilityError {
    CapabilityError::Unknown(word.chars().take(60).collect())
}

/// Why a signed push is refused: the certificate has commands of its own.
pub(super) const PUSH_CERT: &str = "a push certificate names refs of its own; push without --signed";

const PUSH_OPTIONS: &str = "they tell a server to do more than to move a ref; push without --push-option";

const AGENT: &str = concat!("outwall/", env!("CARGO_PKG_VERSION"));

/// Those that a client may ask for. `object-format` goes out always: a server that does not know it never had anything but SHA-1, and
/// git ignores capabilities that it does not know.
const KNOWN: [&str; 10] = [
    "report-status",
    "report-status-v2",
    "side-band-64k",
    "quiet",
    "atomic",
    "ofs-delta",
    "delete-refs",
    "object-format",
    "agent",
    "session-id",
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn sent_on(list: &str) -> String {
        let mut to = Vec::new();
        PushCapabilities::read(list.as_bytes()).unwrap().write(&mut to);
        String::from_utf8(to).unwrap().replace(AGENT, "us")
    }

    #[test]
    fn what_git_asks_for_is_sent_on_in_our_words() {
        assert_eq!(
            sent_on(" report-status-v2 side-band-64k quiet atomic object-format=sha1 agent=git/2.47.3"),
            " report-status-v2 side-band-64k quiet atomic object-format=sha1 agent=us"
        );
        assert_eq!(
            sent_on("delete-refs ofs-delta atomic report-status agent=JGit/6 session-id=x"),
            " report-status atomic object-format=sha1 agent=us"
        );
        assert_eq!(
            sent_on("report-status-v2 report-status"),
            sent_on("report-status report-status-v2")
        );
        assert_eq!(sent_on(""), " object-format=sha1 agent=us");
        assert_eq!(sent_on("object-format=sha256"), " object-format=sha256 agent=us");
    }

    #[test]
    fn what_is_not_offered_is_refused_with_a_reason() {
        for (list, said) in [
            ("report-status push-options", "--push-option"),
            ("push-cert=nonce", "--signed"),
            ("push-cert", "--signed"),
            ("side-band", "`side-band`"),
            ("object-format=md5", "`object-format=md5`"),
            ("quiet=1", "`quiet=1`"),
            ("quiet quiet", "twice"),
            ("object-format=sha1 object-format=sha256", "twice"),
            ("quiet\tatomic", "printable"),
            ("agent=é", "printable"),
        ] {
            let error = PushCapabilities::read(list.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{list}: {error}");
        }
    }
}
