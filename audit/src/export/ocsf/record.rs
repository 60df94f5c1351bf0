//! [`Record`]: the fields of an event, taken one by one, so that what is left shows what has no place.

use serde_json::{Map, Value, json};

use crate::event::{Event, Kind};

/// Kinds of things that others may look for, as the schema numbers them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Observable {
    Hostname,
    Address,
    Url,
    Program,
    Hash,
    Resource,
}

/// What is not mapped yet.
pub(super) struct Record {
    kind: Kind,
    own: Map<String, Value>,
    other: Map<String, Value>,
    observables: Vec<Value>,
}

impl Record {
    pub(super) fn new(event: &Event, other_half: Option<&Event>) -> Self {
        Self {
            kind: event.kind,
            own: fields(event),
            other: other_half.map(fields).unwrap_or_default(),
            observables: Vec::new(),
        }
    }

    /// Whether it has a second half.
    pub(super) fn opens(&self) -> bool {
        matches!(
            self.kind,
            Kind::ExchangeGoingOut | Kind::ConnectionGoingOut | Kind::PublishedCameIn
        )
    }

    /// Whether that is known.
    pub(super) fn is_closed(&self) -> bool {
        self.opens() && !self.other.is_empty()
    }

    /// A field of this event, else of its other half. It is mapped from here on.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let (own, other) = (self.own.remove(name), self.other.remove(name));
        own.or(other)
    }

    pub(super) fn take_own(&mut self, name: &str) -> Option<Value> {
        self.own.remove(name)
    }

    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.give_back(name, other);
                None
            }
        }
    }

    /// What is within a field of this event, else within that of its other half. What else is within them stays.
    pub(super) fn take_within(&mut self, name: &str, inner: &str) -> Option<Value> {
        let mut taken = None;
        for half in [&mut self.own, &mut self.other] {
            let Some(Value::Object(field)) = half.get_mut(name) else {
                continue;
            };
            let found = field.remove(inner);
            if field.is_empty() {
                half.remove(name);
            }
            taken = taken.or(found);
        }
        taken
    }

    /// What turned out to have no place.
    pub(super) fn give_back(&mut self, name: &str, value: impl Into<Value>) {
        self.own.insert(name.to_owned(), value.into());
    }

    pub(super) fn look(&self, name: &str) -> Option<&Value> {
        self.own.get(name).or_else(|| self.other.get(name))
    }

    pub(super) fn observe(&mut self, name: &str, what: Observable, value: &str) {
        let (id, caption) = what.kind();
        self.observables
            .push(json!({ "name": name, "type_id": id, "type": caption, "value": value }));
    }

    /// What may be looked for, and what has no place. What went out has an event of its own, and is not repeated.
    pub(super) fn rest(mut self) -> (Vec<Value>, Map<String, Value>) {
        if self.is_closed() {
            self.own.insert("came_back".into(), self.other.into());
        }
        (self.observables, self.own)
    }
}

impl Observable {
    fn kind(self) -> (u32, &'static str) {
        match self {
            Self::Hostname => (1, "Hostname"),
            Self::Address => (2, "IP Address"),
            Self::Url => (6, "URL String"),
            Self::Program => (9, "Process Name"),
            Self::Hash => (8, "Hash"),
            Self::Resource => (10, "Resource UID"),
        }
    }
}

/// All of a line, known to this version or not.
fn fields(event: &Event) -> Map<String, Value> {
    serde_json::from_str(&event.line).unwrap_or_default()
}
