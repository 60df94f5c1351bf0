//! Every bound of the data plane in one place, each with its reason. `[gate]` of a policy file sets them.
//!
//! A stranger should not need to change any of them.

use std::time::Duration;

use outwall_policy::{GateSetting, GateSettings};

/// Bounds on size, number and time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's head, first line included. Cookies and signed URLs reach 8 to 16 KiB; nothing honest reaches 64.
    pub head_bytes: usize,
    /// Fields of a request's head. Browsers send about 20.
    pub head_fields: usize,
    /// Bytes of a `ClientHello`. With post-quantum key shares and a resumption ticket they are below 4 KiB.
    pub client_hello_bytes: usize,
    /// From accept to a readable target, and from there to the end of the client's TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its head: what slow-loris runs into.
    pub head: Duration,
    /// An intercepted connection without a request is closed after this long.
    pub idle: Duration,
    /// A running exchange in which no byte moves either way. Model APIs may think for ten minutes before the first byte.
    pub silence: Duration,
    /// A request from its head to the last byte of its response. Downloads of hours are honest, and so are streams of events that
    /// last a working day; what takes longer than a day reads a byte a minute to hold what it has. Tunnels and sockets
    /// are not requests: they may last as long as something moves.
    pub request: Duration,
    /// A tunnel or stream in which no byte moves either way. SSH sessions and database pools rest for hours.
    pub tunnel_idle: Duration,
    /// Everything from resolving to the end of the origin's TLS handshake.
    pub connect: Duration,
    /// One address of several, before the next is tried.
    pub connect_address: Duration,
    /// An unused connection to an origin is kept this long. Common servers close theirs after 60 to 75 s.
    pub pool_idle: Duration,
    /// Unused connections kept per origin. More than this at once is a burst.
    pub pool_idle_per_origin: usize,
    /// Different names below one wildcard of the policy that a sandbox may connect to while it lives: each is resolved, and so
    /// told to whoever answers for the wildcard. A thousand names carry less than 250 kB out, and no honest job needs so many.
    pub names_below_one_wildcard: usize,
    /// The same at level `full`, for names that share their last two labels. More, since those may be `co.uk`.
    pub names_below_one_suffix: usize,
    /// Connections of one sandbox at once, idle ones included.
    pub connections: usize,
    /// Connections at once at a proxy that many sandboxes share.
    pub shared_connections: usize,
    /// Of those, from one peer that has not said yet who it is. Behind one address may be many sandboxes.
    pub unidentified_per_peer: u32,
    /// Sandboxes at once at such a proxy.
    pub sandboxes: usize,
    /// Wrong credentials of one peer that are answered and recorded one by one, at once and per minute.
    pub wrong_credentials: u32,
    /// How long what runs goes on when it cannot be told whether its credential was revoked.
    pub credentials_unavailable: Duration,
    /// Connections of all sandboxes at once. Whoever starts the gate knows how many file descriptors there are.
    pub connections_in_all: usize,
    /// Exchanges of one sandbox at once.
    pub exchanges: usize,
    /// Threads that connections are spread over. A lane of its own saturates a gigabit and 40,000 requests per second.
    pub lanes: usize,
    /// Streams that a client may open at once on one h2 connection.
    pub streams: u32,
    /// How long a client on a port other than 80 and 443 is waited for before a refusal that it could not read anyway:
    /// such protocols often let the server speak first, and a refused client must not hang.
    pub refusal_patience: Duration,
    /// Refused TLS connections that are answered inside TLS, per second and sandbox. A mint costs 0.1 to 0.2 ms; beyond this
    /// a refusal is a closed connection.
    pub refusals_per_second: u32,
    /// What a drain waits for exchanges in flight.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_fields: 128,
            client_hello_bytes: 16 * 1024,
            handshake: Duration::from_secs(15),
            head: Duration::from_secs(15),
            idle: Duration::from_mins(5),
            silence: Duration::from_mins(15),
            request: Duration::from_hours(24),
            tunnel_idle: Duration::from_hours(4),
            connect: Duration::from_secs(20),
            connect_address: Duration::from_secs(5),
            pool_idle: Duration::from_secs(50),
            pool_idle_per_origin: 64,
            names_below_one_wildcard: 1_000,
            names_below_one_suffix: 4_096,
            connections: 16_384,
            shared_connections: 65_536,
            unidentified_per_peer: 8_192,
            sandboxes: 4_096,
            wrong_credentials: 20,
            credentials_unavailable: Duration::from_secs(10),
            connections_in_all: 1 << 20,
            exchanges: 8_192,
            lanes: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8)),
            streams: 256,
            refusal_patience: Duration::from_millis(80),
            refusals_per_second: 50,
            drain: Duration::from_secs(10),
        }
    }
}

/// A bound and its kind.
enum Bound<'a> {
    Time(&'a mut Duration),
    Size(&'a mut usize),
    Number(&'a mut u32),
}

impl Limits {
    /// The same with what a policy file sets.
    #[must_use]
    pub fn with(mut self, settings: &GateSettings) -> Self {
        for (setting, value) in settings.iter() {
            match self.bound(setting) {
                Bound::Time(bound) => *bound = Duration::from_millis(value),
                Bound::Size(bound) => *bound = usize::try_from(value).unwrap_or(usize::MAX),
                Bound::Number(bound) => *bound = u32::try_from(value).unwrap_or(u32::MAX),
            }
        }
        self
    }

    /// What a setting is, in the unit of [`GateSettings`].
    pub fn of(&self, setting: GateSetting) -> u64 {
        match self.clone().bound(setting) {
            Bound::Time(bound) => u64::try_from(bound.as_millis()).unwrap_or(u64::MAX),
            Bound::Size(bound) => *bound as u64,
            Bound::Number(bound) => u64::from(*bound),
        }
    }

    /// The same where there are only so many file descriptors: a connection takes one, and its origin another. Beyond that new
    /// connections wait, instead of those that run failing.
    #[must_use]
    pub fn within_descriptors(mut self, descriptors: u64) -> Self {
        let room = descriptors.saturating_sub(DESCRIPTORS_BESIDES) / 2;
        let room = usize::try_from(room.max(1)).unwrap_or(usize::MAX);
        self.connections_in_all = self.connections_in_all.min(room);
        self
    }

    fn bound(&mut self, setting: GateSetting) -> Bound<'_> {
        match setting {
            GateSetting::HeadTimeout => Bound::Time(&mut self.head),
            GateSetting::HandshakeTimeout => Bound::Time(&mut self.handshake),
            GateSetting::IdleTimeout => Bound::Time(&mut self.idle),
            GateSetting::SilenceTimeout => Bound::Time(&mut self.silence),
            GateSetting::RequestTimeout => Bound::Time(&mut self.request),
            GateSetting::TunnelIdleTimeout => Bound::Time(&mut self.tunnel_idle),
            GateSetting::ConnectTimeout => Bound::Time(&mut self.connect),
            GateSetting::ConnectAddressTimeout => Bound::Time(&mut self.connect_address),
            GateSetting::PoolIdleTimeout => Bound::Time(&mut self.pool_idle),
            GateSetting::DrainTimeout => Bound::Time(&mut self.drain),
            GateSetting::RefusalPatience => Bound::Time(&mut self.refusal_patience),
            GateSetting::MaxHead => Bound::Size(&mut self.head_bytes),
            GateSetting::MaxClientHello => Bound::Size(&mut self.client_hello_bytes),
            GateSetting::MaxHeadFields => Bound::Size(&mut self.head_fields),
            GateSetting::ConnectionsPerSandbox => Bound::Size(&mut self.connections),
            GateSetting::RequestsPerSandbox => Bound::Size(&mut self.exchanges),
            GateSetting::StreamsPerConnection => Bound::Number(&mut self.streams),
            GateSetting::PooledConnectionsPerOrigin => Bound::Size(&mut self.pool_idle_per_origin),
            GateSetting::RefusalsInsideTlsPerSecond => Bound::Number(&mut self.refusals_per_second),
            GateSetting::NamesBelowOneSuffix => Bound::Size(&mut self.names_below_one_suffix),
            GateSetting::Threads => Bound::Size(&mut self.lanes),
        }
    }
}

/// Listeners, the log, resolvers, the sandbox's own, and what a process has anyway.
const DESCRIPTORS_BESIDES: u64 = 128;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use outwall_policy::{Policy, PolicyDocument};

    use super::*;

    fn with(lines: &str) -> Limits {
        let document = PolicyDocument::parse(&format!("[gate]\n{lines}"), "test.toml").unwrap();
        Limits::default().with(Policy::compile(&document).unwrap().gate())
    }

    #[test]
    fn what_a_file_sets_is_set_and_nothing_else() {
        let before = Limits::default();
        for setting in GateSetting::ALL {
            let value = before.of(setting) + 1;
            let after = with(&format!("{} = {}\n", setting.key(), setting.written(value)));
            for other in GateSetting::ALL {
                let expected = if other == setting { value } else { before.of(other) };
                assert_eq!(after.of(other), expected, "{other:?} when {setting:?} is set");
            }
        }
    }

    #[test]
    fn connections_leave_descriptors_for_their_origins() {
        let room = |descriptors| {
            Limits::default()
                .within_descriptors(descriptors)
                .connections_in_all
        };
        assert_eq!(room(1_024), 448);
        assert_eq!(room(10), 1);
        assert_eq!(room(u64::MAX), Limits::default().connections_in_all);
    }
}
