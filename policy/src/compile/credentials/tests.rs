#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use crate::Scheme::{self, Http, Https};
use crate::brokered::{BrokerRefusal, ForeignCredentials, Instead, NotFor};
use crate::decision::Action;
use crate::{
    ConnectionDecision, Method, Opening, Policy, PolicyDocument, RequestDecision, RequestPath, Sandbox,
    SandboxId, Target,
};

const WEB: &str = r#"
default_environment = "web"
[environments.web]
network = "custom"
allowed_domains = ["api.example.com", "other.example.com"]
tunnelled_domains = ["pinned.example.com"]
[environments.other]
network = "full"
"#;

const MODEL: &str = r#"
[[credentials]]
name = "model"
source = { env = "MODEL_API_KEY" }
hosts = ["api.example.com"]
inject = [{ header = "x-api-key" }]
methods = ["GET", "POST"]
paths = ["/v1/**"]
environments = ["web"]
"#;

fn said(text: &str) -> String {
    let compiled = PolicyDocument::parse(&format!("{WEB}{text}"), "outwall.toml")
        .and_then(|document| Policy::compile(&document));
    compiled.unwrap_err().to_string()
}

fn policy(text: &str) -> Policy {
    let document = PolicyDocument::parse(&format!("{WEB}{text}"), "outwall.toml").unwrap();
    Policy::compile(&document).unwrap()
}

/// What the broker has to do with a request: the usable credentials, and why others are not.
fn brokerage(
    policy: &Policy,
    sandbox: &Sandbox,
    request: (Scheme, &str, Method, &str),
) -> (Vec<String>, Vec<NotFor>) {
    let (scheme, host, method, path) = request;
    let target = Target::parse(&format!("{host}:{}", scheme.default_port())).unwrap();
    let opening = match scheme {
        Https => Opening::Unread,
        Http => Opening::Http,
    };
    let decision = policy.decide_connection(sandbox, &target, opening);
    let (ConnectionDecision::Intercept(permit) | ConnectionDecision::Forward(permit)) = decision else {
        panic!("{host} is not read");
    };
    let action = Action::new(scheme, target, method, RequestPath::parse(path).unwrap(), ());
    let RequestDecision::Allow(permitted) = policy.decide_request(&permit, action) else {
        panic!("{path} is refused");
    };
    let (permit, ()) = permitted.into_parts();
    let brokerage = permit.brokerage();
    let usable = brokerage.iter().flat_map(|known| known.usable());
    let refused = brokerage
        .iter()
        .flat_map(|known| known.here().filter_map(|(_, why)| why));
    (
        usable.map(|known| known.name().to_string()).collect(),
        refused.collect(),
    )
}

fn sandbox(environment: &str) -> Sandbox {
    Sandbox::new(SandboxId::from_random([7; 4]), environment.parse().unwrap())
}

#[test]
fn a_credential_is_for_its_hosts_methods_paths_and_environments_over_https() {
    let policy = policy(MODEL);
    let asked = |environment: &str, scheme, host, method, path| {
        brokerage(&policy, &sandbox(environment), (scheme, host, method, path))
    };
    let usable = (vec!["model".to_owned()], vec![]);
    let refused = |why| (vec![], vec![why]);
    assert_eq!(
        asked("web", Https, "api.example.com", Method::GET, "/v1/models"),
        usable
    );
    assert_eq!(
        asked("web", Https, "api.example.com", Method::GET, "/v2/models"),
        refused(NotFor::Request)
    );
    assert_eq!(
        asked("web", Https, "api.example.com", Method::GET, "/v1/%2e%2e/v2"),
        refused(NotFor::Request)
    );
    assert_eq!(
        asked(
            "web",
            Https,
            "api.example.com",
            Method::parse("DELETE").unwrap(),
            "/v1/x"
        ),
        refused(NotFor::Request)
    );
    assert_eq!(
        asked("web", Http, "api.example.com", Method::GET, "/v1/models"),
        refused(NotFor::Clear)
    );
    assert_eq!(
        asked("other", Https, "api.example.com", Method::GET, "/v1/models"),
        refused(NotFor::Environment)
    );
    assert_eq!(
        asked("web", Https, "other.example.com", Method::GET, "/v1/models"),
        (vec![], vec![])
    );
}

#[test]
fn nobody_without_an_identity_uses_a_credential() {
    let text = format!("{MODEL}\n[proxy]\nanonymous_environment = \"web\"\n");
    let policy = policy(&text);
    let anonymous = Sandbox::anonymous(SandboxId::from_random([7; 4]), "web".parse().unwrap());
    let request = || (Https, "api.example.com", Method::GET, "/v1/models");
    assert_eq!(
        brokerage(&policy, &anonymous, request()),
        (vec![], vec![NotFor::Anonymous])
    );
    assert_eq!(brokerage(&policy, &sandbox("web"), request()).0, ["model"]);
}

#[test]
fn the_narrowest_line_says_what_is_done_with_foreign_credentials() {
    let text = format!(
        "{MODEL}foreign_credentials = \"strip\"\n[environments.other.foreign_credentials]\n\"*.example.com\" = \"deny\"\n\"api.example.com\" = \"allow\"\n"
    );
    let policy = policy(&text);
    let foreign = |environment: &str| {
        let target = Target::parse("api.example.com:443").unwrap();
        let ConnectionDecision::Intercept(permit) =
            policy.decide_connection(&sandbox(environment), &target, Opening::Unread)
        else {
            panic!("it is not intercepted");
        };
        let action = Action::new(Https, target, Method::GET, RequestPath::parse("/").unwrap(), ());
        let RequestDecision::Allow(permitted) = policy.decide_request(&permit, action) else {
            panic!("it is refused");
        };
        permitted.permit().brokerage().unwrap().foreign()
    };
    assert_eq!(
        foreign("web"),
        ForeignCredentials::Strip,
        "the credential says so"
    );
    assert_eq!(
        foreign("other"),
        ForeignCredentials::Allow,
        "the environment says so, and its narrowest line"
    );
    let listed: Vec<String> = policy
        .environment(Some("other"))
        .unwrap()
        .foreign_credentials()
        .map(|(hosts, _)| hosts.to_string())
        .collect();
    assert_eq!(listed, ["api.example.com", "*.example.com"]);
}

#[test]
fn every_mistake_in_a_credential_is_named() {
    insta::assert_snapshot!(said(r#"
[[credentials]]
name = "model"
source = { env = "A" }
hosts = ["api.example.com"]
inject = [{ header = "host" }, { header = "x-api-key", query = "key" }, { query = "key", scheme = "Bearer" }, { basic = "a:b" }]
environments = ["web"]
foreign_credentials = "maybe"
[[credentials]]
source = "sk-ant-api03-secret"
"#), @r#"
outwall.toml:14: "host" is no header for a secret
  hint: write one such as "authorization" or "x-api-key"
outwall.toml:14: an entry of `inject` says 2 ways, and has to say one
  hint: write { header = "authorization", scheme = "Bearer" }, { basic = "USER" }, { query = "key" }, { body = "json" } or { sign = "aws4" }
outwall.toml:14: `scheme` belongs to a header
  hint: leave it out, or write { header = "authorization", scheme = "Bearer" }
outwall.toml:14: "a:b" is no user of a Basic pair
  hint: write it without `:` and control characters (RFC 7617 section 2)
outwall.toml:16: `foreign_credentials` is "maybe", which it cannot be
  hint: write one of "deny", "strip", "allow"
outwall.toml:17: the credential has no `name`
  hint: give it a name for records and commands: name = "anthropic"
outwall.toml:17: the credential has no `hosts`
  hint: write the hosts that it is for: hosts = ["api.anthropic.com"]
outwall.toml:17: the credential has no `inject`
  hint: write how it is sent: inject = [{ header = "authorization", scheme = "Bearer" }]
outwall.toml:17: the credential has no `environments`
  hint: write which environments may use it, it is for none by default: environments = ["web"]
outwall.toml:18: `source` does not say where the secret comes from, and a secret is never written into the file
  hint: write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { keyring = "SERVICE", account = "ACCOUNT" }, { vault = "PATH", key = "KEY" }, { github_app = NUMBER, ... }
"#);
    insta::assert_snapshot!(said(r#"
[[credentials]]
name = "Model"
source = { env = "A" }
hosts = ["https://api.example.com"]
inject = [{ query = "key" }]
environments = ["nowhere"]
[[credentials]]
name = "short"
preset = "anthropik"
source = { env = "A" }
hosts = ["api.example.com"]
inject = [{ body = "json" }]
placeholder = { env = "1A", prefix = "a b", length = 8 }
environments = ["web"]
"#), @r#"
outwall.toml:10: the credential is for no host
  hint: write hosts = ["api.example.com"]
outwall.toml:11: `Model` is not a name for a credential, which is 1 to 64 of a-z, 0-9, `_` and `-`, a letter or digit first
  hint: write such as name = "anthropic"
outwall.toml:13: "https://api.example.com" in `hosts` is no host: a pattern is a host, not a URL
  hint: write the host only, without scheme and path: "example.com"; paths go into rules
outwall.toml:15: there is no environment "nowhere"
  hint: the environments are: other, web
outwall.toml:18: there is no preset `anthropik`; there are anthropic, claude-subscription, openai, google, openrouter, azure-openai, mistral, groq, cohere, xai, deepseek, github, github-packages, gitlab, npm, pypi, test-pypi, cargo, docker, huggingface, aws
  hint: write one of those, or leave it out and write `hosts` and `inject`
outwall.toml:22: "1A" is no name of a variable
  hint: use A-Z, a-z, 0-9 and `_`, no digit first
outwall.toml:22: the placeholder has no variable, so no client would find it
  hint: name it: placeholder = { env = "ANTHROPIC_API_KEY" }
outwall.toml:22: "a b" cannot begin a placeholder
  hint: use up to 64 of A-Z, a-z, 0-9, `-`, `_`, `.` and `:`
outwall.toml:22: a placeholder of 8 bytes has 5 random ones
  hint: write a length from 23 to 515
"#);
    insta::assert_snapshot!(said(r#"
[[credentials]]
name = "one"
source = { env = "A" }
hosts = ["api.example.com"]
inject = [{ header = "x-api-key" }, { sign = "aws4" }]
placeholder = { env = "KEY" }
environments = ["web"]
[[credentials]]
name = "one"
source = { env = "B" }
hosts = ["api.example.com"]
inject = [{ header = "x-api-key" }]
placeholder = { env = ["OTHER", "KEY"] }
environments = ["web", "other"]
[[credentials]]
name = "nothing"
source = { env = "B" }
hosts = []
inject = []
environments = ["web"]
"#), @r#"
outwall.toml:10: what signs a request is the only way to put a credential in
  hint: leave { sign = "aws4" } alone in `inject`
outwall.toml:17: two credentials are called "one"
  hint: give each a name of its own
outwall.toml:17: $KEY would hold the placeholders of "one" and "one"
  hint: name another variable: placeholder = { env = "NAME" }, or other environments
outwall.toml:24: the credential is for no host
  hint: write hosts = ["api.example.com"]
outwall.toml:24: the credential is never put into a request
  hint: write inject = [{ header = "authorization", scheme = "Bearer" }]
"#);
}

#[test]
fn what_is_never_used_is_warned_of() {
    let policy = policy(
        r#"
[[credentials]]
name = "idle"
source = { env = "A" }
hosts = ["api.example.com"]
inject = [{ header = "x-api-key" }]
environments = []
[[credentials]]
name = "unread"
source = { env = "A" }
hosts = ["pinned.example.com", "beyond.example.com"]
inject = [{ header = "x-api-key" }]
environments = ["web"]
"#,
    );
    let warned: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warned.join("\n"), @r#"
    outwall.toml:10: the credential is for no environment, so it is never used
      hint: write environments = ["NAME"]
    outwall.toml:16: "unread" is never used at "pinned.example.com" in [environments.web], which relays it unread (tunnelled_domains "pinned.example.com")
      hint: take the host out of that list
    outwall.toml:16: "unread" is never used at "beyond.example.com" in [environments.web], which does not reach it
      hint: allow the host there
    "#);
}

#[test]
fn a_refusal_says_what_to_write() {
    let environment = "web".parse().unwrap();
    let target = Target::parse("api.example.com:443").unwrap();
    let place = crate::brokered::CredentialPlace::Header {
        name: "x-api-key".to_owned(),
        scheme: None,
    };
    let credential: crate::brokered::CredentialName = "model".parse().unwrap();
    let refusals = [
        BrokerRefusal::Foreign {
            target: target.clone(),
            place,
            instead: Instead::Placeholder(credential.clone()),
        },
        BrokerRefusal::Elsewhere {
            target: target.clone(),
            credential: credential.clone(),
        },
        BrokerRefusal::NotFor {
            target: target.clone(),
            credential: credential.clone(),
            why: NotFor::Environment,
        },
        BrokerRefusal::Unavailable {
            target,
            credential,
            why: "the variable `MODEL_API_KEY` is not set".to_owned(),
        },
    ];
    let said = refusals.map(|refusal| {
        format!(
            "{}: {refusal}\n  {}",
            refusal.code(),
            refusal.remedy(&environment)
        )
    });
    insta::assert_snapshot!(said.join("\n"), @r#"
    foreign-credential: the request has a credential that Outwall did not issue, and api.example.com is reached with those alone
      it is in the header x-api-key: let the client use the placeholder of "model", or none: the gate puts the credential in; or, for one that the sandbox may have itself: [environments.web] foreign_credentials = { "api.example.com" = "allow" }
    placeholder-elsewhere: the request carries the placeholder of "model", which is not for api.example.com
      if the secret itself may go there, add "api.example.com" to `hosts` of the credential "model"
    credential-not-for-request: the credential "model" is for api.example.com, but not for this environment
      add "web" to `environments` of the credential "model"
    credential-unavailable: the credential "model" for api.example.com cannot be had: the variable `MODEL_API_KEY` is not set
      `outwall credential check model` says what is wrong with its source
    "#);
}

#[test]
fn no_sandbox_may_read_the_files_of_credentials_and_what_they_hold_says_nothing_about_what_is_in_force() {
    let source = |written: &str| MODEL.replace("{ env = \"MODEL_API_KEY\" }", written);
    for (written, files) in [
        ("{ env = \"MODEL_API_KEY\" }", vec![]),
        ("{ file = \"~/model.key\" }", vec!["~/model.key"]),
        (
            "{ vault = \"a\", key = \"k\", role_id = \"r\", secret_id = { file = \"id\" } }",
            vec!["id"],
        ),
        (
            "{ github_app = 1, installation = 2, private_key = { file = \"app.pem\" }, repositories = [3] }",
            vec!["app.pem"],
        ),
    ] {
        let policy = policy(&source(written));
        let secret: Vec<String> = policy
            .secret_files()
            .map(|file| file.display().to_string())
            .collect();
        assert_eq!(secret, files);
        assert_eq!(policy.files().count(), 0);
    }
}
