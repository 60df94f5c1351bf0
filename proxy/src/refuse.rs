//! Tells a refused client why, in the protocol that it speaks: a 403 to a proxy's client, a 403 inside TLS to one that was
//! captured, a closed connection to who speaks neither.

use std::sync::Arc;

use outwall_policy::Denial;
use rustls::ServerConfig;

use crate::client::{Client, Entrance, FirstBytes};
use crate::client_gate::ClientGate;
use crate::client_hello::ClientHello;
use crate::error::Error;
use crate::intercept;
use crate::refusal::{Format, Refusal};
use crate::target::patience;

/// Tells the client, and ends the connection.
pub(crate) async fn tell(gate: &Arc<ClientGate>, client: Client, denial: Denial) -> Result<(), Error> {
    match client.entrance {
        Entrance::Connect => {
            client
                .refuse_in_the_clear(&Refusal::of_denial(&denial), Format::Text)
                .await
        }
        Entrance::AbsoluteForm { format } => {
            client
                .refuse_in_the_clear(&Refusal::of_denial(&denial), format)
                .await
        }
        Entrance::Connected => tell_unaware(gate, client, 443, denial).await,
        Entrance::Captured { original } => tell_unaware(gate, client, original.port(), denial).await,
    }
}

/// The client believes that it speaks to its origin.
async fn tell_unaware(
    gate: &Arc<ClientGate>,
    mut client: Client,
    port: u16,
    denial: Denial,
) -> Result<(), Error> {
    match client
        .first_bytes(patience(port, gate), &gate.shared.limits)
        .await?
    {
        Ok(FirstBytes::Tls(hello)) => match config(gate, &client, &hello, &denial)? {
            Some(config) => intercept::refused(gate, client, &hello, config, denial).await,
            None => Ok(()),
        },
        Ok(FirstBytes::Other) if client.begins_like_http() => {
            client
                .refuse_in_the_clear(&Refusal::of_denial(&denial), Format::Text)
                .await
        }
        Ok(FirstBytes::Other | FirstBytes::Nothing) | Err(_) => Ok(()),
    }
}

/// A leaf for the name that the client will check; none when the sandbox has used up its share of minting for refusals.
fn config(
    gate: &ClientGate,
    client: &Client,
    hello: &ClientHello,
    denial: &Denial,
) -> Result<Option<Arc<ServerConfig>>, Error> {
    if !gate.may_refuse_inside_tls() {
        return Ok(None);
    }
    let host = match (denial.reason().target(), client.entrance) {
        (Some(target), _) => target.host.clone(),
        (None, Entrance::Captured { original }) => original.ip().into(),
        (None, _) => return Ok(None),
    };
    gate.shared
        .client_tls
        .config(hello.server_name.as_ref(), &host)
        .map(Some)
}
