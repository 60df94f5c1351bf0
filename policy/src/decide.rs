//! Deciding.

use std::net::SocketAddr;

use crate::decision::{Action, ConnectionDecision, Opening, RequestDecision};
use crate::denial::Denial;
use crate::permit::{ConnectionPermit, DialPermit};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::sandbox::Sandbox;
use crate::target::Target;

impl Policy {
    /// May this sandbox open this connection?
    pub fn decide_connection(
        &self,
        sandbox: &Sandbox,
        target: &Target,
        opening: Opening,
    ) -> ConnectionDecision {
        let _ = opening;
        let reason = Reason::HostNotAllowed {
            target: target.clone(),
        };
        ConnectionDecision::Deny(Denial::new(&sandbox.environment, reason))
    }

    /// May this request be sent over this connection?
    pub fn decide_request<R>(&self, via: &ConnectionPermit, action: Action<R>) -> RequestDecision<R> {
        let reason = Reason::HostNotAllowed {
            target: action.target,
        };
        RequestDecision::Deny(Denial::new(via.environment(), reason), action.carried)
    }

    /// May this address be dialled for this connection?
    pub fn admit(&self, permit: &ConnectionPermit, address: SocketAddr) -> Result<DialPermit, Denial> {
        let reason = Reason::AddressMismatch {
            target: permit.target().clone(),
            address,
        };
        Err(Denial::new(permit.environment(), reason))
    }

    /// True while the policy grants what was granted. After a reload, it is asked again.
    pub fn still_grants(&self, permit: &ConnectionPermit) -> bool {
        let _ = permit;
        false
    }

    /// True while the policy also admits the address that was admitted.
    pub fn still_admits(&self, permit: &DialPermit) -> bool {
        self.still_grants(permit.connection())
    }

    /// The static address of a target (`[origins] hosts`), with the target's port when none is written.
    pub fn static_address(&self, target: &Target) -> Option<SocketAddr> {
        self.origins.static_address(target)
    }
}
