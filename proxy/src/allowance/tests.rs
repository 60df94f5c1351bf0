#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use outwall_policy::{Policy, PolicyDocument};

use super::*;

fn policy(limits: &str) -> Policy {
    let document = PolicyDocument::parse(limits, "test.toml").unwrap();
    Policy::compile(&document).unwrap()
}

fn account(ledger: &Ledger, policy: &Policy, host: &str) -> Arc<Account> {
    let target = Target::parse_with_default(host, 443).unwrap();
    let allowances = policy.environment(None).unwrap().allowances().unwrap();
    ledger.account(allowances, 0, &target)
}

#[test]
fn what_one_limit_refuses_another_has_not_counted() {
    let policy = policy(
        "[environments.a.limits]\nrequests_per_minute = 3\n\
         [environments.a.limits.each_host]\nrequests_per_minute = 1\n",
    );
    let ledger = Ledger::new();
    let (one, two, three) = (
        account(&ledger, &policy, "one.test"),
        account(&ledger, &policy, "two.test"),
        account(&ledger, &policy, "three.test"),
    );
    assert!(one.take(LimitKind::Requests, 1).is_ok());
    for _ in 0..5 {
        assert!(one.take(LimitKind::Requests, 1).is_err(), "the host's");
    }
    assert!(two.take(LimitKind::Requests, 1).is_ok());
    assert!(three.take(LimitKind::Requests, 1).is_ok());
}

#[test]
fn the_hosts_of_a_pattern_share_and_each_host_does_not() {
    let policy = policy(
        "[environments.a.limits.each_host]\nupload_bytes_per_hour = 100\n\
         [[environments.a.limits.hosts]]\nhost = \"*.shared.test\"\nupload_bytes_per_hour = 10\n",
    );
    let ledger = Ledger::new();
    let took = |host: &str, n| account(&ledger, &policy, host).take(LimitKind::Upload, n).is_ok();
    assert!(took("a.shared.test", 6) && took("b.shared.test", 4));
    assert!(
        !took("c.shared.test", 1),
        "a name of its own is no allowance of its own"
    );
    assert!(took("a.test", 100) && took("b.test", 100));
    assert!(!took("a.test", 1));
}

#[test]
fn hosts_that_are_remembered_are_bounded_and_those_beyond_share() {
    let policy = policy("[environments.a.limits.each_host]\nrequests_per_minute = 2\n");
    let ledger = Ledger::new();
    let took = |host: &str| {
        account(&ledger, &policy, host)
            .take(LimitKind::Requests, 1)
            .is_ok()
    };
    for number in 0..MOST_HOSTS {
        assert!(took(&format!("h{number}.test")));
    }
    assert_eq!(ledger.books.lock().unwrap().hosts.len(), MOST_HOSTS);
    assert!(took("x.test") && took("y.test"));
    assert!(!took("z.test"), "who comes when there is no room shares");
    assert!(took("h0.test") && !took("h0.test"), "who is remembered does not");
    assert_eq!(ledger.books.lock().unwrap().hosts.len(), MOST_HOSTS);
}

#[test]
fn who_has_used_nothing_makes_room() {
    let policy = policy("[environments.a.limits.each_host]\nrequests_per_minute = 2\n");
    let ledger = Ledger::new();
    for number in 0..MOST_HOSTS {
        account(&ledger, &policy, &format!("h{number}.test"));
    }
    account(&ledger, &policy, "new.test")
        .take(LimitKind::Requests, 2)
        .ok()
        .unwrap();
    assert_eq!(ledger.books.lock().unwrap().hosts.len(), 1);
}
