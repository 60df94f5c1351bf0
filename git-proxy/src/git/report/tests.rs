#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use outwall_policy::github::{Ground, SessionGrant, SessionRepository, SessionRules};

use super::super::push_reader::PushReader;
use super::*;

fn commands() -> PushCommands {
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let mut body = Vec::new();
    write_line(
        &mut body,
        format!("{a} {b} refs/heads/main\0 report-status-v2 side-band-64k").as_bytes(),
    );
    write_line(&mut body, format!("{a} {b} refs/heads/outwall/x").as_bytes());
    body.extend_from_slice(FLUSH);
    PushReader::default().feed(&body).unwrap().unwrap()
}

fn refused() -> Box<GithubRefusal> {
    let at = SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: "outwall/x".parse().unwrap(),
    };
    let actions = commands().actions(&at.repository);
    let grant = SessionGrant::sample(at, SessionRules::default(), "github".parse().unwrap());
    grant.decide(&actions, Ground::Session).unwrap_err()
}

#[test]
fn a_refusal_is_a_report_in_band_1_and_text_in_band_2() {
    let answer = PushRefusal::by_policy(&commands(), &refused()).answer(ReportForm::SideBand);
    assert_eq!((answer.status, answer.content_type), (200, RESULT_TYPE));
    insta::assert_snapshot!(answer.body.escape_ascii().to_string(), @r"00b9\x02Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)\nOutwall: push your work to the session\'s branch: git push origin HEAD:outwall/x\n00b3\x01000eunpack ok\n004fng refs/heads/main only refs/heads/outwall/x may be pushed in this session\n004dng refs/heads/outwall/x refused: another ref in this push is not allowed\n00000000");
}

#[test]
fn a_client_without_side_bands_gets_the_report_alone() {
    let answer = PushRefusal::by_policy(&commands(), &refused()).answer(ReportForm::Plain);
    insta::assert_snapshot!(answer.body.escape_ascii().to_string(), @r"000eunpack ok\n004fng refs/heads/main only refs/heads/outwall/x may be pushed in this session\n004dng refs/heads/outwall/x refused: another ref in this push is not allowed\n0000");
}

#[test]
fn a_client_that_reads_no_report_gets_no_200() {
    let answer = PushRefusal::by_policy(&commands(), &refused()).answer(ReportForm::None);
    assert_eq!(answer.status, 403);
    insta::assert_snapshot!(std::str::from_utf8(&answer.body).unwrap(), @"
    Outwall: push refused: only refs/heads/outwall/x may be pushed in this session (github-ref-refused)
    Outwall: push your work to the session's branch: git push origin HEAD:outwall/x
    refs/heads/main: only refs/heads/outwall/x may be pushed in this session
    refs/heads/outwall/x: refused: another ref in this push is not allowed
    ");
}

#[test]
fn nothing_that_a_terminal_obeys_is_said() {
    let refusal = Refusal {
        code: "x",
        message: "a\x1b[31m\nng refs/heads/y".to_owned(),
        remedy: "é\u{202e}".repeat(100_000),
    };
    let answer = PushRefusal::of_all(&commands(), &refusal).answer(ReportForm::SideBand);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        text.contains("a?[31m?ng refs/heads/y") && !text.contains('\x1b'),
        "{text}"
    );
    assert!(answer.body.len() < 4_000);
}
