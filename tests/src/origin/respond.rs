//! What the origin answers, by path. Large bodies are streamed both ways.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT,
    SET_COOKIE, TRAILER, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::reflect::reflect;
use crate::body::{Outgoing, Pattern};

pub(super) async fn respond(request: Request<Incoming>) -> Response<Outgoing> {
    let head_only = request.method() == Method::HEAD;
    let mut response = respond_in_full(request).await;
    if head_only {
        // Over HTTP/1.1 hyper leaves the body away by itself; over HTTP/2 it would send it.
        if let Some(length) = response.body().size_hint().exact() {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        *response.body_mut() = Outgoing::Whole(None);
    }
    response
}

async fn respond_in_full(request: Request<Incoming>) -> Response<Outgoing> {
    let path = request.uri().path().to_owned();
    let number = |prefix: &str| {
        path.strip_prefix(prefix)
            .and_then(|rest| rest.parse::<u64>().ok())
    };
    if path.starts_with("/echo") {
        return echo(request).await;
    }
    if let Some(length) = number("/bytes/") {
        return Response::new(Outgoing::Pattern { sent: 0, length });
    }
    if let Some(status) = number("/status/") {
        return with_status(status);
    }
    match path.as_str() {
        "/sink" => sink(request.into_body()).await,
        "/upload" => upload(request.into_body()).await,
        "/sse" => events(&request),
        "/trailers" => trailers(),
        "/broken" => broken(),
        "/cookies" => cookies(),
        "/redirect" => redirect(&request),
        "/reflect" => reflect(&request),
        "/upgrade" => upgrade(request),
        "/slow" => {
            sleep(Duration::from_millis(parameter(&request, "ms").unwrap_or(1000))).await;
            Response::new(Outgoing::whole("slow"))
        }
        _ => Response::new(Outgoing::whole("ok")),
    }
}

fn redirect<B>(request: &Request<B>) -> Response<Outgoing> {
    let query = request.uri().query().unwrap_or_default();
    let to = query.strip_prefix("to=").unwrap_or("/");
    let mut response = Response::new(Outgoing::whole("elsewhere"));
    *response.status_mut() = StatusCode::FOUND;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_str(to).expect("a URL of a test"));
    response
}

fn json_body(value: &Value) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(value.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn echo(request: Request<Incoming>) -> Response<Outgoing> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    json_body(&json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "version": format!("{:?}", head.version),
        "authority": head.uri.authority().map(ToString::to_string),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
}

/// Takes everything and keeps nothing.
async fn sink(mut body: Incoming) -> Response<Outgoing> {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return with_status(400);
        }
    }
    Response::new(Outgoing::whole("ok"))
}

async fn upload(mut body: Incoming) -> Response<Outgoing> {
    let mut pattern = Pattern::default();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return with_status(400);
        };
        if let Some(piece) = frame.data_ref() {
            pattern.check(piece);
        }
    }
    json_body(&json!({ "bytes": pattern.seen(), "intact": pattern.intact() }))
}

/// Each event carries the time at which it was sent, for the story to see that none of
/// them waited for the next.
fn events(request: &Request<Incoming>) -> Response<Outgoing> {
    let count = parameter(request, "count").unwrap_or(3);
    let pause = Duration::from_millis(parameter(request, "ms").unwrap_or(100));
    let (sender, frames) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut next = Instant::now();
        for number in 0..count {
            sleep_until(next).await;
            next += pause;
            let event = json!({ "number": number, "sent_us": microseconds() });
            if sender
                .send(Frame::data(format!("data: {event}\n\n").into()))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    let mut response = Response::new(Outgoing::Frames(frames));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn trailers() -> Response<Outgoing> {
    let (sender, frames) = mpsc::channel(2);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    tokio::spawn(async move {
        let _ = sender.send(Frame::data(Bytes::from_static(b"body"))).await;
        let _ = sender.send(Frame::trailers(trailers)).await;
    });
    let mut response = Response::new(Outgoing::Frames(frames));
    response
        .headers_mut()
        .insert(TRAILER, HeaderValue::from_static("grpc-status"));
    response
}

fn broken() -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::Frames(frames_of(b"half")));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}

fn cookies() -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole("ok"));
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, HeaderValue::from_static("a=1; Path=/"));
    headers.append(SET_COOKIE, HeaderValue::from_static("b=2; Path=/"));
    headers.insert("keep-alive", HeaderValue::from_static("timeout=77"));
    response
}

fn frames_of(bytes: &'static [u8]) -> mpsc::Receiver<Frame<Bytes>> {
    let (sender, frames) = mpsc::channel(1);
    tokio::spawn(async move {
        let _ = sender.send(Frame::data(Bytes::from_static(bytes))).await;
        sleep(Duration::from_millis(200)).await;
    });
    frames
}

fn upgrade(request: Request<Incoming>) -> Response<Outgoing> {
    let wanted = request.headers().get(UPGRADE).cloned();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else {
            return;
        };
        let mut stream = TokioIo::new(upgraded);
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    let Some(wanted) = wanted else {
        return with_status(400);
    };
    let mut response = Response::new(Outgoing::Whole(None));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, wanted);
    response
        .headers_mut()
        .insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(ACCEPT));
    response
}

/// The answer to the key of RFC 6455 section 1.3, which is the one that stories use.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn with_status(status: u64) -> Response<Outgoing> {
    let status = u16::try_from(status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::new(Outgoing::whole(format!("{status}\n")));
    if matches!(status.as_u16(), 204 | 304) {
        *response.body_mut() = Outgoing::Whole(None);
    }
    *response.status_mut() = status;
    response
}

fn parameter(request: &Request<Incoming>, name: &str) -> Option<u64> {
    let pairs = request.uri().query()?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?
        .1
        .parse()
        .ok()
}

fn microseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
