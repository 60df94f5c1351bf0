//! What gRPC needs of h2 from end to end: cancellation and resets in both directions, with their codes; calls whose answer is
//! trailers alone; and refusals that its clients understand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Request, Response};
use tokio::time::timeout;

use crate::intercepted::document_for;
use crate::support::TestGate;
use crate::support::origin::scripted;
use crate::support::wire::h2_client;

/// How an origin ends a call.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// With a reset before its head.
    ResetAtOnce(Reason),
    /// With a reset after some of its answer.
    ResetLater(Reason),
    /// With trailers and nothing before them.
    TrailersOnly,
    /// With a message for each of the client's, and trailers when the client is done.
    Echo,
}

/// An origin of h2, and how its clients ended.
async fn origin(ends: Ends) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let noted = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&noted);
    let address = scripted(&["h2"], move |stream| {
        let told = Arc::clone(&told);
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(serve(ends, request, respond, Arc::clone(&told)));
            }
        }
    })
    .await;
    (address, noted)
}

async fn serve(
    ends: Ends,
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    told: Arc<Mutex<Vec<String>>>,
) {
    assert_eq!(request.headers()["te"], "trailers");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "5".parse().unwrap());
    let head = |status: Option<&str>| {
        let head = Response::builder().header("content-type", "application/grpc");
        match status {
            Some(status) => head.header("grpc-status", status),
            None => head,
        }
        .body(())
        .unwrap()
    };
    match ends {
        Ends::ResetAtOnce(reason) => respond.send_reset(reason),
        Ends::ResetLater(reason) => {
            let mut send = respond.send_response(head(None), false).unwrap();
            send.send_data(Bytes::from_static(b"some"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            send.send_reset(reason);
        }
        Ends::TrailersOnly => drop(respond.send_response(head(Some("5")), true).unwrap()),
        Ends::Echo => {
            let mut send = respond.send_response(head(None), false).unwrap();
            let mut body = request.into_body();
            loop {
                match body.data().await {
                    Some(Ok(data)) => {
                        let _ = body.flow_control().release_capacity(data.len());
                        send.send_data(data, false).unwrap();
                    }
                    Some(Err(error)) => return told.lock().unwrap().push(format!("{:?}", error.reason())),
                    None => break,
                }
            }
            told.lock().unwrap().push("whole".to_owned());
            send.send_trailers(trailers).unwrap();
        }
    }
}

fn call(content_type: &str) -> Request<()> {
    Request::builder()
        .method("POST")
        .uri("https://allowed.test/greeter.Greeter/Hello")
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(())
        .unwrap()
}

async fn until_noted(noted: &Mutex<Vec<String>>) -> Vec<String> {
    for _ in 0..250 {
        if !noted.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    noted.lock().unwrap().clone()
}

#[tokio::test]
async fn a_call_goes_both_ways_message_by_message_and_ends_with_its_trailers() {
    let (address, noted) = origin(Ends::Echo).await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut sender = h2_client(&gate).await;
    let (response, mut send) = sender.send_request(call("application/grpc"), false).unwrap();
    let mut body = timeout(Duration::from_secs(5), response)
        .await
        .expect("a head before any message")
        .unwrap()
        .into_body();
    for message in ["one", "two", "three"] {
        send.send_data(Bytes::from_static(message.as_bytes()), false)
            .unwrap();
        let back = timeout(Duration::from_secs(5), body.data())
            .await
            .expect("an answer to each")
            .unwrap()
            .unwrap();
        assert_eq!(back, message);
    }
    send.send_data(Bytes::new(), true).unwrap();
    while body.data().await.is_some() {}
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "5");
    assert_eq!(until_noted(&noted).await, ["whole"]);
}

#[tokio::test]
async fn trailers_alone_are_an_answer() {
    let (address, _) = origin(Ends::TrailersOnly).await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut sender = h2_client(&gate).await;
    let (response, _send) = sender.send_request(call("application/grpc"), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    assert!(response.into_body().is_end_stream());
}

#[tokio::test]
async fn a_client_that_cancels_cancels_at_its_origin_and_nothing_looks_whole() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let (address, noted) = origin(Ends::Echo).await;
        let gate = TestGate::explicit(&document_for(address)).await;
        let mut sender = h2_client(&gate).await;
        let (response, mut send) = sender.send_request(call("application/grpc"), false).unwrap();
        let _body = response.await.unwrap();
        send.send_data(Bytes::from_static(b"half of a mess"), false)
            .unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        send.send_reset(reason);
        let noted = until_noted(&noted).await;
        assert!(noted.len() == 1 && noted[0] != "whole", "{reason:?}: {noted:?}");
        if reason == Reason::CANCEL {
            assert_eq!(noted, ["Some(CANCEL)"]);
        }
        let back = gate.events_of("exchange.came_back", 1).await;
        assert_ne!(back[0]["outcome"], "complete", "{reason:?}");
    }
}

#[tokio::test]
async fn an_origin_that_resets_resets_at_its_client_with_its_code() {
    for reason in [Reason::CANCEL, Reason::ENHANCE_YOUR_CALM, Reason::INTERNAL_ERROR] {
        for ends in [Ends::ResetAtOnce(reason), Ends::ResetLater(reason)] {
            let (address, _) = origin(ends).await;
            let gate = TestGate::explicit(&document_for(address)).await;
            let mut sender = h2_client(&gate).await;
            let (response, _send) = sender
                .send_request(call("application/grpc+proto"), false)
                .unwrap();
            let error = match response.await {
                Err(error) => error,
                Ok(response) => {
                    let mut body = response.into_body();
                    loop {
                        match body.data().await {
                            Some(Ok(_)) => {}
                            Some(Err(error)) => break error,
                            None => panic!("{ends:?}: it ended well"),
                        }
                    }
                }
            };
            assert_eq!(error.reason(), Some(reason), "{ends:?}");
        }
    }
    // Others are told in words.
    let (address, _) = origin(Ends::ResetAtOnce(Reason::INTERNAL_ERROR)).await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut sender = h2_client(&gate).await;
    let (response, _send) = sender.send_request(call("application/json"), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["x-outwall-reason"]
        ),
        (502, &"origin-http".parse().unwrap())
    );
}

#[tokio::test]
async fn a_call_that_its_origin_has_not_processed_is_made_again_where_that_is_safe() {
    let (address, _) = origin(Ends::ResetAtOnce(Reason::REFUSED_STREAM)).await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut sender = h2_client(&gate).await;
    let (response, _send) = sender.send_request(call("application/grpc"), false).unwrap();
    assert_eq!(
        response.await.unwrap_err().reason(),
        Some(Reason::REFUSED_STREAM),
        "its client may make it again"
    );
}

#[tokio::test]
async fn a_connection_that_says_goodbye_ends_its_calls_and_the_next_gets_another() {
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    let address = scripted(&["h2"], move |stream| {
        *counted.lock().unwrap() += 1;
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            connection.graceful_shutdown();
            let answer = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                respond.send_response(Response::new(()), true).map(drop)
            });
            while connection.accept().await.is_some() {}
            answer.await.unwrap().unwrap();
        }
    })
    .await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut sender = h2_client(&gate).await;
    let (first, _) = sender.send_request(call("application/grpc"), true).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (second, _) = sender.send_request(call("application/grpc"), true).unwrap();
    assert_eq!(first.await.unwrap().status(), 200, "what runs is finished");
    assert_eq!(second.await.unwrap().status(), 200);
    assert_eq!(*connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_refusal_is_a_status_and_a_message() {
    let (address, _) = origin(Ends::TrailersOnly).await;
    let rules = "[[environments.default.rules]]\nhost = \"allowed.test\"\npaths = [\"/other.*/*\"]\naction = \"allow\"\n";
    let gate = TestGate::explicit(&format!("{}{rules}", document_for(address))).await;
    let mut sender = h2_client(&gate).await;
    let (response, _send) = sender.send_request(call("application/grpc"), false).unwrap();
    let response = response.await.unwrap();
    let headers = response.headers().clone();
    assert_eq!(
        (response.status().as_u16(), &headers["x-outwall-reason"]),
        (403, &"rule-refused".parse().unwrap())
    );
    assert_eq!(
        (&headers["grpc-status"], &headers["content-type"]),
        (&"7".parse().unwrap(), &"application/grpc".parse().unwrap())
    );
    let message = headers["grpc-message"].to_str().unwrap();
    assert!(
        message.contains("Refused") && message.contains("greeter.Greeter/Hello"),
        "{message}"
    );
    assert!(response.into_body().is_end_stream(), "trailers alone");
}
