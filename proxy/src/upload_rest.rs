//! What is left of an exchange whose response is over while its request is still being sent: an origin may answer before it has
//! read everything, and read on. The client has its answer at once; the exchange ends when the request does.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::body::Held;
use crate::origins::Carrier;
use crate::record::ExchangeRecord;

/// Ends an exchange whose response came whole.
pub(crate) fn finish(
    mut carrier: Carrier,
    record: ExchangeRecord,
    received: u64,
    held: &mut Option<Held>,
    cx: &mut Context<'_>,
) {
    let is_refused = held.as_ref().is_some_and(|held| held.interims.refused_body());
    if is_refused || poll_sent(&mut carrier, cx).is_ready() {
        return close(carrier, record, received, cx);
    }
    let held = held.take();
    tokio::spawn(async move {
        poll_fn(|cx| poll_sent(&mut carrier, cx)).await;
        let mut rest = Some((carrier, record));
        poll_fn(|cx| {
            if let Some((carrier, record)) = rest.take() {
                close(carrier, record, received, cx);
            }
            Poll::Ready(())
        })
        .await;
        drop(held);
    });
}

fn poll_sent(carrier: &mut Carrier, cx: &mut Context<'_>) -> Poll<()> {
    match carrier {
        Carrier::Exclusive(connection) => connection.poll_sent(cx),
        Carrier::Shared(share) => share.poll_sent(cx),
    }
}

fn close(carrier: Carrier, record: ExchangeRecord, received: u64, cx: &mut Context<'_>) {
    record.came_back(received, None);
    if let Carrier::Exclusive(connection) = carrier {
        connection.give_back(cx);
    }
}
