//! Node ids in GitHub's present style: `PR_kwDODKw3uc8AAAABAlTbMA` is a prefix for the type and base64url of the
//! msgpack array `[0, repository, object]`; what belongs to no repository is `[0, object]`. GitHub documents none of it: so its
//! ids were seen to be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a node id names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NodeId {
    /// A record: its type in the schema, and its database id.
    Record(&'static str, u64),
    /// Something of git: a type, the repository, and a ref's name or an object's id.
    Git(&'static str, u64, String),
}

/// Prefixes, as GitHub has them, and the types they stand for.
pub(super) const PREFIXES: &[(&str, &str)] = &[
    ("R", "Repository"),
    ("U", "User"),
    ("O", "Organization"),
    ("BOT", "Bot"),
    ("PR", "PullRequest"),
    ("I", "Issue"),
    ("IC", "IssueComment"),
    ("PRR", "PullRequestReview"),
    ("PRRC", "PullRequestReviewComment"),
    ("PRRT", "PullRequestReviewThread"),
    ("RRQ", "ReviewRequest"),
    ("LA", "Label"),
    ("MI", "Milestone"),
    ("RE", "Release"),
    ("RA", "ReleaseAsset"),
    ("CR", "CheckRun"),
    ("CS", "CheckSuite"),
    ("WFR", "WorkflowRun"),
    ("W", "Workflow"),
    ("G", "Gist"),
    ("D", "Discussion"),
    ("DIC", "DiscussionCategory"),
    ("TM", "Team"),
    ("A", "App"),
    ("PVT", "ProjectV2"),
    ("DE", "Deployment"),
    ("EN", "Environment"),
    ("BPR", "BranchProtectionRule"),
    ("E", "Enterprise"),
    ("REF", "Ref"),
    ("C", "Commit"),
    ("T", "Tree"),
    ("B", "Blob"),
    ("TA", "Tag"),
];

/// Types whose nodes are git's own, named by a ref or an object id.
pub(super) const OF_GIT: [&str; 5] = ["Ref", "Commit", "Tree", "Blob", "Tag"];

impl NodeId {
    /// As a client writes it; the repository is that of a record, where it has one.
    pub(super) fn text(&self, repository: Option<u64>) -> String {
        let kind = match self {
            Self::Record(kind, _) | Self::Git(kind, ..) => *kind,
        };
        let mut packed = match self {
            Self::Record(_, _) if repository.is_none() => vec![0x92, 0],
            _ => vec![0x93, 0],
        };
        match self {
            Self::Record(_, id) => {
                if let Some(repository) = repository {
                    integer(repository, &mut packed);
                }
                integer(*id, &mut packed);
            }
            Self::Git(_, repository, name) => {
                integer(*repository, &mut packed);
                string(name, &mut packed);
            }
        }
        format!("{}_{}", prefix_of(kind), URL_SAFE_NO_PAD.encode(packed))
    }

    /// What `text` names, if it has the shape; whether that exists is another question.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (prefix, packed) = text.split_once('_')?;
        let (_, kind) = PREFIXES.iter().find(|(known, _)| *known == prefix)?;
        let packed = URL_SAFE_NO_PAD.decode(packed).ok()?;
        let (items, rest) = match packed.split_first()? {
            (0x92, rest) => (2, rest),
            (0x93, rest) => (3, rest),
            _ => return None,
        };
        let mut rest = rest.strip_prefix(&[0])?;
        let first = take_integer(&mut rest)?;
        if OF_GIT.contains(kind) {
            return Some(Self::Git(kind, first, take_string(&mut rest)?));
        }
        let id = if items == 3 {
            take_integer(&mut rest)?
        } else {
            first
        };
        rest.is_empty().then_some(Self::Record(kind, id))
    }
}

fn prefix_of(kind: &str) -> &str {
    PREFIXES
        .iter()
        .find_map(|(prefix, of)| (*of == kind).then_some(*prefix))
        .unwrap_or("X")
}

fn integer(number: u64, into: &mut Vec<u8>) {
    if let Ok(number) = u32::try_from(number) {
        into.push(0xce);
        into.extend(number.to_be_bytes());
    } else {
        into.push(0xcf);
        into.extend(number.to_be_bytes());
    }
}

fn string(text: &str, into: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..32) => into.push(0xa0 | length),
        Ok(length) => into.extend([0xd9, length]),
        Err(_) => {
            into.push(0xda);
            into.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    into.extend(text.as_bytes());
}

fn take_integer(rest: &mut &[u8]) -> Option<u64> {
    let (tag, after) = rest.split_first()?;
    let size = match tag {
        0xcc => 1,
        0xcd => 2,
        0xce => 4,
        0xcf => 8,
        0..0x80 => {
            *rest = after;
            return Some(u64::from(*tag));
        }
        _ => return None,
    };
    let (digits, after) = after.split_at_checked(size)?;
    *rest = after;
    Some(
        digits
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn take_string(rest: &mut &[u8]) -> Option<String> {
    let (tag, after) = rest.split_first()?;
    let (length, after) = match tag {
        0xa0..0xc0 => (usize::from(tag & 0x1f), after),
        0xd9 => (usize::from(*after.first()?), &after[1..]),
        0xda => (
            usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?])),
            &after[2..],
        ),
        _ => return None,
    };
    (after.len() == length).then(|| String::from_utf8(after.to_vec()).ok())?
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn an_id_of_github_is_read_and_written_again() {
        let real = "PR_kwDODKw3uc8AAAABAlTbMA";
        let id = NodeId::parse(real).unwrap();
        assert_eq!(id, NodeId::Record("PullRequest", 0x1_0254_db30));
        assert_eq!(id.text(Some(212_613_049)), real);
    }

    #[test]
    fn refs_and_commits_are_named_by_what_git_calls_them() {
        let name = NodeId::Git("Ref", 7, "refs/heads/main".to_owned());
        let commit = NodeId::Git("Commit", 7, "a".repeat(64));
        for id in [name, commit] {
            assert_eq!(NodeId::parse(&id.text(None)), Some(id));
        }
        for wrong in ["", "PR_", "PR_kwDO", "ZZ_kgDOAAAAAQ", "PR"] {
            assert_eq!(NodeId::parse(wrong), None, "{wrong}");
        }
    }
}
