//! [`Batch`]: some events on their way to a receiver, and what came of each.

use std::collections::{HashMap, VecDeque};

use outwall_audit::export::ocsf::ocsf;
use outwall_audit::{Event, Kind};
use outwall_policy::audit_sinks::{AuditSink, EventFormat, EventGroup};

use crate::filter::wants;
use crate::log::{Line, tip};

/// One event on its way.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: Event,
    /// As the receiver gets it: one line.
    pub(crate) text: String,
    /// What it closes, where the receiver is told both halves together and it is known.
    pub(crate) going_out: Option<Event>,
}

/// Some events on their way. `parts` are sent one by one; what was refused as a whole is split until it is known which event it is.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    pub(crate) parts: VecDeque<Vec<usize>>,
    /// Up to where the log was read, by stem, with the hash there.
    pub(crate) ends: HashMap<String, (u64, Option<String>)>,
}

impl Batch {
    pub(crate) fn new(lines: &[Line], items: Vec<Item>) -> Self {
        let ends = lines
            .iter()
            .map(|line| (line.stem.to_string(), (line.end, tip(line).map(str::to_owned))));
        let whole: Vec<usize> = (0..items.len()).collect();
        Self {
            parts: if whole.is_empty() {
                VecDeque::new()
            } else {
                VecDeque::from([whole])
            },
            ends: ends.collect(), // the last of a stem stays
            items,
        }
    }

    /// Takes along what was read later; it is sent first.
    pub(crate) fn absorb(&mut self, lines: &[Line], items: Vec<Item>) {
        let later = Self::new(lines, Vec::new());
        self.ends.extend(later.ends);
        let from = self.items.len();
        self.items.extend(items);
        if self.items.len() > from {
            self.parts.push_front((from..self.items.len()).collect());
        }
    }

    pub(crate) fn of_part(&self, part: &[usize]) -> Vec<&Item> {
        part.iter().map(|index| &self.items[*index]).collect()
    }

    /// Sends the halves of a part instead of it.
    pub(crate) fn split(&mut self, part: &[usize]) {
        let (one, other) = part.split_at(part.len() / 2);
        self.parts.push_front(other.to_vec());
        self.parts.push_front(one.to_vec());
    }
}

/// Makes events what the receiver gets.
#[derive(Debug)]
pub(crate) struct Formatter {
    format: EventFormat,
    only: Vec<EventGroup>,
    /// Whether it gets what has ended, and nothing else.
    spans: bool,
    /// What went out and has not come back, where both halves are told together; none where they are not.
    out: Option<HashMap<String, Event>>,
}

impl Formatter {
    pub(crate) fn new(sink: &AuditSink) -> Self {
        Self {
            format: sink.format,
            only: sink.only.clone(),
            spans: sink.is_of_spans(),
            out: sink.pairs().then(HashMap::new),
        }
    }

    /// None for an event that the receiver does not get.
    pub(crate) fn item(&mut self, event: Event) -> Option<Item> {
        let going_out = self.counterpart(&event);
        let ended = matches!(event.kind, Kind::ExchangeCameBack | Kind::ConnectionCameBack);
        if !wants(&self.only, event.kind) || self.spans && !ended {
            return None;
        }
        let text = match self.format {
            EventFormat::Json => event.line.clone(),
            EventFormat::Ocsf => ocsf(&event, going_out.as_ref()).to_string(),
        };
        Some(Item {
            event,
            text,
            going_out,
        })
    }

    /// What an event closes, if that is known; what goes out is remembered.
    fn counterpart(&mut self, event: &Event) -> Option<Event> {
        let out = self.out.as_mut()?;
        let closed = event.closes.as_ref().and_then(|id| out.remove(id));
        if event.kind.as_str().ends_with(".going_out") && out.len() < MOST_OUT {
            out.insert(event.id.clone(), event.clone());
        }
        closed
    }
}

/// Some 10 MB. Beyond, and after a restart, a "came back" names what went out by its id alone.
const MOST_OUT: usize = 10_000;
