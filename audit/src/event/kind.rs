//! What an event says happened.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A request is about to be sent.
    #[serde(rename = "exchange.going_out")]
    ExchangeGoingOut,
    /// How that ended; `for` names it.
    #[serde(rename = "exchange.came_back")]
    ExchangeCameBack,
    /// A tunnel or a stream is about to be opened.
    #[serde(rename = "connection.going_out")]
    ConnectionGoingOut,
    /// How that ended; `for` names it.
    #[serde(rename = "connection.came_back")]
    ConnectionCameBack,
    /// A connection or a request was refused.
    #[serde(rename = "denied")]
    Denied,
    /// A name was asked for the first time by its sandbox.
    #[serde(rename = "dns")]
    Dns,
    /// A sandbox exists.
    #[serde(rename = "sandbox.started")]
    SandboxStarted,
    /// It does not any more.
    #[serde(rename = "sandbox.ended")]
    SandboxEnded,
    /// A gate serves.
    #[serde(rename = "gate.started")]
    GateStarted,
    /// It ended in good order.
    #[serde(rename = "gate.stopped")]
    GateStopped,
    /// Something that security people should look at.
    #[serde(rename = "finding")]
    Finding,
    /// Another policy is in force.
    #[serde(rename = "policy.changed")]
    PolicyChanged,
    /// A new policy does not count: the one before stays in force.
    #[serde(rename = "policy.refused")]
    PolicyRefused,
    /// Somebody let running sandboxes reach a host.
    #[serde(rename = "grant.made")]
    GrantMade,
    /// That is over.
    #[serde(rename = "grant.ended")]
    GrantEnded,
    /// A person is asked whether a sandbox may reach a host.
    #[serde(rename = "question.asked")]
    QuestionAsked,
    /// What was answered, or why nobody was asked.
    #[serde(rename = "question.answered")]
    QuestionAnswered,
    /// A port of a sandbox is published on the host.
    #[serde(rename = "port.published")]
    PortPublished,
    /// Somebody connected to it from outside.
    #[serde(rename = "published.came_in")]
    PublishedCameIn,
    /// How that ended; `for` names it.
    #[serde(rename = "published.ended")]
    PublishedEnded,
    /// A credential was issued.
    #[serde(rename = "credential.issued")]
    CredentialIssued,
    /// One, or all of a sandbox, were taken back before their time.
    #[serde(rename = "credential.revoked")]
    CredentialRevoked,
    /// The key that signs them was replaced.
    #[serde(rename = "credential.key_rotated")]
    CredentialKeyRotated,
    /// The chain up to here, signed.
    #[serde(rename = "checkpoint")]
    Checkpoint,
    /// A file of the log is removed: it was old, or there was too much. Signed.
    #[serde(rename = "segment.removed")]
    SegmentRemoved,
    /// The torn last line of a dead writer's file was cut off.
    #[serde(rename = "repaired")]
    Repaired,
    /// Of a later version than this reader.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl Kind {
    /// All that this version writes.
    pub const ALL: [Self; 26] = [
        Self::ExchangeGoingOut,
        Self::ExchangeCameBack,
        Self::ConnectionGoingOut,
        Self::ConnectionCameBack,
        Self::Denied,
        Self::Dns,
        Self::SandboxStarted,
        Self::SandboxEnded,
        Self::GateStarted,
        Self::GateStopped,
        Self::Finding,
        Self::PolicyChanged,
        Self::PolicyRefused,
        Self::GrantMade,
        Self::GrantEnded,
        Self::QuestionAsked,
        Self::QuestionAnswered,
        Self::PortPublished,
        Self::PublishedCameIn,
        Self::PublishedEnded,
        Self::CredentialIssued,
        Self::CredentialRevoked,
        Self::CredentialKeyRotated,
        Self::Checkpoint,
        Self::SegmentRemoved,
        Self::Repaired,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExchangeGoingOut => "exchange.going_out",
            Self::ExchangeCameBack => "exchange.came_back",
            Self::ConnectionGoingOut => "connection.going_out",
            Self::ConnectionCameBack => "connection.came_back",
            Self::Denied => "denied",
            Self::Dns => "dns",
            Self::SandboxStarted => "sandbox.started",
            Self::SandboxEnded => "sandbox.ended",
            Self::GateStarted => "gate.started",
            Self::GateStopped => "gate.stopped",
            Self::Finding => "finding",
            Self::PolicyChanged => "policy.changed",
            Self::PolicyRefused => "policy.refused",
            Self::GrantMade => "grant.made",
            Self::GrantEnded => "grant.ended",
            Self::QuestionAsked => "question.asked",
            Self::QuestionAnswered => "question.answered",
            Self::PortPublished => "port.published",
            Self::PublishedCameIn => "published.came_in",
            Self::PublishedEnded => "published.ended",
            Self::CredentialIssued => "credential.issued",
            Self::CredentialRevoked => "credential.revoked",
            Self::CredentialKeyRotated => "credential.key_rotated",
            Self::Checkpoint => "checkpoint",
            Self::SegmentRemoved => "segment.removed",
            Self::Repaired => "repaired",
            Self::Unknown => "unknown",
        }
    }
}

/// `Unknown` stays the last one, and all before it are in `ALL`.
const _: () = assert!(Kind::Unknown as usize == Kind::ALL.len());

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written_and_a_later_one_is_not_an_error() {
        for kind in Kind::ALL {
            let quoted = format!("\"{}\"", kind.as_str());
            assert_eq!(serde_json::from_str::<Kind>(&quoted).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), quoted);
        }
        assert_eq!(
            serde_json::from_str::<Kind>("\"session.started\"").unwrap(),
            Kind::Unknown
        );
    }
}
