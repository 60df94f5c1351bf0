//! The path of one client connection, from accept to close. Start reading here: [`ClientGate::relay`] is the whole of it.
//!
//! accept → identify the sandbox (by where it arrived; by what it shows, where others may arrive too: `reception`) → read the
//! target → decide → refuse, tunnel, stream, intercept or forward.
//! The order is the security property, so it is plain calls. Every proof is consumed by the step that it allows: nothing is
//! dialled without a permit and a record, and only `policy` and `audit` can make those.

use std::net::SocketAddr;
use std::sync::Arc;

use outwall_audit::Asked;
use outwall_policy::{ConnectionDecision, ConnectionPermit, Denial, Host, Reason, Target};
use tokio::net::TcpStream;

use crate::client::{Client, Entrance, FirstBytes};
use crate::client_gate::ClientGate;
use crate::error::Error;
use crate::intercept;
use crate::lanes::Seat;
use crate::{refuse, target, tunnel};

/// A connection that was accepted, and by which door.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) door: Door,
    /// Which one it is, and in which lane it runs.
    pub(crate) seat: Seat,
}

/// The doors of a sandbox.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// A proxy that clients address as such.
    Explicit,
    /// A redirect: the connection was going to this address.
    Captured { original: SocketAddr },
    /// A loopback port of the sandbox that stands for the same one of the host.
    HostPort { port: u16 },
}

impl ClientGate {
    /// Serves one client connection, from accept to close.
    pub(crate) async fn serve(self: Arc<Self>, accepted: Accepted) {
        let served = async {
            match self.read_target(accepted).await? {
                Some((client, asked)) => self.relay(client, asked).await,
                None => Ok(()),
            }
        };
        if let Err(error) = served.await {
            error.log();
        }
    }

    pub(crate) async fn relay(self: &Arc<Self>, client: Client, asked: target::Asked) -> Result<(), Error> {
        let target = match asked {
            Ok(target) => target,
            Err(reason) => return self.refuse(client, self.denial(reason), None).await,
        };
        match self.within_limits(self.decide(&target, client.opening()).await) {
            ConnectionDecision::Deny(denial) => self.refuse(client, denial, Some(&target)).await,
            ConnectionDecision::Tunnel(permit) => {
                let mut client = client.established().await?;
                if let Err(denial) = self.expect_server_name(&mut client, &permit).await? {
                    return self.refuse(client, denial, Some(&target)).await;
                }
                tunnel::relay(self, client, permit).await
            }
            // Plain TCP: the server may speak first, so nothing is awaited from the client.
            ConnectionDecision::Stream(permit) => {
                tunnel::relay(self, client.established().await?, permit).await
            }
            ConnectionDecision::Intercept(permit) => {
                let mut client = client.established().await?;
                match self.expect_tls_or_http(&mut client, &permit).await? {
                    Err(denial) => self.refuse(client, denial, Some(&target)).await,
                    Ok(FirstBytes::Tls(hello)) => {
                        Box::pin(intercept::tls(self, client, &hello, permit)).await
                    }
                    Ok(FirstBytes::Other) => Box::pin(intercept::clear(self, client, permit)).await,
                    Ok(FirstBytes::Nothing) => Ok(()),
                }
            }
            ConnectionDecision::Forward(_each_request_is_decided_by_itself) => {
                Box::pin(intercept::forward(self, client)).await
            }
        }
    }

    /// A connection that policy allows is refused all the same when there were too many.
    fn within_limits(&self, decision: ConnectionDecision) -> ConnectionDecision {
        let Some(permit) = decision.permit() else {
            return decision;
        };
        match self.count_connection(permit.target()) {
            Ok(()) => decision,
            Err(denial) => ConnectionDecision::Deny(denial),
        }
    }

    async fn read_target(&self, accepted: Accepted) -> Result<Option<(Client, target::Asked)>, Error> {
        match accepted.door {
            Door::Explicit => target::explicit(accepted, self).await,
            Door::Captured { original } => target::captured(accepted, original, self).await.map(Some),
            Door::HostPort { port } => Ok(Some(target::host_port(accepted, port))),
        }
    }

    /// A tunnel is for its host and no other: the name in SNI must be the target's.
    async fn expect_server_name(
        &self,
        client: &mut Client,
        permit: &ConnectionPermit,
    ) -> Result<Result<(), Denial>, Error> {
        match self.expect_tls_or_http(client, permit).await? {
            Ok(FirstBytes::Tls(_)) => Ok(Ok(())),
            Ok(FirstBytes::Other | FirstBytes::Nothing) => {
                let target = permit.target().clone();
                Ok(Err(self.denial(Reason::PlainConnectionNotAllowed { target })))
            }
            Err(denial) => Ok(Err(denial)),
        }
    }

    /// Looks at the first bytes. TLS must name the target in SNI, or nothing at all.
    async fn expect_tls_or_http(
        &self,
        client: &mut Client,
        permit: &ConnectionPermit,
    ) -> Result<Result<FirstBytes, Denial>, Error> {
        let limits = &self.shared.limits;
        let target = permit.target();
        match client.first_bytes(limits.handshake, limits).await? {
            Ok(FirstBytes::Tls(hello)) => match &hello.server_name {
                Some(name) if *name != target.host => Ok(Err(self.fronting(target, name))),
                // A name that is allowed must be said: an address alone proves nothing about what is behind it.
                None if target.host.name().is_some()
                    && matches!(client.entrance, Entrance::Captured { .. }) =>
                {
                    Ok(Ok(FirstBytes::Tls(hello))) // the synthetic address said it
                }
                _ => Ok(Ok(FirstBytes::Tls(hello))),
            },
            Ok(FirstBytes::Other) if !client.begins_like_http() => Ok(Err(self.denial(Reason::NotHttp {
                target: target.clone(),
            }))),
            Ok(other) => Ok(Ok(other)),
            Err(error) => Ok(Err(self.denial(Reason::MalformedRequest {
                what: error.to_string(),
            }))),
        }
    }

    fn fronting(&self, target: &Target, name: &Host) -> Denial {
        self.denial(Reason::Fronting {
            target: target.clone(),
            named: name.to_string(),
            place: "SNI",
        })
    }

    /// Writes the refusal down and tells the client, in the language that it speaks.
    pub(crate) async fn refuse(
        self: &Arc<Self>,
        client: Client,
        denial: Denial,
        target: Option<&Target>,
    ) -> Result<(), Error> {
        self.know_asker().await;
        self.denied(
            &denial,
            Asked {
                target,
                ..Asked::default()
            },
        );
        Box::pin(refuse::tell(self, client, denial)).await
    }
}
