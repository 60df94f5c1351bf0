//! `run --learn`.

use outwall_tests::{TestOrigin, TestResolver};

use crate::{as_each_user, outwall};

const LISTED: &str = "listed.example.test";
const NEW: &str = "new.example.test";

fn statuses(urls: &[&str]) -> String {
    let ask = |url: &&str| format!("curl -s -o /dev/null -w '%{{http_code}}\\n' --max-time 10 {url}");
    urls.iter().map(ask).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_on_no_list_is_reached_and_then_suggested() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = outwall
            .allowing(&[LISTED])
            .origin(LISTED, &origin)
            .origin(NEW, &origin);
        let script = statuses(&[&format!("https://{LISTED}/echo"), &format!("https://{NEW}/echo")]);
        let refused = outwall.shell(&["--quiet"], &script);
        assert_eq!(refused.stdout, "200\n403\n", "{refused:?}");

        let learned = outwall.shell(&["--quiet", "--learn"], &script);
        let (said, toml) = learned.stdout.split_at("200\n200\n".len());
        assert_eq!(said, "200\n200\n", "{learned:?}");
        assert!(learned.stderr.contains("LEARNING"), "{learned:?}");
        assert!(
            learned.stderr.contains("learned 1 target on no list"),
            "{learned:?}"
        );
        assert!(toml.contains("# learned, 1 request (GET)"), "{toml}");
        let by_learning = outwall
            .audit()
            .into_iter()
            .filter(|record| record["rule"] == "learn");
        assert_eq!(
            by_learning
                .map(|record| record["target"].clone())
                .collect::<Vec<_>>(),
            [format!("{NEW}:443")]
        );
        let findings = outwall.audit_of("finding");
        assert!(
            findings.iter().any(|finding| finding["reason"] == "learning"),
            "{findings:#?}"
        );

        let outwall = outwall.policy(toml);
        let after = outwall.shell(&["--quiet"], &script);
        assert_eq!(after.stdout, "200\n200\n", "{toml}\n{after:?}");
        let file = outwall.work_dir().join("learned.toml");
        outwall
            .shell(&["--quiet", "--learn", "--learn-to", "learned.toml"], &script)
            .succeeded();
        assert!(std::fs::read_to_string(file).unwrap().contains(NEW));
    });
}

#[test]
fn what_is_refused_for_another_reason_is_not_learned() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let resolver = TestResolver::start(&[("inner.example.test", &[&["10.0.0.1"]])]);
        let outwall = outwall
            .policy(
                "default_environment = \"test\"\n[environments.test]\nnetwork = \"custom\"\ninclude_trusted = true\n\
                 allowed_domains = [\"listed.example.test\"]\n\
                 [[environments.test.rules]]\nhost = \"listed.example.test\"\nmethods = [\"GET\"]\naction = \"allow\"\n",
            )
            .origin(LISTED, &origin)
            .origin(NEW, &origin)
            .origin("pypi.org", &origin)
            .resolver(&resolver);
        let post = "curl -s -o /dev/null -w '%{http_code}\\n' --max-time 10 -d x";
        let script = format!(
            "{}; {post} https://{LISTED}/echo; {post} https://pypi.org/echo; {post} https://{NEW}/echo",
            statuses(&[
                "http://inner.example.test/",
                "http://169.254.169.254/latest/meta-data/",
                "http://10.0.0.1/",
                &format!("https://{LISTED}/echo"),
            ])
        );
        let learned = outwall.shell(&["--quiet", "--learn"], &script);
        assert!(
            learned.stdout.starts_with("403\n403\n403\n200\n403\n403\n200\n"),
            "{learned:?}"
        );
        let denied = outwall.audit_with(&["--denied"]);
        let reasons: Vec<&str> = denied
            .iter()
            .map(|record| record["reason"].as_str().unwrap())
            .collect();
        assert_eq!(
            reasons,
            [
                "address-refused",
                "address-refused",
                "address-refused",
                "rule-refused",
                "trusted-write-refused"
            ]
        );
    });
}

#[test]
fn learning_needs_a_network_and_nobody_who_is_asked() {
    let outwall = outwall().allowing(&[LISTED]);
    let refused = outwall
        .run(&["run", "--learn", "--network", "none", "--", "true"])
        .exited_with(125);
    assert!(
        refused.stderr.contains("nothing to learn") && refused.stderr.contains("--network custom"),
        "{refused:?}"
    );
    outwall
        .run(&["run", "--learn", "--ask", "--", "true"])
        .exited_with(125);
    outwall
        .run(&["run", "--learn-to", "x", "--", "true"])
        .exited_with(125);
    let outwall = outwall.policy("[environments.default]\nnetwork = \"custom\"\nlearn = true\n");
    let refused = outwall.run(&["policy", "check"]).exited_with(1);
    assert!(
        refused.stderr.contains("learn"),
        "no file can ask for it: {refused:?}"
    );
}

#[test]
fn a_link_that_a_sandbox_left_is_not_written_through() {
    let outwall = outwall().allowing(&[LISTED]);
    let precious = outwall.home_dir().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, outwall.work_dir().join("learned.toml")).unwrap();
    let refused = outwall
        .run(&["run", "--learn", "--learn-to", "learned.toml", "--", "true"])
        .exited_with(125);
    assert!(refused.stderr.contains("learned.toml"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "precious");
}
