//! A person at a terminal: the command has one of its own, Ctrl-C reaches the program in
//! front, and the terminal is as it was afterwards. `script` plays the terminal.

use std::time::Duration;

use outwall_tests::{Finished, Outwall, TestSandbox};

use crate::as_each_user;

/// `outwall run … -- COMMAND` on a terminal of 33 rows and 99 columns.
fn on_a_terminal(outwall: &Outwall, command: &str) -> TestSandbox {
    at_a_terminal(outwall, &["--quiet", "--network", "none"], command)
}

/// The same with these options of `run`.
pub(crate) fn at_a_terminal(outwall: &Outwall, options: &[&str], command: &str) -> TestSandbox {
    let inner = outwall.command(&[&["run"], options, &["--", "sh", "-c", command]].concat());
    let words: Vec<_> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .collect();
    let quoted: Vec<_> = words.iter().map(|word| quote(&word.to_string_lossy())).collect();
    let line = format!("stty rows 33 cols 99; {}; echo \"code $?\"", quoted.join(" "));
    outwall.start_other("script", &["-qec", &line, "/dev/null"])
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn lines(finished: &Finished) -> Vec<&str> {
    finished
        .stdout
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .collect()
}

#[test]
fn the_command_has_a_terminal_of_its_own_of_the_same_size() {
    as_each_user(|outwall| {
        let command = "test -t 0 && test -t 1 && test -t 2 && echo a terminal; stty size; tty";
        let terminal = on_a_terminal(&outwall, command);
        terminal.wait_for_output("code ");
        let finished = terminal.finish();
        let lines = lines(&finished);
        assert_eq!(lines[..2], ["a terminal", "33 99"], "{finished:?}");
        assert!(lines[2].starts_with("/dev/pts/"), "{finished:?}");
        assert_eq!(lines[3], "code 0", "{finished:?}");
    });
}

#[test]
fn ctrl_c_goes_to_the_program_in_front_and_outwall_lives_on() {
    as_each_user(|outwall| {
        let command = "trap 'echo caught' INT; echo ready; sleep 30; echo still here; exit 7";
        let mut terminal = on_a_terminal(&outwall, command);
        terminal.wait_for_output("ready");
        std::thread::sleep(Duration::from_millis(200));
        terminal.write("\x03");
        terminal.wait_for_output("still here");
        let finished = terminal.finish();
        assert!(finished.stdout.contains("caught"), "{finished:?}");
        assert!(finished.stdout.contains("code 7"), "{finished:?}");
        assert!(finished.took < Duration::from_secs(20), "{finished:?}");
    });
}

#[test]
fn the_terminal_is_as_it_was_afterwards() {
    as_each_user(|outwall| {
        let inner = on_a_terminal(&outwall, "stty raw -echo; exit 3").finish();
        assert!(inner.stdout.contains("code 3"), "{inner:?}");
        let check =
            "before=$(stty -g); OUTWALL; after=$(stty -g); test \"$before\" = \"$after\" && echo unchanged";
        let run = outwall.command(&[
            "run",
            "--quiet",
            "--network",
            "none",
            "--",
            "stty",
            "raw",
            "-echo",
        ]);
        let words = std::iter::once(run.get_program()).chain(run.get_args());
        let quoted: Vec<_> = words.map(|word| quote(&word.to_string_lossy())).collect();
        let line = check.replace("OUTWALL", &quoted.join(" "));
        let finished = outwall
            .start_other("script", &["-qec", &line, "/dev/null"])
            .finish();
        assert!(finished.stdout.contains("unchanged"), "{finished:?}");
    });
}

#[test]
fn without_a_terminal_there_is_none_inside() {
    as_each_user(|outwall| {
        let finished = outwall.shell(
            &["--quiet", "--network", "none"],
            "test -t 0 || test -t 1 || echo none",
        );
        assert_eq!(finished.stdout, "none\n");
    });
}
