//! What `outwall run` says when the command is done: how much left, what was refused, and what would allow it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use outwall_audit::Summary;

use crate::terminal::{Paint, printable};

/// Refusals that are named; of the rest only the number.
const NAMED: usize = 8;
/// Programs that are named of one refusal.
const NAMED_PROGRAMS: usize = 3;

/// The line, and one for each refusal with the way to allow it. `audit` is the command that shows more.
pub(crate) fn render(summary: &Summary, audit: &str, paint: Paint) -> String {
    let mut text = format!("outwall: {} ({audit})\n", in_numbers(summary));
    for denied in summary.denied.iter().take(NAMED) {
        let target = printable(denied.target.as_deref().unwrap_or("something unreadable")).into_owned();
        let times = if denied.times > 1 {
            format!(", {} times", denied.times)
        } else {
            String::new()
        };
        let word = paint.red("denied");
        let by = by(&denied.programs);
        let _ = writeln!(
            text,
            "  {word} {target}{by} ({}{times})",
            printable(&denied.reason)
        );
        if let Some(remedy) = &denied.remedy {
            let _ = writeln!(text, "    {} {}", paint.cyan("hint:"), printable(remedy));
        }
    }
    if summary.denied.len() > NAMED {
        let _ = writeln!(text, "  and {} more", summary.denied.len() - NAMED);
    }
    text
}

/// ` by curl, git`: the names of executables without their directories, the first few.
fn by(programs: &BTreeSet<String>) -> String {
    let name = |program: &String| printable(program.rsplit('/').next().unwrap_or(program)).into_owned();
    let names: Vec<_> = programs.iter().take(NAMED_PROGRAMS).map(name).collect();
    match (names.as_slice(), programs.len() > NAMED_PROGRAMS) {
        ([], _) => String::new(),
        (names, false) => format!(" by {}", names.join(", ")),
        (names, true) => format!(" by {} and others", names.join(", ")),
    }
}

/// `41 requests to 3 hosts, 2 denied`.
fn in_numbers(summary: &Summary) -> String {
    let mut sent = Vec::new();
    if summary.requests > 0 || summary.connections == 0 {
        sent.push(count(summary.requests, "request"));
    }
    if summary.connections > 0 {
        sent.push(count(summary.connections, "unread connection"));
    }
    let mut text = sent.join(" and ");
    if !summary.hosts.is_empty() {
        let _ = write!(text, " to {}", count(summary.hosts.len() as u64, "host"));
    }
    let _ = write!(text, ", {} denied", summary.times_denied());
    if summary.findings > 0 {
        let _ = write!(text, ", {}", count(summary.findings, "finding"));
    }
    text
}

/// `1 request`, `2 requests`.
pub(crate) fn count(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use outwall_audit::DeniedTarget;

    fn denied(target: &str, times: u64) -> DeniedTarget {
        DeniedTarget {
            target: Some(target.to_owned()),
            reason: "host-not-allowed".to_owned(),
            message: String::new(),
            remedy: Some("run with --allow example.com".to_owned()),
            programs: BTreeSet::new(),
            times,
        }
    }

    #[test]
    fn the_numbers_come_first_and_each_refusal_with_what_would_allow_it() {
        let summary = Summary {
            requests: 41,
            hosts: ["a", "b", "c"].map(str::to_owned).into(),
            denied: vec![denied("example.com:443", 2)],
            ..Summary::default()
        };
        assert_eq!(
            render(&summary, "outwall audit --sandbox s-7f3a0000", Paint::plain()),
            "outwall: 41 requests to 3 hosts, 2 denied (outwall audit --sandbox s-7f3a0000)\n  \
             denied example.com:443 (host-not-allowed, 2 times)\n    hint: run with --allow example.com\n"
        );
    }

    #[test]
    fn the_programs_are_named_by_their_last_names_and_only_the_first_few() {
        let of = |programs: &[&str]| by(&programs.iter().map(|&program| program.to_owned()).collect());
        assert_eq!(of(&[]), "");
        assert_eq!(of(&["/usr/bin/curl"]), " by curl");
        assert_eq!(of(&["/a/1", "/a/2", "/a/3", "/a/4"]), " by 1, 2, 3 and others");
        assert!(!of(&["/a/\u{1b}[2J"]).contains('\u{1b}'));
    }

    #[test]
    fn one_is_not_many_and_nothing_is_said_of_hosts_when_there_were_none() {
        let summary = Summary {
            requests: 1,
            hosts: ["a".to_owned()].into(),
            ..Summary::default()
        };
        assert_eq!(in_numbers(&summary), "1 request to 1 host, 0 denied");
        assert_eq!(in_numbers(&Summary::default()), "0 requests, 0 denied");
    }

    #[test]
    fn a_flood_of_refusals_is_cut_short() {
        let all = (0..20)
            .map(|number| denied(&format!("h{number}.example:443"), 1))
            .collect();
        let rendered = render(
            &Summary {
                denied: all,
                ..Summary::default()
            },
            "x",
            Paint::plain(),
        );
        assert!(rendered.ends_with("  and 12 more\n"), "{rendered}");
    }

    #[test]
    fn a_name_from_the_sandbox_cannot_steer_the_terminal() {
        let summary = Summary {
            denied: vec![denied("\u{1b}[2J.example:443", 1)],
            ..Summary::default()
        };
        assert!(!render(&summary, "x", Paint::plain()).contains('\u{1b}'));
    }
}
