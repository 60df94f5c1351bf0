//! `outwall doctor --attack`: runs the list of attacks against a real sandbox and a real proxy of this machine.
//!
//! The attempts run inside a sandbox that the ordinary `outwall run` makes, and beside an ordinary `outwall proxy`, under the
//! policy of the chosen environment with the hosts of a firing range added (see [`policy`]). The range is on loopback; what
//! reaches it is compared with what was told. State and audit are the check's own and gone with it.

mod policy;
mod proxy;
mod report;
mod run;
mod stage;
mod tokens;

use std::process::ExitCode;
use std::time::Instant;

use outwall_attacks::{Attack, Made, Outcome, Range, Record, Verdict, judge};
use outwall_policy::EnvironmentName;

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::terminal::{Paint, write_out};

pub(crate) use report::Format;
use report::Report;

/// Runs the list, prints how it came out, and ends with 1 unless all of it was held.
pub(super) fn obey(
    session: &Session,
    environment: Option<&EnvironmentName>,
    format: Format,
) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let list = outwall_attacks::list();
    let range = Range::start(&list).explain("cannot listen on loopback for the attacks")?;
    let edited = policy::edited(session, environment, &list, &range)?;
    let ran = run::run(&list, &range, &edited)?;
    let untried = |attack: &Attack| edited.allows(attack.class);
    let verdicts = verdicts(&list, &range, &ran.made, &ran.records, untried);
    let report = Report {
        verdicts: &verdicts,
        environment: &edited.environment,
        took: started.elapsed(),
    };
    write_out(&report.render(format, Paint::for_stdout()))?;
    Ok(exit_code(&verdicts))
}

fn verdicts(
    list: &[Attack],
    range: &Range,
    made: &[Made],
    records: &[Record],
    untried: impl Fn(&Attack) -> Option<&'static str>,
) -> Vec<Verdict> {
    let judged = list.iter().map(|attack| {
        let mut verdict = judge(attack, made, range, records);
        if let Some(why) = untried(attack) {
            verdict.outcome = Outcome::Untried(why.to_owned());
        }
        verdict
    });
    judged.collect()
}

/// What the environment allows on purpose is no failure; what is unproven is one.
fn exit_code(verdicts: &[Verdict]) -> ExitCode {
    let fine = |verdict: &Verdict| matches!(verdict.outcome, Outcome::Held | Outcome::Untried(_));
    if verdicts.iter().all(fine) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending_of(outcome: Outcome) -> String {
        let list = outwall_attacks::list();
        let range = Range::start(&list).expect("loopback has ports");
        let mut verdict = judge(&list[0], &[], &range, &[]);
        verdict.outcome = outcome;
        format!("{:?}", exit_code(&[verdict]))
    }

    #[test]
    fn one_attack_that_got_through_ends_with_1() {
        let (good, bad) = (
            format!("{:?}", ExitCode::SUCCESS),
            format!("{:?}", ExitCode::FAILURE),
        );
        assert_eq!(ending_of(Outcome::Held), good);
        assert_eq!(ending_of(Outcome::Untried("it is allowed".to_owned())), good);
        assert_eq!(ending_of(Outcome::Through("it arrived".to_owned())), bad);
        assert_eq!(
            ending_of(Outcome::Unproven("its twin was refused".to_owned())),
            bad
        );
    }

    #[test]
    fn what_was_not_even_made_is_not_held() {
        let list = outwall_attacks::list();
        let range = Range::start(&list).expect("loopback has ports");
        for verdict in verdicts(&list, &range, &[], &[], |_| None) {
            assert!(
                matches!(verdict.outcome, Outcome::Unproven(_)),
                "{}",
                verdict.class
            );
        }
    }
}
