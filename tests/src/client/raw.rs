//! Bytes as the story writes them: for what no well-behaved client would send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::BufMut as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::within_limit;

/// A connection without a protocol.
pub struct RawConnection(Box<dyn Stream>);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl RawConnection {
    /// Connects to `address`.
    #[track_caller]
    pub fn to(address: SocketAddr) -> Self {
        let stream = within_limit(async { Ok(TcpStream::connect(address).await?) });
        Self::over(stream.expect("somebody listens there"))
    }

    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// Writes `bytes`. The peer may have closed already: what it says is then read next.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within_limit(async {
            self.0.write_all(bytes.as_ref()).await?;
            Ok(self.0.flush().await?)
        });
    }

    /// Reads up to the empty line that ends a head; fails the story when none comes.
    #[track_caller]
    pub fn read_head(&mut self) -> String {
        within_limit(read_head(&mut self.0)).unwrap_or_else(|error| panic!("no head: {error:#}"))
    }

    /// Reads until what was read ends so; fails the story when it never does.
    #[track_caller]
    pub fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let ends = within_limit(async {
            while !read.ends_with(end.as_bytes()) {
                if self.0.read_buf(&mut read).await? == 0 {
                    bail!("closed before");
                }
            }
            Ok(())
        });
        let read = String::from_utf8_lossy(&read).into_owned();
        ends.unwrap_or_else(|error| panic!("`{read}` does not end with `{end}`: {error:#}"));
        read
    }

    /// Reads until the peer closes or has been silent for `patience`.
    pub fn read_for(&mut self, patience: Duration) -> String {
        let mut read = Vec::new();
        let _ = within_limit(async {
            while let Ok(Ok(1..)) = timeout(patience, self.0.read_buf(&mut read)).await {}
            Ok(())
        });
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Whether the peer closes within `patience`; what it sends before is thrown away.
    pub fn closes_within(&mut self, patience: Duration) -> bool {
        let mut read = Vec::new();
        let closing = async { while let Ok(1..) = self.0.read_buf(&mut read).await {} };
        within_limit(async { Ok(timeout(patience, closing).await.is_ok()) }).unwrap_or(false)
    }
}

/// Reads byte by byte up to the empty line, and nothing after it.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut (&mut head).limit(1)).await? == 0 || head.len() > 64 * 1024 {
            bail!("closed within the head: `{}`", String::from_utf8_lossy(&head));
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
