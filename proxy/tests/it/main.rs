//! The gate in one process with its origins and its clients: what goes through, what does not, and what its origins saw of it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "clients connect to the gate, and are none of it"
)]

mod support;

mod captured;
mod client_certificates;
mod credentials;
mod distinct_names;
mod early;
mod explicit;
mod failing;
mod fronting;
mod grpc;
mod intercepted;
mod interim;
mod leaks;
mod limits;
mod metrics;
mod numbered;
mod overload;
mod parent_proxy;
mod reload;
mod reload_under_load;
mod scrub;
mod services;
mod streaming;
mod trusted_writes;
mod tunnels;
mod websocket;
