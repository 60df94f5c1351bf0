//! [`Live`]: what is new in the log, as it is written.
//!
//! Reads the ends of the files, and not the index: an event is seen at the next [`Live::poll`] after its `write(2)`. Whoever polls every
//! [`POLL_EVERY`] shows it within 100 ms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::event::Event;
use crate::filter::Filter;
use crate::index::{Index, IndexError};
use crate::query::Follow;

/// A log as it grows. [`Live::poll`] again and again.
#[derive(Debug)]
pub struct Live {
    directory: PathBuf,
    filter: Filter,
    follow: Follow,
    /// What went out, was wanted and has not ended, by name.
    unfinished: HashMap<String, Event>,
}

/// Something new.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The event.
    pub event: Event,
    /// What it ends, where it is an ending and that is in the log still.
    pub begun: Option<Event>,
}

impl Live {
    /// From now on; with `filter.since`, what was wanted since then first.
    pub fn new(directory: &Path, filter: Filter) -> Result<Self, IndexError> {
        let follow = match filter.since {
            Some(since) => Follow::from_start(
                directory,
                Filter {
                    since: Some(since),
                    ..Filter::default()
                },
            ),
            None => Follow::from_now(directory, Filter::default())?,
        };
        Ok(Self {
            directory: directory.to_owned(),
            filter,
            follow,
            unfinished: HashMap::new(),
        })
    }

    /// What is new since the last call, by time. Does not wait.
    pub fn poll(&mut self) -> Result<Vec<News>, IndexError> {
        let mut news = Vec::new();
        for event in self.follow.poll()? {
            news.extend(self.take(event)?);
        }
        Ok(news)
    }

    fn take(&mut self, event: Event) -> Result<Option<News>, IndexError> {
        if event.kind.is_ending() {
            return self.end(event);
        }
        if !self.filter.wants(&event) {
            return Ok(None);
        }
        if event.kind.goes_out() {
            if self.unfinished.len() == MOST_REMEMBERED {
                self.unfinished.clear(); // the index has them
            }
            self.unfinished.insert(event.id.clone(), event.clone());
        }
        Ok(Some(News { event, begun: None }))
    }

    /// An ending is wanted when what it ends is. That may have been before we began to look.
    fn end(&mut self, ending: Event) -> Result<Option<News>, IndexError> {
        let closes = ending.closes.as_deref().unwrap_or_default();
        if let Some(begun) = self.unfinished.remove(closes) {
            return Ok(Some(News {
                event: ending,
                begun: Some(begun),
            }));
        }
        if self.filter.denied || self.filter.findings {
            return Ok(None); // those have no end
        }
        let any_time = Filter {
            since: None,
            until: None,
            ..self.filter.clone()
        };
        let begun = match Index::open(&self.directory)?.event(closes) {
            Ok(found) => Some(found.entry.event),
            Err(IndexError::NoSuchEvent(_)) => None,
            Err(other) => return Err(other),
        };
        let wanted = any_time.wants(begun.as_ref().unwrap_or(&ending));
        Ok(wanted.then_some(News { event: ending, begun }))
    }
}

/// How often to poll, so that what is written is shown within 100 ms with time to spare for the showing.
pub const POLL_EVERY: Duration = Duration::from_millis(25);

const MOST_REMEMBERED: usize = 100_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;
    use crate::filter::Hosts;

    const WRITER: &str = "00000000000a";

    fn write(directory: &Path, seq: u64, kind: &str, fields: &str) {
        let path = directory.join(format!("2026-11-21T03-00-00Z-1-{WRITER}.jsonl"));
        let line = format!(
            "{{\"v\":1,\"seq\":{seq},\"id\":\"{WRITER}-{seq}\",\"at\":\"2026-11-21T03:00:{seq:02}.000000000Z\",\"kind\":\"{kind}\",{fields}}}\n"
        );
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }

    fn seqs(live: &mut Live) -> Vec<u64> {
        live.poll().unwrap().iter().map(|news| news.event.seq).collect()
    }

    #[test]
    fn an_ending_is_news_where_what_it_ends_was_wanted_even_if_that_was_before() {
        let log = tempfile::tempdir().unwrap();
        write(log.path(), 1, "exchange.going_out", r#""target":"a.test:443""#);
        write(log.path(), 2, "exchange.going_out", r#""target":"b.test:443""#);
        let hosts = Some(Hosts::parse("a.test").unwrap());
        let mut live = Live::new(
            log.path(),
            Filter {
                hosts,
                ..Filter::default()
            },
        )
        .unwrap();
        let mut denied = Live::new(
            log.path(),
            Filter {
                denied: true,
                ..Filter::default()
            },
        )
        .unwrap();
        assert!(seqs(&mut live).is_empty(), "from now on");
        for (seq, ends) in [(3, 1), (4, 2)] {
            write(
                log.path(),
                seq,
                "exchange.came_back",
                &format!(r#""for":"{WRITER}-{ends}","outcome":"complete""#),
            );
        }
        write(log.path(), 5, "exchange.going_out", r#""target":"a.test:443""#);
        write(log.path(), 6, "denied", r#""target":"b.test:443""#);
        assert_eq!(seqs(&mut live), [3, 5]);
        assert_eq!(seqs(&mut denied), [6]);
        write(
            log.path(),
            7,
            "exchange.came_back",
            &format!(r#""for":"{WRITER}-5","outcome":"complete""#),
        );
        let news = live.poll().unwrap();
        assert!(
            matches!(news.as_slice(), [News { event, begun: Some(begun) }] if (begun.seq, event.seq) == (5, 7)),
            "{news:?}"
        );
        assert!(seqs(&mut denied).is_empty());
    }

    #[test]
    fn with_a_beginning_what_was_since_then_comes_first() {
        let log = tempfile::tempdir().unwrap();
        for seq in 1..=3 {
            write(log.path(), seq, "dns", r#""name":"a.test""#);
        }
        let since = Some("2026-11-21T03:00:02Z".parse().unwrap());
        let mut live = Live::new(
            log.path(),
            Filter {
                since,
                ..Filter::default()
            },
        )
        .unwrap();
        assert_eq!(seqs(&mut live), [2, 3]);
        write(log.path(), 4, "dns", r#""name":"a.test""#);
        assert_eq!(seqs(&mut live), [4]);
    }
}
