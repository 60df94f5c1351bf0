//! How the attacks came out, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use outwall_attacks::{Outcome, Section, Verdict};
use serde_json::{Value, json};

use crate::terminal::{Paint, printable};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One object.
    Json,
}

/// What was run, and how it came out.
pub(super) struct Report<'a> {
    pub(super) verdicts: &'a [Verdict],
    pub(super) environment: &'a str,
    pub(super) took: Duration,
}

impl Report<'_> {
    pub(super) fn render(&self, format: Format, paint: Paint) -> String {
        match format {
            Format::Table => self.table(paint),
            Format::Json => format!("{}\n", self.json()),
        }
    }

    fn table(&self, paint: Paint) -> String {
        let widest = self.verdicts.iter().map(|verdict| verdict.class.len()).max();
        let widest = widest.unwrap_or(0);
        let mut text = String::new();
        for section in Section::ALL {
            let _ = writeln!(text, "{}", paint.bold(section.title()));
            for verdict in self.verdicts.iter().filter(|verdict| verdict.section == section) {
                let (word, how) = words(verdict, paint);
                let _ = writeln!(text, "  {word} {:widest$}  {}", verdict.class, printable(&how));
                if verdict.outcome != Outcome::Held {
                    let _ = writeln!(text, "  {:9}{:widest$}  tried: {}", "", "", verdict.tries);
                }
            }
        }
        let _ = writeln!(text, "\n{}", self.sum());
        text
    }

    fn sum(&self) -> String {
        let attempts: usize = self.verdicts.iter().map(|verdict| verdict.attempts).sum();
        format!(
            "environment `{}`: tried {}, held {} ({attempts} attempts in {:.1} s)",
            self.environment,
            self.tried(),
            self.held(),
            self.took.as_secs_f64()
        )
    }

    fn tried(&self) -> usize {
        let tried = |verdict: &&Verdict| !matches!(verdict.outcome, Outcome::Untried(_));
        self.verdicts.iter().filter(tried).count()
    }

    fn held(&self) -> usize {
        let held = |verdict: &&Verdict| verdict.outcome == Outcome::Held;
        self.verdicts.iter().filter(held).count()
    }

    fn json(&self) -> Value {
        let attacks: Vec<Value> = self.verdicts.iter().map(of_verdict).collect();
        json!({
            "environment": self.environment,
            "tried": self.tried(),
            "held": self.held(),
            "seconds": self.took.as_secs_f64(),
            "attacks": attacks,
        })
    }
}

/// The word that stands first in a line, and how it came to it.
fn words(verdict: &Verdict, paint: Paint) -> (String, String) {
    match &verdict.outcome {
        Outcome::Held => (paint.green("held    ").into_owned(), verdict.how.clone()),
        Outcome::Through(how) => (paint.red("THROUGH ").into_owned(), how.clone()),
        Outcome::Unproven(why) => (paint.red("UNPROVEN").into_owned(), why.clone()),
        Outcome::Untried(why) => (paint.yellow("allowed ").into_owned(), why.clone()),
    }
}

fn of_verdict(verdict: &Verdict) -> Value {
    let (outcome, why) = match &verdict.outcome {
        Outcome::Held => ("held", ""),
        Outcome::Through(why) => ("through", why.as_str()),
        Outcome::Unproven(why) => ("unproven", why.as_str()),
        Outcome::Untried(why) => ("allowed", why.as_str()),
    };
    json!({
        "class": verdict.class,
        "section": verdict.section.title(),
        "tried": verdict.tries,
        "known": verdict.known,
        "outcome": outcome,
        "why": why,
        "how": verdict.how,
        "arrived": verdict.arrived,
        "twin": verdict.twin,
        "recorded": verdict.recorded,
        "attempts": verdict.attempts,
    })
}
