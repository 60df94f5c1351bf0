//! The self-check of decisions: before a policy takes over, it has to answer questions whose answers follow from the document
//! alone. It is there for a compiler or a matcher that is *wrong*; one that cannot run needs no check.
//!
//! `probes` reads the document as text, without the compiler, the patterns and the matcher, and asks only what it is sure of: a
//! false alarm would leave an operator with yesterday's policy. Lists of a million entries are sampled, by a seed that the caller
//! takes from a random source, so that every reload asks about others. No clock: the caller says when time is out.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::decision::{Action, ConnectionDecision, Opening, RequestDecision};
use crate::denial::Denial;
use crate::document::PolicyDocument;
use crate::permit::{ConnectionPermit, RuleName};
use crate::policy::Policy;
use crate::sandbox::{EnvironmentName, Sandbox, SandboxId};
use crate::target::Scheme;

use self::probes::{Answer, Probe, Question};

mod probes;
mod written;

/// A policy that passed its self-check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfChecked {
    /// Questions that were asked.
    pub asked: usize,
    /// Questions that time was out for. They are samples: what every policy has to get right is always asked.
    pub left_out: usize,
}

/// A policy that decides otherwise than its document says: a defect of the gate, never the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the self-check failed: in environment `{environment}`, {question} would be {decided}, but {because}; \
     this is a defect of Outwall, and the policy does not count"
)]
pub struct SelfCheckError {
    environment: EnvironmentName,
    question: String,
    decided: String,
    because: String,
}

impl Policy {
    /// Asks the policy what it was compiled from. `own` are the machine's addresses that it was told to refuse; `seed` chooses
    /// the samples; `out_of_time` is asked before each sample, and while long lists are read.
    pub fn self_check(
        &self,
        document: &PolicyDocument,
        own: &[IpAddr],
        seed: u64,
        mut out_of_time: impl FnMut() -> bool,
    ) -> Result<SelfChecked, SelfCheckError> {
        let probes = probes::derive(document, own, seed, &mut out_of_time);
        let mut asked = 0;
        for probe in &probes {
            if probe.is_sample && out_of_time() {
                continue;
            }
            asked += 1;
            self.stand(probe)?;
        }
        Ok(SelfChecked {
            asked,
            left_out: probes.len() - asked,
        })
    }

    fn stand(&self, probe: &Probe) -> Result<(), SelfCheckError> {
        let sandbox = Sandbox::new(SandboxId::from_random([0; 4]), probe.environment.clone());
        let Some(decided) = self.put(&sandbox, &probe.question) else {
            return Ok(()); // it does not come to this question
        };
        match (&decided, probe.answer) {
            (Ok(_), Answer::Allowed) | (Err(_), Answer::Refused) => Ok(()),
            (Ok(_), Answer::Refused) | (Err(_), Answer::Allowed) => Err(SelfCheckError {
                environment: probe.environment.clone(),
                question: probe.question.to_string(),
                decided: match decided {
                    Ok(rule) => format!("allowed by {rule}"),
                    Err(denial) => format!("refused ({})", denial.code()),
                },
                because: probe.because.clone(),
            }),
        }
    }

    fn put(&self, sandbox: &Sandbox, question: &Question) -> Option<Result<RuleName, Denial>> {
        let target = question.target();
        let connected = match self.decide_connection(sandbox, target, Opening::Unread) {
            ConnectionDecision::Deny(denial) => Err(denial),
            ConnectionDecision::Tunnel(permit)
            | ConnectionDecision::Stream(permit)
            | ConnectionDecision::Intercept(permit)
            | ConnectionDecision::Forward(permit) => Ok(permit),
        };
        match question {
            Question::Connect(_) => Some(connected.map(|permit| permit.rule().clone())),
            Question::Dial(target, address) => {
                let permit = connected.ok()?;
                let admitted = self.admit(&permit, SocketAddr::new(*address, target.port));
                Some(admitted.map(|permit| permit.connection().rule().clone()))
            }
            Question::Request { .. } => self.put_request(&connected.ok()?, question),
        }
    }

    fn put_request(&self, via: &ConnectionPermit, question: &Question) -> Option<Result<RuleName, Denial>> {
        let Question::Request { target, method, path } = question else {
            return None;
        };
        let action = Action::new(Scheme::Https, target.clone(), method.clone(), path.clone(), ());
        match self.decide_request(via, action) {
            RequestDecision::Allow(permitted) => Some(Ok(permitted.permit().rule().clone())),
            RequestDecision::Understand(_) => None, // a probe has no session
            RequestDecision::Deny(denial, ()) => Some(Err(denial)),
        }
    }
}

#[cfg(test)]
mod tests;
