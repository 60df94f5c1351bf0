//! Asking a person about a target that policy refused.
//!
//! An answer decides nothing: who says yes puts another policy in force, and that is asked again. So a question can be slow, lost
//! or answered elsewhere, and nothing passes that policy does not allow.

use std::pin::Pin;

use outwall_policy::{ConnectionDecision, Opening, Reason, Sandbox, Target};

use crate::client_gate::ClientGate;

/// Asks whether a sandbox may reach a target.
pub trait Questions: Send + Sync + 'static {
    /// Resolves when there is an answer, or none will come: in bounded time. Clients wait for it.
    fn ask(&self, sandbox: &Sandbox, target: &Target) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl ClientGate {
    /// The policy in force decides. A host or port that nobody thought of may be asked about, if somebody is there to be asked;
    /// then what is in force afterwards decides.
    pub(crate) async fn decide(&self, target: &Target, opening: Opening) -> ConnectionDecision {
        let decision = self.decide_now(target, opening).await;
        let ConnectionDecision::Deny(denial) = &decision else {
            return decision;
        };
        let open = matches!(
            denial.reason(),
            Reason::HostNotAllowed { .. } | Reason::PortNotAllowed { .. }
        );
        match self.shared.questions.get().filter(|_| open) {
            None => decision,
            Some(questions) => Box::pin(self.await_answer(questions.as_ref(), target, opening)).await,
        }
    }

    /// Another terminal may allow it meanwhile.
    async fn await_answer(
        &self,
        questions: &dyn Questions,
        target: &Target,
        opening: Opening,
    ) -> ConnectionDecision {
        let mut changed = self.shared.policy.subscribe();
        let mut asking = questions.ask(&self.sandbox, target);
        loop {
            let over = tokio::select! {
                () = &mut asking => true,
                news = changed.changed() => news.is_err(),
                () = self.drained() => true,
            };
            let decision = self.decide_now(target, opening).await;
            if over || !matches!(decision, ConnectionDecision::Deny(_)) {
                return decision;
            }
        }
    }
}
