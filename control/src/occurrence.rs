//! What an event says in a few words, wherever people read it: in a terminal, on a page.

use outwall_audit::{Event, Kind};

/// What happened, for events of which nothing else is to be told. Of others, their message.
pub fn occurrence(event: &Event) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    match event.kind {
        Kind::PortPublished => format!("published {} at {}", text(&event.target), text(&event.address)),
        Kind::PublishedCameIn | Kind::PublishedEnded => {
            let user = event
                .user
                .map(|user| format!(" (user {user})"))
                .unwrap_or_default();
            format!("{}{user} came in to {}", text(&event.client), text(&event.target))
        }
        Kind::CredentialIssued => format!("credential issued: {}", text(&event.message)),
        Kind::CredentialRevoked => format!("credential revoked: {}", text(&event.message)),
        Kind::CredentialKeyRotated => format!("credentials: {}", text(&event.message)),
        Kind::SandboxStarted => format!("sandbox started: {}", text(&event.program)),
        Kind::SandboxEnded => format!("sandbox ended: {}", text(&event.outcome)),
        Kind::GateStarted => format!("gate started: {} {}", text(&event.program), text(&event.message)),
        Kind::GateStopped => "gate stopped".to_owned(),
        Kind::PolicyChanged => format!("policy changed: {}", text(&event.message)),
        Kind::PolicyRefused => format!("policy refused: {}", text(&event.message)),
        Kind::GrantEnded => format!("grant {}: {}", text(&event.outcome), text(&event.target)),
        Kind::QuestionAsked => format!("asked whether to allow {}", text(&event.target)),
        Kind::QuestionAnswered => format!("answered {}: {}", text(&event.outcome), text(&event.target)),
        _ => text(&event.message),
    }
}

/// `GET https://pypi.org/simple/`, or how far it came: `connect example.com:443`.
pub fn request(event: &Event) -> String {
    let target = event.target.as_deref().unwrap_or_default();
    let scheme = event.scheme.as_deref();
    match (&event.method, scheme) {
        (Some(method), Some(scheme @ ("http" | "https"))) => {
            let port = if scheme == "https" { ":443" } else { ":80" };
            let host = target.strip_suffix(port).unwrap_or(target);
            let path = event.path.as_deref().unwrap_or("/");
            format!("{method} {scheme}://{host}{path}")
        }
        _ if target.is_empty() => event.message.clone().unwrap_or_default(),
        _ => {
            let how = scheme.filter(|scheme| !scheme.starts_with("http"));
            format!("{} {target}", how.unwrap_or("connect"))
        }
    }
}
