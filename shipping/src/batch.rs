//! [`Batch`]: some events on their way to a receiver, and what came of each.

use std::collections::{HashMap, VecDeque};

use outwall_audit::Event;
use outwall_audit::export::ocsf::ocsf;
use outwall_policy::audit_sinks::EventFormat;
use serde_json::Value;

use crate::log::{Line, tip};

/// One event on its way.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: Event,
    /// As the receiver gets it: one line.
    pub(crate) text: String,
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
    /// What went out and has not come back, for OCSF, where both halves name the target.
    out: HashMap<String, Event>,
}

impl Formatter {
    pub(crate) fn new(format: EventFormat) -> Self {
        Self {
            format,
            out: HashMap::new(),
        }
    }

    pub(crate) fn item(&mut self, event: Event) -> Item {
        let text = match self.format {
            EventFormat::Json => event.line.clone(),
            EventFormat::Ocsf => self.ocsf(&event).to_string(),
        };
        Item { event, text }
    }

    fn ocsf(&mut self, event: &Event) -> Value {
        let going_out = event.closes.as_ref().and_then(|id| self.out.remove(id));
        if event.kind.as_str().ends_with(".going_out") && self.out.len() < MOST_OUT {
            self.out.insert(event.id.clone(), event.clone());
        }
        ocsf(event, going_out.as_ref())
    }
}

/// Some 10 MB. Beyond, and after a restart, a "came back" names what went out by its id alone.
const MOST_OUT: usize = 10_000;
