//! Connections to a proxy that many sandboxes share, from accept to the gate of whoever it is: read the first request, identify,
//! and from there on [`ClientGate::relay`]. It ends with the credential that it came with.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use outwall_policy::{CredentialFault, Reason};

use crate::client::{Client, Entrance};
use crate::client_gate::ClientGate;
use crate::clientele::{Clientele, Unidentified};
use crate::connection::Accepted;
use crate::error::Error;
use crate::lanes::Seat;
use crate::peers::Arrival;
use crate::refusal::{Format, Refusal};
use crate::target::{self, FirstRequest};

impl Clientele {
    /// Serves one client connection, from accept to close.
    pub(crate) async fn receive(&self, accepted: Accepted) -> Result<(), Error> {
        let peer = accepted.stream.peer_addr().map_err(Error::ClientLost)?.ip();
        let seat = accepted.seat;
        let Some(arrival) = self.peers.arrive(peer, Instant::now()) else {
            return Ok(()); // too many of it say nothing
        };
        let Some((mut client, first)) = target::first_request(accepted, &self.shared.limits).await? else {
            return Ok(());
        };
        if first.is_probe {
            let (status, text) = self.health();
            return client.say(said(status, text).as_bytes()).await;
        }
        match self.identify(&first.shown) {
            Err(unidentified) => {
                self.turn_away(client, &unidentified, &arrival, (peer, seat))
                    .await
            }
            Ok((gate, pass)) => {
                drop(arrival);
                client.pass = pass.clone();
                let gate = ClientGate::new(gate, seat);
                // Whatever it does there is over when this is dropped: tunnels and running exchanges too.
                tokio::select! {
                    relayed = gate.enter(client, first) => relayed,
                    fault = pass.ended() => {
                        tracing::debug!(%fault, sandbox = %gate.sandbox.id, "a connection was ended");
                        Ok(())
                    }
                }
            }
        }
    }

    /// Says to a stranger what is missing, and writes it down as far as there is something to say.
    async fn turn_away(
        &self,
        client: Client,
        unidentified: &Unidentified,
        arrival: &Arrival,
        (peer, seat): (std::net::IpAddr, Seat),
    ) -> Result<(), Error> {
        let is_one_of_many = unidentified.is_wrong() && !arrival.was_wrong(Instant::now());
        let reason = if is_one_of_many {
            &Reason::Credential(CredentialFault::TooManyAttempts)
        } else {
            &unidentified.0
        };
        self.shared.metrics.denial(reason.code());
        tracing::debug!(%peer, %reason, "turned away");
        if let Err(error) = self.shared.audit.turned_away(peer, seat.connection, reason) {
            tracing::error!(%error, "that somebody was turned away could not be recorded");
        }
        let format = match client.entrance {
            Entrance::AbsoluteForm { format } => format,
            Entrance::Connect | Entrance::Connected | Entrance::Captured { .. } => Format::Text,
        };
        client
            .refuse_in_the_clear(&Refusal::of_stranger(reason), format)
            .await
    }

    /// The answer to who asks whether the proxy is there. It says nothing about anybody.
    pub(crate) fn health(&self) -> (StatusCode, &'static str) {
        if self.is_ready() {
            (StatusCode::OK, "ok\n")
        } else {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "credentials cannot be verified.\n",
            )
        }
    }
}

impl ClientGate {
    /// Serves a connection of this sandbox, if it has room for one more.
    async fn enter(self: &Arc<Self>, client: Client, first: FirstRequest) -> Result<(), Error> {
        let Ok(_room) = Arc::clone(&self.room).try_acquire_owned() else {
            let limit = format!("{} connections at once", self.shared.limits.connections);
            return self
                .refuse(client, self.denial(Reason::LimitReached { limit }), None)
                .await;
        };
        let asked = first.asked.and_then(|target| target::not_own(target, self));
        self.relay(client, asked).await
    }
}

fn said(status: StatusCode, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncache-control: no-store\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}
