#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
//! Against a stand-in that answers as "HTTP API" of Vault's documentation says: `auth/approle`, `auth/token`, `secret/kv/kv-v2`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use outwall_policy::SecretSource;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::source::{Question, Services, Surroundings};

const ROLE_ID: &str = "59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";
const SECRET_ID: &str = "84896a0c-1347-aa90-a4f6-aca8b7558780";
const GIVEN: &str = "hvs.given-token-of-the-operator";

#[derive(Default)]
struct State {
    now: Timestamp,
    /// When each ends; none: never.
    tokens: HashMap<String, Option<Timestamp>>,
    /// Renewals that it still grants.
    renewals: u32,
    issued: u32,
    secrets: HashMap<String, Value>,
    /// Answered instead of everything.
    instead: Option<(u16, Value)>,
    asked: Vec<String>,
}

/// A server of Vault, where tokens by role last twenty minutes.
#[derive(Default)]
struct StandIn(Mutex<State>);

const LIFE_SECONDS: i64 = 1200;

impl StandIn {
    fn answer(&self, question: &Question) -> (u16, Value) {
        let mut state = self.0.lock().unwrap();
        let header = |name| {
            let found = question.headers.iter().find(|(header, _)| *header == name);
            found.map(|(_, value)| value.to_string())
        };
        assert_eq!(header("x-vault-request").as_deref(), Some("true"));
        assert_eq!(header("x-vault-namespace").as_deref(), Some("team/a"));
        state.asked.push(format!("{} {}", question.method, question.path));
        if let Some(instead) = &state.instead {
            return instead.clone();
        }
        if question.path == "/v1/auth/approle/login" {
            let body: Value = serde_json::from_slice(&question.body).unwrap();
            if body != json!({"role_id": ROLE_ID, "secret_id": SECRET_ID}) {
                return (
                    400,
                    json!({"errors": [format!("invalid secret id {}", body["secret_id"])]}),
                );
            }
            state.issued += 1;
            let token = format!("hvs.issued-{}", state.issued);
            let ends = state
                .now
                .saturating_add(jiff::SignedDuration::from_secs(LIFE_SECONDS))
                .unwrap();
            state.tokens.insert(token.clone(), Some(ends));
            return (200, auth(&token, LIFE_SECONDS));
        }
        let denied = (
            403,
            json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}),
        );
        let Some(token) = header("x-vault-token") else {
            return denied;
        };
        let now = state.now;
        let Some(ends) = state
            .tokens
            .get(&token)
            .copied()
            .filter(|ends| ends.is_none_or(|at| at > now))
        else {
            return denied;
        };
        let left = ends.map_or(0, |at| at.duration_since(now).as_secs());
        match (question.method, question.path.as_str()) {
            ("GET", "/v1/auth/token/lookup-self") => (
                200,
                json!({"data": {"ttl": left, "renewable": left > 0, "type": "service"}}),
            ),
            ("POST", "/v1/auth/token/renew-self") if state.renewals == 0 => {
                (400, json!({"errors": ["lease is not renewable"]}))
            }
            ("POST", "/v1/auth/token/renew-self") => {
                state.renewals -= 1;
                let ends = now
                    .saturating_add(jiff::SignedDuration::from_secs(LIFE_SECONDS))
                    .unwrap();
                state.tokens.insert(token.clone(), Some(ends));
                (200, auth(&token, LIFE_SECONDS))
            }
            ("GET", path) => match state.secrets.get(path) {
                None => (404, json!({"errors": []})),
                Some(secret) if secret["data"].is_null() => (404, kv(secret)),
                Some(secret) => (200, kv(secret)),
            },
            _ => (405, json!({"errors": ["unsupported operation"]})),
        }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn put(&self, data: &Value) {
        self.set(|state| {
            let metadata = json!({"created_time": "2026-03-22T02:24:06.945319214Z", "custom_metadata": null,
                "deletion_time": "", "destroyed": false, "version": 2});
            state
                .secrets
                .insert(PATH.into(), json!({"data": data.clone(), "metadata": metadata}));
        });
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

fn kv(secret: &Value) -> Value {
    json!({"request_id": "1f7bc5ee", "lease_id": "", "renewable": false, "lease_duration": 0, "data": secret,
        "wrap_info": null, "warnings": null, "auth": null})
}

fn auth(token: &str, seconds: i64) -> Value {
    json!({"auth": {"client_token": token, "accessor": "fd6c9a00", "policies": ["default"],
        "lease_duration": seconds, "renewable": true, "token_type": "service"}, "data": null})
}

impl Services for StandIn {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        let (status, body) = self.answer(&question);
        Box::pin(std::future::ready(Ok(Answer {
            status,
            date: None,
            scopes: None,
            location: (status == 307).then(|| body.as_str().unwrap_or("https://other.test/v1/").to_owned()),
            body: Zeroizing::new(serde_json::to_vec(&body).unwrap()),
        })))
    }
}

const PATH: &str = "/v1/secret/data/team/npm%20token";

struct Story {
    server: Arc<StandIn>,
    vault: Vault,
    folder: TempDir,
}

impl Story {
    fn new(auth: VaultAuth) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Arc::new(StandIn::default());
        server.set(|state| {
            state.now = Timestamp::from_second(1_000_000).unwrap();
            state.renewals = 1;
            state.tokens.insert(GIVEN.into(), None);
        });
        server.put(&json!({"token": "npm_secret-one", "user": "me"}));
        let services: Arc<dyn Services> = server.clone();
        let vault = Vault {
            address: Some("https://vault.test:8200".parse().unwrap()),
            namespace: Some("team/a".into()),
            mount: "secret".into(),
            path: "team/npm token".into(),
            key: "token".into(),
            auth,
            means: Means {
                surroundings: Surroundings {
                    folder: folder.path().into(),
                    home: None,
                },
                services,
            },
            login: tokio::sync::Mutex::default(),
        };
        let story = Self {
            server,
            vault,
            folder,
        };
        story.give(GIVEN);
        std::fs::write(story.folder.path().join("secret-id"), format!("{SECRET_ID}\n")).unwrap();
        story
    }

    fn by_token() -> Self {
        Self::new(VaultAuth::Token(SecretSource::File("token".into())))
    }

    fn by_role() -> Self {
        Self::new(VaultAuth::AppRole {
            role_id: ROLE_ID.into(),
            secret_id: SecretSource::File("secret-id".into()),
            mount: "approle".into(),
        })
    }

    fn give(&self, token: &str) {
        std::fs::write(self.folder.path().join("token"), token).unwrap();
    }

    fn later(&self, seconds: i64) {
        self.server.set(|state| {
            state.now = state
                .now
                .saturating_add(jiff::SignedDuration::from_secs(seconds))
                .unwrap();
        });
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        let now = self.server.0.lock().unwrap().now;
        self.vault.fetch(now).await
    }

    async fn text(&self) -> String {
        String::from_utf8(self.fetch().await.unwrap().secret.expose().to_vec()).unwrap()
    }

    async fn said(&self) -> String {
        let error = self.fetch().await.unwrap_err();
        for secret in ["npm_secret", GIVEN, SECRET_ID, "hvs.issued"] {
            let chain = format!("{error} {error:?} {error:#?} {}", error.remedy());
            assert!(!chain.contains(secret), "{chain}");
        }
        error.to_string()
    }
}

const LOOKUP: &str = "GET /v1/auth/token/lookup-self";
const LOGIN: &str = "POST /v1/auth/approle/login";
const RENEW: &str = "POST /v1/auth/token/renew-self";
const READ: &str = "GET /v1/secret/data/team/npm%20token";

#[tokio::test]
async fn a_value_is_read_with_the_token_that_was_given_and_again_each_minute() {
    let story = Story::by_token();
    let fetched = story.fetch().await.unwrap();
    assert_eq!(fetched.secret.expose(), b"npm_secret-one");
    assert_eq!((fetched.ask_again, fetched.expires_at), (Some(BETWEEN), None));
    story.server.put(&json!({"token": "npm_secret-two"}));
    assert_eq!(story.text().await, "npm_secret-two");
    assert_eq!(story.server.asked(), [LOOKUP, READ, READ]);
}

#[tokio::test]
async fn a_token_that_is_replaced_in_its_file_is_used_at_once() {
    let story = Story::by_token();
    story.text().await;
    story.server.set(|state| {
        state.tokens.clear();
        state.tokens.insert("hvs.issued-anew".into(), None);
    });
    assert!(story.said().await.contains("does not let us read"));
    story.give("hvs.issued-anew\n");
    assert_eq!(story.text().await, "npm_secret-one");
    story.give("two words");
    assert_eq!(
        story.said().await,
        "the token for Vault cannot be used: it is empty, or no word"
    );
}

#[tokio::test]
async fn a_login_by_role_is_renewed_before_it_ends_and_made_anew_where_it_cannot_be() {
    let story = Story::by_role();
    story.text().await;
    story.later(790);
    let fetched = story.fetch().await.unwrap();
    assert_eq!(
        fetched.ask_again,
        Some(Duration::from_secs(10)),
        "until it has to be renewed"
    );
    assert_eq!(story.server.asked(), [LOGIN, READ, READ]);
    story.later(10);
    story.text().await;
    assert_eq!(story.server.asked(), [RENEW, READ]);
    story.later(800);
    story.text().await;
    assert_eq!(
        story.server.asked(),
        [RENEW, LOGIN, READ],
        "it is not renewed twice"
    );
    story.later(LIFE_SECONDS);
    story.text().await;
    assert_eq!(story.server.asked(), [LOGIN, READ], "what has ended is not shown");
}

#[tokio::test]
async fn a_login_that_was_taken_back_is_made_anew_once() {
    let story = Story::by_role();
    story.text().await;
    story.server.set(|state| state.tokens.clear());
    assert_eq!(story.text().await, "npm_secret-one");
    assert_eq!(story.server.asked(), [LOGIN, READ, READ, LOGIN, READ]);
    story.server.set(|state| {
        state.instead = Some((
            403,
            json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}),
        ));
    });
    let said = story.said().await;
    assert_eq!(
        said,
        "Vault refuses the login by role (403): 1 error occurred: * permission denied"
    );
    assert_eq!(story.server.asked(), [READ, LOGIN]);
    story.server.set(|state| state.instead = None);
    assert_eq!(story.text().await, "npm_secret-one");
}

#[tokio::test]
async fn a_refused_login_is_explained_without_the_secret_id() {
    let story = Story::by_role();
    std::fs::write(story.folder.path().join("secret-id"), format!("{SECRET_ID}-old")).unwrap();
    let said = story.said().await;
    assert_eq!(
        said,
        "Vault refuses the login by role (400): invalid secret id \"***\""
    );
    std::fs::write(story.folder.path().join("secret-id"), SECRET_ID).unwrap();
    assert_eq!(story.text().await, "npm_secret-one");
}

/// Whatever Vault says, and wherever it says it.
#[tokio::test]
async fn no_error_tells_the_token_that_was_shown() {
    let story = Story::by_token();
    for (status, body) in [
        (
            200,
            kv(&json!({"data": {format!("of {GIVEN}"): "npm_secret"}, "metadata": {}})),
        ),
        (403, json!({"errors": [format!("no such token: {GIVEN}")]})),
        (500, json!({"errors": [GIVEN]})),
        (307, json!(format!("https://other.test/v1/?token={GIVEN}"))),
    ] {
        story.server.set(|state| state.instead = Some((status, body)));
        let said = story.said().await;
        assert!(said.contains("***") && !said.contains(GIVEN), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_was_deleted_and_both_end_the_use_of_the_last_one() {
    let story = Story::by_token();
    let withdrawn = async || story.fetch().await.unwrap_err().says() == Says::Withdrawn;
    story.text().await;
    story.server.set(|state| {
        let secret = state.secrets.get_mut(PATH).unwrap();
        secret["data"] = Value::Null;
        secret["metadata"]["deletion_time"] = json!("2026-03-22T02:36:43.986212308Z");
    });
    assert_eq!(
        story.said().await,
        format!("the last version of the secret at `{PATH}` was deleted")
    );
    assert!(withdrawn().await);
    story.server.set(|state| state.secrets.clear());
    assert_eq!(story.said().await, format!("Vault has no secret at `{PATH}`"));
    assert!(withdrawn().await);
    story.server.put(&json!({"user": "me", "password": "npm_secret"}));
    assert_eq!(
        story.said().await,
        format!("the secret at `{PATH}` has no value `token`; it has `password`, `user`")
    );
    assert!(withdrawn().await);
    story.server.put(&json!({"token": "npm_secret-two"}));
    assert_eq!(story.text().await, "npm_secret-two");
}

#[tokio::test]
async fn a_server_that_cannot_answer_says_nothing_about_the_last_one() {
    let story = Story::by_token();
    for (status, body, said) in [
        (
            503,
            json!({"errors": ["Vault is sealed"]}),
            "Vault is sealed, or not ready (503)",
        ),
        (473, json!(null), "Vault is sealed, or not ready (473)"),
        (
            500,
            json!({"errors": ["internal error"]}),
            "Vault answered 500: internal error",
        ),
        (
            429,
            json!({"errors": ["request path: rate limit quota exceeded"]}),
            "Vault answered 429: request path: rate limit quota exceeded",
        ),
        (
            307,
            json!(null),
            "this server of Vault sends us to another one, and redirects are not followed: https://other.test/v1/",
        ),
        (
            200,
            json!({"data": {"token": "npm_secret"}}),
            "what Vault answered about `/v1/secret/data/team/npm%20token` is not what it documents",
        ),
        (
            200,
            json!([]),
            "what Vault answered about `/v1/secret/data/team/npm%20token` is not what it documents",
        ),
        (502, json!("<html>"), "Vault answered 502: nothing"),
    ] {
        story.server.set(|state| state.instead = Some((status, body)));
        assert_eq!(story.said().await, said);
        assert_eq!(story.fetch().await.unwrap_err().says(), Says::Nothing);
    }
    story.server.set(|state| state.instead = None);
    assert_eq!(story.text().await, "npm_secret-one");
}

#[tokio::test]
async fn a_number_is_text_and_a_list_is_not() {
    let story = Story::by_token();
    story.server.put(&json!({"token": 123_456}));
    assert_eq!(story.text().await, "123456");
    story.server.put(&json!({"token": "with \"quotes\" \u{e9}"}));
    assert_eq!(story.text().await, "with \"quotes\" \u{e9}");
    for odd in [
        json!(["npm_secret"]),
        json!({"a": "npm_secret"}),
        json!(true),
        json!(null),
    ] {
        story.server.put(&json!({"token": odd}));
        assert_eq!(
            story.said().await,
            format!("the value `token` of the secret at `{PATH}` is no text")
        );
    }
    story.server.put(&json!({"token": "npm_secret\nnpm_secret"}));
    assert!(
        story
            .said()
            .await
            .ends_with("in Vault gives cannot be used as a secret")
    );
}

#[tokio::test]
async fn a_version_that_will_be_deleted_expires_then() {
    let story = Story::by_token();
    story.server.set(|state| {
        state.secrets.get_mut(PATH).unwrap()["metadata"]["deletion_time"] = json!("2030-01-31T12:00:00.5Z");
    });
    let fetched = story.fetch().await.unwrap();
    assert_eq!(
        fetched.expires_at,
        Some("2030-01-31T12:00:00.5Z".parse().unwrap())
    );
}
