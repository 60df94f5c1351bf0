//! The counters of all gates as one page for Prometheus (text format 0.0.4).
//!
//! Each gate tells its own; the samples of one name have to stand together, so they are taken apart and put together again, with
//! labels that say whose they are. Gates that end take their counters along: `rate()` and `increase()` know how to take that.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::answer::{Role, Status};

/// A page in the making.
#[derive(Debug, Default)]
pub struct MetricsPage {
    families: Vec<Family>,
    places: HashMap<String, usize>,
}

/// All samples of one name, and of the names that belong to it (`_bucket`, `_sum`, `_count`).
#[derive(Debug)]
struct Family {
    head: String,
    samples: String,
}

impl MetricsPage {
    /// Adds what a gate told, under labels of its own. What is not of the format is left out.
    pub fn add_gate(&mut self, status: &Status, text: &str) {
        let labels = labels(status);
        let mut lines = text.lines().peekable();
        let mut current = None;
        while let Some(line) = lines.next() {
            match line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                Some((name, help)) => {
                    let kind = lines
                        .next_if(|next| next.starts_with("# TYPE "))
                        .and_then(|line| line.rsplit_once(' '))
                        .map_or("untyped", |(_, kind)| kind);
                    current = Some(self.family(name, help, kind));
                }
                None => {
                    if let (Some(place), Some(sample)) = (current, labelled(line, &labels)) {
                        self.families[place].samples.push_str(&sample);
                    }
                }
            }
        }
        let refused = u8::from(status.refused.is_some());
        let help = "1 while a change of the policy does not count, because it is broken.";
        self.add("outwall_policy_change_refused", help, "gauge", &labels, refused);
    }

    /// Adds a sample of ours. `labels` as they stand between the braces, or nothing.
    pub fn add(&mut self, name: &str, help: &str, kind: &str, labels: &str, value: impl std::fmt::Display) {
        let place = self.family(name, help, kind);
        let samples = &mut self.families[place].samples;
        let line = match labels {
            "" => format!("{name} {value}\n"),
            labels => format!("{name}{{{labels}}} {value}\n"),
        };
        samples.push_str(&line);
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.families
            .into_iter()
            .map(|family| family.head + &family.samples)
            .collect()
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) -> usize {
        *self.places.entry(name.to_owned()).or_insert_with(|| {
            self.families.push(Family {
                head: format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
                samples: String::new(),
            });
            self.families.len() - 1
        })
    }
}

/// What tells one gate's samples from another's.
fn labels(status: &Status) -> String {
    let mut labels = format!("gate=\"{}\",role=\"{}\"", status.pid, role(status.role));
    if let (Role::Run, Some(sandbox)) = (status.role, status.sandboxes.first()) {
        write!(
            labels,
            ",sandbox=\"{}\",environment=\"{}\"",
            sandbox.id, sandbox.environment
        )
        .expect("a string takes all");
    }
    labels
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Run => "run",
        Role::Proxy => "proxy",
        Role::Github => "github",
    }
}

/// `name{a="b"} 1` or `name 1`, with more labels.
fn labelled(sample: &str, labels: &str) -> Option<String> {
    let (series, value) = sample.rsplit_once(' ')?;
    Some(match series.split_once('{') {
        Some((name, own)) => format!("{name}{{{labels},{own} {value}\n"),
        None => format!("{series}{{{labels}}} {value}\n"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use outwall_policy::SandboxId;

    use super::*;
    use crate::answer::Standing;

    fn gate(pid: u32, role: Role) -> Status {
        Status {
            pid,
            role,
            sandboxes: vec![Standing {
                id: SandboxId::from_random([0, 0, 0, 7]),
                environment: "web".parse().unwrap(),
            }],
            policy_file: None,
            sha256: String::new(),
            since: String::new(),
            refused: None,
            grants: Vec::new(),
        }
    }

    #[test]
    fn samples_of_one_name_stand_together_and_say_whose_they_are() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n\
                    # HELP b B.\n# TYPE b histogram\nb_bucket{class=\"full\",le=\"+Inf\"} 2\nb_count{class=\"full\"} 2\n";
        let mut page = MetricsPage::default();
        page.add_gate(&gate(17, Role::Run), text);
        page.add_gate(&gate(18, Role::Proxy), text);
        page.add("outwall_audit_bytes", "Size.", "gauge", "", 5);
        assert_eq!(
            page.into_text(),
            "# HELP a_total A.\n# TYPE a_total counter\n\
             a_total{gate=\"17\",role=\"run\",sandbox=\"s-00000007\",environment=\"web\"} 1\n\
             a_total{gate=\"18\",role=\"proxy\"} 1\n\
             # HELP b B.\n# TYPE b histogram\n\
             b_bucket{gate=\"17\",role=\"run\",sandbox=\"s-00000007\",environment=\"web\",class=\"full\",le=\"+Inf\"} 2\n\
             b_count{gate=\"17\",role=\"run\",sandbox=\"s-00000007\",environment=\"web\",class=\"full\"} 2\n\
             b_bucket{gate=\"18\",role=\"proxy\",class=\"full\",le=\"+Inf\"} 2\n\
             b_count{gate=\"18\",role=\"proxy\",class=\"full\"} 2\n\
             # HELP outwall_policy_change_refused 1 while a change of the policy does not count, because it is broken.\n\
             # TYPE outwall_policy_change_refused gauge\n\
             outwall_policy_change_refused{gate=\"17\",role=\"run\",sandbox=\"s-00000007\",environment=\"web\"} 0\n\
             outwall_policy_change_refused{gate=\"18\",role=\"proxy\"} 0\n\
             # HELP outwall_audit_bytes Size.\n# TYPE outwall_audit_bytes gauge\noutwall_audit_bytes 5\n"
        );
    }

    #[test]
    fn what_is_not_of_the_format_is_left_out() {
        let mut page = MetricsPage::default();
        page.add_gate(&gate(17, Role::Proxy), "rubbish\n\nmore 1\n");
        assert!(!page.into_text().contains("rubbish"));
    }
}
