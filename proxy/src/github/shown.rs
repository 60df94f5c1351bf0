//! What a client shows at GitHub's doors: the session's scoped credential, or nothing.

use std::sync::Arc;

use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use jiff::Timestamp;
use outwall_audit::Asked;
use outwall_broker::scoped::{Credential, Presented, Verifier, presented_at_github};
use outwall_policy::brokered::{BrokerRefusal, CredentialPlace, Instead};
use outwall_policy::{CredentialFault, Reason, Scheme};

use super::visit::Visit;
use crate::arriving::Arriving;
use crate::brokering;
use crate::exchange::Stopped;

/// What a client shows.
pub(super) enum Shown {
    /// Nothing.
    Nothing,
    /// The session's credential.
    Session(Standing),
}

/// A credential that was verified, and whether it still counts.
#[derive(Clone)]
pub(super) struct Standing {
    credential: Arc<Credential>,
    verifier: Arc<Verifier>,
}

impl Standing {
    /// Whether it counts at this moment.
    pub(super) fn check(&self) -> Result<(), CredentialFault> {
        self.verifier
            .standing(&self.credential, Timestamp::now())
            .map_err(|refused| refused.fault())
    }
}

impl Visit<'_> {
    /// Who asks. What was shown is taken out of the request.
    ///
    /// 1. There is one field `Authorization`, or none.
    /// 2. What it shows is a credential that we issued for this door, and that counts.
    /// 3. It is this sandbox's, for the repository and the branch of its session.
    pub(super) fn identify(
        &self,
        mut request: Request<Arriving>,
    ) -> Result<(Shown, Request<Arriving>), Stopped> {
        let values = request
            .headers()
            .get_all(AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes);
        let shown = presented_at_github(values);
        let token = match shown {
            Ok(Presented::Nothing) => return Ok((Shown::Nothing, request)),
            Ok(Presented::Token(token)) => token,
            Err(_unreadable) => return Err(self.foreign(&request)),
        };
        let Some(verifier) = &self.gate().shared.secrets.sessions else {
            return Err(self.fault(CredentialFault::Unavailable));
        };
        let credential = match verifier.verify(&token, Timestamp::now()) {
            Ok(credential) => Arc::new(credential),
            Err(refused) if refused.fault() == CredentialFault::NotOurs => return Err(self.foreign(&request)),
            Err(refused) => return Err(self.fault(refused.fault())),
        };
        let claims = credential.claims();
        let is_of_session = claims.scope.works_at().as_ref() == Some(self.grant.at());
        if claims.sandbox != self.gate().sandbox.id || !is_of_session {
            return Err(self.fault(CredentialFault::OtherDoor));
        }
        request.headers_mut().remove(AUTHORIZATION);
        let verifier = Arc::clone(verifier);
        Ok((Shown::Session(Standing { credential, verifier }), request))
    }

    /// A credential that we did not issue: the known way to carry something out through an allowed host.
    fn foreign<B>(&self, request: &Request<B>) -> Stopped {
        let refusal = BrokerRefusal::Foreign {
            target: self.asked.target.clone(),
            place: CredentialPlace::Header {
                name: "authorization".to_owned(),
                scheme: None,
            },
            instead: Instead::OfTheSession,
        };
        let asked = Asked {
            target: Some(&self.asked.target),
            scheme: Some(Scheme::Https),
            method: Some(&self.asked.method),
            path: Some(&self.asked.path),
            query: request.uri().query(),
            ..Asked::default()
        };
        self.told(brokering::refuse_at(self.gate(), asked, refusal))
    }

    fn fault(&self, fault: CredentialFault) -> Stopped {
        self.told(self.gate().denial(Reason::Credential(fault)))
    }
}
