//! Prometheus text (version 0.0.4) in the making.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Display, Write as _};
use std::sync::{Mutex, PoisonError};

/// A counter for each of few labels, all of them ours.
#[derive(Default)]
pub(super) struct Labelled(Mutex<BTreeMap<String, u64>>);

impl Labelled {
    pub(super) fn count(&self, label: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(label) {
            Some(count) => *count += 1,
            None => drop(counts.insert(label.to_owned(), 1)),
        }
    }
}

/// Text in the making. Each family is told once, all of it at a time, as the format demands.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(format_args!("outwall_{name} {value}"));
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.line(format_args!("outwall_{name} {value}"));
    }

    pub(super) fn labelled(&mut self, name: &str, help: &str, label: &str, counts: &Labelled) {
        self.head(name, help, "counter");
        for (value, count) in &*counts.0.lock().unwrap_or_else(PoisonError::into_inner) {
            self.sample(name, format_args!("{label}=\"{value}\""), count);
        }
    }

    /// The head of a family whose samples follow.
    pub(super) fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP outwall_{name} {help}"));
        self.line(format_args!("# TYPE outwall_{name} {kind}"));
    }

    pub(super) fn sample(&mut self, name: &str, labels: Arguments<'_>, value: impl Display) {
        self.line(format_args!("outwall_{name}{{{labels}}} {value}"));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes all");
    }
}
