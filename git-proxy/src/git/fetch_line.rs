//! One line of a fetch, by where it stands: gitprotocol-pack(5) ("Packfile Negotiation") for versions 0 and 1, gitprotocol-v2(5).

use outwall_policy::github::ObjectId;

use super::fetch::{FetchCommand, FetchError};
use super::object_format::ObjectFormat;

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Versions 0 and 1: what is wanted.
    Wants,
    /// Versions 0 and 1: what the client has.
    Haves,
    /// The same, behind a flush.
    HavesOrEnd,
    /// Version 2: its command.
    Command,
    /// Version 2: what goes with the command.
    Capabilities(FetchCommand),
    /// Version 2: the arguments of the command.
    Arguments(FetchCommand),
    /// Nothing may follow.
    End,
}

/// A line that was read.
pub(super) struct Line {
    /// As it is sent on; nothing for a line that is left out.
    pub(super) written: String,
    /// Where the next one stands.
    pub(super) next: Place,
    /// What it says is asked for.
    pub(super) asked: Option<FetchCommand>,
}

/// A line as text: without control characters, and not longer than any that git sends.
pub(super) fn text(line: &[u8]) -> Result<&str, FetchError> {
    let text = std::str::from_utf8(line)
        .ok()
        .filter(|text| text.len() <= LONGEST && !text.is_empty() && !text.chars().any(char::is_control));
    text.ok_or_else(|| unknown(&String::from_utf8_lossy(line)))
}

/// Reads a line.
pub(super) fn read(place: Place, text: &str) -> Result<Line, FetchError> {
    match place {
        Place::Wants => want(text),
        Place::Haves | Place::HavesOrEnd => have(text),
        Place::Command => command(text),
        Place::Capabilities(command) => capability(command, text),
        Place::Arguments(command) => argument(command, text),
        Place::End => Err(FetchError::GoesOn),
    }
}

fn want(text: &str) -> Result<Line, FetchError> {
    let (word, value) = text.split_once(' ').ok_or_else(|| unknown(text))?;
    let (id, capabilities) = value.split_once(' ').unwrap_or((value, ""));
    let capabilities = capabilities
        .split(' ')
        .filter(|capability| !capability.is_empty());
    let written = match word {
        "want" => {
            let mut line = format!("want {}", object(id).ok_or_else(|| unknown(text))?);
            for capability in capabilities.filter(|capability| !capability.starts_with("session-id=")) {
                check(is_capability(capability), capability)?;
                line = line + " " + capability;
            }
            line
        }
        "shallow" => format!("shallow {}", object(value).ok_or_else(|| unknown(text))?),
        "deepen" | "deepen-since" if is_number(value) => text.to_owned(),
        "deepen-not" | "filter" => text.to_owned(),
        _ => return Err(unknown(text)),
    };
    Ok(Line {
        written: written + "\n",
        next: Place::Wants,
        asked: Some(FetchCommand::Fetch),
    })
}

fn have(text: &str) -> Result<Line, FetchError> {
    let next = match text.split_once(' ') {
        Some(("have", id)) if object(id).is_some() => Place::Haves,
        None if text == "done" => Place::End,
        _ => return Err(unknown(text)),
    };
    Ok(Line {
        written: format!("{text}\n"),
        next,
        asked: None,
    })
}

fn command(text: &str) -> Result<Line, FetchError> {
    let command = match text.strip_prefix("command=") {
        Some("ls-refs") => FetchCommand::LsRefs,
        Some("fetch") => FetchCommand::Fetch,
        Some("object-info") => FetchCommand::ObjectInfo,
        Some("bundle-uri") => return Err(FetchError::NotOffered("bundle-uri", ELSEWHERE)),
        _ => return Err(unknown(text)),
    };
    Ok(Line {
        written: format!("{text}\n"),
        next: Place::Capabilities(command),
        asked: Some(command),
    })
}

fn capability(command: FetchCommand, text: &str) -> Result<Line, FetchError> {
    let (name, value) = text.split_once('=').ok_or_else(|| unknown(text))?;
    let written = match name {
        "agent" if is_agent(value) => format!("{text}\n"),
        "object-format" if ObjectFormat::named(value).is_some() => format!("{text}\n"),
        "session-id" => String::new(),
        "server-option" => return Err(FetchError::NotOffered("server-option", OPTIONS)),
        _ => return Err(unknown(text)),
    };
    Ok(Line {
        written,
        next: Place::Capabilities(command),
        asked: None,
    })
}

fn argument(command: FetchCommand, text: &str) -> Result<Line, FetchError> {
    let (word, value) = text
        .split_once(' ')
        .map_or((text, None), |(word, value)| (word, Some(value)));
    let known = match (command, word, value) {
        (FetchCommand::Fetch, "want" | "have" | "shallow", Some(id))
        | (FetchCommand::ObjectInfo, "oid", Some(id)) => object(id).is_some(),
        (FetchCommand::Fetch, "deepen" | "deepen-since", Some(number)) => is_number(number),
        (FetchCommand::Fetch, "packfile-uris", Some(_)) => {
            return Err(FetchError::NotOffered("packfile-uris", ELSEWHERE));
        }
        (command, word, Some(_)) => with_text(command).contains(&word),
        (command, word, None) => alone(command).contains(&word),
    };
    check(known, text)?;
    Ok(Line {
        written: format!("{text}\n"),
        next: Place::Arguments(command),
        asked: None,
    })
}

/// Arguments that have a text behind them: a prefix, a revision, a filter, the name of a ref.
fn with_text(command: FetchCommand) -> &'static [&'static str] {
    match command {
        FetchCommand::LsRefs => &["ref-prefix"],
        FetchCommand::Fetch => &["deepen-not", "filter", "want-ref"],
        FetchCommand::ObjectInfo | FetchCommand::Nothing => &[],
    }
}

fn alone(command: FetchCommand) -> &'static [&'static str] {
    match command {
        FetchCommand::LsRefs => &["symrefs", "peel", "unborn"],
        FetchCommand::Fetch => &OF_FETCH,
        FetchCommand::ObjectInfo => &["size"],
        FetchCommand::Nothing => &[],
    }
}

fn object(text: &str) -> Option<ObjectId> {
    text.parse().ok()
}

fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_agent(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_capability(text: &str) -> bool {
    match text.split_once('=') {
        Some(("agent", agent)) => is_agent(agent),
        Some(("object-format", format)) => ObjectFormat::named(format).is_some(),
        Some(_) => false,
        None => OF_WANT.contains(&text),
    }
}

fn check(is_known: bool, text: &str) -> Result<(), FetchError> {
    is_known.then_some(()).ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> FetchError {
    FetchError::Unknown(text.chars().take(80).collect())
}

const ELSEWHERE: &str = "it leads to other hosts";

const OPTIONS: &str = "it tells a server to do more than to read";

/// Longer than a filter that names paths, and than a capability list.
const LONGEST: usize = 4_096;

const OF_FETCH: [&str; 8] = [
    "done",
    "thin-pack",
    "no-progress",
    "include-tag",
    "ofs-delta",
    "deepen-relative",
    "sideband-all",
    "wait-for-done",
];

/// What a client may ask for beside its first `want`.
pub(super) const OF_WANT: [&str; 14] = [
    "multi_ack",
    "multi_ack_detailed",
    "no-done",
    "thin-pack",
    "side-band",
    "side-band-64k",
    "ofs-delta",
    "deepen-since",
    "deepen-not",
    "deepen-relative",
    "no-progress",
    "include-tag",
    "filter",
    "shallow",
];
