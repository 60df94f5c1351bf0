//! Calls `https://HOST/echo.Echo/*` in the four ways of gRPC, by tonic, and prints what came back: `tonic-client HOST`.
//!
//! Messages are bytes as they are: what is tested is the protocol, and no schema.

use bytes::{Buf, BufMut, Bytes};
use tokio_stream::{StreamExt, iter};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Request, Status};

#[derive(Clone, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

const WORDS: [&str; 3] = ["one", "two", "three"];

fn words() -> impl tokio_stream::Stream<Item = Bytes> + Send + 'static {
    iter(WORDS).map(|word| Bytes::from_static(word.as_bytes()))
}

fn path(method: &'static str) -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_static(method)
}

async fn call(host: &str) -> Result<(), Box<dyn std::error::Error>> {
    let tls = ClientTlsConfig::new().with_native_roots();
    let channel = Channel::from_shared(format!("https://{host}"))?.tls_config(tls)?.connect().await?;
    let mut grpc = Grpc::new(channel);

    grpc.ready().await?;
    let one = grpc.unary(Request::new(Bytes::from_static(b"hello")), path("/echo.Echo/Unary"), Plain).await?;
    let told = one.metadata().get("x-trailer").cloned();
    assert_eq!((one.get_ref().as_ref(), told.is_some()), (&b"hello"[..], true), "{one:?}");

    grpc.ready().await?;
    let sent = grpc.client_streaming(Request::new(words()), path("/echo.Echo/Collect"), Plain).await?;
    assert_eq!(sent.get_ref().as_ref(), b"one two three");

    grpc.ready().await?;
    let many = grpc.server_streaming(Request::new(Bytes::from_static(b"3")), path("/echo.Echo/Count"), Plain).await?;
    let mut many = many.into_inner();
    let mut counted = Vec::new();
    while let Some(number) = many.message().await? {
        counted.extend_from_slice(&number);
    }
    assert_eq!(counted, b"012");
    assert!(many.trailers().await?.is_some_and(|trailers| trailers.contains_key("x-trailer")));

    grpc.ready().await?;
    let both = grpc.streaming(Request::new(words()), path("/echo.Echo/Chat"), Plain).await?;
    let mut both = both.into_inner();
    for word in WORDS {
        assert_eq!(both.message().await?.as_deref(), Some(word.as_bytes()));
    }
    assert_eq!(both.message().await?, None);

    grpc.ready().await?;
    let failed = grpc.unary(Request::new(Bytes::new()), path("/echo.Echo/Fail"), Plain).await;
    let status = failed.expect_err("it fails");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such thing"));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let host = std::env::args().nth(1).expect("a host");
    match call(&host).await {
        Ok(()) => println!("unary, client, server and both streaming, trailers, a status: all seen"),
        Err(error) => {
            // The whole chain: a refusal is in its message.
            eprintln!("{error:?}");
            std::process::exit(1);
        }
    }
}
