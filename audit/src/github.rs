//! What a request does at the GitHub that its session works at, or would have done.

use outwall_policy::github::{GithubRefusal, GithubUse, SessionRepository};

use crate::fields::Fields;

/// Of a request that goes out.
pub(crate) fn allowed(used: &GithubUse, line: &mut Fields<'_>) {
    line.object("github", |github| {
        begin(used.grant().at(), &used.actions().operation, github);
        github.texts("actions", &used.actions().all);
        github.texts("details", used.details());
        github.maybe("led_from", used.led_from());
        if used.actions().may_force() && !used.grant().rules().force_push {
            github.plain("moves", FORWARD);
        }
    });
}

/// A push is cut off where it does not show that it moves refs forward, so what came back whole did.
pub(crate) const FORWARD: &str = "forward";

/// Of one that is refused: each thing with why not.
pub(crate) fn refused(refusal: &GithubRefusal, line: &mut Fields<'_>) {
    line.object("github", |github| {
        begin(&refusal.at, &refusal.operation, github);
        let each = refusal.refused.iter();
        github.texts(
            "actions",
            each.map(|one| format!("{}: {}", one.action, refusal.reason(one.why))),
        );
        github.texts("details", &refusal.details);
    });
}

fn begin(at: &SessionRepository, operation: &str, github: &mut Fields<'_>) {
    github.text("repository", format_args!("{}/{}", at.host, at.repository));
    github.text("operation", operation);
}
