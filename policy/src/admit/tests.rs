#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;
use crate::decision::{Action, ConnectionDecision, Opening, RequestDecision};
use crate::document::PolicyDocument;
use crate::sandbox::{Identity, Sandbox, SandboxId};
use crate::target::Scheme;

fn policy(origins: &str) -> Policy {
    let text = format!(
        "[environments.default]\nnetwork = \"full\"\nallowed_addresses = [\"10.0.0.0/8\"]\n\
         always_reachable = [\"proxy.corp:3128\", \"192.0.2.9\", \"192.0.2.9:3128\", \"10.0.0.7\", \"127.0.0.1\"]\n\
         [origins]\n{origins}\n"
    );
    Policy::compile(&PolicyDocument::parse(&text, "outwall.toml").unwrap()).unwrap()
}

fn permit(policy: &Policy, to: &str) -> Result<ConnectionPermit, &'static str> {
    let sandbox = Sandbox {
        id: SandboxId::from_random([1, 2, 3, 4]),
        environment: "default".parse().unwrap(),
        identity: Identity::Own,
        repository: None,
    };
    match policy.decide_connection(&sandbox, &to.parse().unwrap(), Opening::Unread) {
        ConnectionDecision::Deny(denial) => Err(denial.code()),
        ConnectionDecision::Tunnel(permit)
        | ConnectionDecision::Stream(permit)
        | ConnectionDecision::Intercept(permit)
        | ConnectionDecision::Forward(permit) => Ok(permit),
    }
}

fn by_name(policy: &Policy, to: &str, known: &[&str]) -> Result<String, &'static str> {
    let known: Vec<SocketAddr> = known.iter().map(|address| address.parse().unwrap()).collect();
    policy
        .admit_by_name(&permit(policy, to).unwrap(), &known)
        .map(|asked| asked.asked_for().to_string())
        .map_err(|denial| denial.code())
}

const PARENT: &str = "parent_proxy = \"http://proxy.corp:3128\"";

#[test]
fn the_parent_is_asked_by_name_unless_an_address_of_the_name_is_refused() {
    let policy = policy(PARENT);
    let name = "a.test:443";
    assert_eq!(
        by_name(&policy, name, &[]).unwrap(),
        name,
        "nothing is known against it"
    );
    assert_eq!(
        by_name(&policy, name, &["8.8.8.8:443", "[2606:4700::1]:443"]).unwrap(),
        name
    );
    assert_eq!(
        by_name(&policy, name, &["10.1.2.3:443"]).unwrap(),
        name,
        "by exception"
    );
    for refused in ["127.0.0.1:443", "169.254.169.254:443", "[::ffff:192.168.0.1]:443"] {
        assert_eq!(by_name(&policy, name, &[refused]), Err("address-refused"));
        assert_eq!(
            by_name(&policy, name, &["8.8.8.8:443", refused]),
            Err("address-refused")
        );
    }
}

#[test]
fn the_parent_is_asked_for_a_literal_only_if_its_class_is_admitted() {
    let policy = policy(PARENT);
    assert_eq!(by_name(&policy, "192.0.2.9:443", &[]).unwrap(), "192.0.2.9:443");
    assert_eq!(by_name(&policy, "10.0.0.7:443", &[]).unwrap(), "10.0.0.7:443");
    assert_eq!(by_name(&policy, "127.0.0.1:443", &[]), Err("address-refused"));
}

#[test]
fn the_parent_is_asked_for_an_address_that_was_admitted() {
    let policy = policy(PARENT);
    let permit = permit(&policy, "a.test:443").unwrap();
    let dial = policy
        .admit(&permit, "[2606:4700::1]:443".parse().unwrap())
        .unwrap();
    assert_eq!(
        policy.admit_by_address(&dial).asked_for().to_string(),
        "[2606:4700::1]:443"
    );
}

#[test]
fn the_parent_is_no_target_by_whatever_name() {
    let named = policy(PARENT);
    assert_eq!(permit(&named, "proxy.corp:3128").unwrap_err(), "parent-proxy");
    assert!(
        permit(&named, "proxy.corp:443").is_ok(),
        "its other ports are ports like others"
    );
    assert!(
        permit(&policy(""), "proxy.corp:3128").is_ok(),
        "without a parent it is a host"
    );
    let literal = policy("parent_proxy = \"http://192.0.2.9:443\"");
    assert_eq!(permit(&literal, "192.0.2.9:443").unwrap_err(), "parent-proxy");
    let elsewhere = permit(&literal, "a.test:443").unwrap();
    let denied = literal
        .admit(&elsewhere, "192.0.2.9:443".parse().unwrap())
        .unwrap_err();
    assert_eq!(denied.code(), "parent-proxy");
    assert_eq!(
        by_name(&literal, "a.test:443", &["[::ffff:192.0.2.9]:443"]),
        Err("parent-proxy")
    );
    assert!(
        literal
            .admit(
                &permit(&literal, "a.test:80").unwrap(),
                "192.0.2.9:80".parse().unwrap()
            )
            .is_ok()
    );
    let fixed = policy("hosts = { \"a.test\" = \"192.0.2.9\" }\nparent_proxy = \"http://192.0.2.9:443\"");
    let permit = permit(&fixed, "a.test:443").unwrap();
    assert_eq!(
        fixed
            .admit(&permit, "192.0.2.9:443".parse().unwrap())
            .unwrap_err()
            .code(),
        "parent-proxy"
    );
}

#[test]
fn addresses_that_the_parents_name_has_are_the_parents() {
    let policy = policy("parent_proxy = \"http://proxy.corp:443\"");
    let permit = permit(&policy, "a.test:443").unwrap();
    let keep = |address: &str, parent_at: &[&str]| {
        let parent_at: Vec<IpAddr> = parent_at.iter().map(|ip| ip.parse().unwrap()).collect();
        policy
            .keep_from_parent(&permit, address.parse().unwrap(), &parent_at)
            .map_err(|denial| denial.code())
    };
    assert_eq!(keep("8.8.8.8:443", &["10.0.0.2", "8.8.8.8"]), Err("parent-proxy"));
    assert_eq!(keep("8.8.8.8:443", &["10.0.0.2"]), Ok(()));
    assert_eq!(
        keep("8.8.8.8:80", &["8.8.8.8"]),
        Ok(()),
        "another port is another service"
    );
}

#[test]
fn only_the_parents_address_is_dialled_for_what_it_is_asked() {
    let asked = |policy: &Policy, address: &str| {
        let errand = policy
            .admit_by_name(&permit(policy, "a.test:443").unwrap(), &[])
            .unwrap();
        policy
            .admit_parent(&errand, address.parse().unwrap())
            .map(|dial| dial.address().to_string())
            .map_err(|denial| denial.code())
    };
    let named = policy(PARENT);
    assert_eq!(
        asked(&named, "127.0.0.1:3128").unwrap(),
        "127.0.0.1:3128",
        "the operator named it"
    );
    assert_eq!(asked(&named, "127.0.0.1:443"), Err("address-mismatch"));
    let literal = policy("parent_proxy = \"http://10.0.0.9:3128\"");
    assert!(asked(&literal, "10.0.0.9:3128").is_ok());
    assert_eq!(asked(&literal, "10.0.0.8:3128"), Err("address-mismatch"));
    assert_eq!(asked(&policy(""), "127.0.0.1:3128"), Err("address-mismatch"));
}

#[test]
fn a_client_certificate_is_for_its_hosts_its_environments_and_https_only() {
    let shown_to = |identity, environment: &str, to: &str, scheme| {
        let text = "default_environment = \"default\"\n[environments.default]\nnetwork = \"full\"\nalways_reachable = [\"*.example.com:8443\"]\n[environments.other]\nnetwork = \"full\"\n[proxy]\nanonymous_environment = \"default\"\n\
             [[origins.client_certificates]]\nhosts = [\"api.example.com\", \"*.internal.example.com:8443\"]\ncertificate = \"client.pem\"\nkey = \"client.key\"\nenvironments = [\"default\"]\n";
        let policy = Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap()).unwrap();
        let sandbox = Sandbox {
            id: SandboxId::from_random([1, 2, 3, 4]),
            environment: environment.parse().unwrap(),
            identity,
            repository: None,
        };
        let target: Target = to.parse().unwrap();
        let ConnectionDecision::Intercept(via) = policy.decide_connection(&sandbox, &target, Opening::Unread)
        else {
            panic!("{to} is intercepted");
        };
        let path = crate::RequestPath::parse("/").unwrap();
        let action = Action::new(scheme, target, crate::Method::GET, path, ());
        match policy.decide_request(&via, action) {
            RequestDecision::Allow(permitted) => permitted
                .permit()
                .client_certificate()
                .map(|certificate| certificate.name().to_owned()),
            RequestDecision::Deny(denial, ()) => panic!("{denial}"),
            RequestDecision::Understand(_) => panic!("no session"),
        }
    };
    let shown = |environment, to, scheme| shown_to(Identity::Own, environment, to, scheme);
    let some = Some("client.pem".to_owned());
    assert_eq!(shown("default", "api.example.com:443", Scheme::Https), some);
    assert_eq!(
        shown("default", "a.internal.example.com:8443", Scheme::Https),
        some
    );
    assert_eq!(shown("default", "api.example.com:80", Scheme::Http), None);
    assert_eq!(shown("default", "api.example.com:443", Scheme::Http), None);
    assert_eq!(shown("default", "api.example.com:8443", Scheme::Https), None);
    assert_eq!(
        shown("default", "a.internal.example.com:443", Scheme::Https),
        None
    );
    assert_eq!(shown("default", "www.example.com:443", Scheme::Https), None);
    assert_eq!(
        shown_to(
            Identity::Anonymous,
            "default",
            "api.example.com:443",
            Scheme::Https
        ),
        None
    );
    assert_eq!(shown("other", "api.example.com:443", Scheme::Https), None);
}
