//! Syslog: RFC 5424 over TCP (RFC 6587) and TLS (RFC 5425), each message with its length before it.
//!
//! There is no answer in this protocol, and what was sent may be in buffers of both kernels when the receiver dies. What it does say is
//! that it has read everything: it closes the connection after ours is closed for writing. A receiver that closes with something
//! unread, or before all has arrived, resets instead (RFC 9293 section 3.6, RFC 1122 section 4.2.2.13). So with `confirm = "close"` a batch has a connection
//! of its own and counts when that was closed in good order. What the receiver has read, and keeps in its own memory, is its own
//! affair: rsyslog needs a queue on the disk to survive its death.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use outwall_audit::Kind;
use outwall_policy::Target;
use outwall_policy::audit_sinks::{Confirm, SinkTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::dial::{Dialer, Io};
use super::{Failure, Means, told};
use crate::batch::Item;

pub(crate) struct SyslogSink {
    dialer: Dialer,
    confirm: Confirm,
    host: String,
    patience: Duration,
    /// With `confirm = "sent"`.
    open: Option<Box<dyn Io>>,
}

impl SyslogSink {
    pub(super) fn new(at: Target, tls: Option<&SinkTls>, confirm: Confirm, means: &Means) -> Self {
        Self {
            dialer: Dialer::new(at, tls, (&means.surroundings, &means.roots)),
            confirm,
            host: printable(&means.host, LONGEST_HOST),
            patience: means.patience,
            open: None,
        }
    }

    pub(super) async fn send(&mut self, items: &[&Item]) -> Result<(), Failure> {
        let messages: Vec<u8> = items.iter().flat_map(|item| frame(&self.host, item)).collect();
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => self
                .dialer
                .connect()
                .await
                .map_err(|error| Failure::later(told(&error)))?,
        };
        let said = timeout(self.patience, async {
            stream.write_all(&messages).await?;
            stream.flush().await?;
            match self.confirm {
                Confirm::Close => confirmed_by_closing(&mut stream).await,
                Confirm::Sent => Ok(()),
            }
        });
        match said.await {
            Ok(Ok(())) => {
                if self.confirm == Confirm::Sent {
                    self.open = Some(stream);
                }
                Ok(())
            }
            Ok(Err(error)) => Err(Failure::later(format!(
                "the connection broke off: {}",
                told(&error)
            ))),
            Err(_) => Err(Failure::later(format!(
                "it did not close the connection within {} seconds after it was sent everything; `confirm = \"sent\"` is for receivers that never do",
                self.patience.as_secs()
            ))),
        }
    }
}

/// It has read everything: an end, and no reset after it. Over TLS some leave out `close_notify`.
///
/// An end alone says nothing: one that closed before our messages arrived sent it, too, and answers them with a reset. So it is waited
/// for until the kernel has done with the connection, which it has when the other side acknowledged all that we sent, or reset.
async fn confirmed_by_closing(stream: &mut Box<dyn Io>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut said = [0; 512];
    loop {
        match stream.read(&mut said).await {
            Ok(0) => break,
            Ok(_) => {} // it has nothing to say that we know of
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    while stream.socket().peer_addr().is_ok() {
        tokio::time::sleep(LOOKED_AT_EVERY).await; // a connection that is done with has no peer (ENOTCONN)
    }
    stream.socket().take_error()?.map_or(Ok(()), Err)
}

/// `LENGTH <PRI>1 TIME HOST outwall - KIND [meta sequenceId="N"] EVENT`.
fn frame(host: &str, item: &Item) -> Vec<u8> {
    let event = &item.event;
    let priority = FACILITY * 8 + severity(event.kind);
    let at: Option<Timestamp> = event.at.parse().ok();
    let at = at.map_or_else(|| "-".to_owned(), |at| format!("{at:.6}")); // six digits at most (section 6.2.3.1)
    let kind = printable(event.kind.as_str(), LONGEST_KIND);
    let sequence = event.seq.clamp(1, 2_147_483_647); // section 7.3.1
    let message = format!(
        "<{priority}>1 {at} {host} outwall - {kind} [meta sequenceId=\"{sequence}\"] {}",
        item.text
    );
    format!("{} {message}", message.len()).into_bytes()
}

/// Section 6.2.1: what has gone wrong is a warning, what should be looked at, too; the rest is for information.
fn severity(kind: Kind) -> u8 {
    match kind {
        Kind::Denied | Kind::Finding | Kind::PolicyRefused => 4,
        Kind::PolicyChanged | Kind::GrantMade | Kind::CredentialIssued | Kind::CredentialRevoked => 5,
        _ => 6,
    }
}

/// PRINTUSASCII of section 6, `-` where there is nothing.
fn printable(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// "log audit".
const FACILITY: u8 = 13;
const LONGEST_HOST: usize = 255;
const LONGEST_KIND: usize = 32;
const LOOKED_AT_EVERY: Duration = Duration::from_millis(2);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use outwall_audit::Event;

    #[test]
    fn a_message_is_one_of_rfc_5424_with_its_length() {
        let line = r#"{"v":1,"seq":7,"id":"a-7","at":"2026-11-21T03:35:29.123456789Z","kind":"denied","message":"é"}"#;
        let event = Event::parse(line).unwrap();
        let item = Item {
            text: line.to_owned(),
            event,
            going_out: None,
        };
        let framed = String::from_utf8(frame("gate-1", &item)).unwrap();
        let (length, message) = framed.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len(), "in bytes");
        assert_eq!(
            message,
            format!(
                "<108>1 2026-11-21T03:35:29.123456Z gate-1 outwall - denied [meta sequenceId=\"7\"] {line}"
            )
        );
        assert_eq!(printable("a b\n", 9), "ab");
        assert_eq!(printable("", 9), "-");
    }
}
