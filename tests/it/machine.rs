//! The machine that a command finds itself on: what passes through, what is there, how it
//! ends. What must not be there is told in `escape`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use outwall_tests::{Finished, Outwall};

use crate::{as_each_user, outwall};

fn quiet(outwall: &Outwall, script: &str) -> Finished {
    outwall.shell(&["--quiet", "--network", "none"], script)
}

#[test]
fn streams_and_the_exit_code_pass_through() {
    as_each_user(|outwall| {
        let finished = quiet(&outwall, "echo out; echo err >&2; exit 42");
        assert_eq!(
            (finished.code(), &*finished.stdout, &*finished.stderr),
            (42, "out\n", "err\n")
        );
        quiet(&outwall, "true").exited_with(0);
        let mut cat = outwall.start_sandbox(&["--quiet", "--network", "none"], &["cat"]);
        cat.write("through and back\n");
        cat.wait_for_output("through and back");
        assert_eq!(cat.finish().code(), 0);
    });
}

#[test]
fn a_signal_inside_is_told_as_a_shell_tells_it() {
    as_each_user(|outwall| {
        assert_eq!(quiet(&outwall, "kill -TERM $$").code(), 128 + 15);
        assert_eq!(quiet(&outwall, "kill -KILL $$").code(), 128 + 9);
    });
}

#[test]
fn outwalls_own_failures_have_a_code_of_their_own() {
    let outwall = outwall();
    outwall
        .sandbox(&["--netwrok", "none"], &["true"])
        .exited_with(125);
    outwall
        .sandbox(&["--quiet", "--mount", "/no/such/place"], &["true"])
        .exited_with(125);
    // What a shell says of a program that is not there.
    outwall
        .sandbox(&["--quiet", "--network", "none"], &["/no/such/program"])
        .exited_with(127);
    outwall
        .sandbox(&["--quiet", "--network", "none"], &["true"])
        .exited_with(0);
}

#[test]
fn term_and_hup_end_a_sandbox_and_everything_in_it() {
    as_each_user(|outwall| {
        for signal in ["TERM", "HUP"] {
            let marker = format!("sleep-{signal}-{}", std::process::id());
            let sandbox = outwall.start_sandbox(
                &["--quiet", "--network", "none"],
                &[
                    "bash",
                    "-c",
                    &format!("(exec -a {marker} sleep 300) & echo started; exec -a {marker} sleep 300"),
                ],
            );
            sandbox.wait_for_output("started");
            assert!(comes_to_run(&marker), "it runs");
            sandbox.signal(signal);
            let finished = sandbox.finish();
            assert_ne!(finished.status.code(), Some(0), "{signal}: {finished:?}");
            assert!(
                !running_within(&marker, Duration::from_secs(2)),
                "{signal} leaves nothing running"
            );
        }
    });
}

#[test]
fn after_kill_9_of_outwall_nothing_runs_on() {
    as_each_user(|outwall| {
        let marker = format!("sleep-orphan-{}", std::process::id());
        let sandbox = outwall.start_sandbox(
            &["--quiet", "--network", "none"],
            &["bash", "-c", &format!("echo started; exec -a {marker} sleep 300")],
        );
        sandbox.wait_for_output("started");
        assert!(comes_to_run(&marker), "it runs");
        sandbox.signal("KILL");
        drop(sandbox);
        assert!(
            !running_within(&marker, Duration::from_secs(3)),
            "nothing runs on"
        );
        quiet(&outwall, "true").exited_with(0);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let state = outwall.state_dir();
        let left: Vec<_> = fs::read_dir(outwall.work_dir()).unwrap().collect();
        assert!(left.is_empty(), "the working directory is as it was: {left:?}");
        assert!(
            !mounts.contains(state.to_str().unwrap()),
            "the next one swept: {mounts}"
        );
    });
}

/// Whether a process whose first argument is `name` exists, in any namespace.
fn running(name: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|arguments| arguments.split(|byte| *byte == 0).next() == Some(name.as_bytes()))
}

/// Whether it exists within two seconds: a shell says that it started before it does.
fn comes_to_run(name: &str) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        running(name)
    })
}

/// Whether it still exists after at most `patience`.
fn running_within(name: &str, patience: Duration) -> bool {
    let deadline = std::time::Instant::now() + patience;
    while running(name) {
        if std::time::Instant::now() > deadline {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn the_hosts_environment_does_not_exist_except_what_is_passed_on() {
    as_each_user(|outwall| {
        let outwall = outwall
            .variable("AWS_SECRET_ACCESS_KEY", "hunter2")
            .variable("PASSED", "on");
        let options = [
            "--quiet",
            "--network",
            "none",
            "--env",
            "PASSED",
            "--env",
            "SET=to this",
        ];
        let finished = outwall.sandbox(&options, &["env"]);
        let has = |line: &str| finished.stdout.lines().any(|printed| printed == line);
        assert!(has("PASSED=on") && has("SET=to this"), "{finished:?}");
        assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
        assert!(
            !finished.stdout.to_lowercase().contains("_proxy="),
            "{finished:?}"
        );
    });
}

#[test]
fn the_working_directory_is_there_and_writable_and_keeps_what_is_written() {
    as_each_user(|outwall| {
        outwall.write_work_file("read.me", "from outside\n");
        let finished = quiet(
            &outwall,
            "cat read.me; pwd; echo from inside > written; stat -c %u written",
        );
        let work = outwall.work_dir();
        let mut lines = finished.stdout.lines();
        assert_eq!(lines.next(), Some("from outside"), "{finished:?}");
        assert_eq!(lines.next(), work.to_str(), "{finished:?}");
        assert_eq!(fs::read_to_string(work.join("written")).unwrap(), "from inside\n");
        let owner = fs::metadata(&work).unwrap().uid();
        assert_eq!(
            fs::metadata(work.join("written")).unwrap().uid(),
            owner,
            "owned by who owns the directory"
        );
    });
}

#[test]
fn a_home_is_fresh_unless_it_has_a_name() {
    as_each_user(|outwall| {
        let fresh = |script| quiet(&outwall, script).stdout;
        fresh("echo kept > ~/note");
        assert_eq!(fresh("cat ~/note 2>/dev/null"), "");
        let named = |script| {
            outwall
                .shell(&["--quiet", "--network", "none", "--home", "work"], script)
                .stdout
        };
        named("echo kept > ~/note");
        assert_eq!(named("cat ~/note"), "kept\n");
        assert_eq!(fresh("cat ~/note 2>/dev/null"), "");
    });
}

#[test]
fn a_mount_is_read_only_unless_asked_otherwise() {
    as_each_user(|outwall| {
        outwall.write_work_file("../shown/file", "shown\n");
        outwall.write_work_file("../given/file", "given\n");
        let (shown, given) = (
            outwall.work_dir().join("../shown"),
            outwall.work_dir().join("../given"),
        );
        let (shown, given) = (shown.canonicalize().unwrap(), given.canonicalize().unwrap());
        let script = format!(
            "cat {shown}/file {given}/file; (echo x > {shown}/new) 2>/dev/null || echo refused; echo x > {given}/new && echo written",
            shown = shown.display(),
            given = given.display()
        );
        let options = [
            "--quiet",
            "--network",
            "none",
            "--mount",
            shown.to_str().unwrap(),
            "--mount",
            &format!("{}:rw", given.display()),
        ];
        let finished = outwall.shell(&options, &script);
        assert_eq!(
            finished.stdout, "shown\ngiven\nrefused\nwritten\n",
            "{finished:?}"
        );
        assert!(given.join("new").exists() && !shown.join("new").exists());
        let without = quiet(&outwall, &format!("ls {} 2>/dev/null", shown.display()));
        assert_eq!(without.stdout, "");
    });
}

#[test]
fn some_working_directories_are_refused_with_the_reason() {
    let outwall = outwall();
    let refused = |directory: &std::path::Path| {
        let mut command = outwall.command(&["run", "--quiet", "--network", "none", "--", "true"]);
        let output = command.current_dir(directory).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(125),
            "{}: {output:?}",
            directory.display()
        );
        assert!(!output.stderr.is_empty());
    };
    refused(std::path::Path::new("/"));
    refused(&outwall.home_dir());
    refused(outwall.home_dir().parent().unwrap());
    refused(&outwall.state_dir());
    outwall
        .sandbox(&["--quiet", "--network", "none"], &["true"])
        .exited_with(0);
}

#[test]
fn root_inside_is_no_root_outside() {
    as_each_user(|outwall| {
        let options = ["--quiet", "--network", "none", "--root"];
        let finished = outwall.shell(
            &options,
            "id -u; touch owned; chown 1234 owned 2>/dev/null; ip link add dummy0 type dummy 2>/dev/null && echo made a link
             nft flush ruleset 2>/dev/null && echo flushed; mount -t tmpfs none /mnt 2>/dev/null && echo mounted; grep CapEff /proc/self/status",
        );
        let lines: Vec<_> = finished.stdout.lines().collect();
        assert_eq!(lines.first(), Some(&"0"), "{finished:?}");
        assert_eq!(lines.len(), 2, "{finished:?}");
        let effective = u64::from_str_radix(lines[1].split_whitespace().last().unwrap(), 16).unwrap();
        // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, SETGID 6, SETUID 7.
        assert_eq!(effective & !0b1100_1011, 0, "{effective:#x}");
        let plain = quiet(&outwall, "id -u; grep CapEff /proc/self/status");
        assert!(!plain.stdout.starts_with("0\n"), "{plain:?}");
        assert!(plain.stdout.contains("CapEff:\t0000000000000000"), "{plain:?}");
    });
}

#[test]
fn many_runs_at_once_in_one_directory_work_and_leave_nothing() {
    as_each_user(|outwall| {
        let runs: Vec<_> = (0..8)
            .map(|number| {
                let script = format!("sleep 0.$(({number} % 4)); echo run {number}");
                outwall.start_sandbox(&["--quiet", "--network", "none"], &["sh", "-c", &script])
            })
            .collect();
        for (number, run) in runs.into_iter().enumerate() {
            let finished = run.finish().succeeded();
            assert_eq!(finished.stdout, format!("run {number}\n"), "{finished:?}");
        }
        let left: Vec<_> = fs::read_dir(outwall.work_dir()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        outwall.run(&["audit", "verify"]).exited_with(0);
    });
}
