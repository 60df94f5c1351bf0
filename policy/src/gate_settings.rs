//! `[gate]`: bounds of the gate itself. Their names, units and sensible ranges; what each is without the file is the gate's
//! business.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::amount::{Bytes, Time};

/// One bound of the gate that an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateSetting {
    /// From the first byte of a request to the end of its head.
    HeadTimeout,
    /// From accept to a readable target, and from there to the end of the client's TLS handshake.
    HandshakeTimeout,
    /// An intercepted connection without a request.
    IdleTimeout,
    /// A running request in which no byte moves either way.
    SilenceTimeout,
    /// A request from its head to the last byte of its response.
    RequestTimeout,
    /// A tunnel, plain TCP or a WebSocket in which no byte moves either way.
    TunnelIdleTimeout,
    /// From resolving to the end of the origin's TLS handshake.
    ConnectTimeout,
    /// One address of several, before the next is tried.
    ConnectAddressTimeout,
    /// An unused connection to an origin.
    PoolIdleTimeout,
    /// What a stop waits for requests in flight.
    DrainTimeout,
    /// How long a client on another port than 80 and 443 is waited for before its refusal.
    RefusalPatience,
    /// Bytes of a request's head.
    MaxHead,
    /// Bytes of a `ClientHello`.
    MaxClientHello,
    /// Fields of a request's head.
    MaxHeadFields,
    /// Connections of one sandbox at once.
    ConnectionsPerSandbox,
    /// Requests of one sandbox at once.
    RequestsPerSandbox,
    /// Streams of one h2 connection at once.
    StreamsPerConnection,
    /// Unused connections kept per origin.
    PooledConnectionsPerOrigin,
    /// Refusals of one sandbox that are told inside TLS, per second.
    RefusalsInsideTlsPerSecond,
    /// Different names with the same last two labels that a sandbox has resolved at level `full`.
    NamesBelowOneSuffix,
    /// Threads that serve connections.
    Threads,
}

/// What the value of a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Time,
    Bytes,
    Count,
}

/// `[gate]` as it is written: in milliseconds, bytes or numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateSettings(pub(crate) BTreeMap<GateSetting, u64>);

impl GateSetting {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 21] = [
        Self::HeadTimeout,
        Self::HandshakeTimeout,
        Self::IdleTimeout,
        Self::SilenceTimeout,
        Self::RequestTimeout,
        Self::TunnelIdleTimeout,
        Self::ConnectTimeout,
        Self::ConnectAddressTimeout,
        Self::PoolIdleTimeout,
        Self::DrainTimeout,
        Self::RefusalPatience,
        Self::MaxHead,
        Self::MaxClientHello,
        Self::MaxHeadFields,
        Self::ConnectionsPerSandbox,
        Self::RequestsPerSandbox,
        Self::StreamsPerConnection,
        Self::PooledConnectionsPerOrigin,
        Self::RefusalsInsideTlsPerSecond,
        Self::NamesBelowOneSuffix,
        Self::Threads,
    ];

    /// Its key in a policy file.
    pub fn key(self) -> &'static str {
        self.described().0
    }

    pub(crate) fn unit(self) -> Unit {
        self.described().1
    }

    /// Outside of it the gate would serve nobody, or be no gate.
    pub(crate) fn range(self) -> RangeInclusive<u64> {
        self.described().2
    }

    fn described(self) -> (&'static str, Unit, RangeInclusive<u64>) {
        use Unit::{Bytes, Count, Time};
        match self {
            Self::HeadTimeout => ("head_timeout", Time, SECOND..=HOUR),
            Self::HandshakeTimeout => ("handshake_timeout", Time, SECOND..=HOUR),
            Self::IdleTimeout => ("idle_timeout", Time, SECOND..=7 * DAY),
            Self::SilenceTimeout => ("silence_timeout", Time, SECOND..=7 * DAY),
            Self::RequestTimeout => ("request_timeout", Time, SECOND..=30 * DAY),
            Self::TunnelIdleTimeout => ("tunnel_idle_timeout", Time, SECOND..=30 * DAY),
            Self::ConnectTimeout => ("connect_timeout", Time, SECOND..=HOUR),
            Self::ConnectAddressTimeout => ("connect_address_timeout", Time, SECOND / 10..=HOUR),
            Self::PoolIdleTimeout => ("pool_idle_timeout", Time, SECOND..=HOUR),
            Self::DrainTimeout => ("drain_timeout", Time, SECOND / 10..=DAY),
            Self::RefusalPatience => ("refusal_patience", Time, 1..=60 * SECOND),
            Self::MaxHead => ("max_head", Bytes, 8 << 10..=1 << 20), // hyper reads no less than 8 KiB
            Self::MaxClientHello => ("max_client_hello", Bytes, 4 << 10..=64 << 10),
            Self::MaxHeadFields => ("max_head_fields", Count, 16..=1_024),
            Self::ConnectionsPerSandbox => ("connections_per_sandbox", Count, 1..=1 << 20),
            Self::RequestsPerSandbox => ("requests_per_sandbox", Count, 1..=1 << 20),
            Self::StreamsPerConnection => ("streams_per_connection", Count, 1..=1 << 14),
            Self::PooledConnectionsPerOrigin => ("pooled_connections_per_origin", Count, 1..=1 << 14),
            Self::RefusalsInsideTlsPerSecond => ("refusals_inside_tls_per_second", Count, 1..=1 << 14),
            Self::NamesBelowOneSuffix => ("names_below_one_suffix", Count, 1..=1 << 20),
            Self::Threads => ("threads", Count, 1..=256),
        }
    }

    /// A value as it is written in the file.
    pub fn written(self, value: u64) -> String {
        self.unit().written(value)
    }
}

impl Unit {
    pub(crate) fn written(self, value: u64) -> String {
        match self {
            Self::Time => format!("\"{}\"", Time(Duration::from_millis(value))),
            Self::Bytes => format!("\"{}\"", Bytes(value)),
            Self::Count => value.to_string(),
        }
    }
}

impl GateSettings {
    /// What is set, in the order of [`GateSetting::ALL`]: in milliseconds, bytes or numbers.
    pub fn iter(&self) -> impl Iterator<Item = (GateSetting, u64)> + '_ {
        self.0.iter().map(|(setting, value)| (*setting, *value))
    }

    /// True when everything is as without the table.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As in the file, one line each.
impl fmt::Display for GateSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (setting, value) in self.iter() {
            writeln!(f, "{} = {}", setting.key(), setting.written(value))?;
        }
        Ok(())
    }
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
