//! The tests, each a sentence.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use outwall_sandbox_runtime::{
    Exit, Home, Limits, Mount, PlacedFile, PrepareError, Prepared, Signal, SpecError, StartError, State,
    probe, sweep,
};

use crate::launched::{Ground, chain, launcher, run};

/// A test.
pub(crate) type Story = fn();

/// All of them.
pub(crate) const STORIES: &[(&str, Story)] = &[
    (
        "connections_are_captured_with_their_destination",
        connections_are_captured_with_their_destination,
    ),
    ("dns_to_any_resolver_is_ours", dns_to_any_resolver_is_ours),
    (
        "other_udp_is_refused_at_once_and_local_udp_works",
        other_udp_is_refused_at_once_and_local_udp_works,
    ),
    (
        "servers_inside_reach_each_other_uncaptured",
        servers_inside_reach_each_other_uncaptured,
    ),
    (
        "sockets_that_ignore_the_network_namespace_are_refused",
        sockets_that_ignore_the_network_namespace_are_refused,
    ),
    (
        "dangerous_system_calls_are_refused",
        dangerous_system_calls_are_refused,
    ),
    (
        "sockets_of_the_host_in_the_project_are_covered",
        sockets_of_the_host_in_the_project_are_covered,
    ),
    (
        "abstract_sockets_of_the_host_do_not_exist",
        abstract_sockets_of_the_host_do_not_exist,
    ),
    (
        "namespaces_are_refused_unless_asked_for",
        namespaces_are_refused_unless_asked_for,
    ),
    (
        "the_network_cannot_be_changed_from_inside",
        the_network_cannot_be_changed_from_inside,
    ),
    ("the_command_has_no_capabilities", the_command_has_no_capabilities),
    (
        "root_inside_has_five_capabilities",
        root_inside_has_five_capabilities,
    ),
    ("the_hosts_secrets_do_not_exist", the_hosts_secrets_do_not_exist),
    (
        "the_hosts_processes_and_environment_do_not_exist",
        the_hosts_processes_and_environment_do_not_exist,
    ),
    (
        "what_is_written_belongs_to_the_hosts_user",
        what_is_written_belongs_to_the_hosts_user,
    ),
    ("hooks_cannot_be_planted", hooks_cannot_be_planted),
    (
        "protection_outlives_a_second_sandbox_in_the_same_directory",
        protection_outlives_a_second_sandbox_in_the_same_directory,
    ),
    (
        "many_sandboxes_start_in_one_directory_at_once",
        many_sandboxes_start_in_one_directory_at_once,
    ),
    (
        "git_on_the_host_executes_nothing_that_was_planted",
        git_on_the_host_executes_nothing_that_was_planted,
    ),
    (
        "a_worktree_elsewhere_obeys_nothing_that_was_planted",
        a_worktree_elsewhere_obeys_nothing_that_was_planted,
    ),
    (
        "hooks_that_cannot_be_protected_are_refused_and_left_on_request",
        hooks_that_cannot_be_protected_are_refused_and_left_on_request,
    ),
    (
        "git_works_in_a_protected_repository",
        git_works_in_a_protected_repository,
    ),
    ("env_files_are_empty_unless_left", env_files_are_empty_unless_left),
    (
        "setuid_files_cannot_be_left_behind",
        setuid_files_cannot_be_left_behind,
    ),
    (
        "root_of_a_sandbox_gets_the_other_bits_where_it_asks_for_setuid",
        root_of_a_sandbox_gets_the_other_bits_where_it_asks_for_setuid,
    ),
    ("the_keeper_acts_as_who_asks", the_keeper_acts_as_who_asks),
    (
        "the_keeper_cannot_be_touched_and_without_it_nothing_is_done",
        the_keeper_cannot_be_touched_and_without_it_nothing_is_done,
    ),
    (
        "no_way_of_making_a_file_gives_it_special_bits",
        no_way_of_making_a_file_gives_it_special_bits,
    ),
    (
        "files_of_the_host_get_no_capabilities",
        files_of_the_host_get_no_capabilities,
    ),
    (
        "root_of_a_sandbox_reads_of_the_system_what_everybody_may",
        root_of_a_sandbox_reads_of_the_system_what_everybody_may,
    ),
    (
        "root_that_may_make_namespaces_is_not_made_for_the_hosts_root",
        root_that_may_make_namespaces_is_not_made_for_the_hosts_root,
    ),
    (
        "a_link_in_place_of_a_protected_directory_is_refused",
        a_link_in_place_of_a_protected_directory_is_refused,
    ),
    (
        "dangerous_working_directories_are_refused",
        dangerous_working_directories_are_refused,
    ),
    (
        "a_kept_home_is_kept_and_a_fresh_one_is_not",
        a_kept_home_is_kept_and_a_fresh_one_is_not,
    ),
    (
        "a_kept_home_cannot_redirect_our_files",
        a_kept_home_cannot_redirect_our_files,
    ),
    ("mounts_appear_as_asked", mounts_appear_as_asked),
    (
        "a_mount_appears_by_the_name_that_it_was_asked_for_by",
        a_mount_appears_by_the_name_that_it_was_asked_for_by,
    ),
    (
        "the_state_is_seen_by_no_mount_and_in_no_directory_of_the_system",
        the_state_is_seen_by_no_mount_and_in_no_directory_of_the_system,
    ),
    (
        "homes_are_known_whatever_the_variable_says",
        homes_are_known_whatever_the_variable_says,
    ),
    (
        "env_files_behind_links_are_empty_and_more_than_can_be_looked_at_is_told",
        env_files_behind_links_are_empty_and_more_than_can_be_looked_at_is_told,
    ),
    (
        "placed_files_replace_links_and_files_of_the_system",
        placed_files_replace_links_and_files_of_the_system,
    ),
    (
        "files_of_ours_replace_nothing_of_the_host",
        files_of_ours_replace_nothing_of_the_host,
    ),
    (
        "toolchains_on_the_path_run_and_credentials_do_not_show",
        toolchains_on_the_path_run_and_credentials_do_not_show,
    ),
    (
        "files_as_standard_streams_cannot_be_opened_again",
        files_as_standard_streams_cannot_be_opened_again,
    ),
    ("exit_codes_and_signals_pass", exit_codes_and_signals_pass),
    (
        "a_missing_program_is_told_from_one_that_cannot_run",
        a_missing_program_is_told_from_one_that_cannot_run,
    ),
    ("a_sandbox_can_be_ended", a_sandbox_can_be_ended),
    (
        "background_processes_end_with_the_command",
        background_processes_end_with_the_command,
    ),
    (
        "nothing_runs_on_after_sudden_death_and_the_rest_is_swept",
        nothing_runs_on_after_sudden_death_and_the_rest_is_swept,
    ),
    (
        "a_prepared_sandbox_that_is_dropped_leaves_nothing",
        a_prepared_sandbox_that_is_dropped_leaves_nothing,
    ),
    (
        "the_first_process_cannot_be_touched",
        the_first_process_cannot_be_touched,
    ),
    ("processes_are_limited", processes_are_limited),
    ("this_machine_can_make_sandboxes", this_machine_can_make_sandboxes),
    (
        "packages_install_as_root_of_a_sandbox_of_real_root",
        packages_install_as_root_of_a_sandbox_of_real_root,
    ),
];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn connections_are_captured_with_their_destination() {
    let went = Ground::new().run("$ME --attempt connect=93.184.216.34:80 connect=198.18.0.7:443 'connect=[2001:db8::1]:22' connect=10.0.0.1:1");
    assert_eq!(went.output.matches(": ok").count(), 4, "{went:?}");
    let mut wanted = [
        "93.184.216.34:80",
        "198.18.0.7:443",
        "[2001:db8::1]:22",
        "10.0.0.1:1",
    ]
    .map(|target| target.parse().unwrap());
    let mut captured = went.captured;
    wanted.sort();
    captured.sort(); // each family has a listener of its own
    assert_eq!(captured, wanted);
}

fn dns_to_any_resolver_is_ours() {
    let went =
        Ground::new().run("$ME --attempt udp=8.8.8.8:53 'udp=[2001:4860:4860::8888]:53' udp=10.99.0.1:53");
    assert_eq!(went.output.matches(": ok").count(), 3, "{went:?}");
    assert_eq!(went.asked, 3);
}

fn other_udp_is_refused_at_once_and_local_udp_works() {
    let went = Ground::new().run("$ME --attempt udp=8.8.8.8:443 'udp=[2001:db8::1]:443'");
    assert_eq!(went.output.matches("ECONNREFUSED").count(), 2, "{went:?}");
    let twin = "import socket as s;a=s.socket(2,2);a.bind((\"127.0.0.1\",0));b=s.socket(2,2);b.sendto(b\"x\",a.getsockname());print(a.recv(9))";
    let went = Ground::new().run(&format!(
        "/usr/bin/python3 -c '{twin}' || perl -e 'print \"b\\x27x\\x27\"'"
    ));
    assert!(went.output.contains("b'x'"), "{went:?}");
}

fn servers_inside_reach_each_other_uncaptured() {
    let went = Ground::new()
        .run("$ME --attempt connect=127.0.0.1:9 connect=10.99.0.2:9 'connect=[::1]:9' 'connect=[fd5b::2]:9'");
    assert_eq!(
        went.output.matches("ECONNREFUSED").count(),
        4,
        "nobody listens there: {went:?}"
    );
    assert!(went.captured.is_empty());
}

fn sockets_that_ignore_the_network_namespace_are_refused() {
    let (vsock, packet, algorithm, bluetooth) = (
        "socket=40,1,0",
        "socket=17,3,768",
        "socket=38,5,0",
        "socket=31,3,1",
    );
    let (raw, icmp, netfilter, sctp) = (
        "socket=2,3,255",
        "socket=2,2,1",
        "socket=16,3,12",
        "socket=2,1,132",
    );
    let (tcp, udp6, unix, route) = ("socket=2,1,0", "socket=10,2,17", "socket=1,1,0", "socket=16,3,0");
    let went = Ground::new().run(&format!("$ME --attempt {vsock} {packet} {algorithm} {bluetooth} {raw} {icmp} {netfilter} {sctp} {tcp} {udp6} {unix} {route}"));
    for refused in [vsock, packet, algorithm, bluetooth] {
        assert!(
            went.output.contains(&format!("{refused}: EAFNOSUPPORT")),
            "{refused}: {went:?}"
        );
    }
    assert!(went.output.contains(&format!("{raw}: EPERM")), "{went:?}");
    assert!(went.output.contains(&format!("{icmp}: EACCES")), "{went:?}");
    for refused in [netfilter, sctp] {
        assert!(
            went.output.contains(&format!("{refused}: EPROTONOSUPPORT")),
            "{refused}: {went:?}"
        );
    }
    for allowed in [tcp, udp6, unix, route] {
        assert!(
            went.output.contains(&format!("{allowed}: ok")),
            "{allowed}: {went:?}"
        );
    }
}

fn dangerous_system_calls_are_refused() {
    if std::env::consts::ARCH != "x86_64" || !PathBuf::from("/usr/bin/python3").exists() {
        return println!("       (no python to make the calls with, or another architecture)");
    }
    let script = r#"/usr/bin/python3 -c '
import ctypes, errno
c = ctypes.CDLL(None, use_errno=True)
def call(name, *a):
    ctypes.set_errno(0)
    r = c.syscall(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    print(name, "ok" if r >= 0 else errno.errorcode[ctypes.get_errno()])
call("io_uring_setup", 425, 1, 0)
call("bpf", 321, 0, 0, 0)
call("keyctl", 250, 0, -3, 1)
call("userfaultfd", 323, 0)
call("perf_event_open", 298, 0, 0, -1, -1, 0)
call("clone3", 435, 0, 0)
call("openat2", 437, 0, 0, 0, 0)
call("clone newuser", 56, 0x10000011, 0, 0, 0, 0)
call("tiocsti", 16, 0, 0x5412, b"x")
call("tiocsti high bits", 16, 0, 0x100005412, b"x")
call("prctl set_mm_map_size", 157, 35, 15, ctypes.create_string_buffer(8), 0, 0)
call("prctl set_name", 157, 15, b"x", 0, 0, 0)
call("x32 getpid", 0x40000000 + 39)
call("getpid", 39)
call("memfd_create", 319, b"x", 0)
'"#;
    let went = Ground::new().run(script);
    let expected = "io_uring_setup ENOSYS\nbpf EPERM\nkeyctl EPERM\nuserfaultfd EPERM\nperf_event_open EPERM\nclone3 ENOSYS\n\
        openat2 ENOSYS\nclone newuser EPERM\ntiocsti EPERM\ntiocsti high bits EPERM\nprctl set_mm_map_size EPERM\nprctl set_name ok\nx32 getpid ENOSYS\ngetpid ok\nmemfd_create ok\n";
    assert_eq!(went.output, expected);
}

fn sockets_of_the_host_in_the_project_are_covered() {
    let ground = Ground::new();
    let path = ground.project.join("agent.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let went = ground.run("$ME --attempt path=agent.sock own-path=own.sock");
    assert!(
        went.output.contains("path=agent.sock: E") && went.output.contains("own-path=own.sock: ok"),
        "{went:?}"
    );
    let mut spec = ground.spec("true");
    spec.mounts.push(Mount {
        path,
        writable: false,
    });
    let refused = Prepared::new(spec).map(drop).unwrap_err();
    assert!(
        matches!(refused, PrepareError::Spec(SpecError::Socket { .. })),
        "{refused:?}"
    );
}

fn abstract_sockets_of_the_host_do_not_exist() {
    let name = format!("outwall-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let went = Ground::new().run(&format!("$ME --attempt abstract={name} own-abstract"));
    assert!(went.output.contains("ECONNREFUSED"), "{went:?}");
    assert!(went.output.contains("own-abstract: ok"), "{went:?}");
}

fn namespaces_are_refused_unless_asked_for() {
    let ground = Ground::new();
    let went = ground.run("$ME --attempt mount setns; for kind in -U -Un -Um -n -m -p; do unshare $kind true && echo made $kind; done");
    assert!(
        went.output.contains("mount: EPERM") && went.output.contains("setns: EPERM"),
        "{went:?}"
    );
    assert!(!went.output.contains("made"), "{went:?}");
    let mut nested = ground.spec("unshare -Ur id -u; unshare -Urn $ME --attempt connect=1.2.3.4:80 udp=8.8.8.8:53; unshare -n true || echo kept");
    nested.nested_namespaces = true;
    let went = run(nested);
    assert!(went.output.starts_with("0\n"), "{went:?}");
    assert_eq!(
        went.output.matches("ENETUNREACH").count(),
        2,
        "a child network namespace leads nowhere: {went:?}"
    );
    assert!(
        went.output.contains("kept") && went.captured.is_empty(),
        "{went:?}"
    );
}

fn the_network_cannot_be_changed_from_inside() {
    let attack = "ip link set lo down; ip route flush table local; ip addr add 1.1.1.1/8 dev lo; ip link add x type dummy; nft flush ruleset; $ME --attempt connect=1.2.3.4:80";
    for (root, nested) in [(false, false), (true, false), (true, true)] {
        if root && nested && is_root() {
            continue; // such a sandbox is refused
        }
        let ground = Ground::new();
        let mut spec = ground.spec(attack);
        (spec.root, spec.nested_namespaces) = (root, nested);
        let went = run(spec);
        assert!(went.output.contains("connect=1.2.3.4:80: ok"), "{went:?}");
        assert_eq!(went.captured, ["1.2.3.4:80".parse().unwrap()], "{went:?}");
    }
}

fn the_command_has_no_capabilities() {
    let went = Ground::new().run("grep -E 'Cap|NoNewPrivs|^Seccomp:' /proc/self/status");
    assert_eq!(went.output.matches("0000000000000000").count(), 5, "{went:?}");
    assert!(
        went.output.contains("NoNewPrivs:\t1") && went.output.contains("Seccomp:\t2"),
        "{went:?}"
    );
}

fn root_inside_has_five_capabilities() {
    let ground = Ground::new();
    let mut spec = ground.spec("id -u; grep -E 'Cap(Eff|Bnd)' /proc/self/status; touch /etc/made && chmod 600 /etc/made && ls /etc/made; mount -t tmpfs x /mnt || echo refused");
    spec.root = true;
    let went = run(spec);
    assert!(went.output.starts_with("0\n"), "{went:?}");
    assert_eq!(went.output.matches("00000000000000cb").count(), 2, "{went:?}");
    assert!(
        went.output.contains("/etc/made") && went.output.contains("refused"),
        "{went:?}"
    );
    assert!(!PathBuf::from("/etc/made").exists());
}

fn the_hosts_secrets_do_not_exist() {
    let ground = Ground::new();
    for secret in [
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".config/gh/hosts.yml",
        ".netrc",
        ".npmrc",
        ".cargo/credentials.toml",
    ] {
        let path = ground.home.join(secret);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "secret").unwrap();
    }
    let went = ground.run("ls -A $HOME; cat /etc/shadow /etc/gshadow; ls /etc/ssh /etc/ssl/private /boot /srv; find / -name 'id_ed25519' 2>/dev/null; ls -d /etc/passwd");
    assert!(
        !went.output.contains("secret")
            && !went.output.contains("id_ed25519")
            && !went.output.contains("root:"),
        "{went:?}"
    );
    assert!(went.output.contains("/etc/passwd"));
}

fn the_hosts_processes_and_environment_do_not_exist() {
    let ground = Ground::new();
    let went = ground.run("ls -d /proc/[0-9]* | wc -l; env | sort; hostname");
    let mut lines = went.output.lines();
    assert!(lines.next().unwrap().parse::<u32>().unwrap() <= 6, "{went:?}");
    let names: Vec<&str> = lines
        .clone()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert!(
        names
            .iter()
            .all(|name| ["HOME", "ME", "PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)),
        "{went:?}"
    );
    assert_eq!(lines.next_back(), Some("outwall"));
}

fn what_is_written_belongs_to_the_hosts_user() {
    let ground = Ground::new();
    if is_root() {
        std::os::unix::fs::chown(&ground.project, Some(1234), Some(1234)).unwrap();
    }
    let owner = fs::metadata(&ground.project).unwrap().uid();
    for root in [false, true] {
        let mut spec =
            ground.spec("pwd; mkdir -p made && echo text > made/file && stat -c %u made/file && id -u");
        spec.root = root;
        let went = run(spec);
        let [directory, seen, id] = went.output.lines().collect::<Vec<_>>()[..] else {
            panic!("{went:?}")
        };
        assert_eq!(directory, ground.project.to_str().unwrap());
        assert_eq!(seen, id, "{went:?}");
        assert_eq!(
            fs::metadata(ground.project.join("made/file")).unwrap().uid(),
            owner
        );
        fs::remove_dir_all(ground.project.join("made")).unwrap();
    }
}

fn hooks_cannot_be_planted() {
    let ground = Ground::new();
    ground.write(".git/config", "[core]\n");
    ground.write(".git/HEAD", "ref: refs/heads/main\n");
    ground.write("outwall.toml", "# mine\n");
    let attack = "
        for path in .git/hooks/post-checkout .git/config .git/commondir .claude/settings.json .vscode/tasks.json outwall.toml; do
            mkdir -p $(dirname $path); echo evil > $path && echo wrote $path; rm -f $path && echo removed $path
        done
        mv .git other && echo renamed .git; rm -rf .git/hooks; ln -s /tmp .git/hooks/x; mv .claude c && echo renamed .claude
        echo fine > .git/index && echo fine > ordinary && echo done";
    let went = ground.run(attack);
    assert!(
        !went.output.contains("wrote") && !went.output.contains("renamed"),
        "{went:?}"
    );
    assert!(went.output.contains("done"), "{went:?}");
    assert_eq!(
        fs::read_to_string(ground.project.join(".git/config")).unwrap(),
        "[core]\n"
    );
    assert_eq!(
        fs::read_to_string(ground.project.join("outwall.toml")).unwrap(),
        "# mine\n"
    );
    assert_eq!(
        fs::read_to_string(ground.project.join("ordinary")).unwrap(),
        "fine\n"
    );
    for held in [".git/hooks", ".git/commondir", ".claude", ".vscode"] {
        assert!(!ground.project.join(held).exists(), "{held} was only held");
    }
    let mut left = ground.spec("mkdir -p .vscode && echo mine > .vscode/tasks.json && echo done");
    left.unprotected.push(".vscode".into());
    assert_eq!(run(left).output, "done\n");
}

fn protection_outlives_a_second_sandbox_in_the_same_directory() {
    let ground = Ground::new();
    for (same_state, slow) in [(true, false), (false, false), (false, true)] {
        let first = Prepared::new(ground.spec(if slow { "sleep 0.3" } else { "true" })).unwrap();
        let mut spec = ground.spec(
            "sleep 0.6; mkdir -p .claude; echo evil > .claude/settings.json && echo wrote > result; true",
        );
        if !same_state {
            spec.state_dir = ground.home.join("other-state");
        }
        let second = Prepared::new(spec).unwrap().start().unwrap();
        assert_eq!(first.start().unwrap().wait().unwrap(), Exit::Code(0));
        assert_eq!(second.wait().unwrap(), Exit::Code(0));
        assert!(!ground.project.join("result").exists());
        assert!(!ground.project.join(".claude/settings.json").exists());
        sweep(&ground.state).unwrap();
        assert!(!ground.project.join(".claude").exists());
    }
}

fn many_sandboxes_start_in_one_directory_at_once() {
    let ground = Ground::new();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let attack = "for held in .claude .git refs commondir; do mkdir $held/x && touch result; rmdir $held && touch result; done 2>/dev/null; true";
                let prepared = Prepared::new(ground.spec(attack));
                let running = prepared
                    .unwrap_or_else(|error| panic!("{}", chain(&error)))
                    .start()
                    .unwrap_or_else(|error| panic!("{}", chain(&error)));
                assert_eq!(running.wait().unwrap(), Exit::Code(0));
            });
        }
    });
    // A thread that starts a process holds the locks of all for a moment, so one may have had to leave its places to the next.
    sweep(&ground.state).unwrap();
    let left: Vec<_> = fs::read_dir(&ground.project).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Runs git in `directory` of the host as people do, and says whether it executed what was planted there.
fn git_executes_what_was_planted(directory: &Path, planted: &Path) -> bool {
    for arguments in [
        &["status"][..],
        &["diff"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-qam",
            "x",
            "--allow-empty",
        ],
    ] {
        drop(
            std::process::Command::new("git")
                .current_dir(directory)
                .args(arguments)
                .env("HOME", "/nonexistent")
                .output(),
        );
    }
    planted.join("executed").exists()
}

/// What a sandbox might leave so that git executes it: each in a directory of its own, which `prepare` makes into what the host has.
const PLANTS: [(&str, &str, &str); 7] = [
    (
        "a repository",
        "",
        "git init -q; git config core.fsmonitor $PWD/payload",
    ),
    (
        "a directory laid out as a repository",
        "",
        "mkdir objects refs; echo 'ref: refs/heads/m' > HEAD; printf '[core]\nrepositoryformatversion=0\nbare=false\nworktree=%s\nfsmonitor=%s\n' $PWD $PWD/payload > config",
    ),
    (
        "the same beside a repository made invalid",
        "git init -q",
        "rm .git/HEAD; mkdir objects refs; echo 'ref: refs/heads/m' > HEAD; printf '[core]\nrepositoryformatversion=0\nbare=false\nworktree=%s\nfsmonitor=%s\n' $PWD $PWD/payload > config",
    ),
    (
        "configuration of a worktree",
        "git init -q; git config extensions.worktreeConfig true",
        "git config --worktree core.fsmonitor $PWD/payload || printf '[core]\nfsmonitor=%s\n' $PWD/payload > .git/config.worktree",
    ),
    (
        "hooks where the configuration says",
        "git init -q; git config core.hooksPath tools/hooks; mkdir -p tools/hooks",
        "cp payload tools/hooks/pre-commit || mv tools t && mkdir -p tools/hooks && cp payload tools/hooks/pre-commit",
    ),
    (
        "hooks where the configuration says and nothing is",
        "git init -q; git config core.hooksPath .husky/_",
        "mkdir -p .husky/_; cp payload .husky/_/pre-commit",
    ),
    (
        "included configuration",
        "git init -q; git config include.path ../team.inc; touch team.inc",
        "printf '[core]\nfsmonitor=%s\n' $PWD/payload > team.inc; mv team.inc x; printf '[core]\nfsmonitor=%s\n' $PWD/payload > team.inc",
    ),
];

fn git_on_the_host_executes_nothing_that_was_planted() {
    const PAYLOAD: &str = "printf '#!/bin/sh\ntouch %s/executed\n' $PWD > payload; chmod +x payload; export HOME=/nonexistent; ";
    let shell = |directory: &Path, script: &str| {
        let status = std::process::Command::new("sh")
            .current_dir(directory)
            .args(["-c", script])
            .env("HOME", "/nonexistent")
            .stderr(std::process::Stdio::null())
            .status();
        status.unwrap();
    };
    if std::process::Command::new("git")
        .arg("--version")
        .output()
        .is_err()
    {
        return println!("       (no git here)");
    }
    for (what, host, plant) in PLANTS {
        let plant = format!("{PAYLOAD}{plant}; true");
        let twin = Ground::new();
        shell(&twin.project, host);
        shell(&twin.project, &plant);
        assert!(
            git_executes_what_was_planted(&twin.project, &twin.project),
            "{what}: the twin shows nothing"
        );
        let ground = Ground::new();
        shell(&ground.project, host);
        let went = ground.run(&plant);
        assert!(ground.project.join("payload").exists(), "{what}: {went:?}");
        assert!(
            !git_executes_what_was_planted(&ground.project, &ground.project),
            "{what}: {went:?}"
        );
    }
}

fn a_worktree_elsewhere_obeys_nothing_that_was_planted() {
    let ground = Ground::new();
    let elsewhere = ground.home.join("elsewhere");
    let made = format!(
        "git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git worktree add -q {}",
        elsewhere.display()
    );
    let host = |script: &str| {
        let mut command = std::process::Command::new("sh");
        command
            .current_dir(&ground.project)
            .args(["-c", script])
            .env("HOME", "/nonexistent");
        command.output().is_ok_and(|output| output.status.success())
    };
    if !host(&made) {
        return println!("       (no git here)");
    }
    let plant = "printf '#!/bin/sh\ntouch %s/executed\n' $PWD > payload; chmod +x payload; cp -r .git evil; printf '[core]\nfsmonitor=%s\n' $PWD/payload >> evil/config
        echo $PWD/evil > .git/worktrees/elsewhere/commondir
        mv .git/worktrees/elsewhere .git/worktrees/e && cp -r .git/worktrees/e .git/worktrees/elsewhere && echo $PWD/evil > .git/worktrees/elsewhere/commondir; true";
    let went = ground.run(plant);
    assert!(
        !git_executes_what_was_planted(&elsewhere, &ground.project),
        "{went:?}"
    );
    assert!(host(plant));
    assert!(
        git_executes_what_was_planted(&elsewhere, &ground.project),
        "the twin shows nothing"
    );
}

fn hooks_that_cannot_be_protected_are_refused_and_left_on_request() {
    let ground = Ground::new();
    ground.write(".git/config", "[core]\nhooksPath = .\n");
    let refused = Prepared::new(ground.spec("true")).map(drop).unwrap_err();
    assert!(
        matches!(refused, PrepareError::Spec(SpecError::Obeyed { .. })),
        "{refused:?}"
    );
    ground.write(".git/config", "[core]\nhooksPath = hooks\n");
    ground.write("hooks/pre-commit", "mine");
    assert!(
        ground
            .run("echo x > hooks/pre-commit || echo kept")
            .output
            .ends_with("kept\n")
    );
    let mut left = ground.spec("echo x > hooks/pre-commit && echo written");
    left.mounts.push(Mount {
        path: ground.project.join("hooks"),
        writable: true,
    });
    assert_eq!(run(left).output, "written\n");
}

fn git_works_in_a_protected_repository() {
    let ground = Ground::new();
    let git = |arguments: &[&str]| {
        std::process::Command::new("git")
            .current_dir(&ground.project)
            .args(arguments)
            .output()
    };
    if git(&["init", "-q", "-b", "main"]).is_err() {
        return println!("       (no git here)");
    }
    let went = ground.run("export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; echo x > f && git add f && git commit -qm first && git checkout -qb other && git status --porcelain && git log --oneline | wc -l && git worktree add -q w 2>&1 && git gc -q && echo done");
    assert!(went.output.ends_with("1\ndone\n"), "{went:?}");
    assert!(!ground.project.join(".git/commondir").exists());
}

fn env_files_behind_links_are_empty_and_more_than_can_be_looked_at_is_told() {
    let ground = Ground::new();
    ground.write("secrets/app", "TOKEN=1");
    ground.write("public", "readme");
    std::os::unix::fs::symlink("secrets/app", ground.project.join(".env")).unwrap();
    std::os::unix::fs::symlink("/nowhere", ground.project.join(".env.local")).unwrap();
    let prepared = Prepared::new(ground.spec("true")).unwrap();
    assert_eq!(prepared.notices(), [""; 0]);
    drop(prepared);
    let went = ground.run("cat .env secrets/app public");
    assert_eq!(went.output, "readme");
    for number in 0..4100 {
        fs::create_dir(ground.project.join(number.to_string())).unwrap();
    }
    let prepared = Prepared::new(ground.spec("true")).unwrap();
    assert!(prepared.notices()[0].contains("more than 4096 directories"));
}

fn env_files_are_empty_unless_left() {
    let ground = Ground::new();
    ground.write(".env", "TOKEN=1");
    ground.write("api/.env.local", "TOKEN=2");
    ground.write(".env.example", "TOKEN=");
    let went = ground.run("cat .env api/.env.local; echo X > .env; cat .env.example");
    assert!(
        went.output.ends_with("TOKEN=")
            && !went.output.contains("TOKEN=1")
            && !went.output.contains("TOKEN=2"),
        "{went:?}"
    );
    assert_eq!(
        fs::read_to_string(ground.project.join(".env")).unwrap(),
        "TOKEN=1"
    );
    let mut left = ground.spec("cat .env api/.env.local");
    left.unprotected.push(".env".into());
    left.mounts.push(Mount {
        path: ground.project.join("api/.env.local"),
        writable: false,
    });
    assert_eq!(run(left).output, "TOKEN=1TOKEN=2");
}

/// What of the host could run as somebody else: permission bits of files in the project.
fn special_bits(ground: &Ground) -> Vec<String> {
    let left = fs::read_dir(&ground.project).unwrap().flatten();
    let special = left.filter(|entry| entry.metadata().unwrap().permissions().mode() & 0o6000 != 0);
    special
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn setuid_files_cannot_be_left_behind() {
    let ground = Ground::new();
    let went = ground.run("cp /bin/true t; chmod 4755 t || echo refused; chmod 2755 t || echo refused; chmod u+s t || echo refused; install -m 4755 /bin/true u || echo refused; chmod 755 t && echo allowed");
    assert_eq!(went.output.matches("refused\n").count(), 4, "{went:?}");
    assert!(went.output.ends_with("allowed\n"));
    assert_eq!(special_bits(&ground), [""; 0]);
}

fn root_of_a_sandbox_gets_the_other_bits_where_it_asks_for_setuid() {
    let ground = Ground::new();
    let script = "cp /bin/true t; chmod 600 t; chmod 6755 t && stat -c %a t
        install -m 4711 /bin/true $PWD/u && stat -c %a u
        cp t v; mkdir d; cd d; chmod 2750 ../v && stat -c %a ../v; chmod 2770 . && stat -c %a .; cd ..
        tar cf a.tar --mode=6755 t && rm t && tar xpf a.tar && stat -c %a t
        chmod 4755 missing 2>&1 | grep -c 'No such file'; ln -s t link; chmod 4700 link; stat -c %a t; ps ax 2>/dev/null | grep -c '[o]utwall-keeper'";
    let mut spec = ground.spec(script);
    spec.root = true;
    let went = run(spec);
    let wanted = "755\n711\n750\n770\n755\n1\n700\n";
    assert!(went.output.starts_with(wanted), "{went:?}");
    assert_eq!(special_bits(&ground), [""; 0]);
}

fn the_keeper_acts_as_who_asks() {
    let ground = Ground::new();
    let mut spec = ground.spec("cd /tmp; touch own; chmod 600 own; setpriv --reuid 42 --regid 42 --clear-groups true || { echo alone; exit; }
        mkdir theirs; chown 42:42 theirs; cd theirs; setpriv --reuid 42 --regid 42 --clear-groups sh -c 'chmod 4777 ../own; touch f && chmod 4711 f && stat -c %a f'; stat -c %a ../own");
    spec.root = true;
    let went = run(spec);
    if went.output.ends_with("alone\n") {
        assert!(!is_root(), "{went:?}");
        return println!("       (only one user in the sandbox here)");
    }
    assert!(went.output.contains("not permitted"), "{went:?}");
    assert!(went.output.ends_with("\n711\n600\n"), "{went:?}");
}

fn the_keeper_cannot_be_touched_and_without_it_nothing_is_done() {
    let ground = Ground::new();
    let mut spec = ground.spec("k=$(grep -l outwall-keeper /proc/[0-9]*/comm | cut -d/ -f3); test -n \"$k\" && echo found
        cat /proc/$k/environ /proc/$k/mem /proc/$k/maps > /dev/null && echo read; ls /proc/$k/fd /proc/$k/root && echo listed
        touch t; kill -9 $k; sleep 0.2; chmod 4755 t || echo refused; chmod 755 t && echo allowed");
    spec.root = true;
    let went = run(spec);
    assert!(
        went.output.starts_with("found\n") && went.output.ends_with("refused\nallowed\n"),
        "{went:?}"
    );
    assert!(
        !went.output.contains("read\n") && !went.output.contains("listed\n"),
        "{went:?}"
    );
    assert_eq!(special_bits(&ground), [""; 0]);
}

fn no_way_of_making_a_file_gives_it_special_bits() {
    if std::env::consts::ARCH != "x86_64" || !PathBuf::from("/usr/bin/python3").exists() {
        return println!("       (no python to make the calls with, or another architecture)");
    }
    let script = r#"/usr/bin/python3 -c '
import ctypes, os
def attempt(name, call):
    try: call(); print(name, "done")
    except OSError as error: print(name, error.errno)
def temporary(name, mode):
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, mode)
    if ctypes.CDLL(None).linkat(-100, b"/proc/self/fd/%d" % fd, -100, name.encode(), 0x400): raise OSError(0, "linkat")
os.umask(0)
for mode in 0o4755, 0o2755, 0o755:
    name = "%o" % mode
    attempt("open" + name, lambda: os.open("open" + name, os.O_CREAT | os.O_WRONLY, mode))
    attempt("temporary" + name, lambda: temporary("temporary" + name, mode))
    attempt("mknod" + name, lambda: os.mknod("mknod" + name, 0o100000 | mode))
    attempt("device" + name, lambda: os.mknod("device" + name, 0o20000 | mode, os.makedev(1, 3)))
'"#;
    for root in [false, true] {
        let ground = Ground::new();
        let mut spec = ground.spec(script);
        spec.root = root;
        let went = run(spec);
        assert_eq!(special_bits(&ground), [""; 0], "{went:?}");
        for name in ["open755", "temporary755", "mknod755"] {
            assert!(went.output.contains(&format!("{name} done")), "{went:?}");
        }
        assert!(
            !ground.project.join("device755").exists(),
            "a device of the host: {went:?}"
        );
    }
}

fn files_of_the_host_get_no_capabilities() {
    let script = r#"cp /bin/true t; /usr/bin/python3 -c '
import os, struct
caps = struct.pack("<5I", 0x02000001, 1 << 21, 0, 0, 0)
for name, value in (("security.capability", caps), ("user.note", b"x")):
    try: os.setxattr("t", name, value); print(name, "set")
    except OSError as error: print(name, "refused")
'"#;
    if !PathBuf::from("/usr/bin/python3").exists() {
        return println!("       (no python to make the calls with)");
    }
    for (nested, prefix) in [(false, ""), (true, "unshare -Ur ")] {
        let ground = Ground::new();
        let mut spec = ground.spec(&script.replace("/usr/bin/python3", &format!("{prefix}/usr/bin/python3")));
        spec.nested_namespaces = nested;
        let went = run(spec);
        assert!(went.output.contains("security.capability refused"), "{went:?}");
        // The twin: attributes that give nothing, where there is nobody with capabilities.
        assert_eq!(went.output.contains("user.note set"), !nested, "{went:?}");
    }
}

fn root_of_a_sandbox_reads_of_the_system_what_everybody_may() {
    if !is_root() {
        return;
    }
    let ground = Ground::new();
    for parent in ["/opt", "/usr/local/etc"] {
        fs::create_dir_all(parent).unwrap();
        let made = tempfile::tempdir_in(parent).unwrap();
        fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (path, mode) in [
            ("deep/key", 0o640),
            ("deep/readme", 0o644),
            ("closed/notes", 0o644),
        ] {
            let path = made.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("text of {}", path.display())).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(made.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut spec = ground.spec(&format!(
            "cd {}; cat deep/key closed/notes; ls closed; cat deep/readme && echo over > deep/key && cat deep/key && rm deep/key && cat deep/key; stat -c %a-%u deep",
            made.path().display()
        ));
        spec.root = true;
        let went = run(spec);
        assert!(
            !went.output.contains("key\n") && !went.output.contains("notes\n"),
            "{went:?}"
        );
        assert!(
            !went.output.contains("text of") || went.output.matches("text of").count() == 1,
            "{went:?}"
        );
        assert!(went.output.contains("deep/readmeover\n"), "{went:?}");
        assert!(went.output.ends_with("755-0\n"), "{went:?}");
        let kept = fs::read_to_string(made.path().join("deep/key")).unwrap();
        assert!(kept.starts_with("text of"), "the host's own is as it was");
    }
}

fn root_that_may_make_namespaces_is_not_made_for_the_hosts_root() {
    let ground = Ground::new();
    let mut spec = ground.spec("true");
    (spec.root, spec.nested_namespaces) = (true, true);
    match Prepared::new(spec) {
        Err(PrepareError::Spec(SpecError::RootWithNamespaces)) => assert!(is_root()),
        prepared => assert!(prepared.is_ok() && !is_root()),
    }
}

fn a_link_in_place_of_a_protected_directory_is_refused() {
    let ground = Ground::new();
    std::os::unix::fs::symlink("/tmp", ground.project.join(".claude")).unwrap();
    let refused = Prepared::new(ground.spec("true")).unwrap_err();
    assert!(
        matches!(refused, PrepareError::Spec(SpecError::ProtectedLink { .. })),
        "{refused:?}"
    );
    let mut left = ground.spec("true");
    left.unprotected.push(".claude".into());
    assert_eq!(run(left).exit, Exit::Code(0));
}

fn dangerous_working_directories_are_refused() {
    let ground = Ground::new();
    let inside_state = ground.state.join("inside");
    fs::create_dir(&inside_state).unwrap();
    let above = ground.home.parent().unwrap().to_owned();
    for directory in [
        "/".into(),
        "/tmp".into(),
        "/usr".into(),
        "/etc".into(),
        ground.home.clone(),
        above,
        inside_state,
    ] {
        let mut spec = ground.spec("true");
        spec.working_directory.clone_from(&directory);
        let refused = Prepared::new(spec).map(drop).unwrap_err();
        assert!(
            matches!(refused, PrepareError::Spec(SpecError::Refused { .. })),
            "{}: {refused:?}",
            directory.display()
        );
        assert!(refused.to_string().contains("hint: "), "{refused}");
    }
    let below_home = ground.home.join("code");
    fs::create_dir(&below_home).unwrap();
    let mut spec = ground.spec("true");
    spec.working_directory = below_home;
    assert_eq!(run(spec).exit, Exit::Code(0));
}

fn a_kept_home_is_kept_and_a_fresh_one_is_not() {
    let ground = Ground::new();
    let kept = ground.state.join("homes/one");
    let script =
        "cat $HOME/note 2>/dev/null || echo empty; echo note > $HOME/note; test -O $HOME && echo own";
    for expected in ["empty\nown\n", "note\nown\n"] {
        let mut spec = ground.spec(script);
        spec.home = Home::Kept(kept.clone());
        assert_eq!(run(spec).output, expected);
    }
    for _ in 0..2 {
        assert_eq!(ground.run(script).output, "empty\nown\n");
    }
}

fn a_kept_home_cannot_redirect_our_files() {
    let ground = Ground::new();
    let (kept, outside) = (ground.state.join("kept"), ground.write("outside", "untouched"));
    fs::create_dir(&kept).unwrap();
    std::os::unix::fs::symlink(&outside, kept.join("placed")).unwrap();
    std::os::unix::fs::symlink("/etc", kept.join("directory")).unwrap();
    let place = |name: &str| {
        let mut spec = ground.spec("cat $HOME/placed");
        spec.home = Home::Kept(kept.clone());
        spec.files.push(PlacedFile {
            path: ground.home.join(name),
            contents: b"ours".to_vec(),
            mode: 0o644,
        });
        spec
    };
    assert_eq!(run(place("placed")).output, "ours", "the link itself is replaced");
    assert_eq!(fs::read_to_string(outside).unwrap(), "untouched");
    let prepared = Prepared::new(place("directory/placed")).map_err(|error| chain(&error));
    let started = prepared.and_then(|prepared| prepared.start().map(drop).map_err(|error| chain(&error)));
    assert!(started.unwrap_err().contains("in the way"));
}

fn mounts_appear_as_asked() {
    let ground = Ground::new();
    let other = ground.home.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "text").unwrap();
    for (writable, expected) in [(false, "text"), (true, "textwrote\n")] {
        let mut spec =
            ground.spec("cat $HOME/other/file; (echo > $HOME/other/new) 2>/dev/null && echo wrote; true");
        spec.mounts.push(Mount {
            path: other.clone(),
            writable,
        });
        assert_eq!(run(spec).output, expected);
        assert_eq!(other.join("new").exists(), writable);
    }
}

fn a_mount_appears_by_the_name_that_it_was_asked_for_by() {
    let ground = Ground::new();
    let real = ground.home.join("real");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("file"), "text").unwrap();
    let given = ground.home.join("given");
    std::os::unix::fs::symlink(&real, &given).unwrap();
    for home in [
        Home::Fresh,
        Home::Kept(ground.state.join("homes/a")),
        Home::Kept(ground.state.join("homes/a")),
    ] {
        let mut spec = ground.spec("cat $HOME/given/file $HOME/real/file");
        spec.home = home;
        spec.mounts.push(Mount {
            path: given.clone(),
            writable: false,
        });
        assert_eq!(run(spec).output, "texttext");
    }
    let mut file = ground.spec("echo more >> $HOME/real/file; cat $HOME/real/file");
    file.mounts.push(Mount {
        path: real.join("file"),
        writable: true,
    });
    assert_eq!(run(file).output, "textmore\n");
}

fn the_state_is_seen_by_no_mount_and_in_no_directory_of_the_system() {
    let ground = Ground::new();
    fs::create_dir(ground.state.join("ca")).unwrap();
    fs::write(ground.state.join("ca/key"), "secret").unwrap();
    let beside = ground.home.join("beside");
    fs::create_dir(&beside).unwrap();
    for (mount, refused) in [
        (ground.state.clone(), true),
        (ground.state.join("ca"), true),
        (ground.state.parent().unwrap().to_owned(), true),
        (beside, false),
    ] {
        let mut spec = ground.spec("true");
        spec.mounts.push(Mount {
            path: mount,
            writable: false,
        });
        let prepared = Prepared::new(spec).map(drop);
        assert_eq!(
            matches!(prepared, Err(PrepareError::Spec(SpecError::Refused { .. }))),
            refused,
            "{prepared:?}"
        );
    }
    if !is_root() {
        return;
    }
    let state = tempfile::tempdir_in("/opt").unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(state.path().join("key"), "secret").unwrap();
    for root in [false, true] {
        let mut spec = ground.spec(&format!("cat {}/key; ls -d {0}", state.path().display()));
        state.path().clone_into(&mut spec.state_dir);
        spec.root = root;
        let went = run(spec);
        assert!(
            !went.output.contains("secret") && went.output.contains("/opt/"),
            "{went:?}"
        );
    }
}

fn homes_are_known_whatever_the_variable_says() {
    let ground = Ground::new();
    let table = fs::read_to_string("/etc/passwd").unwrap();
    let homes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let uid: u32 = fields[2].parse().ok()?;
        let home = PathBuf::from(fields[5]);
        ((uid == 0 || uid == 1000) && home.is_dir()).then_some(home)
    });
    for home in homes {
        let mut spec = ground.spec("true");
        spec.working_directory = home;
        let refused = Prepared::new(spec).map(drop).unwrap_err();
        assert!(
            matches!(
                refused,
                PrepareError::Spec(SpecError::Refused { .. } | SpecError::Missing { .. })
            ),
            "{refused:?}"
        );
    }
}

fn placed_files_replace_links_and_files_of_the_system() {
    let ground = Ground::new();
    let mut spec = ground.spec("cat /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/new/deep/file $HOME/.pki/nssdb/db /usr/share/doc-of-ours/file /usr/bin/true; ls /etc/ssl/certs | wc -l; echo x >> /etc/new/deep/file");
    let paths = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/cert.pem",
        "/etc/new/deep/file",
        "/usr/share/doc-of-ours/file",
        "/usr/bin/true",
    ]
    .map(PathBuf::from);
    for path in paths.into_iter().chain([ground.home.join(".pki/nssdb/db")]) {
        spec.files.push(PlacedFile {
            path,
            contents: b"placed\n".to_vec(),
            mode: 0o644,
        });
    }
    let went = run(spec);
    assert_eq!(went.output.matches("placed\n").count(), 6, "{went:?}");
    assert!(
        went.output.contains("cannot create /etc/new/deep/file"),
        "{went:?}"
    );
}

fn files_of_ours_replace_nothing_of_the_host() {
    let ground = Ground::new();
    let theirs = ground.home.join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("there"), "the host's").unwrap();
    let mut spec = ground.spec("cat $HOME/theirs/there; test -e $HOME/theirs/absent || echo absent; echo x > $HOME/theirs/new && echo writable");
    spec.mounts.push(Mount {
        path: theirs.clone(),
        writable: true,
    });
    for name in ["there", "absent"] {
        spec.files.push(PlacedFile {
            path: theirs.join(name),
            contents: b"ours\n".to_vec(),
            mode: 0o644,
        });
    }
    assert_eq!(run(spec).output, "ours\nabsent\nwritable\n");
    assert_eq!(fs::read_to_string(theirs.join("there")).unwrap(), "the host's");
    assert!(!theirs.join("absent").exists());
}

fn toolchains_on_the_path_run_and_credentials_do_not_show() {
    let ground = Ground::new();
    let bin = ground.home.join(".cargo/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("tool"), "#!/bin/sh\necho tool\n").unwrap();
    fs::set_permissions(bin.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(ground.home.join(".cargo/credentials.toml"), "token").unwrap();
    let mut spec = ground.spec("tool; cat $HOME/.cargo/credentials.toml; echo more > $HOME/.cargo/bin/added && echo writable; touch $HOME/.cargo/config.toml && echo own");
    spec.variables[0].1 = format!("{}:/usr/bin:/bin", bin.display()).into();
    let went = run(spec);
    assert!(
        went.output.starts_with("tool\n")
            && went.output.ends_with("writable\nown\n")
            && !went.output.contains("token"),
        "{went:?}"
    );
    assert!(!bin.join("added").exists() && !ground.home.join(".cargo/config.toml").exists());
    assert!(!ground.run("ls $HOME/.cargo").output.contains("bin"));
}

fn files_as_standard_streams_cannot_be_opened_again() {
    let ground = Ground::new();
    let (input, output) = (ground.home.join("input"), ground.home.join("output"));
    fs::write(&input, "first\nsecond\n").unwrap();
    fs::write(&output, "before\n").unwrap();
    let launch = |script: &str, stdin: fs::File| {
        let out = fs::File::options().append(true).open(&output).unwrap();
        std::process::Command::new(std::env::current_exe().unwrap())
            .arg("--launch-script")
            .env("GROUND", ground.project.parent().unwrap())
            .env("SCRIPT", script)
            .stdin(stdin)
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .status()
            .unwrap()
    };
    let script = "cat; echo complaint >&2; echo end; for number in 0 1 2; do stat -Lc %F /proc/self/fd/$number > kind$number; done; (: > /proc/self/fd/0) 2>/dev/null; true";
    assert!(launch(script, fs::File::open(&input).unwrap()).success());
    assert_eq!(fs::read_to_string(&input).unwrap(), "first\nsecond\n");
    assert_eq!(
        fs::read_to_string(&output).unwrap(),
        "before\nfirst\nsecond\ncomplaint\nend\n"
    );
    for number in 0..3 {
        let kind = fs::read_to_string(ground.project.join(format!("kind{number}"))).unwrap();
        assert_eq!(
            kind,
            if number == 1 {
                "regular empty file\n"
            } else {
                "fifo\n"
            }
        );
    }
    let refused = launch("ls /proc/self/fd/0/", fs::File::open(&ground.home).unwrap());
    assert_eq!(refused.code(), Some(125));
    assert!(
        fs::read_to_string(&output)
            .unwrap()
            .contains("standard input is a directory")
    );
}

fn exit_codes_and_signals_pass() {
    let ground = Ground::new();
    for (script, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 42", Exit::Code(42)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -KILL $$", Exit::Signal(9)),
    ] {
        assert_eq!(ground.run(script).exit, exit);
    }
}

fn a_missing_program_is_told_from_one_that_cannot_run() {
    let ground = Ground::new();
    let start = |program: &str| {
        let mut spec = ground.spec("");
        spec.command = vec![program.into()];
        Prepared::new(spec).unwrap().start().map(drop).unwrap_err()
    };
    assert!(matches!(start("no-such-program"), StartError::NotFound { .. }));
    ground.write("text", "text");
    assert!(matches!(start("./text"), StartError::NotExecutable { .. }));
}

fn a_sandbox_can_be_ended() {
    let ground = Ground::new();
    for (script, signal, exit) in [
        (
            "trap 'exit 7' TERM; while :; do sleep 0.1; done",
            Signal::Terminate,
            Some(Exit::Code(7)),
        ),
        ("exec sleep 60", Signal::HangUp, Some(Exit::Signal(1))),
        ("trap '' TERM; exec sleep 60", Signal::Kill, Some(Exit::Signal(9))),
    ] {
        let running = Prepared::new(ground.spec(script)).unwrap().start().unwrap();
        let ender = running.ender();
        let ending = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            ender.end(signal);
        });
        let began = Instant::now();
        assert_eq!(running.wait().ok(), exit);
        assert!(began.elapsed() < Duration::from_secs(5));
        ending.join().unwrap();
    }
}

/// How many directories of runs there are.
fn runs(ground: &Ground) -> usize {
    fs::read_dir(ground.state.join("run"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .count()
}

/// How many processes of this machine have `marker` among their words.
fn running_with(marker: &str) -> usize {
    let has = |path: PathBuf| {
        fs::read(path.join("cmdline")).is_ok_and(|words| {
            words
                .split(|byte| *byte == 0)
                .any(|word| word == marker.as_bytes())
        })
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| has(entry.path()))
        .count()
}

/// A number of seconds to sleep that nobody else sleeps.
fn marker() -> String {
    format!(
        "{}.{}",
        70_000 + std::process::id(),
        Instant::now().elapsed().subsec_nanos()
    )
}

fn background_processes_end_with_the_command() {
    let marker = marker();
    let went = Ground::new().run(&format!("setsid sleep {marker} & sleep {marker} & exit 3"));
    assert_eq!(went.exit, Exit::Code(3));
    assert_eq!(running_with(&marker), 0);
}

fn nothing_runs_on_after_sudden_death_and_the_rest_is_swept() {
    let ground = Ground::new();
    let marker = marker();
    let mut child = launcher(ground.project.parent().unwrap(), &marker);
    let deadline = Instant::now() + Duration::from_secs(5);
    while running_with(&marker) < 3 + 1 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(running_with(&marker) >= 3, "they run while it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while running_with(&marker) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(running_with(&marker), 0);
    assert!(
        ground.project.join(".claude").exists(),
        "the places that were held are left"
    );
    assert_eq!(sweep(&ground.state).unwrap().removed, 1);
    assert!(!ground.project.join(".claude").exists());
    assert_eq!(runs(&ground), 0);
}

fn a_prepared_sandbox_that_is_dropped_leaves_nothing() {
    let ground = Ground::new();
    drop(Prepared::new(ground.spec("true")).unwrap());
    assert_eq!(runs(&ground), 0);
    assert_eq!(fs::read_dir(&ground.project).unwrap().count(), 0);
}

fn the_first_process_cannot_be_touched() {
    for root in [false, true] {
        let ground = Ground::new();
        let mut spec = ground.spec("kill -9 1; kill -STOP 1; cat /proc/1/environ; ls /proc/1/fd /proc/1/root; cat /proc/1/mem; cat /proc/self/environ > /dev/null && echo alive");
        spec.root = root;
        let went = run(spec);
        assert_eq!(
            (went.exit, went.output.lines().last()),
            (Exit::Code(0), Some("alive")),
            "{went:?}"
        );
        assert_eq!(went.output.matches("ermission denied").count(), 4, "{went:?}");
    }
}

fn processes_are_limited() {
    let ground = Ground::new();
    let mut spec =
        ground.spec("i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo all");
    spec.limits = Limits {
        processes: Some(30),
        memory_bytes: None,
    };
    let began = Instant::now();
    let went = run(spec);
    assert!(
        !went.output.ends_with("all\n") || began.elapsed() > Duration::from_secs(2),
        "{went:?}"
    );
    let mut spec = ground.spec("i=0; while [ $i -lt 10 ]; do sleep 0 & i=$((i+1)); done; wait; echo all");
    spec.limits = Limits {
        processes: Some(30),
        memory_bytes: None,
    };
    assert_eq!(run(spec).output, "all\n");
}

fn this_machine_can_make_sandboxes() {
    let found = probe().unwrap();
    for capability in &found {
        println!(
            "       {}: {:?}: {}{}",
            capability.subject,
            capability.state,
            capability.detail,
            capability
                .remedy
                .as_ref()
                .map(|remedy| format!(" ({remedy})"))
                .unwrap_or_default()
        );
    }
    assert!(found.iter().all(|capability| capability.state != State::Missing));
}

fn packages_install_as_root_of_a_sandbox_of_real_root() {
    if !is_root() || !PathBuf::from("/usr/bin/dpkg-deb").exists() {
        return;
    }
    let ground = Ground::new();
    ground.write("p/DEBIAN/control", "Package: outwall-test\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\nDescription: d\n");
    ground.write("p/usr/bin/outwall-test", "#!/bin/sh\necho installed\n");
    ground.write("p/var/lib/outwall-test/file", "");
    // A package with a setuid program and a setgid directory.
    for (path, mode) in [
        ("p/usr/bin/outwall-test", 0o4755),
        ("p/var/lib/outwall-test", 0o2775),
    ] {
        fs::set_permissions(ground.project.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut spec = ground.spec("dpkg-deb --build p p.deb && dpkg -i p.deb && outwall-test && stat -c %u-%a /usr/bin/outwall-test && stat -c %a /var/lib/outwall-test && apt-get check");
    spec.root = true;
    let went = run(spec);
    assert!(went.output.contains("installed\n0-755\n775\n"), "{went:?}");
    assert_eq!(went.exit, Exit::Code(0), "{went:?}");
    assert!(!PathBuf::from("/usr/bin/outwall-test").exists());
}
