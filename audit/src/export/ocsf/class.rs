//! Classes and activities, by their numbers and captions in the schema.

use crate::event::{Event, Kind};

/// A class of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Base,
    Finding,
    Authentication,
    Entity,
    Network,
    Http,
    Dns,
    Lifecycle,
}

/// What was done, in terms of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    pub(super) class: Class,
    pub(super) id: u32,
    pub(super) caption: &'static str,
}

impl Class {
    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Base => 0,
            Self::Finding => 2004,
            Self::Authentication => 3002,
            Self::Entity => 3004,
            Self::Network => 4001,
            Self::Http => 4002,
            Self::Dns => 4003,
            Self::Lifecycle => 6002,
        }
    }

    pub(super) fn caption(self) -> &'static str {
        match self {
            Self::Base => "Base Event",
            Self::Finding => "Detection Finding",
            Self::Authentication => "Authentication",
            Self::Entity => "Entity Management",
            Self::Network => "Network Activity",
            Self::Http => "HTTP Activity",
            Self::Dns => "DNS Activity",
            Self::Lifecycle => "Application Lifecycle",
        }
    }

    pub(super) fn category(self) -> (u32, &'static str) {
        match self {
            Self::Base => (0, "Uncategorized"),
            Self::Finding => (2, "Findings"),
            Self::Authentication | Self::Entity => (3, "Identity & Access Management"),
            Self::Network | Self::Http | Self::Dns => (4, "Network Activity"),
            Self::Lifecycle => (6, "Application Activity"),
        }
    }
}

/// What an event is. `closed`: its other half is part of it.
pub(super) fn activity(event: &Event, closed: bool) -> Activity {
    let (class, (id, caption)) = match event.kind {
        Kind::ExchangeGoingOut | Kind::ExchangeCameBack => (Class::Http, method(event.method.as_deref())),
        Kind::ConnectionGoingOut | Kind::PublishedCameIn if closed => (Class::Network, (6, "Traffic")),
        Kind::ConnectionGoingOut | Kind::PublishedCameIn => (Class::Network, (1, "Open")),
        Kind::ConnectionCameBack | Kind::PublishedEnded if event.outcome.as_deref() == Some("failed") => {
            (Class::Network, (4, "Fail"))
        }
        Kind::ConnectionCameBack | Kind::PublishedEnded => (Class::Network, (2, "Close")),
        Kind::PortPublished => (Class::Network, (7, "Listen")),
        Kind::Denied if event.method.is_some() => (Class::Http, method(event.method.as_deref())),
        Kind::Denied if event.sandbox.is_none() => (Class::Authentication, (1, "Logon")),
        Kind::Denied => (Class::Network, (5, "Refuse")),
        Kind::Dns => (Class::Dns, (6, "Traffic")),
        Kind::Finding => (Class::Finding, (1, "Create")),
        Kind::SandboxStarted | Kind::GateStarted => (Class::Lifecycle, (3, "Start")),
        Kind::SandboxEnded | Kind::GateStopped => (Class::Lifecycle, (4, "Stop")),
        Kind::CredentialIssued | Kind::GrantMade => (Class::Entity, (1, "Create")),
        Kind::PolicyChanged | Kind::PolicyRefused | Kind::CredentialKeyRotated => {
            (Class::Entity, (3, "Update"))
        }
        Kind::GrantEnded | Kind::SegmentRemoved => (Class::Entity, (4, "Delete")),
        Kind::CredentialRevoked => (Class::Entity, (11, "Deactivate")),
        Kind::QuestionAsked | Kind::QuestionAnswered | Kind::Checkpoint | Kind::Repaired | Kind::Unknown => {
            (Class::Base, (99, event.kind.as_str()))
        } // whole, in `unmapped`
    };
    Activity { class, id, caption }
}

/// How grave an event is by itself.
pub(super) fn severity(kind: Kind) -> (u32, &'static str) {
    match kind {
        Kind::Finding => (3, "Medium"),
        Kind::Denied | Kind::PolicyRefused | Kind::Repaired => (2, "Low"),
        _ => (1, "Informational"),
    }
}

fn method(method: Option<&str>) -> (u32, &'static str) {
    match method {
        None => (0, "Unknown"),
        Some("CONNECT") => (1, "Connect"),
        Some("DELETE") => (2, "Delete"),
        Some("GET") => (3, "Get"),
        Some("HEAD") => (4, "Head"),
        Some("OPTIONS") => (5, "Options"),
        Some("POST") => (6, "Post"),
        Some("PUT") => (7, "Put"),
        Some("TRACE") => (8, "Trace"),
        Some("PATCH") => (9, "Patch"),
        Some(_) => (99, "Other"),
    }
}

/// Whether the schema has a method of this name; others have no place in `http_request.http_method`.
pub(super) fn is_known(name: &str) -> bool {
    method(Some(name)).0 != 99
}
