//! The search of what one request gets back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Response, response};
use hyper::ext::ReasonPhrase;
use outwall_audit::Asked;
use outwall_broker::scrub::{ScrubStream, Scrubber};
use outwall_policy::RequestPermit;
use outwall_policy::brokered::CredentialName;

use super::body::BodyScrub;
use super::fields;
use super::reading::{Unsearchable, as_decoded, codings_of, has_no_extensions, without_ranges};
use crate::client_gate::ClientGate;
use crate::leaks::Place;

/// The search of what one request gets back, for the secrets that were put into it.
pub(crate) struct Scrubbing {
    scrubber: Arc<Scrubber>,
    report: Report,
    /// What was reported: one finding for each secret and kind of place is enough.
    reported: Mutex<HashSet<(CredentialName, Place)>>,
}

/// Is told whose secret came back, and where it stood.
type Report = Box<dyn Fn(&CredentialName, &Place) + Send + Sync>;

impl Scrubbing {
    /// For the secrets that `scrubber` was compiled from. What comes back is a finding.
    pub(crate) fn new(gate: &Arc<ClientGate>, permit: &RequestPermit, scrubber: Arc<Scrubber>) -> Arc<Self> {
        let (gate, permit) = (Arc::clone(gate), permit.clone());
        Self::reporting(scrubber, move |whose, place| found(&gate, &permit, whose, place))
    }

    pub(super) fn reporting(
        scrubber: Arc<Scrubber>,
        report: impl Fn(&CredentialName, &Place) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            scrubber,
            report: Box::new(report),
            reported: Mutex::default(),
        })
    }

    /// Searches the head of a response, before the fields that concern its connection are removed, and shapes it for what its body
    /// will be. A response whose body cannot be read goes no further.
    pub(crate) fn of_response(
        self: &Arc<Self>,
        head: &mut response::Parts,
        body_is_empty: bool,
    ) -> Result<Option<BodyScrub>, Unsearchable> {
        let codings = match codings_of(&head.headers) {
            Err(_nothing_to_read) if body_is_empty => None,
            codings => codings?,
        };
        if codings.is_some() {
            as_decoded(&mut head.headers);
        }
        without_ranges(&mut head.headers);
        head.extensions.remove::<ReasonPhrase>(); // says nothing that the status does not
        self.fields(&mut head.headers);
        Ok((!body_is_empty).then(|| BodyScrub::new(Arc::clone(self), codings)))
    }

    /// Searches the head that opens a socket.
    pub(crate) fn of_socket(&self, head: &mut Response<()>) -> Result<(), Unsearchable> {
        has_no_extensions(head.headers())?;
        head.extensions_mut().remove::<ReasonPhrase>();
        self.fields(head.headers_mut());
        Ok(())
    }

    /// Searches the fields of a head, or of what was said before it.
    pub(crate) fn fields(&self, fields: &mut HeaderMap) {
        fields::scrub(&self.scrubber, fields, Place::Header, &mut |whose, place| {
            self.found(whose, &place);
        });
    }

    pub(super) fn trailers(&self, trailers: &mut HeaderMap) {
        fields::scrub(&self.scrubber, trailers, Place::Trailer, &mut |whose, place| {
            self.found(whose, &place);
        });
    }

    /// A text that is whole, masked; none where there is nothing to mask.
    pub(super) fn whole(&self, text: &[u8], place: &Place) -> Option<Vec<u8>> {
        let (masked, whose) = self.scrubber.masked(text)?;
        for whose in whose {
            self.found(whose, place);
        }
        Some(masked)
    }

    pub(super) fn stream(&self) -> ScrubStream {
        ScrubStream::new(Arc::clone(&self.scrubber))
    }

    /// Reports what a stream has found by now.
    pub(super) fn found_by(&self, stream: &mut ScrubStream, place: fn(u64) -> Place) {
        for (whose, at) in stream.found() {
            self.found(whose, &place(at));
        }
    }

    fn found(&self, whose: &CredentialName, place: &Place) {
        let kind = (whose.clone(), place.kind());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert(kind) {
            (self.report)(whose, place);
        }
    }
}

fn found(gate: &ClientGate, permit: &RequestPermit, whose: &CredentialName, place: &Place) {
    let target = permit.target();
    let message = format!(
        "the secret of the credential `{whose}` came back from {} and was masked: {place}",
        target.host
    );
    let asked = Asked {
        target: Some(target),
        scheme: Some(permit.scheme()),
        method: Some(permit.method()),
        path: Some(permit.path()),
        ..Asked::default()
    };
    gate.found_in("secret-reflected", &message, asked);
}
