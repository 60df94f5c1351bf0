//! What a request comes to.

use http::Response;

use crate::body::ResponseBody;
use crate::websocket::Socket;

/// What a request comes to.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are responses, and there is one per exchange"
)]
pub(crate) enum Answer {
    /// A response, the origin's or ours.
    Response(Response<ResponseBody>),
    /// The origin's own way to end a stream, before it has said anything: with this code.
    Reset(h2::Reason),
    /// A socket: the head that tells its client so, and what follows it.
    Socket(Response<()>, Box<Socket>),
}
