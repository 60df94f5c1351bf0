//! What was seen on both sides, put together: held, or through.

use std::collections::BTreeSet;

use crate::attack::{Act, Arrival, Attack, Attempt, Holds, LOOKED_UP, Section, Seen};
use crate::range::Range;
use crate::run::Made;

/// How one class came out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The class.
    pub class: &'static str,
    /// Its section.
    pub section: Section,
    /// What it tried.
    pub tries: &'static str,
    /// A public case, or empty.
    pub known: &'static str,
    /// Held, through, or neither.
    pub outcome: Outcome,
    /// How it was held, in a few words: the refusals that were told, the kernel's errors.
    pub how: String,
    /// What an origin saw of it, where something may arrive; else empty.
    pub arrived: String,
    /// What was allowed in its place.
    pub twin: &'static str,
    /// The codes of the records about it, as far as the audit has them.
    pub recorded: Vec<String>,
    /// How many attempts were made.
    pub attempts: usize,
}

/// Held, through, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every attempt was held, and the twin was allowed.
    Held,
    /// An attempt got through: which and how.
    Through(String),
    /// The twin was held too, so that nothing is proved: why.
    Unproven(String),
    /// It was not tried: why.
    Untried(String),
}

/// One record of the audit.
#[derive(Clone, Debug)]
pub struct Record {
    /// The code.
    pub reason: String,
    /// The whole line.
    pub line: String,
}

/// Judges one class by what its attempts saw and what arrived.
pub fn judge(attack: &Attack, made: &[Made], range: &Range, records: &[Record]) -> Verdict {
    let of = |twin| {
        made.iter()
            .filter(move |made| made.class == attack.class && made.twin == twin)
            .collect::<Vec<_>>()
    };
    let (attempts, twins) = (of(false), of(true));
    let arrivals = range.arrivals(attack, false);
    let outcome = outcome(attack, &attempts, &twins, range, &arrivals, records);
    Verdict {
        class: attack.class,
        section: attack.section,
        tries: attack.tries,
        known: attack.known,
        outcome,
        how: how(attack, &attempts),
        arrived: match attack.holds {
            Holds::Normal(..) | Holds::Arrives(..) => shown(&arrivals),
            _ => String::new(),
        },
        twin: attack.twin,
        recorded: recorded(attack.class, records),
        attempts: attack.attempts.len(),
    }
}

fn outcome(
    attack: &Attack,
    attempts: &[&Made],
    twins: &[&Made],
    range: &Range,
    arrivals: &[Arrival],
    records: &[Record],
) -> Outcome {
    if attempts.len() < attack.attempts.len() || twins.len() < attack.twins.len() {
        let missing = attack.attempts.len() + attack.twins.len() - attempts.len() - twins.len();
        return Outcome::Unproven(format!("{missing} of its attempts were not made"));
    }
    for made in attempts {
        if let Err(why) = held(attack.holds, &made.seen) {
            return Outcome::Through(format!("{}: {why}", described(&attack.attempts[made.number])));
        }
    }
    if let Some(arrival) = arrivals.iter().find(|arrival| !may_arrive(attack.holds, arrival)) {
        return Outcome::Through(format!(
            "arrived at the {}: {}",
            arrival.place,
            shown(std::slice::from_ref(arrival))
        ));
    }
    if matches!(attack.holds, Holds::Arrives(..)) && arrivals.is_empty() {
        return Outcome::Unproven("nothing arrived, in whatever form".to_owned());
    }
    if let Holds::Recorded(codes) = attack.holds {
        let says_so = |record: &&Record| codes.contains(&record.reason.as_str());
        let saying_so = about(attack.class, records).filter(says_so).count();
        if saying_so < attempts.len() {
            return Outcome::Through(format!(
                "{saying_so} of {} attempts are on record as {}",
                attempts.len(),
                codes.join(" or ")
            ));
        }
    }
    let asked = range.asked();
    if let Some(name) = asked.iter().find(|name| name.ends_with(LOOKED_UP)) {
        return Outcome::Through(format!(
            "a resolver was asked for {name}, which was only looked up"
        ));
    }
    match twins
        .iter()
        .find_map(|made| allowed(&attack.twins[made.number], &made.seen).err())
    {
        Some(why) => Outcome::Unproven(format!("{}: {why}", attack.twin)),
        None if needs_arrival(attack) && range.arrivals(attack, true).is_empty() => {
            Outcome::Unproven(format!("{}: it did not arrive", attack.twin))
        }
        None => Outcome::Held,
    }
}

/// Whether what an attempt saw is what holds it.
fn held(holds: Holds, seen: &Seen) -> Result<(), String> {
    match holds {
        Holds::Refused(codes) => match seen.answers.first() {
            Some(answer) if codes.contains(&answer.reason.as_str()) => Ok(()),
            Some(_) => Err(format!(
                "it was told {} instead of {}",
                told(seen),
                codes.join(" or ")
            )),
            None => Err(format!("it was told no reason: {}", told(seen))),
        },
        Holds::Nothing | Holds::Recorded(_) => match seen
            .answers
            .iter()
            .find(|answer| answer.status < 300 && answer.status != 100)
        {
            Some(answer) => Err(format!("it was answered {}", answer.status)),
            None => Ok(()),
        },
        Holds::Normal(..) | Holds::Arrives(..) => Ok(()),
        Holds::Kernel => match seen.failure {
            Some(_) => Ok(()),
            None => Err(format!("the kernel did it: {}", seen.text)),
        },
        Holds::Seen(what, is) if is(seen) => {
            let _ = what;
            Ok(())
        }
        Holds::Seen(what, _) => Err(format!("not {what}, but {}", told(seen))),
    }
}

fn may_arrive(holds: Holds, arrival: &Arrival) -> bool {
    match holds {
        Holds::Normal(_, is) | Holds::Arrives(_, is) => arrival.place != "victim" && is(arrival),
        // A flood may carry ordinary requests of its own; what counts is how it ends.
        Holds::Seen(..) => arrival.place != "victim" && arrival.path() == "/echo/a",
        Holds::Refused(_) | Holds::Recorded(_) | Holds::Nothing | Holds::Kernel => false,
    }
}

/// Whether a twin came out as it must.
fn allowed(twin: &Attempt, seen: &Seen) -> Result<(), String> {
    if let Some(failure) = &seen.failure {
        return Err(failure.clone());
    }
    let good = match &twin.act {
        Act::Talk(_) => seen
            .answers
            .iter()
            .any(|answer| answer.status == 200 && answer.reason.is_empty()),
        Act::Ask(_) => seen
            .answers
            .iter()
            .any(|answer| answer.status == 0 && answer.reason == "1 records"),
        Act::Kernel(_) => true,
    };
    if good { Ok(()) } else { Err(told(seen)) }
}

fn needs_arrival(attack: &Attack) -> bool {
    attack.twins.iter().any(|twin| matches!(twin.act, Act::Talk(_)))
}

/// What an attempt was told, in a few words.
fn told(seen: &Seen) -> String {
    if let Some(failure) = &seen.failure {
        return failure.clone();
    }
    let answers = seen.answers.iter().map(|answer| {
        format!("{} {}", answer.status, answer.reason)
            .trim_end()
            .to_owned()
    });
    let words: Vec<_> = answers.chain(seen.ended.clone()).collect();
    if words.is_empty() {
        "silence".to_owned()
    } else {
        words.join(", ")
    }
}

/// The same for all attempts of a class, each once.
fn how(attack: &Attack, attempts: &[&Made]) -> String {
    let all: BTreeSet<String> = attempts
        .iter()
        .map(|made| told(&made.seen))
        .map(|words| words.chars().take(80).collect())
        .collect();
    let words = all.into_iter().take(5).collect::<Vec<_>>().join("; ");
    match attack.holds {
        Holds::Normal(what, _) | Holds::Arrives(what, _) => format!("it arrives {what}; told: {words}"),
        Holds::Seen(what, _) => format!("{what}: {words}"),
        Holds::Recorded(codes) => format!("on record as {}; told: {words}", codes.join(" or ")),
        Holds::Refused(_) | Holds::Nothing | Holds::Kernel => words,
    }
}

fn described(attempt: &Attempt) -> String {
    match &attempt.act {
        Act::Talk(talk) => {
            let first = talk.pieces.first().map(|piece| {
                String::from_utf8_lossy(&piece[..piece.len().min(160)])
                    .escape_debug()
                    .to_string()
            });
            first.unwrap_or_default()
        }
        Act::Kernel(kernel) => format!("{kernel:?}"),
        Act::Ask(question) => format!(
            "type {} of {} to {}",
            question.kind, question.name, question.server
        ),
    }
}

/// Requests in one line, each once.
fn shown(arrivals: &[Arrival]) -> String {
    let all: BTreeSet<String> = arrivals
        .iter()
        .map(|arrival| {
            let lines: Vec<_> = arrival.head.lines().filter(|line| !line.is_empty()).collect();
            let body = String::from_utf8_lossy(&arrival.body[..arrival.body.len().min(60)])
                .escape_debug()
                .to_string();
            let body = if body.is_empty() {
                body
            } else {
                format!(" ⏎ ⏎ {body}")
            };
            let head: String = lines.join(" ⏎ ").chars().take(260).collect();
            format!("{}{body}", head.escape_debug())
        })
        .collect();
    all.into_iter().take(3).collect::<Vec<_>>().join(" | ")
}

fn recorded(class: &str, records: &[Record]) -> Vec<String> {
    let codes: BTreeSet<_> = about(class, records)
        .map(|record| record.reason.clone())
        .collect();
    codes.into_iter().collect()
}

fn about<'a>(class: &'a str, records: &'a [Record]) -> impl Iterator<Item = &'a Record> {
    records
        .iter()
        .filter(move |record| names_class(&record.line, class))
}

/// Whether a line has a host of the class in it.
fn names_class(line: &str, class: &str) -> bool {
    line.match_indices(&format!("{class}.")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_ascii_alphanumeric() && before != '-')
    })
}
