//! Receivers of the audit's events, as strict as the real ones, that can be in any mood: they fail in all the ways that networks and
//! servers do. Each remembers what it took, repeats too.

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Splunk's HTTP event collector, which wants the token `t0ken`. With acknowledgements of the indexer.
    Splunk,
    /// The bulk API of Elasticsearch.
    Elasticsearch,
    /// A JSON array, signed with the key `signing`.
    Webhook,
    /// OTLP logs as JSON.
    Otlp,
    /// OTLP traces as JSON.
    OtlpTraces,
    /// RFC 5424 with lengths, over TCP.
    Syslog,
}

/// What it does with one request, or one connection of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes it, and says so.
    Well,
    /// Answers this status, and takes nothing.
    Status(u16),
    /// Answers 429, and when to come again.
    Busy,
    /// Closes before it has read anything.
    Closed,
    /// Takes it, and dies before it can say so.
    TookAndDied,
    /// Takes it, and dies in the middle of its answer.
    DiedInAnswer,
    /// Reads it, takes nothing, and says nothing as long as anybody listens.
    Silent,
    /// Takes it, answers half, and says nothing more.
    StuckInAnswer,
    /// Takes every other event of it, where its language can say so; else nothing.
    Half,
}

/// A receiver on a port of loopback.
pub struct TestReceiver {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    api: Api,
    mood: Box<dyn Fn(u64) -> Mood + Send + Sync>,
    /// Events that contain it are poison: they are refused, or where `poison_fails`, it answers 500.
    poison: Option<&'static str>,
    poison_fails: bool,
    requests: AtomicU64,
    acknowledgements: AtomicU64,
    ended: AtomicBool,
    taken: Mutex<Vec<String>>,
    spans: Mutex<Vec<Value>>,
}

impl TestReceiver {
    /// In a good mood.
    pub fn start(api: Api) -> Self {
        Self::in_mood(api, |_| Mood::Well)
    }

    /// In the mood that it has for the request of this number.
    pub fn in_mood(api: Api, mood: impl Fn(u64) -> Mood + Send + Sync + 'static) -> Self {
        Self::with(free_port(), api, mood, None)
    }

    /// On a port that nobody listened at before.
    pub fn at(port: u16, api: Api) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        Self::with(listener, api, |_| Mood::Well, None)
    }

    /// One that cannot bear events that contain this: `fails` says whether it answers 500, or refuses them.
    pub fn that_cannot_bear(api: Api, poison: &'static str, fails: bool) -> Self {
        Self::with(free_port(), api, |_| Mood::Well, Some((poison, fails)))
    }

    fn with(
        listener: TcpListener,
        api: Api,
        mood: impl Fn(u64) -> Mood + Send + Sync + 'static,
        poison: Option<(&'static str, bool)>,
    ) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let inner = Arc::new(Inner {
            api,
            mood: Box::new(mood),
            poison: poison.map(|(text, _)| text),
            poison_fails: poison.is_some_and(|(_, fails)| fails),
            requests: AtomicU64::new(0),
            acknowledgements: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            taken: Mutex::default(),
            spans: Mutex::default(),
        });
        let of_thread = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), inner) = (stream, Arc::clone(&of_thread)) else {
                    continue;
                };
                std::thread::spawn(move || inner.serve(stream));
            }
        });
        Self { address, inner }
    }

    /// `http://…`, or `tcp://…`, as a policy has it.
    pub fn url(&self) -> String {
        url(self.inner.api, self.address.port())
    }

    /// The ids of events that it took, in their order, each as often as it took it.
    pub fn taken(&self) -> Vec<String> {
        self.inner
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The spans that it took, in their order.
    pub fn spans(&self) -> Vec<Value> {
        self.inner
            .spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// So many requests or connections there were.
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }
}

impl Drop for TestReceiver {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // to see it
    }
}

/// Where a receiver is that listens at this port.
pub fn url(api: Api, port: u16) -> String {
    match api {
        Api::Syslog => format!("tcp://127.0.0.1:{port}"),
        Api::Elasticsearch => format!("http://127.0.0.1:{port}/audit"),
        Api::Splunk | Api::Webhook | Api::Otlp | Api::OtlpTraces => format!("http://127.0.0.1:{port}"),
    }
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port is free")
}

/// A request as it was read.
struct Request {
    target: String,
    head: String,
    body: Vec<u8>,
}

impl Inner {
    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_mins(1)));
        let served = match self.api {
            Api::Syslog => self.serve_syslog(stream),
            Api::Splunk | Api::Elasticsearch | Api::Webhook | Api::Otlp | Api::OtlpTraces => {
                self.serve_http(stream)
            }
        };
        drop(served); // whoever breaks off is seen elsewhere
    }

    fn next_mood(&self) -> Mood {
        (self.mood)(self.requests.fetch_add(1, Ordering::Relaxed))
    }

    fn serve_http(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            if request.target.contains("/collector/ack") {
                let asked: Value = serde_json::from_slice(&request.body).expect("a question is JSON");
                let id = asked["acks"][0].to_string();
                answer(&mut stream, 200, "", &json!({ "acks": { id: true } }).to_string())?;
                continue;
            }
            match self.next_mood() {
                Mood::Well => {
                    let (status, body) = self.take(&request, false);
                    answer(&mut stream, status, "", &body)?;
                }
                Mood::Half => {
                    let (status, body) = self.take(&request, true);
                    answer(&mut stream, status, "", &body)?;
                }
                Mood::Status(status) => answer(&mut stream, status, "", "no")?,
                Mood::Busy => answer(&mut stream, 429, "Retry-After: 1\r\n", "later")?,
                Mood::Closed => return Ok(()),
                Mood::TookAndDied => {
                    self.take(&request, false);
                    return Ok(());
                }
                Mood::DiedInAnswer => {
                    self.take(&request, false);
                    return stream.write_all(HALF_AN_ANSWER);
                }
                Mood::Silent => {
                    self.hang();
                    return Ok(());
                }
                Mood::StuckInAnswer => {
                    self.take(&request, false);
                    stream.write_all(HALF_AN_ANSWER)?;
                    self.hang();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// With the connection open, as long as there is this receiver.
    fn hang(&self) {
        while !self.ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn take(&self, request: &Request, half: bool) -> (u16, String) {
        let text = str::from_utf8(&request.body).expect("events are UTF-8");
        match self.api {
            Api::Splunk => self.take_splunk(request, text),
            Api::Elasticsearch => self.take_elasticsearch(request, text, half),
            Api::Webhook => self.take_webhook(request, text),
            Api::Otlp => self.take_otlp(request, text),
            Api::OtlpTraces => self.take_spans(request, text),
            Api::Syslog => unreachable!("it is not asked by HTTP"),
        }
    }

    /// What is poison to it, if something of these is.
    fn cannot_bear(&self, events: &[Value]) -> Option<(u16, String)> {
        let poison = self.poison?;
        let poisoned = events.iter().any(|event| event.to_string().contains(poison));
        poisoned.then(|| {
            (
                if self.poison_fails { 500 } else { 400 },
                "I cannot bear it".to_owned(),
            )
        })
    }

    fn take_splunk(&self, request: &Request, text: &str) -> (u16, String) {
        assert_eq!(request.target, "/services/collector/event");
        assert!(
            request.head.contains("authorization: splunk t0ken"),
            "{}",
            request.head
        );
        assert!(
            request.head.contains("x-splunk-request-channel: "),
            "{}",
            request.head
        );
        let envelopes: Vec<Value> = serde_json::Deserializer::from_str(text)
            .into_iter::<Value>()
            .map(|one| one.expect("objects, one after the other"))
            .collect();
        let events: Vec<Value> = envelopes.iter().map(|one| one["event"].clone()).collect();
        if let Some(refusal) = self.cannot_bear(&events) {
            return refusal;
        }
        for envelope in &envelopes {
            let time = envelope["time"]
                .as_str()
                .and_then(|time| time.parse::<f64>().ok());
            assert!(time.is_some_and(|time| time > 1e9), "{envelope}");
            self.took(&envelope["event"]);
        }
        let id = self.acknowledgements.fetch_add(1, Ordering::Relaxed);
        (
            200,
            json!({ "text": "Success", "code": 0, "ackId": id }).to_string(),
        )
    }

    fn take_elasticsearch(&self, request: &Request, text: &str, half: bool) -> (u16, String) {
        assert!(request.target.starts_with("/audit/_bulk"), "{}", request.target);
        assert!(request.head.contains("application/x-ndjson") && text.ends_with('\n'));
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        if self.poison_fails
            && let Some(refusal) = self.cannot_bear(&lines)
        {
            return refusal;
        }
        let there: HashSet<String> = self
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect();
        let mut items = Vec::new();
        for (at, pair) in lines.chunks(2).enumerate() {
            let [action, document] = pair else {
                panic!("an action without a document")
            };
            let id = action["create"]["_id"].as_str().expect("an id").to_owned();
            assert_eq!(document["id"], id.as_str());
            assert!(document["@timestamp"].is_string());
            let status = match self.cannot_bear(std::slice::from_ref(document)) {
                Some((status, _)) => status,
                None if there.contains(&id) => 409,
                None if half && at % 2 == 1 => 429,
                None => 201,
            };
            if status == 201 {
                self.took(document);
            }
            items.push(json!({ "create": { "status": status, "error": { "type": "t", "reason": "r" } } }));
        }
        (200, json!({ "errors": true, "items": items }).to_string())
    }

    fn take_webhook(&self, request: &Request, text: &str) -> (u16, String) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"signing");
        let signature = hmac::sign(&key, text.as_bytes());
        let hex: Vec<String> = signature
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = format!("x-outwall-signature: sha256={}", hex.concat());
        assert!(request.head.contains(&expected), "{}", request.head);
        let events: Vec<Value> = serde_json::from_str(text).expect("an array");
        if let Some(refusal) = self.cannot_bear(&events) {
            return refusal;
        }
        for event in &events {
            self.took(event);
        }
        (204, String::new())
    }

    fn take_otlp(&self, request: &Request, text: &str) -> (u16, String) {
        assert_eq!(request.target, "/v1/logs");
        let body: Value = serde_json::from_str(text).expect("JSON");
        let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
            .as_array()
            .expect("records");
        let event = |record: &Value| -> Value {
            assert!(
                record["timeUnixNano"]
                    .as_str()
                    .is_some_and(|nanos| nanos.parse::<u64>().is_ok())
            );
            serde_json::from_str(record["body"]["stringValue"].as_str().expect("a text")).expect("a line")
        };
        let events: Vec<Value> = records.iter().map(event).collect();
        if let Some(refusal) = self.cannot_bear(&events) {
            return refusal;
        }
        for event in &events {
            self.took(event);
        }
        (200, "{}".to_owned())
    }

    fn take_spans(&self, request: &Request, text: &str) -> (u16, String) {
        assert_eq!(request.target, "/v1/traces");
        let body: Value = serde_json::from_str(text).expect("JSON");
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .expect("spans");
        for span in spans {
            for (id, digits) in [("traceId", 32), ("spanId", 16)] {
                let id = span[id].as_str().expect("an id");
                let is_hex = id.bytes().all(|digit| digit.is_ascii_hexdigit());
                assert!(id.len() == digits && is_hex, "{span}");
            }
        }
        let mut taken = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(spans.iter().cloned());
        (200, "{}".to_owned())
    }

    fn took(&self, event: &Value) {
        let id = event["id"].as_str().expect("an event has an id").to_owned();
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// Until the other side has closed for writing; then closes. In a bad mood it closes with something unread, which resets.
    fn serve_syslog(&self, mut stream: TcpStream) -> io::Result<()> {
        let mood = self.next_mood();
        if mood == Mood::Closed {
            return Ok(());
        }
        let mut all = Vec::new();
        if mood == Mood::Silent {
            self.hang();
            return Ok(());
        }
        if mood == Mood::StuckInAnswer {
            self.take_syslog(&mut stream, &mut all)?;
            self.hang();
            return Ok(());
        }
        if mood != Mood::Well && mood != Mood::TookAndDied {
            let mut some = [0; 64];
            let _ = stream.read(&mut some)?;
            return Ok(());
        }
        self.take_syslog(&mut stream, &mut all)
    }

    fn take_syslog(&self, stream: &mut TcpStream, all: &mut Vec<u8>) -> io::Result<()> {
        stream.read_to_end(all)?;
        let mut rest = &all[..];
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').expect("a length");
            let length: usize = str::from_utf8(&rest[..space])
                .ok()
                .and_then(|text| text.parse().ok())
                .expect("a length");
            let message = str::from_utf8(&rest[space + 1..space + 1 + length]).expect("UTF-8");
            rest = &rest[space + 1 + length..];
            let parts: Vec<&str> = message.splitn(7, ' ').collect();
            assert!(parts[0].starts_with('<') && parts[0].ends_with(">1"), "{message}");
            assert!(parts[6].starts_with("[meta sequenceId=\""), "{message}");
            let (_, event) = parts[6]
                .split_once("] ")
                .expect("a message after the structured data");
            self.took(&serde_json::from_str(event).expect("an event"));
        }
        Ok(())
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    // Names of fields have no case; neither have the values that are looked for here, which are lower case.
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let length = field("content-length:")
        .and_then(|text| text.parse().ok())
        .expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if field("content-encoding:") == Some("gzip") {
        assert_eq!(body[..3], [0x1f, 0x8b, 8]);
        body = miniz_oxide::inflate::decompress_to_vec(&body[10..body.len() - 8]).expect("deflate");
    }
    Ok(Some(Request { target, head, body }))
}

const HALF_AN_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"co";

fn answer(stream: &mut TcpStream, status: u16, fields: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Some\r\n{fields}Content-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes())
}
