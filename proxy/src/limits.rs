//! Every bound of the data plane in one place, each with its reason.
//!
//! A stranger should not need to change any of them.

use std::time::Duration;

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
            exchanges: 8_192,
            lanes: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8)),
            streams: 256,
            refusal_patience: Duration::from_millis(80),
            refusals_per_second: 50,
            drain: Duration::from_secs(10),
        }
    }
}
