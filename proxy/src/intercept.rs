//! Ends the client's TLS here and reads its requests; or reads them in the clear, where the client speaks so.

use std::sync::Arc;

use outwall_policy::{ConnectionPermit, Denial, Scheme};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client::Client;
use crate::client_gate::ClientGate;
use crate::client_hello::ClientHello;
use crate::error::Error;
use crate::exchange::{ClientTlsFacts, Exchanges, Footing, Grant};
use crate::http_connection::{Speaks, serve};
use crate::pulse::Pulse;
use crate::rewind::Rewind;

/// Serves a client that speaks TLS, whose hello was compared with the permit's target.
pub(crate) async fn tls(
    gate: &Arc<ClientGate>,
    client: Client,
    hello: &ClientHello,
    permit: ConnectionPermit,
) -> Result<(), Error> {
    let config = gate
        .shared
        .client_tls
        .config(hello.server_name.as_ref(), &permit.target().host)?;
    let footing = Footing::of(&client);
    let stream = match accept(gate, client, config).await {
        Ok(stream) => stream,
        Err(error) => {
            gate.know_asker().await;
            report_distrust(gate, &permit, &error);
            return Err(error);
        }
    };
    serve_tls(gate, footing, stream, hello, Grant::target(permit, Scheme::Https)).await
}

/// Serves a client that speaks HTTP in the clear on a connection that was decided on.
pub(crate) async fn clear(
    gate: &Arc<ClientGate>,
    client: Client,
    permit: ConnectionPermit,
) -> Result<(), Error> {
    let grant = Grant::target(permit, Scheme::Http);
    let exchanges = Exchanges::new(
        gate,
        Footing::of(&client),
        grant,
        None,
        Arc::new(Pulse::new(true, &gate.shared.limits)),
    );
    serve(exchanges, client.into_stream(), Speaks::Http1).await
}

/// Serves a client whose requests name their targets themselves.
pub(crate) async fn forward(gate: &Arc<ClientGate>, client: Client) -> Result<(), Error> {
    let exchanges = Exchanges::new(
        gate,
        Footing::of(&client),
        Grant::EachItsOwn,
        None,
        Arc::new(Pulse::new(true, &gate.shared.limits)),
    );
    serve(exchanges, client.into_stream(), Speaks::Http1).await
}

/// Tells a refused client inside TLS.
pub(crate) async fn refused(
    gate: &Arc<ClientGate>,
    client: Client,
    hello: &ClientHello,
    config: Arc<ServerConfig>,
    denial: Denial,
) -> Result<(), Error> {
    let footing = Footing::of(&client);
    let stream = accept(gate, client, config).await?;
    serve_tls(gate, footing, stream, hello, Grant::Refused(denial)).await
}

async fn accept(
    gate: &ClientGate,
    client: Client,
    config: Arc<ServerConfig>,
) -> Result<TlsStream<Rewind<TcpStream>>, Error> {
    let accepting = TlsAcceptor::from(config).accept(client.into_stream());
    match timeout(gate.shared.limits.handshake, accepting).await {
        Ok(accepted) => accepted.map_err(Error::ClientTls),
        Err(_elapsed) => Err(Error::ClientSilent),
    }
}

async fn serve_tls(
    gate: &Arc<ClientGate>,
    footing: Footing,
    stream: TlsStream<Rewind<TcpStream>>,
    hello: &ClientHello,
    grant: Grant,
) -> Result<(), Error> {
    let session = stream.get_ref().1;
    let speaks = match session.alpn_protocol() {
        Some(b"h2") => Speaks::H2,
        _ => Speaks::Http1,
    };
    let facts = ClientTlsFacts {
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1_2",
            _ => "TLSv1_3",
        },
        server_name: hello.server_name.as_ref().map(ToString::to_string),
    };
    let pulse = Arc::new(Pulse::new(speaks == Speaks::Http1, &gate.shared.limits));
    serve(
        Exchanges::new(gate, footing, grant, Some(facts), pulse),
        stream,
        speaks,
    )
    .await
}

/// A client that pins certificates, or trusts another store, ends here: whoever wonders why it does not work must find it.
fn report_distrust(gate: &ClientGate, permit: &ConnectionPermit, error: &Error) {
    let message = format!("{}: {}", permit.target(), error.chain());
    gate.found("client-tls", &message);
}
