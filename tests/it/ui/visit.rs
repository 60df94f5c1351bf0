//! A visitor of the pages who speaks HTTP by hand.

#![expect(
    clippy::disallowed_methods,
    reason = "a story connects to the pages as a browser does"
)]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestSandbox};

/// `outwall ui`, and a session with it.
pub(super) struct Ui {
    running: TestSandbox,
    pub(super) address: SocketAddr,
    links: usize,
    /// Of every page.
    pub(super) base: String,
    pub(super) cookie: String,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (is, value) = line.split_once(": ")?;
            is.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Ui {
    pub(super) fn start(outwall: &Outwall, arguments: &[&str]) -> Self {
        let running = outwall.start(arguments);
        running.wait_for_output("open http://");
        let said = running.output();
        let address = said.lines().find_map(|line| line.strip_prefix("listening on "));
        Self {
            address: address.unwrap().parse().unwrap(),
            running,
            links: 0,
            base: String::new(),
            cookie: String::new(),
        }
    }

    /// The path of the next link that is printed.
    pub(super) fn link(&mut self) -> String {
        self.links += 1;
        let begun = Instant::now();
        loop {
            let said = self.running.output();
            let mut links = said.lines().filter_map(|line| line.strip_prefix("open http://"));
            if let Some(link) = links.nth(self.links - 1) {
                return format!("/{}", link.split_once('/').unwrap().1);
            }
            assert!(begun.elapsed() < LIMIT, "no further link in {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The whole of the link.
    pub(super) fn whole_link(&mut self) -> String {
        let link = self.link();
        format!("http://{}{link}", self.address)
    }

    pub(super) fn press_enter(&mut self) {
        self.running.write("\n");
    }

    pub(super) fn log_in(&mut self) {
        let link = self.link();
        let answer = ask(self.address, "GET", &link, &[]);
        let cookie = answer
            .header("set-cookie")
            .unwrap_or_else(|| panic!("{answer:?}"));
        let (pair, rest) = cookie.split_once("; Path=").unwrap();
        pair.clone_into(&mut self.cookie);
        let (path, _) = rest.split_once("/;").unwrap();
        path.clone_into(&mut self.base);
        let begun = Instant::now();
        while self.get("/").body.contains("index of the log is being made") {
            assert!(begun.elapsed() < LIMIT, "the index is never whole");
        }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("cookie", self.cookie.as_str())], headers].concat();
        ask(self.address, method, &format!("{}{path}", self.base), &headers)
    }

    /// Asks again until the page says `text`.
    pub(super) fn wait_for(&self, path: &str, text: &str) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.body.contains(text) {
                return answer;
            }
            assert!(begun.elapsed() < LIMIT, "never `{text}` in\n{}", answer.body);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn stream(&self, path: &str) -> Stream {
        let mut stream = connect(self.address);
        let path = format!("{}{path}", self.base);
        send(
            &mut stream,
            "GET",
            &path,
            &[("cookie", &self.cookie), ("host", "localhost")],
        );
        let mut told = Stream {
            lines: BufReader::new(stream),
            said: String::new(),
        };
        told.wait_for("text/event-stream");
        told
    }

    /// Ctrl-C.
    pub(super) fn stop(self) {
        self.running.signal("INT");
        self.running.finish().succeeded();
    }
}

/// What is told as it happens.
pub(super) struct Stream {
    lines: BufReader<TcpStream>,
    said: String,
}

impl Stream {
    /// All that was said until a line has this.
    pub(super) fn wait_for(&mut self, text: &str) -> &str {
        let from = self.said.len();
        loop {
            let start = self.said.len();
            let count = self.lines.read_line(&mut self.said).unwrap_or(0);
            assert!(count > 0, "never `{text}` in\n{}", self.said);
            if self.said[start..].contains(text) {
                return &self.said[from..];
            }
        }
    }
}

pub(super) fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let own = address.to_string();
    let has_host = headers.iter().any(|(name, _)| *name == "host");
    let host: &[(&str, &str)] = if has_host { &[] } else { &[("host", &own)] };
    converse(connect(address), method, path, &[host, headers].concat())
}

pub(super) fn converse(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    send(&mut stream, method, path, headers);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn send(stream: &mut impl Write, method: &str, path: &str, headers: &[(&str, &str)]) {
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nconnection: close\r\n{}\r\n",
        lines.concat()
    );
    stream.write_all(head.as_bytes()).unwrap();
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// How long something may take before its story fails.
const LIMIT: Duration = Duration::from_mins(1);
